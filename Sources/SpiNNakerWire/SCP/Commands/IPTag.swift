//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_IPTAG (26), every operation.
///
/// | arg1 bits | Field |
/// |---|---|
/// | 31...28 | flags: 28 strip SDP headers, 29 reverse tag, 30 use the sender's address and port |
/// | 27...24 | timeout code: 0 permanent, n: 10 ms · 2^(n-1) |
/// | 23...16 | operation: 0 new, 1 set, 2 get, 3 clear, 4 timeout |
/// | 15...8 | destination port and core (reverse tags) |
/// | 7...0 | tag |
///
/// The reply depends on the operation: a word (new, set, timeout), entries (get) or nothing; decode
/// ``BytesResponse/bytes`` with ``IPTagEntry``, ``IPTagTimeoutInfo`` or ``WordResponse``. The requests below name the
/// operations and have the right reply type each.
public struct IPTagCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .ipTag }

    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let strip = Flags(rawValue: 1)
        public static let reverse = Flags(rawValue: 2)
        public static let useSender = Flags(rawValue: 4)
    }

    /// Any number is a value; SC&MP refuses more than 4.
    public struct Operation: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let new = Operation(rawValue: 0)
        public static let set = Operation(rawValue: 1)
        public static let get = Operation(rawValue: 2)
        public static let clear = Operation(rawValue: 3)
        public static let timeout = Operation(rawValue: 4)
    }

    public var flags: Flags
    public var timeoutCode: UInt8
    public var operation: Operation
    public var destination: SDPAddress
    public var tag: UInt8
    public var arg2: UInt32
    public var arg3: UInt32

    public init(
        operation: Operation, tag: UInt8 = 0, flags: Flags = [], timeoutCode: UInt8 = 0,
        destination: SDPAddress = SDPAddress(byte: 0), arg2: UInt32 = 0, arg3: UInt32 = 0
    ) {
        self.operation = operation
        self.tag = tag
        self.flags = flags
        self.timeoutCode = timeoutCode
        self.destination = destination
        self.arg2 = arg2
        self.arg3 = arg3
    }

    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.flags = Flags(rawValue: UInt8(arguments.arg1 >> 28))
        self.timeoutCode = UInt8(arguments.arg1 >> 24 & 0xF)
        self.operation = Operation(rawValue: UInt8(truncatingIfNeeded: arguments.arg1 >> 16))
        self.destination = SDPAddress(byte: UInt8(truncatingIfNeeded: arguments.arg1 >> 8))
        self.tag = UInt8(truncatingIfNeeded: arguments.arg1)
        self.arg2 = arguments.arg2
        self.arg3 = arguments.arg3
    }

    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.flags.rawValue & 0xF) << 28 | UInt32(self.timeoutCode & 0xF) << 24
                | UInt32(self.operation.rawValue) << 16 | UInt32(self.destination.byte) << 8 | UInt32(self.tag),
            self.arg2, self.arg3)
    }
}

/// A CMD_IPTAG of one operation, with that operation's reply type.
public protocol IPTagRequest: SCPRequest {
    var tagCommand: IPTagCommand { get }
    init(_ command: IPTagCommand)
}

extension IPTagRequest {
    public static var command: SCPCommand { .ipTag }
    public var arguments: SCPArguments { self.tagCommand.arguments }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(try IPTagCommand(arguments: arguments, data: data))
    }
}

/// Sets a tag: messages that leave the machine through it go to this address and port. Replies the tag.
public struct SetIPTag: IPTagRequest {
    public typealias Response = WordResponse
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    /// - Parameters:
    ///   - address: nil: the sender's own address.
    ///   - useSender: take address *and port* from where this request came (a listener behind NAT does).
    public init(tag: UInt8, address: IPv4Address?, port: UInt16, strip: Bool, useSender: Bool = false) {
        var flags: IPTagCommand.Flags = []
        if strip { flags.insert(.strip) }
        if useSender { flags.insert(.useSender) }
        self.tagCommand = IPTagCommand(
            operation: .set, tag: tag, flags: flags, arg2: UInt32(port), arg3: address?.wireWord ?? 0)
    }
}

