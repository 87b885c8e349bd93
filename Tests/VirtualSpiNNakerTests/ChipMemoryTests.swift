//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Specification §2.6, §3.1: what an address is, and what READ, WRITE, FILL and their like over a link make of it.
@Suite("SC&MP: addresses and registers", .timeLimit(.minutes(3)))
struct ChipMemoryTests {
    private let machine: InMemoryMachine

    init() throws { self.machine = try InMemoryMachine(.spinn5) }

    private func bytes(_ reply: SCPReply?) -> [UInt8]? { reply.map { Array($0.payload.readableBytesView) } }

    // MARK: Windows

    /// First address, size, and whether a link reaches it: §3.1.
    private static let windows: [(base: UInt32, size: Int, overLink: Bool)] = [
        (0x0000_0000, 0x8000, false), (0x0040_0000, 0x10000, false), (0x6000_0000, 0x800_0000, true),
        (0x7000_0000, 0x800_0000, true), (0xE000_0000, 0x1000, true), (0xF000_0000, 0x1000, true),
        (0xE100_0000, 0x20000, true), (0xF100_0000, 0x20000, true), (0xE200_0000, 0x1000, true), (0xF200_0000, 0x1000, true),
        (0xE300_0000, 0x1000, true), (0xF300_0000, 0x1000, true), (0xE400_0000, 0x10000, true), (0xF400_0000, 0x10000, true),
        (0xE500_0000, 0x8000, true), (0xF500_0000, 0x8000, true), (0xF600_0000, 0x8000, true), (0xFFFF_0000, 0x8000, false),
        (0x1000_0000, 0x1000, false), (0x2000_0000, 0x1000, false), (0x1100_0000, 0x1000, false),
        (0x1F00_0000, 0x1000, false), (0x3000_0000, 0x1000, false), (0x4000_0000, 0x1000, false),
    ]

