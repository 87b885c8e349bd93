//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What a boot datagram asks for. Any number is a value; the ROM looks at the low 16 bits.
public struct BootOpcode: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let floodFillStart = BootOpcode(rawValue: 1)
    public static let floodFillBlock = BootOpcode(rawValue: 3)
    public static let floodFillControl = BootOpcode(rawValue: 5)
    /// From the ROM to whoever listens.
    public static let hello = BootOpcode(rawValue: 0x41)
}

/// A datagram of UDP port 54321, to or from the boot ROM. **Big-endian**, unlike everything else.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u16 | protocol version, 1 |
/// | 2 | u32 | opcode |
/// | 6 | u32 | operand 1 |
/// | 10 | u32 | operand 2 |
/// | 14 | u32 | operand 3 |
/// | 18 | 0...1024 bytes | words of the image, each byte-swapped |
public struct BootMessage: Hashable, Sendable {
    /// The UDP port of the boot ROM.
    public static let port = 54321
    public static let headerSize = 18
    public static let maximumData = 1024
    public static let protocolVersion: UInt16 = 1

    public var version: UInt16
    public var opcode: BootOpcode
    public var operand1: UInt32
    public var operand2: UInt32
    public var operand3: UInt32
    public var data: ByteBuffer

    /// - Throws: ``WireError/invalid(message:field:value:)`` when there are more than 1024 bytes of data.
    public init(
        opcode: BootOpcode, operand1: UInt32 = 0, operand2: UInt32 = 0, operand3: UInt32 = 0, data: ByteBuffer = ByteBuffer()
    ) throws(WireError) {
        guard data.readableBytes <= BootMessage.maximumData else {
            throw .invalid(message: "boot message", field: "data length", value: UInt64(data.readableBytes))
        }
        self.version = BootMessage.protocolVersion
        self.opcode = opcode
        self.operand1 = operand1
        self.operand2 = operand2
        self.operand3 = operand3
        self.data = data
    }

    /// For the sequence maker, whose blocks are never longer than allowed.
    init(_ opcode: BootOpcode, _ operand1: UInt32, _ operand2: UInt32, _ operand3: UInt32, _ data: ByteBuffer) {
        self.version = BootMessage.protocolVersion
        self.opcode = opcode
        self.operand1 = operand1
        self.operand2 = operand2
        self.operand3 = operand3
        self.data = data
    }

    /// From a UDP payload of port ``port``. Any version and any operation is read: what to make of it is for the reader.
    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        self.version = try buffer.take(endianness: .big, of: "boot message")
        self.opcode = BootOpcode(rawValue: try buffer.take(endianness: .big, of: "boot message"))
        self.operand1 = try buffer.take(endianness: .big, of: "boot message")
        self.operand2 = try buffer.take(endianness: .big, of: "boot message")
        self.operand3 = try buffer.take(endianness: .big, of: "boot message")
        guard buffer.readableBytes <= BootMessage.maximumData else {
            throw .trailing(message: "boot message", extra: buffer.readableBytes - BootMessage.maximumData)
        }
        self.data = buffer
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.writeInteger(self.version, endianness: .big)
        buffer.writeInteger(self.opcode.rawValue, endianness: .big)
        buffer.writeInteger(self.operand1, endianness: .big)
        buffer.writeInteger(self.operand2, endianness: .big)
        buffer.writeInteger(self.operand3, endianness: .big)
        buffer.writeImmutableBuffer(self.data)
    }

    /// What an unbooted board sends every 4096 ms: the ROM's version 2.1, and the letters "CPTS".
    public static let hello = BootMessage(.hello, 0x0201_0000, 0, 0x4350_5453, ByteBuffer())

    /// Which block of the image a BLOCK carries: the low byte of operand 1.
    public var blockNumber: UInt8 { UInt8(truncatingIfNeeded: self.operand1) }
    /// 1...256: what the high byte of operand 1 says, whatever the length of the data.
    public var blockWords: Int { Int(UInt8(truncatingIfNeeded: self.operand1 >> 8)) + 1 }
}
