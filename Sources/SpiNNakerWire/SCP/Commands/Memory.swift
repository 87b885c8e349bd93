//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// In what units SC&MP copies memory: arg3 of CMD_READ and CMD_WRITE. Any number is a value: SC&MP refuses more than 2.
public struct TransferUnit: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let byte = TransferUnit(rawValue: 0)
    public static let halfWord = TransferUnit(rawValue: 1)
    public static let word = TransferUnit(rawValue: 2)

    /// The widest unit that fits both address and size, as SpiNNMan chooses it. SC&MP does not check alignment: a wrong
    /// unit faults the monitor or leaves a residue unwritten.
    @inlinable
    public static func fitting(address: UInt32, size: Int) -> TransferUnit {
        let low = (address & 3) | UInt32(truncatingIfNeeded: size & 3)
        return low == 0 ? .word : (low == 2 ? .halfWord : .byte)
    }
}

/// CMD_READ (2): arg1 address, arg2 bytes (at most 256), arg3 unit. The reply is the bytes.
public struct ReadMemory: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .read }

    public var address: UInt32
    public var size: UInt32
    public var unit: TransferUnit

    @inlinable
    public init(address: UInt32, size: Int) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: size)
        self.unit = .fitting(address: address, size: size)
    }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.unit = TransferUnit(rawValue: arguments.arg3)
    }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.unit.rawValue) }
}

/// CMD_WRITE (3): arg1 address, arg2 bytes (at most 256), arg3 unit, then the bytes.
public struct WriteMemory: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .write }

    public var address: UInt32
    public var size: UInt32
    public var unit: TransferUnit
    public var data: ByteBuffer

    @inlinable
    public init(address: UInt32, data: ByteBuffer) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: data.readableBytes)
        self.unit = .fitting(address: address, size: data.readableBytes)
        self.data = data
    }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.unit = TransferUnit(rawValue: arguments.arg3)
        self.data = data
    }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.unit.rawValue) }
}

/// CMD_FILL (5): arg1 address, arg2 word, arg3 size in bytes; both address and size whole words.
public struct FillMemory: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .fill }

    public var address: UInt32
    public var word: UInt32
    public var size: UInt32

    @inlinable
    public init(address: UInt32, word: UInt32, size: UInt32) {
        self.address = address
        self.word = word
        self.size = size
    }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(address: arguments.arg1, word: arguments.arg2, size: arguments.arg3)
    }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.address, self.word, self.size) }
}

/// CMD_LINK_READ (17): memory of the neighbour over a link. arg1 address, arg2 bytes, arg3 link number; whole words.
public struct ReadLink: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .linkRead }

    public var address: UInt32
    public var size: UInt32
    /// 0...5; SC&MP refuses more.
    public var link: UInt32

    @inlinable
    public init(address: UInt32, size: Int, link: Link) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: size)
        self.link = UInt32(link.rawValue)
    }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.link = arguments.arg3
    }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.link) }
}

/// CMD_LINK_WRITE (18): arg1 address, arg2 bytes, arg3 link number, then the bytes; whole words.
public struct WriteLink: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .linkWrite }

    public var address: UInt32
    public var size: UInt32
    public var link: UInt32
    public var data: ByteBuffer

    @inlinable
    public init(address: UInt32, data: ByteBuffer, link: Link) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: data.readableBytes)
        self.link = UInt32(link.rawValue)
        self.data = data
    }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.link = arguments.arg3
        self.data = data
    }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.link) }
}
