//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProxyConnectionTests {
    /// Answers as the service does: channels are numbered from the connection's index × 100 + 1. Datagrams come back
    /// with `echo ` before them.
    static func service(_ request: ProxyRequest, _ peer: ScriptedServer.Peer, next: NIOLockedValueBox<UInt32>) {
        func channel() -> UInt32 {
            next.withLockedValue { number in
                number += 1
                return UInt32(peer.index) * 100 + number
            }
        }
        switch request {
        case .open(let correlation, _): peer.send(.opened(correlation: correlation, channel: channel()))
        case .openUnconnected(let correlation):
            let port = 50001 + UInt32(peer.index)
            peer.send(
                .openedUnconnected(
                    correlation: correlation, channel: channel(), address: IPv4Address(10, 0, 0, 254), port: port))
        case .close(let correlation, let channel): peer.send(.closed(correlation: correlation, channel: channel))
        case .message(let channel, let datagram):
            peer.send(.message(channel: channel, ByteBuffer(string: "echo " + String(buffer: datagram))))
        case .messageTo(let channel, let endpoint, let datagram):
            let text = "echo (\(endpoint.x), \(endpoint.y)):\(endpoint.port) " + String(buffer: datagram)
            peer.send(.message(channel: channel, ByteBuffer(string: text)))
        }
    }

    static func script(
        _ handle: (@Sendable (ProxyRequest, ScriptedServer.Peer, NIOLockedValueBox<UInt32>) -> Void)? = nil
    ) -> ScriptedServer.Script {
        let next = NIOLockedValueBox<UInt32>(0)
        var script = ScriptedServer.Script()
        script.received = { event, peer in
            guard case .binary(let message) = event, let request = try? ProxyRequest(frame: message) else {
                if case .close = event { peer.close(.normal) }
                return
            }
            (handle ?? { ProxyConnectionTests.service($0, $1, next: $2) })(request, peer, next)
        }
        return script
    }

    private var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

    private func options(
        reconnect: ReconnectPolicy? = nil, call: TimeAmount = .seconds(10), queue: Int = 100,
        onStateChange: @escaping @Sendable (ProxyConnectionState) -> Void = { _ in }
    ) -> ProxyConnectionOptions {
        ProxyConnectionOptions(callDeadline: call, reconnect: reconnect, queueLimit: queue, onStateChange: onStateChange)
    }

    private static let quick = ReconnectPolicy(
        firstDelay: .milliseconds(1), longestDelay: .milliseconds(5), giveUpAfter: .seconds(20))

    // MARK: Use

    @Test func twoChannelsOnOneWebSocket() async throws {
        try await ScriptedServer.with(Self.script()) { server in
            try await ProxyConnection.with(label: "job 7", on: self.eventLoop, target: { _ in server.target }) { proxy in
                let a = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let b = try await proxy.open(chip: ChipID(8, 4), port: 17893)
                #expect(a.linkDescription == "job 7 (0, 0):17893 by proxy")
                let fromA = try await Inbox.listen(to: a)
                let fromB = try await Inbox.listen(to: b)
                try await b.send("to b")
                try await a.send("to a")
                #expect(await fromA.next() == .datagram("echo to a"))
                #expect(await fromB.next() == .datagram("echo to b"))
                try await a.closeAndWait()
                #expect(await fromA.next() == .closed(nil))
                // Closing twice is closing.
                try await a.closeAndWait()
                try await b.send("still there")
                #expect(await fromB.next() == .datagram("echo still there"))
            }
            #expect(server.requests.withLockedValue { $0.count } == 1)
        }
    }

    @Test func aListenerKnowsItsAddressAndNamesItsBoards() async throws {
        try await ScriptedServer.with(Self.script()) { server in
            try await ProxyConnection.with(label: "job 7", on: self.eventLoop, target: { _ in server.target }) { proxy in
                let listener = try await proxy.openUnconnected()
                let local = try await listener.localAddress()
                #expect(local.address == IPv4Address(10, 0, 0, 254) && local.port == 50001)
                let events = try await Inbox.listen(to: listener)
                try await listener.eventLoop.submit {
                    listener.write(ByteBuffer(string: "tag"), to: ChipID(4, 8), port: 17893)
                    listener.flush()
                }.get()
                #expect(await events.next() == .datagram("echo (4, 8):17893 tag"))
                try await listener.closeAndWait()
                #expect(await events.next() == .closed(nil))
            }
        }
    }

    @Test func framesOfTheGoldenVectors() async throws {
        // spalloc.ws.*: what stock SpiNNMan sends is what we send, byte for byte.
        struct Vector: Decodable {
            struct Decoded: Decodable { var sent: [String]? }
            var id: String
            var decoded: Decoded
        }
        struct Loose: Decodable {
            var vector: Vector?
            init(from decoder: any Decoder) throws { self.vector = try? Vector(from: decoder) }
        }
        let path =
            ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/vectors/golden-vectors.json").standardizedFileURL.path
        let all = try JSONDecoder().decode([Loose].self, from: Data(contentsOf: URL(filePath: path)))
        let sent = Dictionary(
            all.compactMap(\.vector).compactMap { vector in vector.decoded.sent?.first.map { (vector.id, $0) } },
            uniquingKeysWith: { first, _ in first })
        func hex(_ id: String) -> String { sent["spalloc.ws.\(id)"] ?? "there is no such vector" }
        func datagram(_ id: String, head: Int) -> ByteBuffer {
            var bytes = ByteBuffer()
            let digits = Array(hex(id).utf8.dropFirst(head * 2))
            for index in stride(from: 0, to: digits.count - 1, by: 2) {
                bytes.writeInteger(UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) ?? 0)
            }
            return bytes
        }
        let (frames, continuation) = AsyncStream.makeStream(of: String.self)
        let next = NIOLockedValueBox<UInt32>(2)
        var script = ScriptedServer.Script()
        script.received = { event, peer in
            guard case .binary(let message) = event, let request = try? ProxyRequest(frame: message) else {
                return peer.close(.normal)
            }
            continuation.yield(message.hexDump(format: .plain).filter { $0 != " " })
            Self.service(request, peer, next: next)
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(label: "job 7", on: self.eventLoop, target: { _ in server.target }) { proxy in
                var iterator = frames.makeAsyncIterator()
                // Two calls before, as in the vectors: the boot connection's OPEN has correlation 2.
                for _ in 0..<2 {
                    _ = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                    _ = await iterator.next()
                }
                let boot = try await proxy.open(chip: ChipID(0, 0), port: 54321)
                #expect(await iterator.next() == hex("open-boot"))
                // Channel 5, as the vector has it.
                let payload = datagram("msg", head: 8)
                try await boot.eventLoop.submit {
                    boot.write(payload)
                    boot.flush()
                }.get()
                #expect(await iterator.next() == (hex("msg")))
                let listener = try await proxy.openUnconnected()
                #expect(await iterator.next() == (hex("open-unbound")))
                for id in ["msg-to", "update-tag"] {
                    let payload = datagram(id, head: 20)
                    try await listener.eventLoop.submit {
                        listener.write(payload, to: ChipID(4, 8), port: 17893)
                        listener.flush()
                    }.get()
                    let frame = await iterator.next()
                    #expect(frame == (hex(id)))
                }
            }
        }
    }

    @Test func datagramsRightBehindTheReplyWaitForTheirReceiverAndAreBounded() async throws {
        let script = Self.script { request, peer, _ in
            guard case .open(let correlation, _) = request else { return }
            peer.send(
                .opened(correlation: correlation, channel: 9), .message(channel: 9, ByteBuffer(string: "1")),
                .message(channel: 9, ByteBuffer(string: "2")), .message(channel: 9, ByteBuffer(string: "3")),
                .message(channel: 8, ByteBuffer(string: "nobody's")))
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(
                label: "job 7", options: self.options(queue: 2), on: self.eventLoop, target: { _ in server.target }
            ) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                // All came in one segment with the reply, but not necessarily in one read: the last frame is counted
                // when all are through.
                while try await proxy.droppedFrames() == 0 { await Task.yield() }
                let events = try await Inbox.listen(to: link)
                #expect(await events.next() == .datagram("1"))
                #expect(await events.next() == .datagram("2"))
                #expect(try await link.drops().incoming == 1)
            }
        }
    }

    // MARK: What goes wrong

    @Test func anUnansweredOpenIsNamedAndItsLateChannelClosed() async throws {
        let (closes, continuation) = AsyncStream.makeStream(of: UInt32.self)
        let late = NIOLockedValueBox<UInt32?>(nil)
        let script = Self.script { request, peer, _ in
            switch request {
            case .open(let correlation, let endpoint) where endpoint.x == 0: late.withLockedValue { $0 = correlation }
            case .open(let correlation, _):
                // The second OPEN has both answered.
                let first = late.withLockedValue { $0 } ?? 0
                peer.send(.opened(correlation: first, channel: 5), .opened(correlation: correlation, channel: 6))
            case .close(let correlation, let channel):
                continuation.yield(channel)
                peer.send(.closed(correlation: correlation, channel: channel))
            default: break
            }
        }
        try await ScriptedServer.with(script) { server in
            let options = self.options(call: .milliseconds(50))
            try await ProxyConnection.with(label: "job 7", options: options, on: self.eventLoop, target: { _ in server.target })
            { proxy in
                await #expect(throws: ProxyError.unanswered(call: "job 7: OPEN of (0, 0):17893")) {
                    try await proxy.open(chip: ChipID(0, 0), port: 17893)
                }
                // Whether this one is answered in time does not matter.
                _ = try? await proxy.open(chip: ChipID(8, 4), port: 17893)
                var iterator = closes.makeAsyncIterator()
                #expect(await iterator.next() == 5)
            }
        }
    }

    @Test func aRefusedOpenHasTheServicesWords() async throws {
        let script = Self.script { request, peer, _ in
            if case .open(let correlation, _) = request {
                peer.send(.error(correlation: correlation, message: "no such board"))
            }
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(label: "job 7", on: self.eventLoop, target: { _ in server.target }) { proxy in
                await #expect(throws: ProxyError.refused(call: "job 7: OPEN of (9, 9):1", message: "no such board")) {
                    try await proxy.open(chip: ChipID(9, 9), port: 1)
                }
            }
        }
    }

    @Test func aCancelledOpenEnds() async throws {
        let (opens, continuation) = AsyncStream.makeStream(of: Void.self)
        let script = Self.script { request, _, _ in if case .open = request { continuation.yield() } }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(label: "job 7", on: self.eventLoop, target: { _ in server.target }) { proxy in
                let task = Task { try await proxy.open(chip: ChipID(0, 0), port: 17893) }
                var iterator = opens.makeAsyncIterator()
                _ = await iterator.next()
                task.cancel()
                await #expect(throws: ProxyError.closed) { try await task.value }
            }
        }
    }

    @Test func theEndFailsCallsAndTellsEveryLink() async throws {
        let script = Self.script { request, peer, next in
            if case .open(_, let endpoint) = request, endpoint.x == 8 { return peer.hangUp() }
            Self.service(request, peer, next: next)
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(
                label: "job 7", options: self.options(), on: self.eventLoop, target: { _ in server.target }
            ) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let events = try await Inbox.listen(to: link)
                do {
                    _ = try await proxy.open(chip: ChipID(8, 4), port: 17893)
                    Issue.record("opened")
                } catch let error as ProxyError {
                    guard case .connectionLost(let reason) = error, reason.hasPrefix("job 7: ") else {
                        Issue.record("\(error)")
                        return
                    }
                }
                guard case .closed(let reason?) = await events.next(), reason.contains("job 7") else {
                    Issue.record("the link was not told")
                    return
                }
                // And whoever comes later is told at once.
                await #expect(throws: ProxyError.self) { try await proxy.openUnconnected() }
            }
        }
    }

    @Test func aServiceThatAnswersNoPingIsLeft() async throws {
        let (states, continuation) = AsyncStream.makeStream(of: ProxyConnectionState.self)
        var options = self.options(onStateChange: { continuation.yield($0) })
        options.webSocket.pingInterval = .milliseconds(20)
        options.webSocket.pongDeadline = .milliseconds(20)
        try await ScriptedServer.with(Self.script()) { server in
            let fixed = options
            let proxy = try await ProxyConnection.connect(
                label: "job 7", options: fixed, on: self.eventLoop, target: { _ in server.target })
            var state = states.makeAsyncIterator()
            #expect(await state.next() == .connected)
            #expect(await state.next() == .ended(.connectionLost(reason: "job 7: no sign of life from the peer")))
            try await proxy.close()
        }
    }

    // MARK: Coming back

    @Test func aLostWebSocketIsReplacedAndItsChannelsAreOpenedAgain() async throws {
        let script = Self.script { request, peer, next in
            if case .message(_, let datagram) = request, String(buffer: datagram) == "hang up" { return peer.hangUp() }
            Self.service(request, peer, next: next)
        }
        var withRefusal = script
        // The first attempt to come back is refused.
        withRefusal.answer = { _, accept, index in
            index == 1 ? "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" : ScriptedServer.switching(accept)
        }
        let (states, continuation) = AsyncStream.makeStream(of: ProxyConnectionState.self)
        let (failures, failureContinuation) = AsyncStream.makeStream(of: String.self)
        try await ScriptedServer.with(withRefusal) { server in
            let options = self.options(reconnect: Self.quick, onStateChange: { continuation.yield($0) })
            try await ProxyConnection.with(
                label: "job 7", options: options, on: self.eventLoop,
                target: { failure in
                    failureContinuation.yield(failure.map { "\($0)" } ?? "none")
                    return server.target
                }
            ) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let listener = try await proxy.openUnconnected()
                let (moves, moveContinuation) = AsyncStream.makeStream(of: Int.self)
                listener.onMove { moveContinuation.yield($1) }
                let events = try await Inbox.listen(to: link)
                try await link.send("hang up")
                var state = states.makeAsyncIterator()
                #expect(await state.next() == .connected)
                guard case .reconnecting(1, _) = await state.next(), case .reconnecting(2, let why) = await state.next() else {
                    Issue.record("not tried twice")
                    return
                }
                #expect(why.contains("401"))
                #expect(await state.next() == .connected)
                // The listener has another port now, and says so: the tags are to be set again.
                var move = moves.makeAsyncIterator()
                #expect(await move.next() == 50003)
                // A call waits for its turn behind the OPENs of the old channels, so after it they are open.
                _ = try await proxy.open(chip: ChipID(8, 4), port: 17893)
                try await link.send("again")
                #expect(await events.next() == .datagram("echo again"))
                var failure = failures.makeAsyncIterator()
                #expect(await failure.next() == "none")
                #expect(await failure.next() == "none")
                #expect(await failure.next()?.contains("401") == true)
            }
        }
    }

    @Test func theEndOfTheJobIsFinal() async throws {
        let script = Self.script { request, peer, next in
            if case .message = request { return peer.close(.jobEnded) }
            Self.service(request, peer, next: next)
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(
                label: "job 7", options: self.options(reconnect: Self.quick), on: self.eventLoop, target: { _ in server.target }
            ) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let events = try await Inbox.listen(to: link)
                try await link.send("x")
                guard case .closed(let reason?) = await events.next(), reason.contains("the job ended: job 7") else {
                    Issue.record("not told")
                    return
                }
            }
            #expect(server.requests.withLockedValue { $0.count } == 1)
        }
    }

    @Test func aJobThatIsGoneIsNotTriedAgain() async throws {
        var script = Self.script { request, peer, next in
            if case .message = request { return peer.hangUp() }
            Self.service(request, peer, next: next)
        }
        script.answer = { _, accept, index in
            index > 0 ? "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" : ScriptedServer.switching(accept)
        }
        try await ScriptedServer.with(script) { server in
            try await ProxyConnection.with(
                label: "job 7", options: self.options(reconnect: Self.quick), on: self.eventLoop, target: { _ in server.target }
            ) { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let events = try await Inbox.listen(to: link)
                try await link.send("x")
                guard case .closed(let reason?) = await events.next(), reason.contains("404") else {
                    Issue.record("not told")
                    return
                }
            }
            #expect(server.requests.withLockedValue { $0.count } == 2)
        }
    }

    @Test func closingWhileAwayEnds() async throws {
        let (states, continuation) = AsyncStream.makeStream(of: ProxyConnectionState.self)
        let script = Self.script { request, peer, next in
            if case .message = request { return peer.hangUp() }
            Self.service(request, peer, next: next)
        }
        try await ScriptedServer.with(script) { server in
            let policy = ReconnectPolicy(firstDelay: .minutes(5), longestDelay: .minutes(5), giveUpAfter: .hours(1))
            let options = self.options(reconnect: policy, onStateChange: { continuation.yield($0) })
            let proxy = try await ProxyConnection.connect(
                label: "job 7", options: options, on: self.eventLoop, target: { _ in server.target })
            let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
            let events = try await Inbox.listen(to: link)
            try await link.send("x")
            for await case .reconnecting in states { break }
            // Away: what is written is lost and counted.
            try await link.send("into the void")
            #expect(try await link.drops().outgoing == 1)
            try await proxy.close()
            #expect(await events.next() == .closed(nil))
        }
    }

    @Test func aRefusedFirstAttemptIsThrown() async throws {
        var script = Self.script()
        script.answer = { _, _, _ in "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" }
        try await ScriptedServer.with(script) { server in
            await #expect(throws: WebSocketConnectError.refused(target: "\(server.target)", status: 404, body: "")) {
                try await ProxyConnection.connect(
                    label: "job 7", options: self.options(reconnect: Self.quick), on: self.eventLoop,
                    target: { _ in server.target })
            }
        }
    }

    /// The service says by its code whether to come back: who has done wrong, or has no job any more, is not to.
    @Test(arguments: [
        (WebSocketCloseCode.policyViolation, false), (.invalidPayload, false), (.jobEnded, false), (.goingAway, true),
        (.internalError, true), (.tryAgainLater, true), (.normal, true),
    ])
    func theCodeOfACloseDecidesWhetherToComeBack(_ code: WebSocketCloseCode, _ comesBack: Bool) async throws {
        let script = Self.script { request, peer, next in
            if case .message = request, peer.index == 0 { return peer.close(code) }
            Self.service(request, peer, next: next)
        }
        let (states, continuation) = AsyncStream.makeStream(of: ProxyConnectionState.self)
        try await ScriptedServer.with(script) { server in
            let options = self.options(reconnect: Self.quick, onStateChange: { continuation.yield($0) })
            try await ProxyConnection.with(label: "job 7", options: options, on: self.eventLoop, target: { _ in server.target })
            { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                try await link.send("x")
                var state = states.makeAsyncIterator()
                #expect(await state.next() == .connected)
                switch await state.next() {
                case .reconnecting(1, _):
                    #expect(comesBack, "\(code)")
                    #expect(await state.next() == .connected)
                case .ended(let error):
                    #expect(!comesBack && "\(error)".contains("job 7"), "\(code): \(error)")
                case let other: Issue.record("\(code): \(String(describing: other))")
                }
            }
            #expect(server.requests.withLockedValue { $0.count } == (comesBack ? 2 : 1))
        }
    }

    @Test func whichRefusalsAreFinal() {
        func isFinal(_ status: Int) -> Bool {
            ProxyConnectionOptions.isRefusal(WebSocketConnectError.refused(target: "t", status: status, body: ""))
        }
        #expect((400..<600).filter(isFinal) == [403, 404, 410])
        #expect(ProxyConnectionOptions.isRefusal(CancellationError()))
        #expect(!ProxyConnectionOptions.isRefusal(WebSocketConnectError.deadline(target: "t")))
    }

    /// After coming back the channels are opened again, and that has a deadline like any call.
    @Test func aServiceThatOpensNothingAgainEndsTheChannel() async throws {
        let script = Self.script { request, peer, next in
            if case .message = request { return peer.hangUp() }
            if peer.index == 0 { Self.service(request, peer, next: next) }
        }
        try await ScriptedServer.with(script) { server in
            let options = self.options(reconnect: Self.quick, call: .seconds(1))
            try await ProxyConnection.with(label: "job 7", options: options, on: self.eventLoop, target: { _ in server.target })
            { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let events = try await Inbox.listen(to: link)
                try await link.send("x")
                #expect(await events.next() == .closed("job 7: OPEN of (0, 0):17893: no answer in time"))
            }
        }
    }

    @Test func whatAListenerSendsWhileAwayIsCounted() async throws {
        let (states, continuation) = AsyncStream.makeStream(of: ProxyConnectionState.self)
        let script = Self.script { request, peer, next in
            if case .messageTo = request { return peer.hangUp() }
            Self.service(request, peer, next: next)
        }
        try await ScriptedServer.with(script) { server in
            let policy = ReconnectPolicy(firstDelay: .minutes(5), longestDelay: .minutes(5), giveUpAfter: .hours(1))
            let options = self.options(reconnect: policy, onStateChange: { continuation.yield($0) })
            try await ProxyConnection.with(label: "job 7", options: options, on: self.eventLoop, target: { _ in server.target })
            { proxy in
                let link = try await proxy.open(chip: ChipID(0, 0), port: 17893)
                let listener = try await proxy.openUnconnected()
                func send() async throws {
                    try await listener.eventLoop.submit {
                        listener.write(ByteBuffer(string: "x"), to: ChipID(0, 0), port: 17893)
                        listener.flush()
                    }.get()
                }
                try await send()
                for await case .reconnecting in states { break }
                // Neither traps nor waits; the other channel's count is its own.
                for _ in 0..<3 { try await send() }
                #expect(try await link.drops().outgoing == 0)
            }
        }
    }
}
