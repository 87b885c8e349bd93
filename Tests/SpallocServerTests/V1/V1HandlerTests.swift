//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOEmbedded
import SpallocServer
import SpiNNakerWire
import Testing

/// The event loop's side alone, with time that the test turns and answers that it gives when it likes.
@Suite(.timeLimit(.minutes(3))) struct V1HandlerTests {
    private struct Setup {
        let channel: EmbeddedChannel
        let handler: V1Handler
        let connection: V1Connection

        init() throws {
            self.channel = EmbeddedChannel()
            self.connection = V1Connection(channel: self.channel, now: .now())
            self.handler = V1Handler(
                connection: self.connection, limits: .init(stall: .seconds(60)),
                answerAtOnce: { request, _ in request == .version ? .returned(.string("1.0.0")) : nil }, logger: quiet)
            try self.channel.pipeline.syncOperations.addHandler(self.handler)
            try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func send(_ requests: V1Request...) throws {
            var bytes = ByteBuffer()
            for request in requests { request.writeLine(into: &bytes) }
            try self.channel.writeInbound(bytes)
        }

        /// What has been sent to the peer since the last look.
        func sent() throws -> [V1Reply] {
            var reader = V1LineReader(limit: 1 << 20)
            var replies: [V1Reply] = []
            while let bytes = try self.channel.readOutbound(as: ByteBuffer.self) { reader.append(bytes) }
            while let line = try reader.next() { replies.append(try V1Reply(line: line)) }
            return replies
        }

        func answer(_ reply: V1Reply = .returned(.null)) {
            var line = ByteBuffer()
            reply.writeLine(into: &line)
            self.handler.answered(line)
        }
    }

    @Test func whatNeedsNoWaitingIsAnsweredAtOnce() throws {
        let setup = try Setup()
        try setup.send(.version, .version)
        #expect(try setup.sent() == [.returned("1.0.0"), .returned("1.0.0")])
    }

    /// A change is never told before the reply to the request that made it, and comes right behind it.
    @Test func aNotificationFollowsTheReply() throws {
        let setup = try Setup()
        try setup.send(.notifyJob(job: nil))
        #expect(try setup.sent() == [.returned(.null)])
        try setup.send(.createJob(V1JobRequest(owner: "me")))
        #expect(setup.connection.subscriber.note(job: 7))
        setup.handler.changed()
        #expect(try setup.sent().isEmpty)
        setup.answer(.returned(7))
        #expect(try setup.sent() == [.returned(7), .jobsChanged([7])])
    }

    @Test func betweenRepliesOfAPipelineThereMayBeNotifications() throws {
        let setup = try Setup()
        try setup.send(.notifyJob(job: 1), .notifyMachine("m"), .jobKeepalive(job: 1), .jobKeepalive(job: 1))
        #expect(try setup.sent() == [.returned(.null), .returned(.null)])
        _ = setup.connection.subscriber.note(job: 1)
        setup.answer()
        #expect(try setup.sent() == [.returned(.null), .jobsChanged([1])])
        _ = setup.connection.subscriber.note(machine: "m")
        setup.answer()
        #expect(try setup.sent() == [.returned(.null), .machinesChanged(["m"])])
        // Nothing under way: it is told when it happens.
        _ = setup.connection.subscriber.note(job: 1)
        setup.handler.changed()
        #expect(try setup.sent() == [.jobsChanged([1])])
    }

    /// A peer that does not read: nothing more is asked in its name, changes wait and are told once, and its time is limited.
    @Test func aStalledReader() throws {
        let setup = try Setup()
        try setup.send(.notifyJob(job: nil))
        _ = try setup.sent()
        setup.channel.isWritable = false
        setup.channel.pipeline.fireChannelWritabilityChanged()
        for _ in 0..<1000 {
            if setup.connection.subscriber.note(job: 4) { setup.handler.changed() }
        }
        try setup.send(.version)
        #expect(try setup.sent().isEmpty)
        // It reads again in time.
        setup.channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        setup.channel.isWritable = true
        setup.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try setup.sent() == [.returned("1.0.0"), .jobsChanged([4])])
        setup.channel.embeddedEventLoop.advanceTime(by: .seconds(100))
        #expect(setup.channel.isActive)
        // And then not.
        setup.channel.isWritable = false
        setup.channel.pipeline.fireChannelWritabilityChanged()
        setup.channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(setup.channel.isActive)
        setup.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!setup.channel.isActive)
    }

    @Test func badLinesCloseAfterTheRepliesBefore() throws {
        let setup = try Setup()
        try setup.send(.version)
        try setup.channel.writeInbound(ByteBuffer(string: "what?\n"))
        #expect(try setup.sent() == [.returned("1.0.0")])
        setup.channel.embeddedEventLoop.run()
        #expect(!setup.channel.isActive)
    }

    @Test func halfAConnectionGetsItsAnswers() throws {
        let setup = try Setup()
        try setup.send(.jobKeepalive(job: 1), .version)
        setup.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(setup.channel.isActive)
        setup.answer()
        #expect(try setup.sent() == [.returned(.null), .returned("1.0.0")])
        setup.channel.embeddedEventLoop.run()
        #expect(!setup.channel.isActive)
    }

    @Test func stoppingWaitsForTheRequestUnderWay() throws {
        let setup = try Setup()
        try setup.send(.jobKeepalive(job: 1), .version)
        setup.handler.stop()
        #expect(setup.channel.isActive)
        setup.answer()
        #expect(try setup.sent() == [.returned(.null)])
        #expect(!setup.channel.isActive)
        let idle = try Setup()
        idle.handler.stop()
        #expect(!idle.channel.isActive)
    }

    /// The answer to a peer that has gone is nobody's.
    @Test func anAnswerAfterTheEndIsDropped() async throws {
        let setup = try Setup()
        try setup.send(.jobKeepalive(job: 1))
        try await setup.channel.close()
        setup.answer()
        // The task that answers ends: first with the request that it still had, then with nothing.
        await setup.connection.serve({ _, _ in ByteBuffer() }, deliver: { _ in })
    }
}
