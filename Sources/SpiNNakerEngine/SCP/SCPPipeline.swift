//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import DequeModule
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// The requests that one connection has under way: window, sequence numbers, deadlines, retries.
///
/// It has neither clock nor socket. Each event comes with its time; what follows from it is returned:
///
/// - ``start(_:to:policy:token:now:)`` takes a request when there is ``hasRoom``, and returns the datagram to send;
/// - ``received(_:now:)`` says what a datagram means: a request is complete, has failed, will be retried; or nothing;
/// - ``poll(now:)`` is asked, after each event and at ``nextDeadline``, until it returns nil: retransmissions and failures;
/// - ``cancel(where:)`` and ``close()`` hand the tokens back.
///
/// Every token that goes in comes out once.
///
/// A request is in one of three states.
/// *Sent*: on the wire, counts in the window, has a deadline. Leaves by a reply, or at its deadline to *due* or failure.
/// *Waiting*: the far side said "not now". It costs no place in the window, so one busy chip does not hold up the others;
/// but together there are at most twice as many requests as the window has places. Leaves at its deadline to *due*, or by
/// a late good reply.
/// *Due*: to be sent again as soon as the window has a place; before any new request.
///
/// Illegal events are of three kinds. *Unreachable*, our own mistake: `start` without room returns nil and takes nothing.
/// *Protocol error*, the far side's: an unknown result code fails the one request that it answers. *Silent drop*, legal on
/// a lossy wire: see ``SCPDrop``. Nothing that arrives can trap.
package struct SCPPipeline: ~Copyable {
    /// What a datagram led to.
    package enum Received {
        /// RC_OK, or the policy's last resort. Whether the payload is as long as the command needs, its decoder says:
        /// firmware can report a refusal as RC_OK with nothing behind it.
        case complete(SCPToken, SCPReply, attempts: Int)
        case fail(SCPToken, SCPFailure)
        /// "Not now": the request is sent again later.
        case retryLater
        case drop(SCPDrop)
    }

    /// What the passing of time leads to.
    package enum Action {
        case transmit(ByteBuffer)
        case fail(SCPToken, SCPFailure)
    }

    @usableFromInline
    enum State: UInt8 { case free, sent, waiting, due }

    @usableFromInline
    struct Slot {
        @usableFromInline var state: State = .free
        @usableFromInline var resendsEarly = false
        @usableFromInline var sequence: UInt16 = 0
        @usableFromInline var chip: ChipID = .origin
        /// Neighbours in the list of sent requests, by time of transmission; -1 at its ends.
        @usableFromInline var previous: Int32 = -1
        @usableFromInline var next: Int32 = -1
        @usableFromInline var attempts: Int32 = 0
        @usableFromInline var timeouts: Int32 = 0
        @usableFromInline var retriesLeft: Int32 = 0
        @usableFromInline var lastResult: SCPResult?
        @usableFromInline var failureWithReply: SCPResult?
        /// Which transmission of the connection the last one was.
        @usableFromInline var order: UInt64 = 0
        @usableFromInline var sentAt: NIODeadline = .uptimeNanoseconds(0)
        @usableFromInline var deadline: NIODeadline = .uptimeNanoseconds(0)
        /// What the next transmission waits for a reply.
        @usableFromInline var interval: TimeAmount = .zero
        @usableFromInline var timeout: TimeAmount = .zero
        @usableFromInline var retryDelay: TimeAmount = .zero
        @usableFromInline var datagram = ByteBuffer()
        @usableFromInline var token: SCPToken?
        @inlinable init() {}
    }

    package let configuration: SCPPipelineConfiguration
    @usableFromInline package internal(set) var isClosed = false
    @usableFromInline package var statistics = SCPStatistics()

    /// A request with sequence number s lives in slot s mod the number of slots, a power of two that is at least four
    /// times the window. A number whose slot is taken is passed over: so a reply finds its request without a search.
    @usableFromInline var slots: [Slot]
    @usableFromInline let mask: Int
    @usableFromInline var nextSequence: UInt16
    @usableFromInline var quarantine = SequenceQuarantine()
    @usableFromInline var roundTrip = RoundTripEstimate()
    @usableFromInline var watchRecord = ReplyWatchRecord()

    /// Requests on the wire.
    @usableFromInline package internal(set) var inFlight = 0
    /// All requests here.
    @usableFromInline package internal(set) var count = 0
    @usableFromInline var oldest: Int32 = -1
    @usableFromInline var newest: Int32 = -1
    @usableFromInline var transmissions: UInt64 = 0
    /// Sequence numbers; an entry whose slot has moved on is stale and skipped.
    @usableFromInline var waiting: Deque<UInt16> = []
    @usableFromInline var due: Deque<UInt16> = []
    @usableFromInline var failures: Deque<(SCPToken, SCPFailure)> = []
    /// No deadline is earlier. It may be earlier than all, once the request that it was for is answered; that costs one
    /// idle wake-up a second and saves a search per packet.
    @usableFromInline var earliest: NIODeadline = .distantFuture
    /// Buffers to encode into. By the time a reply is here the socket has let go of the datagram.
    @usableFromInline var spare: [ByteBuffer] = []

    package init(configuration: SCPPipelineConfiguration = SCPPipelineConfiguration()) {
        var configuration = configuration
        configuration.window = min(max(1, configuration.window), 4096)
        self.configuration = configuration
        var slots = 16
        while slots < 4 * configuration.window { slots *= 2 }
        self.slots = Array(repeating: Slot(), count: slots)
        self.mask = slots - 1
        self.nextSequence = configuration.firstSequence
        self.spare.reserveCapacity(configuration.window)
    }

    /// Whether a request may start now.
    @inlinable
    package var hasRoom: Bool {
        self.inFlight < self.configuration.window && self.count < 2 * self.configuration.window && !self.isClosed
    }

    /// How long the next reply is to be watched for, from now on; nil: not at all. It takes longer than a thread takes to wake up, or
    /// nobody knows yet how long it takes, or it was watched for in vain.
    @inlinable
    package mutating func watchForReply(now: NIODeadline) -> TimeAmount? {
        guard self.inFlight > 0, !self.watchRecord.isPaused, self.roundTrip.hasSample,
            self.roundTrip.smoothed <= self.configuration.longestWatchedRoundTrip.nanoseconds
        else { return nil }
        let time = self.roundTrip.interval(floor: .zero, ceiling: self.configuration.longestWatchedRoundTrip)
        self.watchRecord.began(until: now + time)
        return time
    }

    /// When ``poll(now:)`` is to be asked at the latest; nil: no event but a reply matters.
    @inlinable
    package var nextDeadline: NIODeadline? {
        self.earliest == .distantFuture ? nil : self.earliest
    }
}
