//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocClient
import SpallocDemo
import SpallocServer
import SpiNNakerMachine
import SpiNNakerTesting
import Testing

extension EndToEnd {
    /// Our client, our service, and a board on which the toolchain's cores run: bulk data both ways, over a network that loses some.
    @Test func fastDataByTheClient() async throws {
        let address = IPv4Address(127, 68, 0, 1)
        var faults = FastDataBoardHost.Board.Faults()
        (faults.lossIn, faults.lossOut) = (0.02, 0.02)
        let lossy = faults
        try await FastDataBoardHost.with(address: address.description, board: { .init(faults: lossy, seed: 3) }) { board in
            let machine = MachineDefinition(
                name: "fast", tags: ["fast"], width: 1, height: 1,
                boards: [
                    .init(
                        coordinates: BoardCoordinates(0, 0, 0), physical: PhysicalCoordinates(cabinet: 0, frame: 0, board: 0),
                        address: address.description)
                ], bmps: [.init(cabinet: 0, frame: 0, address: address.description)])
            try await House.run(.quick { $0.machines.append(machine) }) { house in
                try await house.asClient { client in
                    try await client.withJob(SpallocJobRequest(.boards(1)).on(.named("fast"))) { job in
                        try await job.waitUntilReady(timeout: .seconds(60))
                        let route = SpallocJob.FastDataRoute(
                            gatherer: CoreID(0, 0, 3), ethernet: .origin, ethernetAddress: address, ipTag: 4)
                        let bytes = ByteBuffer(bytes: (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ $0 >> 8) })
                        try await job.writeFast(chip: ChipID(2, 1), address: 0x6010_0000, bytes, by: route)
                        #expect(
                            board.withBoard { $0.read(ChipID(2, 1), at: 0x6010_0000, count: 300_001) }
                                == Array(bytes.readableBytesView))
                        let read = try await job.readFast(
                            monitor: CoreID(2, 1, 2), address: 0x6010_0000, count: 300_001, by: route)
                        #expect(read == bytes)
                        await #expect(throws: SpallocError.self) {
                            var elsewhere = route
                            elsewhere.ethernetAddress = IPv4Address(10, 0, 0, 1)
                            _ = try await job.readFast(monitor: CoreID(2, 1, 2), address: 0x6010_0000, count: 4, by: elsewhere)
                        }
                    }
                }
            }
        }
    }
}
