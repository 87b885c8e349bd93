//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Sizes and places of the two bulk protocols of the toolchain ("data speed up"): data in through a *gatherer* core on a board's
/// Ethernet chip, data out from the *extra monitor* core of any chip of the board. Source: SpiNNFrontEndCommon 7.x, its packet gatherer and
/// its extra monitor.
public enum FastData {
    /// SDP port of the gatherer.
    public static let inPort: UInt8 = 6
    /// SDP port of the extra monitor.
    public static let outPort: UInt8 = 5
    /// The most words of an SDP message that either core takes or sends.
    public static let words = 68
    /// Bytes of memory in a full packet towards the board.
    public static let inBytes = 4 * (FastData.words - 3)
    /// Bytes of memory in a full packet from the board.
    public static let outBytes = 4 * (FastData.words - 2)
    /// Numbers of transactions have 28 bits.
    public static let transactionMask: UInt32 = 0x0FFF_FFFF

    /// The number that a core accepts as its next transaction's. 0 is never one: the cores skip it.
    /// - Parameter last: what the core has published in its `user1`.
    public static func transaction(after last: UInt32) -> UInt32 {
        let next = last &+ 1
        return next & FastData.transactionMask == 0 ? 1 : next
    }
}

/// Host to gatherer: an SDP message to port 6, words little-endian, without an SCP header.
///
/// | Word 0 | Then | Meaning |
/// |---|---|---|
/// | 200 | transaction, address, `x << 16 \| y` on the board, number of the last packet | begin |
/// | 2000 | transaction, sequence, at most 65 words | the words at `address + 260 × sequence` |
/// | 2001 | transaction | say what is missing |
public enum FastDataInCommand: Hashable, Sendable {
    case location(transaction: UInt32, address: UInt32, chip: ChipID, lastSequence: UInt32)
    case data(transaction: UInt32, sequence: UInt32, data: ByteBuffer)
    case tellMissing(transaction: UInt32)

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt32 = try buffer.take(of: "fast data in")
        let transaction: UInt32 = try buffer.take(of: "fast data in")
        switch word {
        case 200:
            let address: UInt32 = try buffer.take(of: "fast data in")
            let place: UInt32 = try buffer.take(of: "fast data in")
            self = .location(
                transaction: transaction, address: address,
                chip: ChipID(x: UInt8(truncatingIfNeeded: place >> 16), y: UInt8(truncatingIfNeeded: place)),
                lastSequence: try buffer.take(of: "fast data in"))
        case 2000:
            let sequence: UInt32 = try buffer.take(of: "fast data in")
            self = .data(transaction: transaction, sequence: sequence, data: buffer)
            buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
        case 2001: self = .tellMissing(transaction: transaction)
        default: throw .invalid(message: "fast data in", field: "command", value: UInt64(word))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .location(let transaction, let address, let chip, let lastSequence):
            for word in [200, transaction, address, UInt32(chip.x) << 16 | UInt32(chip.y), lastSequence] { buffer.put(word) }
        case .data(let transaction, let sequence, let data):
            buffer.put(UInt32(2000))
            buffer.put(transaction)
            buffer.put(sequence)
            buffer.writeImmutableBuffer(data)
        case .tellMissing(let transaction):
            buffer.put(UInt32(2001))
            buffer.put(transaction)
        }
    }
}

/// Gatherer to host, through a tag that strips the SDP header.
///
/// | Word 0 | Then | Meaning |
/// |---|---|---|
/// | 2002 | transaction, sequences | these are missing; a long list takes several messages, and nothing says which is the last |
/// | 2003 | transaction | all is written |
///
/// Two sequences are none: 0xFFFFFFFE says that everything is missing, and 0xFFFFFFFF ends a list (older gatherers say so).
public enum FastDataInReply: Hashable, Sendable {
    case missing(transaction: UInt32, sequences: [UInt32])
    case finished(transaction: UInt32)

    public static let everything: UInt32 = 0xFFFF_FFFE
    public static let endOfList: UInt32 = 0xFFFF_FFFF

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt32 = try buffer.take(of: "fast data in reply")
        let transaction: UInt32 = try buffer.take(of: "fast data in reply")
        switch word {
        case 2002:
            self = .missing(
                transaction: transaction, sequences: try buffer.takeWords(buffer.readableBytes / 4, of: "fast data in reply"))
        case 2003: self = .finished(transaction: transaction)
        default: throw .invalid(message: "fast data in reply", field: "command", value: UInt64(word))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .missing(let transaction, let sequences):
            buffer.put(UInt32(2002))
            buffer.put(transaction)
            buffer.putWords(sequences, count: sequences.count)
        case .finished(let transaction):
            buffer.put(UInt32(2003))
            buffer.put(transaction)
        }
    }
}
