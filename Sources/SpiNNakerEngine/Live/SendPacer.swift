//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// When datagrams may leave whose receiver has room for so many at a time, and no way to say that it is full.
///
/// After `burst` of them it waits for `pause`. Whoever sends takes places in the order of asking, so that the bound holds
/// for all senders together.
package struct SendPacer: Sendable {
    private let burst: Int
    private let pause: TimeAmount
    /// Places left of the burst under way.
    private var left: Int
    /// When the last one that has a place leaves.
    private var last: NIODeadline?

    package init(burst: Int, pause: TimeAmount) {
        self.burst = max(1, burst)
        self.pause = pause
        self.left = self.burst
    }

    /// Takes places for up to `count` datagrams that leave together.
    ///
    /// - Returns: how many, at least 1, and when.
    package mutating func reserve(_ count: Int, now: NIODeadline) -> (count: Int, at: NIODeadline) {
        var at = now
        if let last = self.last {
            let next = last + self.pause
            if self.left == 0 || now >= next {
                self.left = self.burst
                at = max(now, next)
            } else {
                at = max(now, last)
            }
        }
        let taken = min(max(1, count), self.left)
        self.left -= taken
        self.last = at
        return (taken, at)
    }
}
