//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpiNNakerEngine

/// Where a websocket is, and what to say when asking for it.
package struct WebSocketTarget: Sendable {
    package var host: String
    package var port: Int
    /// Path and query, as the request line has it.
    package var path: String
    /// nil: without TLS. Made once by whoever knows the trusted certificates, since that takes a while.
    package var tls: NIOSSLContext?
    /// Cookies, CSRF, Authorization, Origin.
    package var headers: HTTPHeaders

    package init(host: String, port: Int, path: String, tls: NIOSSLContext?, headers: HTTPHeaders = [:]) {
        self.host = host
        self.port = port
        self.path = path
        self.tls = tls
        self.headers = headers
    }
}

/// Without its headers: they hold secrets.
extension WebSocketTarget: CustomStringConvertible {
    package var description: String { "\(self.tls == nil ? "ws" : "wss")://\(self.authority)\(self.path)" }

    var authority: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == (self.tls == nil ? 80 : 443) ? host : "\(host):\(self.port)"
    }
}

/// Why there is no websocket.
public enum WebSocketConnectError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server answered, but with another status than 101; the first of its words.
    case refused(target: String, status: Int, body: String)
    /// It answered 101, but not as a websocket server does.
    case badHandshake(target: String, what: String)
    /// No connection, or it ended before there was an answer: TCP, name service or TLS.
    case unreachable(target: String, why: String)
    case deadline(target: String)

    public var description: String {
        switch self {
        case .refused(let target, let status, let body):
            "\(target): refused with status \(status)\(body.isEmpty ? "" : ": \(body)")"
        case .badHandshake(let target, let what): "\(target): not a websocket: \(what)"
        case .unreachable(let target, let why): "\(target): \(why)"
        case .deadline(let target): "\(target): no answer in time"
        }
    }
}

/// Opens websockets.
package enum WebSocketClient {
    /// The user's ``WebSocketUser/webSocketOpened(_:)`` comes before the future is done.
    ///
    /// - Parameter deadline: for everything from the name look-up to the answer.
    package static func connect(
        to target: WebSocketTarget, configuration: WebSocketConfiguration = .client, on eventLoop: any EventLoop,
        deadline: TimeAmount, user: NIOLoopBound<any WebSocketUser>
    ) -> EventLoopFuture<any Channel> {
        let upgraded = eventLoop.makePromise(of: (any Channel).self)
        let name = target.description
        let timer = eventLoop.scheduleTask(in: deadline) { upgraded.fail(WebSocketConnectError.deadline(target: name)) }
        upgraded.futureResult.whenComplete { _ in timer.cancel() }
        ClientBootstrap(group: eventLoop)
            .connectTimeout(deadline)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls = target.tls {
                        // A literal address can not be named in SNI; the certificate is then checked against the address.
                        let isName = (try? SocketAddress(ipAddress: target.host, port: 0)) == nil
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: isName ? target.host : nil))
                    }
                    let encoder = HTTPRequestEncoder()
                    // Frames may come in one segment with the answer.
                    let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
                    try pipeline.addHandler(encoder)
                    try pipeline.addHandler(decoder)
                    try pipeline.addHandler(
                        ClientUpgradeHandler(
                            target: target, configuration: configuration, user: user.value, encoder: encoder, decoder: decoder,
                            upgraded: upgraded))
                }
            }
            .connect(host: target.host, port: target.port)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    upgraded.futureResult.whenFailure { _ in channel.close(promise: nil) }
                case .failure(let error):
                    upgraded.fail(WebSocketConnectError.unreachable(target: name, why: "\(error)"))
                }
            }
        return upgraded.futureResult
    }
}

