//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// A board of a job as the proxy addresses it: its Ethernet chip, job-relative, and a UDP port.
public struct ProxyEndpoint: Hashable, Sendable {
    public var x: UInt32
    public var y: UInt32
    public var port: UInt32
    @inlinable
    public init(x: UInt32, y: UInt32, port: UInt32) {
        self.x = x
        self.y = y
        self.port = port
    }
    @inlinable
    public init(chip: ChipID, port: Int) {
        self.init(x: UInt32(chip.x), y: UInt32(chip.y), port: UInt32(truncatingIfNeeded: port))
    }
    /// The chip, when x and y are of one.
    @inlinable
    public var chip: ChipID? {
        guard let x = UInt8(exactly: self.x), let y = UInt8(exactly: self.y) else { return nil }
        return ChipID(x: x, y: y)
    }
}

/// The six operations of the websocket proxy. All fields are little-endian 32-bit words; every frame is binary.
public enum ProxyOpcode: UInt32, Sendable, CaseIterable {
    case open = 0
    case close = 1
    case message = 2
    case openUnconnected = 3
    case messageTo = 4
    case error = 5
}

/// What a client sends to the proxy.
///
/// | Operation | Words | Then |
/// |---|---|---|
/// | OPEN 0 | correlation, x, y, port | – |
/// | CLOSE 1 | correlation, channel | – |
/// | MESSAGE 2 | channel | the datagram |
/// | OPEN_UNCONNECTED 3 | correlation | – |
/// | MESSAGE_TO 4 | channel, x, y, port | the datagram |
public enum ProxyRequest: Hashable, Sendable {
    case open(correlation: UInt32, ProxyEndpoint)
    case close(correlation: UInt32, channel: UInt32)
    case message(channel: UInt32, ByteBuffer)
    case openUnconnected(correlation: UInt32)
    case messageTo(channel: UInt32, ProxyEndpoint, ByteBuffer)

    /// From the payload of one binary websocket message. Frames of fixed length must have just that length.
    public init(frame: ByteBuffer) throws(WireError) {
        var frame = frame
        let code: UInt32 = try frame.take(of: "proxy request")
        switch ProxyOpcode(rawValue: code) {
        case .open:
            let correlation: UInt32 = try frame.take(of: "proxy OPEN")
            self = .open(correlation: correlation, try ProxyEndpoint(from: &frame))
            try frame.requireEnd(of: "proxy OPEN")
        case .close:
            let correlation: UInt32 = try frame.take(of: "proxy CLOSE")
            self = .close(correlation: correlation, channel: try frame.take(of: "proxy CLOSE"))
            try frame.requireEnd(of: "proxy CLOSE")
        case .message:
            let channel: UInt32 = try frame.take(of: "proxy MESSAGE")
            self = .message(channel: channel, frame)
        case .openUnconnected:
            self = .openUnconnected(correlation: try frame.take(of: "proxy OPEN_UNCONNECTED"))
            try frame.requireEnd(of: "proxy OPEN_UNCONNECTED")
        case .messageTo:
            let channel: UInt32 = try frame.take(of: "proxy MESSAGE_TO")
            let endpoint = try ProxyEndpoint(from: &frame)
            self = .messageTo(channel: channel, endpoint, frame)
        case .error, nil:
            throw .invalid(message: "proxy request", field: "operation", value: UInt64(code))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .open(let correlation, let endpoint):
            buffer.put(ProxyOpcode.open.rawValue)
            buffer.put(correlation)
            endpoint.write(into: &buffer)
        case .close(let correlation, let channel):
            buffer.put(ProxyOpcode.close.rawValue)
            buffer.put(correlation)
            buffer.put(channel)
        case .message(let channel, let payload):
            ProxyRequest.writeMessageHead(channel: channel, into: &buffer)
            buffer.writeImmutableBuffer(payload)
        case .openUnconnected(let correlation):
            buffer.put(ProxyOpcode.openUnconnected.rawValue)
            buffer.put(correlation)
        case .messageTo(let channel, let endpoint, let payload):
            buffer.put(ProxyOpcode.messageTo.rawValue)
            buffer.put(channel)
            endpoint.write(into: &buffer)
            buffer.writeImmutableBuffer(payload)
        }
    }

