//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNakerLink

/// When a connection watches its link, and what watching a socket is.
@Suite(.timeLimit(.minutes(1)), .serialized) struct ReplyWatchTests {
    /// Answers only when told to, and notes when it is watched and how many requests are under way then.
    private final class WatchedLink: DatagramLink, @unchecked Sendable {
        // Unchecked: everything but the constants is touched on the event loop only.
        let eventLoop: any EventLoop
        let linkDescription = "a watched link"
        let replyWatch: ReplyWatch
        private var receiver: (any DatagramReceiver)?
        private var unanswered: [SCPPacket] = []
        private var written: [SCPPacket] = []
        private(set) var watches: [Int] = []

        init(on eventLoop: any EventLoop, _ replyWatch: ReplyWatch) {
            self.eventLoop = eventLoop
            self.replyWatch = replyWatch
        }

        func setReceiver(_ receiver: (any DatagramReceiver)?) { self.receiver = receiver }
        func write(_ datagram: ByteBuffer) {
            if let packet = try? SCPPacket(datagram: datagram) { self.written.append(packet) }
        }
        func close() { self.receiver?.linkClosed(nil) }
        func watch(for time: TimeAmount) { self.watches.append(self.unanswered.count) }

        func flush() {
            self.unanswered += self.written
            self.written = []
            // Not within the flush, so that the connection has had its time to watch.
            self.eventLoop.assumeIsolated().execute { self.answerAll() }
        }

        private func answerAll() {
            let packets = self.unanswered
            self.unanswered = []
            for packet in packets {
                self.receiver?.datagramReceived(reply(to: packet, payload: ByteBuffer(repeating: 0, count: 256)))
            }
            self.receiver?.datagramReadComplete()
        }
    }

    /// Reads `count` packets at a window; how many requests were under way at each watch.
    private func watches(
        _ replyWatch: ReplyWatch, window: Int, count: Int, watchesForReplies: Bool = true, on loop: any EventLoop
    ) async throws -> [Int] {
        let link = WatchedLink(on: loop, replyWatch)
        // Far away enough for any machine.
        var configuration = SCPConnection.Configuration(window: window, watchesForReplies: watchesForReplies)
        configuration.pipeline.longestWatchedRoundTrip = .seconds(10)
        let connection = SCPConnection(link: link, configuration: configuration)
        connection.start()
        _ = try await connection.read(address: 0x6000_0000, count: count * 256, from: CoreID(0, 0, 0))
        await connection.closeAndWait()
        return try await loop.submit { link.watches }.get()
    }

    private func withLoop<Output>(_ body: (any EventLoop) async throws -> Output) async throws -> Output {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let output = try await body(group.next())
        try await group.shutdownGracefully()
        return output
    }

    @Test func aWindowIsWatchedWhereTheLinkSaysAlways() async throws {
        let watches = try await self.withLoop { try await self.watches(.always, window: 4, count: 12, on: $0) }
        // Nobody knows how long a reply takes before the first.
        #expect(watches == [4, 4])
    }

    @Test func elsewhereOnlyALoneRequestIs() async throws {
        try await self.withLoop { loop in
            let together = try await self.watches(.forLoneRequest, window: 4, count: 12, on: loop)
            let alone = try await self.watches(.forLoneRequest, window: 1, count: 4, on: loop)
            let never = try await self.watches(.never, window: 1, count: 4, on: loop)
            #expect(together == [])
            #expect(alone == [1, 1, 1])
            #expect(never == [])
        }
    }

    @Test func whoDoesNotWantItIsNotWatched() async throws {
        let watches = try await self.withLoop {
            try await self.watches(.always, window: 4, count: 12, watchesForReplies: false, on: $0)
        }
        #expect(watches == [])
        #expect(!SCPConnection.Configuration.bmp.watchesForReplies)
    }

    /// While one watches, the others' replies wait.
    @Test func besideOthersOnItsEventLoopNoneWatches() async throws {
        try await self.withLoop { loop in
            // It never answers this one.
            let silent = WatchedLink(on: loop, .always)
            let other = SCPConnection(link: SilentLink(silent), configuration: .init())
            other.start()
            let waiting = Task { try? await other.send(GetVersion(), to: .monitor(of: .root)) }
            while await other.statistics().started == 0 { await Task.yield() }
            let beside = try await self.watches(.always, window: 4, count: 12, on: loop)
            #expect(beside == [])
            await other.closeAndWait()
            _ = await waiting.value
            let alone = try await self.watches(.always, window: 4, count: 12, on: loop)
            #expect(alone == [4, 4], "the other is gone")
        }
    }

    /// Takes datagrams and does nothing with them.
    private final class SilentLink: DatagramLink, @unchecked Sendable {
        // Unchecked: touched on the event loop only.
        private let inner: WatchedLink
        init(_ inner: WatchedLink) { self.inner = inner }
        var eventLoop: any EventLoop { self.inner.eventLoop }
        var linkDescription: String { "silent" }
        var replyWatch: ReplyWatch { .always }
        func setReceiver(_ receiver: (any DatagramReceiver)?) { self.inner.setReceiver(receiver) }
        func write(_ datagram: ByteBuffer) {}
        func flush() {}
        func close() { self.inner.close() }
    }

    // MARK: The socket

    /// Not shown by a clock, which a busy machine makes a liar, but by what has come when the watch is over.
    @Test func aWatchEndsWhenThereIsSomethingToRead() async throws {
        try await self.withLoop { loop in
            let channel = try await DatagramBootstrap(group: loop).channelOption(.autoRead, value: false)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(channel.localAddress?.port)
            let sender = try await UDPLink.connect(to: .loopback, port: port)
            let watched = loop.submit {
                // Ten seconds at most: the datagram ends it, or the test fails by its time limit's sake.
                let start = NIODeadline.now()
                SocketWatch.wait(for: channel, atMost: .seconds(10))
                return NIODeadline.now() - start
            }
            try await sender.eventLoop.submit {
                sender.write(ByteBuffer(string: "reply"))
                sender.flush()
            }.get()
            let took = try await watched.get()
            #expect(took < .seconds(10))
            try await channel.close()
            sender.close()
        }
    }

    @Test func aWatchEndsWithItsTimeAndNeedsNoSocket() async throws {
        try await self.withLoop { loop in
            let channel = try await DatagramBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
            let took = try await loop.submit {
                let start = NIODeadline.now()
                SocketWatch.wait(for: channel, atMost: .milliseconds(2))
                return NIODeadline.now() - start
            }.get()
            #expect(took >= .milliseconds(2))
            try await channel.close()
            let afterwards = try await loop.submit {
                let start = NIODeadline.now()
                SocketWatch.wait(for: channel, atMost: .seconds(10))
                return NIODeadline.now() - start
            }.get()
            #expect(afterwards < .seconds(10), "a closed channel was watched")
        }
    }

    @Test(arguments: [
        ("Cpus_allowed:\t3\nCpus_allowed_list:\t0-1\n", 2), ("Name:\tx\nCpus_allowed:\tff,00000001\n", 9),
        ("Cpus_allowed:\t00000000,00000001\n", 1), ("Cpus_allowed_list:\t0-1\n", nil), ("Cpus_allowed:\t0\n", nil), ("", nil),
    ])
    func processorsOfThisProcess(_ status: String, _ expected: Int?) {
        #expect(SocketWatch.allowedProcessors(status: status) == expected)
    }

    /// Silicon is a network away.
    @Test func onlyLoopbackIsWatched() async throws {
        let near = try await UDPLink.connect(to: .loopback, port: 17893)
        let far = try await UDPLink.connect(to: IPv4Address(value: 0xC0A8_F0FD), port: 17893)
        #expect(near.replyWatch == (SocketWatch.hasProcessorToSpare ? .always : .never))
        #expect(far.replyWatch == .never)
        near.close()
        far.close()
    }
}
