//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import SpiNNakerWire

/// The event loop's side of a connection: lines in, replies and notifications out.
///
/// Nothing is read while a request is under way or while the peer does not read what it was sent, so a connection holds at most one
/// line, one reply and what the socket's buffer takes. A peer that reads nothing for Limits/stall is closed.
package final class V1Handler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    package struct Limits: Sendable {
        /// How long a peer may leave what it was sent unread.
        package var stall: TimeAmount
        /// Bytes of one request.
        package var line = V1LineReader.requestLimit

        package init(stall: TimeAmount, line: Int = V1LineReader.requestLimit) {
            self.stall = stall
            self.line = line
        }
    }

    private let connection: V1Connection
    private let limits: Limits
    /// Answers what needs neither the database nor any waiting; with where the question comes from.
    private let answerAtOnce: @Sendable (V1Request, _ host: String?) -> V1Reply?
    private let logger: Logger
    private var conversation: V1Conversation
    private var context: ChannelHandlerContext?
    /// The channel asked to read when it should not; it is let do so later.
    private var isReadHeld = false
    private var isStopping = false
    private var isFinishing = false
    private var stall: Scheduled<Void>?

    package init(
        connection: V1Connection, limits: Limits, answerAtOnce: @escaping @Sendable (V1Request, _ host: String?) -> V1Reply?,
        logger: Logger
    ) {
        self.connection = connection
        self.limits = limits
        self.answerAtOnce = answerAtOnce
        self.logger = logger
        self.conversation = V1Conversation(limit: limits.line)
    }

    // MARK: - Requests

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.conversation.received(self.unwrapInboundIn(data))
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        self.advance(context)
        context.fireChannelReadComplete()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.conversation.ended()
            self.advance(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func read(context: ChannelHandlerContext) {
        guard !self.conversation.isBusy, context.channel.isWritable else {
            self.isReadHeld = true
            return
        }
        context.read()
    }

    /// Goes through what has been read, as far as it goes.
    private func advance(_ context: ChannelHandlerContext) {
        var isFlushDue = false
        while context.channel.isActive, context.channel.isWritable, !self.isFinishing,
            !self.isStopping || self.conversation.isBusy
        {
            switch self.conversation.next() {
            case .wait:
                self.tell(context, isFlushDue: &isFlushDue)
                if isFlushDue { context.flush() }
                self.letRead(context)
                return
            case .ask(let question):
                self.connection.lastHeard = .now()
                guard
                    let reply = self.subscribe(question.request)
                        ?? self.answerAtOnce(question.request, self.connection.host)
                else {
                    self.connection.ask(question)
                    continue
                }
                self.conversation.answered()
                self.send(reply, context)
                isFlushDue = true
            case .refuse(let reason):
                self.connection.lastHeard = .now()
                self.send(.exception(reason), context)
                isFlushDue = true
            case .close(let error):
                if let error {
                    self.logger.info(
                        "v1 client closed", metadata: ["client": "\(self.connection.host ?? "?")", "reason": "\(error)"])
                }
                self.finish(context)
                return
            }
        }
        if isFlushDue { context.flush() }
        if self.isStopping, !self.conversation.isBusy { self.finish(context) }
    }

    /// Closes once the peer has what was written.
    private func finish(_ context: ChannelHandlerContext) {
        guard !self.isFinishing else { return }
        self.isFinishing = true
        guard !self.isStopping else {
            // Nobody waits for those who do not read.
            context.flush()
            context.close(promise: nil)
            return
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        if self.stall == nil { self.watchStall(context) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: written)
    }

    private func letRead(_ context: ChannelHandlerContext) {
        guard self.isReadHeld, !self.conversation.isBusy, context.channel.isWritable else { return }
        self.isReadHeld = false
        context.read()
    }

    /// The four commands that are about the connection itself.
    private func subscribe(_ request: V1Request) -> V1Reply? {
        let subscriber = self.connection.subscriber
        let isTaken: Bool
        switch request {
        case .notifyJob(let job): isTaken = subscriber.watch(job: job)
        case .notifyMachine(let name): isTaken = subscriber.watch(machine: name)
        case .noNotifyJob(let job):
            subscriber.unwatch(job: job)
            isTaken = true
        case .noNotifyMachine(let name):
            subscriber.unwatch(machine: name)
            isTaken = true
        default: return nil
        }
        return isTaken ? .returned(.null) : .exception("this connection watches too many already; watch all instead")
    }

    /// The answer to the request that is under way.
    package func answered(_ reply: ByteBuffer) {
        guard let context = self.context else { return }
        self.conversation.answered()
        context.write(self.wrapOutboundOut(reply), promise: nil)
        // Changes that the request made come behind its reply, in the same packet if they are there.
        var isFlushDue = true
        self.tell(context, isFlushDue: &isFlushDue)
        context.flush()
        self.advance(context)
    }

    private func send(_ reply: V1Reply, _ context: ChannelHandlerContext) {
        var line = context.channel.allocator.buffer(capacity: 64)
        reply.writeLine(into: &line)
        context.write(self.wrapOutboundOut(line), promise: nil)
    }

    // MARK: - Notifications

    /// Something that is watched has changed.
    package func changed() {
        guard let context = self.context else { return }
        guard self.connection.subscriber.heard() else {
            self.logger.info("v1 client reads nothing", metadata: ["client": "\(self.connection.host ?? "?")"])
            context.close(promise: nil)
            return
        }
        var isFlushDue = false
        self.tell(context, isFlushDue: &isFlushDue)
        if isFlushDue { context.flush() }
    }

    /// Not before the reply to a request under way, which may be what made the change.
    private func tell(_ context: ChannelHandlerContext, isFlushDue: inout Bool) {
        guard !self.conversation.isBusy, !self.isFinishing, context.channel.isActive, context.channel.isWritable else { return }
        for notification in self.connection.subscriber.take() {
            self.send(notification, context)
            isFlushDue = true
        }
    }

    // MARK: - Life

    package func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.stall?.cancel()
        self.connection.end()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.stall?.cancel()
        self.connection.end()
        context.fireChannelInactive()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if !self.isFinishing {
                self.stall?.cancel()
                self.stall = nil
            }
            self.advance(context)
        } else if self.stall == nil {
            self.watchStall(context)
        }
        context.fireChannelWritabilityChanged()
    }

    private func watchStall(_ context: ChannelHandlerContext) {
        self.stall = context.eventLoop.assumeIsolated().scheduleTask(in: self.limits.stall) {
            self.logger.info("v1 client reads nothing", metadata: ["client": "\(self.connection.host ?? "?")"])
            // What it has not read is lost to it.
            context.close(promise: nil)
        }
    }

    /// The service stops: the request under way is answered, and that is all.
    package func stop() {
        guard let context = self.context else { return }
        self.isStopping = true
        if !self.conversation.isBusy { self.finish(context) }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.logger.debug("v1 connection", metadata: ["client": "\(self.connection.host ?? "?")", "error": "\(error)"])
        context.close(promise: nil)
    }
}
