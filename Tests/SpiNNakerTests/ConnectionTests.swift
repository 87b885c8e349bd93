//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

/// Several links at once.
@Suite(.timeLimit(.minutes(3))) struct ConnectionTests {
    private static let boards = [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)]

    private func with(
        _ answer: @escaping @Sendable (ChipID, SCPPacket) -> (result: SCPResult, payload: ByteBuffer)?,
        _ body: (Transceiver, [ChipID: AnsweringLink]) async throws -> Void
    ) async throws {
        var links: [ChipID: AnsweringLink] = [:]
        for board in ConnectionTests.boards { links[board] = AnsweringLink { answer(board, $0) } }
        try await withTransceiver(links: links.mapValues { $0 as any DatagramLink }) { transceiver in
            let shape = MachineShape(width: 12, height: 12)
            transceiver.withState { state in
                state.shape = shape
                transceiver.rebuildSelector(&state)
            }
            try await body(transceiver, links)
        }
    }

    @Test func eachBoardGetsItsOwn() async throws {
        let chips = [ChipID(1, 1), ChipID(5, 9), ChipID(9, 5), ChipID(2, 2), ChipID(8, 4)]
        try await self.with { board, packet in
            (.ok, words(UInt32(packet.header.destinationChip.p2pAddress)))
        } _: {
            transceiver, links in
            let replies = try await transceiver.sendAll(
                chips.map { (ReadMemory(address: 0, size: 4), CoreID.monitor(of: $0)) })
            // In the order of the requests, whichever board was first.
            #expect(
                replies.map { $0.bytes.getInteger(at: $0.bytes.readerIndex, endianness: .little, as: UInt32.self) }
                    == chips.map { UInt32($0.p2pAddress) })
            for board in ConnectionTests.boards {
                let sent = try await links[board]?.allSent().map(\.header.destinationChip) ?? []
                let own = chips.filter { MachineShape(width: 12, height: 12)?.ethernetChip(nearest: $0) == board }
                #expect(sent == own)
            }
        }
    }

    @Test func theFailureOfOneEndsTheReadOfAll() async throws {
        try await self.with { board, packet in
            board == ChipID(4, 8)
                ? (.badArgument, ByteBuffer()) : (.ok, ByteBuffer(repeating: 1, count: Int(packet.arguments.arg2)))
        } _: { transceiver, _ in
            do {
                _ = try await transceiver.read(
                    ConnectionTests.boards.map { .init(chip: $0, address: 0x6000_0000, count: 1000) })
                Issue.record("a refused read was taken")
            } catch let error as TransceiverError {
                #expect(error.request?.code == .rejected(.badArgument))
                #expect(error.chip == ChipID(4, 8))
            }
        }
    }

    @Test func linksAreClosedAtTheEnd() async throws {
        let escaped = NIOLockedValueBox<Transceiver?>(nil)
        try await self.with { _, _ in
            (.ok, words(1))
        } _: { transceiver, _ in
            escaped.withLockedValue { $0 = transceiver }
            let word = try await transceiver[.origin].readWord(at: 0)
            #expect(word == 1)
        }
        let transceiver = try #require(escaped.withLockedValue { $0 })
        do throws(TransceiverError) {
            _ = try await transceiver[.origin].readWord(at: 0)
            Issue.record("a closed link answers")
        } catch {
            #expect(error.request?.code == .linkClosed)
        }
    }

    @Test func cancellationEndsWhatIsUnderWay() async throws {
        try await self.with { _, _ in
            nil
        } _: { transceiver, links in
            let task = Task {
                try await transceiver.read(ConnectionTests.boards.map { .init(chip: $0, address: 0, count: 100_000) })
            }
            while try await links[.origin]?.allSent().isEmpty == true { await Task.yield() }
            task.cancel()
            do {
                _ = try await task.value
                Issue.record("an answer from nowhere")
            } catch let error as TransceiverError {
                #expect(error.isCancellation)
            }
        }
    }

    /// Many boards are asked at once; what ends the wait for one ends it for all.
    @Test func cancellationEndsWhatWaitsForSeveralBoards() async throws {
        try await self.with { board, _ in
            board == .origin ? (.ok, words(1)) : nil
        } _: { transceiver, links in
            let calls = ConnectionTests.boards.map { (ReadMemory(address: 0, size: 4), CoreID.monitor(of: $0)) }
            let task = Task { try await transceiver.sendAll(calls) }
            for board in ConnectionTests.boards {
                while try await links[board]?.allSent().isEmpty == true { await Task.yield() }
            }
            task.cancel()
            do {
                _ = try await task.value
                Issue.record("an answer from nowhere")
            } catch let error as TransceiverError {
                #expect(error.isCancellation)
            }
        }
    }

    /// `p2p_dims` is y, then x; 0 is 256, but not of both.
    @Test(arguments: [(16, 28, 16, 28), (0, 12, 256, 12), (12, 0, 12, 256), (2, 2, 2, 2), (255, 255, 255, 255)])
    func theSizeOfAMachine(_ x: Int, _ y: Int, _ width: Int, _ height: Int) async throws {
        let link = AnsweringLink { _ in (.ok, ByteBuffer(bytes: [UInt8(y), UInt8(x)])) }
        try await withTransceiver(links: [.origin: link]) { transceiver in
            let shape = try await transceiver.readShape()
            #expect([shape.width, shape.height] == [width, height])
            #expect(try await link.allSent().map(\.arguments) == [SCPArguments(SV.p2pDimensions.address, 2, 1)])
        }
    }

    @Test func aMachineThatDoesNotKnowItsSizeCannotBeUsed() async throws {
        try await withTransceiver(links: [.origin: AnsweringLink { _ in (.ok, ByteBuffer(bytes: [0, 0])) }]) { transceiver in
            do throws(TransceiverError) {
                _ = try await transceiver.readShape()
                Issue.record("256 x 256 out of nothing")
            } catch {
                #expect(error.code == .unusableMachine)
            }
        }
    }

    @Test func withoutALinkThereIsNoTransceiver() async throws {
        await #expect(throws: TransceiverError.self) { try await withTransceiver(links: [:]) { _ in } }
    }
}
