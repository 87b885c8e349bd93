//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct KeepaliveMachineTests {
    let start = ContinuousClock.now
    func at(_ seconds: Double) -> ContinuousClock.Instant { self.start + .seconds(seconds) }

    @Test func aBeatIsDueAtOnceAndThenEveryThird() {
        var machine = KeepaliveMachine(interval: .seconds(120), now: self.start)
        #expect(machine.nextBeat == self.start)
        #expect(machine.beatSucceeded(now: self.at(1)) == .none)
        #expect(machine.nextBeat == self.at(41))
    }

    @Test func failuresAreRepeatedWithDoublingWaits() {
        var machine = KeepaliveMachine(interval: .seconds(90), now: self.start)
        var waits: [Duration] = []
        for second in 1...7 {
            _ = machine.beatFailed(now: self.at(Double(second)), jitter: 0)
            waits.append(machine.nextBeat - self.at(Double(second)))
        }
        #expect(waits == [1, 2, 4, 8].map { .seconds($0) } + Array(repeating: .seconds(10), count: 3))
    }

    @Test func theAlarmComesAtHalfLifeOncePerEpisode() {
        var machine = KeepaliveMachine(interval: .seconds(120), now: self.start)
        _ = machine.beatSucceeded(now: self.at(10))
        #expect(machine.beatFailed(now: self.at(50), jitter: 0) == .none)
        #expect(machine.beatFailed(now: self.at(70), jitter: 0) == .reportRisk(deadline: self.at(130)))
        #expect(machine.beatFailed(now: self.at(80), jitter: 0) == .none)
        #expect(machine.beatFailed(now: self.at(130), jitter: 0) == .reportPresumedLoss)
        #expect(machine.beatFailed(now: self.at(200), jitter: 0) == .none)
        #expect(machine.beatSucceeded(now: self.at(210)) == .reportRecovery(after: .seconds(200)))
        #expect(machine.nextBeat == self.at(250))
        // A new episode, a new alarm.
        #expect(machine.beatFailed(now: self.at(271), jitter: 0) == .reportRisk(deadline: self.at(330)))
    }

    @Test func aJobThatIsGoneStaysGone() {
        var machine = KeepaliveMachine(interval: .seconds(30), now: self.start)
        machine.jobIsGone()
        #expect(machine.isOver)
        #expect(machine.deadline(now: self.start, most: .seconds(10)) == .seconds(5))
    }

    @Test func jitterTakesAtMostAQuarterOff() {
        let backoff = SpallocClientConfiguration.Backoff(first: .seconds(1), longest: .seconds(8), attempts: 9)
        #expect(backoff.delay(1, jitter: 1) == .seconds(1.5))
        #expect(backoff.delay(100, jitter: 0) == .seconds(8))
        #expect(backoff.delay(-1, jitter: -5) == .seconds(1))
    }
}
