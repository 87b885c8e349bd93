//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// Reading from an extra monitor that behaves as the real one, over a network that does not behave.
@Suite struct FastReadMachineTests {
    private typealias Board = FastDataBoard<Int>
    private let address: UInt32 = 0x6010_0000
    private let chip = ChipID(4, 5)

    private func read(
        _ size: Int, from board: Board, transaction: UInt32 = 1, configuration: FastDataConfiguration = .init()
    ) -> (failure: FastDataFailure?, bench: FastDataBench<FastReadMachine>) {
        board.write(fastDataBytes(size), to: self.chip, at: self.address)
        var bench = FastDataBench(board) { now in
            FastReadMachine(
                size, address: self.address, from: CoreID(chip: self.chip, p: board.monitorCore), transaction: transaction,
                configuration: configuration, now: now)
        }
        let failure = bench.run()
        return (failure, bench)
    }

    @Test(arguments: [4, 260, 264, 268, 26_400])
    func everySizeComes(_ size: Int) {
        let board = Board()
        let (failure, bench) = self.read(size, from: board)
        #expect(failure == nil)
        #expect(Array(bench.machine.data.readableBytesView) == fastDataBytes(size))
        #expect(bench.machine.retransmissions == 0)
        #expect(
            board.toMonitors == [
                .start(transaction: 1, address: self.address, size: UInt32(size)), .clear(transaction: 1),
            ], "one start, and at the end the stream is cleared")
    }

    @Test func nothingNeedsNoMonitor() {
        let board = Board()
        #expect(self.read(0, from: board).failure == nil && board.toMonitors.isEmpty)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func lossInBothDirections(_ seed: UInt64) {
        var faults = Board.Faults()
        (faults.lossIn, faults.lossOut, faults.duplication, faults.shuffles) = (0.2, 0.2, 0.2, true)
        let board = Board(faults: faults, seed: seed)
        let (failure, bench) = self.read(132_000, from: board)
        #expect(failure == nil, "seed \(seed)")
        #expect(Array(bench.machine.data.readableBytesView) == fastDataBytes(132_000), "seed \(seed)")
        #expect(bench.machine.retransmissions >= 80, "seed \(seed)")
        #expect(bench.elapsed < .seconds(20), "seed \(seed)")
    }

    /// More is missing than one message can say.
    @Test func aLongListTakesSeveralMessages() {
        var faults = Board.Faults()
        faults.lossOut = 0.6
        let board = Board(faults: faults, seed: 8)
        let (failure, bench) = self.read(132_000, from: board)
        #expect(failure == nil)
        #expect(Array(bench.machine.data.readableBytesView) == fastDataBytes(132_000))
        #expect(board.toMonitors.contains { if case .moreMissing = $0 { true } else { false } })
    }

    /// The end with gaps before it need not wait for the silence.
    @Test func theEndFlagAsksAtOnce() {
        let board = Board()
        board.faults.cursed = [3]
        var configuration = FastDataConfiguration()
        configuration.tries = 3
        let (failure, bench) = self.read(2640, from: board, configuration: configuration)
        #expect(failure == .noProgress(missing: 1))
        let lists = board.toMonitors.filter { if case .missing = $0 { true } else { false } }
        #expect(lists == Array(repeating: .missing(transaction: 1, messages: 1, sequences: [3]), count: 3))
        // Of the waits only those after a list count.
        #expect(bench.elapsed >= .seconds(1) && bench.elapsed < .milliseconds(1600))
        #expect(board.toMonitors.last == .clear(transaction: 1))
    }

    @Test func aDeafMonitorIsSilence() {
        let board = Board()
        board.faults.isMonitorDeaf = true
        let (failure, bench) = self.read(1000, from: board)
        #expect(failure == .silent(tries: 15))
        #expect(bench.elapsed == .milliseconds(7500))
        // It may be the start that was lost, or all that it brought.
        let starts = board.toMonitors.count { if case .start = $0 { true } else { false } }
        let lists = board.toMonitors.count { if case .missing = $0 { true } else { false } }
        #expect(starts == 8 && lists == 7)
    }

    @Test func aWrongTransactionIsSilence() {
        let board = Board()
        board.setLastTransaction(6, ofMonitorOn: self.chip)
        #expect(self.read(1000, from: board, transaction: 9).failure == .silent(tries: 15))
        #expect(self.read(1000, from: board, transaction: 7).failure == nil)
    }

    @Test func theLimitHolds() {
        let board = Board()
        board.faults.lossOut = 0.9
        var configuration = FastDataConfiguration()
        configuration.limit = .milliseconds(900)
        #expect(self.read(132_000, from: board, configuration: configuration).failure == .late)
    }

    // MARK: - Packets, one by one

    private func packet(_ sequence: UInt32, last: Bool = false, transaction: UInt32 = 9, count: Int = 264) -> ByteBuffer {
        var buffer = ByteBuffer()
        FastDataOutPacket(
            sequence: sequence, isLast: last, transaction: transaction,
            data: ByteBuffer(repeating: UInt8(truncatingIfNeeded: sequence) &+ 1, count: count)
        ).write(into: &buffer)
        return buffer
    }

    @Test func whatIsNotOursIsNotTaken() {
        var now = FastDataBench<FastReadMachine>.start
        var machine = FastReadMachine(600, address: 0, from: CoreID(1, 1, 2), transaction: 9, now: now)
        guard case .send(let start) = machine.next(now: now), let message = try? SDPMessage(datagram: start) else {
            Issue.record("no start")
            return
        }
        #expect(message.header.destination == SDPAddress(port: 5, cpu: 2) && message.header.destinationChip == ChipID(1, 1))
        machine.receive(self.packet(0, transaction: 8), now: now)
        machine.receive(self.packet(1, count: 260), now: now)
        machine.receive(self.packet(4), now: now)
        machine.receive(self.packet(0x7FFF_FFFF), now: now)
        machine.receive(ByteBuffer(bytes: [0, 0, 0]), now: now)
        machine.receive(self.packet(3, count: 0), now: now)
        #expect(machine.data == ByteBuffer(repeating: 0, count: 600))

        // The last one has 72 bytes; that a datagram is longer does no harm.
        machine.receive(self.packet(2), now: now)
        machine.receive(self.packet(0), now: now)
        machine.receive(self.packet(0), now: now)
        now = now + .milliseconds(1)
        guard case .wait = machine.next(now: now) else {
            Issue.record("one is missing")
            return
        }
        machine.receive(self.packet(1), now: now)
        guard case .send = machine.next(now: now) else {
            Issue.record("no clear")
            return
        }
        #expect(machine.next(now: now) == .done)
        let expected = [UInt8](repeating: 1, count: 264) + [UInt8](repeating: 2, count: 264) + [UInt8](repeating: 3, count: 72)
        #expect(Array(machine.data.readableBytesView) == expected)
    }
}

