//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_IPTAG (26) to a BMP: like SC&MP's, without flags, and with the timeout elsewhere.
///
/// | Word | Bits | Field |
/// |---|---|---|
/// | arg1 | 31...16 | operation: 0 new, 1 set, 2 get, 3 clear, 4 timeout |
/// | | 7...0 | tag |
/// | arg2 | 19...16 | timeout code |
/// | | 15...0 | UDP port; for "get" the number of entries, for "timeout" the code |
/// | arg3 | | IPv4, first octet lowest; no "0 is the sender" here |
public struct BMPIPTagCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .ipTag }

    public var operation: IPTagCommand.Operation
    public var tag: UInt8
    public var timeoutCode: UInt8
    public var port: UInt16
    public var address: IPv4Address

    public init(
        _ operation: IPTagCommand.Operation, tag: UInt8 = 0, timeoutCode: UInt8 = 0, port: UInt16 = 0,
        address: IPv4Address = .any
    ) {
        self.operation = operation
        self.tag = tag
        self.timeoutCode = timeoutCode
        self.port = port
        self.address = address
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.operation = IPTagCommand.Operation(rawValue: UInt8(truncatingIfNeeded: arguments.arg1 >> 16))
        self.tag = UInt8(truncatingIfNeeded: arguments.arg1)
        self.timeoutCode = UInt8(arguments.arg2 >> 16 & 0xF)
        self.port = UInt16(truncatingIfNeeded: arguments.arg2)
        self.address = IPv4Address(wireWord: arguments.arg3)
    }
    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.operation.rawValue) << 16 | UInt32(self.tag),
            UInt32(self.timeoutCode & 0xF) << 16 | UInt32(self.port), self.address.wireWord)
    }
}

/// One entry of a BMP's tag table.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | 4 bytes | IPv4 |
/// | 4 | 6 bytes | MAC |
/// | 10 | u16 | port |
/// | 12 | u16 | remaining timeout, 10 ms ticks |
/// | 14 | u16 | flags, as ``IPTagEntry/Flags`` |
/// | 16 | u32 | messages counted |
/// | 20 | 4 bytes | padding |
public struct BMPIPTagEntry: Hashable, Sendable {
    public static let size = 24

    public var address: IPv4Address
    /// The 48-bit MAC, first octet most significant.
    public var mac: UInt64
    public var port: UInt16
    public var timeout: UInt16
    public var flags: IPTagEntry.Flags
    public var count: UInt32

    public init(
        address: IPv4Address = .any, mac: UInt64 = 0, port: UInt16 = 0, timeout: UInt16 = 0, flags: IPTagEntry.Flags = [],
        count: UInt32 = 0
    ) {
        self.address = address
        self.mac = mac
        self.port = port
        self.timeout = timeout
        self.flags = flags
        self.count = count
    }
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(BMPIPTagEntry.size, of: "BMP IP tag entry")
        self.address = IPv4Address(wireWord: try buffer.take(of: "BMP IP tag entry"))
        self.mac = try buffer.takeMAC(of: "BMP IP tag entry")
        self.port = try buffer.take(of: "BMP IP tag entry")
        self.timeout = try buffer.take(of: "BMP IP tag entry")
        self.flags = IPTagEntry.Flags(rawValue: try buffer.take(of: "BMP IP tag entry"))
        self.count = try buffer.take(of: "BMP IP tag entry")
        try buffer.skip(4, of: "BMP IP tag entry")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.address.wireWord)
        buffer.putMAC(self.mac)
        buffer.put(self.port)
        buffer.put(self.timeout)
        buffer.put(self.flags.rawValue)
        buffer.put(self.count)
        buffer.writeRepeatingByte(0, count: 4)
    }
}
