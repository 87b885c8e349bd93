//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Does what time alone brings about: ends jobs that nobody keeps alive, puts boards back that were set aside, forgets sessions.
package struct ExpiryService: Service {
    let core: ServiceCore
    /// Sees to sessions that nobody used, and to websockets of users who may not be here any more; says when to look again.
    let forgetSessions: @Sendable () async throws -> Timestamp?

    package func run() async throws {
        await withGracefulShutdownHandler {
            var limit: Duration
            repeat {
                limit = .seconds(30)
                // Who brings a job while this looks may be too late for it, and calls.
                self.core.nextExpiry.withLockedValue { $0 = nil }
                do {
                    let now = self.core.clock()
                    let expired = try await self.core.store.expire(now: now)
                    self.core.publish(expired.changes)
                    let retried = try await self.core.store.retryBoards(now: now)
                    if retried.returned > 0 {
                        self.core.allocatorNudge.signal()
                        for machine in self.core.store.catalogue.machines { self.core.changes.publish(machine: machine.name) }
                    }
                    let access = try await self.forgetSessions()
                    // A keepalive only moves a deadline away: at worst this looks too early.
                    for next in [expired.next, retried.next, access] {
                        if let next { limit = min(limit, max(.milliseconds(10), next - now + .milliseconds(1))) }
                    }
                    let next = now + limit
                    self.core.nextExpiry.withLockedValue { $0 = next }
                } catch is CancellationError {
                    // The service ends.
                    break
                } catch {
                    self.core.logger.error("expiry failed", metadata: ["error": "\(error)"])
                }
            } while await self.core.expiryNudge.wait(limit)
        } onGracefulShutdown: {
            self.core.expiryNudge.end()
        }
    }
}
