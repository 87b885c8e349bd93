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
    public let datagrams: AsyncStream<Datagram>
    private let channel: any Channel
    private let dropCount: NIOLockedValueBox<Int>

    /// How many datagrams were dropped because nobody took them.
    public var dropped: Int { self.dropCount.withLockedValue { $0 } }

    /// Opens the socket, runs `body`, closes the socket; the stream then ends.
    public static func with<Output>(
        address: IPv4Address, port: Int = 0, bufferSize: Int = 1024, on eventLoop: any EventLoop,
        _ body: (UDPListener) async throws -> Output
    ) async throws -> Output {
        let listener = try await UDPListener.bind(to: address, port: port, bufferSize: bufferSize, on: eventLoop)
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
        to address: IPv4Address, port: Int = 0, bufferSize: Int = 1024, on eventLoop: any EventLoop
    ) async throws -> UDPListener {
        let (stream, continuation) = AsyncStream.makeStream(of: Datagram.self, bufferingPolicy: .bufferingOldest(bufferSize))
        let dropCount = NIOLockedValueBox(0)
        let local = try address.socketAddress(port: port)
        let channel = try await UDPSocket.bootstrap(on: eventLoop).bind(to: local) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    ListenerHandler(continuation: continuation, dropCount: dropCount))
                return channel
            }
        }
        // Only now is the port known that 0 stood for.
        return UDPListener(
            channel: channel, address: address, port: channel.localAddress?.port ?? port, datagrams: stream,
            dropCount: dropCount)
    }

    private init(
        channel: any Channel, address: IPv4Address, port: Int, datagrams: AsyncStream<Datagram>,
        dropCount: NIOLockedValueBox<Int>
    ) {
        self.channel = channel
        self.address = address
        self.port = port
        self.datagrams = datagrams
        self.dropCount = dropCount
    }

    /// Sends one datagram. As with all of UDP, that it has left does not mean that it arrives.
    public func send(_ data: ByteBuffer, to address: IPv4Address, port: Int) async throws {
        let envelope = AddressedEnvelope(remoteAddress: try address.socketAddress(port: port), data: data)
        try await self.channel.writeAndFlush(envelope)
    }

    package func close() async {
        // That it was closed before is no error.
        try? await self.channel.close()
    }
}

private final class ListenerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let continuation: AsyncStream<UDPListener.Datagram>.Continuation
    private let dropCount: NIOLockedValueBox<Int>

    init(continuation: AsyncStream<UDPListener.Datagram>.Continuation, dropCount: NIOLockedValueBox<Int>) {
        self.continuation = continuation
        self.dropCount = dropCount
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard let source = envelope.remoteAddress.ipv4 else { return }
        let datagram = UDPListener.Datagram(
            data: envelope.data, source: source, sourcePort: envelope.remoteAddress.port ?? 0)
        if case .dropped = self.continuation.yield(datagram) { self.dropCount.withLockedValue { $0 += 1 } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    func channelInactive(context: ChannelHandlerContext) { self.continuation.finish() }
}
