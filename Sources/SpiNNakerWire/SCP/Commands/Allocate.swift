//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_ALLOC (28), every operation.
///
/// | arg1 bits | Field |
/// |---|---|
/// | 31...16 | flags: 4 (bit 18) an allocation may be repeated with its tag |
/// | 15...8 | application |
/// | 7...0 | operation |
///
/// | Operation | arg2 | arg3 | Reply | Request type |
/// |---|---|---|---|---|
/// | 0 | bytes | tag | u32 address, 0: failed | ``AllocateSDRAM`` |
/// | 1 | address | | nothing | ``FreeSDRAM`` |
/// | 2 | | | u32 blocks freed | ``FreeSDRAMOfApplication`` |
/// | 3 | entries | | u32 first entry, 0: failed | ``AllocateRouterEntries`` |
/// | 4 | first entry | clear them? | nothing | ``FreeRouterEntries`` |
/// | 5 | clear them? | | u32 blocks freed | ``FreeRouterEntriesOfApplication`` |
/// | 6 | | | u32 free bytes, u32 largest block | ``GetSDRAMSpace`` |
/// | 7 | tag | | u32 address, 0: none | ``GetTaggedSDRAM`` |
public struct AllocateCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .allocate }

    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// A block of the same application, tag and size is returned instead of failing: makes a repeated request harmless.
        public static let retryTag = Flags(rawValue: 4)
    }

    /// Any number is a value; SC&MP refuses more than 7.
    public struct Operation: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let allocateSDRAM = Operation(rawValue: 0)
        public static let freeSDRAM = Operation(rawValue: 1)
        public static let freeSDRAMOfApplication = Operation(rawValue: 2)
        public static let allocateRouterEntries = Operation(rawValue: 3)
        public static let freeRouterEntries = Operation(rawValue: 4)
        public static let freeRouterEntriesOfApplication = Operation(rawValue: 5)
        public static let sdramSpace = Operation(rawValue: 6)
        public static let taggedSDRAM = Operation(rawValue: 7)
    }

    public var operation: Operation
    public var application: UInt8
    public var flags: Flags
    public var arg2: UInt32
    public var arg3: UInt32

    public init(_ operation: Operation, application: UInt8 = 0, flags: Flags = [], arg2: UInt32 = 0, arg3: UInt32 = 0) {
        self.operation = operation
        self.application = application
        self.flags = flags
        self.arg2 = arg2
        self.arg3 = arg3
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.operation = Operation(rawValue: UInt8(truncatingIfNeeded: arguments.arg1))
        self.application = UInt8(truncatingIfNeeded: arguments.arg1 >> 8)
        self.flags = Flags(rawValue: UInt16(truncatingIfNeeded: arguments.arg1 >> 16))
        self.arg2 = arguments.arg2
        self.arg3 = arguments.arg3
    }
    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.flags.rawValue) << 16 | UInt32(self.application) << 8 | UInt32(self.operation.rawValue), self.arg2,
            self.arg3)
    }
}

/// A CMD_ALLOC of one operation, with that operation's reply type.
public protocol AllocateRequest: SCPRequest {
    var allocation: AllocateCommand { get }
    init(_ command: AllocateCommand)
}

extension AllocateRequest {
    public static var command: SCPCommand { .allocate }
    public var arguments: SCPArguments { self.allocation.arguments }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(try AllocateCommand(arguments: arguments, data: data))
    }
}

/// Operation 0: takes a block of SDRAM. Replies its address; 0: there was none, or the tag is taken.
public struct AllocateSDRAM: AllocateRequest {
    public typealias Response = WordResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    /// - Parameters:
    ///   - size: bytes. A repeat is recognised only if this is a number of words.
    ///   - tag: 1...255 names the block within the application; 0: no name. nil: 0, and a repeat allocates again.
    public init(size: UInt32, application: UInt8, tag: UInt8?, mayRepeat: Bool = true) {
        self.allocation = AllocateCommand(
            .allocateSDRAM, application: application, flags: tag != nil && mayRepeat ? .retryTag : [], arg2: size,
            arg3: UInt32(tag ?? 0))
    }
}

/// Operation 1: gives one block back.
public struct FreeSDRAM: AllocateRequest {
    public typealias Response = EmptyResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(address: UInt32) { self.allocation = AllocateCommand(.freeSDRAM, arg2: address) }
}

/// Operation 2: gives back all blocks of an application. Replies how many.
public struct FreeSDRAMOfApplication: AllocateRequest {
    public typealias Response = WordResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(application: UInt8) { self.allocation = AllocateCommand(.freeSDRAMOfApplication, application: application) }
}

/// Operation 3: takes a run of multicast routing entries. Replies the first; 0: there was none.
public struct AllocateRouterEntries: AllocateRequest {
    public typealias Response = WordResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(count: UInt32, application: UInt8) {
        self.allocation = AllocateCommand(.allocateRouterEntries, application: application, arg2: count)
    }
}

/// Operation 4: gives back the run that begins at an entry.
public struct FreeRouterEntries: AllocateRequest {
    public typealias Response = EmptyResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(first: UInt32, clear: Bool) {
        self.allocation = AllocateCommand(.freeRouterEntries, arg2: first, arg3: clear ? 1 : 0)
    }
}

/// Operation 5: gives back all runs of an application. Replies how many.
public struct FreeRouterEntriesOfApplication: AllocateRequest {
    public typealias Response = WordResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(application: UInt8, clear: Bool) {
        self.allocation = AllocateCommand(.freeRouterEntriesOfApplication, application: application, arg2: clear ? 1 : 0)
    }
}

/// Operation 6: how much SDRAM is free?
public struct GetSDRAMSpace: AllocateRequest {
    public typealias Response = SDRAMSpace
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init() { self.allocation = AllocateCommand(.sdramSpace) }
}

/// The reply of operation 6: u32 free bytes, u32 largest block.
public struct SDRAMSpace: SCPResponse {
    public var free: UInt32
    public var largestBlock: UInt32
    public init(free: UInt32, largestBlock: UInt32) {
        self.free = free
        self.largestBlock = largestBlock
    }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.free = try payload.take(of: "SDRAM space")
        self.largestBlock = try payload.take(of: "SDRAM space")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.free)
        buffer.put(self.largestBlock)
    }
}

/// Operation 7: where is the block with this tag? Replies its address; 0: there is none.
public struct GetTaggedSDRAM: AllocateRequest {
    public typealias Response = WordResponse
    public var allocation: AllocateCommand
    public init(_ command: AllocateCommand) { self.allocation = command }
    public init(application: UInt8, tag: UInt8) {
        self.allocation = AllocateCommand(.taggedSDRAM, application: application, arg2: UInt32(tag))
    }
}
