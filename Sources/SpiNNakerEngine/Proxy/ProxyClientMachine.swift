//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// The proxy's book-keeping at the client's end: which call waits for which correlation, and which channel is whose.
///
/// It outlives its websocket. When that is lost, every port that was open is opened again on the next one, under a new
/// channel id; calls that were under way fail. `Port` is who gets a channel's datagrams, `Token` who waits for a call.
///
/// A port is entered when its OPEN is *sent* and gets its channel when the reply is *parsed*, in the order of the
/// frames: a datagram
/// right behind the reply finds its port.
package struct ProxyClientMachine<Port, Token> {
    package struct PortID: Hashable, Sendable, Comparable {
        package let number: UInt64
        package static func < (a: PortID, b: PortID) -> Bool { a.number < b.number }
    }

    /// What a port is opened to; nil: unconnected.
    package typealias Target = ProxyEndpoint?

    package enum Action {
        case deliver(Port, ByteBuffer)
        /// A channel is there. No token: it was opened again by itself, or nobody waits any more.
        case opened(Port, channel: UInt32, local: (address: IPv4Address, port: UInt32)?, Token?)
        case closed(Token?)
        /// A call failed; its port, if it was an OPEN, is gone.
        case failed(Port?, Token?, ProxyError)
        /// To be sent: the reply to an OPEN that nobody waits for any more has left a channel behind.
        case send(ProxyRequest)
        /// Not for us: a datagram of a closed channel, or a frame that is no reply.
        case drop
    }

    private struct Call {
        enum Kind {
            case open(PortID)
            case close(channel: UInt32)
        }
        var kind: Kind
        var token: Token?
        var deadline: NIODeadline
    }

    private enum PortState {
        /// Waits for a websocket; a call that waits with it.
        case waiting(Token?, deadline: NIODeadline?)
        case opening(correlation: UInt32)
        case open(channel: UInt32)
    }

    private struct Entry {
        var port: Port
        var target: Target
        var state: PortState
    }

    private var nextCorrelation: UInt32 = 0
    private var nextPort: UInt64 = 0
    private var calls: [UInt32: Call] = [:]
    private var ports: [PortID: Entry] = [:]
    private var channels: [UInt32: (id: PortID, port: Port)] = [:]
    package private(set) var isConnected = false
    package let callDeadline: TimeAmount

    /// Whose websocket it is, for errors: `job 7`.
    package let label: String

    package init(label: String, callDeadline: TimeAmount) {
        self.label = label
        self.callDeadline = callDeadline
    }

    package var portCount: Int { self.ports.count }
    package var pendingCallCount: Int { self.calls.count }

    // MARK: What we want

    /// Enters a port. The request is to be sent now; nil: it will be when there is a websocket.
    package mutating func open(_ port: Port, target: Target, token: Token, now: NIODeadline) -> (PortID, ProxyRequest?) {
        let id = PortID(number: self.nextPort)
        self.nextPort &+= 1
        self.ports[id] = Entry(port: port, target: target, state: .waiting(token, deadline: now + self.callDeadline))
        return (id, self.isConnected ? self.startOpening(id, now: now) : nil)
    }

    /// Takes a port out: no datagram reaches it any more. The request, if there is one, is to be sent; without one the
    /// port is closed already. Whoever still waits for it to open hears that it was closed.
    package mutating func close(_ id: PortID, token: Token, now: NIODeadline) -> (ProxyRequest?, abandoned: Token?) {
        guard let entry = self.ports.removeValue(forKey: id) else { return (nil, nil) }
        switch entry.state {
        case .waiting(let waiting, _):
            return (nil, waiting)
        case .opening(let correlation):
            // Its reply will find no call, and be answered with a CLOSE.
            return (nil, self.calls.removeValue(forKey: correlation)?.token)
        case .open(let channel):
            self.channels.removeValue(forKey: channel)
            let correlation = self.makeCorrelation()
            self.calls[correlation] = Call(kind: .close(channel: channel), token: token, deadline: now + self.callDeadline)
            return (.close(correlation: correlation, channel: channel), nil)
        }
    }

    // MARK: What comes

    package mutating func received(_ frame: ByteBuffer, now: NIODeadline) -> Action {
        var frame = frame
        if let head: UInt64 = frame.getInteger(at: frame.readerIndex, endianness: .little),
            UInt32(truncatingIfNeeded: head) == ProxyOpcode.message.rawValue
        {
            guard let channel = self.channels[UInt32(truncatingIfNeeded: head >> 32)] else { return .drop }
            frame.moveReaderIndex(forwardBy: 8)
            return .deliver(channel.port, frame)
        }
        guard let reply = try? ProxyReply(frame: frame) else { return .drop }
        switch reply {
        case .message:
            return .drop
        case .opened(let correlation, let channel):
            return self.opened(correlation, channel: channel, local: nil, now: now)
        case .openedUnconnected(let correlation, let channel, let address, let port):
            return self.opened(correlation, channel: channel, local: (address, port), now: now)
        case .closed(let correlation, _):
            guard let call = self.calls.removeValue(forKey: correlation) else { return .drop }
            guard case .close = call.kind else { return self.fail(call, .misanswered(call: self.name(of: call))) }
            // Channel 0 says that it was not open: closed is what was asked for.
            return .closed(call.token)
        case .error(let correlation, let message):
            guard let call = self.calls.removeValue(forKey: correlation) else { return .drop }
            return self.fail(call, .refused(call: self.name(of: call), message: message))
        }
    }

    private mutating func opened(
        _ correlation: UInt32, channel: UInt32, local: (address: IPv4Address, port: UInt32)?, now: NIODeadline
    ) -> Action {
        guard let call = self.calls.removeValue(forKey: correlation) else { return self.closeOrphan(channel, now: now) }
        guard case .open(let id) = call.kind, var entry = self.ports[id], (entry.target == nil) == (local != nil), channel != 0,
            self.channels[channel] == nil
        else { return self.fail(call, .misanswered(call: self.name(of: call))) }
        entry.state = .open(channel: channel)
        self.ports[id] = entry
        self.channels[channel] = (id, entry.port)
        return .opened(entry.port, channel: channel, local: local, call.token)
    }

    /// A channel that nobody has a use for holds a socket at the service until it is closed.
    private mutating func closeOrphan(_ channel: UInt32, now: NIODeadline) -> Action {
        guard channel != 0, self.channels[channel] == nil else { return .drop }
        let correlation = self.makeCorrelation()
        self.calls[correlation] = Call(kind: .close(channel: channel), token: nil, deadline: now + self.callDeadline)
        return .send(.close(correlation: correlation, channel: channel))
    }

    private mutating func fail(_ call: Call, _ error: ProxyError) -> Action {
        switch call.kind {
        case .open(let id): .failed(self.ports.removeValue(forKey: id)?.port, call.token, error)
        case .close: .failed(nil, call.token, error)
        }
    }

    // MARK: Time

    /// When to call ``expire(now:)``.
    package var nextDeadline: NIODeadline? {
        let waiting = self.ports.values.lazy.compactMap { entry -> NIODeadline? in
            if case .waiting(_, let deadline) = entry.state { deadline } else { nil }
        }
        return [self.calls.values.lazy.map(\.deadline).min(), waiting.min()].compactMap(\.self).min()
    }

    /// The calls whose time is over. A channel that opens all the same later is closed again.
    package mutating func expire(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for (correlation, call) in self.calls.sorted(by: { $0.key < $1.key }) where call.deadline <= now {
            self.calls.removeValue(forKey: correlation)
            let name = self.name(of: call)
            actions.append(self.fail(call, .unanswered(call: name)))
        }
        for (id, entry) in self.ports.sorted(by: { $0.key < $1.key }) {
            guard case .waiting(let token, let deadline?) = entry.state, deadline <= now else { continue }
            self.ports.removeValue(forKey: id)
            actions.append(.failed(entry.port, token, .unanswered(call: self.name(of: entry.target))))
        }
        return actions
    }

    // MARK: The websocket comes and goes

    /// There is a websocket: what is to be sent on it first.
    package mutating func connected(now: NIODeadline) -> [ProxyRequest] {
        self.isConnected = true
        return self.ports.keys.sorted().compactMap { self.startOpening($0, now: now) }
    }

    /// The websocket is gone. Calls under way fail; a CLOSE has got what it wanted. Ports that were open wait for the
    /// next websocket.
    package mutating func disconnected(_ reason: String) -> [Action] {
        self.isConnected = false
        var actions: [Action] = []
        for (_, call) in self.calls.sorted(by: { $0.key < $1.key }) {
            switch call.kind {
            case .close: actions.append(.closed(call.token))
            case .open(let id):
                // Opened before and only being opened again: it goes on waiting.
                guard call.token != nil else { continue }
                actions.append(.failed(self.ports.removeValue(forKey: id)?.port, call.token, .connectionLost(reason: reason)))
            }
        }
        self.calls.removeAll()
        self.channels.removeAll()
        for (id, entry) in self.ports {
            if case .waiting = entry.state { continue }
            self.ports[id]?.state = .waiting(nil, deadline: nil)
        }
        return actions
    }

    /// There will be no other websocket: everything ends. In the order in which it was opened.
    package mutating func end(_ error: ProxyError) -> [Action] {
        var actions: [Action] = []
        for (_, entry) in self.ports.sorted(by: { $0.key < $1.key }) {
            switch entry.state {
            case .waiting(let token, _): actions.append(.failed(entry.port, token, error))
            case .opening(let correlation):
                actions.append(.failed(entry.port, self.calls.removeValue(forKey: correlation)?.token, error))
            case .open: actions.append(.failed(entry.port, nil, error))
            }
        }
        for (_, call) in self.calls.sorted(by: { $0.key < $1.key }) {
            if case .close = call.kind { actions.append(.closed(call.token)) }
        }
        self.isConnected = false
        self.calls.removeAll()
        self.channels.removeAll()
        self.ports.removeAll()
        return actions
    }

    // MARK: Helpers

    private mutating func startOpening(_ id: PortID, now: NIODeadline) -> ProxyRequest? {
        guard var entry = self.ports[id], case .waiting(let token, let deadline) = entry.state else { return nil }
        let correlation = self.makeCorrelation()
        self.calls[correlation] = Call(kind: .open(id), token: token, deadline: deadline ?? now + self.callDeadline)
        entry.state = .opening(correlation: correlation)
        self.ports[id] = entry
        if let endpoint = entry.target { return .open(correlation: correlation, endpoint) }
        return .openUnconnected(correlation: correlation)
    }

    /// From 0, as the stock clients count; one that still waits is not given out again.
    private mutating func makeCorrelation() -> UInt32 {
        while self.calls[self.nextCorrelation] != nil { self.nextCorrelation &+= 1 }
        defer { self.nextCorrelation &+= 1 }
        return self.nextCorrelation
    }

    private func name(of call: Call) -> String {
        switch call.kind {
        case .open(let id): self.name(of: self.ports[id]?.target ?? nil)
        case .close(let channel): "\(self.label): CLOSE of channel \(channel)"
        }
    }

    private func name(of target: Target) -> String {
        "\(self.label): " + (target.map { "OPEN of (\($0.x), \($0.y)):\($0.port)" } ?? "OPEN_UNCONNECTED")
    }
}