    @Test func windowsBeginAndEndWhereTheyShould() {
        func isThere(_ address: UInt32, _ count: Int, own: Bool) -> Bool {
            MemoryWindow.decode(address, count: count, isOwnCore: own) != nil
        }
        for (base, size, overLink) in Self.windows {
            let name = Comment(rawValue: String(base, radix: 16))
            let end = base &+ UInt32(size)
            for own in [true, false] where own || overLink {
                #expect(isThere(base, 1, own: own) && isThere(end - 1, 1, own: own) && isThere(end - 256, 256, own: own), name)
                #expect(!isThere(end, 1, own: own) && !isThere(end - 1, 2, own: own), name)
                if base > 0 { #expect(!isThere(base - 1, 1, own: own) && !isThere(base - 1, 2, own: own), name) }
                // Nothing is moved, but where it begins has to be there.
                #expect(isThere(base, 0, own: own) && isThere(end - 1, 0, own: own) && !isThere(end, 0, own: own), name)
                #expect(isThere(base, size, own: own) && !isThere(base, size + 1, own: own), name)
            }
            if !overLink { #expect(!isThere(base, 1, own: false), name) }
        }
        // The highest address, and a run across the end of all addresses.
        #expect(MemoryWindow.decode(.max, count: 1, isOwnCore: true) == .silent)
        #expect(!isThere(.max, 2, own: true) && !isThere(0xFFFF_FFF0, 32, own: true))
    }

    @Test func memoryIsRoundedUpToWholePages() {
        #expect(SparseMemory(size: 1).size == 4096)
        #expect(SparseMemory(size: 4096).size == 4096)
        #expect(SparseMemory(size: 4097).size == 8192)
        let memory = SparseMemory(size: 64 << 10)
        memory.write32(100, 0x1111_1111)
        memory.fill(96, word: 0xAAAA_AAAA, count: 7)
        #expect(memory.read32(96) == 0xAAAA_AAAA && memory.read32(100) == 0x1111_1111, "a part of a word is not written")
    }

    /// A memory against an array: any offset, any length, any order.
    @Test(arguments: [UInt64(1), 2]) func aRandomSequenceIsAsOnAnArray(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let size = 16384
        let memory = SparseMemory(size: size)
        var model = [UInt8](repeating: 0, count: size)
        for _ in 0..<400 {
            let offset = Int.random(in: -size..<2 * size, using: &random)
            let count = Int.random(in: 0...600, using: &random)
            func at(_ index: Int) -> Int { (index % size + size) % size }
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let data = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                data.withUnsafeBytes { memory.write(offset, $0) }
                for (index, byte) in data.enumerated() { model[at(offset + index)] = byte }
            case 1:
                let word = random.chance(0.3) ? 0 : UInt32(truncatingIfNeeded: random.next())
                memory.fill(offset, word: word, count: count)
                let first = at(offset) & ~3
                for index in 0..<(count & ~3) {
                    model[at(first + index)] = UInt8(truncatingIfNeeded: word >> UInt32(8 * (index & 3)))
                }
            case 2:
                let value = UInt16(truncatingIfNeeded: random.next())
                memory.write16(offset, value)
                model[at(offset) & ~1] = UInt8(truncatingIfNeeded: value)
                model[at(offset) | 1] = UInt8(truncatingIfNeeded: value >> 8)
            default:
                var read = ByteBuffer()
                memory.read(offset, count: count, into: &read)
                #expect(Array(read.readableBytesView) == (0..<count).map { model[at(offset + $0)] })
                #expect(memory.read8(offset) == model[at(offset)])
                #expect(memory.read16(offset) == UInt16(model[at(offset) & ~1]) | UInt16(model[at(offset) | 1]) << 8)
            }
        }
    }

    // MARK: READ and WRITE

    /// Unit, length, and the bytes that come: whole units from memory, then what the firmware's buffer held, the request.
    @Test(arguments: [(UInt32(0), UInt32(5), 5), (1, 5, 4), (1, 6, 6), (2, 6, 4), (2, 3, 0), (2, 8, 8), (1, 1, 0)])
    func wholeUnitsAreMoved(unit: UInt32, length: UInt32, moved: Int) throws {
        try self.machine.write(Array(repeating: 0xEE, count: 16), to: 0x6000_0000)
        let request = [0, 0, 0, 0x60, UInt8(length), 0, 0, 0, UInt8(unit), 0, 0, 0]
        let read = try #require(self.bytes(self.machine.raw(.read, 0x6000_0000, length, unit)))
        #expect(read == Array(repeating: 0xEE, count: moved) + request[moved..<Int(length)].map { UInt8($0) })
        _ = self.machine.raw(.write, 0x6000_0000, length, unit, data: Array(repeating: 0x55, count: 16))
        #expect(
            try self.machine.read(0x6000_0000, count: 16)
                == Array(repeating: 0x55, count: moved) + Array(repeating: 0xEE, count: 16 - moved))
    }

    @Test func aWriteThatBringsLessThanItSays() throws {
        try self.machine.write(Array(repeating: 0xEE, count: 32), to: 0x6000_0000)
        try self.machine.write(Array(repeating: 0xEE, count: 32), to: 0x6000_0000, core: CoreID(1, 0, 0))
        for (command, last) in [(SCPCommand.write, UInt32(0)), (.linkWrite, 0)] {
            #expect(self.machine.raw(command, 0x6000_0000, 8, last, data: [1, 2, 3])?.result == .ok)
        }
        for core in [CoreID(0, 0, 0), CoreID(1, 0, 0)] {
            #expect(try self.machine.read(0x6000_0000, count: 9, core: core) == [1, 2, 3, 0, 0, 0, 0, 0, 0xEE])
        }
    }

    /// Lengths and units at their limits: a command that is refused changes nothing.
    @Test(arguments: [(SCPCommand.write, UInt32(257), UInt32(0)), (.write, 4, 3), (.linkWrite, 257, 0), (.linkWrite, 4, 6)])
    func refusedWritesWriteNothing(command: SCPCommand, length: UInt32, last: UInt32) throws {
        let events = Recorder()
        self.machine.machine.observer = { events.append($0) }
        let reply = self.machine.raw(command, 0x6000_0000, length, last, data: Array(repeating: 1, count: 256))
        #expect(reply?.result == .ok && reply?.payload.readableBytes == 0)
        #expect(events.all == [.refused(board: 0, chip: .origin, result: .badArgument)])
        for chip in [ChipID.origin, ChipID(1, 0)] {
            #expect(try self.machine.readWord(0x6000_0000, core: .monitor(of: chip)) == 0)
        }
    }

