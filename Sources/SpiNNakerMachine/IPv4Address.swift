//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// An IPv4 address. On the wire of SpiNNaker its first octet comes first, which a little-endian word shows in its low byte.
public struct IPv4Address: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The number whose most significant byte is the first octet: 127.0.0.1 is 0x7F000001.
    public var value: UInt32

    @inlinable
    public init(value: UInt32) { self.value = value }

    @inlinable
    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        self.value = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// From the little-endian word in which SCP carries it.
    @inlinable
    public init(wireWord: UInt32) { self.value = wireWord.byteSwapped }

    /// The little-endian word in which SCP carries it: the first octet is the least significant byte.
    @inlinable
    public var wireWord: UInt32 { self.value.byteSwapped }

    /// From dotted-quad text; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard !part.isEmpty, part.count <= 3, part.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let octet = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        self.value = value
    }

    public static let any = IPv4Address(value: 0)
    public static let loopback = IPv4Address(127, 0, 0, 1)

    public var octets: (UInt8, UInt8, UInt8, UInt8) {
        (
            UInt8(truncatingIfNeeded: self.value >> 24), UInt8(truncatingIfNeeded: self.value >> 16),
            UInt8(truncatingIfNeeded: self.value >> 8), UInt8(truncatingIfNeeded: self.value)
        )
    }

    @inlinable
    public static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.value < b.value }

    public var description: String {
        let (a, b, c, d) = self.octets
        return "\(a).\(b).\(c).\(d)"
    }
}
