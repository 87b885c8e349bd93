//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine

/// What every UDP socket of ours is set to.
package enum UDPSocket {
    /// Datagrams read by one system call.
    static let datagramsPerRead = 16
    /// NIO cuts one buffer into ``datagramsPerRead`` pieces and a longer datagram is cut off without a word. SpiNNaker's
    /// longest is 1042 bytes (boot).
    static let bytesPerDatagram = 2048
    /// The kernel's receive buffer: a full window of many boards. What the kernel does not grant is no error.
    static let receiveBufferSize = 1 << 20

    /// Datagrams that left their sender as one are read as one (``DatagramRun``). For loopback: from a network the kernel would make
    /// such a heap of many senders' datagrams, longer than there is room for.
    package static func takeRuns(_ channel: any Channel) throws {
        guard System.supportsUDPReceiveOffload, let options = channel.syncOptions else { return }
        let capacity = UDPSocket.datagramsPerRead * DatagramRun.mostBytes
        try options.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: capacity))
        try options.setOption(.datagramReceiveOffload, value: true)
        try options.setOption(.datagramReceiveSegmentSize, value: true)
    }

    /// - Parameter maximumDatagram: nil: ``bytesPerDatagram``, and many are read at once. A longer one is read alone.
    static func bootstrap(on eventLoop: any EventLoop, maximumDatagram: Int? = nil) -> DatagramBootstrap {
        let count = maximumDatagram == nil ? UDPSocket.datagramsPerRead : 1
        let size = maximumDatagram ?? UDPSocket.bytesPerDatagram
        return DatagramBootstrap(group: eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: count)
            // A second look for what may have come meanwhile costs a system call and mostly finds nothing; epoll tells of it anyway. And
            // looked for or not, what came is answered first: so host and board work at the same time instead of in turn.
            .channelOption(.maxMessagesPerRead, value: UInt(maximumDatagram == nil ? 1 : 4))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: count * size))
            .channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(UDPSocket.receiveBufferSize))
    }
}

extension IPv4Address {
    /// Whether it is in 127.0.0.0/8.
    package var isLoopback: Bool { self.value >> 24 == 127 }

    package func socketAddress(port: Int) throws -> SocketAddress {
        try SocketAddress(ipAddress: self.description, port: port)
    }
}

extension SocketAddress {
    /// nil unless it is of IPv4.
    package var ipv4: SpiNNakerMachine.IPv4Address? {
        guard self.protocol == .inet else { return nil }
        // `sockaddr_in`, on Linux as on Darwin: two bytes of family (and length), the port, then the address, big-endian.
        return self.withSockAddr { pointer, size in
            guard size >= 8 else { return nil }
            let raw = UnsafeRawPointer(pointer).loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            return .init(value: UInt32(bigEndian: raw))
        }
    }
}
