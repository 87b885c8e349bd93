//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

@Suite struct WordSumTests {
    @Test func wholeWords() {
        var bytes = ByteBuffer()
        for word: UInt32 in [1, 0xFFFF_FFFF, 0x8000_0000] { bytes.writeInteger(word, endianness: .little) }
        #expect(WordSum.of(bytes) == 0x8000_0000)
        #expect(WordSum.of(ByteBuffer()) == 0)
    }

    /// `trace.write.sum-slice-bug`: SpiNNMan sums what lies around the slice too.
    @Test func onlyTheReadableBytes() {
        var bytes = ByteBuffer(bytes: [9, 9, 9, 9, 1, 0, 0, 0, 2, 0, 0, 0, 9])
        bytes.moveReaderIndex(forwardBy: 4)
        #expect(WordSum.of(bytes.getSlice(at: 4, length: 8) ?? bytes) == 3)
    }

    /// `trace.write.sum-odd`: SpiNNMan fails.
    @Test func theLastWordIsFilledUp() {
        #expect(WordSum.of(ByteBuffer(bytes: [1, 0, 0, 0, 0xFF])) == 0x100)
    }

    @Test func piecesOfAnyLengthSumAsOne() {
        let bytes = ByteBuffer(bytes: (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        for step in [1, 2, 3, 5, 7, 64, 999] {
            var sum = WordSum()
            var rest = bytes
            while rest.readableBytes > 0 {
                sum.add(rest.readSlice(length: min(step, rest.readableBytes)) ?? ByteBuffer())
            }
            #expect(sum.value == WordSum.of(bytes), "pieces of \(step)")
            #expect(sum.count == 1000)
        }
    }
}
