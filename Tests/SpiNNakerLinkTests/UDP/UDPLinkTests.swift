//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct UDPLinkTests {
    private var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

    @Test func aMegabyteThereAndBack() async throws {
        try await UDPResponder.with(answer: UDPResponder.memory()) { port in
            let link = try await UDPLink.connect(to: .loopback, port: port, on: self.loop)
            #expect(link.linkDescription == "127.0.0.1:\(port)")
            let connection = SCPConnection(link: link, configuration: .init(window: 32))
            connection.start()
            let data = ByteBuffer(bytes: (0..<200_001).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            try await connection.write(data, address: 0x6000_0000, to: CoreID(0, 0, 0))
            let back = try await connection.read(address: 0x6000_0000, count: data.readableBytes, from: CoreID(0, 0, 0))
            #expect(back == data)
            connection.close()
        }
    }

    @Test func addressesOfSocketsBothWays() throws {
        for address in [IPv4Address(10, 1, 2, 3), .loopback, .any, IPv4Address(255, 255, 255, 255)] {
            #expect(try address.socketAddress(port: 7).ipv4 == address)
            #expect(try address.socketAddress(port: 7).port == 7)
        }
        #expect(try SocketAddress(ipAddress: "::1", port: 7).ipv4 == nil)
        #expect(try SocketAddress(unixDomainSocketPath: "/tmp/x").ipv4 == nil)
        let loopbacks = ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"].map { IPv4Address($0)?.isLoopback }
        #expect(loopbacks == [false, true, true, false])
    }

    /// Those of one size leave together, and arrive one by one, in order, whatever comes between them.
    @Test func datagramsThatLeaveTogetherArriveOneByOne() async throws {
        try await UDPListener.with(address: .loopback, on: self.loop) { listener in
            let link = try await UDPLink.connect(to: .loopback, port: listener.port, on: self.loop)
            let sizes = Array(repeating: 282, count: 40) + [26, 26, 26, 282, 282, 1042, 30, 31, 31]
            let datagrams = sizes.enumerated().map { index, size in
                ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ index) })
            }
            try await link.eventLoop.submit {
                for datagram in datagrams { link.write(datagram) }
                link.flush()
            }.get()
            var heard: [ByteBuffer] = []
            for await datagram in listener.datagrams {
                heard.append(datagram.data)
                // The first that is wrong ends it: fewer than there should be would be waited for in vain.
                if heard.count == datagrams.count || datagram.data != datagrams[heard.count - 1] { break }
            }
            #expect(heard == datagrams)
            link.close()
        }
    }

    /// On loopback a datagram to a port where nobody listens is answered by ICMP at once, and the error comes out of the
    /// next system call on the socket.
    @Test func nobodyThereIsLossAndNotTheEndOfTheLink() async throws {
        let port = try await UDPResponder.with(answer: { _ in [] }) { $0 }
        let link = try await UDPLink.connect(to: .loopback, port: port, on: self.loop)
        let policy = SCPPolicy(timeout: .milliseconds(20), retries: 4)
        let connection = SCPConnection(link: link, configuration: .init(policy: policy))
        connection.start()
        await #expect(
            throws: SCPError(.timedOut, link: "127.0.0.1:\(port)", core: .monitor(of: .root), command: .version, attempts: 5)
        ) {
            try await connection.send(GetVersion(), to: .monitor(of: .root))
        }
        // Now somebody listens, and the same link works.
        try await UDPResponder.with(port: port, answer: UDPResponder.memory()) { _ in
            let word = try await connection.read(address: 0x100, count: 4, from: CoreID(0, 0, 0))
            #expect(word.readableBytes == 4)
        }
        connection.close()
    }

    @Test func strangersAreNotHeard() async throws {
        let stranger = try await UDPListener.bind(to: .loopback, on: self.loop)
        try await UDPResponder.with(answer: UDPResponder.memory()) { port in
            let link = try await UDPLink.connect(to: .loopback, port: port, on: self.loop)
            let heard = NIOLockedValueBox(0)
            let receiver = CountingReceiver(heard)
            try await link.eventLoop.submit { link.setReceiver(receiver) }.get()
            let target = try #require(link.localAddress?.port)
            try await stranger.send(ByteBuffer(string: "not from the board"), to: .loopback, port: target)
            // Then one from the board itself: when it is here, the other one would be too.
            try await link.eventLoop.submit {
                var datagram = ByteBuffer()
                SCPPacket(ReadMemory(address: 0, size: 4), to: CoreID(0, 0, 0), sequence: 0).writeDatagram(into: &datagram)
                link.write(datagram)
                link.flush()
            }.get()
            await receiver.readComplete()
            #expect(heard.withLockedValue { $0 } == 1)
            link.close()
        }
        await stranger.close()
    }

    @Test func closingIsHeardOnce() async throws {
        let link = try await UDPLink.connect(to: .loopback, port: 9, on: self.loop)
        let connection = SCPConnection(link: link)
        connection.start()
        async let pending: VersionInfo = connection.send(GetVersion(), to: CoreID(0, 0, 0))
        connection.close()
        do {
            _ = try await pending
            Issue.record("an answer from nowhere")
        } catch let error as SCPError {
            #expect(error.code == .linkClosed)
        }
        await #expect(throws: SCPError.self) { try await connection.send(GetVersion(), to: CoreID(0, 0, 0)) }
    }

    @Test func listenerHearsAnybody() async throws {
        try await UDPListener.with(address: .loopback, on: self.loop) { listener in
            try await UDPListener.with(address: .loopback, on: self.loop) { sender in
                for text in ["one", "two", "three"] {
                    try await sender.send(ByteBuffer(string: text), to: .loopback, port: listener.port)
                }
                var heard: [String] = []
                for await datagram in listener.datagrams {
                    #expect(datagram.source == .loopback)
                    #expect(datagram.sourcePort == sender.port)
                    heard.append(String(buffer: datagram.data))
                    if heard.count == 3 { break }
                }
                #expect(heard == ["one", "two", "three"])
            }
        }
    }

    @Test func anExchangeFindsItsAnswerAmongTheRest() async throws {
        let asked = NIOLockedValueBox(0)
        try await UDPResponder.with(answer: { packet in
            let count = asked.withLockedValue {
                $0 += 1
                return $0
            }
            // The first is lost; the second is answered, behind something else.
            return count == 1 ? [] : [ByteBuffer(string: "noise"), reply(to: packet)]
        }) { port in
            try await UDPListener.with(address: .loopback, on: self.loop) { listener in
                var request = ByteBuffer()
                SCPPacket(GetVersion(), to: CoreID(0, 0, 0), sequence: 7).writeDatagram(into: &request)
                let answer = try await listener.exchange(
                    request, with: .loopback, port: port, timeout: .milliseconds(20)
                ) { (try? SCPReply(datagram: $0))?.sequence == 7 }
                #expect(answer != nil)
                for await datagram in listener.datagrams {
                    #expect(String(buffer: datagram.data) == "noise")
                    break
                }
                let nothing = try await listener.exchange(
                    request, with: .loopback, port: port, tries: 2, timeout: .milliseconds(5)
                ) { _ in false }
                #expect(nothing == nil)
            }
        }
    }

    @Test func namesAreResolved() async throws {
        #expect(try await UDPLink.resolve("127.3.2.1") == IPv4Address(127, 3, 2, 1))
        #expect(try await UDPLink.resolve("localhost").isLoopback)
        await #expect(throws: (any Error).self) { try await UDPLink.resolve("no.such.host.invalid") }
    }

    @Test func aListenerThatNobodyReadsDropsAndCounts() async throws {
        let listener = try await UDPListener.bind(to: .loopback, bufferSize: 2, on: self.loop)
        let sender = try await UDPListener.bind(to: .loopback, on: self.loop)
        for number in 0..<10 { try await sender.send(ByteBuffer(integer: number), to: .loopback, port: listener.port) }
        while listener.dropped < 8 { await Task.yield() }
        await listener.close()
        var kept = 0
        for await _ in listener.datagrams { kept += 1 }
        #expect(kept == 2)
        await sender.close()
    }
}

/// Counts datagrams; unchecked because NIO calls it on one event loop.
private final class CountingReceiver: DatagramReceiver, @unchecked Sendable {
    private let count: NIOLockedValueBox<Int>
    private let stream = AsyncStream.makeStream(of: Void.self)
    init(_ count: NIOLockedValueBox<Int>) { self.count = count }
    func datagramReceived(_ datagram: ByteBuffer) { self.count.withLockedValue { $0 += 1 } }
    func datagramReadComplete() { if self.count.withLockedValue({ $0 }) > 0 { self.stream.continuation.yield() } }
    func linkClosed(_ error: (any Error)?) { self.stream.continuation.finish() }
    func readComplete() async { for await _ in self.stream.stream { return } }
}
