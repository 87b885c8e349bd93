//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Structures in memory against models that know nothing of pointers.
@Suite("Heaps and router tables against models", .timeLimit(.minutes(3)))
struct ModelTests {
    private let machine: InMemoryMachine

    init() throws { self.machine = try InMemoryMachine(.spinn3) }

    private func chip(_ address: ChipID = .origin) throws -> NativeChip {
        let system = try #require(self.machine.machine.software as? NativeSystem)
        return try #require(system.chip(0)?.machine.chip(at: address))
    }

    // MARK: Heap

    /// Blocks in order of address: (address, size, owner), free ones without an owner. First fit, split, join.
    private struct HeapModel {
        struct Block: Equatable {
            var at: UInt32
            var end: UInt32
            var owner: UInt16?
        }
        var blocks: [Block]

        init(root: UInt32, end: UInt32) { self.blocks = [Block(at: root + 16, end: end - 8, owner: nil)] }

        mutating func allocate(_ size: UInt32, owner: UInt16) -> UInt32 {
            let needed = (size + 3) / 4 * 4 + 8
            guard let index = self.blocks.firstIndex(where: { $0.owner == nil && $0.end - $0.at >= needed }) else { return 0 }
            let block = self.blocks[index]
            // A rest that is only a header goes with it.
            if block.end - block.at > needed + 8 {
                self.blocks.insert(Block(at: block.at + needed, end: block.end, owner: nil), at: index + 1)
                self.blocks[index].end = block.at + needed
            }
            self.blocks[index].owner = owner
            return block.at + 8
        }

        mutating func release(_ payload: UInt32) {
            guard let index = self.blocks.firstIndex(where: { $0.at == payload - 8 && $0.owner != nil }) else { return }
            self.blocks[index].owner = nil
            self.join()
        }

        mutating func release(application: UInt8) -> Int {
            var count = 0
            for index in self.blocks.indices where self.blocks[index].owner.map({ UInt8($0 >> 8) }) == application {
                self.blocks[index].owner = nil
                count += 1
            }
            self.join()
            return count
        }

        private mutating func join() {
            var joined: [Block] = []
            for block in self.blocks {
                if block.owner == nil, let last = joined.last, last.owner == nil {
                    joined[joined.count - 1].end = block.end
                } else {
                    joined.append(block)
                }
            }
            self.blocks = joined
        }
    }

    /// The heap in memory as the model has it; its free list is what the walk finds free.
    private func blocks(root: UInt32, in memory: ChipMemory) -> [HeapModel.Block] {
        var blocks: [HeapModel.Block] = []
        var free: [UInt32] = []
        var at = memory.read32(root + 4)
        while memory.read32(at) != 0 {
            let word = memory.read32(at + 4)
            let isFree = word >> 16 != 0xFFFF
            if isFree { free.append(at) }
            blocks.append(HeapModel.Block(at: at, end: memory.read32(at), owner: isFree ? nil : UInt16(word & 0xFFFF)))
            at = memory.read32(at)
        }
        var listed: [UInt32] = []
        var next = memory.read32(root)
        while next != 0, listed.count <= blocks.count {
            listed.append(next)
            next = memory.read32(next + 4)
        }
        #expect(listed == free, "the free list")
        #expect(at == memory.read32(root + 8), "the walk ends at the sentinel")
        return blocks
    }

