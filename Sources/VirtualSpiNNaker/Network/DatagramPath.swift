//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// One direction of a network: datagrams go in with the time, and come out later, or not, or twice. Which, the seed says.
///
/// A value without a clock: whoever drives it asks for ``nextArrival`` and takes what is due.
public struct DatagramPath: Sendable {
    public var faults: NetworkFaults
    public private(set) var sent = 0
    public private(set) var dropped = 0
    public private(set) var duplicated = 0
    public private(set) var delivered = 0

    private var random: SeededGenerator
    private var order: UInt64 = 0
    /// Sorted by arrival, latest first, so that the next one is popped off the end.
    private var inFlight: [(arrival: NIODeadline, order: UInt64, datagram: ByteBuffer)] = []

    public init(seed: UInt64, faults: NetworkFaults = .none) {
        self.random = SeededGenerator(seed: seed)
        self.faults = faults
    }

    public mutating func send(_ datagram: ByteBuffer, at now: NIODeadline) {
        self.sent += 1
        let delays = self.faults.delays(ofDatagram: self.sent, using: &self.random)
        if delays.isEmpty { self.dropped += 1 }
        if delays.count > 1 { self.duplicated += 1 }
        for delay in delays { self.launch(self.faults.damaged(datagram, using: &self.random), arrival: now + delay) }
    }

    /// When the next datagram is due; nil when none is on its way.
    public var nextArrival: NIODeadline? { self.inFlight.last?.arrival }

    /// The next datagram due at or before `now`.
    public mutating func receive(at now: NIODeadline) -> ByteBuffer? {
        guard let next = self.inFlight.last, next.arrival <= now else { return nil }
        self.inFlight.removeLast()
        self.delivered += 1
        return next.datagram
    }

    private mutating func launch(_ datagram: ByteBuffer, arrival: NIODeadline) {
        self.order += 1
        let order = self.order
        // Equal arrivals keep the order of sending: the later one goes further from the end.
        var index = self.inFlight.count
        while index > 0 {
            let other = self.inFlight[index - 1]
            if other.arrival > arrival || (other.arrival == arrival && other.order > order) { break }
            index -= 1
        }
        self.inFlight.insert((arrival, order, datagram), at: index)
    }
}
