//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A reverse proxy of the plainest kind: passes bytes on, and drops a websocket whose client was silent for too long.
final class IdleDropper: Sendable {
    struct Counts: Sendable {
        var connections = 0
        var dropped = 0
        /// Pieces that came from clients.
        var pieces = 0
    }

    let port: Int
    private let channel: any Channel
    private let state: NIOLockedValueBox<Counts>
    var counts: Counts { self.state.withLockedValue { $0 } }

    private init(port: Int, channel: any Channel, state: NIOLockedValueBox<Counts>) {
        self.port = port
        self.channel = channel
        self.state = state
    }

    /// - Parameters:
    ///   - target: the port on loopback that bytes are passed on to.
    ///   - limit: silence of the client for longer ends its connection.
    static func run<Result>(
        to target: Int, limit: TimeAmount, _ body: (IdleDropper) async throws -> Result
    ) async throws -> Result {
        let state = NIOLockedValueBox(Counts())
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                state.withLockedValue { $0.connections += 1 }
                return ClientBootstrap(group: channel.eventLoop).connect(host: "127.0.0.1", port: target).flatMap { far in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            Forwarder(to: far, state: state, limit: limit))
                        try far.pipeline.syncOperations.addHandler(Forwarder(to: channel))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let dropper = IdleDropper(port: channel.localAddress?.port ?? 0, channel: channel, state: state)
        do {
            let result = try await body(dropper)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Forwarder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let state: NIOLockedValueBox<Counts>?
        /// Set on the client's side until its connection is a websocket's.
        private var limit: TimeAmount?

        init(to other: any Channel, state: NIOLockedValueBox<Counts>? = nil, limit: TimeAmount? = nil) {
            self.other = other
            self.state = state
            self.limit = limit
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.state?.withLockedValue { $0.pieces += 1 }
            let bytes = self.unwrapInboundIn(data)
            // A login may take its time; only what has become a websocket is watched.
            if let limit = self.limit, String(buffer: bytes).lowercased().contains("upgrade: websocket") {
                self.limit = nil
                try? context.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: limit), position: .first)
            }
            self.other.writeAndFlush(bytes, promise: nil)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
            self.state?.withLockedValue { $0.dropped += 1 }
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.other.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
