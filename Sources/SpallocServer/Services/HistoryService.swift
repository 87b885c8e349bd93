//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle

/// Once a day, and after the start, moves jobs that ended long ago to the history.
struct HistoryService: Service {
    let core: ServiceCore
    private let nudge = Nudge()

    init(core: ServiceCore) { self.core = core }

    func run() async throws {
        await withGracefulShutdownHandler {
            repeat {
                do {
                    try await self.archive()
                } catch is CancellationError {
                    break
                } catch {
                    self.core.logger.error("history failed", metadata: ["error": "\(error)"])
                }
            } while await self.nudge.wait(.seconds(86400))
        } onGracefulShutdown: {
            self.nudge.end()
        }
    }

    private func archive() async throws {
        let limit = self.core.clock() + (.zero - self.core.configuration.history.keepFor)
        var moved = 0
        while true {
            let part = try await self.core.store.archive(endedBefore: limit)
            guard part > 0 else { break }
            moved += part
        }
        if moved > 0 { self.core.logger.info("jobs moved to the history", metadata: ["jobs": "\(moved)"]) }
    }
}
