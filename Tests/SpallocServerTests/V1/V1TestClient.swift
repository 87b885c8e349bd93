//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpallocServer
import SpiNNakerWire
import Testing

/// A client of the legacy port that sends what it is told, byte for byte, and waits for lines with a deadline.
final class V1TestClient: Sendable {
    private struct State {
        var lines = CircularBuffer<V1Reply>()
        var isClosed = false
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let client: V1TestClient
        private var reader = V1LineReader(limit: V1LineReader.replyLimit)

        init(_ client: V1TestClient) { self.client = client }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.reader.append(self.unwrapInboundIn(data))
            while let line = try? self.reader.next() {
                guard let reply = try? V1Reply(line: line) else {
                    Issue.record("not a reply: \(String(buffer: line))")
                    continue
                }
                self.client.state.withLockedValue { $0.lines.append(reply) }
            }
            self.client.nudge.signal()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { self.end() }
        }

        func channelInactive(context: ChannelHandlerContext) { self.end() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func end() {
            self.client.state.withLockedValue { $0.isClosed = true }
            self.client.nudge.signal()
        }
    }

    struct Exception: Error, Equatable { var text: String }
    struct Closed: Error {}

    private let state = NIOLockedValueBox(State())
    private let nudge = Nudge()
    private let box = NIOLockedValueBox<(any Channel)?>(nil)
    /// Notifications that came while replies were waited for.
    let notified = NIOLockedValueBox<[V1Reply]>([])

    var channel: any Channel {
        get throws { try #require(self.box.withLockedValue { $0 }) }
    }

    static func connect(port: Int, reads: Bool = true) async throws -> V1TestClient {
        let client = V1TestClient()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads)
            .channelOption(.socketOption(.so_rcvbuf), value: reads ? 1 << 18 : 1 << 14)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Collector(client)) }
            }
            .connect(host: "127.0.0.1", port: port).get()
        client.box.withLockedValue { $0 = channel }
        return client
    }

    func close() async throws { try await self.channel.close() }

    func send(_ text: String) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// The next line, of whatever kind.
    func line(within limit: Duration = .seconds(20)) async throws -> V1Reply {
        let deadline = ContinuousClock.now + limit
        while true {
            let (line, isClosed) = self.state.withLockedValue { ($0.lines.popFirst(), $0.isClosed) }
            if let line { return line }
            guard !isClosed else { throw Closed() }
            guard ContinuousClock.now < deadline, await self.nudge.wait(deadline - .now) else { throw TimedOut(what: "a line") }
        }
    }

    /// Waits until the service has closed the connection. Lines that came before are dropped.
    func closed() async throws {
        do {
            while true { _ = try await self.line() }
        } catch is Closed {}
    }

    /// The next notification: one that came before, or one that comes.
    func notification() async throws -> V1Reply {
        if let first = self.notified.withLockedValue({ $0.isEmpty ? nil : $0.removeFirst() }) { return first }
        let line = try await self.line()
        #expect(line.isNotification)
        return line
    }

    func reply() async throws -> V1JSON {
        while true {
            switch try await self.line() {
            case .returned(let value): return value
            case .exception(let text): throw Exception(text: text)
            case let notification: self.notified.withLockedValue { $0.append(notification) }
            }
        }
    }

    @discardableResult
    func call(_ command: String, _ args: [V1JSON] = [], _ kwargs: [String: V1JSON] = [:]) async throws -> V1JSON {
        var line = ByteBuffer()
        V1Call(command: command, args: args, kwargs: kwargs).writeLine(into: &line)
        try await self.channel.writeAndFlush(line)
        return try await self.reply()
    }

    func create(_ args: [V1JSON] = [], _ kwargs: [String: V1JSON] = [:]) async throws -> Int {
        var kwargs = kwargs
        if kwargs["owner"] == nil { kwargs["owner"] = "someone" }
        return try #require(try await self.call("create_job", args, kwargs).integerValue)
    }

    func state(_ job: Int) async throws -> V1JobState { try V1JobState(try await self.call("get_job_state", [.integer(job)])) }

    func info(_ job: Int) async throws -> V1MachineInfo {
        try V1MachineInfo(try await self.call("get_job_machine_info", [.integer(job)]))
    }

    func list() async throws -> [V1Job] { try (try await self.call("list_jobs")).arrayValue?.map { try V1Job($0) } ?? [] }

    /// As the stock client does: subscribe, look, wait for a notification, look again.
    func wait(_ job: Int, for state: V1State) async throws -> V1JobState {
        try await self.call("notify_job", [.integer(job)])
        for _ in 0..<100 {
            let now = try await self.state(job)
            if now.state == state { return now }
            _ = try await self.notification()
        }
        throw TimedOut(what: "job \(job) to be \(state)")
    }
}

extension V1JSON: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByDictionaryLiteral
{
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(arrayLiteral elements: V1JSON...) { self = .array(elements) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(dictionaryLiteral elements: (String, V1JSON)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

/// Runs the service with its legacy port.
func withV1(
    machines: [MachineDefinition] = [machineDefinition()], clock: @escaping WallClock = SystemClock.now,
    configure: @escaping (inout SpallocServerConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (Harness, any TestClientProtocol, V1TestClient) async throws -> Void
) async throws {
    try await withService(
        machines: machines, clock: clock,
        configure: {
            $0.v1.enabled = true
            $0.v1.port = 0
            configure(&$0)
        }
    ) { harness, http in
        await harness.application.v1?.waitUntilListening()
        let client = try await harness.v1Client()
        try await body(harness, http, client)
        // One that the service has closed is closed.
        try? await client.close()
    }
}

extension Harness {
    func v1Client(reads: Bool = true) async throws -> V1TestClient {
        try await V1TestClient.connect(port: try #require(self.application.v1Port), reads: reads)
    }
}
