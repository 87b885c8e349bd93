//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import SpallocAPI
import SpallocClient

/// Watches a job that is kept alive, and tells a person what becomes of it.
struct JobHolder {
    let job: SpallocJob

    /// Keeps the job alive until the task is cancelled; throws when the job is lost.
    func hold() async throws {
        try await self.job.whileKeptAlive { try await self.watch() }
    }

    /// Until the task is cancelled or the job is lost.
    func watch() async throws {
        for await event in self.job.events {
            if let loss = self.tell(event) { throw loss }
        }
        try Task.checkCancellation()
    }

    /// Returns the error when it is the end.
    private func tell(_ event: SpallocJobEvent) -> SpallocError? {
        let err = CommandContext.current.err
        switch event {
        case .atRisk(let deadline, let cause):
            let left = max(0, (deadline - ContinuousClock.now).components.seconds)
            err("warning: keepalives of job \(self.job.id) do not get through; it ends in \(left) s (\(cause))")
        case .recovered:
            err("keepalives of job \(self.job.id) get through again")
        case .presumedLost(let cause):
            err("warning: job \(self.job.id) has probably ended: no keepalive got through in time (\(cause))")
        case .lost(let error):
            return error
        }
        return nil
    }
}
