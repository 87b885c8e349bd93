//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import SpallocAPI
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct ProxyTests {
    let far = ProxyPeer()

    /// A ready job behind a service whose proxy is `far`.
    func withProxy(
        _ body: @escaping (SpallocProxy, FakeService, ScriptedPeer) async throws -> Void
    ) async throws {
        let far = self.far
        let service = FakeService(
            { $0.jobState = "READY" },
            special: { request in
                request.path == "/spalloc/proxy/42" ? .webSocket { far.makeUser($0) } : nil
            })
        try await service.run { client, peer in
            try await client.job(42).withProxy { proxy in try await body(proxy, service, peer) }
        }
    }

    @Test func theUpgradeProvesWhoWeAre() async throws {
        try await self.withProxy { _, _, peer in
            let upgrade = try #require(peer.requests.last)
            #expect(upgrade.call == "GET /spalloc/proxy/42")
            #expect(upgrade.cookie == "JSESSIONID=SESSION1")
            #expect(upgrade.headers.first(name: "x-csrf-token") == "5b1c-01")
            #expect(upgrade.headers.first(name: "origin") == "http://127.0.0.1:\(peer.port)")
        }
    }

    @Test func datagramsGoToABoardAndBack() async throws {
        try await self.withProxy { proxy, _, _ in
            let connection = try await proxy.connectDatagrams(to: ChipID(4, 8))
            try await connection.send(ByteBuffer(bytes: [1, 2, 3]))
            let echo = try await connection.receive(timeout: .seconds(30))
            #expect(echo == ByteBuffer(bytes: [1, 2, 3]))
            #expect(self.far.requests.first == .open(correlation: 0, ProxyEndpoint(chip: ChipID(4, 8), port: 17893)))

            let message = SDPMessage(
                header: SDPHeader(
                    flags: .replyNotExpected, destination: SDPAddress(port: 2, cpu: 3), destinationChip: ChipID(4, 8)),
                data: ByteBuffer(bytes: [9]))
            try await connection.send(message)
            let returned = try await connection.receiveSDP(timeout: .seconds(30))
            #expect(returned == message)

            try await connection.send(ByteBuffer(bytes: [7]))
            connection.close()
            var rest: [ByteBuffer] = []
            for try await datagram in connection.datagrams { rest.append(datagram) }
            #expect(rest.count <= 1)
            let error = try await #require(throws: SpallocError.self) { try await connection.receive(timeout: .seconds(30)) }
            #expect(error.code == .closed)
        }
    }

    @Test func receivingHasADeadlineThatNamesTheBoard() async throws {
        try await self.withProxy { proxy, _, _ in
            let connection = try await proxy.connectForBooting()
            let error = try await #require(throws: SpallocError.self) {
                try await connection.receive(timeout: .milliseconds(50))
            }
            #expect("\(error)" == "job 42: nothing came from board (0, 0) port 54321 within 0.05 seconds")
            // What comes later is not lost to a reader that has gone.
            try await connection.send([.hello], pause: .zero)
            let hello = try await connection.receiveBoot(timeout: .seconds(30))
            #expect(hello == .hello)
        }
    }

    @Test func aRefusedChannelSaysWhy() async throws {
        self.far.state.withLockedValue { $0.refusedPort = 17893 }
        try await self.withProxy { proxy, _, _ in
            let error = try await #require(throws: SpallocError.self) { try await proxy.connectDatagrams(to: ChipID(1, 1)) }
            #expect(error.code == .proxyFailed)
            #expect(error.job == 42)
            #expect(error.serverMessage == "no such board")
            // The websocket is as good as before.
            _ = try await proxy.connectForBooting()
        }
    }

    @Test func aJobWithoutBoardsHasNoProxy() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("jobs/42/") ? .json(#"{"state":"QUEUED"}"#) : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.job(42).withProxy { _ in } }
            #expect(error.code == .notReady)
        }
    }

    @Test func aRefusedWebSocketIsTyped() async throws {
        let service = FakeService(
            { $0.jobState = "READY" }, special: { $0.path == "/spalloc/proxy/42" ? .text(403, "not yours") : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.job(42).withProxy { _ in } }
            #expect(error.code == .forbidden)
            #expect(error.serverMessage == "not yours")
        }
    }

    // MARK: - Listening

    @Test func aListenerKnowsItsAddress() async throws {
        try await self.withProxy { proxy, _, _ in
            let listener = try await proxy.listen()
            let local = try await listener.localAddress()
            // The Python client says 0.0.0.0 and 0 here.
            #expect(local.address == IPv4Address(10, 0, 0, 254) && local.port == 50_101)
            try await listener.send(ByteBuffer(bytes: [5]), toHost: "10.0.0.9", port: 4000)
            let echo = try await listener.receive(timeout: .seconds(30))
            #expect(echo == ByteBuffer(bytes: [5]))
            #expect(
                self.far.requests.last
                    == .messageTo(channel: 101, ProxyEndpoint(chip: ChipID(4, 8), port: 4000), ByteBuffer(bytes: [5])))
        }
    }

    @Test func aTagIsConfirmedThoughAnEventComesFirst() async throws {
        self.far.state.withLockedValue { $0.eventBeforeTag = ByteBuffer(bytes: [1, 8, 1, 0, 7, 0]) }
        try await self.withProxy { proxy, _, _ in
            let listener = try await proxy.listen()
            try await listener.setTag(2, of: ChipID(4, 8))
            guard case .messageTo(_, let endpoint, let datagram)? = self.far.requests.last else {
                Issue.record("no tag was set")
                return
            }
            #expect(endpoint == ProxyEndpoint(chip: ChipID(4, 8), port: 17893))
            let packet = try SCPPacket(datagram: datagram)
            #expect(packet.header.flags == .replyExpectedNoRouting)
            // strip and use-sender, operation set, tag 2: golden vector spalloc.ws.update-tag.
            #expect(packet.arguments == SCPArguments(0x5001_0002, 0, 0))
            // The event was neither swallowed nor taken for the answer.
            let event = try await listener.receive(timeout: .seconds(30))
            #expect(event == ByteBuffer(bytes: [1, 8, 1, 0, 7, 0]))
            let none = try await #require(throws: SpallocError.self) { try await listener.receive(timeout: .milliseconds(20)) }
            #expect(none.code == .timeout)
        }
    }

    @Test func aRefusedTagIsAnError() async throws {
        self.far.state.withLockedValue { $0.tagResult = .badCommand }
        try await self.withProxy { proxy, _, _ in
            let listener = try await proxy.listen()
            let error = try await #require(throws: SpallocError.self) { try await listener.setTag(9, of: ChipID(0, 0)) }
            #expect(error.code == .requestRefused)
            #expect("\(error)".contains("IP tag 9"))
        }
    }

    /// The service would end the whole websocket over it.
    @Test func placesThatAreNoBoardsAreRefusedHere() async throws {
        try await self.withProxy { proxy, _, _ in
            let listener = try await proxy.listen()
            let chip = try await #require(throws: SpallocError.self) { try await listener.send(ByteBuffer(), to: ChipID(1, 1)) }
            #expect(chip.code == .invalidRequest)
            let host = try await #require(throws: SpallocError.self) {
                try await listener.send(ByteBuffer(), toHost: "1.2.3.4")
            }
            #expect("\(host)" == "job 42: no board of the job has the address 1.2.3.4")
        }
    }

    @Test func tagsFollowTheListenerToANewWebSocket() async throws {
        try await self.withProxy { proxy, _, _ in
            let listener = try await proxy.listen()
            try await listener.setTag(3, of: ChipID(4, 8))
            self.far.cut()
            try await eventually {
                self.far.requests.contains { request in
                    if case .messageTo(201, _, let datagram) = request {
                        return (try? SCPPacket(datagram: datagram))?.command == .ipTag
                    }
                    return false
                }
            }
            let local = try await listener.localAddress()
            #expect(local.port == 50_201)
        }
    }

    // MARK: - The queue

    @Test func aSlowReaderLosesWhatIsOverTheLimitAndKnowsHowMuch() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let queue = DatagramQueue(limit: 2, on: eventLoop) { SpallocError(.connectionClosed, "\($0)") }
        for byte in 1...5 { queue.datagramReceived(ByteBuffer(bytes: [UInt8(byte)])) }
        #expect(queue.dropped == 3)
        queue.linkClosed(ProxyError.connectionLost(reason: "cut"))
        var seen: [UInt8] = []
        let error = try await #require(throws: SpallocError.self) {
            for try await datagram in SpallocDatagrams(queue: queue) { seen += datagram.readableBytesView }
        }
        #expect(seen == [1, 2])
        #expect(error.code == .connectionClosed)
    }

    @Test func aCancelledReaderEndsItsSequence() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let queue = DatagramQueue(on: eventLoop) { SpallocError(.connectionClosed, "\($0)") }
        let reader = Task {
            var count = 0
            for try await _ in SpallocDatagrams(queue: queue) { count += 1 }
            return count
        }
        queue.datagramReceived(ByteBuffer(bytes: [1]))
        reader.cancel()
        let count = try await reader.value
        #expect(count <= 1)
        // The queue is still good for the next reader.
        queue.datagramReceived(ByteBuffer(bytes: [2]))
        let next = try await queue.next(timeout: .seconds(30), or: SpallocError(.timeout, "late"))
        #expect(next != nil)
    }
}
