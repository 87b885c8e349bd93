//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Specification §2.11: what one chip makes of the packets of a fill.
@Suite("Flood fill", .timeLimit(.minutes(3)))
struct FloodFillTests {
    /// A fill as its packets, with an id in the place that keys have for it.
    private struct Fill {
        var id: UInt32 = 5
        var blocks: [[UInt32]] = [[1, 2, 3], [4], [5, 6]]
        var announced: UInt32?

        var start: FloodPacket {
            FloodPacket(
                opcode: .fillStart, key: 6 << 24 | self.id << 17 | (self.announced ?? UInt32(self.blocks.count)) << 8, data: 0)
        }
        func select(_ cores: UInt32 = 0b10, region: UInt32 = 1) -> FloodPacket {
            FloodPacket(opcode: .coreSelect, key: 7 << 24 | cores, data: region)
        }
        func address(_ block: Int) -> UInt32 { 0x6780_0000 + 0x100 * UInt32(block) }
        func packets(ofBlock block: Int, error: UInt32 = 0) -> [FloodPacket] {
            let words = self.blocks[block]
            let key = UInt32(block) << 16 | self.id << 1
            let sum = words.reduce(self.address(block), &+) &+ error
            return [
                FloodPacket(opcode: .blockStart, key: key | UInt32(words.count - 1) << 8, data: self.address(block))
            ]
                + words.enumerated().map {
                    FloodPacket(opcode: .blockData, key: key | UInt32($0.offset) << 8, data: $0.element)
                } + [FloodPacket(opcode: .blockEnd, key: key, data: 0 &- sum)]
        }
        var end: FloodPacket { FloodPacket(opcode: .fillEnd, key: 15 << 24 | self.id << 1, data: 30 << 24 | 0b100) }
        var all: [FloodPacket] {
            [self.start, self.select()] + self.blocks.indices.flatMap { self.packets(ofBlock: $0) } + [self.end]
        }
    }

    /// What is stored, by address, and the word to start with.
    private func run(_ packets: [FloodPacket]) -> (stored: [UInt32: [UInt32]], start: UInt32?) {
        var state = FloodFill()
        var stored: [UInt32: [UInt32]] = [:]
        var start: UInt32?
        for packet in packets { start = state.receive(packet) { stored[$0] = $1 } ?? start }
        return (stored, start)
    }

    private static let word: UInt32 = 30 << 24 | 0b110

    @Test func aCompleteFillStoresAllAndStarts() {
        let fill = Fill()
        let (stored, start) = self.run(fill.all)
        #expect(stored == [0x6780_0000: [1, 2, 3], 0x6780_0100: [4], 0x6780_0200: [5, 6]])
        #expect(start == Self.word, "the end packet's cores, and the selected ones")
    }

    /// Each packet comes again from every neighbour: repeats change nothing.
    @Test func everyPacketMayComeSeveralTimes() {
        let (stored, start) = self.run(Fill().all.dropLast().flatMap { [$0, $0, $0] }.dropFirst(2) + [Fill().end])
        #expect(stored.count == 3 && start == Self.word)
    }

