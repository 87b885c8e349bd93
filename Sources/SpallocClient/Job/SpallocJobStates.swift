//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI

/// The states of a job: the present one, then each change, without repetition; ends after `destroyed`.
///
/// It asks by long-poll, so that a change shows at once. A state that was passed through between two answers is not seen.
/// Failures of the network or the service are bridged by repetition (``SpallocClientConfiguration/retries``), then thrown.
public struct SpallocJobStates: AsyncSequence, Sendable {
    public typealias Element = JobState
    public typealias Failure = SpallocError

    let job: SpallocJob
    /// Waiting longer than this throws ``SpallocError/Code/timeout``.
    var deadline: ContinuousClock.Instant?

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let job: SpallocJob
        private let deadline: ContinuousClock.Instant?
        /// The last answer in full.
        private(set) var details: JobDescription?
        private var quickAnswers = 0

        init(job: SpallocJob, deadline: ContinuousClock.Instant?) {
            self.job = job
            self.deadline = deadline
        }

        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SpallocError) -> JobState? {
            if self.details?.state == .destroyed { return nil }
            let old = self.details?.state
            var failures = 0
            while true {
                let asked = ContinuousClock.now
                do throws(SpallocError) {
                    let answer = try await self.ask(wait: old != nil && failures == 0)
                    failures = 0
                    self.details = answer
                    if answer.state != old {
                        self.quickAnswers = 0
                        return answer.state
                    }
                    try await self.pause(after: asked)
                } catch {
                    let retries = self.job.session.configuration.retries
                    guard error.isTransient, failures < retries.attempts, !self.isLate else { throw error }
                    try await self.sleep(retries.delay(failures, jitter: .random(in: 0...1)))
                    failures += 1
                }
            }
        }

        private func ask(wait: Bool) async throws(SpallocError) -> JobDescription {
            let configuration = self.job.session.configuration
            var timeout = wait ? configuration.longPollTimeout : configuration.requestTimeout
            if let deadline = self.deadline {
                let left = deadline - ContinuousClock.now
                guard left > .zero else { throw self.late() }
                timeout = Swift.min(timeout, left)
            }
            do throws(SpallocError) {
                return try await self.job.inJob { () async throws(SpallocError) in
                    try await self.job.session.json(
                        self.job.url, query: [(SpallocHTTP.wait, wait ? "true" : "false")], timeout: timeout)
                }
            } catch {
                if error.code == .timeout, self.isLate { throw self.late() }
                throw error
            }
        }

        /// A service that answers a waiting call at once, and with nothing new, must not be asked in a tight loop.
        private mutating func pause(after asked: ContinuousClock.Instant) async throws(SpallocError) {
            guard ContinuousClock.now - asked < .milliseconds(500) else {
                self.quickAnswers = 0
                return
            }
            let delay = SpallocClientConfiguration.Backoff(first: .milliseconds(10), longest: .seconds(2), attempts: .max)
                .delay(self.quickAnswers, jitter: 0)
            self.quickAnswers += 1
            try await self.sleep(delay)
        }

        private func sleep(_ delay: Duration) async throws(SpallocError) {
            let end = ContinuousClock.now + delay
            do {
                try await ContinuousClock().sleep(until: self.deadline.map { Swift.min($0, end) } ?? end)
            } catch {
                throw SpallocError(.cancelled, "cancelled while waiting", job: self.job.id, underlying: error)
            }
        }

        private var isLate: Bool { self.deadline.map { ContinuousClock.now >= $0 } ?? false }

        private func late() -> SpallocError {
            SpallocError(
                .timeout, "it is still \(self.details?.state.rawValue ?? "without an answer")", url: self.job.url,
                job: self.job.id)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(job: self.job, deadline: self.deadline) }
}

extension SpallocJob {
    /// The present state, then every change.
    public var states: SpallocJobStates { SpallocJobStates(job: self) }

    /// The state once it is another than `old`; at once when it already is.
    /// - Throws: ``SpallocError/Code/timeout``.
    public func waitForChange(from old: JobState, timeout: Duration) async throws(SpallocError) -> JobState {
        guard old != .destroyed else { return .destroyed }
        var states = SpallocJobStates(job: self, deadline: .now + timeout).makeAsyncIterator()
        while let state = try await states.next(isolation: #isolation) {
            if state != old { return state }
        }
        return .destroyed
    }

    /// Waits until the job has its boards, and their power is as wanted.
    /// - Parameters:
    ///   - timeout: for the queue and the switching together. 300 s is what the Python tools wait in the queue.
    ///   - onChange: hears each state that is seen.
    /// - Throws: ``SpallocError/Code/queueTimeout`` or ``SpallocError/Code/timeout`` when time is up while it is queued or
    ///   being switched on; ``SpallocError/Code/jobDestroyed``, with the service's reason, when the job ends instead.
    public func waitUntilReady(
        timeout: Duration = .seconds(300), onChange: (JobState) -> Void
    ) async throws(SpallocError) {
        var states = SpallocJobStates(job: self, deadline: .now + timeout).makeAsyncIterator()
        do throws(SpallocError) {
            while let state = try await states.next(isolation: #isolation) {
                onChange(state)
                if state == .ready { return }
            }
        } catch {
            guard error.code == .timeout, let state = states.details?.state else { throw error }
            throw SpallocError(
                state == .queued ? .queueTimeout : .timeout,
                state == .queued ? "no boards came free within \(timeout)" : "it was not READY within \(timeout), but \(state)",
                url: self.url, job: self.id, underlying: error)
        }
        throw states.details.map { self.destroyedError($0) }
            ?? SpallocError(.jobDestroyed, "the job is over", url: self.url, job: self.id)
    }
}
