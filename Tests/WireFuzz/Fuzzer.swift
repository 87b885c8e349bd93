//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Throws random and half-random bytes at one decoder, and looks whether what it reads is written as it was read.
///
/// An input depends on the decoder's name, the seed and its own number, and on nothing else: each can be had again alone.
package struct Fuzzer: Sendable {
    package let codec: Codec
    package let seed: UInt64
    private let start: UInt64
    /// What JSON is made of.
    private static let signs = Array(#"0123456789-+.eE"\{}[],: nulltruefalseb/u"#.utf8) + [0, 9, 0x7F, 0x80, 0xC3, 0xF4, 0xFF]

    package init(_ codec: Codec, seed: UInt64) {
        self.codec = codec
        self.seed = seed
        // FNV-1a of the name, so that a decoder's inputs stay the same when others come before it in the list.
        let name = codec.name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        self.start = Seeded.mixed(name ^ seed)
    }

    /// - Parameter watch: sees every input before the decoder does.
    /// - Returns: how many inputs were messages.
    /// - Throws: ``FuzzFailure`` for the first that is not written as it was read.
    package func run(_ inputs: Range<Int>, watch: ((Int, ByteBuffer) -> Void)? = nil) throws -> Int {
        var accepted = 0
        for number in inputs {
            let bytes = try self.input(number)
            watch?(number, bytes)
            do {
                guard try self.codec.isStable(bytes) else {
                    throw FuzzFailure(decoder: self.codec.name, seed: self.seed, input: number, bytes: bytes)
                }
                accepted += 1
            } catch let failure as FuzzFailure {
                throw failure
            } catch {
                // Refused: that is an answer too.
            }
        }
        return accepted
    }

    /// Noise, or a message with a few bytes changed, cut, or more behind it.
    package func input(_ number: Int) throws -> ByteBuffer {
        var random = Seeded(self.start &+ Seeded.mixed(UInt64(truncatingIfNeeded: number)))
        let kind = random.next()
        if kind % (self.codec.isText ? 32 : 4) == 0 { return random.bytes(upTo: 320) }
        var bytes = try self.codec.random(&random).bytes
        for _ in 0..<(kind >> 8) % 4 where bytes.readableBytes > 0 {
            let position = Int(random.next() % UInt64(bytes.readableBytes))
            let byte = self.codec.isText ? Fuzzer.signs[Int(random.next() % UInt64(Fuzzer.signs.count))] : random.integer()
            bytes.setInteger(byte, at: bytes.readerIndex + position)
        }
        if self.codec.isText && (kind >> 24) % 4 != 0 { return bytes }
        switch (kind >> 16) % 4 {
        case 0:
            let length = Int(random.next() % UInt64(bytes.readableBytes + 1))
            return bytes.getSlice(at: bytes.readerIndex, length: length) ?? bytes
        case 1: bytes.writeImmutableBuffer(random.bytes(upTo: 40))
        default: break
        }
        return bytes
    }
}

/// An input that a decoder reads as one message and, written and read again, as another.
package struct FuzzFailure: Error, CustomStringConvertible {
    package let decoder: String
    package let seed: UInt64
    package let input: Int
    package let bytes: ByteBuffer

    package var description: String {
        "\(self.decoder), seed \(self.seed), input \(self.input): not written as it was read: \(FuzzFailure.hex(self.bytes))"
    }

    package static func hex(_ bytes: ByteBuffer) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.readableBytesView.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
