//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
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
                try channel.pipeline.syncOperations.addHandler(handler)
                return UDPLink(channel: channel, handler: handler, peer: peer, description: "\(address):\(port)")
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

    private init(channel: any Channel, handler: UDPLinkHandler, peer: SocketAddress, description: String) {
        self.channel = channel
        self.eventLoop = channel.eventLoop
        self.handler = handler
        self.peer = peer
        self.linkDescription = description
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
    /// Datagrams of one size, one after the other, that are to leave together: the kernel then goes through its layers once
    /// for all of them (UDP segmentation offload), and cuts them apart at the end. It makes sending twice as cheap.
    private var run: (bytes: ByteBuffer, size: Int)?
    private var runCount = 0
    /// On loopback only, where the board is a program that is faster than a socket. Some other devices (tunnels) refuse such a
    /// send with EIO, upon which NIO closes the channel; and a board of silicon is slower than any way of sending to it.
    private let joins: Bool
    /// The kernel's limits are 64 datagrams and 65,507 bytes.
    private static func mostInRun(of size: Int) -> Int { min(32, 60_000 / size) }

    init(peer: SocketAddress, joins: Bool) {
        self.peer = peer
        self.joins = joins
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.receiver = receiver
        if self.isInactive { self.tellClosed() }
    }

    func write(_ datagram: ByteBuffer) {
        guard self.joins, datagram.readableBytes > 0 else {
            self.endRun()
            return self.send(datagram)
        }
        // Not bound to a name: a second reference to the bytes would have them copied for each datagram.
        if self.run?.size == datagram.readableBytes, self.runCount < UDPLinkHandler.mostInRun(of: datagram.readableBytes) {
            self.run?.bytes.writeImmutableBuffer(datagram)
            self.runCount += 1
            return
        }
        self.endRun()
        self.run = (datagram, datagram.readableBytes)
        self.runCount = 1
    }

    func flush() {
        self.endRun()
        self.context?.flush()
    }

    private func send(_ datagram: ByteBuffer) {
        guard let context = self.context else { return }
        context.write(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.peer, data: datagram)), promise: nil)
    }

    private func endRun() {
        guard let run = self.run else { return }
        self.run = nil
        guard self.runCount > 1 else { return self.send(run.bytes) }
        guard let context = self.context else { return }
        let metadata = AddressedEnvelope<ByteBuffer>.Metadata(
            ecnState: .transportNotCapable, packetInfo: nil, segmentSize: run.size)
        context.write(
            self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.peer, data: run.bytes, metadata: metadata)),
            promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard envelope.remoteAddress == self.peer else { return }
        self.receiver?.datagramReceived(envelope.data)
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