    /// The 8 bytes before a MESSAGE's datagram (the same in both directions), for whoever writes the datagram in place.
    @inlinable
    public static func writeMessageHead(channel: UInt32, into buffer: inout ByteBuffer) {
        buffer.put(UInt64(ProxyOpcode.message.rawValue) | UInt64(channel) << 32)
    }
}

/// What the proxy sends to a client.
///
/// | Operation | Words | Then |
/// |---|---|---|
/// | OPEN 0 | correlation, channel | – |
/// | CLOSE 1 | correlation, channel (0: was not open) | – |
/// | MESSAGE 2 | channel | the datagram |
/// | OPEN_UNCONNECTED 3 | correlation, channel | IPv4 (first octet first), port word |
/// | ERROR 5 | correlation | UTF-8 text, perhaps none |
public enum ProxyReply: Hashable, Sendable {
    case opened(correlation: UInt32, channel: UInt32)
    case closed(correlation: UInt32, channel: UInt32)
    case message(channel: UInt32, ByteBuffer)
    case openedUnconnected(correlation: UInt32, channel: UInt32, address: IPv4Address, port: UInt32)
    case error(correlation: UInt32, message: String)

    public init(frame: ByteBuffer) throws(WireError) {
        var frame = frame
        let code: UInt32 = try frame.take(of: "proxy reply")
        let first: UInt32 = try frame.take(of: "proxy reply")
        switch ProxyOpcode(rawValue: code) {
        case .open:
            self = .opened(correlation: first, channel: try frame.take(of: "proxy OPEN reply"))
            try frame.requireEnd(of: "proxy OPEN reply")
        case .close:
            self = .closed(correlation: first, channel: try frame.take(of: "proxy CLOSE reply"))
            try frame.requireEnd(of: "proxy CLOSE reply")
        case .message:
            self = .message(channel: first, frame)
        case .openUnconnected:
            let channel: UInt32 = try frame.take(of: "proxy OPEN_UNCONNECTED reply")
            let address: UInt32 = try frame.take(of: "proxy OPEN_UNCONNECTED reply")
            let port: UInt32 = try frame.take(of: "proxy OPEN_UNCONNECTED reply")
            self = .openedUnconnected(correlation: first, channel: channel, address: IPv4Address(wireWord: address), port: port)
            try frame.requireEnd(of: "proxy OPEN_UNCONNECTED reply")
        case .error:
            // Text for people: a bad byte in it must not hide the error itself.
            self = .error(correlation: first, message: String(decoding: frame.readableBytesView, as: UTF8.self))
        case .messageTo, nil:
            throw .invalid(message: "proxy reply", field: "operation", value: UInt64(code))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .opened(let correlation, let channel):
            buffer.put(ProxyOpcode.open.rawValue)
            buffer.put(correlation)
            buffer.put(channel)
        case .closed(let correlation, let channel):
            buffer.put(ProxyOpcode.close.rawValue)
            buffer.put(correlation)
            buffer.put(channel)
        case .message(let channel, let payload):
            ProxyRequest.writeMessageHead(channel: channel, into: &buffer)
            buffer.writeImmutableBuffer(payload)
        case .openedUnconnected(let correlation, let channel, let address, let port):
            buffer.put(ProxyOpcode.openUnconnected.rawValue)
            buffer.put(correlation)
            buffer.put(channel)
            buffer.put(address.wireWord)
            buffer.put(port)
        case .error(let correlation, let message):
            buffer.put(ProxyOpcode.error.rawValue)
            buffer.put(correlation)
            buffer.writeString(message)
        }
    }
}

extension ProxyEndpoint {
    init(from buffer: inout ByteBuffer) throws(WireError) {
        self.x = try buffer.take(of: "proxy endpoint")
        self.y = try buffer.take(of: "proxy endpoint")
        self.port = try buffer.take(of: "proxy endpoint")
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.put(self.x)
        buffer.put(self.y)
        buffer.put(self.port)
    }
}
