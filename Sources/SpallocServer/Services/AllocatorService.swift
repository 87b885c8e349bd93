//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle

/// Gives boards to jobs: whenever a job comes, boards come free or boards come back.
package struct AllocatorService: Service {
    let core: ServiceCore

    package func run() async throws {
        await withGracefulShutdownHandler {
            repeat {
                do {
                    let changes = try await self.core.store.allocate(now: self.core.clock())
                    guard !changes.isEmpty else { continue }
                    self.core.publish(changes)
                    self.core.powerNudge.signal()
                    // From now on groups pay, and may run out.
                    self.core.expiryNudge.signal()
                } catch {
                    self.core.logger.error("allocation failed", metadata: ["error": "\(error)"])
                }
                // The limit is a safety net: everything that can let a job be placed also nudges.
            } while await self.core.allocatorNudge.wait(.seconds(30))
        } onGracefulShutdown: {
            self.core.allocatorNudge.end()
        }
    }
}
