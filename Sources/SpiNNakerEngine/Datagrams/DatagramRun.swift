//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Datagrams of one size to one address, laid one after the other, that leave as one: the kernel goes through its layers once for all of
/// them and cuts them apart at the end (UDP segmentation offload), or hands them over in one piece to a socket that asked for that (receive
/// offload, see ``forEachDatagram(in:_:)``). It makes a datagram several times as cheap.
///
/// Only for loopback, where the board is a program that is faster than a socket. Some other devices (tunnels) refuse such a send with
/// EIO, upon which NIO closes the channel; and a board of silicon is slower than any way of sending to it.
package struct DatagramRun {
    /// The kernel's limit is 64 datagrams.
    static let mostDatagrams = 32
    /// What a socket that asked for receive offload must have room for; of more than that the rest would be cut off.
    package static let mostBytes = 8192

    private let joins: Bool
    private var count = 0
    private var size = 0
    private var address: SocketAddress?
    /// The first datagram, as it came: many a run has no second.
    private var first = ByteBuffer()
    /// All of them, once there are two. The memory is used again and again.
    private var joined = ByteBuffer()

    /// - Parameter joins: false: every datagram leaves by itself.
    package init(joins: Bool) {
        self.joins = joins
    }

    package var isEmpty: Bool { self.count == 0 }

    /// Takes a datagram.
    ///
    /// - Returns: what has to be written first, as this one does not go with it; nil: nothing.
    package mutating func append(_ datagram: ByteBuffer, to address: SocketAddress) -> AddressedEnvelope<ByteBuffer>? {
        let size = datagram.readableBytes
        if self.count > 0, self.joins, size == self.size, size > 0, self.count < DatagramRun.mostDatagrams,
            (self.count + 1) * size <= DatagramRun.mostBytes, self.address == address
        {
            if self.count == 1 {
                self.joined.clear()
                self.joined.writeImmutableBuffer(self.first)
                self.first = ByteBuffer()
            }
            self.joined.writeImmutableBuffer(datagram)
            self.count += 1
            return nil
        }
        let ended = self.take()
        self.first = datagram
        self.size = size
        self.address = address
        self.count = 1
        return ended
    }

    /// What is left to be written. Afterwards the run is empty.
    package mutating func take() -> AddressedEnvelope<ByteBuffer>? {
        guard let address = self.address, self.count > 0 else { return nil }
        defer {
            self.count = 0
            self.first = ByteBuffer()
        }
        guard self.count > 1 else { return AddressedEnvelope(remoteAddress: address, data: self.first) }
        return AddressedEnvelope(
            remoteAddress: address, data: self.joined,
            metadata: .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: self.size))
    }

    /// The datagrams of what one read brought: one, unless the socket asked for receive offload. The last may be shorter than the rest.
    @inline(__always)
    package static func forEachDatagram(
        in envelope: AddressedEnvelope<ByteBuffer>, _ body: (AddressedEnvelope<ByteBuffer>) -> Void
    ) {
        guard let size = envelope.metadata?.segmentSize, size > 0, size < envelope.data.readableBytes else {
            return body(envelope)
        }
        var rest = envelope.data
        while let datagram = rest.readSlice(length: min(size, rest.readableBytes)), datagram.readableBytes > 0 {
            body(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: datagram))
        }
    }
}
