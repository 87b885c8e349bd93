//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine

/// The figures of one websocket.
package struct WebSocketConfiguration: Sendable {
    /// A message longer than this ends the connection with 1009.
    package var maximumMessageBytes: Int
    /// Nothing heard for this long: a ping.
    package var pingInterval: TimeAmount
    /// Nothing heard for this long after a ping: the peer is gone.
    package var pongDeadline: TimeAmount
    /// How long the peer may take to answer our close frame.
    package var closeDeadline: TimeAmount
    /// Above this much unsent output the websocket is not writable, until it is below half of it.
    package var highWaterBytes: Int

    package init(
        maximumMessageBytes: Int, pingInterval: TimeAmount = .seconds(30), pongDeadline: TimeAmount = .seconds(10),
        closeDeadline: TimeAmount = .seconds(2), highWaterBytes: Int = 512 * 1024
    ) {
        self.maximumMessageBytes = maximumMessageBytes
        self.pingInterval = pingInterval
        self.pongDeadline = pongDeadline
        self.closeDeadline = closeDeadline
        self.highWaterBytes = highWaterBytes
    }

    /// The proxy's limit for what a client sends: 8192 bytes.
    package static let server = WebSocketConfiguration(maximumMessageBytes: 8192)
    /// The longest UDP datagram there is, and its head, with room to spare.
    package static let client = WebSocketConfiguration(maximumMessageBytes: 128 * 1024)
}

/// How a websocket ended.
package enum WebSocketEnding: Hashable, Sendable, CustomStringConvertible {
    case closedHere(WebSocketCloseCode, reason: String)
    case closedByPeer(WebSocketCloseCode?, reason: String)
    /// The peer broke the protocol.
    case violation(WebSocketViolation)
    case pongTimeout
    /// The TCP or TLS connection ended without a close frame.
    case lost(String)

    package var description: String {
        switch self {
        case .closedHere(let code, let reason): "closed here with \(code)\(reason.isEmpty ? "" : ": \(reason)")"
        case .closedByPeer(let code, let reason):
            "closed by the peer\(code.map { " with \($0)" } ?? "")\(reason.isEmpty ? "" : ": \(reason)")"
        case .violation(let violation): "\(violation)"
        case .pongTimeout: "no sign of life from the peer"
        case .lost(let why): why
        }
    }
}

/// Who a websocket's messages are for. Called on its event loop.
package protocol WebSocketUser: AnyObject {
    func webSocketOpened(_ socket: WebSocketHandler)
    /// A binary message; the buffer is a slice of a larger one.
    func webSocketReceived(_ message: ByteBuffer)
    /// All that had come together was handed over: what it led to elsewhere may be flushed now. The websocket itself is
    /// flushed after this.
    func webSocketReadComplete()
    /// No message comes or goes any more; called once, and the last call.
    func webSocketClosed(_ ending: WebSocketEnding)
}