    @Test func overALinkAddressesAreWords() throws {
        try self.machine.write([1, 2, 3, 4, 5, 6, 7, 8], to: 0x6000_0000, core: CoreID(1, 0, 0))
        #expect(self.bytes(self.machine.raw(.linkRead, 0x6000_0003, 4, 0)) == [1, 2, 3, 4], "rounded down")
        #expect(
            self.bytes(self.machine.raw(.linkRead, 0x6000_0000, 6, 0)) == [1, 2, 3, 4, 6, 0], "then the request's own bytes")
        _ = self.machine.raw(.linkWrite, 0x6000_0006, 7, 0, data: Array(repeating: 9, count: 8))
        #expect(try self.machine.read(0x6000_0000, count: 9, core: CoreID(1, 0, 0)) == [1, 2, 3, 4, 9, 9, 9, 9, 0])
    }

    /// The hardware behind a link answers whatever runs there, but SDRAM is set up by SC&MP.
    @Test func aNeighbourInItsBootROM() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        machine.boot()
        machine.machine.setPower(true, board: 2, now: machine.now)
        // (5, 7) N is (5, 8), of board 2.
        let here = CoreID(5, 7, 0)
        let link = UInt32(Link.north.rawValue)
        #expect(self.bytes(machine.raw(.linkRead, 0x6000_0000, 8, link, to: here)) == Array(repeating: 0, count: 8))
        #expect(machine.raw(.linkWrite, 0x6000_0000, 4, link, data: [1, 2, 3, 4], to: here)?.result == .ok)
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        machine.machine.setPower(false, board: 2, now: machine.now)
        for command in [SCPCommand.linkRead, .linkWrite] {
            #expect(machine.raw(command, 0x6000_0000, 4, link, data: [1, 2, 3, 4], to: here)?.payload.readableBytes == 0)
        }
        #expect(events.all.suffix(2).allSatisfy { $0 == .refused(board: 0, chip: ChipID(5, 7), result: .timeout) })
    }

    /// On silicon: half words and words have to be aligned, and bytes need not.
    @Test(arguments: [
        (SCPCommand.read, UInt32(0x6000_0001), UInt32(4), UInt32(0), false), (.read, 0x6000_0001, 4, 1, true),
        (.read, 0x6000_0002, 4, 1, false), (.read, 0x6000_0002, 4, 2, true), (.write, 0x6000_0002, 4, 2, true),
        (.write, 0x6000_0003, 4, 1, true), (.fill, 0x6000_0002, 7, 4, true), (.fill, 0x6000_0004, 7, 4, false),
        (.fill, 0x6000_0002, 7, 3, false), (.write, 0x5000_0000, 4, 2, true), (.fill, 0x5000_0000, 7, 4, true),
        (.read, 0x67FF_FFFF, 2, 0, true),
    ])
    func badAddressesStopTheCoreThatUsesThem(command: SCPCommand, address: UInt32, b: UInt32, c: UInt32, isFatal: Bool) throws {
        var description = VirtualMachineDescription(.spinn3, bootTimeScale: 0, isPoweredAtStart: true)
        description.addressFaults = .strict
        let strict = try InMemoryMachine(description)
        strict.boot()
        for core in [UInt8(3), 0] {
            let reply = strict.raw(command, address, b, c, data: [1, 2, 3, 4], to: CoreID(1, 1, core))
            #expect((reply == nil) == isFatal)
            if core == 3 { #expect(try (strict.state(3, on: ChipID(1, 1)) == .runTimeException) == isFatal) }
        }
        #expect(strict.raw(.version, to: CoreID(1, 1, 0))?.result == (isFatal ? .p2pNoReply : .ok))
    }

    // MARK: FILL everywhere

    @Test(arguments: [UInt32(0x6000_0000), 0xE500_0200, 0xE100_4010, 0xE200_0100, 0x0000_0100, 0x0040_0100])
    func aFillReachesAllMemories(address: UInt32) throws {
        for core in [UInt8(0), 4] {
            let target = CoreID(2, 1, core)
            _ = try self.machine.ask(FillMemory(address: address, word: 0xA1B2_C3D4 &+ UInt32(core), size: 8), core: target)
            #expect(try self.machine.readWord(address + 4, core: target) == 0xA1B2_C3D4 &+ UInt32(core))
            #expect(
                try self.machine.readWord(address + 8, core: target)
                    == self.machine.readWord(address + 8, core: CoreID(2, 2, core)))
        }
    }

    // MARK: Registers

    private func counters() throws -> [UInt32] { try (0..<16).map { try self.machine.readWord(0xE100_0300 + 4 * $0) } }

    /// The upper half of 0x2C clears counters; however it is written, but not by a part of a word.
    @Test func countersAreClearedByTheirBits() throws {
        func set() throws {
            for index in 0..<16 { try self.machine.writeWord(UInt32(index) + 1, to: 0xF100_0300 + 4 * UInt32(index)) }
        }
        try set()
        try self.machine.writeWord(0x8001_0FF0, to: 0xF100_002C)
        #expect(try self.counters() == [0] + (2...15).map { UInt32($0) } + [0])
        #expect(try self.machine.readWord(0xF100_002C) == 0xFFFF_0FF0, "the enables are kept")
        try set()
        try self.machine.write(Array(repeating: 0xFF, count: 16), to: 0xF100_0024)
        #expect(try self.counters() == Array(repeating: 0, count: 16), "in the middle of a longer write")
        try set()
        try self.machine.write(Array(repeating: 0xFF, count: 8), to: 0xF100_0028)
        #expect(try self.counters() == Array(repeating: 0, count: 16), "at its end")
        try set()
        _ = try self.machine.ask(FillMemory(address: 0xF100_002C, word: 0xFFFF_FFFF, size: 4))
        #expect(try self.counters() == Array(repeating: 0, count: 16), "by a FILL")
        try set()
        try self.machine.write([0xFF, 0xFF], to: 0xF100_002E)
        try self.machine.write([0xFF, 0xFF, 0xFF, 0xFF], to: 0xF100_0030)
        #expect(try self.counters() == (1...16).map { UInt32($0) })
    }

    @Test func theSystemController() throws {
        let fewer = try InMemoryMachine(
            .spinn5, faults: HardwareFaults(deadCores: [BoardChip(local: ChipID(2, 0)): [0, 1, 16, 17]]))
        let core = CoreID(2, 0, 0)
        #expect(try fewer.readWord(0xE200_0000, core: core) == 0x5911_1012)
        #expect(try fewer.readWord(0xE200_0010, core: core) == 0xFFFC, "working cores")
        #expect(try fewer.readWord(0xF200_0034, core: core) == 15, "the monitor")
        try fewer.writeWord(0x5EC0_0001, to: 0xE200_0038, core: core)
        #expect(try fewer.readWord(0xF200_0038, core: core) == 0x5EC0_0001)
        #expect(try fewer.readWord(0xE200_0038) == 0, "each chip has its own")
        #expect(try fewer.readWord(0xE100_0000, core: core) == 0x0040_0F01, "and the router knows the monitor")
    }

    /// A read of `sv` brings its clocks up to date, wherever in it it begins or ends.
    @Test func clocksAreFreshInEveryRead() throws {
        self.machine.advance(by: .milliseconds(3_000_123_456))
        let milliseconds = UInt64(3_000_123_456)
        // All of it, then only the field.
        let whole = try self.machine.read(0xF500_7F00, count: 256)
        #expect(whole[0x10..<0x18].reversed().reduce(0) { $0 << 8 | UInt64($1) } == milliseconds)
        self.machine.advance(by: .milliseconds(11))
        #expect(try self.machine.readWord(0xF500_7F10) == UInt32(truncatingIfNeeded: milliseconds + 11))
        let ms = try self.machine.read(0xF500_7F18, count: 2)
        #expect(UInt64(ms[0]) | UInt64(ms[1]) << 8 == (milliseconds + 11) % 1000)
        // From below it to its first byte: nothing of the clocks is in there, and nothing traps.
        #expect(try self.machine.read(0xF500_7E00, count: 256).count == 256)
        #expect(try self.machine.read(0xE500_7F00, count: 1) == [0])
    }
}
