//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

@Suite struct ReconnectPolicyTests {
    private let policy = ReconnectPolicy(firstDelay: .milliseconds(100), longestDelay: .seconds(10), giveUpAfter: .minutes(2))
    private let lost = NIODeadline.uptimeNanoseconds(5_000_000_000)

    @Test func delaysDoubleUpToTheLongestAndAreSpread() throws {
        var random = SeededGenerator(seed: 1)
        for (attempt, longest) in [(0, 100), (1, 200), (2, 400), (6, 6400), (7, 10_000), (8, 10_000), (1000, 10_000)]
            as [(Int, Int64)]
        {
            var seen: Set<Int64> = []
            for _ in 0..<50 {
                let delay = try #require(
                    self.policy.delay(attempt: attempt, lostAt: self.lost, now: self.lost + .seconds(1), using: &random))
                #expect(delay >= .milliseconds(longest / 2) && delay <= .milliseconds(longest))
                seen.insert(delay.nanoseconds)
            }
            #expect(seen.count > 40)
        }
    }

    @Test func thereIsAnEnd() {
        var random = SeededGenerator(seed: 1)
        #expect(self.policy.delay(attempt: 3, lostAt: self.lost, now: self.lost + .seconds(119), using: &random) != nil)
        #expect(self.policy.delay(attempt: 3, lostAt: self.lost, now: self.lost + .seconds(120), using: &random) == nil)
    }

    @Test func strangeFiguresDoNotTrap() {
        var random = SeededGenerator(seed: 1)
        for first in [TimeAmount.nanoseconds(0), .nanoseconds(-5), .nanoseconds(.max)] {
            let policy = ReconnectPolicy(firstDelay: first, longestDelay: .nanoseconds(0), giveUpAfter: .hours(1))
            #expect(policy.delay(attempt: -1, lostAt: self.lost, now: self.lost, using: &random) != nil)
        }
    }
}
