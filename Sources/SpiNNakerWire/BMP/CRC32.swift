//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

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
