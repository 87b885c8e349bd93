//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Decides when a job must be told that its holder lives, and when to sound the alarm. No clock, no I/O.
///
/// *Beating*: a beat every third of the interval, so that two may fail before the job is in danger. A failed beat is
/// repeated after a wait that doubles from 1 s up to a ninth of the interval. *At risk*: half the interval has passed
/// since the last beat that got through; said once per episode, and so is the recovery. *Presumed lost*: the whole
/// interval has passed; said once, yet beats go on, since a service that was down may not have counted that time.
/// *Over*: the service says that the job is gone. Nothing leaves that state.
struct KeepaliveMachine: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Alarm: Hashable, Sendable {
        case none
        case atRisk
        case presumedLost
    }

    let interval: Duration
    private(set) var lastBeat: Instant
    private(set) var nextBeat: Instant
    private(set) var alarm: Alarm = .none
    private(set) var isOver = false
    private var failures = 0

    /// The job was just created, which counts as a beat; the first of ours is due at once all the same, to find out early
    /// whether beats get through.
    init(interval: Duration, now: Instant) {
        self.interval = interval
        self.lastBeat = now
        self.nextBeat = now
    }

    /// How long a beat may take: what is left until the job would be at risk, but some time always.
    func deadline(now: Instant, most: Duration) -> Duration { min(most, self.interval / 6) }

    enum BeatAction: Hashable, Sendable {
        case none
        /// It had been at risk for this long.
        case reportRecovery(after: Duration)
    }

    mutating func beatSucceeded(now: Instant) -> BeatAction {
        let wasAlarmed = self.alarm != .none
        let gap = now - self.lastBeat
        self.failures = 0
        self.alarm = .none
        self.lastBeat = now
        self.nextBeat = now + self.interval / 3
        return wasAlarmed ? .reportRecovery(after: gap) : .none
    }

    enum FailureAction: Hashable, Sendable {
        case none
        /// The job dies at `deadline` unless a beat gets through.
        case reportRisk(deadline: Instant)
        case reportPresumedLoss
    }

    /// - Parameter jitter: 0...1, see ``SpallocClientConfiguration/Backoff/delay(_:jitter:)``.
    mutating func beatFailed(now: Instant, jitter: Double) -> FailureAction {
        let backoff = SpallocClientConfiguration.Backoff(
            first: min(.seconds(1), self.interval / 9), longest: self.interval / 9, attempts: .max)
        self.nextBeat = now + backoff.delay(self.failures, jitter: jitter)
        self.failures += 1
        return self.checkAlarm(now: now)
    }

    private mutating func checkAlarm(now: Instant) -> FailureAction {
        let silence = now - self.lastBeat
        if silence >= self.interval, self.alarm != .presumedLost {
            self.alarm = .presumedLost
            return .reportPresumedLoss
        }
        if silence >= self.interval / 2, self.alarm == .none {
            self.alarm = .atRisk
            return .reportRisk(deadline: self.lastBeat + self.interval)
        }
        return .none
    }

    mutating func jobIsGone() { self.isOver = true }
}
