//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

// Requests to a BMP go to chip (0, 0) and to the *board number* as core: `CoreID(0, 0, board)`.

/// CMD_BMP_POWER (57): arg1 `delay << 16 | 0 off / 1 on`, arg2 mask of boards. Addressed to board 0 always: some boards
/// fail to act on power commands sent elsewhere. "On" to a board that is on is a power cycle.
public struct SetBoardPower: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .bmpPower }

    /// 0 off, 1 on; a BMP refuses more.
    public var state: UInt16
    /// Milliseconds, times its own number, that each board waits.
    public var delay: UInt16
    /// Bit n: board n of the frame.
    public var boards: UInt32

    public init(on: Bool, boards: UInt32, delay: UInt16 = 0) {
        self.state = on ? 1 : 0
        self.delay = delay
        self.boards = boards
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.state = UInt16(truncatingIfNeeded: arguments.arg1)
        self.delay = UInt16(truncatingIfNeeded: arguments.arg1 >> 16)
        self.boards = arguments.arg2
    }
    public var arguments: SCPArguments { SCPArguments(UInt32(self.delay) << 16 | UInt32(self.state), self.boards) }
}

/// Addresses of FPGA registers on a SpiNN-5 board. Source: SpI/O's register banks, as BC&MP reaches them.
///
/// | Bank | Address | What |
/// |---|---|---|
/// | link 0, 1 | 0x00000, 0x10000 | one inter-board link each: ``LinkBank`` |
/// | peripheral | 0x20000 | the link to peripherals: ``LinkBank`` |
/// | global | 0x40000 | version, flags, keys, transceivers |
public enum FPGARegister {
    /// Version of the FPGA's design.
    public static let version: UInt32 = 0x40000
    /// Bits 1...0: the number of the FPGA (0, 1, 2); 3 says that it is not configured.
    public static let flag: UInt32 = 0x40004
    public static let peripheralKey: UInt32 = 0x40008
    public static let peripheralMask: UInt32 = 0x4000C
    public static let scrambler: UInt32 = 0x40010
    public static let sleep: UInt32 = 0x40014
    public static let ledOverride: UInt32 = 0x40018
    public static let receiverEqualiser: UInt32 = 0x4001C
    public static let transmitterDrive: UInt32 = 0x40020
    public static let transmitterPreEmphasis: UInt32 = 0x40024

    /// Bit 0 stops one inter-board link bank (0 or 1).
    public static func stop(bank: UInt32) -> UInt32 { LinkBank.stop.address(bank: bank) }

    /// The registers of one bank of a link, a word each, by their index. Names in SpI/O's sources: VERS CRCE FRME BUSY LNAK
    /// RNAK LACK RACK LOOC ROOC CRDT SFRM TFRM DFRM RFRM EMPT FULL CFCL CFCR IDSO IDSI HAND RECO STOP.
    public enum LinkBank: UInt32, Hashable, Sendable, CaseIterable {
        case version, crcErrors, frameErrors, busy, localNAK, remoteNAK, localACK, remoteACK, localOutOfCredit
        case remoteOutOfCredit, credit, sentFrames, transmittedFrames, droppedFrames, receivedFrames, empty, full
        case localFlowControl, remoteFlowControl, idleOut, idleIn
        /// Not 0 when the board at the other end is up.
        case handshake
        case reconfigurations
        /// Bit 0: send nothing.
        case stop

        /// - Parameter bank: 0 or 1: a link between boards; 2: peripherals.
        public func address(bank: UInt32) -> UInt32 { bank << 16 | self.rawValue * 4 }
    }
}

/// CMD_LINK_READ (17) of a BMP: arg1 register, arg2 bytes, arg3 FPGA 0...2.
public struct ReadFPGARegister: SCPRequest {
    public typealias Response = WordResponse
    public static var command: SCPCommand { .linkRead }
    public var register: UInt32
    public var size: UInt32
    public var fpga: UInt32
    /// The register's low two bits are dropped.
    public init(fpga: UInt32, register: UInt32) {
        self.register = register & ~3
        self.size = 4
        self.fpga = fpga
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.register = arguments.arg1
        self.size = arguments.arg2
        self.fpga = arguments.arg3
    }
    public var arguments: SCPArguments { SCPArguments(self.register, self.size, self.fpga) }
}

/// CMD_LINK_WRITE (18) of a BMP: arg1 register, arg2 bytes, arg3 FPGA 0...2, then the words.
public struct WriteFPGARegister: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .linkWrite }
    public var register: UInt32
    public var size: UInt32
    public var fpga: UInt32
    public var data: ByteBuffer
    public init(fpga: UInt32, register: UInt32, value: UInt32) {
        self.register = register & ~3
        self.size = 4
        self.fpga = fpga
        self.data = ByteBuffer(integer: value, endianness: .little)
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.register = arguments.arg1
        self.size = arguments.arg2
        self.fpga = arguments.arg3
        self.data = data
    }
    public var arguments: SCPArguments { SCPArguments(self.register, self.size, self.fpga) }
}
