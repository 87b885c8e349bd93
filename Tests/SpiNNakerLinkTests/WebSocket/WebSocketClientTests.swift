//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import Testing

@Suite(.timeLimit(.minutes(1))) struct WebSocketClientTests {
    /// Messages and the ending, as a stream.
    final class User: WebSocketUser {
        let continuation: AsyncStream<String>.Continuation
        init(_ continuation: AsyncStream<String>.Continuation) { self.continuation = continuation }
        func webSocketOpened(_ socket: WebSocketHandler) { self.continuation.yield("opened") }
        func webSocketReceived(_ message: ByteBuffer) { self.continuation.yield(String(buffer: message)) }
        func webSocketReadComplete() {}
        func webSocketClosed(_ ending: WebSocketEnding) {
            self.continuation.yield("\(ending)")
            self.continuation.finish()
        }
    }

    private func connect(
        to target: WebSocketTarget, deadline: TimeAmount = .seconds(10)
    ) async throws -> (any Channel, AsyncStream<String>) {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await eventLoop.flatSubmit {
            WebSocketClient.connect(
                to: target, on: eventLoop, deadline: deadline, user: NIOLoopBound(User(continuation), eventLoop: eventLoop))
        }.get()
        return (channel, stream)
    }

    @Test func theRequestCarriesItsHeadersAndEarlyFramesArrive() async throws {
        var script = ScriptedServer.Script()
        script.behindAnswer = { _ in
            var bytes = ByteBuffer()
            bytes.putWebSocketFrame(.binary, ByteBuffer(string: "early"), maskKey: nil)
            bytes.putWebSocketClose(.goingAway, reason: "bye", maskKey: nil)
            return bytes
        }
        try await ScriptedServer.with(script) { server in
            var target = server.target
            target.headers = ["Cookie": "JSESSIONID=abc", "X-CSRF-TOKEN": "t0k3n", "Origin": "127.0.0.1"]
            let (_, stream) = try await self.connect(to: target)
            #expect(await Array(stream) == ["opened", "early", "closed by the peer with 1001 (going away): bye"])
            let request = server.requests.withLockedValue { $0.first } ?? ""
            #expect(request.hasPrefix("GET /spalloc/proxy/7 HTTP/1.1\r\n"))
            for line in [
                "Cookie: JSESSIONID=abc", "X-CSRF-TOKEN: t0k3n", "Origin: 127.0.0.1", "Host: 127.0.0.1:\(server.port)",
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            ] {
                #expect(request.contains("\r\n\(line)\r\n"), "\(line) is missing")
            }
            // Secrets are in no description.
            #expect("\(target)" == "ws://127.0.0.1:\(server.port)/spalloc/proxy/7")
        }
    }

    @Test(arguments: [401, 404, 503])
    func aRefusalKeepsItsStatusAndWords(status: Int) async throws {
        var script = ScriptedServer.Script()
        script.answer = { _, _, _ in "HTTP/1.1 \(status) No\r\nContent-Length: 14\r\n\r\nno such job 7\n" }
        try await ScriptedServer.with(script) { server in
            await #expect(
                throws: WebSocketConnectError.refused(target: "\(server.target)", status: status, body: "no such job 7")
            ) {
                try await self.connect(to: server.target)
            }
        }
    }

    @Test func aRefusalThatEndsWithItsConnectionIsOneToo() async throws {
        var script = ScriptedServer.Script()
        script.answer = { _, _, _ in "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\nno" }
        try await ScriptedServer.with(script) { server in
            await #expect(throws: WebSocketConnectError.refused(target: "\(server.target)", status: 400, body: "no")) {
                try await self.connect(to: server.target)
            }
        }
    }

    @Test func anAnswerThatIsNoHandshakeIsSaidToBeNone() async throws {
        func with(_ header: String) -> @Sendable (String) -> String {
            { ScriptedServer.switching($0).replacing("\r\n\r\n", with: "\r\n\(header)\r\n\r\n") }
        }
        let bad: [(answer: @Sendable (String) -> String, why: String)] = [
            ({ _ in ScriptedServer.switching("AAAAAAAAAAAAAAAAAAAAAAAAAAA=") }, "accept word"),
            ({ ScriptedServer.switching($0).replacing("Upgrade: websocket", with: "Upgrade: h2c") }, "something else"),
            (
                { ScriptedServer.switching($0).replacing("Connection: Upgrade", with: "Connection: keep-alive") },
                "Connection header"
            ),
            (with("Sec-WebSocket-Extensions: permessage-deflate"), "extension or a protocol"),
            (with("Sec-WebSocket-Protocol: chat"), "extension or a protocol"),
        ]
        var script = ScriptedServer.Script()
        script.answer = { _, accept, index in bad[index].answer(accept) }
        try await ScriptedServer.with(script) { server in
            for (_, why) in bad {
                do {
                    _ = try await self.connect(to: server.target)
                    Issue.record("taken for a websocket")
                } catch let error as WebSocketConnectError {
                    guard case .badHandshake(_, let what) = error, what.contains(why) else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
        }
    }

    @Test func noAnswerIsNoWebSocket() async throws {
        // Closed without a word, garbage, and nothing at all.
        var script = ScriptedServer.Script()
        script.answer = { _, _, index in [0: "", 1: "garbage\r\n\r\n"][index] }
        try await ScriptedServer.with(script) { server in
            for _ in 0..<2 {
                do {
                    _ = try await self.connect(to: server.target)
                    Issue.record("taken for a websocket")
                } catch let error as WebSocketConnectError {
                    guard case .unreachable = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
            await #expect(throws: WebSocketConnectError.deadline(target: "\(server.target)")) {
                try await self.connect(to: server.target, deadline: .milliseconds(50))
            }
        }
    }

    @Test func nobodyThere() async throws {
        let target = try await ScriptedServer.with(ScriptedServer.Script()) { $0.target }
        do {
            _ = try await self.connect(to: target)
            Issue.record("connected to nobody")
        } catch let error as WebSocketConnectError {
            guard case .unreachable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test func authorityNamesThePortThatIsNotTheUsual() {
        #expect("\(WebSocketTarget(host: "h", port: 80, path: "/", tls: nil))" == "ws://h/")
        #expect("\(WebSocketTarget(host: "::1", port: 8080, path: "/p", tls: nil))" == "ws://[::1]:8080/p")
    }
}

extension Array where Element: Sendable {
    init(_ stream: AsyncStream<Element>) async {
        self = []
        for await element in stream { self.append(element) }
    }
}