extension SCPPacket {
    /// Points a tag at the socket that sends this: what a listener behind a NAT or a proxy sends from its own port, past
    /// any request pipeline. Sequence 0, source the Ethernet chip itself.
    /// - Parameter flags: with ``SDPFlags/noRouting`` the chip that receives it acts, whatever its address.
    public static func reprogramTag(
        _ tag: UInt8, of ethernetChip: ChipID, strip: Bool, flags: SDPFlags = .replyExpected
    ) -> SCPPacket {
        var packet = SCPPacket(
            SetIPTag(tag: tag, address: nil, port: 0, strip: strip, useSender: true), to: .monitor(of: ethernetChip),
            sequence: 0, flags: flags)
        packet.header.sourceChip = ethernetChip
        return packet
    }
}

/// Takes the first free transient tag, then sets it. Replies the tag; 255: none was free.
public struct NewIPTag: IPTagRequest {
    public typealias Response = WordResponse
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    /// - Parameter address: nil: the sender's own address.
    public init(address: IPv4Address?, port: UInt16, strip: Bool, timeoutCode: UInt8 = 0) {
        self.tagCommand = IPTagCommand(
            operation: .new, flags: strip ? .strip : [], timeoutCode: timeoutCode, arg2: UInt32(port),
            arg3: address?.wireWord ?? 0)
    }
}

/// Sets a reverse tag: UDP that arrives on `port` becomes SDP to `core`'s `sdpPort`. Replies the tag.
public struct SetReverseIPTag: IPTagRequest {
    public typealias Response = WordResponse
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    public init(tag: UInt8, port: UInt16, core: CoreID, sdpPort: UInt8) {
        self.tagCommand = IPTagCommand(
            operation: .set, tag: tag, flags: [.strip, .reverse], destination: SDPAddress(port: sdpPort, cpu: core.p),
            arg2: UInt32(core.chip.p2pAddress) << 16 | UInt32(port))
    }
}

/// Reads `count` entries (at most 8) from `tag` on.
public struct GetIPTags: IPTagRequest {
    public typealias Response = IPTagEntries
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    public init(tag: UInt8, count: UInt32 = 1) {
        self.tagCommand = IPTagCommand(operation: .get, tag: tag, arg2: count)
    }
}

/// Clears a tag: messages through it are dropped then.
public struct ClearIPTag: IPTagRequest {
    public typealias Response = EmptyResponse
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    public init(tag: UInt8) { self.tagCommand = IPTagCommand(operation: .clear, tag: tag) }
}

/// Reads the size of the tag table, and sets the timeout of transient tags when `code` is below 16.
public struct SetIPTagTimeout: IPTagRequest {
    public typealias Response = IPTagTimeoutInfo
    public var tagCommand: IPTagCommand
    public init(_ command: IPTagCommand) { self.tagCommand = command }
    /// - Parameter code: 10 ms · 2^(code-1); 9 is 2.56 s; nil only asks.
    public init(code: UInt8?) {
        self.tagCommand = IPTagCommand(operation: .timeout, arg2: code.map { UInt32($0) } ?? 255)
    }
}

/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u8 | timeout code of transient tags, before this command |
/// | 1 | u8 | bytes per entry (32; on a BMP 0 stands for 24-byte entries) |
/// | 2 | u8 | transient tags (8) |
/// | 3 | u8 | fixed tags (8) |
public struct IPTagTimeoutInfo: SCPResponse {
    public var timeoutCode: UInt8
    public var entrySize: UInt8
    public var poolSize: UInt8
    public var fixedSize: UInt8
    public init(timeoutCode: UInt8, entrySize: UInt8 = 32, poolSize: UInt8 = 8, fixedSize: UInt8 = 8) {
        self.timeoutCode = timeoutCode
        self.entrySize = entrySize
        self.poolSize = poolSize
        self.fixedSize = fixedSize
    }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.timeoutCode = try payload.take(of: "IP tag info")
        self.entrySize = try payload.take(of: "IP tag info")
        self.poolSize = try payload.take(of: "IP tag info")
        self.fixedSize = try payload.take(of: "IP tag info")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.timeoutCode)
        buffer.put(self.entrySize)
        buffer.put(self.poolSize)
        buffer.put(self.fixedSize)
    }
}

