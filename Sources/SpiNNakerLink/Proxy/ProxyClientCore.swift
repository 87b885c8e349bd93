//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// The client's end of the proxy on its event loop: between the websocket of the moment and the ports, which outlive it.
final class ProxyClientCore: WebSocketUser {
    private enum State {
        case connecting
        case connected
        /// Until the next attempt.
        case waiting(Scheduled<Void>)
        case ended(ProxyError)
    }

    let eventLoop: any EventLoop
    let label: String
    private let options: ProxyConnectionOptions
    private let provider: ProxyConnection.TargetProvider
    private var machine: ProxyClientMachine<ProxyPort, EventLoopPromise<Void>>
    private var state = State.connecting
    private var socket: WebSocketHandler?
    /// Every port that is not closed, for the moment in which the websocket is lost.
    private var ports: [ObjectIdentifier: ProxyPort] = [:]
    private var inRead: [ProxyPort] = []
    private var deadlineTimer: (at: NIODeadline, task: Scheduled<Void>)?
    private var attempt = 0
    private var lostAt: NIODeadline?
    private var lastFailure: (any Error)?
    /// Frames that were for nobody: of channels just closed, or no replies at all.
    private(set) var droppedFrames = 0
    /// Done when the last websocket is.
    private var channelClosed: EventLoopFuture<Void>

    init(
        label: String, options: ProxyConnectionOptions, provider: @escaping ProxyConnection.TargetProvider,
        eventLoop: any EventLoop
    ) {
        self.label = label
        self.options = options
        self.provider = provider
        self.eventLoop = eventLoop
        self.machine = ProxyClientMachine(label: label, callDeadline: options.callDeadline)
        self.channelClosed = eventLoop.makeSucceededVoidFuture()
    }

    // MARK: Ports

    func open(_ port: ProxyPort, target: ProxyEndpoint?, promise: EventLoopPromise<Void>) {
        if case .ended(let error) = self.state { return promise.fail(error) }
        let (id, request) = self.machine.open(port, target: target, token: promise, now: self.eventLoop.now)
        port.id = id
        self.ports[ObjectIdentifier(port)] = port
        if let request { self.send(request) }
        self.flush()
        self.armDeadline()
    }

    func close(_ port: ProxyPort, promise: EventLoopPromise<Void>?) {
        guard let id = port.id, !port.isEnded else {
            promise?.succeed()
            return
        }
        self.ports.removeValue(forKey: ObjectIdentifier(port))
        let token = promise ?? self.eventLoop.makePromise(of: Void.self)
        let (request, abandoned) = self.machine.close(id, token: token, now: self.eventLoop.now)
        port.end(nil)
        abandoned?.fail(ProxyError.closed)
        if let request {
            self.send(request)
            self.flush()
            self.armDeadline()
        } else {
            token.succeed()
        }
    }

    func write(_ datagram: ByteBuffer, by port: ProxyPort) {
        guard let socket = self.socket, let channel = port.channel, socket.isWritable else {
            port.droppedOutgoing += 1
            return
        }
        socket.putProxyMessage(channel: channel, datagram)
    }

    func write(_ datagram: ByteBuffer, to endpoint: ProxyEndpoint, by port: ProxyPort) {
        guard let socket = self.socket, let channel = port.channel, socket.isWritable else {
            port.droppedOutgoing += 1
            return
        }
        var message = ByteBuffer()
        message.reserveCapacity(20 + datagram.readableBytes)
        ProxyRequest.messageTo(channel: channel, endpoint, datagram).write(into: &message)
        socket.putMessage(message)
    }

    func flush() { self.socket?.flush() }

    func watch(for time: TimeAmount) { self.socket?.watch(for: time) }

    // MARK: The websocket

    /// One attempt. The first that fails is told to whoever waits for the connection, the later ones are repeated.
    func connect() -> EventLoopFuture<Void> {
        if case .ended(let error) = self.state { return self.eventLoop.makeFailedFuture(error) }
        self.state = .connecting
        let (eventLoop, options, provider, lastFailure) = (self.eventLoop, self.options, self.provider, self.lastFailure)
        let user = NIOLoopBound<any WebSocketUser>(self, eventLoop: eventLoop)
        return eventLoop.makeFutureWithTask { try await provider(lastFailure) }.flatMap { target in
            WebSocketClient.connect(
                to: target, configuration: options.webSocket, on: eventLoop, deadline: options.connectDeadline, user: user)
        }.assumeIsolated().map { channel in
            self.channelClosed = channel.closeFuture.map { _ in }.recover { _ in }
        }.nonisolated()
    }

