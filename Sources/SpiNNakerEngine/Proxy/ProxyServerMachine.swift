//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// The proxy's decisions at the server's end, for one websocket of one job.
///
/// A channel is in one of two kinds: connected to one port of one board, or unconnected, which hears every board of the job and
/// addresses each datagram. `Port` is whatever the caller sends datagrams with.
///
/// | What the client did | What happens |
/// |---|---|
/// | OPEN of an unknown chip, a bad port, or one channel too many | ERROR with its correlation |
/// | a fixed frame with extra bytes, any frame too short, ERROR from a client | close 1007 |
/// | an operation above 5 | close 1011 |
/// | MESSAGE on a channel that is not open, or is unconnected | dropped |
/// | MESSAGE_TO with an unknown chip or a bad port, whatever the channel | close 1007 |
/// | MESSAGE_TO on a connected channel | close 1007 |
/// | MESSAGE_TO on a channel that is not open | dropped |
/// | CLOSE of a channel that is not open | CLOSE reply with channel 0 |
package struct ProxyServerMachine<Port> {
    package enum Action {
        /// Open a UDP socket to a board, then call ``opened(_:channel:endpoint:correlation:)`` or
        /// ``openFailed(correlation:because:)``.
        case connect(correlation: UInt32, ProxyEndpoint, IPv4Address)
        /// Open a UDP socket that any board of the job can reach, then call
        /// ``openedUnconnected(_:channel:address:port:correlation:)``.
        case bind(correlation: UInt32)
        case send(Port, ByteBuffer)
        case sendTo(Port, IPv4Address, UInt16, ByteBuffer)
        /// Nothing of this port may be sent to the client after the reply.
        case close(Port, ProxyReply)
        case reply(ProxyReply)
        /// A datagram for a channel that does not take it: counted, not answered.
        case drop
        case violation(WebSocketViolation)
    }

    private struct Channel {
        var port: Port
        /// nil: unconnected.
        var endpoint: ProxyEndpoint?
        var board: IPv4Address?
    }

    package private(set) var boards: [ChipID: IPv4Address]
    package let maximumChannels: Int
    private var addresses: Set<UInt32>
    private var channels: [UInt32: Channel] = [:]
    private var opening = 0

    /// - Parameter boards: the job's Ethernet chips, job-relative, and the boards they are on.
    package init(boards: [ChipID: IPv4Address], maximumChannels: Int) {
        self.boards = boards
        self.addresses = Set(boards.values.map(\.value))
        self.maximumChannels = maximumChannels
    }

    package var channelCount: Int { self.channels.count }

    /// What came in one binary message.
    package mutating func received(_ frame: ByteBuffer) -> Action {
        var frame = frame
        // Nearly everything is a MESSAGE; its head is two words.
        if let head: UInt64 = frame.getInteger(at: frame.readerIndex, endianness: .little),
            UInt32(truncatingIfNeeded: head) == ProxyOpcode.message.rawValue
        {
            guard let channel = self.channels[UInt32(truncatingIfNeeded: head >> 32)], channel.endpoint != nil else {
                return .drop
            }
            frame.moveReaderIndex(forwardBy: 8)
            return .send(channel.port, frame)
        }
        if let code: UInt32 = frame.getInteger(at: frame.readerIndex, endianness: .little), ProxyOpcode(rawValue: code) == nil {
            return .violation(WebSocketViolation(.internalError, "the proxy has no operation \(code)"))
        }
        do {
            return self.received(try ProxyRequest(frame: frame))
        } catch {
            return .violation(WebSocketViolation(.invalidPayload, "\(error)"))
        }
    }

    private mutating func received(_ request: ProxyRequest) -> Action {
        switch request {
        case .open(let correlation, let endpoint):
            guard let board = self.board(of: endpoint) else {
                let what = "no board of this job is at (\(endpoint.x), \(endpoint.y))"
                return .reply(.error(correlation: correlation, message: what))
            }
            guard 1...65535 ~= endpoint.port else {
                return .reply(.error(correlation: correlation, message: "port \(endpoint.port) is not in 1...65535"))
            }
            if let refusal = self.refusalOfOneMore(correlation) { return .reply(refusal) }
            self.opening += 1
            return .connect(correlation: correlation, endpoint, board)
        case .openUnconnected(let correlation):
            if let refusal = self.refusalOfOneMore(correlation) { return .reply(refusal) }
            self.opening += 1
            return .bind(correlation: correlation)
        case .close(let correlation, let id):
            guard let channel = self.channels.removeValue(forKey: id) else {
                return .reply(.closed(correlation: correlation, channel: 0))
            }
            return .close(channel.port, .closed(correlation: correlation, channel: id))
        case .message(let id, let datagram):
            guard let channel = self.channels[id], channel.endpoint != nil else { return .drop }
            return .send(channel.port, datagram)
        case .messageTo(let id, let endpoint, let datagram):
            guard let board = self.board(of: endpoint), let port = UInt16(exactly: endpoint.port), port > 0 else {
                let what =
                    "MESSAGE_TO: no board of this job is at (\(endpoint.x), \(endpoint.y)), or port \(endpoint.port) is none"
                return .violation(WebSocketViolation(.invalidPayload, what))
            }
            guard let channel = self.channels[id] else { return .drop }
            guard channel.endpoint == nil else {
                return .violation(WebSocketViolation(.invalidPayload, "MESSAGE_TO on channel \(id), which is connected"))
            }
            return .sendTo(channel.port, board, port, datagram)
        }
    }

    /// The reply goes out before any datagram of the channel.
    package mutating func opened(_ port: Port, channel: UInt32, endpoint: ProxyEndpoint, correlation: UInt32) -> ProxyReply {
        self.opening = max(0, self.opening - 1)
        self.channels[channel] = Channel(port: port, endpoint: endpoint, board: self.board(of: endpoint))
        return .opened(correlation: correlation, channel: channel)
    }

    package mutating func openedUnconnected(
        _ port: Port, channel: UInt32, address: IPv4Address, port number: UInt16, correlation: UInt32
    ) -> ProxyReply {
        self.opening = max(0, self.opening - 1)
        self.channels[channel] = Channel(port: port, endpoint: nil, board: nil)
        return .openedUnconnected(correlation: correlation, channel: channel, address: address, port: UInt32(number))
    }

    package mutating func openFailed(correlation: UInt32, because message: String) -> ProxyReply {
        self.opening = max(0, self.opening - 1)
        return .error(correlation: correlation, message: message)
    }

    package func isOpen(channel: UInt32) -> Bool { self.channels[channel] != nil }

    /// Whether an unconnected channel may hear this sender; its port is not looked at.
    package func isOfJob(_ address: IPv4Address) -> Bool { self.addresses.contains(address.value) }

    /// Whether an OPEN decided earlier still holds: the job may have lost the board while its socket was opened.
    package func reaches(_ endpoint: ProxyEndpoint, _ board: IPv4Address) -> Bool { self.board(of: endpoint) == board }

    /// The job's boards are these from now on. Answers whether a channel was open to a board that is lost: that websocket
    /// has to end, since there is no frame to tell the client by.
    package mutating func updateBoards(_ boards: [ChipID: IPv4Address]) -> Bool {
        self.boards = boards
        self.addresses = Set(boards.values.map(\.value))
        return self.channels.values.contains { channel in
            guard let endpoint = channel.endpoint else { return false }
            return self.board(of: endpoint) != channel.board
        }
    }

    /// The end: everything that is to be closed.
    package mutating func removeAll() -> [Port] {
        let ports = self.channels.values.map(\.port)
        self.channels.removeAll()
        self.boards.removeAll()
        self.addresses.removeAll()
        return ports
    }

    private func board(of endpoint: ProxyEndpoint) -> IPv4Address? { endpoint.chip.flatMap { self.boards[$0] } }

    private func refusalOfOneMore(_ correlation: UInt32) -> ProxyReply? {
        guard self.channels.count + self.opening >= self.maximumChannels else { return nil }
        return .error(correlation: correlation, message: "a websocket has at most \(self.maximumChannels) channels")
    }
}