    /// Any one packet lost, and nothing is started; what was stored is whole.
    @Test func aLossStartsNothing() {
        let fill = Fill()
        for lost in fill.all.indices.dropLast() {
            var packets = fill.all
            packets.remove(at: lost)
            let (stored, start) = self.run(packets)
            #expect(start == nil, "packet \(lost)")
            for (address, words) in stored { #expect(words == fill.blocks[Int(address - 0x6780_0000) / 0x100]) }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func lossesAndRepeatsAtRandom(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let fill = Fill(
                blocks: (0..<Int.random(in: 1...6, using: &random)).map { block in
                    (0..<Int.random(in: 1...20, using: &random)).map { UInt32(block * 100 + $0) }
                })
            var packets: [FloodPacket] = []
            var isComplete = true
            for packet in fill.all {
                if random.chance(0.02) { isComplete = false } else { packets.append(packet) }
                // A copy of a packet that came before, but not of one that would begin or end a fill.
                if random.chance(0.3),
                    let copy = packets.filter({ ![.fillStart, .fillEnd].contains($0.opcode) }).randomElement(using: &random),
                    copy.opcode != .blockEnd
                {
                    packets.append(copy)
                }
            }
            let (stored, start) = self.run(packets)
            #expect((start == Self.word) == isComplete)
            for (address, words) in stored { #expect(words == fill.blocks[Int(address - 0x6780_0000) / 0x100]) }
        }
    }

    @Test func packetsOfAnotherFillAreNotTaken() {
        let fill = Fill()
        var other = Fill(id: 6, blocks: [[90, 91], [93], [94, 95]])
        other.announced = 3
        // Its blocks and its end between ours.
        let ours = fill.packets(ofBlock: 0)
        let theirs = other.packets(ofBlock: 0)
        var mixed = [fill.start, fill.select()] + theirs + ours[..<3]
        mixed += theirs[3...] + ours[3...]
        mixed += fill.packets(ofBlock: 1) + fill.packets(ofBlock: 2) + [other.end]
        let (stored, start) = self.run(mixed + [fill.end])
        #expect(stored.values.flatMap { $0 }.sorted() == [1, 2, 3, 4, 5, 6] && start == Self.word)
        #expect(self.run(mixed).start == nil)
    }

    @Test func aNewStartForgetsTheOldFill() {
        let broken = Fill()
        let begun = [broken.start, broken.select(0b1_0000)] + broken.packets(ofBlock: 0, error: 1)
        #expect(self.run(begun + broken.all).start == Self.word, "neither its error nor its selection stays")
    }

    @Test func anErrorSticks() {
        var fill = Fill()
        fill.announced = 3
        let packets =
            [fill.start, fill.select()] + fill.packets(ofBlock: 0, error: 1) + fill.packets(ofBlock: 1)
            + fill.packets(ofBlock: 2)
        #expect(self.run(packets + [fill.end]).start == nil)
        fill.announced = 2
        #expect(
            self.run([fill.start] + packets.dropFirst() + [fill.end]).start == nil, "though two blocks are what was announced")
        for announced in [0, 2, 4] as [UInt32] {
            fill.announced = announced
            #expect(self.run(fill.all).start == nil, "\(announced) blocks announced, 3 came")
        }
    }

    @Test func selectionsMustIncrease() {
        let fill = Fill()
        func cores(_ selections: [(UInt32, UInt32)]) -> UInt32? {
            self.run(
                [fill.start] + selections.map { fill.select($0.0, region: $0.1) }
                    + fill.blocks.indices.flatMap { fill.packets(ofBlock: $0) } + [fill.end]
            ).start.map { $0 & 0x3FFFF }
        }
        #expect(cores([(0b10, 1), (0b1000, 2)]) == 0b1110)
        #expect(cores([(0b10, 2), (0b1000, 1)]) == 0b110, "a lower region is a copy on another way")
        #expect(cores([(0b10, 1), (0b1000, 1)]) == 0b1110, "more cores of one region")
        #expect(cores([]) == nil)
    }

    // MARK: Through the machine

    private func send(
        _ machine: InMemoryMachine, _ key: UInt32, _ data: UInt32, links: UInt32 = 0x3F, addsID: Bool = false,
        from core: CoreID = CoreID(0, 0, 0)
    ) {
        _ = machine.raw(.nearestNeighbourPacket, key, data, (addsID ? 1 << 31 : 0) | links << 8, to: core)
    }

