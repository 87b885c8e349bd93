//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpallocClient

/// A bare websocket of a session, as `Session.websocket` of the stock client opens.
@Suite(.timeLimit(.minutes(3))) struct WebSocketSessionTests {
    private let far = ProxyPeer()

    private func withSocket(
        special: @escaping @Sendable (PeerRequest) -> PeerAnswer? = { _ in nil },
        _ body: (SpallocWebSocket, FakeService, ScriptedPeer) async throws -> Void
    ) async throws {
        let far = self.far
        let service = FakeService(special: { request in
            if let answer = special(request) { return answer }
            return request.path == "/spalloc/ws" ? .webSocket { far.makeUser($0) } : nil
        })
        try await service.run { client, peer in
            let url = try #require(client.serviceURL.following("wss://elsewhere/spalloc/ws"))
            try await client.session.withWebSocket(url) { socket in try await body(socket, service, peer) }
        }
    }

    private func openFrame(_ correlation: UInt32) -> ByteBuffer {
        var frame = ByteBuffer()
        ProxyRequest.open(correlation: correlation, ProxyEndpoint(chip: ChipID(0, 0), port: 17893)).write(into: &frame)
        return frame
    }

    @Test func messagesGoBothWaysAndProveWhoWeAre() async throws {
        try await self.withSocket { socket, _, peer in
            try await socket.send(self.openFrame(7))
            let reply = try ProxyReply(frame: try await socket.receive(timeout: .seconds(30)))
            #expect(reply == .opened(correlation: 7, channel: 101))
            let upgrade = try #require(peer.requests.last)
            #expect(upgrade.call == "GET /spalloc/ws" && upgrade.cookie == "JSESSIONID=SESSION1")
            #expect(upgrade.headers.first(name: "x-csrf-token") == "5b1c-01")
            let none = try await #require(throws: SpallocError.self) { try await socket.receive(timeout: .milliseconds(20)) }
            #expect(none.code == .timeout)
        }
    }

    @Test func aSessionThatEndedIsRenewedFirst() async throws {
        let refused = NIOLockedValueBox(false)
        try await self.withSocket(special: { request in
            guard request.path == "/spalloc/ws", request.cookie == "JSESSIONID=SESSION1" else { return nil }
            refused.withLockedValue { $0 = true }
            return .text(401, "please log in")
        }) { socket, service, _ in
            try await socket.send(self.openFrame(1))
            _ = try await socket.receive(timeout: .seconds(30))
            #expect(refused.withLockedValue { $0 } && service.now.logins == 2)
        }
    }

    @Test func aRefusalHasItsCodeAndTheServicesWords() async throws {
        let error = try await #require(throws: SpallocError.self) {
            try await self.withSocket(special: { $0.path == "/spalloc/ws" ? .text(403, "not for you") : nil }) { _, _, _ in }
        }
        #expect(error.code == .forbidden && error.serverMessage == "not for you")
    }

    @Test func itsEndIsAnErrorAndSendingIsToo() async throws {
        try await self.withSocket { socket, _, _ in
            // The 101 may be here before the far end has its channel: only an answer proves that there is something to cut.
            try await socket.send(self.openFrame(3))
            _ = try await socket.receive(timeout: .seconds(30))
            self.far.cut()
            let error = try await #require(throws: SpallocError.self) {
                for try await _ in socket.messages {}
            }
            #expect(error.code == .connectionClosed)
            let late = try await #require(throws: SpallocError.self) { try await socket.send(ByteBuffer()) }
            #expect(late.code == .connectionClosed)
        }
    }
}
