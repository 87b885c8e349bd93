//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import SpallocAPI

extension SpallocJob {
    /// Gives the boards back. Once it got through, further calls do nothing.
    public func destroy(reason: String = "finished") async throws(SpallocError) {
        let isFirst = self.ending.withLockedValue { ending in
            defer { ending.isDestroyedByUs = true }
            return !ending.isDestroyedByUs
        }
        guard isFirst else { return }
        do throws(SpallocError) {
            // Reasons are for people: the service need not store an essay.
            let reason = SpallocError.oneLine(reason) ?? "finished"
            _ = try await self.session.delete(self.url, query: [(SpallocHTTP.reason, reason)])
        } catch {
            // Not there any more is what was wanted.
            guard error.code != .notFound else { return }
            self.ending.withLockedValue { $0.isDestroyedByUs = false }
            throw error.inJob(self.id)
        }
    }

    /// Runs `body`, then destroys the job, with the error as reason if there was one, be it a cancellation.
    public func destroyedAfterwards<Result>(_ body: () async throws -> Result) async throws -> Result {
        let result: Result
        do {
            result = try await body()
        } catch {
            await self.destroySurely(reason: SpallocJob.reason(error))
            throw error
        }
        await self.destroySurely(reason: "finished")
        return result
    }

    private static func reason(_ error: any Error) -> String {
        if error is CancellationError || (error as? SpallocError)?.code == .cancelled { return "cancelled" }
        return "failed: \(error)"
    }

    /// Destroys in a task of its own, which the cancellation of ours does not reach: the one place where that must be. A
    /// service that stays out of reach ends the job by itself when the keepalives have stopped.
    private func destroySurely(reason: String) async {
        await Task {
            let retries = self.session.configuration.retries
            for attempt in 0...min(retries.attempts, 3) {
                do throws(SpallocError) {
                    return try await self.destroy(reason: reason)
                } catch {
                    guard error.isTransient, attempt < min(retries.attempts, 3) else {
                        self.session.logger?.warning(
                            "the job was not destroyed; it ends when its keepalive runs out",
                            metadata: ["spalloc.job": "\(self.id)", "spalloc.error": "\(error)"])
                        return
                    }
                    try? await Task.sleep(for: retries.delay(attempt, jitter: .random(in: 0...1)))
                }
            }
        }.value
    }
}
