//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// A signal to the cores of an application. Any number is a value.
public struct Signal: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Cores run the idle stub again.
    public static let initialise = Signal(rawValue: 0)
    public static let powerDown = Signal(rawValue: 1)
    /// Cores go back to the stub; the application's memory and routes are freed.
    public static let stop = Signal(rawValue: 2)
    public static let start = Signal(rawValue: 3)
    public static let sync0 = Signal(rawValue: 4)
    public static let sync1 = Signal(rawValue: 5)
    public static let pause = Signal(rawValue: 6)
    public static let `continue` = Signal(rawValue: 7)
    public static let exit = Signal(rawValue: 8)
    public static let timer = Signal(rawValue: 9)
    public static let user0 = Signal(rawValue: 10)
    public static let user1 = Signal(rawValue: 11)
    public static let user2 = Signal(rawValue: 12)
    public static let user3 = Signal(rawValue: 13)

    /// How it travels: the first three flood from neighbour to neighbour, the rest are multicast packets.
    public var type: SignalType { self.rawValue < 3 ? .nearestNeighbour : .multicast }
}

/// How a signal travels. Any number is a value; SC&MP 4 refuses 1 (the old P2P counting) and more than 2.
public struct SignalType: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Only the root chip accepts it: address `ChipID.root`.
    public static let multicast = SignalType(rawValue: 0)
    public static let pointToPoint = SignalType(rawValue: 1)
    public static let nearestNeighbour = SignalType(rawValue: 2)
}

/// Which applications: those whose `id & mask == application`. With a signal it is the data word of a packet.
///
/// | Bits | Field |
/// |---|---|
/// | 31...24 | spare; SpiNNMan's stop puts 5 << 28 here |
/// | 23...16 | signal |
/// | 15...8 | mask of the application's number |
/// | 7...0 | application |
public struct SignalTarget: Hashable, Sendable {
    public var signal: Signal
    public var mask: UInt8
    public var application: UInt8
    public var spare: UInt8

    public init(_ signal: Signal, application: UInt8, mask: UInt8 = 0xFF, spare: UInt8 = 0) {
        self.signal = signal
        self.application = application
        self.mask = mask
        self.spare = spare
    }
    public init(word: UInt32) {
        self.application = UInt8(truncatingIfNeeded: word)
        self.mask = UInt8(truncatingIfNeeded: word >> 8)
        self.signal = Signal(rawValue: UInt8(truncatingIfNeeded: word >> 16))
        self.spare = UInt8(truncatingIfNeeded: word >> 24)
    }
    public var word: UInt32 {
        UInt32(self.spare) << 24 | UInt32(self.signal.rawValue) << 16 | UInt32(self.mask) << 8 | UInt32(self.application)
    }
    public func matches(application: UInt8) -> Bool { application & self.mask == self.application }
}

/// CMD_SIG (22). arg1 type, arg2 ``SignalTarget``, arg3 0xFFFF (a mask of cores that SC&MP 4 does not look at).
public struct SendSignal: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .signal }

    public var type: SignalType
    public var target: SignalTarget
    public var arg3: UInt32

    public init(_ signal: Signal, application: UInt8, mask: UInt8 = 0xFF) {
        self.type = signal.type
        self.target = SignalTarget(signal, application: application, mask: mask)
        self.arg3 = 0xFFFF
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.type = SignalType(rawValue: arguments.arg1)
        self.target = SignalTarget(word: arguments.arg2)
        self.arg3 = arguments.arg3
    }
    public var arguments: SCPArguments { SCPArguments(self.type.rawValue, self.target.word, self.arg3) }
}
