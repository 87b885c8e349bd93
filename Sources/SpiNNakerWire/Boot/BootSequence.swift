//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The datagrams that boot a machine, in order: START, the blocks, CONTROL.
///
/// | Datagram | Operand 1 | 2 | 3 | Data |
/// |---|---|---|---|---|
/// | START | 0 | 0 | blocks - 1 | – |
/// | BLOCK b | 0xFF00 \| b | 0 | 0 | up to 1024 bytes, each word turned to big-endian |
/// | CONTROL | 1 | 0 | 0 | – |
///
/// The high byte of a block's operand is its length in words less one: always 255, for a short last block too. Nothing is
/// acknowledged, and the ROM loses what comes too fast: pause ``pause`` after every datagram, and give SC&MP ``settling``
/// after the last. Source: SpiNNMan `SpinnakerBootMessages`, vectors `boot.synth.*`.
public struct BootSequence: RandomAccessCollection, Sendable {
    /// What SpiNNMan waits after each datagram.
    public static let pause: Duration = .milliseconds(100)
    /// What SpiNNMan waits after the last before it asks for the version.
    public static let settling: Duration = .seconds(2)

    /// The patched image, its words turned.
    private let words: ByteBuffer
    public let blockCount: Int

    public init(image: BootImage, values: BootValues) {
        var patched = image.patched(with: values)
        var words = ByteBufferAllocator().buffer(capacity: patched.readableBytes)
        while let word = patched.readInteger(endianness: .little, as: UInt32.self) {
            words.writeInteger(word, endianness: .big)
        }
        self.blockCount = (words.readableBytes + BootMessage.maximumData - 1) / BootMessage.maximumData
        self.words = words
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { self.blockCount + 2 }

    /// Blocks share the storage of the image: nothing is copied.
    public subscript(position: Int) -> BootMessage {
        switch position {
        case 0:
            return BootMessage(.floodFillStart, 0, 0, UInt32(truncatingIfNeeded: self.blockCount - 1), ByteBuffer())
        case self.blockCount + 1:
            return BootMessage(.floodFillControl, 1, 0, 0, ByteBuffer())
        default:
            let block = position - 1
            let start = block * BootMessage.maximumData
            let length = Swift.min(BootMessage.maximumData, self.words.readableBytes - start)
            let data = self.words.getSlice(at: self.words.readerIndex + start, length: length) ?? ByteBuffer()
            return BootMessage(
                .floodFillBlock, 0xFF00 | UInt32(UInt8(truncatingIfNeeded: block)), 0, 0, data)
        }
    }

    /// How long SpiNNMan takes to send it all and wait.
    public var nominalDuration: Duration { BootSequence.pause * self.count + BootSequence.settling }
}
