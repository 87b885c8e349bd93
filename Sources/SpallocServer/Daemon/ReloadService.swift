//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the configuration anew at every SIGHUP. Whatever is wrong with it is logged, and the service goes on as it was.
struct ReloadService: Service {
    let path: String
    let application: SpallocApplication
    /// Trapped before the service is built: an early SIGHUP must not end it.
    let signals: UnixSignalsSequence

    func run() async throws {
        for await _ in self.signals.cancelOnGracefulShutdown() { await self.reload() }
    }

    func reload() async {
        let logger = self.application.core.logger
        do {
            let result = try await self.application.reload(try SpallocDaemon.configuration(from: self.path))
            logger.notice(
                "configuration reloaded",
                metadata: [
                    "changed": "\(result.changed.joined(separator: " "))",
                    "machines added": "\(result.machinesAdded.joined(separator: " "))",
                ])
            for name in result.waiting {
                logger.warning("a changed setting waits for a restart", metadata: ["setting": "\(name)"])
            }
            for name in result.machinesThatDiffer {
                logger.warning(
                    "a machine of the file differs from the database's, which stays", metadata: ["machine": "\(name)"])
            }
            self.application.core.metrics.reload(succeeded: true)
        } catch {
            logger.error("the configuration was not reloaded; all goes on as it was", metadata: ["error": "\(error)"])
            self.application.core.metrics.reload(succeeded: false)
        }
    }
}
