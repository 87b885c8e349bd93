//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// The fast protocols over real sockets, with a board that loses some of what comes and goes.
@Suite(.serialized, .timeLimit(.minutes(2))) struct FastDataConnectionTests {
    private let address: UInt32 = 0x6010_0000

    private func withConnection(
        _ last: UInt8, faults: FastDataBoardHost.Board.Faults = .init(), configuration: FastDataConfiguration = .init(),
        _ body: (FastDataConnection, FastDataBoardHost) async throws -> Void
    ) async throws {
        let address = IPv4Address(127, 61, 0, last)
        try await FastDataBoardHost.with(address: address.description, board: { .init(faults: faults, seed: 5) }) { host in
            let link = try await UDPLink.connect(
                to: address, port: 17893, on: MultiThreadedEventLoopGroup.singleton.next())
            let connection = FastDataConnection(link: link, configuration: configuration)
            connection.start()
            defer { connection.close() }
            try await body(connection, host)
        }
    }

    private func bytes(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 11) })
    }

    @Test func thereAndBackWithLoss() async throws {
        var faults = FastDataBoardHost.Board.Faults()
        (faults.lossIn, faults.lossOut) = (0.05, 0.05)
        try await self.withConnection(1, faults: faults) { connection, host in
            let bytes = self.bytes(100_000)
            try await connection.setTag(4, of: .origin)
            for transaction in 1...2 as ClosedRange<UInt32> {
                let again = try await connection.write(
                    bytes, to: ChipID(2, 3), address: self.address, through: CoreID(0, 0, 3), transaction: transaction)
                #expect(again > 0, "385 packets, one in twenty lost")
            }
            #expect(
                host.withBoard { $0.read(ChipID(2, 3), at: self.address, count: 100_000) } == Array(bytes.readableBytesView))
            let read = try await connection.read(100_000, address: self.address, from: CoreID(2, 3, 2), transaction: 1)
            #expect(read.data == bytes && read.retransmissions > 0)
        }
    }

    @Test func aBoardThatIsNotThereIsSilence() async throws {
        var configuration = FastDataConfiguration()
        (configuration.tries, configuration.timeout) = (3, .milliseconds(200))
        try await self.withConnection(2, configuration: configuration) { connection, host in
            host.withBoard { $0.faults.isGathererDeaf = true }
            host.withBoard { $0.faults.isMonitorDeaf = true }
            try await connection.setTag(4, of: .origin)
            await #expect(throws: FastDataFailure.silent(tries: 3)) {
                try await connection.write(
                    self.bytes(1000), to: .origin, address: self.address, through: CoreID(0, 0, 3), transaction: 1)
            }
            await #expect(throws: FastDataFailure.silent(tries: 3)) {
                _ = try await connection.read(1000, address: self.address, from: CoreID(0, 0, 2), transaction: 1)
            }
            host.withBoard { $0.faults.tagResult = .badArgument }
            await #expect(throws: FastDataFailure.refused(.badArgument)) { try await connection.setTag(4, of: .origin) }
        }
    }

    @Test func cancellationEndsATransferAtOnce() async throws {
        try await self.withConnection(3) { connection, host in
            host.withBoard { $0.faults.isMonitorDeaf = true }
            try await connection.setTag(1, of: .origin)
            let reading = Task {
                try await connection.read(1000, address: self.address, from: CoreID(0, 0, 2), transaction: 1)
            }
            while host.withBoard({ $0.toMonitors.isEmpty }) { await Task.yield() }
            reading.cancel()
            let result = await reading.result
            #expect(throws: FastDataFailure.cancelled) { _ = try result.get() }
            // And the connection is free for the next.
            host.withBoard { $0.faults.isMonitorDeaf = false }
            let read = try await connection.read(8, address: self.address, from: CoreID(0, 0, 2), transaction: 1)
            #expect(read.data.readableBytes == 8)
        }
    }

    @Test func aClosedLinkFailsWhatIsUnderWayAndWhatComes() async throws {
        try await self.withConnection(4) { connection, host in
            host.withBoard { $0.faults.isMonitorDeaf = true }
            try await connection.setTag(1, of: .origin)
            let reading = Task {
                try await connection.read(1000, address: self.address, from: CoreID(0, 0, 2), transaction: 1)
            }
            while host.withBoard({ $0.toMonitors.isEmpty }) { await Task.yield() }
            connection.close()
            let result = await reading.result
            #expect(throws: FastDataFailure.linkClosed) { _ = try result.get() }
            await #expect(throws: FastDataFailure.linkClosed) { try await connection.setTag(1, of: .origin) }
        }
    }

    /// There is one transfer at a time: a second is turned away, and the first goes on.
    @Test func aSecondTransferDoesNotSpoilTheFirst() async throws {
        var configuration = FastDataConfiguration()
        (configuration.tries, configuration.timeout) = (1000, .milliseconds(20))
        try await self.withConnection(5, configuration: configuration) { connection, host in
            host.withBoard { $0.faults.isMonitorDeaf = true }
            try await connection.setTag(1, of: .origin)
            async let first = connection.read(1000, address: self.address, from: CoreID(0, 0, 2), transaction: 1)
            while host.withBoard({ $0.toMonitors.isEmpty }) { await Task.yield() }
            await #expect(throws: FastDataFailure.cancelled) {
                _ = try await connection.read(8, address: self.address, from: CoreID(0, 0, 2), transaction: 2)
            }
            host.withBoard { $0.faults.isMonitorDeaf = false }
            #expect(try await first.data.readableBytes == 1000)
        }
    }
}
