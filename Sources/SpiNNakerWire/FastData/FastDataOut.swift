//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Host to extra monitor: an SDP message to port 5, words little-endian, without an SCP header.
///
/// | Word 0 | Then | Meaning |
/// |---|---|---|
/// | 100 | transaction, address, bytes | begin to send |
/// | 1000 | transaction, number of messages of this list, at most 65 sequences | these are missing |
/// | 1001 | transaction, at most 66 sequences | and these |
/// | 2000 | transaction | stop sending |
public enum FastDataOutCommand: Hashable, Sendable {
    case start(transaction: UInt32, address: UInt32, size: UInt32)
    case missing(transaction: UInt32, messages: UInt32, sequences: [UInt32])
    case moreMissing(transaction: UInt32, sequences: [UInt32])
    case clear(transaction: UInt32)

    /// The most sequences in the first message of a list, and in each that follows.
    public static let firstSequences = FastData.words - 3
    public static let moreSequences = FastData.words - 2

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt32 = try buffer.take(of: "fast data out")
        let transaction: UInt32 = try buffer.take(of: "fast data out")
        switch word {
        case 100:
            let address: UInt32 = try buffer.take(of: "fast data out")
            self = .start(transaction: transaction, address: address, size: try buffer.take(of: "fast data out"))
        case 1000:
            let messages: UInt32 = try buffer.take(of: "fast data out")
            self = .missing(
                transaction: transaction, messages: messages,
                sequences: try buffer.takeWords(buffer.readableBytes / 4, of: "fast data out"))
        case 1001:
            self = .moreMissing(
                transaction: transaction, sequences: try buffer.takeWords(buffer.readableBytes / 4, of: "fast data out"))
        case 2000: self = .clear(transaction: transaction)
        default: throw .invalid(message: "fast data out", field: "command", value: UInt64(word))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .start(let transaction, let address, let size):
            for word in [100, transaction, address, size] { buffer.put(word) }
        case .missing(let transaction, let messages, let sequences):
            for word in [1000, transaction, messages] { buffer.put(word) }
            buffer.putWords(sequences, count: sequences.count)
        case .moreMissing(let transaction, let sequences):
            for word in [1001, transaction] { buffer.put(word) }
            buffer.putWords(sequences, count: sequences.count)
        case .clear(let transaction):
            for word in [2000, transaction] { buffer.put(word) }
        }
    }

    /// The messages that ask for `sequences` again, in order.
    public static func list(of sequences: [UInt32], transaction: UInt32) -> [FastDataOutCommand] {
        let rest = sequences.dropFirst(FastDataOutCommand.firstSequences)
        let more = stride(from: rest.startIndex, to: rest.endIndex, by: FastDataOutCommand.moreSequences).map { start in
            FastDataOutCommand.moreMissing(
                transaction: transaction, sequences: Array(rest[start...].prefix(FastDataOutCommand.moreSequences)))
        }
        let first = FastDataOutCommand.missing(
            transaction: transaction, messages: UInt32(clamping: more.count + 1),
            sequences: Array(sequences.prefix(FastDataOutCommand.firstSequences)))
        return [first] + more
    }
}

/// What an extra monitor sends, by way of the gatherer and a tag that strips the SDP header.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | sequence; bit 31: the last of what was asked for |
/// | 4 | u32 | transaction |
/// | 8 | 0...66 × u32 | the words at `address + 264 × sequence` |
public struct FastDataOutPacket: Hashable, Sendable {
    /// 31 bits.
    public var sequence: UInt32
    public var isLast: Bool
    public var transaction: UInt32
    /// A slice of the datagram.
    public var data: ByteBuffer

    public init(sequence: UInt32, isLast: Bool, transaction: UInt32, data: ByteBuffer) {
        self.sequence = sequence & 0x7FFF_FFFF
        self.isLast = isLast
        self.transaction = transaction
        self.data = data
    }

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt32 = try buffer.take(of: "fast data out packet")
        let transaction: UInt32 = try buffer.take(of: "fast data out packet")
        self.init(sequence: word, isLast: word >> 31 == 1, transaction: transaction, data: buffer)
        buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.sequence | (self.isLast ? 0x8000_0000 : 0))
        buffer.put(self.transaction)
        buffer.writeImmutableBuffer(self.data)
    }
}
