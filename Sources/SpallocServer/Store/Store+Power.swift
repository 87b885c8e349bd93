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
        // By the writer, which has just written them or is about to: another thread would have to be woken for a read.
        return try await self.writes.write { db in
            let rows = try db.rows(
                """
                SELECT power_change.*, board.number, board.power_off_at FROM power_change
                JOIN board ON board.id = power_change.board_id WHERE board.bmp_id = ? ORDER BY power_change.id
                """, [bmp])
            var borders: [Int: [Int64: [Link]]] = [:]
            return try rows.map { row in
                let job: Int = row["job_id"]
                let board: Int64 = row["board_id"]
                let on: Bool = row["wanted"]
                if on, borders[job] == nil { borders[job] = catalogue.border(of: try db.boards(of: job)) }
                return PowerTask(
                    change: row["id"], job: job, board: board, slot: row["number"], on: on,
                    offSince: (row["power_off_at"] as Int64?).map(Timestamp.init(milliseconds:)),
                    border: on ? borders[job]?[board] ?? [] : [])
            }
        }
    }

    /// The BMPs for which commands wait.
    package func bmpsWithPowerTasks() async throws -> [Int64] {
        try await self.writes.write {
            try $0.integers("SELECT DISTINCT bmp_id FROM power_change JOIN board ON board.id = board_id")
        }
    }

    /// Writes down what a BMP did, and moves the jobs for which that was the last thing to wait for.
    ///
    /// - Returns: the jobs that changed, and whether boards came free.
    package func recordPower(_ outcomes: [PowerOutcome], now: Timestamp) async throws -> (changes: [JobChange], freed: Bool) {
        try await self.writes.write { db in
            var changes: [JobChange] = []
            var freed = false
            var jobs: [Int] = []
            var failures: [Int: String] = [:]
            for outcome in outcomes {
                let task = outcome.task
                let current = try db.row("SELECT release FROM power_change WHERE id = ?", [task.change])
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
                try db.run("DELETE FROM power_change WHERE id = ?", [task.change])
                if current["release"] {
                    // Also when it could not be switched off: it is then out of service.
                    try db.run(
                        "UPDATE job_board SET released_at = ? WHERE board_id = ? AND released_at IS NULL",
                        [now.milliseconds, task.board])
                    freed = true
                } else if let failure {
                    failures[task.job] = failure
                }
                if !jobs.contains(task.job) { jobs.append(task.job) }
            }
            for job in jobs {
                if let change = try db.afterPower(job, failure: failures[job], now: now) { changes.append(change) }
            }
            return (changes, freed)
        }
    }
}

extension Database {
    /// A job in POWER whose commands are done is READY. If one failed it is queued again, unless it had been READY before: then
    /// its user's work is gone with the board, and so is the job.
    fileprivate func afterPower(_ job: Int, failure: String?, now: Timestamp) throws -> JobChange? {
        guard let row = try self.row("SELECT state, ready_at FROM job WHERE id = ?", [job]), row["state"] == "POWER" else {
            return nil
        }
        if let failure {
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
        guard try self.row("SELECT 1 FROM power_change WHERE job_id = ? AND release = 0", [job]) == nil else { return nil }
        try self.run("UPDATE job SET ready_at = coalesce(ready_at, ?) WHERE id = ?", [now.milliseconds, job])
        return try self.move(job, to: .ready, now: now)
    }
}

extension MachineCatalogue {
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
