//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpallocServer
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The port that is both: nothing of HTTP is lost for the websockets' sake, nor the other way round.
@Suite(.timeLimit(.minutes(1))) struct UpgradeTests {
    private static let hello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

    private func open(_ correlation: UInt32) -> ByteBuffer {
        var payload = ByteBuffer()
        ProxyRequest.openUnconnected(correlation: correlation).write(into: &payload)
        var bytes = ByteBuffer()
        bytes.putWebSocketFrame(.binary, payload, maskKey: 0x5A5A_1234)
        return bytes
    }

    /// Whether the reply to ``open(_:)`` comes.
    private func expectReply(_ correlation: UInt32, _ client: RawClient) async {
        var reader = WebSocketReader(role: .client, maximumMessageBytes: 10_000)
        let events = await client.events(&reader) { _ in true }
        guard case .binary(let message)? = events.first,
            case .openedUnconnected(correlation, _, _, _)? = try? ProxyReply(frame: message)
        else {
            Issue.record("no reply: \(events)")
            return
        }
    }

    @Test func anUpgradeByTheBook() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                let answer = try await client.upgrade()
                #expect(answer.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
                #expect(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
                try await client.send(self.open(3))
                await self.expectReply(3, client)
            }
        }
    }

    @Test func aRefusedUpgradeGetsItsAnswerAndTheConnectionGoesOn() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.send(RawClient.request("/spalloc/proxy/8"))
                let refusal = await client.read(until: "no such job\n")
                #expect(refusal.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
                try await client.send(Self.hello)
                #expect(await client.read(until: "hello").hasPrefix("HTTP/1.1 200 OK"))
                // Again, and then one that is let in.
                try await client.send(RawClient.request("/spalloc/proxy/9"))
                #expect(await client.read(until: "no such job\n").hasPrefix("HTTP/1.1 404"))
                try await client.expectUpgrade()
                try await client.send(self.open(1))
                await self.expectReply(1, client)
            }
        }
    }

    @Test func requestsBehindARefusedOneInTheSameSegmentAreAnswered() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.send(RawClient.request("/spalloc/proxy/8") + Self.hello + Self.hello)
                let text = await client.read(until: "hello")
                #expect(text.hasPrefix("HTTP/1.1 404") && text.contains("HTTP/1.1 200 OK"))
                #expect(await client.read(until: "hello").hasPrefix("HTTP/1.1 200 OK"))
            }
        }
    }

    @Test func theRoutersOwnPathsStayTheRouters() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                // A websocket is asked for where there is none: the route answers as to any GET.
                try await client.send(RawClient.request("/hello"))
                #expect(await client.read(until: "hello").hasPrefix("HTTP/1.1 200 OK"))
                try await client.send(RawClient.request("/nowhere") + Self.hello)
                let text = await client.read(until: "hello")
                #expect(text.hasPrefix("HTTP/1.1 404") && text.contains("200 OK"))
            }
        }
    }

    @Test func otherUpgradesAreIgnored() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                let h2c = "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
                try await client.send("GET /hello HTTP/1.1\r\n\(h2c)\r\n")
                #expect(await client.read(until: "hello").hasPrefix("HTTP/1.1 200 OK"))
                try await client.send("POST /echo HTTP/1.1\r\n\(h2c)Content-Length: 4\r\n\r\nbody")
                #expect(await client.read(until: "body").hasPrefix("HTTP/1.1 200 OK"))
                // Another one in the same segment: NIO's decoder alone would lose it.
                try await client.send(
                    "GET /hello HTTP/1.1\r\n\(h2c)\r\n" + "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nend")
                #expect(await client.read(until: "end").components(separatedBy: "200 OK").count == 3)
                // And the connection can still become a websocket.
                try await client.expectUpgrade()
            }
        }
    }

    @Test func aRequestThatComesByteByByte() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                for byte in RawClient.request().utf8 { try await client.send(ByteBuffer(bytes: [byte])) }
                #expect(await client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101"))
                for byte in self.open(9).readableBytesView { try await client.send(ByteBuffer(bytes: [byte])) }
                await self.expectReply(9, client)
            }
        }
    }

    @Test func aFrameInTheSameSegmentAsItsRequestWaitsForTheDecision() async throws {
        let (decisions, decide) = AsyncStream.makeStream(of: Void.self)
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        try await ProxyServerHarness.with(
            decide: { _, _, configuration in
                ask.yield()
                for await _ in decisions { break }
                return .accept(configuration)
            }
        ) { server in
            try await RawClient.with(port: server.port) { client in
                var bytes = ByteBuffer(string: RawClient.request())
                var frame = self.open(5)
                let rest = frame.readableBytes - 3
                bytes.writeImmutableBuffer(frame.readSlice(length: 3) ?? ByteBuffer())
                try await client.send(bytes)
                for await _ in asked { break }
                // The rest of the frame comes while the decision is pending.
                #expect(frame.readableBytes == rest)
                try await client.send(frame)
                decide.yield()
                let answer = await client.read(until: "\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 101"))
                await self.expectReply(5, client)
            }
        }
    }

    @Test func aDecisionThatDoesNotComeIsA503() async throws {
        let (never, continuation) = AsyncStream.makeStream(of: Void.self)
        try await ProxyServerHarness.with(
            decisionDeadline: .milliseconds(30),
            decide: { _, _, configuration in
                for await _ in never {}
                return .accept(configuration)
            }
        ) { server in
            try await RawClient.with(port: server.port) { client in
                try await client.send(RawClient.request() + Self.hello)
                let text = await client.read(until: "hello")
                #expect(text.hasPrefix("HTTP/1.1 503") && text.contains("200 OK"))
            }
        }
        continuation.finish()
    }

    @Test(arguments: [
        (
            "no key",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", "400"
        ),
        (
            "bad key",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
            "400"
        ),
        (
            "version 8",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "426"
        ),
        (
            "POST with a body",
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 2\r\n\r\nhi",
            "400"
        ),
    ])
    func aRequestThatIsNoneIsRefusedAndTheConnectionGoesOn(name: String, request: String, status: String) async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.send(request)
                let refusal = await client.read(until: "\r\n\r\n")
                #expect(refusal.hasPrefix("HTTP/1.1 \(status) "), "\(name)")
                if status == "426" { #expect(refusal.lowercased().contains("sec-websocket-version: 13")) }
                try await client.send(Self.hello)
                #expect(await client.read(until: "hello").contains("HTTP/1.1 200 OK"))
            }
        }
    }

    @Test func garbageIsABadRequest() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.send("garbage\r\n\r\n")
                #expect(String(buffer: await client.readToEnd()).hasPrefix("HTTP/1.1 400"))
            }
        }
    }

    // MARK: How connections end

    @Test func aConnectionThatSaysNothingIsClosed() async throws {
        try await ProxyServerHarness.with(idleTimeout: .milliseconds(30)) { server in
            try await RawClient.with(port: server.port) { client in
                #expect(await client.readToEnd().readableBytes == 0)
            }
        }
    }

    @Test func aWebSocketIsNotClosedForBeingIdle() async throws {
        // The HTTP idle timer is gone with the upgrade; the ping that comes later proves the connection alive beyond it.
        var webSocket = WebSocketConfiguration.server
        webSocket.pingInterval = .milliseconds(1300)
        try await ProxyServerHarness.with(webSocket: webSocket, idleTimeout: .seconds(1)) { server in
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                var reader = WebSocketReader(role: .client, maximumMessageBytes: 100)
                #expect(await client.events(&reader) { _ in true } == [.ping(ByteBuffer())])
                try await client.send(self.open(1))
                await self.expectReply(1, client)
            }
        }
    }

    @Test func aHalfClosedConnectionIsClosedBeforeAndAfterTheUpgrade() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.channel.close(mode: .output).get()
                #expect(await client.readToEnd().readableBytes == 0)
            }
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                try await client.channel.close(mode: .output).get()
                #expect(await client.readToEnd().readableBytes == 0)
            }
            while server.registry.totals.counters.sessionsOpen > 0 { await Task.yield() }
            #expect(server.registry.sessionCount(job: 7) == 0)
        }
    }

    @Test func stoppingSaysGoodByeToWebSocketsAndClosesIdleConnections() async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { idle in
                try await RawClient.with(port: server.port) { client in
                    try await client.expectUpgrade()
                    await server.stop()
                    var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                    let events = await client.events(&reader) { _ in true }
                    #expect(events == [.close(.goingAway, reason: "the server stops")])
                    #expect(await idle.readToEnd().readableBytes == 0)
                }
            }
            // The harness waits for the server to end: it does not hang on either.
        }
    }

    @Test func aPeerThatAnswersNoPingIsDropped() async throws {
        var webSocket = WebSocketConfiguration.server
        webSocket.pingInterval = .milliseconds(20)
        webSocket.pongDeadline = .milliseconds(20)
        try await ProxyServerHarness.with(webSocket: webSocket) { server in
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                let events = await client.events(&reader) { if case .close = $0 { true } else { false } }
                #expect(events == [.ping(ByteBuffer()), .close(.pongTimeout, reason: "no pong")])
            }
        }
    }

    // MARK: TLS

    @Test func aWebSocketOverTLS() async throws {
        try await ProxyServerHarness.with(tls: true) { server in
            for host in ["127.0.0.1", "localhost"] {
                try await ProxyConnection.with(
                    label: "job 7", on: MultiThreadedEventLoopGroup.singleton.next(), target: { _ in server.target(host: host) }
                ) { proxy in
                    _ = try await proxy.openUnconnected()
                }
            }
            await #expect(
                throws: WebSocketConnectError.refused(
                    target: "\(server.target("/spalloc/proxy/8"))", status: 404, body: "no such job")
            ) {
                try await ProxyConnection.connect(
                    label: "job 8", on: MultiThreadedEventLoopGroup.singleton.next(),
                    target: { _ in server.target("/spalloc/proxy/8") })
            }
        }
    }

    @Test func stoppingDoesNotWaitForIdleConnectionsOverTLS() async throws {
        let clock = ContinuousClock()
        var stopped = clock.now
        try await ProxyServerHarness.with(tls: true) { server in
            try await RawClient.with(port: server.port, tls: server.tls) { client in
                try await client.send(Self.hello)
                #expect(await client.read(until: "hello").hasPrefix("HTTP/1.1 200 OK"))
                stopped = clock.now
                await server.stop()
                #expect(await client.readToEnd().readableBytes == 0)
            }
        }
        // NIOSSL's own patience is 5 s.
        #expect(clock.now - stopped < .seconds(4))
    }

    @Test func anUnknownAuthorityIsNotTrusted() async throws {
        try await ProxyServerHarness.with(tls: true) { server in
            var target = server.target()
            target.tls = try .init(configuration: .makeClientConfiguration())
            do {
                let fixed = target
                _ = try await ProxyConnection.connect(
                    label: "job 7", on: MultiThreadedEventLoopGroup.singleton.next(), target: { _ in fixed })
                Issue.record("trusted")
            } catch let error as WebSocketConnectError {
                guard case .unreachable(_, let why) = error, why.contains("CERTIFICATE_VERIFY_FAILED") else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }
}

extension String {
    fileprivate func components(separatedBy text: String) -> [String] {
        self.split(separator: text, omittingEmptySubsequences: false).map(String.init)
    }
}
