//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_SROM (27): a transaction of the chip's SPI serial ROM, bit by bit.
///
/// | Word | Bits | Field |
/// |---|---|---|
/// | arg1 | 31...16 | bytes of data |
/// | | 8 | write the data instead of reading |
/// | | 7 | send "write enable" first |
/// | | 6 | wait until the write is over |
/// | | 5...0 | bits of the command (8, 16, 32) |
/// | arg2 | | the command, left-aligned: operation in bits 31...24, address below |
/// | data | | what to write |
public struct SerialROMTransaction: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .serialROM }

    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let write = Flags(rawValue: 0x100)
        public static let writeEnable = Flags(rawValue: 0x80)
        public static let wait = Flags(rawValue: 0x40)
    }

    public var size: UInt16
    /// Bits 15...6 of arg1.
    public var flags: Flags
    /// 6 bits.
    public var commandBits: UInt8
    public var commandWord: UInt32
    public var data: ByteBuffer

    public init(commandWord: UInt32, commandBits: UInt8, size: UInt16, flags: Flags = [], data: ByteBuffer = ByteBuffer()) {
        self.commandWord = commandWord
        self.commandBits = commandBits & 0x3F
        self.size = size
        self.flags = flags
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.size = UInt16(truncatingIfNeeded: arguments.arg1 >> 16)
        self.flags = Flags(rawValue: UInt16(arguments.arg1 & 0xFFC0))
        self.commandBits = UInt8(arguments.arg1 & 0x3F)
        self.commandWord = arguments.arg2
        self.data = data
    }
    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.size) << 16 | UInt32(self.flags.rawValue & 0xFFC0) | UInt32(self.commandBits & 0x3F), self.commandWord)
    }

    /// Reads `size` bytes at `address` of a ROM with 24-bit addresses (operation 3).
    public static func read(address: UInt32, size: UInt16) -> SerialROMTransaction {
        SerialROMTransaction(commandWord: 3 << 24 | address & 0xFF_FFFF, commandBits: 32, size: size)
    }
}
