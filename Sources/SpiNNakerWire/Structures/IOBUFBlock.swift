//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// One block of the text that a core has printed. ``VCPU/iobuf`` is the address of the first.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | address of the next block, 0: last |
/// | 4 | u32 | time, Unix |
/// | 8 | u32 | milliseconds |
/// | 12 | u32 | bytes of text that are valid |
/// | 16 | ``SV/iobufSize`` bytes | text |
///
/// The number of bytes moves on at a newline, a NUL, or when the block is full: the start of a line can not be seen.
public struct IOBUFBlock: Hashable, Sendable {
    public static let headerSize = 16

    public var next: UInt32
    public var time: UInt32
    public var millisecond: UInt32
    /// What is valid of the text.
    public var text: ByteBuffer

    public init(next: UInt32, time: UInt32, millisecond: UInt32, text: ByteBuffer) {
        self.next = next
        self.time = time
        self.millisecond = millisecond
        self.text = text
    }

    /// The rest of the block, which is not valid, may be there or not: it is left in the buffer.
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        self.next = try buffer.take(of: "IOBUF block")
        self.time = try buffer.take(of: "IOBUF block")
        self.millisecond = try buffer.take(of: "IOBUF block")
        let length: UInt32 = try buffer.take(of: "IOBUF block")
        self.text = try buffer.takeSlice(Int(length), of: "IOBUF block")
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.next)
        buffer.put(self.time)
        buffer.put(self.millisecond)
        buffer.put(UInt32(truncatingIfNeeded: self.text.readableBytes))
        buffer.writeImmutableBuffer(self.text)
    }
}

/// What SC&MP knows of one application: an entry of the 256 at ``SV/applicationTable``.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u8 | cores |
/// | 1 | u8 | 1: its memory and routes were freed |
/// | 2 | u8 | semaphore |
/// | 3 | u8 | leading core |
/// | 4 | u32 | mask of cores |
public struct ApplicationTableEntry: Hashable, Sendable {
    public static let size = 8

    public var cores: UInt8
    public var clean: UInt8
    public var semaphore: UInt8
    public var lead: UInt8
    public var mask: UInt32

    public init(cores: UInt8 = 0, clean: UInt8 = 0, semaphore: UInt8 = 0, lead: UInt8 = 0, mask: UInt32 = 0) {
        self.cores = cores
        self.clean = clean
        self.semaphore = semaphore
        self.lead = lead
        self.mask = mask
    }
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(ApplicationTableEntry.size, of: "application table entry")
        self.cores = try buffer.take(of: "application table entry")
        self.clean = try buffer.take(of: "application table entry")
        self.semaphore = try buffer.take(of: "application table entry")
        self.lead = try buffer.take(of: "application table entry")
        self.mask = try buffer.take(of: "application table entry")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.cores)
        buffer.put(self.clean)
        buffer.put(self.semaphore)
        buffer.put(self.lead)
        buffer.put(self.mask)
    }
}
