//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerMachine
import VirtualSpiNNaker

/// Makes the machine's UDP sockets.
enum DatagramSockets {
    /// How many datagrams one system call reads. The buffer is 2 KiB for each: with less, NIO cuts datagrams short and says
    /// nothing.
    enum Depth: Int {
        /// Where hosts send as fast as they can.
        case deep = 16
        /// Boot ROMs and BMPs: a handful of packets in a machine's life, thousands of sockets.
        case shallow = 2
    }

    static func bind(
        core: NIOLoopBound<HostCore>, endpoint: MachineEndpoint, address: IPv4Address, port: UInt16, depth: Depth
    ) -> EventLoopFuture<any Channel> {
        let eventLoop = core.value.eventLoop
        return DatagramBootstrap(group: eventLoop)
            // Boot ROMs say HELLO to everybody.
            .channelOption(.socketOption(.so_broadcast), value: 1)
            // One vector a turn, then the answers leave: whoever waits for them works while we read on.
            .channelOption(.maxMessagesPerRead, value: UInt(depth == .deep ? 1 : 16))
            .channelOption(.datagramVectorReadMessageCount, value: depth.rawValue)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: depth.rawValue * 2048))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        MachineSocketHandler(core: core.value, endpoint: endpoint, port: port))
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

    init(core: HostCore, endpoint: MachineEndpoint, port: UInt16) {
        self.core = core
        self.endpoint = endpoint
        self.port = port
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.core.received(self.unwrapInboundIn(data), endpoint: self.endpoint, port: self.port, context: context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        self.core.flush()
    }

    /// A host that has gone away shows as an error (ICMP port unreachable). Boards do not mind.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
