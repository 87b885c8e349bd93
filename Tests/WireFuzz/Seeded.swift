//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Random numbers from a seed: a failure can be had again.
package struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    package init(_ seed: UInt64) { self.state = seed }

    // SplitMix64.
    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        return Seeded.mixed(self.state)
    }

    /// Every bit of the result hangs on every bit of the number.
    static func mixed(_ number: UInt64) -> UInt64 {
        var z = number
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    package mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value {
        Value(truncatingIfNeeded: self.next())
    }

    /// Often at an edge, sometimes small, else anything: what length and number fields go wrong at.
    package mutating func word() -> UInt32 {
        switch self.next() % 8 {
        case 0: 0
        case 1: .max
        case 2: 1 << UInt32(self.next() % 32)
        case 3, 4: UInt32(self.next() % 8)
        default: self.integer()
        }
    }

    package mutating func bytes(_ count: Int) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        for _ in 0..<(count / 8) { buffer.writeInteger(self.next()) }
        for _ in 0..<(count % 8) { buffer.writeInteger(self.integer(UInt8.self)) }
        return buffer
    }

    package mutating func bytes(upTo count: Int) -> ByteBuffer { self.bytes(Int(self.next() % UInt64(count + 1))) }

    /// Letters, so that it is text to everyone.
    package mutating func text(upTo count: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz&".utf8)
        return String(
            decoding: (0..<Int(self.next() % UInt64(count + 1))).map { _ in letters[Int(self.next() % UInt64(letters.count))] },
            as: UTF8.self)
    }
}
