//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// Flash: reads as ones where nothing has been written. Pages exist once they are.
package struct FlashMemory: Sendable {
    private static let pageSize = 4096
    package let size: Int
    private var pages: [Int: [UInt8]] = [:]

    package init(size: Int) { self.size = size }

    package func read8(_ address: Int) -> UInt8 {
        guard address >= 0, address < self.size, let page = self.pages[address / FlashMemory.pageSize] else { return 0xFF }
        return page[address % FlashMemory.pageSize]
    }

    /// Nothing outside is read: `count` bytes come in any case.
    package func read(_ address: Int, count: Int) -> [UInt8] {
        (0..<max(0, count)).map { self.read8(address + $0) }
    }

    /// Bytes outside are dropped.
    package mutating func write(_ address: Int, _ bytes: some Sequence<UInt8>) {
        var at = address
        for byte in bytes {
            if at >= 0, at < self.size {
                let page = at / FlashMemory.pageSize
                self.pages[page, default: Array(repeating: 0xFF, count: FlashMemory.pageSize)][at % FlashMemory.pageSize] = byte
            }
            at += 1
        }
    }

    /// Whole pages between two addresses become ones again.
    package mutating func erase(_ range: Range<Int>) {
        for page in range.lowerBound / FlashMemory.pageSize..<(range.upperBound + FlashMemory.pageSize - 1)
            / FlashMemory.pageSize
        {
            self.pages[page] = nil
        }
    }

    /// CRC-32 of IEEE 802.3, reflected.
    package func checksum(_ address: Int, count: Int) -> UInt32 {
        var crc = CRC32()
        for offset in 0..<max(0, count) { crc.update(self.read8(address + offset)) }
        return crc.value
    }
}
