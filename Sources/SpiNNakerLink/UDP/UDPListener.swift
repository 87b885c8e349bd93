//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerMachine

/// A UDP socket that hears from anybody: IP-tag output, boot ROM hellos, EIEIO.
public final class UDPListener: Sendable {
    public struct Datagram: Sendable {
        public var data: ByteBuffer
        public var source: IPv4Address
        public var sourcePort: Int
    }

    public let address: IPv4Address
    /// The port it got, when 0 was asked for.
    public let port: Int
    /// What arrives, in order. Of more than `bufferSize` that nobody has taken the newest are dropped and counted.
    public let datagrams: Inbox<Datagram>
    private let channel: any Channel
    private let lastSequence = NIOLockedValueBox<UInt16>(0)
    /// Whoever waits for the answer to what was sent from here: see ``exchange(_:with:port:tries:timeout:isAnswer:)``.
    private let expectations: NIOLockedValueBox<[Expectation]>

    fileprivate struct Expectation: Sendable {
        let number: Int
        let source: IPv4Address
        let sourcePort: Int
        let isAnswer: @Sendable (ByteBuffer) -> Bool
        let continuation: AsyncStream<ByteBuffer>.Continuation
    }

    /// The contents of ``datagrams``, for who does not ask where they come from.
    public var payloads: Payloads { Payloads(datagrams: self.datagrams) }

    public struct Payloads: AsyncSequence, Sendable {
        public typealias Element = ByteBuffer
        let datagrams: Inbox<Datagram>

        public struct AsyncIterator: AsyncIteratorProtocol {
            let datagrams: Inbox<Datagram>
            public mutating func next() async -> ByteBuffer? { await self.datagrams.next()?.data }
            public mutating func next(isolation actor: isolated (any Actor)?) async -> ByteBuffer? {
                await self.datagrams.next()?.data
            }
        }

        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(datagrams: self.datagrams) }
    }

    /// How many datagrams were dropped because nobody took them.
    public var dropped: Int { self.datagrams.dropped }

    /// A number for a request that is sent from here: its reply is known by it.
    package func takeSequence() -> UInt16 {
        self.lastSequence.withLockedValue { last in
            last &+= 1
            return last
        }
    }

    /// Opens the socket, runs `body`, closes the socket; the sequence then ends.
    ///
    /// - Parameters:
    ///   - port: 0: any that is free.
    ///   - maximumDatagram: longer ones are cut off; nil: 2048 bytes, more than boards ever send.
    public static func with<Output>(
        address: IPv4Address, port: Int = 0, bufferSize: Int = 1024, maximumDatagram: Int? = nil,
        on eventLoop: (any EventLoop)? = nil, _ body: (UDPListener) async throws -> Output
    ) async throws -> Output {
        let listener = try await UDPListener.bind(
            to: address, port: port, bufferSize: bufferSize, maximumDatagram: maximumDatagram, on: eventLoop)
        do {
            let output = try await body(listener)
            await listener.close()
            return output
        } catch {
            await listener.close()
            throw error
        }
    }

    package static func bind(
        to address: IPv4Address, port: Int = 0, bufferSize: Int = 1024, maximumDatagram: Int? = nil,
        on eventLoop: (any EventLoop)? = nil
    ) async throws -> UDPListener {
        let datagrams = Inbox<Datagram>(limit: bufferSize)
        let expectations = NIOLockedValueBox<[Expectation]>([])
        let local = try address.socketAddress(port: port)
        let eventLoop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await UDPSocket.bootstrap(on: eventLoop, maximumDatagram: maximumDatagram).bind(to: local) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    ListenerHandler(datagrams: datagrams, expectations: expectations))
                return channel
            }
        }
        // Only now is the port known that 0 stood for.
        return UDPListener(
            channel: channel, address: address, port: channel.localAddress?.port ?? port, datagrams: datagrams,
            expectations: expectations)
    }

    private init(
        channel: any Channel, address: IPv4Address, port: Int, datagrams: Inbox<Datagram>,
        expectations: NIOLockedValueBox<[Expectation]>
    ) {
        self.expectations = expectations
        self.channel = channel
        self.address = address
        self.port = port
        self.datagrams = datagrams
    }

    /// Sends one datagram. As with all of UDP, that it has left does not mean that it arrives.
    public func send(_ data: ByteBuffer, to address: IPv4Address, port: Int) async throws {
        let envelope = AddressedEnvelope(remoteAddress: try address.socketAddress(port: port), data: data)
        try await self.channel.writeAndFlush(envelope)
    }

    /// Sends a datagram from this port and waits for the answer, which then is not among ``datagrams``.
    ///
    /// - Returns: the answer; nil when none came, however often it was sent.
    package func exchange(
        _ datagram: ByteBuffer, with address: IPv4Address, port: Int, tries: Int = 3, timeout: Duration = .seconds(1),
        isAnswer: @escaping @Sendable (ByteBuffer) -> Bool
    ) async throws -> ByteBuffer? {
        let (answers, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(1))
        let number = self.expectations.withLockedValue { expectations in
            let number = (expectations.last?.number ?? 0) + 1
            expectations.append(
                Expectation(
                    number: number, source: address, sourcePort: port, isAnswer: isAnswer, continuation: continuation))
            return number
        }
        defer { self.expectations.withLockedValue { $0.removeAll { $0.number == number } } }
        return try await withThrowingTaskGroup(of: ByteBuffer?.self) { tasks in
            tasks.addTask {
                for await answer in answers { return answer }; return nil
            }
            tasks.addTask {
                for _ in 0..<max(1, tries) {
                    try await self.send(datagram, to: address, port: port)
                    try await Task.sleep(for: timeout)
                }
                return nil
            }
            let answer = try await tasks.next() ?? nil
            tasks.cancelAll()
            return answer
        }
    }

    package func close() async {
        // That it was closed before is no error.
        try? await self.channel.close()
    }
}

private final class ListenerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let datagrams: Inbox<UDPListener.Datagram>
    private let expectations: NIOLockedValueBox<[UDPListener.Expectation]>

    init(datagrams: Inbox<UDPListener.Datagram>, expectations: NIOLockedValueBox<[UDPListener.Expectation]>) {
        self.datagrams = datagrams
        self.expectations = expectations
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard let source = envelope.remoteAddress.ipv4 else { return }
        let datagram = UDPListener.Datagram(
            data: envelope.data, source: source, sourcePort: envelope.remoteAddress.port ?? 0)
        let expectation = self.expectations.withLockedValue { expectations in
            expectations.first {
                $0.source == datagram.source && $0.sourcePort == datagram.sourcePort && $0.isAnswer(datagram.data)
            }
        }
        if let expectation {
            expectation.continuation.yield(datagram.data)
            return
        }
        self.datagrams.put(datagram)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    func channelInactive(context: ChannelHandlerContext) { self.datagrams.finish() }
}
