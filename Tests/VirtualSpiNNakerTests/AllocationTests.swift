//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Specification §8.1: ALLOC and RTR.
@Suite("SC&MP: heaps and routes", .timeLimit(.minutes(3)))
struct AllocationTests {
    private let machine: InMemoryMachine
    private static let heap: UInt32 = 0x6024_0000
    private static let fresh: UInt32 = 123_469_792

    init() throws { self.machine = try InMemoryMachine(.spinn5) }

    private func alloc(_ size: UInt32, tag: UInt32 = 0, id: UInt32 = 30, retry: Bool = false) -> UInt32? {
        let reply = self.machine.raw(.allocate, (retry ? 4 << 16 : 0) | id << 8, size, tag)
        return reply?.payload.getInteger(at: reply?.payload.readerIndex ?? 0, endianness: .little)
    }
    private func word(_ a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0) -> UInt32? {
        let reply = self.machine.raw(.allocate, a, b, c)
        return reply?.payload.getInteger(at: reply?.payload.readerIndex ?? 0, endianness: .little)
    }
    private var space: SDRAMSpace {
        get throws { try self.machine.ask(GetSDRAMSpace()) }
    }
    /// The heap as hosts see it: its free list is the free blocks in order, and no two of them touch.
    private func check(_ comment: Comment? = nil) throws {
        let blocks = try self.machine.heap(Self.heap)
        let free = blocks.filter { $0.word >> 16 != 0xFFFF }
        #expect(try self.space.largestBlock == free.map(\.size).max() ?? 0, comment)
        var next = try self.machine.readWord(Self.heap)
        for block in free {
            #expect(next == block.payload - 8, comment)
            next = block.word
        }
        #expect(next == 0, comment)
        for (a, b) in zip(blocks, blocks.dropFirst()) where a.word >> 16 != 0xFFFF {
            #expect(b.word >> 16 == 0xFFFF, "two free blocks lie side by side")
        }
    }

    @Test func tagsAndRetries() throws {
        #expect(self.alloc(100, tag: 5) == 0x6024_0018)
        #expect(self.alloc(100, tag: 5) == 0)
        #expect(self.alloc(100, tag: 5, retry: true) == 0x6024_0018)
        #expect(self.alloc(104, tag: 5, retry: true) == 0, "another size")
        #expect(self.alloc(100, tag: 5, id: 31) != 0, "another application")
        let odd = try #require(self.alloc(101, tag: 6))
        #expect(odd != 0)
        #expect(self.alloc(101, tag: 6, retry: true) == 0)
        #expect(self.alloc(104, tag: 6, retry: true) == odd)
        #expect(self.alloc(4, tag: 256) == 0)
        #expect(self.alloc(0) == 0)
        #expect(self.alloc(0x8000_0000) == 0)
        #expect(self.alloc(0xFFFF_FFFF) == 0)
        #expect(try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 5)).word == 0x6024_0018)
        #expect(try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 7)).word == 0)
        try self.check()
    }

    @Test func totals() throws {
        #expect(try self.space == SDRAMSpace(free: Self.fresh, largestBlock: Self.fresh))
        _ = self.alloc(100)
        _ = self.alloc(101)
        #expect(try self.space.free == Self.fresh - 108 - 112)
        #expect(try self.machine.ask(GetChipInfo()).largestFreeSDRAM == Self.fresh - 220)
        try self.check()
    }

    /// First fit, coalescing: the same as a model that only knows intervals.
    @Test(arguments: [UInt64(1), 2, 3]) func aRandomSequenceKeepsTheHeapWhole(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var held: [UInt32] = []
        // The firmware's own arithmetic: a request counts as asked for, what is given back as it was handed out.
        var free = Self.fresh
        for step in 0..<120 {
            if held.isEmpty || random.chance(0.6) {
                let size = UInt32.random(in: 1...5000, using: &random)
                let address = try #require(self.alloc(size))
                #expect(address != 0 && !held.contains(address))
                held.append(address)
                free -= (size + 3) / 4 * 4 + 8
            } else {
                let address = held.remove(at: Int.random(in: 0..<held.count, using: &random))
                free += try self.machine.readWord(address - 8) - (address - 8)
                _ = try self.machine.ask(FreeSDRAM(address: address))
            }
            #expect(try self.space.free == free)
            if step % 20 == 19 { try self.check("step \(step)") }
        }
        let taken = try self.machine.heap(Self.heap).filter { $0.word >> 16 == 0xFFFF }
        #expect(taken.map(\.payload) == held.sorted())
        #expect(self.word(30 << 8 | 2) == UInt32(held.count))
        #expect(try self.space.largestBlock == Self.fresh)
        #expect(try self.machine.heap(Self.heap).count == 1)
        try self.check("all free")
    }

    @Test func freeingWhatIsNoBlockIsHarmless() throws {
        let block = try #require(self.alloc(64))
        for address in [0, 4, block + 4, 0x6780_0000, 0xFFFF_FFFF, 0x6024_0008] { _ = self.machine.raw(.allocate, 1, address) }
        _ = try self.machine.ask(FreeSDRAM(address: block))
        _ = try self.machine.ask(FreeSDRAM(address: block))
        #expect(try self.space.free == Self.fresh)
        try self.check()
    }

    @Test func aHeapThatAHostHasScribbledOverEndsAndDoesNotLoop() throws {
        let block = try #require(self.alloc(64))
        try self.machine.writeWord(block - 8, to: block - 8)
        try self.machine.writeWord(Self.heap, to: Self.heap)
        _ = self.alloc(100)
        _ = self.word(30 << 8 | 2)
        _ = self.machine.raw(.info)
        #expect(self.machine.raw(.version)?.result == .ok)
    }

