//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle

/// Asks all boards now and then who they are, while their BMPs have nothing better to do: a board that was exchanged shows, and a board
/// whose blacklist is not known yet tells it.
package struct BoardSweepService: Service {
    let care: BoardCare
    private let nudge = Nudge()
    /// BMPs that are asked at the same time.
    private static let width = 4
    /// How often a BMP with power work is looked at again before its boards are left for the next sweep.
    private static let patience = 60

    init(care: BoardCare) { self.care = care }

    private var core: ServiceCore { self.care.core }

    package func run() async throws {
        await withGracefulShutdownHandler {
            var limit = self.core.configuration.health.firstSweep
            while await self.nudge.wait(limit) {
                let interval = self.core.configuration.health.sweepInterval
                if interval > .zero { await self.sweep() }
                limit = interval > .zero ? interval : .seconds(3600)
            }
        } onGracefulShutdown: {
            self.nudge.end()
        }
    }

    package func sweep() async {
        await withTaskGroup(of: Void.self) { group in
            for (index, bmp) in self.core.store.catalogue.bmps.enumerated() {
                if index >= Self.width { await group.next() }
                group.addTask { await self.sweep(bmp) }
            }
        }
    }

    private func sweep(_ bmp: MachineCatalogue.BMP) async {
        do {
            try await self.care.withController(bmp) { controller in
                for place in self.care.places(bmp: bmp) {
                    guard try await self.isIdle(bmp) else { return }
                    let health = try await self.care.readHealth(of: place, by: controller)
                    guard try await self.core.store.blacklist(of: place.board) == nil else { continue }
                    try await self.care.keep(health.blacklist, of: place, serial: health.serialText)
                }
            }
        } catch {
            guard !Task.isCancelled, error as? BMPError != .cancelled else { return }
            self.core.logger.info(
                "boards not asked who they are", metadata: ["bmp": "\(bmp.address):\(bmp.port)", "error": "\(error)"])
        }
    }

    /// Waits until no power command waits for the BMP.
    private func isIdle(_ bmp: MachineCatalogue.BMP) async throws -> Bool {
        for _ in 0..<Self.patience {
            guard try await self.core.store.bmpsWithPowerTasks().contains(bmp.id) else { return true }
            guard await self.nudge.wait(.seconds(1)) else { return false }
        }
        return false
    }
}
