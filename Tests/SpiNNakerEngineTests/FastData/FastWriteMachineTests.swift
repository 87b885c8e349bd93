//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// Writing through a gatherer that behaves as the real one, over a network that does not behave.
@Suite struct FastWriteMachineTests {
    private typealias Board = FastDataBoard<Int>
    private let address: UInt32 = 0x6010_0000

    private func write(
        _ bytes: [UInt8], to board: Board, chip: ChipID = ChipID(2, 1), transaction: UInt32 = 1,
        configuration: FastDataConfiguration = .init()
    ) -> (failure: FastDataFailure?, bench: FastDataBench<FastWriteMachine>) {
        var bench = FastDataBench(board) { now in
            FastWriteMachine(
                ByteBuffer(bytes: bytes), to: chip, address: self.address, through: board.gatherer, transaction: transaction,
                configuration: configuration, now: now)
        }
        let failure = bench.run()
        return (failure, bench)
    }

    /// One word; one packet less a word, exact, and more a word; many.
    @Test(arguments: [4, 256, 260, 264, 26_000])
    func everySizeArrives(_ size: Int) {
        let board = Board()
        let bytes = fastDataBytes(size)
        let (failure, bench) = self.write(bytes, to: board)
        #expect(failure == nil)
        #expect(board.read(ChipID(2, 1), at: self.address, count: size) == bytes)
        #expect(board.read(ChipID(2, 1), at: self.address + UInt32(size), count: 4) == [0, 0, 0, 0], "and no more")
        #expect(bench.machine.retransmissions == 0)
        let packets = (size + 259) / 260
        #expect(board.toGatherer.count == packets + 2)
        #expect(
            board.toGatherer.first
                == .location(transaction: 1, address: self.address, chip: ChipID(2, 1), lastSequence: UInt32(packets - 1)))
        #expect(board.toGatherer.last == .tellMissing(transaction: 1))
    }

    @Test func nothingNeedsNoGatherer() {
        let board = Board()
        #expect(self.write([], to: board).failure == nil && board.toGatherer.isEmpty)
    }

    /// A real board drops what comes faster than one datagram in 50 µs.
    @Test func datagramsKeepTheBoardsPace() {
        let (_, bench) = self.write(fastDataBytes(26_000), to: Board())
        let times = bench.departures.dropFirst()
        for (first, fifth) in zip(times, times.dropFirst(4)) where fifth != times.last {
            #expect(fifth - first >= .microseconds(200))
        }
        #expect(bench.elapsed < .milliseconds(7), "100 packets are 5 ms, and a question")
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func lossInBothDirections(_ seed: UInt64) {
        var faults = Board.Faults()
        (faults.lossIn, faults.lossOut, faults.duplication, faults.shuffles) = (0.2, 0.2, 0.2, true)
        let board = Board(faults: faults, seed: seed)
        let bytes = fastDataBytes(130_000)
        let (failure, bench) = self.write(bytes, to: board)
        #expect(failure == nil, "seed \(seed)")
        #expect(board.read(ChipID(2, 1), at: self.address, count: bytes.count) == bytes, "seed \(seed)")
        // 500 packets, a fifth of them lost, and of those a fifth; all of them, if the location was.
        #expect((100...1000).contains(bench.machine.retransmissions), "seed \(seed): \(bench.machine.retransmissions)")
    }

    /// The list of what is missing takes several datagrams, none of which is known to be the last.
    @Test func aLongListWithoutAnEnd() {
        var faults = Board.Faults()
        faults.lossIn = 0.6
        let board = Board(faults: faults, seed: 3)
        let bytes = fastDataBytes(104_000)
        let (failure, bench) = self.write(bytes, to: board)
        #expect(failure == nil)
        #expect(board.read(ChipID(2, 1), at: self.address, count: bytes.count) == bytes)
        #expect(bench.machine.retransmissions > 132, "more than two lists' worth at once")
    }

    @Test func aDeafGathererIsSilence() {
        var faults = Board.Faults()
        faults.isGathererDeaf = true
        let board = Board(faults: faults)
        var configuration = FastDataConfiguration()
        configuration.tries = 4
        let (failure, bench) = self.write(fastDataBytes(1000), to: board, configuration: configuration)
        #expect(failure == .silent(tries: 4))
        #expect(bench.elapsed >= .seconds(2) && bench.elapsed < .seconds(3))
        // Each time it may have been the location that was lost.
        #expect(board.toGatherer.count { if case .location = $0 { true } else { false } } == 4)
    }

    /// A number that the gatherer does not expect is not answered at all.
    @Test func aWrongTransactionIsSilence() {
        let board = Board(lastTransaction: 40)
        #expect(self.write(fastDataBytes(1000), to: board, transaction: 43).failure == .silent(tries: 15))
        #expect(self.write(fastDataBytes(1000), to: board, transaction: 41).failure == nil)
    }

    /// An answer that shrinks no more: the machine gives up although it is answered each time.
    @Test func whatNeverGetsThroughIsGivenUp() {
        var faults = Board.Faults()
        faults.cursed = [1]
        let (failure, bench) = self.write(fastDataBytes(1000), to: Board(faults: faults))
        #expect(failure == .noProgress(missing: 1))
        #expect(bench.machine.retransmissions == 16)
    }

    @Test func theLimitHoldsWhateverIsAnswered() {
        var configuration = FastDataConfiguration()
        configuration.limit = .milliseconds(3)
        let (failure, bench) = self.write(fastDataBytes(104_000), to: Board(), configuration: configuration)
        #expect(failure == .late)
        #expect(bench.elapsed == .milliseconds(3))
    }

    // MARK: - Answers, one by one

    private func machine(_ packets: Int) -> FastWriteMachine {
        FastWriteMachine(
            ByteBuffer(bytes: fastDataBytes(packets * 260)), to: .origin, address: self.address, through: CoreID(0, 0, 3),
            transaction: 9, now: FastDataBench<FastWriteMachine>.start)
    }

    /// Sends all it has; the sequences of the data among it.
    private func sends(_ machine: inout FastWriteMachine, _ now: inout NIODeadline) -> (data: [UInt32], asks: Int) {
        var (data, asks): ([UInt32], Int) = ([], 0)
        while true {
            switch machine.next(now: now) {
            case .send(let datagram):
                guard var message = try? SDPMessage(datagram: datagram),
                    let command = try? FastDataInCommand(from: &message.data)
                else {
                    Issue.record("no command")
                    return (data, asks)
                }
                #expect(message.header.destination == SDPAddress(port: 6, cpu: 3))
                #expect(!message.header.flags.contains(.replyWanted))
                if case .data(9, let sequence, _) = command { data.append(sequence) }
                if case .tellMissing(9) = command { asks += 1 }
            case .wait(let until):
                // The pace; an answer's time is longer.
                guard until - now < .milliseconds(400) else { return (data, asks) }
                now = until
            case .done, .failed: return (data, asks)
            }
        }
    }

    private func reply(_ reply: FastDataInReply) -> ByteBuffer {
        var buffer = ByteBuffer()
        reply.write(into: &buffer)
        return buffer
    }

    @Test func eachPartOfAListIsActedOnByItself() {
        var (machine, now) = (self.machine(10), FastDataBench<FastWriteMachine>.start)
        #expect(self.sends(&machine, &now) == (Array(0..<10), 1))
        machine.receive(self.reply(.missing(transaction: 9, sequences: [2, 3])), now: now)
        machine.receive(self.reply(.missing(transaction: 9, sequences: [3, 7, FastDataInReply.endOfList])), now: now)
        #expect(self.sends(&machine, &now) == ([2, 3, 7], 1), "each once, then the question")
        machine.receive(self.reply(.finished(transaction: 9)), now: now)
        #expect(machine.next(now: now) == .done)
    }

    @Test func everythingMissingSendsEverything() {
        var (machine, now) = (self.machine(5), FastDataBench<FastWriteMachine>.start)
        _ = self.sends(&machine, &now)
        machine.receive(self.reply(.missing(transaction: 9, sequences: [FastDataInReply.everything])), now: now)
        #expect(self.sends(&machine, &now) == (Array(0..<5), 1))
    }

    @Test func whatIsNotOursIsNotHeard() {
        var (machine, now) = (self.machine(5), FastDataBench<FastWriteMachine>.start)
        machine.receive(self.reply(.finished(transaction: 9)), now: now)
        #expect(machine.next(now: now) != .done, "before the first question no answer can be ours")
        _ = self.sends(&machine, &now)
        machine.receive(self.reply(.finished(transaction: 8)), now: now)
        machine.receive(self.reply(.missing(transaction: 10, sequences: [1])), now: now)
        machine.receive(self.reply(.missing(transaction: 9, sequences: [5, 0x7FFF_FFFF])), now: now)
        machine.receive(ByteBuffer(bytes: [0xD3, 7]), now: now)
        machine.receive(ByteBuffer(), now: now)
        #expect(self.sends(&machine, &now) == ([], 0))
    }

    /// Once it was heard it has the location: only the question is put again.
    @Test func aLostAnswerIsAskedForAgain() {
        var (machine, now) = (self.machine(3), FastDataBench<FastWriteMachine>.start)
        _ = self.sends(&machine, &now)
        machine.receive(self.reply(.missing(transaction: 9, sequences: [1])), now: now)
        #expect(self.sends(&machine, &now) == ([1], 1))
        now = now + .seconds(1)
        #expect(self.sends(&machine, &now) == ([], 1))
        machine.receive(self.reply(.finished(transaction: 9)), now: now)
        #expect(machine.next(now: now) == .done)
    }
}
