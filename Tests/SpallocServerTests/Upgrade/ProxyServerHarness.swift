//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle
import SpallocServer
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import Testing

/// A server with two routes and the proxy on loopback, for the length of a closure.
struct ProxyServerHarness: Sendable {
    let port: Int
    let registry: ProxyRegistry
    let tls: NIOSSLContext?
    let stop: @Sendable () async -> Void

    func target(_ path: String = "/spalloc/proxy/7", host: String = "127.0.0.1") -> WebSocketTarget {
        WebSocketTarget(host: host, port: self.port, path: path, tls: self.tls)
    }

    static let quiet: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    /// - Parameters:
    ///   - boards: those of job 7.
    ///   - decide: nil: `/spalloc/proxy/7` is let in, other jobs get a 404, other paths are the router's.
    static func with(
        tls: Bool = false, boards: [ChipID: SpiNNakerMachine.IPv4Address] = [:], maximumChannels: Int = 100,
        localHost: SpiNNakerMachine.IPv4Address? = nil,
        webSocket: WebSocketConfiguration = .server, idleTimeout: TimeAmount = .seconds(60),
        decisionDeadline: TimeAmount = .seconds(10),
        decide: (@Sendable (HTTPRequestHead, ProxyRegistry, ProxySessionConfiguration) async -> UpgradeDecision)? = nil,
        _ body: (ProxyServerHarness) async throws -> Void
    ) async throws {
        let router = Router()
        router.get("/hello") { _, _ in "hello" }
        router.post("/echo") { request, _ in String(buffer: try await request.body.collect(upTo: 100_000)) }
        let registry = ProxyRegistry()
        let authoriser: UpgradeAuthoriser = { head, _ in
            let configuration = ProxySessionConfiguration(
                admission: registry.admit(job: 7), boards: boards, localHost: localHost, maximumChannels: maximumChannels,
                webSocket: webSocket, logger: ProxyServerHarness.quiet)
            if let decide { return await decide(head, registry, configuration) }
            guard head.uri.hasPrefix("/spalloc/proxy/") else { return .router }
            guard head.uri == "/spalloc/proxy/7" else { return .refuse(.notFound, body: "no such job\n") }
            return .accept(configuration)
        }
        let (running, continuation) = AsyncStream.makeStream(of: Int.self)
        let app = Application(
            router: router,
            server: try .http1WithWebSocket(
                authoriser: authoriser, configuration: .init(idleTimeout: idleTimeout), decisionDeadline: decisionDeadline,
                tls: tls ? try TestCertificate.serverConfiguration() : nil),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: ProxyServerHarness.quiet)
        let group = ServiceGroup(configuration: .init(services: [app], logger: ProxyServerHarness.quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var port = 0
            for await number in running {
                port = number
                break
            }
            let harness = ProxyServerHarness(
                port: port, registry: registry, tls: tls ? try TestCertificate.clientContext() : nil,
                stop: { await group.triggerGracefulShutdown() })
            do {
                try await body(harness)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

/// Plain bytes over TCP, for what no proper client would send.
final class RawClient: Sendable {
    let channel: any Channel
    private let bytes: AsyncStream<ByteBuffer>
    private let unread = NIOLockedValueBox(ByteBuffer())

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let continuation: AsyncStream<ByteBuffer>.Continuation
        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) { self.continuation = continuation }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.continuation.yield(self.unwrapInboundIn(data)) }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { self.continuation.finish() }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { self.continuation.finish() }
        func channelInactive(context: ChannelHandlerContext) { self.continuation.finish() }
    }

    private init(channel: any Channel, bytes: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.bytes = bytes
    }

    static func with(port: Int, tls: NIOSSLContext? = nil, _ body: (RawClient) async throws -> Void) async throws {
        let (bytes, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(Handler(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        do {
            try await body(RawClient(channel: channel, bytes: bytes))
            try? await channel.close()
        } catch {
            try? await channel.close()
            throw error
        }
    }

    func send(_ bytes: ByteBuffer) async throws { try await self.channel.writeAndFlush(bytes).get() }
    func send(_ text: String) async throws { try await self.send(ByteBuffer(string: text)) }

    /// The text up to and with the first of these, or up to the connection's end. What is behind it is for the next to read.
    func read(until marker: String) async -> String {
        var parts = self.bytes.makeAsyncIterator()
        while true {
            let found = self.unread.withLockedValue { bytes -> String? in
                guard let range = bytes.readableBytesView.firstRange(of: Array(marker.utf8)) else { return nil }
                return bytes.readString(length: range.upperBound - bytes.readerIndex)
            }
            if let found { return found }
            guard let part = await parts.next() else { return String(buffer: self.takeUnread()) }
            self.unread.withLockedValue { _ = $0.writeImmutableBuffer(part) }
        }
    }

    /// What comes until the connection ends.
    func readToEnd() async -> ByteBuffer {
        var all = self.takeUnread()
        for await part in self.bytes { all.writeImmutableBuffer(part) }
        return all
    }

    /// The frames until (and with) the first that `isLast` says yes to, or until the connection ends.
    func events(_ reader: inout WebSocketReader, until isLast: (WebSocketEvent) -> Bool) async -> [WebSocketEvent] {
        var events: [WebSocketEvent] = []
        var parts = self.bytes.makeAsyncIterator()
        var part: ByteBuffer? = self.takeUnread()
        while let bytes = part {
            reader.feed(bytes)
            var isDone = false
            while let event = reader.next() {
                events.append(event)
                isDone = isDone || isLast(event)
            }
            if isDone { break }
            part = await parts.next()
        }
        return events
    }

    private func takeUnread() -> ByteBuffer {
        self.unread.withLockedValue { bytes in
            defer { bytes = ByteBuffer() }
            return bytes
        }
    }

    static func request(_ path: String = "/spalloc/proxy/7", _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(more)\r\n"
    }

    /// Its answer, without the blank line, in which the accept word is that of the RFC's example key.
    func upgrade() async throws -> String {
        try await self.send(RawClient.request())
        return await self.read(until: "\r\n\r\n")
    }

    func expectUpgrade() async throws {
        let answer = try await self.upgrade()
        #expect(answer.hasPrefix("HTTP/1.1 101"))
    }
}

/// A UDP echo in place of a board, at an address of 127.0.0.0/8.
struct EchoBoard: Sendable {
    let address: SpiNNakerMachine.IPv4Address
    let port: Int
    let channel: any Channel

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let times: Int
        init(times: Int) { self.times = times }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            for _ in 0..<self.times { context.write(data, promise: nil) }
        }
        func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    }

    /// - Parameter times: how often each datagram comes back.
    static func with(
        _ address: SpiNNakerMachine.IPv4Address, port: Int = 0, times: Int = 1, _ body: (EchoBoard) async throws -> Void
    ) async throws {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65536))
            .channelOption(.socketOption(.so_rcvbuf), value: 1 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(times: times)) }
            }
            .bind(host: address.description, port: port).get()
        do {
            try await body(EchoBoard(address: address, port: channel.localAddress?.port ?? 0, channel: channel))
            try await channel.close()
        } catch {
            try? await channel.close()
            throw error
        }
    }

    func send(_ text: String, to address: SpiNNakerMachine.IPv4Address, port: Int) async throws {
        let envelope = AddressedEnvelope(
            remoteAddress: try SocketAddress(ipAddress: address.description, port: port), data: ByteBuffer(string: text))
        try await self.channel.writeAndFlush(envelope).get()
    }
}