    private func fill(
        _ machine: InMemoryMachine, links: UInt32 = 0x3F, dataLinks: UInt32 = 0x3F, from core: CoreID = CoreID(0, 0, 0)
    ) {
        let image = VirtualApplication.succeed(result: 5).image
        self.send(machine, 6 << 24 | 4 << 16 | 1 << 8, 0, links: links, from: core)
        self.send(machine, 7 << 24 | 0b10, 1, links: links, from: core)
        _ = machine.raw(
            .floodFillData, dataLinks << 24 | 5, UInt32(image.count / 4 - 1) << 8, 0x6780_0000, data: image, to: core)
        self.send(machine, 15 << 24 | 4, 60 << 24 | 0b100, links: links, from: core)
    }

    private func started(_ machine: InMemoryMachine) throws -> UInt32 {
        try machine.ask(CountCores(application: 60, state: .finished), patience: .milliseconds(10)).count
    }

    /// Bit 0 of a block's id is not part of it, and any chip may begin.
    @Test func aFillGoesOutByTheLinksOfItsPackets() throws {
        for (links, dataLinks, origin, expected) in [
            (UInt32(0x3F), UInt32(0x3F), CoreID(0, 0, 0), UInt32(96)), (0x3F, 0x3F, CoreID(7, 7, 0), 96),
            (1, 1, CoreID(0, 0, 0), 96),
            // West and south of the origin there is nobody.
            (0b10_1000, 0x3F, CoreID(0, 0, 0), 0), (0x3F, 0b10_1000, CoreID(0, 0, 0), 0), (0, 0, CoreID(0, 0, 0), 0),
        ] {
            let machine = try InMemoryMachine(.spinn5)
            self.fill(machine, links: links, dataLinks: dataLinks, from: origin)
            #expect(try self.started(machine) == expected, "\(links) \(dataLinks)")
        }
    }

    @Test func aDeadMonitorTakesNoPartAndHearsNothing() throws {
        let machine = try InMemoryMachine(.spinn3)
        for chip in [ChipID(1, 0), ChipID(0, 1), ChipID(1, 1)] {
            try machine.machine.inject(.monitorCrash(BoardChip(local: chip)), now: machine.now)
        }
        self.fill(machine)
        #expect(try machine.state(1) == .idle, "nobody sends the packets back")
    }

    @Test func aChipWithoutAMonitorStartsNothing() throws {
        let machine = try InMemoryMachine(.spinn3)
        try machine.machine.inject(.monitorCrash(BoardChip(local: ChipID(1, 0))), now: machine.now)
        self.fill(machine)
        #expect(try machine.state(1) == .finished && machine.state(1, on: ChipID(1, 1)) == .finished)
        let vcpu = try machine.ask(ReadLink(address: 0xE500_7080, size: 128, link: .east)).bytes
        #expect(Array(vcpu.readableBytesView)[46] == CoreState.idle.rawValue)
    }

    /// The id that SC&MP adds counts 1...127 and begins again, seven bits above bit 0; `sv` shows the last.
    @Test func idsAreGivenOutInTurn() throws {
        let machine = try InMemoryMachine(.spinn3)
        func last() throws -> UInt8 { try machine.read(0xF500_7F07, count: 1)[0] }
        #expect(try last() == 0)
        self.send(machine, 1 << 24, 0)
        #expect(try last() == 0, "none is asked for")
        for _ in 0..<127 { self.send(machine, 1 << 24, 0, addsID: true) }
        #expect(try last() == 127)
        self.send(machine, 1 << 24, 0, addsID: true)
        #expect(try last() == 1)
    }

    /// Opcode 0 with operation 5 is a signal; others are SC&MP's own.
    @Test(arguments: [(UInt32(5), CoreState.running), (4, .ready), (6, .ready), (0, .ready)])
    func packetsThatAreSignals(operation: UInt32, state: CoreState) throws {
        let machine = try InMemoryMachine(.spinn3)
        try machine.start(image: [9, 9, 9, 9], cores: [1], wait: true)
        self.send(machine, 0, operation << 28 | 3 << 16 | 0xFF << 8 | 30)
        #expect(try machine.state(1) == state)
    }
}
