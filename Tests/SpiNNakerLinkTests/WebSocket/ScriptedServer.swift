//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerWire

/// A websocket server on loopback that does what its script says, right or wrong. One script serves all its connections,
/// numbered from 0.
struct ScriptedServer: Sendable {
    /// One connection at the server's end, on its event loop.
    final class Peer {
        let index: Int
        fileprivate let context: ChannelHandlerContext
        fileprivate init(index: Int, context: ChannelHandlerContext) {
            self.index = index
            self.context = context
        }
        func send(raw bytes: ByteBuffer) { self.context.writeAndFlush(NIOAny(bytes), promise: nil) }
        func send(_ replies: ProxyReply...) {
            var bytes = ByteBuffer()
            for reply in replies {
                var payload = ByteBuffer()
                reply.write(into: &payload)
                bytes.putWebSocketFrame(.binary, payload, maskKey: nil)
            }
            self.send(raw: bytes)
        }
        func close(_ code: WebSocketCloseCode) {
            var bytes = ByteBuffer()
            bytes.putWebSocketClose(code, reason: "", maskKey: nil)
            self.send(raw: bytes)
        }
        func hangUp() { self.context.close(promise: nil) }
    }

    struct Script: Sendable {
        /// What is answered to the request, raw; nil: nothing at all.
        var answer: @Sendable (_ request: String, _ accept: String, _ index: Int) -> String? = { _, accept, _ in
            ScriptedServer.switching(accept)
        }
        /// Sent in one segment with the answer.
        var behindAnswer: @Sendable (_ index: Int) -> ByteBuffer = { _ in ByteBuffer() }
        var received: @Sendable (WebSocketEvent, Peer) -> Void = { _, _ in }
    }

    static func switching(_ accept: String) -> String {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
    }

    let channel: any Channel
    let requests: NIOLockedValueBox<[String]>
    var port: Int { self.channel.localAddress?.port ?? 0 }
    var target: WebSocketTarget { WebSocketTarget(host: "127.0.0.1", port: self.port, path: "/spalloc/proxy/7", tls: nil) }

    @discardableResult
    static func with<Result>(
        _ script: Script, _ body: (ScriptedServer) async throws -> Result
    ) async throws -> Result {
        let requests = NIOLockedValueBox<[String]>([])
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(script: script, requests: requests))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let result = try await body(ScriptedServer(channel: channel, requests: requests))
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let script: Script
        private let requests: NIOLockedValueBox<[String]>
        private var head = ByteBuffer()
        private var peer: Peer?
        private var reader = WebSocketReader(role: .server, maximumMessageBytes: 100_000)

        init(script: Script, requests: NIOLockedValueBox<[String]>) {
            self.script = script
            self.requests = requests
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            if let peer = self.peer {
                self.reader.feed(bytes)
                while let event = self.reader.next() { self.script.received(event, peer) }
                return
            }
            self.head.writeImmutableBuffer(bytes)
            let text = String(buffer: self.head)
            guard text.hasSuffix("\r\n\r\n") else { return }
            let index = self.requests.withLockedValue { requests in
                requests.append(text)
                return requests.count - 1
            }
            let peer = Peer(index: index, context: context)
            self.peer = peer
            let key =
                text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }?.dropFirst(19) ?? ""
            guard let answer = self.script.answer(text, WebSocketHandshake.accept(key: String(key)), index) else { return }
            var out = ByteBuffer(string: answer)
            out.writeImmutableBuffer(self.script.behindAnswer(index))
            context.writeAndFlush(NIOAny(out), promise: nil)
            if answer.isEmpty || answer.contains("Connection: close") { context.close(promise: nil) }
        }
    }
}

extension EventLoopGroup where Self == MultiThreadedEventLoopGroup {
    static var singletonMultiThreadedEventLoopGroup: MultiThreadedEventLoopGroup { .singleton }
}

/// What a link's receiver is told, as a stream.
final class Inbox: DatagramReceiver {
    enum Event: Hashable, Sendable {
        case datagram(String)
        case readComplete
        case closed(String?)
    }
    private let continuation: AsyncStream<Event>.Continuation
    private init(_ continuation: AsyncStream<Event>.Continuation) { self.continuation = continuation }

    func datagramReceived(_ datagram: ByteBuffer) { self.continuation.yield(.datagram(String(buffer: datagram))) }
    func datagramReadComplete() { self.continuation.yield(.readComplete) }
    func linkClosed(_ error: (any Error)?) {
        self.continuation.yield(.closed(error.map { "\($0)" }))
        self.continuation.finish()
    }

    static func listen(to link: any DatagramLink) async throws -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
        try await link.eventLoop.submit { link.setReceiver(Inbox(continuation)) }.get()
        return stream
    }
    static func listen(to listener: ProxiedListener) async throws -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
        try await listener.eventLoop.submit { listener.setReceiver(Inbox(continuation)) }.get()
        return stream
    }
}

extension AsyncStream<Inbox.Event> {
    /// The next that is no read-complete.
    func next() async -> Inbox.Event? {
        for await event in self where event != .readComplete { return event }
        return nil
    }
}

extension DatagramLink {
    func send(_ text: String) async throws {
        try await self.eventLoop.submit {
            self.write(ByteBuffer(string: text))
            self.flush()
        }.get()
    }
}
