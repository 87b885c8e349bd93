//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// How long an answer usually takes, and so after how long its absence means a loss. The rule is TCP's (RFC 6298).
@usableFromInline
struct RoundTripEstimate {
    @usableFromInline var smoothed: Int64 = 0
    @usableFromInline var variation: Int64 = 0
    @usableFromInline var hasSample = false

    @inlinable init() {}

    @inlinable
    mutating func add(_ sample: TimeAmount) {
        let sample = max(0, sample.nanoseconds)
        if self.hasSample {
            self.variation += (abs(self.smoothed - sample) - self.variation) / 4
            self.smoothed += (sample - self.smoothed) / 8
        } else {
            self.hasSample = true
            self.smoothed = sample
            self.variation = sample / 2
        }
    }

    /// `floor`...`ceiling`; `ceiling` while nothing is known.
    @inlinable
    func interval(floor: TimeAmount, ceiling: TimeAmount) -> TimeAmount {
        guard self.hasSample else { return ceiling }
        return .nanoseconds(min(ceiling.nanoseconds, max(floor.nanoseconds, self.smoothed + 4 * self.variation)))
    }
}
