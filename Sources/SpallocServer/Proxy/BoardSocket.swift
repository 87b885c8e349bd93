//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine

/// The UDP socket of one channel, on the event loop of its websocket.
///
/// That of a *connected* channel is not connected in the kernel's sense. A board that is off answers with ICMP "port
/// unreachable", which
/// a connected socket reports as an error of its next send, and NIO then closes the channel; it has to be a lost datagram.
/// So the sender is compared here.
final class BoardSocket: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    /// The only one that a connected channel talks to and hears; nil: the channel is unconnected.
    let peer: (address: SocketAddress, endpoint: IPv4Endpoint)?
    /// 0 until the client is told of the channel, and after it is closed: nothing is heard before and after.
    var channelID: UInt32 = 0
    /// Whether the relay has it down to be flushed.
    var isNoted = false
    private let relay: ProxyRelay
    private var context: ChannelHandlerContext?
    /// A socket address is an object; a client sends to the same few over and over.
    private var addresses: [IPv4Endpoint: SocketAddress] = [:]
    /// A virtual board is on loopback.
    let isLoopback: Bool
    private var run: DatagramRun

    init(relay: ProxyRelay, peer: (address: SocketAddress, endpoint: IPv4Endpoint)?) {
        self.relay = relay
        self.peer = peer
        self.isLoopback = peer?.endpoint.address.isLoopback ?? false
        self.run = DatagramRun(joins: self.isLoopback && System.supportsUDPSegmentationOffload)
    }

    /// false: the socket does not take it, and it is lost.
    func write(_ datagram: ByteBuffer) -> Bool {
        guard let context = self.writableContext(), let peer = self.peer else { return false }
        if let ended = self.run.append(datagram, to: peer.address) { context.write(self.wrapOutboundOut(ended), promise: nil) }
        return true
    }

    func write(_ datagram: ByteBuffer, to board: IPv4Address, port: UInt16) -> Bool {
        guard let context = self.writableContext(), let address = self.address(IPv4Endpoint(board, port)) else { return false }
        context.write(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: address, data: datagram)), promise: nil)
        return true
    }

    func flush() {
        self.isNoted = false
        guard let context = self.context else { return }
        self.flush(context)
    }

    private func flush(_ context: ChannelHandlerContext) {
        if let ended = self.run.take() { context.write(self.wrapOutboundOut(ended), promise: nil) }
        context.flush()
    }

    func close() {
        self.channelID = 0
        self.context?.close(promise: nil)
    }

    private func writableContext() -> ChannelHandlerContext? {
        guard let context = self.context else { return nil }
        // A long burst is sent in parts rather than dropped in part.
        if !context.channel.isWritable { self.flush(context) }
        return context.channel.isWritable ? context : nil
    }

    private func address(_ endpoint: IPv4Endpoint) -> SocketAddress? {
        if let known = self.addresses[endpoint] { return known }
        guard let address = try? endpoint.socketAddress else { return nil }
        if self.addresses.count >= 64 { self.addresses.removeAll() }
        self.addresses[endpoint] = address
        return address
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        DatagramRun.forEachDatagram(in: self.unwrapInboundIn(data)) { datagram in
            self.relay.received(datagram.data, from: datagram.remoteAddress, by: self)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.relay.readComplete() }

    /// Of one datagram: to SCP it is a lost one, and no reason to end a channel.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Makes the UDP sockets. The completions run on the event loop, perhaps before the call returns.
struct BoardSocketOpener {
    /// A read takes up to this many datagrams in one system call…
    static let datagramsPerRead = 16
    /// …of up to this size each, which is the limit of a message in the other direction. What is longer is cut off.
    static let datagramBytes = 8192

    let eventLoop: any EventLoop

    /// A socket for a connected channel.
    func open(_ socket: BoardSocket, _ completion: @escaping (Result<Void, any Error>) -> Void) {
        self.bootstrap(for: socket).bind(host: "0.0.0.0", port: 0).map { _ in }.assumeIsolated().whenComplete(completion)
    }

    /// A socket for an unconnected channel: where it can be sent to.
    func bind(
        _ socket: BoardSocket, host: IPv4Address?, towards board: IPv4Address?,
        _ completion: @escaping (Result<(address: IPv4Address, port: UInt16), any Error>) -> Void
    ) {
        let bound = self.bootstrap(for: socket).bind(host: (host ?? .any).description, port: 0)
        let reported = host.map { self.eventLoop.makeSucceededFuture($0) } ?? self.localAddress(towards: board)
        bound.and(reported).assumeIsolated().whenComplete { result in
            completion(
                result.flatMap { channel, address in
                    guard let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:)) else {
                        channel.close(promise: nil)
                        return .failure(ChannelError.unknownLocalAddress)
                    }
                    return .success((address, port))
                })
        }
    }

    /// From which of its addresses this host reaches a board: what a socket connected to it says of itself. Nothing is sent.
    private func localAddress(towards board: IPv4Address?) -> EventLoopFuture<IPv4Address> {
        guard let board else { return self.eventLoop.makeSucceededFuture(.any) }
        return DatagramBootstrap(group: self.eventLoop).connect(host: board.description, port: 17893).flatMap { channel in
            let address = channel.localAddress?.ipAddress.flatMap { IPv4Address($0) }
            return channel.close().map { address ?? .any }
        }.recover { _ in .any }
    }

    private func bootstrap(for socket: BoardSocket) -> DatagramBootstrap {
        let handler = NIOLoopBound(socket, eventLoop: self.eventLoop)
        let capacity = BoardSocketOpener.datagramsPerRead * BoardSocketOpener.datagramBytes
        return DatagramBootstrap(group: self.eventLoop)
            // One vector a turn, then it goes to the client, which works while we read on.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.datagramVectorReadMessageCount, value: BoardSocketOpener.datagramsPerRead)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: capacity))
            .channelOption(.writeBufferWaterMark, value: .init(low: 128 * 1024, high: 256 * 1024))
            // Room for a burst while the event loop is elsewhere; the kernel gives what it allows.
            .channelOption(.socketOption(.so_rcvbuf), value: 1 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if handler.value.isLoopback { try UDPSocket.takeRuns(channel) }
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
    }
}

/// An address and a port, compared as two numbers.
struct IPv4Endpoint: Hashable, Sendable {
    var address: IPv4Address
    var port: UInt16

    init(_ address: IPv4Address, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Without a detour through text. In every system's `sockaddr_in` two bytes of family (and length) are followed by the
    /// port and the address, both big-endian.
    init?(_ address: SocketAddress) {
        guard case .v4(let v4) = address else { return nil }
        self = withUnsafeBytes(of: v4.address) { bytes in
            IPv4Endpoint(
                IPv4Address(value: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
                UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
    }

    var socketAddress: SocketAddress {
        get throws { try SocketAddress(ipAddress: self.address.description, port: Int(self.port)) }
    }
}
