//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The three argument words of an SCP request.
public struct SCPArguments: Hashable, Sendable {
    public var arg1: UInt32
    public var arg2: UInt32
    public var arg3: UInt32

    @inlinable
    public init(_ arg1: UInt32 = 0, _ arg2: UInt32 = 0, _ arg3: UInt32 = 0) {
        self.arg1 = arg1
        self.arg2 = arg2
        self.arg3 = arg3
    }
}

/// An SCP request: a value that knows its command, its words, its data, and the type of its reply.
///
/// Where it goes (chip, core, board) is not part of it: see ``SCPPacket``.
public protocol SCPRequest: Hashable, Sendable {
    associatedtype Response: SCPResponse

    static var command: SCPCommand { get }
    /// arg1...arg3, as sent.
    var arguments: SCPArguments { get }
    /// What follows the arguments: at most 256 bytes. Empty for most.
    var data: ByteBuffer { get }

    /// The other direction, for the side that is asked.
    init(arguments: SCPArguments, data: ByteBuffer) throws(WireError)

    /// The failure whose reply holds a ``Response`` all the same; nil for most commands.
    static var failureWithReply: SCPResult? { get }
}

extension SCPRequest {
    @inlinable
    public var data: ByteBuffer { ByteBuffer() }
    @inlinable
    public static var failureWithReply: SCPResult? { nil }
    /// Whether a reply with this result holds a ``Response``. RC_OK does; for a few commands so does one kind of failure.
    @inlinable
    public static func carriesReply(_ result: SCPResult) -> Bool { result == .ok || result == Self.failureWithReply }
}

/// The payload of a successful reply: what follows the sequence number.
public protocol SCPResponse: Hashable, Sendable {
    /// `payload` starts at byte 14 of the UDP datagram.
    init(payload: ByteBuffer) throws(WireError)
    func write(into buffer: inout ByteBuffer)
}

/// The reply of a command that returns nothing. Whatever payload is there is ignored.
public struct EmptyResponse: SCPResponse {
    @inlinable
    public init() {}
    @inlinable
    public init(payload: ByteBuffer) throws(WireError) {}
    @inlinable
    public func write(into buffer: inout ByteBuffer) {}
}

/// The reply of a command that returns bytes (READ, LINK_READ, serial flash): as many u8 as were asked for.
public struct BytesResponse: SCPResponse {
    /// A slice of the datagram: not copied.
    public var bytes: ByteBuffer
    @inlinable
    public init(bytes: ByteBuffer) { self.bytes = bytes }
    @inlinable
    public init(payload: ByteBuffer) throws(WireError) { self.bytes = payload }
    @inlinable
    public func write(into buffer: inout ByteBuffer) { buffer.writeImmutableBuffer(self.bytes) }
}

/// The reply of a command that returns one word: u32.
public struct WordResponse: SCPResponse {
    public var word: UInt32
    @inlinable
    public init(word: UInt32) { self.word = word }
    @inlinable
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.word = try payload.take(of: "SCP reply of one word")
    }
    @inlinable
    public func write(into buffer: inout ByteBuffer) { buffer.put(self.word) }
}