/// One entry of SC&MP's tag table.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | 4 bytes | IPv4 |
/// | 4 | 6 bytes | MAC |
/// | 10 | u16 | host port |
/// | 12 | u16 | remaining timeout, 10 ms ticks |
/// | 14 | u16 | flags |
/// | 16 | u32 | messages counted |
/// | 20 | u16 | receive port (reverse tags) |
/// | 22 | u8 y, u8 x | destination chip (reverse tags) |
/// | 24 | u8 | destination port and core (reverse tags) |
/// | 25 | 7 bytes | padding |
public struct IPTagEntry: Hashable, Sendable {
    public static let size = 32

    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let valid = Flags(rawValue: 0x8000)
        public static let transient = Flags(rawValue: 0x4000)
        public static let awaitingARP = Flags(rawValue: 0x2000)
        public static let useSender = Flags(rawValue: 0x0400)
        public static let reverse = Flags(rawValue: 0x0200)
        public static let strip = Flags(rawValue: 0x0100)
    }

    public var address: IPv4Address
    /// The 48-bit MAC, first octet most significant.
    public var mac: UInt64
    public var port: UInt16
    public var timeout: UInt16
    public var flags: Flags
    public var count: UInt32
    public var receivePort: UInt16
    public var destinationChip: ChipID
    public var destination: SDPAddress

    public init(
        address: IPv4Address = .any, mac: UInt64 = 0, port: UInt16 = 0, timeout: UInt16 = 0, flags: Flags = [],
        count: UInt32 = 0, receivePort: UInt16 = 0, destinationChip: ChipID = .origin,
        destination: SDPAddress = SDPAddress(byte: 0)
    ) {
        self.address = address
        self.mac = mac
        self.port = port
        self.timeout = timeout
        self.flags = flags
        self.count = count
        self.receivePort = receivePort
        self.destinationChip = destinationChip
        self.destination = destination
    }

    /// The padding may be missing (SpiNNMan reads 25 bytes).
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        self.address = IPv4Address(wireWord: try buffer.take(of: "IP tag entry"))
        self.mac = try buffer.takeMAC(of: "IP tag entry")
        self.port = try buffer.take(of: "IP tag entry")
        self.timeout = try buffer.take(of: "IP tag entry")
        self.flags = Flags(rawValue: try buffer.take(of: "IP tag entry"))
        self.count = try buffer.take(of: "IP tag entry")
        self.receivePort = try buffer.take(of: "IP tag entry")
        self.destinationChip = ChipID(p2pAddress: try buffer.take(of: "IP tag entry"))
        self.destination = SDPAddress(byte: try buffer.take(of: "IP tag entry"))
        buffer.moveReaderIndex(forwardBy: min(7, buffer.readableBytes))
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.address.wireWord)
        buffer.putMAC(self.mac)
        buffer.put(self.port)
        buffer.put(self.timeout)
        buffer.put(self.flags.rawValue)
        buffer.put(self.count)
        buffer.put(self.receivePort)
        buffer.put(self.destinationChip.p2pAddress)
        buffer.put(self.destination.byte)
        buffer.writeRepeatingByte(0, count: 7)
    }
}

/// The reply of GET: ``IPTagEntry`` after ``IPTagEntry``, 32 bytes each (25 to 32 the last).
public struct IPTagEntries: SCPResponse {
    public var entries: [IPTagEntry]
    public init(entries: [IPTagEntry]) { self.entries = entries }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        var entries: [IPTagEntry] = []
        // An RC_OK without payload is how SC&MP 4 shows a refused argument.
        repeat { entries.append(try IPTagEntry(from: &payload)) } while payload.readableBytes > 0
        self.entries = entries
    }
    public func write(into buffer: inout ByteBuffer) {
        for entry in self.entries { entry.write(into: &buffer) }
    }
}
