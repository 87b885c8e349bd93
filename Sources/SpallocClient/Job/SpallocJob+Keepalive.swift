//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import SpallocAPI

extension SpallocJob {
    /// Keeps the job alive while `body` runs, in a child task that ends with it.
    ///
    /// Failed keepalives are repeated; ``events`` tells when that has gone on for half the interval, when it is over, and
    /// when the job is lost. After a loss every call on this job throws ``SpallocError/Code/jobDestroyed``.
    public func whileKeptAlive<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.beat() }
            defer {
                group.cancelAll()
                self.finishEvents()
            }
            return try await body()
        }
    }

    /// Sends keepalives until the job is gone or the task is cancelled.
    private func beat() async {
        let clock = ContinuousClock()
        var machine = KeepaliveMachine(interval: self.keepaliveInterval, now: clock.now)
        while !Task.isCancelled, !machine.isOver {
            // Cancelled: the loop's condition ends it.
            try? await clock.sleep(until: machine.nextBeat, tolerance: self.keepaliveInterval / 100)
            guard !Task.isCancelled else { return }
            do throws(SpallocError) {
                try await self.beatOnce(
                    timeout: machine.deadline(now: clock.now, most: self.session.configuration.requestTimeout))
                if case .reportRecovery(let gap) = machine.beatSucceeded(now: clock.now) {
                    self.log("keepalives get through again")
                    self.report(.recovered(after: gap))
                }
            } catch {
                guard !Task.isCancelled else { return }
                if error.code == .jobDestroyed || error.code == .notFound {
                    machine.jobIsGone()
                    self.markLost(error)
                    return
                }
                switch machine.beatFailed(now: clock.now, jitter: .random(in: 0...1)) {
                case .none:
                    self.log("a keepalive failed", error: error)
                case .reportRisk(let deadline):
                    self.log("the job is at risk: no keepalive got through for half its interval", error: error)
                    self.report(.atRisk(deadline: deadline, cause: error))
                case .reportPresumedLoss:
                    self.log("the job is probably lost: no keepalive got through for its interval", error: error)
                    self.report(.presumedLost(cause: error))
                }
            }
        }
    }

    /// A keepalive, and a look at the state: the service answers "ok" to the keepalive of a job that is over.
    private func beatOnce(timeout: Duration) async throws(SpallocError) {
        _ = try await self.session.put(self.url(SpallocJobPath.keepalive), text: "alive", timeout: timeout)
        let details: JobDescription = try await self.session.json(self.url, timeout: timeout)
        if details.state == .destroyed { throw self.destroyedError(details) }
    }

    func destroyedError(_ details: JobDescription) -> SpallocError {
        SpallocError(.jobDestroyed, "the job is over", serverMessage: details.reason, url: self.url, job: self.id)
    }

    /// Not a loss if we ended it ourselves.
    private func markLost(_ error: SpallocError) {
        var lost = error.inJob(self.id)
        if lost.code == .notFound {
            lost.code = .jobDestroyed
            lost.message = "the job is over, and the service no longer lists it"
        }
        let isNews = self.ending.withLockedValue { ending in
            guard !ending.isDestroyedByUs else { return false }
            ending.lost = lost
            return true
        }
        guard isNews else { return }
        self.log("the job is lost", error: lost)
        self.report(.lost(lost))
    }

    private func log(_ message: Logger.Message, error: SpallocError? = nil) {
        var metadata: Logger.Metadata = ["spalloc.job": "\(self.id)"]
        if let error { metadata["spalloc.error"] = "\(error)" }
        self.session.logger?.warning(message, metadata: metadata)
    }
}
