//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// An EIEIO data message: a header, and elements that stay in the buffer they came in.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 2...8 | ``EIEIODataHeader`` |
/// | then | 2, 4 or 8 each | elements, as many as the header counts: key, and payload if the type has one, each of 2 or 4 bytes |
///
/// ```swift
/// let message = try EIEIODataMessage(datagram: bytes)
/// for event in try message.elements { … }
/// ```
///
/// Nothing is copied, and nothing is allocated for an element.
public struct EIEIODataMessage: Hashable, Sendable {
    public let header: EIEIODataHeader
    /// The bytes of the elements; fewer than the header announces when the message was cut short.
    public let body: ByteBuffer

    /// From a whole datagram. Bytes behind the last element are left out.
    @inlinable
    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        try self.init(from: &buffer)
    }

    /// Takes one message from the front of a buffer that may hold others behind it.
    @inlinable
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        self.header = try EIEIODataHeader(from: &buffer)
        // The length is never more than what is there, so that the slice is always made.
        let length = Swift.min(self.header.bodySize, buffer.readableBytes)
        self.body = try buffer.takeSlice(length, of: "EIEIO data")
    }

    @inlinable
    public func write(into buffer: inout ByteBuffer) {
        self.header.write(into: &buffer)
        buffer.writeImmutableBuffer(self.body)
    }

    @inlinable
    public var isComplete: Bool { self.body.readableBytes == self.header.bodySize }

    /// All elements.
    ///
    /// - Throws: ``WireError/truncated(message:needed:available:)`` when some are missing; ``presentElements`` has the others.
    @inlinable
    public var elements: Elements {
        get throws(WireError) {
            try self.body.require(self.header.bodySize, of: "EIEIO data")
            return self.presentElements
        }
    }

    /// The elements that are whole.
    @inlinable
    public var presentElements: Elements {
        Elements(header: self.header, body: self.body, count: self.body.readableBytes / self.header.type.elementSize)
    }

    /// A view of the elements, with the message's prefix and payload base put into them.
    public struct Elements: Sequence, Sendable {
        @usableFromInline let header: EIEIODataHeader
        @usableFromInline let body: ByteBuffer
        public let count: Int

        @inlinable
        init(header: EIEIODataHeader, body: ByteBuffer, count: Int) {
            self.header = header
            self.body = body
            self.count = count
        }

        @inlinable
        public var underestimatedCount: Int { self.count }

        @inlinable
        public func makeIterator() -> Iterator { Iterator(self) }

        public struct Iterator: IteratorProtocol {
            @usableFromInline var body: ByteBuffer
            @usableFromInline let type: EIEIOType
            @usableFromInline let prefix: UInt32
            @usableFromInline let base: UInt32
            @usableFromInline let hasPayload: Bool
            @usableFromInline let isTimestamp: Bool

            @inlinable
            init(_ elements: Elements) {
                let header = elements.header
                self.body = elements.body
                self.type = header.type
                self.prefix = header.prefix?.mask ?? 0
                self.base = header.payloadBase ?? 0
                self.hasPayload = header.type.hasPayload || header.payloadBase != nil
                self.isTimestamp = header.payloadsAreTimestamps && self.hasPayload
            }

            @inlinable
            public mutating func next() -> EIEIOElement? {
                let key: UInt32
                let payload: UInt32
                // One load per element, of just its width.
                switch self.type {
                case .key16:
                    guard let word = self.body.readInteger(endianness: .little, as: UInt16.self) else { return nil }
                    key = UInt32(word)
                    payload = 0
                case .keyPayload16:
                    guard let word = self.body.readInteger(endianness: .little, as: UInt32.self) else { return nil }
                    key = word & 0xFFFF
                    payload = word >> 16
                case .key32:
                    guard let word = self.body.readInteger(endianness: .little, as: UInt32.self) else { return nil }
                    key = word
                    payload = 0
                case .keyPayload32:
                    guard let word = self.body.readInteger(endianness: .little, as: UInt64.self) else { return nil }
                    key = UInt32(truncatingIfNeeded: word)
                    payload = UInt32(truncatingIfNeeded: word >> 32)
                }
                return EIEIOElement(
                    key: key | self.prefix, payload: self.hasPayload ? payload | self.base : nil,
                    isTimestamp: self.isTimestamp)
            }
        }
    }
}
