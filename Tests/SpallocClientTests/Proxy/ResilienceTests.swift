//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpallocClient

/// The proxy when its far end, or the way there, misbehaves. Each of these loses something with the stock client: a thread, a
/// datagram, a connection, or patience.
@Suite(.timeLimit(.minutes(3))) struct ResilienceTests {
    private let far = ProxyPeer()

    /// A service with a ready job whose proxy is `far`, for those who are logged in.
    private func service(special: @escaping @Sendable (PeerRequest) -> PeerAnswer? = { _ in nil }) -> FakeService {
        let far = self.far
        return FakeService(
            { $0.jobState = "READY" },
            special: { request in
                if let answer = special(request) { return answer }
                return request.path == "/spalloc/proxy/42" ? .webSocket { far.makeUser($0) } : nil
            })
    }

    /// - Parameter through: another port to go by.
    private func withProxy(
        _ service: FakeService? = nil, options: ProxyConnectionOptions = ProxyConnectionOptions(),
        _ body: (SpallocProxy, FakeService) async throws -> Void
    ) async throws {
        let service = service ?? self.service()
        try await service.run { client, _ in
            let proxy = try await client.job(42).openProxy(options: options)
            do {
                try await body(proxy, service)
                await proxy.close()
            } catch {
                await proxy.close()
                throw error
            }
        }
    }

    /// Sends until something comes back: what was under way when a websocket broke is lost, as with UDP.
    private func echo(_ connection: SpallocDatagramConnection) async throws -> ByteBuffer? {
        for _ in 0..<100 {
            try await connection.send(ByteBuffer(string: "hello"))
            do {
                return try await connection.receive(timeout: .milliseconds(300))
            } catch {
                guard error.code == .timeout else { throw error }
            }
        }
        return nil
    }

    // MARK: - Readers

    @Test func aSlowReaderHoldsUpNobodyElse() async throws {
        try await self.withProxy { proxy, _ in
            let slow = try await proxy.connectDatagrams(to: ChipID(0, 0))
            let quick = try await proxy.connectDatagrams(to: ChipID(4, 8))
            for number in 0..<1500 { try await slow.send(ByteBuffer(integer: UInt32(number))) }
            try await quick.send(ByteBuffer(string: "hello"))
            let echo = try await quick.receive(timeout: .seconds(30))
            #expect(echo == ByteBuffer(string: "hello"))
            // All of the slow one's had come before that: as many as it may keep are there, the rest is counted.
            #expect(slow.dropped == 1500 - 1024)
            #expect(quick.dropped == 0)
            for number in 0..<1024 {
                let next = try await slow.receive(timeout: .seconds(30))
                #expect(next == ByteBuffer(integer: UInt32(number)))
            }
        }
    }

    /// The stock client registers its handler after the answer to OPEN, and loses what comes in between.
    @Test func whatComesRightBehindTheOpeningIsNotLost() async throws {
        self.far.state.withLockedValue { $0.greetings = 3 }
        try await self.withProxy { proxy, _ in
            let connection = try await proxy.connectDatagrams(to: ChipID(0, 0))
            let listener = try await proxy.listen()
            for number in 0..<3 {
                let first = try await connection.receive(timeout: .seconds(30))
                let second = try await listener.receive(timeout: .seconds(30))
                #expect(first == ByteBuffer(integer: UInt8(number)))
                #expect(second == ByteBuffer(integer: UInt8(number)))
            }
        }
    }

    // MARK: - Answers

    @Test func answersOutOfOrderAndFramesOfNobodyHarmNothing() async throws {
        self.far.state.withLockedValue { $0.answersOpensInPairsBackwards = true }
        try await self.withProxy { proxy, _ in
            async let first = proxy.connectDatagrams(to: ChipID(0, 0))
            async let second = proxy.connectDatagrams(to: ChipID(4, 8))
            for (connection, text) in [(try await first, "one"), (try await second, "two")] {
                try await connection.send(ByteBuffer(string: text))
                let echo = try await connection.receive(timeout: .seconds(30))
                #expect(echo == ByteBuffer(string: text))
            }
            // Each is where it was to be, though the answers came crosswise.
            let channels = self.far.state.withLockedValue { $0.channels }
            #expect(Set(channels.values.compactMap(\.chip)) == [ChipID(0, 0), ChipID(4, 8)])
            let strays = try await proxy.connection.droppedFrames()
            #expect(strays >= 3)
        }
    }

    /// The stock client waits for ever here.
    @Test func aCallThatIsNotAnsweredFailsByName() async throws {
        self.far.state.withLockedValue { $0.isMute = true }
        try await self.withProxy(options: ProxyConnectionOptions(callDeadline: .milliseconds(200))) { proxy, _ in
            let open = try await #require(throws: SpallocError.self) { try await proxy.connectDatagrams(to: ChipID(4, 8)) }
            #expect(open.code == .timeout && open.job == 42)
            #expect("\(open)".contains("(4, 8)"), "\(open)")
            let listen = try await #require(throws: SpallocError.self) { try await proxy.listen() }
            #expect(listen.code == .timeout)
        }
    }

    @Test func waitingForAnAnswerCanBeCancelled() async throws {
        self.far.state.withLockedValue { $0.isMute = true }
        try await self.withProxy(options: ProxyConnectionOptions(callDeadline: .hours(1))) { proxy, _ in
            let task = Task { try await proxy.connectDatagrams(to: ChipID(0, 0)) }
            try await eventually { !self.far.requests.isEmpty }
            task.cancel()
            let error = await #expect(throws: SpallocError.self) { try await task.value }
            #expect(error?.code == .cancelled)
        }
    }

    @Test func aReceiverCanBeCancelled() async throws {
        try await self.withProxy { proxy, _ in
            let connection = try await proxy.connectDatagrams(to: ChipID(0, 0))
            let listener = try await proxy.listen()
            let tasks = [
                Task { try await connection.receive(timeout: .seconds(3600)) },
                Task { try await listener.receive(timeout: .seconds(3600)) },
            ]
            for task in tasks {
                task.cancel()
                let error = await #expect(throws: SpallocError.self) { try await task.value }
                #expect(error?.code == .cancelled)
            }
        }
    }

    // MARK: - Websockets that end

    @Test(arguments: ["a cut", "a frame that breaks off", "no sign of life"])
    func aLostWebSocketComesBackWithItsConnections(how: String) async throws {
        var options = ProxyConnectionOptions()
        if how == "no sign of life" {
            options.webSocket.pingInterval = .milliseconds(200)
            options.webSocket.pongDeadline = .seconds(1)
        }
        try await self.withProxy(options: options) { proxy, _ in
            let one = try await proxy.connectDatagrams(to: ChipID(0, 0))
            let two = try await proxy.connectDatagrams(to: ChipID(4, 8), port: 54321)
            switch how {
            case "a cut": self.far.cut()
            case "a frame that breaks off": self.far.cutInAFrame()
            default: self.far.freeze()
            }
            try await eventually { self.far.state.withLockedValue { $0.connections } >= 2 }
            for connection in [one, two] {
                let echo = try await self.echo(connection)
                #expect(echo == ByteBuffer(string: "hello"))
            }
            let opens = self.far.requests.compactMap { request -> ProxyEndpoint? in
                if case .open(_, let endpoint) = request { return endpoint }
                return nil
            }
            let endpoints = [ProxyEndpoint(chip: ChipID(0, 0), port: 17893), ProxyEndpoint(chip: ChipID(4, 8), port: 54321)]
            #expect(opens.count >= 4 && Set(opens) == Set(endpoints))
        }
    }

    @Test func aSessionThatEndedMeanwhileIsRenewedForTheNewWebSocket() async throws {
        let refusals = NIOLockedValueBox(0)
        let service = self.service { request in
            // The session ends between the look at the job and the upgrade.
            guard request.path == "/spalloc/proxy/42", request.cookie == "JSESSIONID=SESSION1",
                self.far.state.withLockedValue({ $0.connections }) == 1
            else { return nil }
            refusals.withLockedValue { $0 += 1 }
            return .text(401, "please log in")
        }
        try await self.withProxy(service) { proxy, service in
            let connection = try await proxy.connectDatagrams(to: ChipID(0, 0))
            self.far.cut()
            let echo = try await self.echo(connection)
            #expect(echo == ByteBuffer(string: "hello"))
            #expect(refusals.withLockedValue { $0 } == 1)
            #expect(service.now.logins == 2)
        }
    }

    @Test func theEndOfTheJobEndsItsConnectionsWithTheReason() async throws {
        try await self.withProxy { proxy, service in
            let connection = try await proxy.connectDatagrams(to: ChipID(0, 0))
            service.setJob("DESTROYED", reason: "quota exhausted")
            self.far.cut()
            let error = await #expect(throws: SpallocError.self) { try await connection.receive(timeout: .seconds(60)) }
            #expect(error?.code == .connectionClosed && error?.job == 42)
            #expect("\(error, default: "none")".contains("quota exhausted"))
            // And none is tried for again.
            let later = await #expect(throws: SpallocError.self) { try await proxy.connectDatagrams(to: ChipID(0, 0)) }
            #expect(later?.code == .connectionClosed)
            #expect(self.far.state.withLockedValue { $0.connections } == 1)
        }
    }

    // MARK: - Proxies on the way

    /// Apache and nginx drop what is idle for 60 s.
    @Test func pingsComeSoonerThanReverseProxiesLosePatience() {
        let webSocket = ProxyConnectionOptions().webSocket
        #expect(webSocket.pingInterval + webSocket.pongDeadline < .seconds(60))
    }

    @Test(arguments: [true, false])
    func pingsKeepAnIdleConnectionThroughAProxyThatDropsThem(areSent: Bool) async throws {
        var options = ProxyConnectionOptions()
        options.webSocket.pingInterval = areSent ? .milliseconds(500) : .hours(1)
        options.webSocket.pongDeadline = .seconds(30)
        let service = self.service()
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            try await IdleDropper.run(to: peer.port, limit: .seconds(8)) { dropper in
                try await withSpallocClient(
                    url: "http://127.0.0.1:\(dropper.port)/spalloc", credentials: .password(user: "alice", "s3cret pass&word"),
                    configuration: FakeService.patient
                ) { client in
                    let proxy = try await client.job(42).openProxy(options: options)
                    let before = dropper.counts.pieces
                    if areSent {
                        // Twenty pings take longer than the other's patience.
                        try await eventually { dropper.counts.pieces >= before + 20 }
                        #expect(self.far.state.withLockedValue { $0.connections } == 1)
                    } else {
                        // Without them it is dropped, which shows that the pings it was. It comes back by itself even so.
                        try await eventually { self.far.state.withLockedValue { $0.connections } >= 2 }
                    }
                    await proxy.close()
                }
            }
        }
    }
}
