//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine
import VirtualSpiNNaker

/// Makes the machine's UDP sockets.
enum DatagramSockets {
    /// How many datagrams one system call reads.
    enum Depth: Int {
        /// Where hosts send as fast as they can.
        case deep = 16
        /// Boot ROMs and BMPs: a handful of packets in a machine's life, thousands of sockets.
        case shallow = 2

        /// For each of them: with less, NIO cuts datagrams short and says nothing.
        func bytes(takesRuns: Bool) -> Int { takesRuns ? DatagramRun.mostBytes : 2048 }
    }

    static func bind(
        core: NIOLoopBound<HostCore>, endpoint: MachineEndpoint, address: IPv4Address, port: UInt16, depth: Depth
    ) -> EventLoopFuture<any Channel> {
        let eventLoop = core.value.eventLoop
        // Our own hosts send in runs, and so does the machine. What another host's kernel joined may be longer than there is room for.
        let isLoopback = address.value >> 24 == 127
        let takesRuns = isLoopback && depth == .deep && System.supportsUDPReceiveOffload
        let capacity = depth.rawValue * depth.bytes(takesRuns: takesRuns)
        return DatagramBootstrap(group: eventLoop)
            // Boot ROMs say HELLO to everybody.
            .channelOption(.socketOption(.so_broadcast), value: 1)
            // One vector a turn, then the answers leave: whoever waits for them works while we read on.
            .channelOption(.maxMessagesPerRead, value: UInt(depth == .deep ? 1 : 16))
            .channelOption(.datagramVectorReadMessageCount, value: depth.rawValue)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: capacity))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if takesRuns {
                        try channel.syncOptions?.setOption(.datagramReceiveOffload, value: true)
                        try channel.syncOptions?.setOption(.datagramReceiveSegmentSize, value: true)
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        MachineSocketHandler(
                            core: core.value, endpoint: endpoint, port: port,
                            joins: isLoopback && System.supportsUDPSegmentationOffload))
                }
            }
            .bind(host: address.description, port: Int(port))
            .flatMapErrorThrowing { error in
                if let error = error as? IOError, error.errnoCode == EADDRINUSE {
                    throw VirtualMachineHostError.addressInUse(endpoint, address, port: port)
                }
                throw VirtualMachineHostError.cannotBind(endpoint, address, port: port, reason: "\(error)")
            }
    }
}

/// One UDP socket of the machine.
///
/// All datagrams of one read are answered into the socket's buffer and flushed together: that is worth twice the throughput.
private final class MachineSocketHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let core: HostCore
    private let endpoint: MachineEndpoint
    private let port: UInt16
    /// The answers to what is being read.
    private var run: DatagramRun

    init(core: HostCore, endpoint: MachineEndpoint, port: UInt16, joins: Bool) {
        self.core = core
        self.endpoint = endpoint
        self.port = port
        self.run = DatagramRun(joins: joins)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        DatagramRun.forEachDatagram(in: self.unwrapInboundIn(data)) { datagram in
            self.core.received(datagram, endpoint: self.endpoint, port: self.port) { bytes, address in
                guard let ended = self.run.append(bytes, to: address) else { return }
                context.write(self.wrapOutboundOut(ended), promise: nil)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if let ended = self.run.take() { context.write(self.wrapOutboundOut(ended), promise: nil) }
        context.flush()
        self.core.flush()
    }

    /// A host that has gone away shows as an error (ICMP port unreachable). Boards do not mind.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
