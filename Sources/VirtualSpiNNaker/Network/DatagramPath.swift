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
        guard !self.random.chance(self.faults.drop) else {
            self.dropped += 1
            return
        }
        self.launch(datagram, at: now)
        if self.random.chance(self.faults.duplicate) {
            self.duplicated += 1
            self.launch(datagram, at: now)
        }
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

    private mutating func launch(_ datagram: ByteBuffer, at now: NIODeadline) {
        var delay = self.faults.latency
        if self.faults.jitter > .zero {
            delay = delay + .nanoseconds(Int64.random(in: 0...self.faults.jitter.nanoseconds, using: &self.random))
        }
        if self.random.chance(self.faults.reorder) { delay = delay + self.faults.reorderDelay }
        var datagram = datagram
        if datagram.readableBytes > 0, self.random.chance(self.faults.corrupt) {
            let index = datagram.readerIndex + Int.random(in: 0..<datagram.readableBytes, using: &self.random)
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &self.random)
            let byte: UInt8 = datagram.getInteger(at: index) ?? 0
            datagram.setInteger(byte ^ bit, at: index)
        }
        self.order += 1
        let arrival = now + delay
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
