//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// The 4 KiB of a BMP's own flash in which it keeps what it is set to, and a copy of its board's blacklist.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | | directory of 128-byte entries: addresses, FPGA files |
/// | 0xE00 | 256 bytes | ``Blacklist`` |
/// | 0xFFC | u32 | seal: the CRC-32 of all before it, inverted |
package struct BMPConfigurationSector: Hashable, Sendable {
    package static let size = 0x1000
    /// Where it lies.
    package static let address: UInt32 = 0x1000
    private static let listOffset = 0xE00
    private static let sealOffset = 0xFFC

    /// Always ``size``.
    package private(set) var bytes: [UInt8]

    /// - Throws: ``WireError`` if it has another length, or if its seal is broken: a sector that nobody understands is not written back.
    package init(bytes: [UInt8]) throws(WireError) {
        guard bytes.count == BMPConfigurationSector.size else {
            throw .truncated(message: "BMP configuration", needed: BMPConfigurationSector.size, available: bytes.count)
        }
        self.bytes = bytes
        let seal = ByteBuffer(bytes: bytes[BMPConfigurationSector.sealOffset...])
            .getInteger(at: 0, endianness: .little, as: UInt32.self)
        guard seal == self.seal else {
            throw .invalid(message: "BMP configuration", field: "seal", value: UInt64(seal ?? 0))
        }
    }

    private var seal: UInt32 { ~CRC32.of(self.bytes[..<BMPConfigurationSector.sealOffset]) }

    /// Sealed anew.
    package func with(_ list: Blacklist) -> BMPConfigurationSector {
        var copy = self
        copy.put(BMPConfigurationSector.listOffset) { list.write(into: &$0) }
        let seal = copy.seal
        copy.put(BMPConfigurationSector.sealOffset) { $0.put(seal) }
        return copy
    }

    private mutating func put(_ offset: Int, _ write: (inout ByteBuffer) -> Void) {
        var buffer = ByteBuffer()
        write(&buffer)
        self.bytes.replaceSubrange(offset..<(offset + buffer.readableBytes), with: buffer.readableBytesView)
    }
}
