//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The header of an EIEIO data message. Little-endian. Source: SpiNNMan `EIEIODataHeader`, vectors `eieio.header.*`.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 1 | count of elements |
/// | 1 | 1 | bit 7 prefix present, 6 prefix is the upper half, 5 payload base present, 4 payloads are timestamps, 3...2 type, 1...0 tag |
/// | 2 | 2 | prefix, if present |
/// | next | 2 or 4 | payload base, if present: as wide as a key |
///
/// Bit 6 without bit 7 makes it a command (``EIEIOCommand``).
public struct EIEIODataHeader: Hashable, Sendable {
    /// The most bytes that the toolchain puts in a message.
    public static let maximumMessageSize = 256

    public var count: UInt8
    public let type: EIEIOType
    public let prefix: EIEIOPrefix?
    /// OR-ed to each payload; the payload itself where the type has none.
    public let payloadBase: UInt32?
    /// Bit 4. Says what payloads are; without any it says nothing.
    public let payloadsAreTimestamps: Bool
    /// 0...3; nobody is known to use it.
    public let tag: UInt8

    /// - Throws: ``WireError/invalid(message:field:value:)`` when the base is wider than a payload, or the tag not in 0...3.
    public init(
        type: EIEIOType, count: UInt8 = 0, prefix: EIEIOPrefix? = nil, payloadBase: UInt32? = nil,
        payloadsAreTimestamps: Bool = false, tag: UInt8 = 0
    ) throws(WireError) {
        if let base = payloadBase, base > type.maximumWord {
            throw .invalid(message: "EIEIO data header", field: "payload base", value: UInt64(base))
        }
        guard tag < 4 else { throw .invalid(message: "EIEIO data header", field: "tag", value: UInt64(tag)) }
        self.init(
            unchecked: type, count: count, prefix: prefix, payloadBase: payloadBase,
            payloadsAreTimestamps: payloadsAreTimestamps, tag: tag)
    }

    /// A bare header.
    @inlinable
    public init(_ type: EIEIOType, payloadsAreTimestamps: Bool = false) {
        self.init(
            unchecked: type, count: 0, prefix: nil, payloadBase: nil, payloadsAreTimestamps: payloadsAreTimestamps, tag: 0)
    }

    @inlinable
    init(
        unchecked type: EIEIOType, count: UInt8, prefix: EIEIOPrefix?, payloadBase: UInt32?, payloadsAreTimestamps: Bool,
        tag: UInt8
    ) {
        self.type = type
        self.count = count
        self.prefix = prefix
        self.payloadBase = payloadBase
        self.payloadsAreTimestamps = payloadsAreTimestamps
        self.tag = tag
    }

    /// - Throws: ``WireError/invalid(message:field:value:)`` for a command.
    @inlinable
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt16 = try buffer.take(of: "EIEIO data header")
        guard !EIEIOMessage.isCommand(word) else {
            throw .invalid(message: "EIEIO data header", field: "flags", value: UInt64(word >> 8))
        }
        let flags = UInt8(truncatingIfNeeded: word >> 8)
        let type = EIEIOType(hasPayload: flags & 0x04 != 0, is32Bit: flags & 0x08 != 0)
        var prefix: EIEIOPrefix?
        if flags & 0x80 != 0 {
            let bits: UInt16 = try buffer.take(of: "EIEIO data header")
            prefix = flags & 0x40 != 0 ? .upper(bits) : .lower(bits)
        }
        var base: UInt32?
        if flags & 0x20 != 0 {
            base =
                type.is32Bit
                ? try buffer.take(UInt32.self, of: "EIEIO data header")
                : UInt32(try buffer.take(UInt16.self, of: "EIEIO data header"))
        }
        self.init(
            unchecked: type, count: UInt8(truncatingIfNeeded: word), prefix: prefix, payloadBase: base,
            payloadsAreTimestamps: flags & 0x10 != 0, tag: flags & 3)
    }

    @inlinable
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(UInt16(self.count) | UInt16(self.flags) << 8)
        switch self.prefix {
        case .lower(let bits), .upper(let bits): buffer.put(bits)
        case nil: break
        }
        guard let base = self.payloadBase else { return }
        if self.type.is32Bit {
            buffer.put(base)
        } else {
            buffer.put(UInt16(truncatingIfNeeded: base))
        }
    }

    @inlinable
    var flags: UInt8 {
        var flags = self.type.rawValue << 2 | self.tag
        switch self.prefix {
        case .lower: flags |= 0x80
        case .upper: flags |= 0xC0
        case nil: break
        }
        if self.payloadBase != nil { flags |= 0x20 }
        if self.payloadsAreTimestamps { flags |= 0x10 }
        return flags
    }

    /// Bytes of the header itself.
    @inlinable
    public var size: Int {
        2 + (self.prefix == nil ? 0 : 2) + (self.payloadBase == nil ? 0 : self.type.wordSize)
    }

    /// Bytes of the elements that the header announces.
    @inlinable
    public var bodySize: Int { Int(self.count) * self.type.elementSize }

    /// How many elements the toolchain puts behind this header: what is left of 256 bytes.
    @inlinable
    public var maximumElements: Int { (EIEIODataHeader.maximumMessageSize - self.size) / self.type.elementSize }

    /// The shortest message that has an element, or the header alone when an element needs no more than a key: the figure
    /// that SpiNNMan calls the minimum packet length.
    @inlinable
    public var minimumLength: Int { self.size + (self.type.hasPayload ? self.type.wordSize : 0) }
}
