//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOEmbedded
import SpiNNakerEngine
import SpiNNakerLink
import Testing

/// One end alone, in virtual time: what goes out for what comes in.
@Suite(.timeLimit(.minutes(3))) struct WebSocketHandlerTests {
    final class User: WebSocketUser {
        var socket: WebSocketHandler?
        var messages: [String] = []
        var readCompletes = 0
        var endings: [WebSocketEnding] = []
        var echoes = false
        var onMessage: (String) -> Void = { _ in }
        func webSocketOpened(_ socket: WebSocketHandler) { self.socket = socket }
        func webSocketReceived(_ message: ByteBuffer) {
            self.messages.append(String(buffer: message))
            if self.echoes { self.socket?.putMessage(message) }
            self.onMessage(String(buffer: message))
        }
        func webSocketReadComplete() { self.readCompletes += 1 }
        func webSocketClosed(_ ending: WebSocketEnding) { self.endings.append(ending) }
    }

    struct End {
        let user = User()
        let channel = EmbeddedChannel()
        let role: WebSocketRole
        init(_ role: WebSocketRole = .server, limit: Int = 8192, highWater: Int = 512 * 1024) throws {
            self.role = role
            let configuration = WebSocketConfiguration(
                maximumMessageBytes: limit, pingInterval: .seconds(30), pongDeadline: .seconds(10), closeDeadline: .seconds(2),
                highWaterBytes: highWater)
            try self.channel.pipeline.syncOperations.addHandler(
                WebSocketHandler(role: role, configuration: configuration, user: self.user))
            self.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        }

        /// What the peer would send.
        func receive(_ frames: (WebSocketOpcode, ByteBuffer)...) throws {
            var bytes = ByteBuffer()
            for (opcode, payload) in frames {
                bytes.putWebSocketFrame(opcode, payload, maskKey: self.role == .server ? 0xA1B2_C3D4 : nil)
            }
            try self.channel.writeInbound(bytes)
        }

        /// What the peer would understand of each write.
        func writes() throws -> [[WebSocketEvent]] {
            var reader = WebSocketReader(role: self.role == .server ? .client : .server, maximumMessageBytes: 100_000)
            var writes: [[WebSocketEvent]] = []
            while let bytes = try self.channel.readOutbound(as: ByteBuffer.self) {
                reader.feed(bytes)
                var events: [WebSocketEvent] = []
                while let event = reader.next() { events.append(event) }
                writes.append(events)
            }
            return writes
        }
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func messagesGoThroughAndAnswersLeaveTogether(role: WebSocketRole) throws {
        let end = try End(role)
        end.user.echoes = true
        try end.receive(
            (.binary, ByteBuffer(string: "a")), (.ping, ByteBuffer(string: "p")), (.binary, ByteBuffer(string: "b")))
        #expect(end.user.messages == ["a", "b"] && end.user.readCompletes == 1)
        // Three answers, one write.
        #expect(
            try end.writes() == [
                [.binary(ByteBuffer(string: "a")), .pong(ByteBuffer(string: "p")), .binary(ByteBuffer(string: "b"))]
            ])
    }

    @Test func oneWriteForAllThatIsFlushedInATick() throws {
        let end = try End(.client)
        for index in 0..<20 as Range<UInt32> {
            end.user.socket?.putProxyMessage(channel: index, ByteBuffer(string: "datagram"))
            end.user.socket?.flush()
        }
        #expect(try end.writes() == [])
        end.channel.embeddedEventLoop.run()
        let writes = try end.writes()
        #expect(writes.count == 1 && writes.first?.count == 20)
        var first = ByteBuffer()
        first.writeInteger(UInt64(2), endianness: .little)
        first.writeString("datagram")
        #expect(writes.first?.first == .binary(first))
    }

    @Test func aPeersCloseIsAnsweredWithItsCode() throws {
        let end = try End()
        var payload = ByteBuffer()
        payload.writeInteger(UInt16(1001))
        payload.writeString("bye")
        try end.receive((.close, payload), (.binary, ByteBuffer(string: "late")))
        #expect(end.user.endings == [.closedByPeer(.goingAway, reason: "bye")] && end.user.messages == [])
        #expect(try end.writes() == [[.close(.goingAway, reason: "")]])
        #expect(!end.channel.isActive)
    }

    @Test func closingWaitsForThePeersCloseAndNoLongerThanTheDeadline() throws {
        let answered = try End()
        answered.user.socket?.close(.jobEnded, reason: "the job is over")
        #expect(answered.user.endings == [.closedHere(.jobEnded, reason: "the job is over")])
        #expect(try answered.writes() == [[.close(.jobEnded, reason: "the job is over")]])
        try answered.receive((.binary, ByteBuffer(string: "in flight")))
        #expect(answered.channel.isActive && answered.user.messages == [])
        try answered.receive((.close, ByteBuffer()))
        #expect(!answered.channel.isActive && answered.user.endings.count == 1)

        let silent = try End()
        silent.user.socket?.close(.normal, reason: "")
        silent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1999))
        #expect(silent.channel.isActive)
        silent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!silent.channel.isActive && silent.user.endings.count == 1)
    }

    @Test func nothingIsSentBehindAClose() throws {
        let end = try End()
        end.user.socket?.close(.normal, reason: "")
        end.user.socket?.putMessage(ByteBuffer(string: "late"))
        end.user.socket?.close(.goingAway, reason: "again")
        end.channel.embeddedEventLoop.run()
        #expect(try end.writes() == [[.close(.normal, reason: "")]])
    }

    @Test func textAndViolationsEndWithTheirCodes() throws {
        let text = try End()
        try text.receive((.text, ByteBuffer(string: "hello")))
        #expect(try text.writes() == [[.close(.unsupportedData, reason: "a text message")]])
        let big = try End(limit: 10)
        try big.receive((.binary, ByteBuffer(string: "ok")), (.binary, ByteBuffer(repeating: 1, count: 11)))
        #expect(big.user.messages == ["ok"])
        guard case .violation(let violation) = big.user.endings.first else {
            Issue.record("not ended")
            return
        }
        #expect(violation.code == .messageTooBig)
        // The close frame has to be read by a peer that may still be sending: the connection stays until it ends it.
        #expect(big.channel.isActive)
        try big.receive((.binary, ByteBuffer(string: "more")))
        big.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!big.channel.isActive && big.user.endings.count == 1 && big.user.messages == ["ok"])
    }

    @Test func halfClosureAndEOFEndIt() throws {
        let half = try End()
        half.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!half.channel.isActive && half.user.endings.count == 1)
        let whole = try End()
        _ = whole.channel.close()
        whole.channel.embeddedEventLoop.run()
        guard case .lost = whole.user.endings.first else {
            Issue.record("EOF was not told")
            return
        }
        struct Broken: Error {}
        let broken = try End()
        broken.channel.pipeline.fireErrorCaught(Broken())
        #expect(!broken.channel.isActive)
        guard case .lost(let why) = broken.user.endings.first, why.contains("Broken") else {
            Issue.record("the error was not told")
            return
        }
    }

    @Test func quiescingSaysGoodBye() throws {
        let end = try End()
        end.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try end.writes() == [[.close(.goingAway, reason: "the server stops")]])
        end.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!end.channel.isActive)
    }

    @Test func idlePeersArePingedAndDeadOnesLeft() throws {
        let end = try End(.client)
        let loop = end.channel.embeddedEventLoop
        loop.advanceTime(by: .seconds(29))
        #expect(try end.writes() == [])
        loop.advanceTime(by: .seconds(1))
        #expect(try end.writes() == [[.ping(ByteBuffer())]])
        loop.advanceTime(by: .seconds(5))
        try end.receive((.pong, ByteBuffer()))
        loop.advanceTime(by: .seconds(29))
        #expect(try end.writes() == [])
        loop.advanceTime(by: .seconds(1))
        #expect(try end.writes() == [[.ping(ByteBuffer())]])
        loop.advanceTime(by: .seconds(10))
        #expect(end.user.endings == [.pongTimeout] && !end.channel.isActive)
    }

    @Test func outputThatNobodyReadsMakesItUnwritable() throws {
        let end = try End(highWater: 1000)
        #expect(end.user.socket?.isWritable == true)
        for _ in 0..<10 { end.user.socket?.putProxyMessage(channel: 1, ByteBuffer(repeating: 0, count: 100)) }
        #expect(end.user.socket?.isWritable == false)
        end.channel.embeddedEventLoop.run()
        end.user.socket?.flush()
        end.channel.embeddedEventLoop.run()
        #expect(end.user.socket?.isWritable == true)
        // The channel itself says so, too.
        end.channel.isWritable = false
        end.channel.pipeline.fireChannelWritabilityChanged()
        #expect(end.user.socket?.isWritable == false)
        try end.receive((.ping, ByteBuffer(string: "flood")))
        #expect(try end.writes().dropFirst().isEmpty)
    }

    @Test func byteByByte() throws {
        let end = try End()
        end.user.echoes = true
        var bytes = ByteBuffer()
        bytes.putWebSocketFrame(.binary, ByteBuffer(string: "slowly"), maskKey: 1)
        for byte in bytes.readableBytesView { try end.channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(end.user.messages == ["slowly"])
        #expect(try end.writes() == [[.binary(ByteBuffer(string: "slowly"))]])
    }

    /// What a message causes may be a read: that comes behind the rest of its own read, and nothing is lost or turned round.
    @Test func aReadWithinAReadWaitsForItsTurn() throws {
        let end = try End()
        end.user.onMessage = { message in
            guard message == "a" else { return }
            for text in ["c", "d"] {
                var bytes = ByteBuffer()
                bytes.putWebSocketFrame(.binary, ByteBuffer(string: text), maskKey: 7)
                end.channel.pipeline.fireChannelRead(bytes)
            }
        }
        try end.receive((.binary, ByteBuffer(string: "a")), (.binary, ByteBuffer(string: "b")))
        #expect(end.user.messages == ["a", "b", "c", "d"])
    }

    @Test func eventsOfOthersGoOn() throws {
        final class Listener: ChannelInboundHandler {
            typealias InboundIn = Any
            var events: [String] = []
            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { self.events.append("\(event)") }
        }
        let end = try End()
        let listener = Listener()
        try end.channel.pipeline.syncOperations.addHandler(listener)
        end.channel.pipeline.fireUserInboundEventTriggered("of somebody else")
        end.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(listener.events == ["of somebody else"])
    }

    /// Any mixture of frames and noise, cut anywhere: whole messages arrive up to the first thing that is none, the end is told
    /// once, nothing comes behind it, and the peer gets one close at most.
    @Test(arguments: [WebSocketRole.server, .client])
    func anythingMayCome(role: WebSocketRole) throws {
        var state = UInt64(4)
        func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var ended = 0
        for round in 0..<400 {
            let end = try End(role, limit: 300)
            var bytes = ByteBuffer()
            var expected: [String] = []
            var isClean = true
            for number in 0..<below(12) {
                let key = role == .server ? UInt32(below(1 << 30)) : nil
                switch below(10) {
                case 0..<6:
                    let text = String(repeating: "m\(number).", count: 1 + below(60))
                    bytes.putWebSocketFrame(.binary, ByteBuffer(string: text), maskKey: key)
                    isClean = isClean && text.utf8.count <= 300
                    if isClean { expected.append(text) }
                case 6: bytes.putWebSocketFrame(.ping, ByteBuffer(repeating: 1, count: below(126)), maskKey: key)
                case 7:
                    bytes.putWebSocketFrame(below(2) == 0 ? .text : .close, ByteBuffer(), maskKey: key)
                    isClean = false
                default:
                    if below(3) > 0 { continue }
                    // Reserved bits are never right.
                    bytes.writeInteger(UInt8(0xF0 | below(16)))
                    for _ in 0..<(14 + below(40)) { bytes.writeInteger(UInt8(below(256))) }
                    isClean = false
                }
            }
            while bytes.readableBytes > 0, let piece = bytes.readSlice(length: min(bytes.readableBytes, 1 + below(200))) {
                try end.channel.writeInbound(piece)
            }
            #expect(end.user.messages == expected, "round \(round)")
            #expect(end.user.endings.count == (isClean ? 0 : 1), "round \(round)")
            let closes = try end.writes().joined().filter { if case .close = $0 { true } else { false } }
            #expect(closes.count == (isClean ? 0 : 1), "round \(round)")
            ended += isClean ? 0 : 1
            _ = try? end.channel.finish()
        }
        #expect((40..<360).contains(ended))
    }
}
