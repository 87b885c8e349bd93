//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

@Suite(.timeLimit(.minutes(3))) struct TextReaderTests {
    /// Blocks of text in a memory, and a reader that reads them.
    private func read(_ blocks: [UInt32: (next: UInt32, valid: UInt32, text: String)], first: [UInt32], blockSize: Int = 1000)
        -> [String]
    {
        var reader = TextReader(cores: first.indices.map { CoreID(0, 0, UInt8($0)) }, blockSize: blockSize)
        for (core, address) in first.enumerated() { reader.found(address, of: core) }
        var rounds = 0
        while let reads = reader.next(), rounds < 10_000 {
            rounds += 1
            for read in reads {
                #expect(read.size <= 256)
                // The block that the address lies in.
                let base = blocks.keys.filter { $0 <= read.address }.max() ?? 0
                var bytes = ByteBuffer()
                if let block = blocks[base] {
                    bytes = words(block.next, 0, 0, block.valid)
                    bytes.writeString(block.text)
                }
                bytes.writeRepeatingByte(0x2E, count: 4000)
                bytes.moveReaderIndex(forwardBy: Int(read.address - base))
                reader.received(bytes.readSlice(length: read.size) ?? bytes, for: read)
            }
        }
        return reader.texts.map(\.text)
    }

    @Test func shortLongAndNone() {
        let long = String(repeating: "0123456789", count: 77)
        let texts = self.read(
            [
                0x1000: (next: 0, valid: 5, text: "hello, and what is not valid yet"),
                0x3000: (next: 0x5000, valid: UInt32(long.utf8.count), text: long),
                0x5000: (next: 0, valid: 4, text: "end."),
            ], first: [0x1000, 0, 0x3000])
        #expect(texts == ["hello", "", long + "end."])
    }

    @Test func lengthsAroundThePieces() {
        for count in [0, 239, 240, 241, 495, 496, 497, 1000] {
            let text = String((0..<count).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
            #expect(self.read([0x1000: (next: 0, valid: UInt32(count), text: text)], first: [0x1000]) == [text])
        }
    }

    @Test func garbageIsBounded() {
        // A count beyond the block is cut, and a chain that bites its tail ends.
        let cut = self.read([0x1000: (next: 0, valid: .max, text: "abc")], first: [0x1000], blockSize: 300)
        #expect(cut.first?.utf8.count == 300)
        let ring = self.read([0x1000: (next: 0x1000, valid: 1, text: "x")], first: [0x1000])
        #expect(ring.first?.utf8.count == 4096)
    }

    @Test func bytesThatAreNoTextAreShown() {
        var reader = TextReader(cores: [CoreID(0, 0, 1)], blockSize: 100)
        reader.found(0x1000, of: 0)
        var bytes = words(0, 0, 0, 3)
        bytes.writeBytes([0x61, 0xFF, 0x62])
        for read in reader.next() ?? [] { reader.received(bytes, for: read) }
        #expect(reader.texts.first?.text == "a\u{FFFD}b")
    }
}