/// Asks for the websocket and judges the answer.
private final class ClientUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// How much of a refusal's body is kept.
    private static let bodyLimit = 4096

    private let target: WebSocketTarget
    private let configuration: WebSocketConfiguration
    private let user: any WebSocketUser
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let upgraded: EventLoopPromise<any Channel>
    private let key = WebSocketHandshake.makeKey()
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()
    private var isDone = false
    private var lastError: (any Error)?

    init(
        target: WebSocketTarget, configuration: WebSocketConfiguration, user: any WebSocketUser, encoder: HTTPRequestEncoder,
        decoder: ByteToMessageHandler<HTTPResponseDecoder>, upgraded: EventLoopPromise<any Channel>
    ) {
        self.target = target
        self.configuration = configuration
        self.user = user
        self.encoder = encoder
        self.decoder = decoder
        self.upgraded = upgraded
    }

    func channelActive(context: ChannelHandlerContext) {
        var headers = self.target.headers
        for (name, value) in [
            ("Host", self.target.authority), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self.key), ("Sec-WebSocket-Version", WebSocketHandshake.version),
        ] {
            headers.replaceOrAdd(name: name, value: value)
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: self.target.path, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isDone else { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
        case .body(var bytes):
            let room = ClientUpgradeHandler.bodyLimit - self.body.readableBytes
            if let kept = bytes.readSlice(length: min(max(0, room), bytes.readableBytes)) {
                self.body.writeImmutableBuffer(kept)
            }
        case .end:
            self.judge(context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.lastError = self.lastError ?? error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !self.isDone {
            if self.head != nil {
                self.judge(context)
            } else {
                let why = self.lastError.map { "\($0)" } ?? "the connection was closed without an answer"
                self.fail(.unreachable(target: "\(self.target)", why: why), context)
            }
        }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if !self.isDone { self.fail(.unreachable(target: "\(self.target)", why: "the connection was taken away"), context) }
    }

    private func fail(_ error: WebSocketConnectError, _ context: ChannelHandlerContext) {
        self.isDone = true
        self.upgraded.fail(error)
        context.close(promise: nil)
    }

    private func judge(_ context: ChannelHandlerContext) {
        guard let head = self.head else { return }
        guard head.status == .switchingProtocols else {
            let words = String(decoding: self.body.readableBytesView, as: UTF8.self).trimmedASCII
            return self.fail(.refused(target: "\(self.target)", status: Int(head.status.code), body: words), context)
        }
        let bad: String? =
            if head.headers[canonicalForm: "upgrade"].map({ $0.lowercased() }) != ["websocket"] {
                "it upgrades to something else"
            } else if !head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" }) {
                "its Connection header does not say so"
            } else if head.headers["sec-websocket-accept"] != [WebSocketHandshake.accept(key: self.key)] {
                "its accept word does not belong to our key"
            } else if head.headers.contains(name: "sec-websocket-extensions")
                || head.headers.contains(name: "sec-websocket-protocol")
            {
                "it chose an extension or a protocol that was not offered"
            } else if !context.channel.isActive {
                "it closed the connection"
            } else {
                nil
            }
        if let bad { return self.fail(.badHandshake(target: "\(self.target)", what: bad), context) }
        self.upgrade(context)
    }

    private func upgrade(_ context: ChannelHandlerContext) {
        self.isDone = true
        let pipeline = context.pipeline.syncOperations
        let socket = WebSocketHandler(role: .client, configuration: self.configuration, isCorked: true, user: self.user)
        pipeline.removeHandler(self.encoder, promise: nil)
        do {
            try pipeline.addHandler(socket, position: .after(self.decoder))
        } catch {
            return self.fail(.unreachable(target: "\(self.target)", why: "\(error)"), context)
        }
        let removed = context.eventLoop.makePromise(of: Void.self)
        let (upgraded, channel) = (self.upgraded, context.channel)
        removed.futureResult.assumeIsolated().whenComplete { _ in
            upgraded.succeed(channel)
            socket.uncork()
        }
        // Takes effect on the next tick, and hands the bytes behind the answer to the websocket.
        pipeline.removeHandler(self.decoder, promise: removed)
        pipeline.removeHandler(context: context, promise: nil)
    }
}

extension String {
    fileprivate var trimmedASCII: String {
        let isSpace = { (character: Character) in character.isWhitespace }
        return String(self.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
