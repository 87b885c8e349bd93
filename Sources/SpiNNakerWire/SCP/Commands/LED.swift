//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What to do with a LED: two bits.
public enum LEDAction: UInt8, Hashable, Sendable, CaseIterable {
    case leave = 0
    case toggle = 1
    case off = 2
    case on = 3
}

/// Actions for up to sixteen LEDs, two bits each, LED 0 lowest: arg1 of CMD_LED.
public struct LEDActions: Hashable, Sendable {
    public var word: UInt32
    public init(word: UInt32 = 0) { self.word = word }

    /// LEDs above 15 do not exist: reading says ``LEDAction/leave``, writing does nothing.
    public subscript(led: UInt8) -> LEDAction {
        get { led < 16 ? LEDAction(rawValue: UInt8(self.word >> (UInt32(led) * 2) & 3)) ?? .leave : .leave }
        set {
            guard led < 16 else { return }
            let shift = UInt32(led) * 2
            self.word = self.word & ~(3 << shift) | UInt32(newValue.rawValue) << shift
        }
    }
}

/// CMD_LED (25) to a chip: arg1 ``LEDActions``.
public struct SetLEDs: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .led }

    public var actions: LEDActions
    public init(_ actions: LEDActions) { self.actions = actions }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.actions = LEDActions(word: arguments.arg1)
    }
    public var arguments: SCPArguments { SCPArguments(self.actions.word) }
}

/// CMD_LED (25) to a BMP: arg1 ``LEDActions`` for LEDs 0...7, arg2 mask of boards. LED 1 shows the power.
public struct SetBoardLEDs: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .led }

    public var actions: LEDActions
    /// Bit n: board n of the frame.
    public var boards: UInt32
    public init(_ actions: LEDActions, boards: UInt32) {
        self.actions = actions
        self.boards = boards
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.actions = LEDActions(word: arguments.arg1)
        self.boards = arguments.arg2
    }
    public var arguments: SCPArguments { SCPArguments(self.actions.word, self.boards) }
}
