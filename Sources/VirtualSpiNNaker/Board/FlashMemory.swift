//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

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

/// CRC-32 of IEEE 802.3, reflected: what BMPs seal their configuration with.
package struct CRC32: Sendable {
    private var state: UInt32 = 0xFFFF_FFFF

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }

    package init() {}

    package mutating func update(_ byte: UInt8) {
        self.state = self.state >> 8 ^ CRC32.table[Int((self.state ^ UInt32(byte)) & 0xFF)]
    }

    package var value: UInt32 { ~self.state }

    package static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32()
        for byte in bytes { crc.update(byte) }
        return crc.value
    }
}
