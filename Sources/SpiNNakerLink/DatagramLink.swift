//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A path for datagrams to one port of one board: straight UDP, a channel of the websocket proxy, or memory.
///
/// Everything here happens on ``eventLoop``; that is what lets a request go from a pipeline to the socket, and its reply
/// back, without a lock or a hop. A datagram is whole or not at all; it may be lost, doubled or late.
public protocol DatagramLink: AnyObject, Sendable {
    var eventLoop: any EventLoop { get }
    /// For errors and logs: `127.1.0.9:17893`, or `job 7 (0, 0):17893 by proxy`.
    var linkDescription: String { get }
    /// Who gets what arrives. There is one at a time; a datagram without a receiver is dropped.
    func setReceiver(_ receiver: (any DatagramReceiver)?)
    /// Queues a datagram. Nothing need leave before ``flush()``.
    func write(_ datagram: ByteBuffer)
    /// Sends what was queued, together.
    func flush()
    /// Ends the link; the receiver hears of it once.
    func close()
    /// How eagerly a reply may be waited for here: see ``ReplyWatch``.
    var replyWatch: ReplyWatch { get }
    /// Once what was flushed has left, the link's socket is looked at for up to `time` before the event loop sleeps. Only called
    /// when ``replyWatch`` allows it.
    func watch(for time: TimeAmount)
}

extension DatagramLink {
    public var replyWatch: ReplyWatch { .never }
    public func watch(for time: TimeAmount) {}
}

/// When a link's socket is looked at again and again for the next reply, instead of sleeping until the kernel says so.
///
/// To sleep and be woken takes 20 to 50 µs where a processor is put to rest meanwhile, as most virtual ones are: on loopback that is
/// longer than the board takes to answer. It costs the processor that would have rested, so only what is expected at once is waited
/// for so.
public enum ReplyWatch: Sendable {
    /// The peer is a network away, or there is no socket.
    case never
    /// For a request that is alone under way, whose caller waits for nothing else. Several share one wake-up.
    case forLoneRequest
    /// Whatever the window is.
    case always
}

/// The other end of a ``DatagramLink``: called on its event loop.
public protocol DatagramReceiver: AnyObject {
    func datagramReceived(_ datagram: ByteBuffer)
    /// The datagrams that had come together have all been handed over: the moment to flush answers.
    func datagramReadComplete()
    /// No datagram comes or goes any more. nil: somebody here closed the link.
    func linkClosed(_ error: (any Error)?)
}