/// One end of one websocket, from the frames up to the close handshake: the only handler between TLS (or TCP) and its user.
///
/// Output is collected in one buffer and leaves in one write: at read-complete for what a read led to, otherwise at the end of
/// the event loop's tick (``flush()``). Frames in, frames out and the timers are all on the channel's event loop.
package final class WebSocketHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case open
        /// The user has been told. What still comes is thrown away until the peer has read our close frame.
        case closing
        case closed
    }

    package let role: WebSocketRole
    private let configuration: WebSocketConfiguration
    private var user: (any WebSocketUser)?
    private var context: ChannelHandlerContext?
    private var state = State.open
    private var reader: WebSocketReader
    private var keys: WebSocketMaskKeys
    private var liveness: WebSocketLiveness
    private var timer: Scheduled<Void>?
    private var out: ByteBuffer?
    private var outCapacity = 512
    private var channelIsWritable = true
    private var isReading = false
    /// What is written now leaves at the end of this read anyway.
    private var isCompletingRead = false
    /// How long the socket is looked at after the next write.
    private var watchTime: TimeAmount?
    private var heldBack: [ByteBuffer] = []
    private var flushIsScheduled = false
    /// The HTTP handlers are still in the way of what we write.
    private var isCorked: Bool
    private var closesWhenUncorked = false
    private var lastError: (any Error)?

    /// - Parameter isCorked: nothing is written before ``uncork()``, because the HTTP decoder of the upgrade, which
    ///   hands over what it
    ///   had read too much, has not left the pipeline yet.
    package init(role: WebSocketRole, configuration: WebSocketConfiguration, isCorked: Bool = false, user: any WebSocketUser) {
        self.isCorked = isCorked
        self.role = role
        self.configuration = configuration
        self.user = user
        self.reader = WebSocketReader(role: role, maximumMessageBytes: configuration.maximumMessageBytes)
        self.keys = WebSocketMaskKeys()
        self.liveness = WebSocketLiveness(
            pingInterval: configuration.pingInterval, pongDeadline: configuration.pongDeadline, now: .distantPast)
    }

    // MARK: For the user

    package var isOpen: Bool { if case .open = self.state { true } else { false } }

    /// False: the peer reads more slowly than datagrams come. They are to be dropped, as a full UDP socket would.
    package var isWritable: Bool {
        self.channelIsWritable && (self.out?.readableBytes ?? 0) < self.configuration.highWaterBytes
    }

    /// Queues a datagram of a proxy channel.
    package func putProxyMessage(channel: UInt32, _ datagram: ByteBuffer) {
        guard self.isOpen else { return }
        self.takeOut()
        self.out?.putProxyMessage(channel: channel, datagram, maskKey: self.makeKey())
    }

    /// Queues a binary message.
    package func putMessage(_ message: ByteBuffer) {
        guard self.isOpen else { return }
        self.takeOut()
        self.out?.putWebSocketFrame(.binary, message, maskKey: self.makeKey())
    }

    /// Sends what is queued, together with all else that is queued in this tick of the event loop.
    package func flush() {
        guard !self.isReading, !self.isCompletingRead, !self.flushIsScheduled, self.out != nil, let context = self.context
        else { return }
        self.flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.flushIsScheduled = false
            self.writeOut()
        }
    }

    /// After what is queued now has left, the socket is looked at for so long before the event loop sleeps.
    package func watch(for time: TimeAmount) {
        self.watchTime = time
    }

    /// Says good-bye. The user is told at once; the connection ends when the peer has answered, or after the close deadline.
    package func close(_ code: WebSocketCloseCode, reason: String) {
        self.end(.closedHere(code, reason: reason), sending: code, reason: reason)
    }

    /// The HTTP handlers are gone, and what they had read of the websocket has come, for which there was no read-complete.
    package func uncork() {
        self.isCorked = false
        self.user?.webSocketReadComplete()
        self.writeOut()
        if self.closesWhenUncorked { self.closeChannel() }
    }

    // MARK: ChannelInboundHandler

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.channelIsWritable = context.channel.isWritable
        // Frames are small and their latency is what counts.
        if let options = context.channel.syncOptions {
            try? options.setOption(.tcpOption(.tcp_nodelay), value: 1)
            let high = self.configuration.highWaterBytes
            try? options.setOption(.writeBufferWaterMark, value: .init(low: max(1, high / 2), high: max(1, high)))
        }
        self.liveness.heard(now: context.eventLoop.now)
        self.user?.webSocketOpened(self)
        self.checkLiveness()
        self.flush()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.finish(.lost("the connection was taken away"))
        self.state = .closed
        self.timer?.cancel()
        self.context = nil
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        guard self.isOpen else {
            // Closing: only the peer's own close frame or its EOF matters, and the deadline if neither comes.
            if case .closing = self.state { self.drain(bytes) }
            return
        }
        guard !self.isReading else {
            self.heldBack.append(bytes)
            return
        }
        self.liveness.heard(now: context.eventLoop.now)
        self.isReading = true
        self.handle(bytes)
        while !self.heldBack.isEmpty { self.handle(self.heldBack.removeFirst()) }
        self.isReading = false
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        self.isCompletingRead = true
        self.user?.webSocketReadComplete()
        self.isCompletingRead = false
        self.writeOut()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.channelIsWritable = context.channel.isWritable
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // With half-closure allowed this event is all that a peer's EOF shows itself by.
            self.finish(.lost(self.lossDescription))
            self.state = .closed
            context.close(promise: nil)
        case is ChannelShouldQuiesceEvent:
            self.close(.goingAway, reason: "the server stops")
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.lastError = self.lastError ?? error
        self.finish(.lost(self.lossDescription))
        self.state = .closed
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.finish(.lost(self.lossDescription))
        self.state = .closed
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: Reading

    private func handle(_ bytes: ByteBuffer) {
        self.reader.feed(bytes)
        while self.isOpen, let event = self.reader.next() {
            switch event {
            case .binary(let message):
                self.user?.webSocketReceived(message)
            case .ping(let payload):
                // A peer that pings without reading gets no answers piled up.
                if self.isWritable {
                    self.takeOut()
                    self.out?.putWebSocketFrame(.pong, payload, maskKey: self.makeKey())
                }
            case .pong:
                break
            case .text:
                let violation = WebSocketViolation(.unsupportedData, "a text message")
                self.end(.violation(violation), sending: violation.code, reason: violation.reason)
            case .close(let code, let reason):
                // Its own code goes back, and with that both sides have said it.
                self.end(.closedByPeer(code, reason: reason), sending: code ?? .normal, reason: "")
                self.closeChannel()
            case .violation(let violation):
                self.end(.violation(violation), sending: violation.code, reason: violation.reason)
            }
        }
    }

    private func drain(_ bytes: ByteBuffer) {
        self.reader.feed(bytes)
        while let event = self.reader.next() {
            if case .close = event { self.closeChannel() }
        }
    }

    // MARK: Writing

    private func makeKey() -> UInt32? { self.role == .client ? self.keys.next() : nil }

    private func takeOut() {
        guard self.out == nil, let context = self.context else { return }
        // As much as the last write took: a burst is followed by a burst.
        self.out = context.channel.allocator.buffer(capacity: self.outCapacity)
    }

    private func writeOut() {
        let watchTime = self.watchTime.take()
        guard !self.isCorked, let out = self.out, let context = self.context else { return }
        self.out = nil
        self.outCapacity = min(max(512, out.readableBytes), 64 * 1024)
        context.writeAndFlush(self.wrapOutboundOut(out), promise: nil)
        if let watchTime { SocketWatch.wait(for: context.channel, atMost: watchTime) }
    }

    // MARK: Ending

    private func end(_ ending: WebSocketEnding, sending code: WebSocketCloseCode, reason: String) {
        guard self.isOpen else { return }
        self.takeOut()
        self.out?.putWebSocketClose(code, reason: reason, maskKey: self.makeKey())
        self.state = .closing
        self.finish(ending)
        self.writeOut()
        guard let context = self.context else { return }
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: self.configuration.closeDeadline) {
            self.closeChannel()
        }
    }

    private func finish(_ ending: WebSocketEnding) {
        if case .open = self.state { self.state = .closing }
        guard let user = self.user else { return }
        self.user = nil
        user.webSocketClosed(ending)
    }

    private func closeChannel() {
        self.state = .closed
        self.timer?.cancel()
        if self.isCorked {
            self.closesWhenUncorked = true
        } else {
            self.context?.close(promise: nil)
        }
    }

    private var lossDescription: String {
        self.lastError.map { "the connection failed: \($0)" } ?? "the peer closed the connection without a word"
    }

    // MARK: Time

    private func checkLiveness() {
        guard self.isOpen, let context = self.context else { return }
        let next: NIODeadline
        switch self.liveness.check(now: context.eventLoop.now) {
        case .wait(let deadline):
            next = deadline
        case .ping(let deadline):
            next = deadline
            self.takeOut()
            self.out?.putWebSocketFrame(.ping, ByteBuffer(), maskKey: self.makeKey())
            self.writeOut()
        case .dead:
            self.end(.pongTimeout, sending: .pongTimeout, reason: "no pong")
            // It will not answer this either.
            self.closeChannel()
            return
        }
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { self.checkLiveness() }
    }
}

@available(*, unavailable)
extension WebSocketHandler: Sendable {}
