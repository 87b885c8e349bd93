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
    @usableFromInline var written: EIEIODataHeader
    /// The most elements that it takes: at most 255.
    public let limit: Int

    /// - Parameters:
    ///   - header: its count is not used.
    ///   - limit: nil for what the toolchain puts behind such a header (``EIEIODataHeader/maximumElements``).
    @inlinable
    public init(_ header: EIEIODataHeader, limit: Int? = nil) {
        var none = ByteBuffer()
        self.init(header, takingOver: &none, limit: limit)
    }

    /// Behind what is in a buffer, an SDP header for example, and in its room: nothing is allocated where that is enough.
    ///
    /// - Parameter buffer: empty afterwards. ``finish()`` gives it back. (Were it kept, the first write would have to copy it.)
    @inlinable
    public init(_ header: EIEIODataHeader, takingOver buffer: inout ByteBuffer, limit: Int? = nil) {
        self.limit = min(max(limit ?? header.maximumElements, 0), 255)
        self.buffer = ByteBuffer()
        swap(&self.buffer, &buffer)
        self.buffer.reserveCapacity(minimumWritableBytes: header.size + self.limit * header.type.elementSize)
        self.start = self.buffer.writerIndex
        self.written = header
        self.written.count = 0
        self.written.write(into: &self.buffer)
    }

    /// With the count of what has been appended so far.
    public var header: EIEIODataHeader { self.written }

    @inlinable
    public var count: Int { Int(self.written.count) }
    @inlinable
    public var isEmpty: Bool { self.written.count == 0 }
    @inlinable
    public var isFull: Bool { self.count >= self.limit }

    /// - Returns: false, and nothing is written, when the message is full.
    /// - Throws: ``WireError/invalid(message:field:value:)`` when the type has payloads, or the key is too wide for it.
    @inlinable
    public mutating func append(key: UInt32) throws(WireError) -> Bool {
        guard !self.written.type.hasPayload else {
            throw .invalid(message: "EIEIO data", field: "type of a key alone", value: UInt64(self.written.type.rawValue))
        }
        try self.check(key, "key")
        guard !self.isFull else { return false }
        self.put(key)
        self.written.count += 1
        return true
    }

    /// - Returns: false, and nothing is written, when the message is full.
    /// - Throws: ``WireError/invalid(message:field:value:)`` when the type has no payloads, or one of the two is too wide
    ///   for it.
    @inlinable
    public mutating func append(key: UInt32, payload: UInt32) throws(WireError) -> Bool {
        guard self.written.type.hasPayload else {
            throw .invalid(
                message: "EIEIO data", field: "type of a key with payload", value: UInt64(self.written.type.rawValue))
        }
        try self.check(key, "key")
        try self.check(payload, "payload")
        guard !self.isFull else { return false }
        if self.written.type.is32Bit {
            self.buffer.put(UInt64(key) | UInt64(payload) << 32)
        } else {
            self.buffer.put(key | payload << 16)
        }
        self.written.count += 1
        return true
    }

    /// All that is in the buffer: what came before the message, and the message with its count. The writer is done with
    /// then: what is appended later goes into a copy.
    @inlinable
    public mutating func finish() -> ByteBuffer {
        self.buffer.setInteger(self.written.count, at: self.start)
        return self.buffer
    }

    @inlinable
    func check(_ word: UInt32, _ field: String) throws(WireError) {
        guard word <= self.written.type.maximumWord else {
            throw .invalid(message: "EIEIO data", field: field, value: UInt64(word))
        }
    }

    @inlinable
    mutating func put(_ word: UInt32) {
        if self.written.type.is32Bit {
            self.buffer.put(word)
        } else {
            self.buffer.put(UInt16(truncatingIfNeeded: word))
        }
    }
}
