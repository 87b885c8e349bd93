//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import VirtualSpiNNaker

/// One end of a ``LossyPair``: something that takes datagrams and time, and gives datagrams.
public protocol DatagramEndpoint: AnyObject {
    /// A datagram has arrived. Answers go to `send`.
    func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void)
    /// When it wants ``advance(to:send:)`` next; nil: it waits for datagrams only.
    var nextDeadline: NIODeadline? { get }
    /// The time is `now`: deadlines up to it have passed.
    func advance(to now: NIODeadline, send: (ByteBuffer) -> Void)
}

/// Two endpoints, the network between them and the clock of both. No time passes but what events need: ten virtual
/// seconds of retries take microseconds, and a seed repeats them exactly.
public final class LossyPair<Left: DatagramEndpoint, Right: DatagramEndpoint> {
    public let left: Left
    public let right: Right
    public private(set) var now: NIODeadline
    /// From left to right.
    public var outward: DatagramPath
    /// From right to left.
    public var homeward: DatagramPath

    /// - Parameter start: not 0, so that "a second ago" can be said.
    public init(
        left: Left, right: Right, seed: UInt64, faults: NetworkFaults = .none,
        start: NIODeadline = .uptimeNanoseconds(1_000_000_000)
    ) {
        self.left = left
        self.right = right
        self.now = start
        self.outward = DatagramPath(seed: seed, faults: faults)
        self.homeward = DatagramPath(seed: seed ^ 0x5DEE_CE66_D5DE_ECE6, faults: faults)
    }

    /// Lets the left end act outside an event, as a caller that submits requests does: `body` gets the time and `send`.
    public func withLeft(_ body: (Left, NIODeadline, (ByteBuffer) -> Void) throws -> Void) rethrows {
        try body(self.left, self.now) { self.outward.send($0, at: self.now) }
    }

    /// The time of the next event; nil when neither end nor the network has anything to do.
    public var nextEvent: NIODeadline? {
        var next: NIODeadline?
        for candidate in [
            self.outward.nextArrival, self.homeward.nextArrival, self.left.nextDeadline, self.right.nextDeadline,
        ] {
            guard let candidate else { continue }
            next = next.map { min($0, candidate) } ?? candidate
        }
        return next.map { max($0, self.now) }
    }

    /// Goes to the next event and does all that is due then.
    /// - Returns: false when nothing is left to happen.
    @discardableResult
    public func step() -> Bool {
        guard let next = self.nextEvent else { return false }
        self.now = next
        self.settle()
        return true
    }

    /// Steps until `condition` holds.
    /// - Returns: whether it does; false when the limit of virtual time or the last event came first.
    public func run(atMost limit: TimeAmount = .seconds(60), until condition: () -> Bool) -> Bool {
        let end = self.now + limit
        while !condition() {
            guard let next = self.nextEvent, next <= end else { return false }
            self.now = next
            self.settle()
        }
        return true
    }

    /// Lets exactly this much time pass.
    public func advance(by amount: TimeAmount) {
        let end = self.now + amount
        while let next = self.nextEvent, next <= end {
            self.now = next
            self.settle()
        }
        self.now = end
    }

    private func settle() {
        while let datagram = self.outward.receive(at: self.now) {
            self.right.receive(datagram, now: self.now) { self.homeward.send($0, at: self.now) }
        }
        while let datagram = self.homeward.receive(at: self.now) {
            self.left.receive(datagram, now: self.now) { self.outward.send($0, at: self.now) }
        }
        if let deadline = self.left.nextDeadline, deadline <= self.now {
            self.left.advance(to: self.now) { self.outward.send($0, at: self.now) }
        }
        if let deadline = self.right.nextDeadline, deadline <= self.now {
            self.right.advance(to: self.now) { self.homeward.send($0, at: self.now) }
        }
    }
}
