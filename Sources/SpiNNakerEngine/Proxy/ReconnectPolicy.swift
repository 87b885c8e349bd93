//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// When to try again after a websocket was lost, and when to stop trying.
package struct ReconnectPolicy: Hashable, Sendable {
    package var firstDelay: TimeAmount
    package var longestDelay: TimeAmount
    /// Counted from the loss.
    package var giveUpAfter: TimeAmount

    package init(
        firstDelay: TimeAmount = .milliseconds(100), longestDelay: TimeAmount = .seconds(10),
        giveUpAfter: TimeAmount = .minutes(2)
    ) {
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.giveUpAfter = giveUpAfter
    }

    /// How long to wait before an attempt, the first being 0; nil: no more. The delay doubles, and is drawn from its
    /// upper half so
    /// that the clients of a service that was restarted do not all come back in step.
    package func delay(
        attempt: Int, lostAt: NIODeadline, now: NIODeadline, using random: inout some RandomNumberGenerator
    ) -> TimeAmount? {
        guard now - lostAt < self.giveUpAfter else { return nil }
        let doubled = max(1, self.firstDelay.nanoseconds).multipliedReportingOverflow(by: 1 << Int64(min(max(attempt, 0), 40)))
        let longest = max(1, self.longestDelay.nanoseconds)
        let delay = doubled.overflow ? longest : min(longest, doubled.partialValue)
        return .nanoseconds(Int64.random(in: (delay - delay / 2)...delay, using: &random))
    }
}
