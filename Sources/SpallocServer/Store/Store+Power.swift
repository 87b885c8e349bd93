//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// A command that waits for a BMP.
package struct PowerTask: Hashable, Sendable {
    package var change: Int64
    package var job: Int
    package var board: Int64
    /// The board's slot in its frame.
    package var slot: Int
    package var on: Bool
    /// When the board went off, if that is known.
    package var offSince: Timestamp?
    /// On: the sides to be cut off, because what is behind them is not the job's or the link is dead.
    package var border: [Link]
}

/// What became of a ``PowerTask``.
package struct PowerOutcome: Hashable, Sendable {
    package enum Result: Hashable, Sendable {
        case done
        /// The board does not work: it is taken out of service.
        case boardFailed(String)
        /// Its BMP does not answer: it is set aside until then.
        case unreachable(String, retryAt: Timestamp)
    }

    package var task: PowerTask
    package var result: Result

    package init(task: PowerTask, result: Result) {
        self.task = task
        self.result = result
    }
}

extension Store {
    /// The commands of one BMP, oldest first.
    package func powerTasks(bmp: Int64) async throws -> [PowerTask] {
        let catalogue = self.catalogue
        if let known = self.power.commands(bmp: bmp) { return catalogue.tasks(known) }
        return catalogue.tasks(
            try await self.writes.write { db in
                try db.rows(
                    """
                    SELECT \(PendingPower.Command.columns) FROM \(PendingPower.Command.tables)
                    WHERE board.bmp_id = ? ORDER BY power_change.id
                    """, [bmp]
                ).map { row in
                    let command = PendingPower.Command(row: row)
                    return (command, command.on ? try db.boards(of: command.job) : [])
                }
            })
    }

    /// The BMPs for which commands wait.
    package func bmpsWithPowerTasks() async throws -> [Int64] {
        if let known = self.power.bmps { return known }
        return try await self.writes.write {
            try $0.integers("SELECT DISTINCT bmp_id FROM power_change JOIN board ON board.id = board_id")
        }
    }

    /// Writes down what a BMP did, and moves the jobs for which that was the last thing to wait for.
    ///
    /// - Returns: the jobs that changed, and whether boards came free.
    package func recordPower(_ outcomes: [PowerOutcome], now: Timestamp) async throws -> (changes: [JobChange], freed: Bool) {
        let rounds = self.rounds
        return try await self.writes.write { db in
            var changes: [JobChange] = []
            var freed = false
            var jobs: [Int] = []
            var failures: [Int: String] = [:]
            for outcome in outcomes {
                let task = outcome.task
                let current = try db.row("DELETE FROM power_change WHERE id = ? RETURNING release", [task.change])
                var failure: String?
                switch outcome.result {
                case .done:
                    try db.run(
                        task.on
                            ? "UPDATE board SET powered = 1, power_on_at = ? WHERE id = ?"
                            : "UPDATE board SET powered = 0, power_off_at = ? WHERE id = ?", [now.milliseconds, task.board])
                case .boardFailed(let reason):
                    try db.run(
                        "UPDATE board SET powered = 0, functioning = 0, failure = ?, retry_at = NULL WHERE id = ?",
                        [reason, task.board])
                    failure = reason
                case .unreachable(let reason, let retryAt):
                    try db.run(
                        "UPDATE board SET functioning = 0, failure = ?, retry_at = ? WHERE id = ? AND functioning = 1",
                        [reason, retryAt.milliseconds, task.board])
                    failure = reason
                }
                // Replaced meanwhile: the new command decides about the job.
                guard let current else { continue }
                if current["release"] {
                    // Also when it could not be switched off: it is then out of service.
                    try db.run(
                        "UPDATE job_board SET released_at = ? WHERE board_id = ? AND released_at IS NULL",
                        [now.milliseconds, task.board])
                    freed = true
                    // Of the job that had it there is no more to say.
                    continue
                }
                if let failure { failures[task.job] = failure }
                if !jobs.contains(task.job) { jobs.append(task.job) }
            }
            for job in jobs {
                if let change = try db.afterPower(job, failure: failures[job], now: now) { changes.append(change) }
            }
            if freed || changes.contains(where: { $0.state == .queued }) { rounds.ask() }
            return (changes, freed)
        }
    }
}

extension Database {
    /// A job in POWER whose commands are done is READY. If one failed it is queued again, unless it had been READY before: then
    /// its user's work is gone with the board, and so is the job.
    fileprivate func afterPower(_ job: Int, failure: String?, now: Timestamp) throws -> JobChange? {
        if let failure { return try self.afterFailure(job, failure, now: now) }
        guard
            let row = try self.row(
                """
                UPDATE job SET state = 'READY', revision = revision + 1, ready_at = coalesce(ready_at, ?2)
                WHERE id = ?1 AND state = 'POWER'
                    AND NOT EXISTS (SELECT 1 FROM power_change WHERE job_id = ?1 AND release = 0)
                RETURNING revision
                """, [job, now.milliseconds])
        else { return nil }
        try self.record(.ready, of: job, now: now)
        return JobChange(job: job, revision: row["revision"], state: .ready)
    }

    private func afterFailure(_ job: Int, _ failure: String, now: Timestamp) throws -> JobChange? {
        guard let row = try self.row("SELECT state, ready_at FROM job WHERE id = ?", [job]), row["state"] == "POWER" else {
            return nil
        }
        guard (row["ready_at"] as Int64?) == nil else {
            return try self.destroy(
                job, reason: "the power of a board could not be switched (\(failure)); contact the administrator", now: now)
        }
        try self.releaseBoards(of: job)
        try self.run(
            """
            UPDATE job SET machine_id = NULL, width = NULL, height = NULL, depth = NULL, root_board_id = NULL,
            allocated_at = NULL, state = 'QUEUED' WHERE id = ?
            """, [job])
        return try self.move(job, to: .queued, note: failure, now: now)
    }
}

extension MachineCatalogue {
    /// By what is known of dead links now.
    fileprivate func tasks(_ commands: [(command: PendingPower.Command, job: [Int64])]) -> [PowerTask] {
        var borders: [Int: [Int64: [Link]]] = [:]
        return commands.map { command, boards in
            if command.on, borders[command.job] == nil { borders[command.job] = self.border(of: boards) }
            return PowerTask(
                change: command.change, job: command.job, board: command.board, slot: command.slot, on: command.on,
                offSince: command.offSince, border: command.on ? borders[command.job]?[command.board] ?? [] : [])
        }
    }

    /// The sides at which each board of a job is to be cut off.
    func border(of boards: [Int64]) -> [Int64: [Link]] {
        guard let first = boards.first.flatMap({ self.place(of: $0) }) else { return [:] }
        let machine = self.machines[first.machine]
        let indices = BoardSet(boards.compactMap { self.place(of: $0)?.index }, capacity: machine.topology.capacity)
        var sides: [Int64: [Link]] = [:]
        for (index, side) in machine.topology.borderSides(of: indices) {
            sides[machine.boardIDs[index], default: []].append(side)
        }
        return sides
    }
}
