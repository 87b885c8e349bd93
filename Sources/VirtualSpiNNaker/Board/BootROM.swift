//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A complete image as the boot ROM has assembled it, in the byte order of the chip's memory.
package struct ROMImage: Hashable, Sendable {
    package var bytes: ByteBuffer

    package init(bytes: ByteBuffer) { self.bytes = bytes }

    /// Where the host patches the first half of `sv` into the image, and how much of it.
    package static let parametersOffset = 384
    package static let parametersSize = 128

    /// What the host patched in; nil when the image is too small to have it.
    package var parameters: ByteBuffer? {
        self.bytes.getSlice(
            at: self.bytes.readerIndex + ROMImage.parametersOffset, length: ROMImage.parametersSize)
    }
}

/// The flood-fill engine of the boot ROM on an Ethernet chip: it counts blocks, acknowledges nothing, and hands over when
/// it is told to execute a complete image.
package struct BootROM {
    /// A fill that has begun.
    private struct Fill {
        let blockCount: Int
        /// Bit n: block n has come. A repeated boot goes on in the same map.
        var received: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var receivedCount = 0
        var image: [UInt8] = []

        mutating func mark(_ block: Int) -> Bool {
            let bit = UInt64(1) << UInt64(block & 63)
            func take(_ word: inout UInt64) -> Bool {
                guard word & bit == 0 else { return false }
                word |= bit
                return true
            }
            let isNew =
                switch block >> 6 {
                case 0: take(&self.received.0)
                case 1: take(&self.received.1)
                case 2: take(&self.received.2)
                default: take(&self.received.3)
                }
            if isNew { self.receivedCount += 1 }
            return isNew
        }
    }

    private var fill: Fill?

    package init() {}

    /// Blocks that have come of the fill that is open.
    package var receivedBlocks: Int { self.fill?.receivedCount ?? 0 }

    /// The largest image: what the ROM can hold in DTCM.
    static let maximumImage = 32 * 1024

    /// - Returns: whether the datagram is one of the ROM's protocol at all, and the image, when this one started it.
    package mutating func receive(_ datagram: ByteBuffer) -> (isValid: Bool, image: ROMImage?) {
        guard let message = try? BootMessage(datagram: datagram), message.version == BootMessage.protocolVersion else {
            return (false, nil)
        }
        // The ROM looks at the low halves only.
        switch BootOpcode(rawValue: message.opcode.rawValue & 0xFFFF) {
        case .floodFillStart:
            // Low byte 0: the monitor is the target. An open fill keeps its map.
            guard self.fill == nil, message.operand1 & 0xFF == 0 else { return (true, nil) }
            self.fill = Fill(blockCount: Int(message.operand3 & 0xFF) + 1)
            return (true, nil)
        case .floodFillBlock:
            self.store(message)
            return (true, nil)
        case .floodFillControl:
            guard let fill = self.fill, message.operand1 & 1 == 1, fill.receivedCount == fill.blockCount else {
                return (true, nil)
            }
            self.fill = nil
            return (true, ROMImage(bytes: ByteBuffer(bytes: fill.image)))
        default:
            return (false, nil)
        }
    }

    private mutating func store(_ message: BootMessage) {
        guard var fill = self.fill else { return }
        let block = Int(message.operand1 & 0xFF)
        let words = Int(message.operand1 >> 8 & 0xFF) + 1
        guard block < fill.blockCount, fill.mark(block) else { return }
        let offset = block * words * 4
        // A short last block leaves what was in memory behind it: zeroes here.
        let end = min(offset + words * 4, BootROM.maximumImage)
        if end > offset {
            if fill.image.count < end { fill.image.append(contentsOf: repeatElement(0, count: end - fill.image.count)) }
            // Words come byte-swapped.
            var data = message.data
            var at = offset
            while at + 4 <= end, let word = data.readInteger(endianness: .big, as: UInt32.self) {
                fill.image[at] = UInt8(truncatingIfNeeded: word)
                fill.image[at + 1] = UInt8(truncatingIfNeeded: word >> 8)
                fill.image[at + 2] = UInt8(truncatingIfNeeded: word >> 16)
                fill.image[at + 3] = UInt8(truncatingIfNeeded: word >> 24)
                at += 4
            }
        }
        self.fill = fill
    }
}
