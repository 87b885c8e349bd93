//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerWire

/// A board of a test, on a UDP port of loopback: answers each request by a closure.
final class UDPResponder: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answer: @Sendable (SCPPacket) -> [ByteBuffer]

    private init(_ answer: @escaping @Sendable (SCPPacket) -> [ByteBuffer]) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard let packet = try? SCPPacket(datagram: envelope.data) else { return }
        for datagram in self.answer(packet) {
            context.write(
                self.wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: datagram)), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    /// Runs `body` with the port it listens on.
    static func with<Output>(
        port: Int = 0, answer: @escaping @Sendable (SCPPacket) -> [ByteBuffer], _ body: (Int) async throws -> Output
    ) async throws -> Output {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.datagramVectorReadMessageCount, value: 16)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 * 2048))
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UDPResponder(answer))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let result: Result<Output, any Error>
        do { result = .success(try await body(channel.localAddress?.port ?? 0)) } catch { result = .failure(error) }
        try? await channel.close()
        return try result.get()
    }

    /// Memory, of one responder.
    static func memory() -> @Sendable (SCPPacket) -> [ByteBuffer] {
        let memory = NIOLockedValueBox(TestMemory())
        return { packet in [memory.withLockedValue { $0.answer(packet) }] }
    }
}
