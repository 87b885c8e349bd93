//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_RESET (55): the reset line of boards' chips (and FPGAs): arg1 `delay << 16 | operation`, arg2 mask of boards.
public struct ResetBoards: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .reset }

    /// Bits 1...0; 3 is refused.
    public enum Line: UInt16, Hashable, Sendable, CaseIterable {
        case release = 0
        case hold = 1
        /// One millisecond.
        case pulse = 2
    }

    /// The low half of arg1: a ``Line``, plus 4 for the FPGAs as well.
    public var operation: UInt16
    /// Milliseconds, times its own number, that each board waits.
    public var delay: UInt16
    /// Bit n: board n of the frame.
    public var boards: UInt32

    public init(_ line: Line, fpgas: Bool = false, boards: UInt32, delay: UInt16 = 0) {
        self.operation = line.rawValue | (fpgas ? 4 : 0)
        self.delay = delay
        self.boards = boards
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.operation = UInt16(truncatingIfNeeded: arguments.arg1)
        self.delay = UInt16(truncatingIfNeeded: arguments.arg1 >> 16)
        self.boards = arguments.arg2
    }
    /// nil: one that a BMP refuses.
    public var line: Line? { Line(rawValue: self.operation & ~4) }
    public var includesFPGAs: Bool { self.operation & 4 != 0 }
    public var arguments: SCPArguments { SCPArguments(UInt32(self.delay) << 16 | UInt32(self.operation), self.boards) }
}

/// CMD_XILINX (56): configures FPGAs directly: arg1 0 a piece of bit file (data, arg2 bytes), 1 begin (arg2 mask of
/// FPGAs), 2 reset (arg2 code 0...2).
public struct ConfigureFPGAs: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .xilinx }

    public struct Operation: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let send = Operation(rawValue: 0)
        public static let initialise = Operation(rawValue: 1)
        public static let reset = Operation(rawValue: 2)
    }

    public var operation: Operation
    public var parameter: UInt32
    public var data: ByteBuffer

    public init(_ operation: Operation, parameter: UInt32, data: ByteBuffer = ByteBuffer()) {
        self.operation = operation
        self.parameter = parameter
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(Operation(rawValue: arguments.arg1), parameter: arguments.arg2, data: data)
    }
    public var arguments: SCPArguments { SCPArguments(self.operation.rawValue, self.parameter) }

    public static func send(_ piece: ByteBuffer) -> ConfigureFPGAs {
        ConfigureFPGAs(.send, parameter: UInt32(truncatingIfNeeded: piece.readableBytes), data: piece)
    }
    public static func initialise(fpgas: UInt32) -> ConfigureFPGAs { ConfigureFPGAs(.initialise, parameter: fpgas) }
    public static func reset(code: UInt32) -> ConfigureFPGAs { ConfigureFPGAs(.reset, parameter: code) }
}
