//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpiNNakerTesting

/// What tests everywhere stand on: a machine with its answer in hand, and two ends with a network between them.
@Suite("Test harness", .timeLimit(.minutes(3)))
struct HarnessTests {
    // MARK: Two ends

    /// Notes what comes, echoes some of it, and does something at times of its own.
    private final class End: DatagramEndpoint {
        let start: NIODeadline
        private(set) var heard: [(at: Int64, text: String)] = []
        private(set) var woken: [Int64] = []
        var deadlines: [NIODeadline] = []
        var echoes = false

        init(start: NIODeadline) { self.start = start }

        var nextDeadline: NIODeadline? { self.deadlines.first }
        private func milliseconds(_ now: NIODeadline) -> Int64 { (now - self.start).nanoseconds / 1_000_000 }

        func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
            self.heard.append((self.milliseconds(now), String(buffer: datagram)))
            if self.echoes { send(datagram) }
        }

        func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) {
            self.woken.append(self.milliseconds(now))
            self.deadlines.removeFirst()
            send(ByteBuffer(string: "woken"))
        }
    }

    private let start = NIODeadline.uptimeNanoseconds(5_000_000_000)

    private func pair(_ faults: NetworkFaults, seed: UInt64 = 1) -> LossyPair<End, End> {
        LossyPair(left: End(start: self.start), right: End(start: self.start), seed: seed, faults: faults, start: self.start)
    }

    @Test func datagramsTakeTheirTimeBothWays() {
        let pair = self.pair(NetworkFaults(latency: .milliseconds(10)))
        pair.right.echoes = true
        pair.withLeft { _, _, send in send(ByteBuffer(string: "hello")) }
        #expect(pair.nextEvent == self.start + .milliseconds(10))
        pair.advance(by: .milliseconds(9))
        #expect(pair.right.heard.isEmpty && pair.now == self.start + .milliseconds(9))
        pair.advance(by: .milliseconds(1))
        #expect(pair.right.heard.map(\.at) == [10] && pair.left.heard.isEmpty)
        pair.advance(by: .milliseconds(100))
        #expect(pair.left.heard.map(\.at) == [20] && pair.left.heard.map(\.text) == ["hello"])
        #expect(pair.nextEvent == nil && !pair.step() && pair.now == self.start + .milliseconds(110))
    }

    @Test func deadlinesAreKeptAndThoseOfThePastAreNow() {
        let pair = self.pair(NetworkFaults(latency: .milliseconds(1)))
        pair.left.deadlines = [self.start - .seconds(1), self.start + .milliseconds(5)]
        pair.right.deadlines = [self.start + .milliseconds(5)]
        #expect(pair.nextEvent == self.start)
        while pair.step() {}
        #expect(pair.left.woken == [0, 5] && pair.right.woken == [5])
        #expect(pair.right.heard.map(\.at) == [1, 6] && pair.left.heard.map(\.at) == [6])
    }

    @Test func aRunEndsByItsConditionItsLimitOrForWantOfEvents() {
        let pair = self.pair(NetworkFaults(latency: .milliseconds(10)))
        pair.right.echoes = true
        pair.left.echoes = true
        pair.withLeft { _, _, send in send(ByteBuffer(string: "to and fro")) }
        #expect(pair.run(atMost: .seconds(1)) { pair.left.heard.count == 3 })
        #expect(pair.now == self.start + .milliseconds(60))
        #expect(!pair.run(atMost: .milliseconds(35)) { false })
        #expect(pair.now == self.start + .milliseconds(90), "at the last event within the limit")
        pair.left.echoes = false
        #expect(!pair.run(atMost: .seconds(60)) { false } && pair.nextEvent == nil)
    }

    /// The two ways are independent of each other, and the seed repeats both.
    @Test func lossesFollowFromTheSeed() {
        func run(_ seed: UInt64) -> ([String], [String]) {
            let pair = self.pair(NetworkFaults(drop: 0.5, latency: .milliseconds(1)), seed: seed)
            pair.left.deadlines = (0..<64).map { self.start + .milliseconds($0) }
            pair.right.deadlines = pair.left.deadlines
            while pair.step() {}
            return (pair.right.heard.map { "\($0.at)" }, pair.left.heard.map { "\($0.at)" })
        }
        let first = run(7)
        #expect(first == run(7) && first != run(8))
        #expect(first.0 != first.1, "what is lost one way is not lost the other")
        #expect((15...50).contains(first.0.count))
    }

    // MARK: One path

    /// Copies and delays against a list that is sorted by arrival, and by sending where two arrive together.
    @Test(arguments: [UInt64(1), 2, 3]) func aPathDeliversByArrival(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var path = DatagramPath(
            seed: seed,
            faults: NetworkFaults(drop: 0.1, duplicate: 0.3, reorder: 0.3, latency: .zero, reorderDelay: .milliseconds(3)))
        var now = self.start
        var sent: [UInt32: NIODeadline] = [:]
        var last: [NIODeadline: UInt32] = [:]
        var received = 0
        for number in UInt32(0)..<400 {
            now = now + .milliseconds(Int64.random(in: 0...1, using: &random))
            path.send(ByteBuffer(integer: number), at: now)
            sent[number] = now
            while let arrival = path.nextArrival, arrival <= now, let datagram = path.receive(at: now) {
                let number: UInt32 = datagram.getInteger(at: 0) ?? .max
                let delay = arrival - (sent[number] ?? now)
                #expect(delay == .zero || delay == .milliseconds(3))
                #expect(last[arrival, default: 0] <= number, "of one arrival the earlier sent comes first")
                last[arrival] = number
                received += 1
            }
        }
        #expect(path.receive(at: now - .seconds(1)) == nil)
        while path.receive(at: now + .seconds(1)) != nil { received += 1 }
        #expect(path.sent == 400 && path.delivered == received && received == 400 - path.dropped + path.duplicated)
    }

    // MARK: A machine in memory

    @Test func timePassesUpToTheReplyAndNoFurther() throws {
        let machine = try InMemoryMachine(.spinn5)
        let before = machine.now
        #expect(machine.reply(to: CountCores(application: 0, state: .idle), patience: .seconds(1)) != nil)
        #expect(machine.now == before + .milliseconds(10))
        #expect(machine.reply(to: CountCores(application: 0, state: .idle), patience: .milliseconds(9)) == nil)
        #expect(machine.now == before + .milliseconds(19))
        machine.advance(by: .milliseconds(1))
        #expect(machine.takeOutgoing().count == 1 && machine.takeOutgoing().isEmpty)
    }

    @Test func whatIsNotTheReplyIsKept() throws {
        let machine = try InMemoryMachine(.spinn5)
        _ = try machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: true))
        try machine.start(
            .spikeSource(tag: 1, intervalMicroseconds: 3000, perPacket: 1, packets: 0, firstKey: 0), cores: [1])
        #expect(machine.reply(to: CountCores(application: 0, state: .idle), patience: .seconds(1)) != nil)
        #expect(machine.takeOutgoing().map(\.destination.port) == [6001, 6001, 6001], "three spikes before it")
    }

    @Test func silenceAndRefusalAreErrors() throws {
        let machine = try InMemoryMachine(.spinn3)
        #expect(throws: MachineRefused(endpoint: .board(0), command: .version, result: .badCPU)) {
            try machine.ask(GetVersion(), core: CoreID(0, 0, 18))
        }
        machine.machine.setPower(false, board: 0, now: machine.now)
        #expect(throws: MachineSilent(endpoint: .board(0), command: .version)) { try machine.ask(GetVersion()) }
        #expect("\(MachineSilent(endpoint: .bmp(frame: 2), command: .led))" == "BMP of frame 2 does not answer command 25")
    }

    @Test(arguments: [(0, 1), (1, 1), (1024, 1), (1025, 2), (4096, 4)]) func bootImagesAreCutIntoBlocks(size: Int, blocks: Int)
        throws
    {
        let image = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ 1) }
        let messages = try InMemoryMachine.bootDatagrams(image: image).map { try BootMessage(datagram: $0) }
        #expect(messages.count == blocks + 2)
        #expect(messages[0].opcode == .floodFillStart && messages[0].operand3 == UInt32(blocks - 1))
        #expect(messages.last?.opcode == .floodFillControl && messages.last?.operand1 == 1)
        for (number, message) in messages[1...blocks].enumerated() { #expect(message.operand1 == 0xFF00 | UInt32(number)) }
        // Words are byte-swapped, the last one filled with zeroes.
        var swapped: [UInt8] = []
        for message in messages[1...blocks] {
            let data = Array(message.data.readableBytesView)
            #expect(data.count % 4 == 0)
            for word in stride(from: 0, to: data.count, by: 4) { swapped += data[word..<(word + 4)].reversed() }
        }
        #expect(Array(swapped.prefix(size)) == image && swapped.dropFirst(size).allSatisfy { $0 == 0 })
    }
}
