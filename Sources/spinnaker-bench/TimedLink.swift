//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink

/// A link that notes how long each SCP request waited for its reply, and is otherwise the link it stands before.
///
/// Reason for unchecked: like every ``DatagramLink``, its state is touched on its event loop only.
final class TimedLink: DatagramLink, DatagramReceiver, @unchecked Sendable {
    private let inner: any DatagramLink
    private var receiver: (any DatagramReceiver)?
    /// By sequence number; 0: not out.
    private var sentAt = [UInt64](repeating: 0, count: 65536)
    private(set) var latencies: [UInt64] = []

    init(_ inner: any DatagramLink) {
        self.inner = inner
        self.latencies.reserveCapacity(1 << 18)
    }

    var eventLoop: any EventLoop { self.inner.eventLoop }
    var linkDescription: String { self.inner.linkDescription }

    func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.receiver = receiver
        self.inner.setReceiver(receiver == nil ? nil : self)
    }

    func write(_ datagram: ByteBuffer) {
        if let sequence = self.sequence(of: datagram) {
            self.sentAt[sequence] = NIODeadline.now().uptimeNanoseconds
        }
        self.inner.write(datagram)
    }

    func flush() { self.inner.flush() }
    func close() { self.inner.close() }
    var replyWatch: ReplyWatch { self.inner.replyWatch }
    func watch(for time: TimeAmount) { self.inner.watch(for: time) }

    func datagramReceived(_ datagram: ByteBuffer) {
        if let sequence = self.sequence(of: datagram), self.sentAt[sequence] != 0 {
            self.latencies.append(NIODeadline.now().uptimeNanoseconds - self.sentAt[sequence])
            self.sentAt[sequence] = 0
        }
        self.receiver?.datagramReceived(datagram)
    }

    func datagramReadComplete() { self.receiver?.datagramReadComplete() }
    func linkClosed(_ error: (any Error)?) { self.receiver?.linkClosed(error) }

    /// Takes what was noted so far.
    func drain() async throws -> [UInt64] {
        try await self.eventLoop.submit {
            defer { self.latencies.removeAll(keepingCapacity: true) }
            return self.latencies
        }.get()
    }

    /// Bytes 12 and 13 of a datagram: an SCP sequence number.
    private func sequence(of datagram: ByteBuffer) -> Int? {
        datagram.getInteger(at: datagram.readerIndex + 12, endianness: .little, as: UInt16.self).map { Int($0) }
    }
}
