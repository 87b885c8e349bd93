//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import DequeModule
import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// One channel of the proxy at the client's end, whichever of the two kinds. It keeps its identity when the websocket is
/// lost and found again.
final class ProxyPort {
    typealias ID = ProxyClientMachine<ProxyPort, EventLoopPromise<Void>>.PortID

    let description: String
    private let queueLimit: Int
    /// nil before the first OPEN is sent.
    var id: ID?
    /// nil while there is no websocket, or the channel is not open on it yet.
    private(set) var channel: UInt32?
    private(set) var local: (address: IPv4Address, port: UInt32)?
    var onMove: ((IPv4Address, UInt32) -> Void)?
    private var receiver: (any DatagramReceiver)?
    /// Come before there was a receiver.
    private var early: Deque<ByteBuffer> = []
    private var ending: Optional<(any Error)?> = nil
    /// Has received in this read and is to hear of its end.
    var isInRead = false
    /// Datagrams that came while nobody took them and the queue was full.
    private(set) var droppedIncoming = 0
    /// Datagrams that could not be sent: no websocket, no channel, or a websocket that takes no more.
    var droppedOutgoing = 0

    init(description: String, queueLimit: Int) {
        self.description = description
        self.queueLimit = queueLimit
    }

    var isEnded: Bool { self.ending != nil }

    func opened(channel: UInt32, local: (address: IPv4Address, port: UInt32)?) {
        let before = self.local
        self.channel = channel
        self.local = local
        if let local, let before, local != before { self.onMove?(local.address, local.port) }
    }

    func detached() { self.channel = nil }

    func deliver(_ datagram: ByteBuffer) {
        guard self.ending == nil else { return }
        if let receiver = self.receiver {
            receiver.datagramReceived(datagram)
        } else if self.early.count < self.queueLimit {
            self.early.append(datagram)
        } else {
            self.droppedIncoming += 1
        }
    }

    func readComplete() {
        self.isInRead = false
        self.receiver?.datagramReadComplete()
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.receiver = receiver
        guard receiver != nil else { return }
        if !self.early.isEmpty {
            while let datagram = self.early.popFirst() { self.receiver?.datagramReceived(datagram) }
            self.receiver?.datagramReadComplete()
        }
        if let ending = self.ending { self.tell(ending) }
    }

    /// nil: somebody here closed it.
    func end(_ error: (any Error)?) {
        guard self.ending == nil else { return }
        self.channel = nil
        self.ending = .some(error)
        self.tell(error)
    }

    private func tell(_ error: (any Error)?) {
        guard let receiver = self.receiver else { return }
        // It hears of the end once, and the circle of references is cut.
        self.receiver = nil
        self.onMove = nil
        receiver.linkClosed(error)
    }
}

@available(*, unavailable)
extension ProxyPort: Sendable {}
