//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpallocClient
import SpallocDemo
import SpiNNakerLink

/// A job's websocket, for whoever wants to send what no client of ours sends.
struct RawProxy: Sendable {
    enum Event: Sendable {
        case message(ByteBuffer)
        case closed(WebSocketEnding)
    }

    let events: AsyncStream<Event>
    private let user: NIOLoopBound<User>
    private let channel: any Channel

    /// - Throws: ``WebSocketConnectError`` when the service refuses it.
    static func open(job: Int, of house: DemoHouse, _ client: SpallocClient) async throws -> RawProxy {
        let target = WebSocketTarget(
            host: client.serviceURL.host, port: client.serviceURL.effectivePort, path: "/spalloc/proxy/\(job)",
            tls: try NIOSSLContext(configuration: house.clientConfiguration.tlsConfiguration()),
            headers: HTTPHeaders(try await client.sessionHeaders().map { ($0.key, $0.value) }))
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let (user, opening) = try await eventLoop.submit {
            let user = User(continuation)
            let opening = WebSocketClient.connect(
                to: target, on: eventLoop, deadline: .seconds(60), user: NIOLoopBound(user, eventLoop: eventLoop))
            return (NIOLoopBound(user, eventLoop: eventLoop), opening)
        }.get()
        return RawProxy(events: events, user: user, channel: try await opening.get())
    }

    func send(_ bytes: [UInt8]) async throws {
        let user = self.user
        try await user.eventLoop.submit {
            user.value.socket?.putMessage(ByteBuffer(bytes: bytes))
            user.value.socket?.flush()
        }.get()
    }

    /// The next message; nil when the websocket is closed, or the test's time is up.
    func nextMessage() async -> [UInt8]? {
        for await event in self.events {
            guard case .message(let message) = event else { return nil }
            return Array(message.readableBytesView)
        }
        return nil
    }

    /// How it ends; messages that come before are passed over.
    func ending() async -> WebSocketEnding? {
        for await event in self.events {
            if case .closed(let ending) = event { return ending }
        }
        return nil
    }

    func close() async throws { try await self.channel.close() }

    private final class User: WebSocketUser {
        private let events: AsyncStream<Event>.Continuation
        private(set) var socket: WebSocketHandler?

        init(_ events: AsyncStream<Event>.Continuation) { self.events = events }
        func webSocketOpened(_ socket: WebSocketHandler) { self.socket = socket }
        func webSocketReceived(_ message: ByteBuffer) { self.events.yield(.message(message)) }
        func webSocketReadComplete() {}
        func webSocketClosed(_ ending: WebSocketEnding) {
            self.socket = nil
            self.events.yield(.closed(ending))
            self.events.finish()
        }
    }
}

/// Little-endian words, as the proxy's frames are made of.
func words(_ words: UInt32..., then bytes: [UInt8] = []) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } } + bytes
}
