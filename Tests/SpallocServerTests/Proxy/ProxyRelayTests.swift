//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import SpallocServer
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The whole way: client, TLS, websocket, proxy, UDP, and back.
@Suite(.timeLimit(.minutes(1))) struct ProxyRelayTests {
    typealias Address = SpiNNakerMachine.IPv4Address

    /// What a link hears, as a stream.
    final class Inbox: DatagramReceiver {
        private let continuation: AsyncStream<ByteBuffer?>.Continuation
        private init(_ continuation: AsyncStream<ByteBuffer?>.Continuation) { self.continuation = continuation }
        func datagramReceived(_ datagram: ByteBuffer) { self.continuation.yield(datagram) }
        func datagramReadComplete() {}
        func linkClosed(_ error: (any Error)?) {
            self.continuation.yield(nil)
            self.continuation.yield(ByteBuffer(string: error.map { "\($0)" } ?? "closed here"))
            self.continuation.finish()
        }
        static func listen(_ eventLoop: any EventLoop, _ set: @escaping @Sendable (Inbox) -> Void) async throws -> AsyncStream<
            ByteBuffer?
        > {
            let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer?.self)
            try await eventLoop.submit { set(Inbox(continuation)) }.get()
            return stream
        }
        static func listen(_ link: ProxiedLink) async throws -> AsyncStream<ByteBuffer?> {
            try await Inbox.listen(link.eventLoop) { link.setReceiver($0) }
        }
    }

    private func connect(
        _ server: ProxyServerHarness, reconnect: ReconnectPolicy? = nil, _ body: (ProxyConnection) async throws -> Void
    ) async throws {
        try await ProxyConnection.with(
            label: "job 7", options: ProxyConnectionOptions(reconnect: reconnect),
            on: MultiThreadedEventLoopGroup.singleton.next(), target: { _ in server.target() }, body)
    }

    private func send(_ datagrams: [ByteBuffer], by link: ProxiedLink) async throws {
        try await link.eventLoop.submit {
            for datagram in datagrams { link.write(datagram) }
            link.flush()
        }.get()
    }

    @Test(arguments: [false, true])
    func datagramsOfManyChannelsComeBackToTheirOwn(tls: Bool) async throws {
        try await EchoBoard.with(Address(127, 0, 0, 1)) { a in
            try await EchoBoard.with(Address(127, 0, 0, 2)) { b in
                try await ProxyServerHarness.with(tls: tls, boards: [ChipID(0, 0): a.address, ChipID(8, 4): b.address]) {
                    server in
                    try await self.connect(server) { proxy in
                        let first = try await proxy.open(chip: ChipID(0, 0), port: a.port)
                        let second = try await proxy.open(chip: ChipID(8, 4), port: b.port)
                        for (link, tag) in [(first, UInt32(0)), (second, 1 << 16)] {
                            let stream = try await Inbox.listen(link)
                            for round in 0..<20 as Range<UInt32> {
                                let numbers = (0..<32 as Range<UInt32>).map { tag + round * 32 + $0 }
                                try await self.send(
                                    numbers.map { number in
                                        var datagram = ByteBuffer(repeating: 0xA5, count: 278)
                                        datagram.setInteger(number, at: 0)
                                        return datagram
                                    }, by: link)
                                var back: [UInt32] = []
                                for await datagram in stream {
                                    #expect(datagram?.readableBytes == 278)
                                    back.append(datagram?.getInteger(at: datagram?.readerIndex ?? 0) ?? 0)
                                    if back.count == 32 { break }
                                }
                                #expect(back == numbers)
                            }
                        }
                        let counters = server.registry.totals.counters
                        #expect(counters.datagramsToBoards == 1280 && counters.datagramsToClients == 1280)
                        #expect(counters.bytesToBoards == 1280 * 278 && counters.bytesToClients == 1280 * 278)
                        #expect(counters.channelsOpen == 2 && counters.sessionsOpen == 1)
                        try await first.closeAndWait()
                    }
                    while server.registry.totals.counters.sessionsOpen > 0 { await Task.yield() }
                    let counters = server.registry.totals.counters
                    #expect(counters.channelsOpen == 0 && counters.channelsOpened == 2 && counters.violations == 0)
                }
            }
        }
    }

    @Test func aDatagramOfTheMessageLimitIsNotCut() async throws {
        try await EchoBoard.with(Address(127, 0, 0, 1)) { board in
            try await ProxyServerHarness.with(boards: [ChipID(0, 0): board.address]) { server in
                try await self.connect(server) { proxy in
                    let link = try await proxy.open(chip: ChipID(0, 0), port: board.port)
                    let stream = try await Inbox.listen(link)
                    for size in [0, 1, 300, 301, 2049, 8184] {
                        let datagram = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 * 7) })
                        try await self.send([datagram], by: link)
                        for await back in stream {
                            #expect(back == datagram)
                            break
                        }
                    }
                }
            }
        }
    }

    @Test func anUnconnectedChannelHearsTheJobsBoardsAndNobodyElse() async throws {
        try await EchoBoard.with(Address(127, 0, 0, 2)) { board in
            try await EchoBoard.with(Address(127, 0, 0, 3)) { stranger in
                try await ProxyServerHarness.with(
                    boards: [ChipID(0, 0): board.address], localHost: Address(127, 0, 0, 1)
                ) { server in
                    try await self.connect(server) { proxy in
                        let listener = try await proxy.openUnconnected()
                        let local = try await listener.localAddress()
                        #expect(local.address == Address(127, 0, 0, 1) && local.port > 0)
                        let stream = try await Inbox.listen(listener.eventLoop) { listener.setReceiver($0) }
                        try await stranger.send("not of this job", to: local.address, port: local.port)
                        while server.registry.totals.counters.droppedForeign == 0 { await Task.yield() }
                        try await board.send("an event", to: local.address, port: local.port)
                        try await listener.eventLoop.submit {
                            listener.write(ByteBuffer(string: "a command"), to: ChipID(0, 0), port: board.port)
                            listener.flush()
                        }.get()
                        var heard: Set<String> = []
                        for await datagram in stream {
                            heard.insert(datagram.map { String(buffer: $0) } ?? "closed")
                            if heard.count == 2 { break }
                        }
                        #expect(heard == ["an event", "a command"])
                    }
                }
            }
        }
    }

    @Test func anUnconnectedChannelOnAllAddressesNamesTheOneTowardsTheBoards() async throws {
        try await ProxyServerHarness.with(boards: [ChipID(0, 0): Address(127, 0, 0, 2)]) { server in
            try await self.connect(server) { proxy in
                let local = try await proxy.openUnconnected().localAddress()
                #expect(local.address == Address(127, 0, 0, 1))
            }
        }
    }

    @Test func aBoardThatIsOffIsSilentAndItsChannelSurvives() async throws {
        // A port that nobody has: the system answers with "port unreachable".
        let free = NIOLockedValueBox(0)
        try await EchoBoard.with(Address(127, 0, 0, 5)) { board in free.withLockedValue { $0 = board.port } }
        let port = free.withLockedValue { $0 }
        try await ProxyServerHarness.with(boards: [ChipID(0, 0): Address(127, 0, 0, 5)]) { server in
            try await self.connect(server) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: port)
                let stream = try await Inbox.listen(link)
                for round in 1...5 {
                    try await self.send((0..<10).map { _ in ByteBuffer(string: "is anybody there?") }, by: link)
                    while server.registry.totals.counters.datagramsToBoards < round * 10 { await Task.yield() }
                }
                try await EchoBoard.with(Address(127, 0, 0, 5), port: port) { _ in
                    try await self.send([ByteBuffer(string: "now")], by: link)
                    for await datagram in stream {
                        #expect(datagram == ByteBuffer(string: "now"))
                        break
                    }
                }
            }
        }
    }

    // MARK: Refusals and limits

    @Test func refusedOpens() async throws {
        try await ProxyServerHarness.with(boards: [ChipID(0, 0): Address(127, 0, 0, 1)], maximumChannels: 2) { server in
            try await self.connect(server) { proxy in
                await #expect(
                    throws: ProxyError.refused(
                        call: "job 7: OPEN of (4, 8):17893", message: "no board of this job is at (4, 8)")
                ) {
                    try await proxy.open(chip: ChipID(4, 8), port: 17893)
                }
                let first = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                _ = try await proxy.openUnconnected()
                await #expect(
                    throws: ProxyError.refused(call: "job 7: OPEN_UNCONNECTED", message: "a websocket has at most 2 channels")
                ) {
                    try await proxy.openUnconnected()
                }
                try await first.closeAndWait()
                _ = try await proxy.openUnconnected()
            }
        }
    }

    @Test(
        arguments: [
            ("an unknown operation", [9, 0, 0, 0, 1, 0, 0, 0], 1011), ("ERROR", [5, 0, 0, 0, 1, 0, 0, 0], 1007),
            ("nothing", [], 1007),
            ("a short OPEN", [0, 0, 0, 0, 1, 0, 0, 0], 1007), ("a long CLOSE", [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], 1007),
            ("too much", [UInt8](repeating: 2, count: 8193), 1009),
        ] as [(String, [UInt8], UInt16)])
    func whatIsNoRequestEndsTheWebSocketWithItsCode(name: String, message: [UInt8], code: UInt16) async throws {
        try await ProxyServerHarness.with { server in
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                var bytes = ByteBuffer()
                bytes.putWebSocketFrame(.binary, ByteBuffer(bytes: message), maskKey: 3)
                try await client.send(bytes)
                var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                let events = await client.events(&reader) { if case .close = $0 { true } else { false } }
                guard case .close(let sent?, _)? = events.last else {
                    Issue.record("\(name): not closed: \(events)")
                    return
                }
                #expect(sent.rawValue == code, "\(name)")
            }
            #expect(server.registry.totals.counters.violations == 1)
        }
    }

    @Test func channelsAreNumberedThroughAllWebSocketsFromOne() async throws {
        try await ProxyServerHarness.with { server in
            for expected in 1...3 as ClosedRange<UInt32> {
                try await RawClient.with(port: server.port) { client in
                    try await client.expectUpgrade()
                    var payload = ByteBuffer()
                    ProxyRequest.openUnconnected(correlation: 0).write(into: &payload)
                    var bytes = ByteBuffer()
                    bytes.putWebSocketFrame(.binary, payload, maskKey: 3)
                    try await client.send(bytes)
                    var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                    let events = await client.events(&reader) { _ in true }
                    guard case .binary(let message)? = events.first,
                        case .openedUnconnected(0, let channel, _, _)? = try? ProxyReply(frame: message)
                    else {
                        Issue.record("no channel: \(events)")
                        return
                    }
                    #expect(channel == expected)
                }
            }
        }
    }

    @Test func aClientThatDoesNotReadLosesDatagramsAndNotTheServiceItsMemory() async throws {
        // Each datagram sent comes back two hundred times.
        try await EchoBoard.with(Address(127, 0, 0, 1), times: 200) { board in
            try await ProxyServerHarness.with(boards: [ChipID(0, 0): board.address]) { server in
                try await RawClient.with(port: server.port) { client in
                    try await client.expectUpgrade()
                    try await client.channel.setOption(.autoRead, value: false).get()
                    var open = ByteBuffer()
                    ProxyRequest.open(correlation: 0, ProxyEndpoint(chip: ChipID(0, 0), port: board.port)).write(into: &open)
                    var bytes = ByteBuffer()
                    bytes.putWebSocketFrame(.binary, open, maskKey: 3)
                    try await client.send(bytes)
                    var message = ByteBuffer()
                    // The first channel of this server is channel 1.
                    ProxyRequest.message(channel: 1, ByteBuffer(repeating: 7, count: 4000)).write(into: &message)
                    var frame = ByteBuffer()
                    frame.putWebSocketFrame(.binary, message, maskKey: 5)
                    while server.registry.totals.counters.channelsOpen == 0 { await Task.yield() }
                    while server.registry.totals.counters.droppedAtClients == 0 { try await client.send(frame) }
                    // It is alive, and hears again when it reads again.
                    try await client.channel.setOption(.autoRead, value: true).get()
                    var reader = WebSocketReader(role: .client, maximumMessageBytes: 10_000)
                    let events = await client.events(&reader) { _ in true }
                    #expect(!events.isEmpty)
                }
            }
        }
    }

    // MARK: The job's fate

    @Test func theEndOfAJobEndsItsWebSocketsWithACodeOfTheirOwn() async throws {
        try await ProxyServerHarness.with(boards: [ChipID(0, 0): Address(127, 0, 0, 1)]) { server in
            try await self.connect(server, reconnect: ReconnectPolicy()) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let stream = try await Inbox.listen(link)
                #expect(server.registry.sessionCount(job: 7) == 1)
                server.registry.closeAll(job: 8)
                try await server.registry.closeAllAndWait(job: 7)
                #expect(server.registry.totals.counters.channelsOpen == 0)
                var last = ""
                for await event in stream { last = event.map { String(buffer: $0) } ?? "closed" }
                #expect(last.hasPrefix("the job ended: ") && last.contains("the job is over"))
            }
            #expect(server.registry.totals.counters.channelsOpen == 0)
        }
    }

    /// A session's or a token's end is told by a code of its own, so that a client knows what to do.
    @Test(arguments: ["session", "time"])
    func theEndOfWhatOpenedItEndsAWebSocket(by end: String) async throws {
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let decide: @Sendable (HTTPRequestHead, ProxyRegistry, ProxySessionConfiguration) async -> UpgradeDecision = {
            _, registry, configuration in
            let access = ProxyRegistry.Access(session: "of ada", until: now + .seconds(10))
            guard let admission = registry.admit(job: 7, user: 1, limit: 1, access: access) else {
                return .refuse(.tooManyRequests, body: "")
            }
            var configuration = configuration
            configuration.admission = admission
            return .accept(configuration)
        }
        try await ProxyServerHarness.with(decide: decide) { server in
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                try await eventually("the websocket") { server.registry.sessionCount(job: 7) == 1 }
                server.registry.closeAll(session: "of bob")
                #expect(server.registry.closeEnded(now: now + .milliseconds(9_999)) == now + .seconds(10))
                #expect(server.registry.count(user: 1) == 1)
                if end == "session" {
                    server.registry.closeAll(session: "of ada")
                } else {
                    #expect(server.registry.closeEnded(now: now + .seconds(10)) == nil)
                }
                var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                let events = await client.events(&reader) { _ in true }
                let reason = end == "session" ? "the session has ended" : "the session or token has ended"
                #expect(events == [.close(.accessEnded, reason: reason)])
            }
            // It no longer counts.
            try await eventually("its place to be free") { server.registry.count(user: 1) == 0 }
        }
    }

    @Test func anEndBetweenDecisionAndUpgradeReachesTheWebSocket() async throws {
        try await ProxyServerHarness.with(decide: { _, registry, configuration in
            registry.closeAll(job: 7, code: .jobEnded, reason: "destroyed meanwhile")
            return .accept(configuration)
        }) { server in
            try await RawClient.with(port: server.port) { client in
                try await client.expectUpgrade()
                var reader = WebSocketReader(role: .client, maximumMessageBytes: 1000)
                let events = await client.events(&reader) { _ in true }
                #expect(events == [.close(.jobEnded, reason: "destroyed meanwhile")])
            }
        }
    }

    @Test func aJobThatLosesABoardInUseLosesItsWebSocket() async throws {
        let boards = [ChipID(0, 0): Address(127, 0, 0, 1), ChipID(8, 4): Address(127, 0, 0, 2)]
        try await ProxyServerHarness.with(boards: boards) { server in
            try await self.connect(server) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let stream = try await Inbox.listen(link)
                // A board that nobody talks to may go.
                try await server.registry.updateBoards(job: 7, [ChipID(0, 0): Address(127, 0, 0, 1)])
                await #expect(throws: ProxyError.self) { try await proxy.open(chip: ChipID(8, 4), port: 17893) }
                _ = try await proxy.open(chip: ChipID(0, 0), port: 54321)
                try await server.registry.updateBoards(job: 7, [:])
                var last = ""
                for await event in stream { last = event.map { String(buffer: $0) } ?? "closed" }
                #expect(last.hasPrefix("the job ended: "), "the code is 4410: nothing else is told so")
            }
        }
    }

    @Test func anAdmissionThatComesToNothingIsForgotten() {
        let registry = ProxyRegistry()
        do {
            let admission = registry.admit(job: 7)
            #expect(admission.job == 7 && registry.sessionCount(job: 7) == 0)
        }
        registry.closeAll(job: 7)
        #expect(registry.sessionCount(job: 7) == 0)
    }
}
