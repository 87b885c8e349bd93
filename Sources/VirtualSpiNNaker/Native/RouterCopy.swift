//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// SC&MP's copy of the multicast table, with the list of free blocks threaded through it.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u16 | index of the next free block (head of a free block) |
/// | 2 | u16 | length of the block while it is free; 0x8000 or owner once it is not |
/// | 4 | u32 | route, *virtual* cores |
/// | 8 | u32 | key |
/// | 12 | u32 | mask |
package enum RouterCopy {
    package struct Entry: Hashable, Sendable {
        package var next: UInt16
        package var free: UInt16
        package var route: UInt32
        package var key: UInt32
        package var mask: UInt32
    }

    /// A route of a cleared entry; no packet matches its key.
    package static let clearedRoute: UInt32 = 0xFF00_0000

    /// Entry 0 is SC&MP's own, for signals: it spreads them down the tree of the links that lead to a chip's children.
    static func initialEntry(_ index: Int, treeLinks: UInt8) -> Entry {
        switch index {
        case 0:
            Entry(next: 0, free: 0x8000, route: 1 << 6 | UInt32(treeLinks), key: 0xFFFF_5554, mask: 0xFFFF_FFFE)
        case 1: Entry(next: 1024, free: 0, route: RouterCopy.clearedRoute, key: 0xFFFF_FFFF, mask: 0)
        case SystemHeapLayout.routerEntries: Entry(next: 0, free: 0, route: RouterCopy.clearedRoute, key: 0, mask: 0)
        // The link test has used two entries for each link, and left its mark in them.
        case 2..<12: Entry(next: 0, free: 0x8000, route: RouterCopy.clearedRoute, key: 0xFFFF_FFFF, mask: 0)
        default: Entry(next: 0, free: 0, route: RouterCopy.clearedRoute, key: 0xFFFF_FFFF, mask: 0)
        }
    }

    // MARK: The list of free blocks

    /// First index of the block that SC&MP allocates from; one more than the last.
    static let first = 1
    static let last = SystemHeapLayout.routerEntries

    private static func next(_ memory: ChipMemory, _ copy: UInt32, _ entry: Int) -> Int {
        Int(memory.read32(copy + 16 * UInt32(entry)) & 0xFFFF)
    }
    private static func free(_ memory: ChipMemory, _ copy: UInt32, _ entry: Int) -> Int {
        Int(memory.read32(copy + 16 * UInt32(entry)) >> 16)
    }
    private static func set(_ memory: ChipMemory, _ copy: UInt32, _ entry: Int, next: Int, free: Int) {
        memory.write32(copy + 16 * UInt32(entry), UInt32(next & 0xFFFF) | UInt32(free & 0xFFFF) << 16)
    }
    private static func head(_ memory: ChipMemory) -> Int { Int(memory.systemRAM.read16(SVOffset.base + SVOffset.routerFree)) }
    private static func setHead(_ memory: ChipMemory, _ entry: Int) {
        memory.systemRAM.write16(SVOffset.base + SVOffset.routerFree, UInt16(truncatingIfNeeded: entry))
    }

    /// The free blocks in order. Hosts can scribble over the copy: a list that does not ascend ends there.
    private static func freeBlocks(in memory: ChipMemory, copy: UInt32) -> [(first: Int, end: Int)] {
        var blocks: [(Int, Int)] = []
        var block = RouterCopy.head(memory)
        var previous = 0
        while block > previous, block < RouterCopy.last {
            let end = RouterCopy.next(memory, copy, block)
            if end > block, end <= RouterCopy.last { blocks.append((block, end)) }
            previous = block
            block = RouterCopy.free(memory, copy, block)
        }
        return blocks
    }

    static func largestFree(in memory: ChipMemory, copy: UInt32) -> UInt16 {
        UInt16(clamping: RouterCopy.freeBlocks(in: memory, copy: copy).map { $0.end - $0.first }.max() ?? 0)
    }

    /// First fit.
    /// - Returns: the index of the first entry; 0 when no free block is large enough.
    static func allocate(_ count: UInt32, application: UInt8, in memory: ChipMemory, copy: UInt32) -> UInt32 {
        guard count > 0, count < UInt32(RouterCopy.last) else { return 0 }
        var previous = 0
        for (block, end) in RouterCopy.freeBlocks(in: memory, copy: copy) {
            let rest = block + Int(count)
            guard rest <= end else {
                previous = block
                continue
            }
            var following = RouterCopy.free(memory, copy, block)
            if rest < end {
                RouterCopy.set(memory, copy, rest, next: end, free: following)
                following = rest
            }
            if previous == 0 {
                RouterCopy.setHead(memory, following)
            } else {
                RouterCopy.set(memory, copy, previous, next: RouterCopy.next(memory, copy, previous), free: following)
            }
            RouterCopy.set(memory, copy, block, next: min(rest, end), free: 0x8000 | Int(application))
            return UInt32(block)
        }
        return 0
    }

    /// Gives a block back, and joins it to free neighbours.
    static func release(_ entry: UInt32, isCleared: Bool, in memory: ChipMemory, copy: UInt32) {
        guard let block = Int(exactly: entry), block >= RouterCopy.first, block < RouterCopy.last else { return }
        var end = RouterCopy.next(memory, copy, block)
        guard end > block, end <= RouterCopy.last else { return }
        if isCleared { RouterCopy.clear(block..<end, in: memory, copy: copy) }
        var previous: (first: Int, end: Int)?
        var following = 0
        for free in RouterCopy.freeBlocks(in: memory, copy: copy) {
            // Already free: a second release would tie the list in a knot.
            if free.first <= block, block < free.end { return }
            if free.first < block { previous = free } else if following == 0 { following = free.first }
        }
        if following != 0, end == following {
            end = RouterCopy.next(memory, copy, following)
            following = RouterCopy.free(memory, copy, following)
        }
        RouterCopy.set(memory, copy, block, next: end, free: following)
        guard let previous else { return RouterCopy.setHead(memory, block) }
        if previous.end == block {
            RouterCopy.set(memory, copy, previous.first, next: end, free: following)
        } else {
            RouterCopy.set(memory, copy, previous.first, next: previous.end, free: block)
        }
    }

    /// - Returns: how many blocks of the application have been given back.
    static func release(application: UInt8, isCleared: Bool, in memory: ChipMemory, copy: UInt32) -> UInt32 {
        var blocks: [UInt32] = []
        var block = RouterCopy.first
        while block < RouterCopy.last {
            // Bits 12...8 are the core that has loaded the entry.
            if RouterCopy.free(memory, copy, block) & 0xE0FF == 0x8000 | Int(application) { blocks.append(UInt32(block)) }
            let next = RouterCopy.next(memory, copy, block)
            guard next > block else { break }
            block = next
        }
        for block in blocks { RouterCopy.release(block, isCleared: isCleared, in: memory, copy: copy) }
        return UInt32(blocks.count)
    }

    // MARK: Entries

    /// Entries that no packet matches, in the copy and in the hardware.
    static func clear(_ entries: Range<Int>, in memory: ChipMemory, copy: UInt32) {
        for entry in entries {
            RouterCopy.store(entry, route: RouterCopy.clearedRoute, key: 0xFFFF_FFFF, mask: 0, in: memory, copy: copy)
            memory.router.write32(RouterPages.multicastRoutes + 4 * entry, RouterCopy.clearedRoute)
        }
    }

    /// As at start: one free block of all entries but SC&MP's own.
    static func reset(in memory: ChipMemory, copy: UInt32) {
        RouterCopy.clear(RouterCopy.first..<RouterCopy.last, in: memory, copy: copy)
        RouterCopy.set(memory, copy, RouterCopy.first, next: RouterCopy.last, free: 0)
        RouterCopy.set(memory, copy, RouterCopy.last, next: 0, free: 0)
        RouterCopy.setHead(memory, RouterCopy.first)
    }

    /// An entry of an application: the copy has virtual cores, the hardware physical ones.
    static func load(
        _ entry: Int, route: UInt32, key: UInt32, mask: UInt32, application: UInt8, cores: CoreMap, in memory: ChipMemory,
        copy: UInt32
    ) {
        let route = route & 0x00FF_FFFF
        RouterCopy.set(
            memory, copy, entry, next: RouterCopy.next(memory, copy, entry), free: 0x8000 | Int(application))
        RouterCopy.store(entry, route: route, key: key, mask: mask, in: memory, copy: copy)
        memory.router.write32(
            RouterPages.multicastRoutes + 4 * entry, RouterCopy.physicalRoute(route, cores: cores))
    }

    static func physicalRoute(_ route: UInt32, cores: CoreMap) -> UInt32 {
        route & 0x3F | cores.physicalMask(route >> 6) << 6
    }

    private static func store(
        _ entry: Int, route: UInt32, key: UInt32, mask: UInt32, in memory: ChipMemory, copy: UInt32
    ) {
        let at = copy + 16 * UInt32(entry)
        memory.write32(at + 4, route)
        memory.write32(at + 8, key)
        memory.write32(at + 12, mask)
        memory.router.write32(RouterPages.multicastKeys + 4 * entry, key)
        memory.router.write32(RouterPages.multicastMasks + 4 * entry, mask)
    }
}
