//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import SpiNNakerMachine

/// Does what is to be done on one frame: one command at a time, commands of a kind together.
///
/// Off goes first, for boards that others wait for. A board is switched on when it has been off for long enough; meanwhile the
/// others go ahead. What is to be done is read from the store before each command, so a job that ends while its boards wait is not
/// switched on at all, and a restart finds the work where it was.
struct BMPWorker: Sendable {
    let bmp: MachineCatalogue.BMP
    let store: Store
    let factory: BMPControllerFactory
    /// As they are now: they may be changed while the service runs.
    let settings: @Sendable () -> SpallocServerConfiguration.Power
    let metrics: ServiceMetrics
    let nudge: Nudge
    let clock: WallClock
    let logger: Logger
    /// Boards that no job gets now, for a reason of theirs or of their BMP.
    let failed: @Sendable (_ boards: [Int64], _ reason: String) -> Void
    /// What was done is written down, and may have changed jobs.
    let report: @Sendable (_ changes: [JobChange]) async -> Void

    private var power: SpallocServerConfiguration.Power { self.settings() }

    func run() async {
        var controller: (any BMPController)?
        var limit: Duration?
        repeat {
            do {
                limit = try await self.work(&controller)
            } catch is CancellationError {
                break
            } catch {
                self.logger.error("power work failed", metadata: ["error": "\(error)"])
                limit = self.power.retryInterval
            }
        } while await self.nudge.wait(limit)
        await controller?.close()
    }

    /// Works until nothing can be done now.
    ///
    /// - Returns: after what time there is something again, if that is known.
    private func work(_ controller: inout (any BMPController)?) async throws -> Duration? {
        while !Task.isCancelled {
            let tasks = try await self.store.powerTasks(bmp: self.bmp.id)
            let off = tasks.filter { !$0.on }
            let now = self.clock()
            let rested = tasks.filter { $0.on && ($0.offSince.map { $0 + self.power.offWait <= now } ?? true) }
            guard !off.isEmpty || !rested.isEmpty else {
                return tasks.compactMap { task in task.offSince.map { $0 + self.power.offWait - now } }.min()
            }
            if controller == nil { controller = try await self.factory(self.bmp) }
            guard let controller else { return nil }
            let outcomes = off.isEmpty ? await self.switchOn(rested, controller) : await self.switchOff(off, controller)
            // Nothing comes back when the service is stopping: the work stays to be done.
            guard !outcomes.isEmpty else { throw CancellationError() }
            let changes = try await self.store.recordPower(outcomes, now: self.clock()).changes
            for (reason, outcomes) in Dictionary(grouping: outcomes, by: \.failure) {
                guard let reason else { continue }
                self.failed(outcomes.map(\.task.board), reason)
            }
            await self.report(changes)
        }
        throw CancellationError()
    }

    private func switchOff(_ tasks: [PowerTask], _ controller: any BMPController) async -> [PowerOutcome] {
        do throws(BMPError) {
            try await self.trying("power off") { () throws(BMPError) in
                try await controller.setPower(slots: tasks.map(\.slot), on: false)
            }
            return tasks.map { PowerOutcome(task: $0, result: .done) }
        } catch {
            return self.outcomes(of: tasks, error)
        }
    }

    private func switchOn(_ tasks: [PowerTask], _ controller: any BMPController) async -> [PowerOutcome] {
        var outcomes: [PowerOutcome] = []
        var waiting = tasks
        // A round keeps to what it began with.
        let attempts = self.power.fpgaAttempts
        for attempt in 1...attempts {
            do throws(BMPError) {
                let slots = waiting.map(\.slot)
                try await self.trying("power on") { () throws(BMPError) in try await controller.setPower(slots: slots, on: true)
                }
                try await self.settle()
            } catch {
                return outcomes + self.outcomes(of: waiting, error)
            }
            var again: [PowerTask] = []
            for task in waiting {
                do throws(BMPError) {
                    if let wrong = try await self.wrongFPGA(of: task, controller) {
                        self.logger.warning(
                            "FPGA not configured",
                            metadata: [
                                "board": "\(task.board)", "slot": "\(task.slot)", "fpga": "\(wrong)", "attempt": "\(attempt)",
                            ])
                        again.append(task)
                        continue
                    }
                    try await self.isolate(task, controller)
                    outcomes.append(PowerOutcome(task: task, result: .done))
                } catch {
                    if error == .cancelled { return [] }
                    outcomes += self.outcomes(of: [task], error)
                }
            }
            waiting = again
            if waiting.isEmpty { break }
        }
        return outcomes
            + waiting.map {
                PowerOutcome(
                    task: $0, result: .boardFailed("its FPGAs did not come up in \(attempts) power cycles"))
            }
    }

    /// The number of an FPGA that does not say so itself.
    private func wrongFPGA(of task: PowerTask, _ controller: any BMPController) async throws(BMPError) -> Int? {
        for fpga in 0..<3 {
            let flag = try await self.trying("FPGA flag") { () throws(BMPError) in
                try await controller.readFPGAFlag(slot: task.slot, fpga: fpga)
            }
            if Int(flag & 3) != fpga { return fpga }
        }
        return nil
    }

    /// Stops the board's links that leave the job. The other end of each is the business of whoever has the board there: it was stopped
    /// when that board was switched on, and a board that nobody has is off.
    private func isolate(_ task: PowerTask, _ controller: any BMPController) async throws(BMPError) {
        for side in task.border {
            let link = FPGALinkBank(side: side)
            try await self.trying("link stop") { () throws(BMPError) in
                try await controller.setLinkStop(slot: task.slot, fpga: link.fpga, bank: link.bank, stop: true)
            }
        }
    }

    private func outcomes(of tasks: [PowerTask], _ error: BMPError) -> [PowerOutcome] {
        switch error {
        case .cancelled: return []
        case .refused(let reason):
            return tasks.map { PowerOutcome(task: $0, result: .boardFailed(reason)) }
        case .unreachable(let reason):
            let retryAt = self.clock() + self.power.setAside
            return tasks.map { PowerOutcome(task: $0, result: .unreachable(reason, retryAt: retryAt)) }
        }
    }

    /// Tries again what gets no answer.
    private func trying<Value: Sendable>(
        _ what: String, _ body: () async throws(BMPError) -> Value
    ) async throws(BMPError) -> Value {
        var attempt = 1
        while true {
            let started = ContinuousClock.now
            do throws(BMPError) {
                let value = try await body()
                self.metrics.powerCommand(what, result: "done", took: started.duration(to: .now))
                return value
            } catch {
                self.metrics.powerCommand(what, result: error.label, took: started.duration(to: .now))
                guard case .unreachable = error, attempt < self.power.attempts else { throw error }
                self.logger.warning(
                    "BMP command failed", metadata: ["command": "\(what)", "error": "\(error)", "attempt": "\(attempt)"])
                attempt += 1
                do { try await Task.sleep(for: self.power.retryInterval) } catch { throw .cancelled }
            }
        }
    }

    private func settle() async throws(BMPError) {
        guard self.power.settle > .zero else { return }
        do { try await Task.sleep(for: self.power.settle) } catch { throw .cancelled }
    }
}

extension PowerOutcome {
    /// nil: it is done.
    fileprivate var failure: String? {
        switch self.result {
        case .done: nil
        case .boardFailed(let reason), .unreachable(let reason, _): reason
        }
    }
}
