//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The sum of little-endian 32-bit words modulo 2³², of bytes that may come in pieces of any length. The last word is
/// filled up with zeros.
///
/// SpiNNMan's own sum ignores where a slice begins and ends, and fails on lengths that are no multiple of 4.
package struct WordSum: Sendable {
    package private(set) var value: UInt32 = 0
    /// Bytes added so far.
    package private(set) var count = 0

    package init() {}

    package mutating func add(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var index = 0
            // Up to a word's boundary, then by the word, then the rest.
            while index < bytes.count, self.count % 4 != 0 { self.add(bytes[index], &index) }
            while index + 4 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
                self.value &+= UInt32(littleEndian: word)
                self.count += 4
                index += 4
            }
            while index < bytes.count { self.add(bytes[index], &index) }
        }
    }

    private mutating func add(_ byte: UInt8, _ index: inout Int) {
        self.value &+= UInt32(byte) << UInt32(8 * (self.count % 4))
        self.count += 1
        index += 1
    }

    package static func of(_ bytes: ByteBuffer) -> UInt32 {
        var sum = WordSum()
        sum.add(bytes)
        return sum.value
    }
}