    @Test func sdramRunsOut() throws {
        let chip = BoardChip(local: .origin)
        try self.machine.machine.inject(.noSDRAM(chip, true), now: self.machine.now)
        #expect(self.alloc(4) == 0)
        try self.machine.machine.inject(.noSDRAM(chip, false), now: self.machine.now)
        #expect(self.alloc(4) != 0)
    }

    // MARK: Router

    private func entry(_ index: UInt32) throws -> [UInt32] {
        let copy = try self.machine.readWord(0xF500_7FD4)
        return try (0..<4).map { try self.machine.readWord(copy + 16 * index + 4 * $0) }
    }

    @Test func routerBlocks() throws {
        #expect(self.word(30 << 8 | 3, 10) == 1)
        #expect(self.word(31 << 8 | 3, 5) == 11)
        #expect(self.word(30 << 8 | 3, 1008) == 16)
        #expect(self.word(30 << 8 | 3, 1) == 0)
        #expect(self.word(30 << 8 | 3, 0) == 0)
        #expect(self.word(30 << 8 | 3, 1014) == 0)
        #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 0)
        _ = try self.machine.ask(FreeRouterEntries(first: 11, clear: true))
        #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 5)
        #expect(self.word(30 << 8 | 5, 1) == 2, "blocks, not entries")
        #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 1023)
        #expect(self.word(30 << 8 | 3, 1023) == 1)
    }

    @Test func aTableIsLoadedAndCleared() throws {
        #expect(self.word(30 << 8 | 3, 2) == 1)
        // Entry 0: links 0 and 5, core 3. Entry 1: monitor.
        var table: [UInt8] = []
        for (index, route, key, mask) in [(0, 1 << 9 | 0x21, 0x1000, 0xFFFF_F000), (1, 1 << 6, 0x2000, 0xFFFF_F000)]
            as [(UInt16, UInt32, UInt32, UInt32)]
        {
            table += [UInt8(index), 0, 0, 0]
            for word in [route, key, mask] {
                for shift in [0, 8, 16, 24] { table.append(UInt8(truncatingIfNeeded: word >> shift)) }
            }
        }
        try self.machine.write(table, to: 0x6780_0000)
        #expect(self.machine.raw(.router, 2 << 16 | 30 << 8 | 2, 0x6780_0000, 1)?.result == .ok)
        let first = try self.entry(1)
        #expect(first[0] >> 16 == 0x8000 | 30 && Array(first[1...]) == [1 << 9 | 0x21, 0x1000, 0xFFFF_F000])
        // Hardware has physical cores: virtual 3 is physical 3, the monitor physical 1.
        #expect(try self.machine.readWord(0xE100_4004) == 1 << 9 | 0x21)
        #expect(try self.machine.readWord(0xE100_4008) == 1 << 7)

        #expect(self.machine.raw(.router, 1 << 16 | 1, 1)?.result == .ok)
        #expect(try Array(self.entry(1)[1...]) == [0xFF00_0000, 0xFFFF_FFFF, 0])
        #expect(try self.machine.readWord(0xE100_4004) == 0xFF00_0000)
        #expect(try self.entry(2)[1] == 1 << 6)
        _ = self.machine.raw(.router, 0)
        #expect(try self.entry(2)[1] == 0xFF00_0000)
        #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 1023)
    }

    @Test func whatDoesNotFitTheTableIsNotLoaded() throws {
        // Indices 1022 (in the table), then 1024 (not), relative to 1000.
        var table: [UInt8] = []
        for index in [22, 24] as [UInt32] {
            for word in [index, 1, 2, 3] {
                for shift in [0, 8, 16, 24] { table.append(UInt8(truncatingIfNeeded: word >> shift)) }
            }
        }
        try self.machine.write(table, to: 0x6780_0000)
        let reply = try #require(self.machine.raw(.router, 2 << 16 | 30 << 8 | 2, 0x6780_0000, 1000))
        #expect(reply.result == .ok && reply.payload.readableBytes == 0)
        #expect(try self.entry(1022)[1] == 1)
        #expect(self.machine.raw(.router, 1025 << 16 | 2, 0x6780_0000, 0)?.payload.readableBytes == 0)
        #expect(self.machine.raw(.router, 10 << 16 | 1, 1020)?.payload.readableBytes == 0)
        #expect(self.machine.raw(.router, 4)?.payload.readableBytes == 0)
    }

    @Test func theFixedRoute() throws {
        #expect(try self.machine.ask(GetFixedRoute()).route.rawValue == 0)
        _ = self.machine.raw(.router, 3, 1 << 6 | 1 << 9 | 5)
        #expect(try self.machine.ask(GetFixedRoute()).route.rawValue == 1 << 6 | 1 << 9 | 5)
        #expect(try self.machine.readWord(0xF500_7FF4) == 1 << 6 | 1 << 9 | 5)
        #expect(try self.machine.readWord(0xE100_0084) == 1 << 7 | 1 << 9 | 5, "physical in hardware")
    }

    @Test func diagnosticCountersAreCleared() throws {
        try self.machine.writeWord(55, to: 0xF100_0304)
        try self.machine.writeWord(66, to: 0xF100_0308)
        try self.machine.writeWord(0x0002_FFFF, to: 0xF100_002C)
        #expect(try self.machine.readWord(0xE100_0304) == 0)
        #expect(try self.machine.readWord(0xE100_0308) == 66)
        #expect(try self.machine.readWord(0xE100_0230) == 0)
        try self.machine.writeWord(0x1234, to: 0xE100_0230)
        #expect(try self.machine.readWord(0xF100_0230) == 0x1234)
    }
}
