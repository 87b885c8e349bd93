//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Writes EIEIO data messages in place: the header first, each element behind it, the count at the end.
///
/// ```swift
/// var writer = EIEIODataWriter(EIEIODataHeader(.key32))
/// for key in keys where try !writer.append(key: key) { … }    // full: send it, and begin the next
/// let message = writer.finish()
/// ```
///
/// Keys and payloads are written as they are given: the part that a prefix or a base adds is the caller's to leave out.
public struct EIEIODataWriter: Sendable {
    @usableFromInline var buffer: ByteBuffer
    /// Where the header starts.
    @usableFromInline let start: Int
    public private(set) var header: EIEIODataHeader
    /// The most elements that it takes: at most 255.
    public let limit: Int

    /// - Parameters:
    ///   - header: its count is not used.
    ///   - buffer: what comes before the message, an SDP header for example. The message is written behind it.
    ///   - limit: nil for what the toolchain puts behind such a header (``EIEIODataHeader/maximumElements``).
    public init(_ header: EIEIODataHeader, behind buffer: ByteBuffer? = nil, limit: Int? = nil) {
        self.limit = min(max(limit ?? header.maximumElements, 0), 255)
        let room = header.size + self.limit * header.type.elementSize
        if var buffer {
            buffer.reserveCapacity(minimumWritableBytes: room)
            self.buffer = buffer
        } else {
            self.buffer = ByteBufferAllocator().buffer(capacity: room)
        }
        self.start = self.buffer.writerIndex
        self.header = header
        self.header.count = 0
        self.header.write(into: &self.buffer)
    }

    public var count: Int { Int(self.header.count) }
    public var isEmpty: Bool { self.header.count == 0 }
    public var isFull: Bool { self.count >= self.limit }

    /// - Returns: false, and nothing is written, when the message is full.
    /// - Throws: ``WireError/invalid(message:field:value:)`` when the type has payloads, or the key is too wide for it.
    public mutating func append(key: UInt32) throws(WireError) -> Bool {
        guard !self.header.type.hasPayload else {
            throw .invalid(message: "EIEIO data", field: "type of a key alone", value: UInt64(self.header.type.rawValue))
        }
        try self.check(key, "key")
        guard !self.isFull else { return false }
        self.put(key)
        self.header.count += 1
        return true
    }

    /// - Returns: false, and nothing is written, when the message is full.
    /// - Throws: ``WireError/invalid(message:field:value:)`` when the type has no payloads, or one of the two is too wide
    ///   for it.
    public mutating func append(key: UInt32, payload: UInt32) throws(WireError) -> Bool {
        guard self.header.type.hasPayload else {
            throw .invalid(
                message: "EIEIO data", field: "type of a key with payload", value: UInt64(self.header.type.rawValue))
        }
        try self.check(key, "key")
        try self.check(payload, "payload")
        guard !self.isFull else { return false }
        if self.header.type.is32Bit {
            self.buffer.put(UInt64(key) | UInt64(payload) << 32)
        } else {
            self.buffer.put(key | payload << 16)
        }
        self.header.count += 1
        return true
    }

    /// All that is in the buffer: what came before the message, and the message with its count. The writer is done with
    /// then: what is appended later goes into a copy.
    public mutating func finish() -> ByteBuffer {
        self.buffer.setInteger(self.header.count, at: self.start)
        return self.buffer
    }

    private func check(_ word: UInt32, _ field: String) throws(WireError) {
        guard word <= self.header.type.maximumWord else {
            throw .invalid(message: "EIEIO data", field: field, value: UInt64(word))
        }
    }

    private mutating func put(_ word: UInt32) {
        if self.header.type.is32Bit {
            self.buffer.put(word)
        } else {
            self.buffer.put(UInt16(truncatingIfNeeded: word))
        }
    }
}
