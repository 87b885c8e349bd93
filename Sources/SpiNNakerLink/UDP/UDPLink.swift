//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine

/// A ``DatagramLink`` over a UDP socket of its own.
///
/// The socket is not connected to its peer, though it talks to no other: a connected one reports each ICMP "port
/// unreachable" as an error of the *next* send, and NIO then closes the channel. A board that is not booted, or is being
/// power cycled, must look like loss. What comes from another address is dropped here instead of in the kernel.
///
/// Unchecked: its handler is touched on the channel's event loop only, and nothing else of it changes.
public final class UDPLink: DatagramLink, @unchecked Sendable {
    public let eventLoop: any EventLoop
    public let linkDescription: String
    package let peer: SocketAddress
    /// Of the socket. The port is that from which requests come; the address may be 0.0.0.0.
    package var localAddress: SocketAddress? { self.channel.localAddress }

    /// A board on loopback answers sooner than a thread wakes up.
    public let replyWatch: ReplyWatch

    private let channel: any Channel
    private let handler: UDPLinkHandler

    /// Opens a socket that sends to `port` of `address`, and hears only from there.
    ///
    /// - Throws: what the system says, when it refuses a socket or a port.
    ///
    /// - Parameter eventLoop: nil: one of the process's own (`MultiThreadedEventLoopGroup.singleton`).
    public static func connect(
        to address: IPv4Address, port: Int, on eventLoop: (any EventLoop)? = nil
    ) async throws -> UDPLink {
        let eventLoop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        let peer = try address.socketAddress(port: port)
        let local = try (address.isLoopback ? IPv4Address.loopback : .any).socketAddress(port: 0)
        return try await UDPSocket.bootstrap(on: eventLoop).bind(to: local) { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = UDPLinkHandler(
                    peer: peer, joins: address.isLoopback && System.supportsUDPSegmentationOffload)
                if address.isLoopback { try UDPSocket.takeRuns(channel) }
                try channel.pipeline.syncOperations.addHandler(handler)
                return UDPLink(channel: channel, handler: handler, peer: peer, address: address, port: port)
            }
        }
    }

    /// The first IPv4 address of a host name; a dotted quad is taken as it is.
    public static func resolve(_ host: String) async throws -> IPv4Address {
        if let address = IPv4Address(host) { return address }
        // Asking the system's resolver blocks, so it is done on a thread that may.
        let address = try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(host, port: 0).ipv4
        }
        guard let address else { throw UnresolvedHost(host: host) }
        return address
    }

    private init(channel: any Channel, handler: UDPLinkHandler, peer: SocketAddress, address: IPv4Address, port: Int) {
        self.channel = channel
        self.eventLoop = channel.eventLoop
        self.handler = handler
        self.peer = peer
        self.linkDescription = "\(address):\(port)"
        self.replyWatch = address.isLoopback && SocketWatch.hasProcessorToSpare ? .always : .never
    }

    public func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.eventLoop.assertInEventLoop()
        self.handler.setReceiver(receiver)
    }

    public func write(_ datagram: ByteBuffer) {
        self.eventLoop.assertInEventLoop()
        self.handler.write(datagram)
    }

    public func flush() {
        self.eventLoop.assertInEventLoop()
        self.handler.flush()
    }

    public func close() {
        self.channel.close(promise: nil)
    }

    public func watch(for time: TimeAmount) {
        self.eventLoop.assertInEventLoop()
        SocketWatch.wait(for: self.channel, atMost: time)
    }
}

/// A name that has no IPv4 address.
public struct UnresolvedHost: Error, Hashable, CustomStringConvertible {
    public let host: String
    public var description: String { "\(self.host) has no IPv4 address" }
}

/// The channel's end of a ``UDPLink``.
private final class UDPLinkHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let peer: SocketAddress
    private var context: ChannelHandlerContext?
    private var receiver: (any DatagramReceiver)?
    private var isInactive = false
    private var cause: (any Error)?
    private var run: DatagramRun

    init(peer: SocketAddress, joins: Bool) {
        self.peer = peer
        self.run = DatagramRun(joins: joins)
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.receiver = receiver
        if self.isInactive { self.tellClosed() }
    }

    func write(_ datagram: ByteBuffer) {
        if let ended = self.run.append(datagram, to: self.peer) { self.send(ended) }
    }

    func flush() {
        if let ended = self.run.take() { self.send(ended) }
        self.context?.flush()
    }

    private func send(_ datagrams: AddressedEnvelope<ByteBuffer>) {
        self.context?.write(self.wrapOutboundOut(datagrams), promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard envelope.remoteAddress == self.peer else { return }
        DatagramRun.forEachDatagram(in: envelope) { self.receiver?.datagramReceived($0.data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.receiver?.datagramReadComplete() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of a datagram, not of the link: if the socket is done for, NIO closes the channel by itself.
        self.cause = error
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        self.isInactive = true
        self.tellClosed()
    }

    private func tellClosed() {
        // Taken out first: it hears of the end once, and the circle of references is cut.
        guard let receiver = self.receiver else { return }
        self.receiver = nil
        receiver.linkClosed(self.cause)
    }
}
