//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A clock that stands still until it is told to move: the `now` of whatever takes its time as a value.
public struct ManualClock: Sendable {
    public private(set) var now: NIODeadline

    public init(now: NIODeadline = .uptimeNanoseconds(1_000_000_000)) { self.now = now }

    public mutating func advance(by amount: TimeAmount) { self.now = self.now + amount }

    /// Never backwards.
    public mutating func advance(to instant: NIODeadline) { self.now = max(self.now, instant) }
}