    func webSocketOpened(_ socket: WebSocketHandler) {
        if case .ended = self.state {
            socket.close(.normal, reason: "")
            return
        }
        self.state = .connected
        self.socket = socket
        self.attempt = 0
        self.lostAt = nil
        self.lastFailure = nil
        for request in self.machine.connected(now: self.eventLoop.now) { self.send(request) }
        self.flush()
        self.armDeadline()
        self.options.onStateChange(.connected)
    }

    func webSocketReceived(_ message: ByteBuffer) {
        // The time matters to calls alone, which are rare; a datagram is not worth a look at the clock.
        self.perform(
            self.machine.received(message, now: self.machine.pendingCallCount == 0 ? .distantPast : self.eventLoop.now))
    }

    func webSocketReadComplete() {
        let ports = self.inRead
        guard !ports.isEmpty else { return }
        self.inRead.removeAll(keepingCapacity: true)
        for port in ports { port.readComplete() }
    }

    func webSocketClosed(_ ending: WebSocketEnding) {
        self.socket = nil
        self.webSocketReadComplete()
        for port in self.ports.values { port.detached() }
        for action in self.machine.disconnected("\(self.label): \(ending)") { self.perform(action) }
        self.armDeadline()
        if case .ended = self.state { return }
        self.lostAt = self.eventLoop.now
        if case .closedByPeer(.jobEnded?, let reason) = ending {
            self.end(.jobEnded(reason: reason.isEmpty ? self.label : "\(self.label): \(reason)"))
        } else if ending.isFinal {
            self.end(.connectionLost(reason: "\(self.label): \(ending)"))
        } else {
            self.connectLater(because: "\(ending)", cause: nil)
        }
    }

    private func connectLater(because reason: String, cause: (any Error)?) {
        self.lastFailure = cause
        var random = SystemRandomNumberGenerator()
        let lostAt = self.lostAt ?? self.eventLoop.now
        guard let policy = self.options.reconnect, cause.map({ !self.options.isFinal($0) }) ?? true,
            let delay = policy.delay(attempt: self.attempt, lostAt: lostAt, now: self.eventLoop.now, using: &random)
        else { return self.end(.connectionLost(reason: "\(self.label): \(reason)")) }
        self.attempt += 1
        self.options.onStateChange(.reconnecting(attempt: self.attempt, reason: reason))
        self.state = .waiting(
            self.eventLoop.assumeIsolated().scheduleTask(in: delay) {
                self.connect().assumeIsolated().whenFailure { error in
                    if case .ended = self.state { return }
                    self.connectLater(because: "\(error)", cause: error)
                }
            })
    }

    // MARK: The end

    /// Nothing comes or goes any more. Answers when the websocket is gone.
    func end(_ error: ProxyError) {
        if case .ended = self.state { return }
        if case .waiting(let attempt) = self.state { attempt.cancel() }
        self.state = .ended(error)
        for action in self.machine.end(error) { self.perform(action) }
        self.ports.removeAll()
        self.deadlineTimer?.task.cancel()
        self.deadlineTimer = nil
        self.socket?.close(.normal, reason: "")
        self.options.onStateChange(.ended(error))
    }

    func close() -> EventLoopFuture<Void> {
        self.end(.closed)
        return self.channelClosed
    }

    // MARK: Actions

    private func perform(_ action: ProxyClientMachine<ProxyPort, EventLoopPromise<Void>>.Action) {
        switch action {
        case .deliver(let port, let datagram):
            if !port.isInRead {
                port.isInRead = true
                self.inRead.append(port)
            }
            port.deliver(datagram)
        case .opened(let port, let channel, let local, let token):
            port.opened(channel: channel, local: local)
            token?.succeed()
        case .closed(let token):
            token?.succeed()
        case .failed(let port, let token, let error):
            if let port { self.ports.removeValue(forKey: ObjectIdentifier(port)) }
            port?.end(error == .closed ? nil : error)
            token?.fail(error)
        case .send(let request):
            self.send(request)
            self.flush()
        case .drop:
            self.droppedFrames += 1
        }
    }

    private func send(_ request: ProxyRequest) {
        var message = ByteBuffer()
        request.write(into: &message)
        self.socket?.putMessage(message)
    }

    private func armDeadline() {
        guard let next = self.machine.nextDeadline else { return }
        if let timer = self.deadlineTimer {
            if timer.at <= next { return }
            timer.task.cancel()
        }
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.deadlineTimer = nil
            for action in self.machine.expire(now: self.eventLoop.now) { self.perform(action) }
            self.armDeadline()
        }
        self.deadlineTimer = (next, task)
    }
}

extension WebSocketEnding {
    /// Whether it is pointless to come back.
    fileprivate var isFinal: Bool {
        switch self {
        case .closedByPeer(.policyViolation?, _), .closedByPeer(.invalidPayload?, _): true
        case .closedByPeer, .closedHere, .violation, .pongTimeout, .lost: false
        }
    }
}

@available(*, unavailable)
extension ProxyClientCore: Sendable {}