/// The tag by which answers come back.
@Suite struct FastDataTagMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func reply(_ result: SCPResult, sequence: UInt16) -> ByteBuffer {
        var buffer = ByteBuffer()
        let header = SDPHeader(flags: .replyNotExpected, destination: .ethernet, destinationChip: .origin)
        SCPReply(header: header, result: result, sequence: sequence).writeDatagram(into: &buffer)
        return buffer
    }

    @Test func theTagIsTheSendersOwn() throws {
        var machine = FastDataTagMachine(tag: 3, of: ChipID(8, 4), sequence: 77)
        guard case .send(let datagram) = machine.next(now: self.start) else {
            Issue.record("nothing is sent")
            return
        }
        let packet = try SCPPacket(datagram: datagram)
        let tag = try SetIPTag(arguments: packet.arguments, data: packet.data).tagCommand
        #expect(packet.command == .ipTag && packet.header.destinationChip == ChipID(8, 4) && packet.sequence == 77)
        #expect(tag.tag == 3 && tag.flags == [.strip, .useSender] && tag.operation == .set)
        machine.receive(self.reply(.ok, sequence: 76), now: self.start)
        machine.receive(self.reply(.p2pBusy, sequence: 77), now: self.start)
        #expect(machine.next(now: self.start) == .wait(until: self.start + .milliseconds(500)))
        machine.receive(self.reply(.ok, sequence: 77), now: self.start)
        #expect(machine.next(now: self.start) == .done)
    }

    @Test func refusalAndSilence() {
        var machine = FastDataTagMachine(tag: 3, of: .origin, sequence: 1)
        _ = machine.next(now: self.start)
        machine.receive(self.reply(.badArgument, sequence: 1), now: self.start)
        #expect(machine.next(now: self.start) == .failed(.refused(.badArgument)))

        var silent = FastDataBench(FastDataBoard<Int>(ethernet: ChipID(9, 9))) { _ in
            FastDataTagMachine(tag: 3, of: .origin, sequence: 1)
        }
        #expect(silent.run() == .silent(tries: 15))
        #expect(silent.departures.count == 15)
    }
}
