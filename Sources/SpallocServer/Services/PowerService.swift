//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SpallocAPI

/// Carries out the power commands of the store, with one worker per BMP. Workers are made when there is work, so a new machine needs no
/// restart.
package struct PowerService: Service {
    let core: ServiceCore
    let factory: BMPControllerFactory

    package func run() async throws {
        let nudges = NIOLockedValueBox<[Int64: Nudge]>([:])
        // Whoever writes commands need not say so: each worker hears of its own.
        self.core.store.power.observe { [core] bmps in
            for bmp in bmps { (nudges.withLockedValue { $0[bmp] } ?? core.powerNudge).signal() }
        }
        defer { self.core.store.power.observe(nil) }
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await withDiscardingTaskGroup { group in
                    repeat {
                        let waiting: [Int64]
                        do {
                            waiting = try await self.core.store.bmpsWithPowerTasks()
                        } catch is CancellationError {
                            // The service ends.
                            return
                        } catch {
                            self.core.logger.error("cannot read the power work", metadata: ["error": "\(error)"])
                            continue
                        }
                        for id in waiting {
                            let known = nudges.withLockedValue { $0[id] }
                            if let known {
                                known.signal()
                                continue
                            }
                            guard let bmp = self.core.store.catalogue.bmps.first(where: { $0.id == id }) else { continue }
                            let nudge = Nudge()
                            nudges.withLockedValue { $0[id] = nudge }
                            let worker = self.worker(for: bmp, nudge: nudge)
                            group.addTask { await worker.run() }
                        }
                        // The limit is a safety net: work is heard of.
                    } while await self.core.powerNudge.wait(.seconds(30))
                    for nudge in nudges.withLockedValue({ Array($0.values) }) { nudge.end() }
                }
            } onCancel: {
                self.core.powerNudge.end()
            }
        } onGracefulShutdown: {
            self.core.powerNudge.end()
        }
    }

    private func worker(for bmp: MachineCatalogue.BMP, nudge: Nudge) -> BMPWorker {
        var logger = self.core.logger
        logger[metadataKey: "bmp"] = "\(bmp.address):\(bmp.port)"
        logger[metadataKey: "machine"] = "\(bmp.machine)"
        let core = self.core
        return BMPWorker(
            bmp: bmp, store: core.store, factory: self.factory, settings: { core.configuration.power }, metrics: core.metrics,
            nudge: nudge,
            clock: core.clock,
            logger: logger,
            failed: { boards, reason in core.notify(.boardsOutOfService, boards: boards, reason: reason) }
        ) { changes in
            core.publish(changes)
            core.changes.publish(machine: bmp.machine)
        }
    }
}
