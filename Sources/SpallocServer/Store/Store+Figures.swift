//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI

/// Counts for the metrics page, all of one moment.
package struct StoreFigures: Hashable, Sendable {
    package struct Boards: Hashable, Sendable {
        package var machine: String
        package var free = 0
        /// Jobs' boards, and boards on their way back.
        package var allocated = 0
        package var outOfService = 0
        package var powered = 0
    }

    /// Live jobs only.
    package var jobs: [JobState: Int] = [:]
    /// Since the database was made.
    package var jobsCreated = 0
    package var boards: [Boards] = []
    package var powerChanges = 0
}

extension Store {
    package func figures() async throws -> StoreFigures {
        try await self.pool.read { db in
            var figures = StoreFigures()
            for state in [JobState.queued, .power, .ready] { figures.jobs[state] = 0 }
            for row in try db.rows("SELECT state, count(*) AS n FROM job WHERE state <> 'DESTROYED' GROUP BY state") {
                if let state = JobState(rawValue: row["state"]) { figures.jobs[state] = row["n"] }
            }
            figures.jobsCreated = Int(try db.integers("SELECT seq FROM sqlite_sequence WHERE name = 'job'").first ?? 0)
            figures.powerChanges = Int(try db.integers("SELECT count(*) FROM power_change").first ?? 0)
            let rows = try db.rows(
                """
                SELECT machine.name, count(board.id) AS boards, total(board.powered) AS powered,
                count(job_board.id) AS allocated, total(\(Store.isOut) AND job_board.id IS NULL) AS out
                FROM machine JOIN board ON board.machine_id = machine.id
                LEFT JOIN job_board ON job_board.board_id = board.id AND job_board.released_at IS NULL
                GROUP BY machine.id ORDER BY machine.name
                """)
            figures.boards = rows.map { row in
                let (all, allocated, out): (Int, Int, Int) = (row["boards"], row["allocated"], row["out"])
                return StoreFigures.Boards(
                    machine: row["name"], free: all - allocated - out, allocated: allocated, outOfService: out,
                    powered: row["powered"])
            }
            return figures
        }
    }
}
