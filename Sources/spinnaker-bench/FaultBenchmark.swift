//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// 64 MiB written and read over a network that loses, doubles and reorders, beside the same network when it does not.
struct FaultBenchmark {
    static let bytes = 64 << 20
    static let seed: UInt64 = 21

    /// A tenth lost each way, so that a fifth of the requests has no reply; a fifth doubled, a fifth held back until others have
    /// overtaken it. Clean and broken, a datagram is 50 µs on its way: a network that takes no time has none in which to reorder.
    static let faults = NetworkFaults(drop: 0.1, duplicate: 0.2, reorder: 0.2, reorderDelay: .microseconds(100))

    private struct Times: Sendable {
        var write = 0.0
        var read = 0.0
        var total: Double { self.write + self.read }
    }

    static func run() async throws {
        let (clean, broken) = try await withBenchBoards(.spinn5, seed: seed) { host in
            let address = host.boards[0].address
            var configuration = TransceiverConfiguration()
            configuration.bootPause = .milliseconds(2)
            try await withTransceiver(to: address.description, image: .placeholder, configuration: configuration) { _ in }
            return (try await measure(host, .none), try await measure(host, faults))
        }
        report(clean, broken)
    }

    private static func measure(_ host: VirtualMachineHost, _ faults: NetworkFaults) async throws -> Times {
        try await host.withMachine { machine, _ in
            machine.incoming = faults
            machine.outgoing = faults
        }
        // Each run its own bytes, so that none reads what another has written.
        var random = SeededGenerator(seed: faults == .none ? 1 : 2)
        var bytes = ByteBuffer()
        bytes.reserveCapacity(self.bytes)
        for _ in 0..<self.bytes / 8 { bytes.writeInteger(random.next()) }
        let data = bytes
        let link = try await UDPLink.connect(to: host.boards[0].address, port: SCP.port)
        return try await withTransceiver(links: [.origin: link]) { transceiver in
            var times = Times()
            let start = ContinuousClock.now
            try await transceiver[.origin].write(data, at: MemoryMap.userSDRAM)
            let middle = ContinuousClock.now
            let back = try await transceiver[.origin].read(at: MemoryMap.userSDRAM, count: data.readableBytes)
            times.read = (ContinuousClock.now - middle) / .seconds(1)
            times.write = (middle - start) / .seconds(1)
            guard back == data else { throw BenchError("what was read is not what was written") }
            return times
        }
    }

    private static func report(_ clean: Times, _ broken: Times) {
        print("\n\(bytes >> 20) MiB to a virtual board by UDP, window 8; 50 µs each way, seed \(seed)\n")
        var table = Table(header: ["", "write s", "read s", "of clean"])
        for (name, times) in [("clean", clean), ("a fifth lost, doubled, reordered", broken)] {
            table.rows.append([
                name, decimals(times.write, 2), decimals(times.read, 2), decimals(times.total / clean.total, 2),
            ])
        }
        table.print()
        var targets = Targets()
        targets.atMost(4, broken.total / clean.total, "× the clean run's time, all bytes right")
        targets.report()
    }
}
