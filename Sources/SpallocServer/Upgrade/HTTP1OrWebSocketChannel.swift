//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL

/// Hummingbird's HTTP/1.1 connection, of which any request may make the proxy's websocket.
package struct HTTP1OrWebSocketChannel: ServerChildChannel, HTTPChannelHandler {
    package typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    package let responder: HTTPChannelHandler.Responder
    private let authoriser: UpgradeAuthoriser
    private let configuration: HTTP1Channel.Configuration
    private let decisionDeadline: TimeAmount

    package init(
        responder: @escaping HTTPChannelHandler.Responder, authoriser: @escaping UpgradeAuthoriser,
        configuration: HTTP1Channel.Configuration = .init(idleTimeout: .seconds(60)),
        decisionDeadline: TimeAmount = .seconds(10)
    ) {
        self.responder = responder
        self.authoriser = authoriser
        self.configuration = configuration
        self.decisionDeadline = decisionDeadline
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = self.configuration.httpDecoder.maxHeaderFieldSize
            limits.maxHeaderListSize = self.configuration.httpDecoder.maxHeaderListSize
            limits.maxHeaderFieldCount = self.configuration.httpDecoder.maxHeaderFieldCount
            let decoder = ResumableRequestDecoder(limits: limits)
            let neighbours = UpgradeSwitch.Neighbours(
                encoder: HTTPResponseEncoder(), decoder: decoder, decoderHandler: ByteToMessageHandler(decoder),
                connectionState: HTTPConnectionStateHandler(
                    idleTimeout: self.configuration.idleTimeout.map { .nanoseconds($0.nanoseconds) }, logger: logger))
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(WholeCloseHandler())
            try pipeline.addHandler(neighbours.encoder)
            try pipeline.addHandler(neighbours.decoderHandler)
            try pipeline.addHandler(
                UpgradeSwitch(
                    authoriser: self.authoriser, decisionDeadline: self.decisionDeadline, neighbours: neighbours, logger: logger
                ))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandlers(self.configuration.additionalChannelHandlers())
            try pipeline.addHandler(neighbours.connectionState)
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    package func handle(value: Value, logger: Logger) async {
        await self.handleHTTP(asyncChannel: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1 and the proxy's websockets on one port; with TLS if there is a configuration for it.
    ///
    /// A websocket needs HTTP/1.1, so nothing else is offered by ALPN.
    package static func http1WithWebSocket(
        authoriser: @escaping UpgradeAuthoriser, configuration: HTTP1Channel.Configuration = .init(idleTimeout: .seconds(60)),
        decisionDeadline: TimeAmount = .seconds(10), tls: TLSConfiguration? = nil
    ) throws -> HTTPServerBuilder {
        let plain = HTTPServerBuilder { responder in
            HTTP1OrWebSocketChannel(
                responder: responder, authoriser: authoriser, configuration: configuration, decisionDeadline: decisionDeadline)
        }
        guard var tls else { return plain }
        tls.applicationProtocols = ["http/1.1"]
        return try .tls(plain, tlsConfiguration: tls)
    }
}

/// Once we close a connection ourselves, its peer's end of it is no half-closure.
///
/// Hummingbird allows half-closure. While it is allowed, NIOSSL (2.37.6) takes the peer's answer to our own `close_notify` for one, and only
/// lets go of the socket 5 s later: a server would take that long to stop, for one idle HTTPS connection.
private final class WholeCloseHandler: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false) }
        context.close(mode: mode, promise: promise)
    }
}
