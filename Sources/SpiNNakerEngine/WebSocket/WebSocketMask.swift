//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The XOR of RFC 6455 §5.3, eight bytes at a time.
package enum WebSocketMask {
    /// `key`: the four key bytes as a little-endian word, the first byte on the wire lowest.
    package static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
        WebSocketMask.copy(UnsafeRawBufferPointer(bytes), to: bytes, key: key)
    }

    /// Unmasks (or masks) on the way from one place to another. `target` holds at least as much as `source`;
    /// they may be the same.
    package static func copy(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer, key: UInt32) {
        let count = min(source.count, target.count)
        let wide = (UInt64(key) | UInt64(key) << 32).littleEndian
        var offset = 0
        while offset &+ 8 <= count {
            let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            target.storeBytes(of: word ^ wide, toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        // Eight is a multiple of the key's four, so the rest starts with the key's first byte.
        var rest = key
        while offset < count {
            target[offset] = source[offset] ^ UInt8(truncatingIfNeeded: rest)
            rest = rest >> 8 | rest << 24
            offset &+= 1
        }
    }
}

/// Mask keys for one connection.
///
/// The key is there so that a script in a browser can not choose the bytes that its browser puts on the wire. In this
/// program whoever chooses the payload chooses the key as well, so a generator seeded by the system serves; a system call
/// for each datagram (200 ns and more) would buy nothing.
package struct WebSocketMaskKeys: Sendable {
    private var state: UInt64

    package init() {
        var system = SystemRandomNumberGenerator()
        self.init(seed: system.next())
    }
    package init(seed: UInt64) { self.state = seed }

    /// SplitMix64, the upper half.
    package mutating func next() -> UInt32 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return UInt32(truncatingIfNeeded: (z ^ (z >> 31)) >> 32)
    }
}
