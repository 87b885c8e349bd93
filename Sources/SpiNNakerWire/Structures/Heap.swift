//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The root of a heap: 16 bytes at the address that ``SV/sdramHeap``, ``SV/systemRAMHeap`` or ``SV/systemHeap`` holds.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | address of the first free block |
/// | 4 | u32 | address of the first block |
/// | 8 | u32 | address of the last block, which ends the chain |
/// | 12 | u32 | free bytes |
public struct HeapRoot: Hashable, Sendable {
    public static let size = 16

    public var firstFree: UInt32
    public var first: UInt32
    public var last: UInt32
    public var freeBytes: UInt32

    public init(firstFree: UInt32, first: UInt32, last: UInt32, freeBytes: UInt32) {
        self.firstFree = firstFree
        self.first = first
        self.last = last
        self.freeBytes = freeBytes
    }
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(HeapRoot.size, of: "heap root")
        self.firstFree = try buffer.take(of: "heap root")
        self.first = try buffer.take(of: "heap root")
        self.last = try buffer.take(of: "heap root")
        self.freeBytes = try buffer.take(of: "heap root")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.firstFree)
        buffer.put(self.first)
        buffer.put(self.last)
        buffer.put(self.freeBytes)
    }
}

/// The header of a block of a heap: 8 bytes before what was allocated.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | address of the next block; 0: this one ends the chain and holds nothing |
/// | 4 | u32 | `0xFFFF0000 | application << 8 | tag`, or of a free block the next free one |
public struct HeapBlock: Hashable, Sendable {
    public static let size = 8

    public var next: UInt32
    public var word: UInt32

    public init(next: UInt32, word: UInt32) {
        self.next = next
        self.word = word
    }
    public init(next: UInt32, application: UInt8, tag: UInt8) {
        self.init(next: next, word: 0xFFFF_0000 | UInt32(application) << 8 | UInt32(tag))
    }

    public var isFree: Bool { self.word >> 16 != 0xFFFF }
    public var isLast: Bool { self.next == 0 }
    /// nil: the block is free.
    public var application: UInt8? { self.isFree ? nil : UInt8(truncatingIfNeeded: self.word >> 8) }
    public var tag: UInt8? { self.isFree ? nil : UInt8(truncatingIfNeeded: self.word) }
    /// nil: the block is taken.
    public var nextFree: UInt32? { self.isFree ? self.word : nil }
    /// Bytes behind the header; 0 for a chain that runs backwards, which only garbage does.
    public func payloadSize(at address: UInt32) -> UInt32 {
        self.next >= address && self.next - address >= 8 ? self.next - address - 8 : 0
    }

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(HeapBlock.size, of: "heap block")
        self.next = try buffer.take(of: "heap block")
        self.word = try buffer.take(of: "heap block")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.next)
        buffer.put(self.word)
    }
}