    /// The system RAM's heap is so small that it fills up.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5]) func aHeapIsAsAListOfIntervals(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let memory = try self.chip().memory
        let (root, end) = (UInt32(0xE500_2000), UInt32(0xE500_3000))
        // A heap of our own, formatted by hand.
        for (at, word) in [
            (root, root + 16), (root + 4, root + 16), (root + 8, end - 8), (root + 12, 0x1000 - 32),
            (root + 16, end - 8), (root + 20, 0), (end - 8, 0), (end - 4, 0),
        ] { memory.write32(at, word) }
        var model = HeapModel(root: root, end: end)
        for step in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let size = random.chance(0.1) ? 0x1000 : UInt32.random(in: 1...300, using: &random)
                let owner = UInt16.random(in: 0...3, using: &random) << 8 | UInt16(step & 0xFF)
                #expect(Heap.allocate(size, owner: owner, root: root, in: memory) == model.allocate(size, owner: owner))
            case 6..<9:
                let payload = (model.blocks.randomElement(using: &random)?.at ?? root) + 8 + (random.chance(0.1) ? 4 : 0)
                let owner = model.blocks.first { $0.at + 8 == payload }?.owner
                #expect(Heap.release(payload, root: root, in: memory) == owner)
                model.release(payload)
            default:
                let application = UInt8.random(in: 0...3, using: &random)
                let blocks = Heap.blocks(ofApplication: application, root: root, in: memory)
                for payload in blocks { Heap.release(payload, root: root, in: memory) }
                #expect(blocks.count == model.release(application: application))
            }
            #expect(self.blocks(root: root, in: memory) == model.blocks, "step \(step)")
            let largest = model.blocks.filter { $0.owner == nil }.map { $0.end - $0.at - 8 }.max() ?? 0
            #expect(Heap.largestFree(root: root, in: memory) == largest)
        }
    }

    /// The rest of a block that an allocation leaves: only a header, or a header and a word.
    @Test(arguments: [(UInt32(0), 1), (4, 1), (8, 1), (12, 2), (16, 2)]) func aRestOfOnlyAHeaderIsNotSplitOff(
        rest: UInt32, blocks: Int
    ) throws {
        let memory = try self.chip().memory
        let all = Heap.largestFree(root: 0xE500_1100, in: memory)
        let before = self.blocks(root: 0xE500_1100, in: memory).count
        #expect(Heap.allocate(all - rest, owner: 0x1E00, root: 0xE500_1100, in: memory) != 0)
        #expect(self.blocks(root: 0xE500_1100, in: memory).count == before - 1 + blocks)
    }

    @Test func sizesThatNoHeapHas() throws {
        let memory = try self.chip().memory
        for size in [0, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FEFF, 0xFFFF_FF00, 0xFFFF_FFFC, .max] as [UInt32] {
            #expect(Heap.allocate(size, owner: 0, root: 0xE500_1100, in: memory) == 0, "\(size)")
        }
        #expect(Heap.largestFree(root: 0xE500_1100, in: memory) == 22236)
    }

    @Test func onlyBlocksAreReleased() throws {
        let memory = try self.chip().memory
        let root: UInt32 = 0x6024_0000
        let block = Heap.allocate(64, owner: 0x1E07, root: root, in: memory)
        // One whose header leads backwards.
        let backwards = Heap.allocate(64, owner: 0x1E08, root: root, in: memory)
        try #require(backwards != 0)
        memory.write32(backwards - 8, root)
        #expect(Heap.release(backwards, root: root, in: memory) == nil)
        // What looks like an allocated block, but where none can be: inside, unaligned, and beyond the heap.
        let sentinel = memory.read32(root + 8)
        for payload in [block + 16, sentinel + 8, sentinel + 0x100, root + 8] {
            memory.write32(payload - 8, payload + 100)
            memory.write32(payload - 4, 0xFFFF_1E07)
        }
        for payload in [sentinel + 8, sentinel + 0x100, block + 1, block + 2, 0, 8, UInt32.max] {
            #expect(Heap.release(payload, root: root, in: memory) == nil, "\(String(payload, radix: 16))")
        }
    }

    // MARK: Router

    /// The owner of each entry: 0 none.
    private struct RouterModel {
        /// First entry, end, application.
        var blocks: [(first: Int, end: Int, application: UInt8)] = []

        private var gaps: [(Int, Int)] {
            var gaps: [(Int, Int)] = []
            var at = 1
            for block in self.blocks.sorted(by: { $0.first < $1.first }) {
                if block.first > at { gaps.append((at, block.first)) }
                at = block.end
            }
            if at < 1024 { gaps.append((at, 1024)) }
            return gaps
        }
        var largest: Int { self.gaps.map { $0.1 - $0.0 }.max() ?? 0 }

        mutating func allocate(_ count: Int, _ application: UInt8) -> UInt32 {
            guard count > 0, let gap = self.gaps.first(where: { $0.1 - $0.0 >= count }) else { return 0 }
            self.blocks.append((gap.0, gap.0 + count, application))
            return UInt32(gap.0)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func routerBlocksAreAsAListOfIntervals(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let chip = try self.chip()
        let (memory, copy) = (chip.memory, chip.layout.routerCopy)
        var model = RouterModel()
        for _ in 0..<300 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let count = UInt32.random(in: 0...(random.chance(0.1) ? 1100 : 200), using: &random)
                let application = UInt8.random(in: 1...3, using: &random)
                #expect(
                    RouterCopy.allocate(count, application: application, in: memory, copy: copy)
                        == model.allocate(Int(count), application))
            case 4..<7:
                guard let index = model.blocks.indices.randomElement(using: &random) else { break }
                let block = model.blocks.remove(at: index)
                for _ in 0..<(random.chance(0.2) ? 2 : 1) {
                    // A second time changes nothing.
                    RouterCopy.release(UInt32(block.first), isCleared: random.chance(0.5), in: memory, copy: copy)
                }
            default:
                let application = UInt8.random(in: 1...3, using: &random)
                let count = model.blocks.count { $0.application == application }
                #expect(RouterCopy.release(application: application, isCleared: true, in: memory, copy: copy) == UInt32(count))
                model.blocks.removeAll { $0.application == application }
            }
            #expect(RouterCopy.largestFree(in: memory, copy: copy) == UInt16(model.largest))
        }
        _ = (1...3).map { RouterCopy.release(application: $0, isCleared: true, in: memory, copy: copy) }
        #expect(RouterCopy.allocate(1023, application: 9, in: memory, copy: copy) == 1, "one block again")
    }

    /// Bits 12...8 of an owner are the core that has loaded the entry: they do not matter to whom it belongs.
    @Test func blocksBelongToTheApplicationWhateverCoreLoadedThem() throws {
        let copy = try self.machine.readWord(0xF500_7FD4)
        for owner in [0x801E, 0x831E, 0x9F1E, 0x801F, 0x001E] as [UInt32] {
            let first = try self.machine.ask(AllocateRouterEntries(count: 1, application: 9)).word
            let word = try self.machine.readWord(copy + 16 * first)
            try self.machine.writeWord(word & 0xFFFF | owner << 16, to: copy + 16 * first)
        }
        #expect(try self.machine.ask(FreeRouterEntriesOfApplication(application: 30, clear: false)).word == 3)
    }

    private func entry(_ index: UInt32) throws -> [UInt32] {
        let copy = try self.machine.readWord(0xF500_7FD4)
        return try (0..<4).map { try self.machine.readWord(copy + 16 * index + 4 * $0) }
    }
    /// u16 index, u16 count, then route, key, mask.
    private func stage(_ rows: [(UInt32, UInt32, UInt32, UInt32)], at address: UInt32 = 0x6780_0000) throws {
        for (number, row) in rows.enumerated() {
            for (offset, word) in [row.0, row.1, row.2, row.3].enumerated() {
                try self.machine.writeWord(word, to: address + UInt32(16 * number + 4 * offset))
            }
        }
    }

    @Test func theCountMayStandInTheTable() throws {
        try self.stage([(3 << 16 | 0, 1, 10, 100), (1, 2, 20, 200), (2, 3, 30, 300), (3, 4, 40, 400)])
        #expect(self.machine.raw(.router, 30 << 8 | 2, 0x6780_0000, 100)?.result == .ok)
        #expect(try (100...103).map { try self.entry($0)[2] } == [10, 20, 30, 0xFFFF_FFFF])
        // More than the router has is refused, whoever says so.
        try self.stage([(1025 << 16 | 0, 9, 90, 900)])
        #expect(self.machine.raw(.router, 30 << 8 | 2, 0x6780_0000, 100)?.result == .ok)
        #expect(try self.entry(100)[2] == 10)
        try self.stage((0..<2).map { (1024 << 16 | $0, 9, 90, 900) })
        #expect(self.machine.raw(.router, 1024 << 16 | 30 << 8 | 2, 0x6780_0000, 100)?.result == .ok)
        #expect(try self.entry(101)[2] == 90, "1,024 are not too many")
    }

    /// A route's top byte adds to the number of the application; what is loaded has 24 bits, virtual here and physical there.
    @Test func ownersAndRoutesOfLoadedEntries() throws {
        try self.stage([(0, 0x0500_0000 | 1 << 6 | 1 << 8 | 0x3F, 1, 2)])
        _ = self.machine.raw(.router, 1 << 16 | 20 << 8 | 2, 0x6780_0000, 1023)
        let entry = try self.entry(1023)
        #expect(entry[0] >> 16 == 0x8000 | 25 && entry[1] == 1 << 6 | 1 << 8 | 0x3F)
        // Virtual 0 is physical 1; virtual 2 is physical 2.
        #expect(try self.machine.readWord(0xE100_4FFC) == 1 << 7 | 1 << 8 | 0x3F)
        #expect(try self.machine.readWord(0xE100_8FFC) == 1 && self.machine.readWord(0xE100_CFFC) == 2)
        // SC&MP's own entry leads to the monitor.
        #expect(try self.machine.readWord(0xE100_4000) & 0x00FF_FFC0 == 1 << 7)
    }

    /// Clearing up to the last entry is all right, one more is not.
    @Test(arguments: [
        (UInt32(1023), UInt32(1), true), (1022, 2, true), (1023, 2, false), (1024, 0, true), (1024, 1, false),
        (0xFFFF_FFFF, 1, false), (0xFFFF_FFFF, 0xFFFF, false),
    ])
    func clearingAtTheEnd(first: UInt32, count: UInt32, isDone: Bool) throws {
        try self.stage([(0, 1, 5, 5)])
        _ = self.machine.raw(.router, 1 << 16 | 2, 0x6780_0000, 1023)
        let events = Recorder()
        self.machine.machine.observer = { events.append($0) }
        #expect(self.machine.raw(.router, count << 16 | 1, first)?.result == .ok)
        #expect(events.all.isEmpty == isDone)
        let isCleared = isDone && first < 1024
        #expect(try self.entry(1023)[2] == (isCleared ? 0xFFFF_FFFF : 5))
        #expect(try self.machine.readWord(0xE100_8FFC) == (isCleared ? 0xFFFF_FFFF : 5), "in hardware, too")
        #expect(try self.machine.readWord(0xE100_CFFC) == (isCleared ? 0 : 5))
    }

    /// Freed entries stay as they are unless they are to be cleared.
    @Test(arguments: [false, true]) func freeingClearsWhenAsked(isCleared: Bool) throws {
        let clear: UInt32 = isCleared ? 1 : 0
        for byApplication in [false, true] {
            #expect(try self.machine.ask(AllocateRouterEntries(count: 2, application: 30)).word == 1)
            try self.stage([(0, 1, 5, 5), (1, 1, 6, 6)])
            _ = self.machine.raw(.router, 2 << 16 | 30 << 8 | 2, 0x6780_0000, 1)
            if byApplication {
                _ = self.machine.raw(.allocate, 30 << 8 | 5, clear)
            } else {
                _ = self.machine.raw(.allocate, 4, 1, clear)
            }
            #expect(try self.entry(1)[2] == (isCleared ? 0xFFFF_FFFF : 5) && self.entry(2)[2] == (isCleared ? 0xFFFF_FFFF : 6))
            #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 1023)
        }
    }

    @Test func theFixedRouteKeepsTheRegistersTopByte() throws {
        try self.machine.writeWord(0xAB00_0000, to: 0xE100_0084)
        _ = self.machine.raw(.router, 3, 0x7F00_0000 | 1 << 6 | 1)
        #expect(try self.machine.readWord(0xE100_0084) == 0xAB00_0000 | 1 << 7 | 1)
        #expect(try self.machine.readWord(0xF500_7FF4) == 1 << 6 | 1, "24 bits")
    }

    // MARK: Applications

    /// What an application holds is given back by STOP only where something was allocated since the last.
    @Test func stopCleansAfterEitherAllocation() throws {
        for operation in [(UInt32(0), UInt32(100)), (3, 7)] {
            for _ in 0..<2 {
                _ = self.machine.raw(.allocate, 40 << 8 | operation.0, operation.1)
                self.machine.signal(.stop, id: 40)
                #expect(try self.machine.ask(GetSDRAMSpace()).free == 123_469_792)
                #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 1023)
            }
        }
        // A mask reaches all that fit it, from the application upwards, 255 included.
        for id in [0xF8, 0xFB, 0xFF, 0x78] as [UInt32] { _ = self.machine.raw(.allocate, id << 8, 100) }
        self.machine.signal(.stop, id: 0xF8, mask: 0xF8)
        #expect(try self.machine.heap(0x6024_0000).filter { $0.word >> 16 == 0xFFFF }.map { $0.word >> 8 & 0xFF } == [0x78])
    }

    @Test func stopClearsRoutesAndSystemRAM() throws {
        let chip = try self.chip()
        #expect(try self.machine.ask(AllocateRouterEntries(count: 1, application: 30)).word == 1)
        try self.stage([(0, 1, 5, 5)])
        _ = self.machine.raw(.router, 1 << 16 | 30 << 8 | 2, 0x6780_0000, 1)
        let before = Heap.largestFree(root: 0xE500_1100, in: chip.memory)
        #expect(Heap.allocate(100, owner: 30 << 8, root: 0xE500_1100, in: chip.memory) != 0)
        self.machine.signal(.stop)
        #expect(Heap.largestFree(root: 0xE500_1100, in: chip.memory) == before)
        #expect(try self.entry(1)[2] == 0xFFFF_FFFF)
        // SC&MP's own blocks are application 0's: a STOP for that leaves them.
        let system = self.blocks(root: 0x6784_0000, in: chip.memory)
        self.machine.signal(.stop, id: 0)
        #expect(self.blocks(root: 0x6784_0000, in: chip.memory) == system)
    }

    /// Cores, lead core, mask, through starts and a stop: §2.10.
    @Test func theApplicationTableThroughAnApplicationsLife() throws {
        let at = try self.machine.readWord(0xF500_7FE4) + 8 * 40
        func row() throws -> [UInt8] { try self.machine.read(at, count: 5) }
        try self.machine.start(image: [1, 2, 3, 4], id: 40, cores: [6, 7], wait: true)
        #expect(try row() == [2, 0, 0, 6, 0b1100_0000])
        try self.machine.start(image: [1, 2, 3, 4], id: 40, cores: [3], wait: true)
        #expect(try row() == [3, 0, 0, 6, 0b1100_1000], "the lead core stays, the mask grows")
        try self.machine.write([9], to: at + 2)
        self.machine.signal(.stop, id: 40)
        #expect(try row() == [0, 1, 9, 6, 0b1100_1000])
        try self.machine.start(image: [1, 2, 3, 4], id: 40, cores: [5], wait: true)
        #expect(try row() == [1, 0, 0, 5, 0b0010_0000], "begins anew, semaphore and mask too")
    }

    // MARK: Tags of memory

    @Test func aFreedTagIsFreeAndAnUntaggedBlockHasNone() throws {
        func tagged() throws -> UInt32 { try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 5)).word }
        let first = try self.machine.ask(AllocateSDRAM(size: 64, application: 30, tag: 5)).word
        let plain = try self.machine.ask(AllocateSDRAM(size: 64, application: 30, tag: 0)).word
        #expect(try tagged() == first)
        _ = try self.machine.ask(FreeSDRAM(address: plain))
        #expect(try tagged() == first)
        #expect(try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 0)).word == 0)
        _ = try self.machine.ask(FreeSDRAM(address: first))
        #expect(try tagged() == 0)
        #expect(try self.machine.ask(AllocateSDRAM(size: 8, application: 30, tag: 5)).word == first)
        let slots = try self.machine.readWord(0xF500_7FDC)
        #expect(try self.machine.readWord(slots + 4 * (30 << 8)) == 0, "tag 0 is no tag")
    }
}
