//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A multicast routing entry: a packet whose key, masked, is this key takes this route.
public struct MulticastEntry: Hashable, Sendable {
    public var key: UInt32
    public var mask: UInt32
    public var route: RouteWord
    public init(key: UInt32, mask: UInt32, route: RouteWord) {
        self.key = key
        self.mask = mask
        self.route = route
    }
    /// Whether the key has no bit outside the mask. One that has never matches.
    public var isMatchable: Bool { self.key & self.mask == self.key }
    public func matches(_ key: UInt32) -> Bool { key & self.mask == self.key }
}

/// A table as it is written into a chip's memory (``MemoryMap/systemSDRAM``) for ``LoadRouter``.
///
/// | Offset of an entry | Type | Field |
/// |---|---|---|
/// | 0 | u16 | index, from the first entry of the allocated run |
/// | 2 | u16 | 0 |
/// | 4 | u32 | route |
/// | 8 | u32 | key |
/// | 12 | u32 | mask |
///
/// Sixteen 0xFF bytes end it; SC&MP goes by the count in the request.
public struct RouterTableImage: Hashable, Sendable {
    public static let entrySize = 16
    /// Entries that applications can have: entry 0 is SC&MP's.
    public static let maximumEntries = 1023

    public var entries: [MulticastEntry]
    public init(entries: [MulticastEntry]) { self.entries = entries }

    /// Bytes with the end.
    public var size: Int { (self.entries.count + 1) * RouterTableImage.entrySize }

    /// Entries up to the end mark; their indices must count up from 0.
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        self.entries = []
        while true {
            let head: UInt32 = try buffer.take(of: "router table")
            let route: UInt32 = try buffer.take(of: "router table")
            let key: UInt32 = try buffer.take(of: "router table")
            let mask: UInt32 = try buffer.take(of: "router table")
            if head & route & key & mask == .max { return }
            guard head == UInt32(truncatingIfNeeded: self.entries.count), head < 0xFFFF else {
                throw .invalid(message: "router table", field: "index", value: UInt64(head))
            }
            self.entries.append(MulticastEntry(key: key, mask: mask, route: RouteWord(rawValue: route)))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        for (index, entry) in self.entries.enumerated() {
            buffer.put(UInt32(UInt16(truncatingIfNeeded: index)))
            buffer.put(entry.route.rawValue)
            buffer.put(entry.key)
            buffer.put(entry.mask)
        }
        buffer.writeRepeatingByte(0xFF, count: RouterTableImage.entrySize)
    }
}

/// One entry of SC&MP's copy of the multicast table (address in ``SV/routerCopy``), with virtual cores.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u16 | next free run |
/// | 2 | u16 | bit 15 allocated; 12...8 core; 7...0 application |
/// | 4 | u32 | route in the low 24 bits; 0xFF000000 and above: not in use |
/// | 8 | u32 | key |
/// | 12 | u32 | mask |
public struct RouterCopyEntry: Hashable, Sendable {
    public static let size = 16
    /// Entries a host reads; the copy itself has one more.
    public static let count = 1024
    public static let isAllocated: UInt16 = 0x8000
    /// An entry that never matches: what clearing leaves.
    public static let cleared = RouterCopyEntry(next: 0, free: 0, route: RouteWord(rawValue: 0xFF00_0000), key: .max, mask: 0)

    public var next: UInt16
    public var free: UInt16
    /// The whole word: see ``isInUse``.
    public var route: RouteWord
    public var key: UInt32
    public var mask: UInt32

    public init(next: UInt16, free: UInt16, route: RouteWord, key: UInt32, mask: UInt32) {
        self.next = next
        self.free = free
        self.route = route
        self.key = key
        self.mask = mask
    }

    public var isInUse: Bool { self.route.rawValue < 0xFF00_0000 }
    public var application: UInt8 { UInt8(truncatingIfNeeded: self.free) }
    public var core: UInt8 { UInt8(self.free >> 8 & 0x1F) }
    /// nil: not in use. The route has its 24 bits only.
    public var entry: MulticastEntry? {
        guard self.isInUse else { return nil }
        return MulticastEntry(key: self.key, mask: self.mask, route: RouteWord(rawValue: self.route.rawValue & RouteWord.mask))
    }

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(RouterCopyEntry.size, of: "router copy")
        self.next = try buffer.take(of: "router copy")
        self.free = try buffer.take(of: "router copy")
        self.route = RouteWord(rawValue: try buffer.take(of: "router copy"))
        self.key = try buffer.take(of: "router copy")
        self.mask = try buffer.take(of: "router copy")
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.next)
        buffer.put(self.free)
        buffer.put(self.route.rawValue)
        buffer.put(self.key)
        buffer.put(self.mask)
    }
}
