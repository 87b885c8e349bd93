//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import SpiNNakerEngine
import SpiNNakerLink

/// Stands between the HTTP decoder and Hummingbird: takes out the requests for a websocket, and lets all others pass untouched.
///
/// NIO's own upgrade handlers lose the head of a request whose upgrade is not made; this one answers a refused
/// websocket, keeps the
/// connection usable behind it, and behind any other `Upgrade:` that nobody makes. An accepted websocket takes the place
/// of the HTTP
/// handlers. Hummingbird's end of the pipeline stays where it is, hears nothing more, and ends with the channel.
final class UpgradeSwitch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The handlers that are in the way once the connection is a websocket.
    struct Neighbours {
        var encoder: HTTPResponseEncoder
        var decoder: ResumableRequestDecoder
        var decoderHandler: ByteToMessageHandler<ResumableRequestDecoder>
        /// Hummingbird's idle timer and quiescing: a websocket has its own.
        var connectionState: HTTPConnectionStateHandler
    }

    private enum State {
        /// Between requests, or in one that passes; whether the decoder stops behind it.
        case passing(stopsDecoder: Bool)
        /// In a request for a websocket.
        case collecting(HTTPRequestHead, hasBody: Bool)
        case deciding(HTTPRequestHead, Task<Void, Never>, deadline: Scheduled<Void>)
        case done
    }

    private let authoriser: UpgradeAuthoriser
    private let decisionDeadline: TimeAmount
    private let neighbours: Neighbours
    private let logger: Logger
    private var state = State.passing(stopsDecoder: false)
    /// Requests that passed and are not answered yet.
    private var unanswered = 0
    private var readIsHeldBack = false

    init(authoriser: @escaping UpgradeAuthoriser, decisionDeadline: TimeAmount, neighbours: Neighbours, logger: Logger) {
        self.authoriser = authoriser
        self.decisionDeadline = decisionDeadline
        self.neighbours = neighbours
        self.logger = logger
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        switch (self.state, part) {
        case (.passing, .head(let head)) where head.asksForWebSocket && self.unanswered == 0:
            self.state = .collecting(head, hasBody: false)
        case (.passing, .head(let head)):
            self.unanswered += 1
            self.state = .passing(stopsDecoder: head.asksForUpgrade)
            context.fireChannelRead(data)
        case (.passing, .body):
            context.fireChannelRead(data)
        case (.passing(let stopsDecoder), .end):
            self.state = .passing(stopsDecoder: false)
            if stopsDecoder { self.neighbours.decoder.resume() }
            context.fireChannelRead(data)
        case (.collecting(let head, _), .body):
            self.state = .collecting(head, hasBody: true)
        case (.collecting(let head, let hasBody), .end):
            self.judge(head, hasBody: hasBody, context)
        case (.collecting, .head), (.deciding, _), (.done, _):
            // The decoder stands still behind a request for a websocket; if it ever does not, nothing can be answered in order.
            context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data), self.unanswered > 0 { self.unanswered -= 1 }
        context.write(data, promise: promise)
    }

    /// Nothing is read while the decision is pending: a peer that sends on must not fill our memory.
    func read(context: ChannelHandlerContext) {
        if case .deciding = self.state {
            self.readIsHeldBack = true
        } else {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.abandon()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.abandon() }

    private func abandon() {
        guard case .deciding(_, let task, let deadline) = self.state else { return }
        task.cancel()
        deadline.cancel()
        self.state = .done
    }

    // MARK: Deciding

    private func judge(_ head: HTTPRequestHead, hasBody: Bool, _ context: ChannelHandlerContext) {
        let key = head.headers["sec-websocket-key"]
        guard head.method == .GET, head.version == .http1_1, !hasBody, key.count == 1, key.allSatisfy(WebSocketHandshake.isKey)
        else {
            return self.refuse(.badRequest, [:], "this is no correct request for a websocket\n", context)
        }
        guard head.headers["sec-websocket-version"] == [WebSocketHandshake.version] else {
            let headers: HTTPHeaders = ["Sec-WebSocket-Version": WebSocketHandshake.version]
            return self.refuse(.upgradeRequired, headers, "websockets here are of version 13\n", context)
        }
        self.neighbours.decoder.hold()
        let (authoriser, address) = (self.authoriser, context.channel.remoteAddress)
        let this = NIOLoopBound((switch: self, context: context), eventLoop: context.eventLoop)
        let task = Task {
            let decision = await authoriser(head, address)
            this.eventLoop.execute { this.value.switch.decided(decision, this.value.context) }
        }
        let deadline = context.eventLoop.assumeIsolated().scheduleTask(in: self.decisionDeadline) {
            self.decided(.refuse(.serviceUnavailable, body: "the service could not decide in time\n"), context)
        }
        self.state = .deciding(head, task, deadline: deadline)
    }

    private func decided(_ decision: UpgradeDecision, _ context: ChannelHandlerContext) {
        guard case .deciding(let head, let task, let deadline) = self.state else { return }
        task.cancel()
        deadline.cancel()
        switch decision {
        case .accept(let configuration):
            self.accept(head, configuration, context)
        case .refuse(let status, let headers, let body):
            self.refuse(status, headers, body, context)
            self.goOn(context)
        case .router:
            self.unanswered += 1
            self.state = .passing(stopsDecoder: false)
            self.neighbours.decoder.resume()
            context.fireChannelRead(self.wrapInboundOut(.head(head)))
            context.fireChannelRead(self.wrapInboundOut(.end(nil)))
            context.fireChannelReadComplete()
            self.goOn(context)
        }
    }

    private func refuse(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ body: String, _ context: ChannelHandlerContext
    ) {
        self.state = .passing(stopsDecoder: false)
        self.neighbours.decoder.resume()
        var headers = headers
        headers.replaceOrAdd(name: "Content-Length", value: String(body.utf8.count))
        if !headers.contains(name: "Content-Type") { headers.add(name: "Content-Type", value: "text/plain; charset=utf-8") }
        context.write(
            self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// What came while we decided is decoded now, and what is still to come is read.
    private func goOn(_ context: ChannelHandlerContext) {
        if let decoder = try? context.pipeline.syncOperations.context(handler: self.neighbours.decoderHandler) {
            self.neighbours.decoderHandler.channelRead(context: decoder, data: NIOAny(ByteBuffer()))
            self.neighbours.decoderHandler.channelReadComplete(context: decoder)
        }
        self.readOn(context)
    }

    private func readOn(_ context: ChannelHandlerContext) {
        guard self.readIsHeldBack else { return }
        self.readIsHeldBack = false
        context.read()
    }

    // MARK: Accepting

    private func accept(_ head: HTTPRequestHead, _ configuration: ProxySessionConfiguration, _ context: ChannelHandlerContext) {
        self.state = .done
        let key = head.headers.first(name: "sec-websocket-key") ?? ""
        let headers: HTTPHeaders = [
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": WebSocketHandshake.accept(key: key),
        ]
        let response = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.write(self.wrapOutboundOut(.head(response)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)

        let pipeline = context.pipeline.syncOperations
        let socket = WebSocketHandler(
            role: .server, configuration: configuration.webSocket, isCorked: true,
            user: ProxyRelay(configuration, eventLoop: context.eventLoop))
        self.neighbours.decoder.handOver()
        // Past this the websocket's bytes go straight to TLS or TCP.
        pipeline.removeHandler(self.neighbours.encoder, promise: nil)
        pipeline.removeHandler(self.neighbours.connectionState, promise: nil)
        do {
            try pipeline.addHandler(socket, position: .after(self.neighbours.decoderHandler))
        } catch {
            self.logger.debug("websocket not set up", metadata: ["error": "\(error)"])
            context.close(promise: nil)
            return
        }
        let removed = context.eventLoop.makePromise(of: Void.self)
        removed.futureResult.assumeIsolated().whenComplete { _ in
            // Frames may have come in one segment with the request.
            socket.uncork()
            self.readOn(context)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
        // Takes effect on the next tick, and hands the bytes behind the request to the websocket.
        pipeline.removeHandler(self.neighbours.decoderHandler, promise: removed)
    }
}

@available(*, unavailable)
extension UpgradeSwitch: Sendable {}
