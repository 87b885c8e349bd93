//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle

/// Gives boards to jobs: whenever a job comes, boards come free or boards come back.
///
/// What comes by a write of the store is served in that write's transaction (``AllocationRounds``); what comes otherwise, nudges.
package struct AllocatorService: Service {
    let core: ServiceCore

    package func run() async throws {
        let core = self.core
        core.store.allocateWithWrites(clock: core.clock) { result in
            do {
                try AllocatorService.tell(result.get(), core)
            } catch {
                core.logger.error("allocation failed", metadata: ["error": "\(error)"])
                core.allocatorNudge.signal()
            }
        }
        defer { core.store.allocateWithWritesNoMore() }
        await withGracefulShutdownHandler {
            repeat {
                do {
                    AllocatorService.tell(try await core.store.allocate(now: core.clock()), core)
                } catch {
                    core.logger.error("allocation failed", metadata: ["error": "\(error)"])
                }
                // The limit is a safety net: everything that can let a job be placed also nudges.
            } while await core.allocatorNudge.wait(.seconds(30))
        } onGracefulShutdown: {
            core.allocatorNudge.end()
        }
    }

    private static func tell(_ changes: [JobChange], _ core: ServiceCore) {
        core.publish(changes)
        // From now on groups pay, and may run out.
        if changes.contains(where: { $0.payer != nil }) { core.expiryNudge.signal() }
    }
}
