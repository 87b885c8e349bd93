//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Limits of SCP on UDP port 17893.
public enum SCP {
    /// The UDP port on which SC&MP and a BMP listen.
    public static let port = 17893
    /// The most data that one request or reply carries; also what a version reply advertises.
    public static let maximumData = 256
    /// SDP header and SCP header of a request: what SC&MP demands at the least.
    public static let requestHeaderSize = 24
    /// Padding, SDP header, SCP header and data of the longest request.
    public static let maximumRequestDatagram = 282
    /// The longest reply.
    public static let maximumReplyDatagram = 270
}

/// An SCP request as it travels, of any command: what a board or BMP receives.
///
/// | Offset in the UDP payload | Size | Field |
/// |---|---|---|
/// | 0 | 2 | padding |
/// | 2 | 8 | ``SDPHeader`` |
/// | 10 | 2 | command |
/// | 12 | 2 | sequence |
/// | 14 | 12 | arg1, arg2, arg3 |
/// | 26 | 0...256 | data |
public struct SCPPacket: Hashable, Sendable {
    public var header: SDPHeader
    public var command: SCPCommand
    public var sequence: UInt16
    public var arguments: SCPArguments
    public var data: ByteBuffer

    @inlinable
    public init(header: SDPHeader, command: SCPCommand, sequence: UInt16, arguments: SCPArguments, data: ByteBuffer) {
        self.header = header
        self.command = command
        self.sequence = sequence
        self.arguments = arguments
        self.data = data
    }

    /// A request addressed to a core (or, on a BMP, to a board).
    @inlinable
    public init<Request: SCPRequest>(_ request: Request, to core: CoreID, sequence: UInt16, flags: SDPFlags = .replyExpected) {
        self.init(
            header: SDPHeader(flags: flags, destination: SDPAddress(port: 0, cpu: core.p), destinationChip: core.chip),
            command: Request.command, sequence: sequence, arguments: request.arguments, data: request.data)
    }

    /// From a UDP payload, all three argument words present.
    @inlinable
    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        try buffer.skip(SDPHeader.udpPadding, of: "SCP request")
        let header = try SDPHeader(from: &buffer)
        try self.init(header: header, body: buffer)
    }

    /// From what follows the SDP header.
    @inlinable
    public init(header: SDPHeader, body: ByteBuffer) throws(WireError) {
        var buffer = body
        try buffer.require(16, of: "SCP request")
        self.header = header
        self.command = SCPCommand(rawValue: try buffer.take(of: "SCP request"))
        self.sequence = try buffer.take(of: "SCP request")
        let arg1: UInt32 = try buffer.take(of: "SCP request")
        let arg2: UInt32 = try buffer.take(of: "SCP request")
        let arg3: UInt32 = try buffer.take(of: "SCP request")
        self.arguments = SCPArguments(arg1, arg2, arg3)
        self.data = buffer
    }

    @inlinable
    public func writeDatagram(into buffer: inout ByteBuffer) {
        buffer.put(UInt16(0))
        self.header.write(into: &buffer)
        // command, sequence and arg1 in one store, arg2 and arg3 in another.
        buffer.put(
            UInt64(self.command.rawValue) | UInt64(self.sequence) << 16 | UInt64(self.arguments.arg1) << 32)
        buffer.put(UInt64(self.arguments.arg2) | UInt64(self.arguments.arg3) << 32)
        if self.data.readableBytes > 0 {
            buffer.writeImmutableBuffer(self.data)
        }
    }
}

/// An SCP reply as it travels, of any command.
///
/// | Offset in the UDP payload | Size | Field |
/// |---|---|---|
/// | 0 | 2 | padding |
/// | 2 | 8 | ``SDPHeader``: source and destination swapped, flags without bit 7, a transient tag |
/// | 10 | 2 | result |
/// | 12 | 2 | sequence, echoed |
/// | 14 | 0...256 | payload |
public struct SCPReply: Hashable, Sendable {
    public var header: SDPHeader
    public var result: SCPResult
    public var sequence: UInt16
    /// A slice of the datagram.
    public var payload: ByteBuffer

    @inlinable
    public init(header: SDPHeader, result: SCPResult, sequence: UInt16, payload: ByteBuffer = ByteBuffer()) {
        self.header = header
        self.result = result
        self.sequence = sequence
        self.payload = payload
    }

    @inlinable
    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        try buffer.skip(SDPHeader.udpPadding, of: "SCP reply")
        self.header = try SDPHeader(from: &buffer)
        self.result = SCPResult(rawValue: try buffer.take(of: "SCP reply"))
        self.sequence = try buffer.take(of: "SCP reply")
        self.payload = buffer
    }

    @inlinable
    public func writeDatagram(into buffer: inout ByteBuffer) {
        buffer.put(UInt16(0))
        self.header.write(into: &buffer)
        buffer.put(UInt32(self.result.rawValue) | UInt32(self.sequence) << 16)
        buffer.writeImmutableBuffer(self.payload)
    }

    /// The payload as the request's own reply type. The result must be RC_OK: a caller looks at it first.
    @inlinable
    public func decode<Request: SCPRequest>(for _: Request.Type) throws(WireError) -> Request.Response {
        try Request.Response(payload: self.payload)
    }
}
