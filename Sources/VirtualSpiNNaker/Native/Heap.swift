//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A heap as SARK lays it out in memory, where hosts walk it.
///
/// | At the root | | Before each payload | |
/// |---|---|---|---|
/// | 0 | first free block | 0 | next block in order of address; 0: this is the sentinel |
/// | 4 | first block | 4 | next free block, or `0xFFFF0000 \| app << 8 \| tag` |
/// | 8 | last block, the sentinel | | |
/// | 12 | free bytes | | |
package enum Heap {
    static let rootSize: UInt32 = 16
    static let headerSize: UInt32 = 8

    /// The roots and headers of a new heap from `root` to `end` that begins with allocated `blocks`.
    ///
    /// - Parameter window: the address at which the memory that `writer` writes begins.
    static func format(_ writer: PageWriter, root: UInt32, end: UInt32, blocks: [UInt32], window: UInt32) {
        func put(_ address: UInt32, _ value: UInt32) { writer.put(Int(address &- window), value) }
        let sentinel = end - Heap.headerSize
        var at = root + Heap.rootSize
        var free = end - root - 2 * Heap.rootSize
        for size in blocks {
            put(at, at + Heap.headerSize + size)
            put(at + 4, 0xFFFF_0000)
            at += Heap.headerSize + size
            free -= Heap.headerSize + size
        }
        put(at, sentinel)
        put(at + 4, 0)
        put(sentinel, 0)
        put(sentinel + 4, 0)
        put(root, at)
        put(root + 4, root + Heap.rootSize)
        put(root + 8, sentinel)
        put(root + 12, free)
    }

    /// A block that is not free says so in its second word.
    private static let allocated: UInt32 = 0xFFFF_0000

    // Both lists ascend. Hosts can scribble over them: a walk ends where one does not.

    private static func freeBlocks(root: UInt32, in memory: ChipMemory) -> FreeBlocks {
        FreeBlocks(memory: memory, following: memory.read32(root), previous: root)
    }

    private struct FreeBlocks: Sequence, IteratorProtocol {
        let memory: ChipMemory
        var following: UInt32
        var previous: UInt32
        /// The block, and the one that follows it in memory.
        mutating func next() -> (block: UInt32, end: UInt32)? {
            let block = self.following
            guard block > self.previous else { return nil }
            self.previous = block
            self.following = self.memory.read32(block &+ 4)
            return (block, self.memory.read32(block))
        }
    }

    static func largestFree(root: UInt32, in memory: ChipMemory) -> UInt32 {
        var largest: UInt32 = 0
        for (block, end) in Heap.freeBlocks(root: root, in: memory) where end > block &+ Heap.headerSize {
            largest = Swift.max(largest, end - block - Heap.headerSize)
        }
        return largest
    }

    static func freeBytes(root: UInt32, in memory: ChipMemory) -> UInt32 { memory.read32(root + 12) }

    /// First fit.
    ///
    /// - Parameters:
    ///   - owner: `app << 8 | tag`, kept in the block's header.
    /// - Returns: the address of the payload; 0 when no free block is large enough.
    static func allocate(_ size: UInt32, owner: UInt16, root: UInt32, in memory: ChipMemory) -> UInt32 {
        guard size > 0, size < 0xFFFF_FF00 else { return 0 }
        let needed = ((size + 3) & ~3) + Heap.headerSize
        var previous: UInt32 = 0
        for (block, end) in Heap.freeBlocks(root: root, in: memory) {
            let (rest, overflow) = block.addingReportingOverflow(needed)
            if overflow { break }
            guard rest <= end else {
                previous = block
                continue
            }
            var following = memory.read32(block + 4)
            // A rest that could hold no payload goes with the block.
            if rest &+ Heap.headerSize < end {
                memory.write32(rest, end)
                memory.write32(rest + 4, following)
                memory.write32(block, rest)
                following = rest
            }
            memory.write32(previous == 0 ? root : previous + 4, following)
            memory.write32(root + 12, memory.read32(root + 12) &- needed)
            memory.write32(block + 4, Heap.allocated | UInt32(owner))
            return block + Heap.headerSize
        }
        return 0
    }

    /// The size of an allocated block's payload, as rounded.
    static func payloadSize(_ payload: UInt32, in memory: ChipMemory) -> UInt32 {
        let block = payload &- Heap.headerSize
        return memory.read32(block) &- block &- Heap.headerSize
    }

    /// Gives a block back, and joins it to free neighbours. What is no allocated block is left alone.
    /// - Returns: the `app << 8 | tag` that it had.
    @discardableResult
    static func release(_ payload: UInt32, root: UInt32, in memory: ChipMemory) -> UInt16? {
        let block = payload &- Heap.headerSize
        guard block >= root + Heap.rootSize, block < memory.read32(root + 8), block & 3 == 0 else { return nil }
        let header = memory.read32(block + 4)
        var end = memory.read32(block)
        guard header & 0xFFFF_0000 == Heap.allocated, end > block else { return nil }
        memory.write32(root + 12, memory.read32(root + 12) &+ (end - block))
        var previous: (block: UInt32, end: UInt32)?
        var following: UInt32 = 0
        for free in Heap.freeBlocks(root: root, in: memory) {
            guard free.block < block else {
                following = free.block
                break
            }
            previous = free
        }
        if following != 0, end == following {
            end = memory.read32(following)
            following = memory.read32(following + 4)
        }
        memory.write32(block, end)
        memory.write32(block + 4, following)
        if let previous {
            if previous.end == block {
                memory.write32(previous.block, end)
                memory.write32(previous.block + 4, following)
            } else {
                memory.write32(previous.block + 4, block)
            }
        } else {
            memory.write32(root, block)
        }
        return UInt16(truncatingIfNeeded: header)
    }

    /// The payloads of all blocks of an application.
    static func blocks(ofApplication application: UInt8, root: UInt32, in memory: ChipMemory) -> [UInt32] {
        var payloads: [UInt32] = []
        var block = memory.read32(root + 4)
        while true {
            let next = memory.read32(block)
            guard next > block else { return payloads }
            let header = memory.read32(block + 4)
            if header & 0xFFFF_0000 == Heap.allocated, UInt8(truncatingIfNeeded: header >> 8) == application {
                payloads.append(block + Heap.headerSize)
            }
            block = next
        }
    }
}
