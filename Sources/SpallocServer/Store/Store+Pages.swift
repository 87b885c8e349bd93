//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI

/// What lists show of a job.
package struct JobSummary: Sendable {
    package var record: JobRecord
    package var machine: String?
    package var boards: Int
    package var poweredBoards: Int
    /// What a client of the legacy port called itself: its jobs all belong to one user.
    package var claimedOwner: String?
}

/// Everything that is known of a board without asking it.
package struct BoardDetail: Sendable {
    package var id: Int64
    package var functioning: Bool
    /// By its blacklist the board cannot be used, whatever else is known of it.
    package var isBlacklisted: Bool
    package var failure: String?
    package var retryAt: Timestamp?
    package var powered: Bool
    package var lastOn: Timestamp?
    package var lastOff: Timestamp?
    package var job: Int?
}

package struct BoardReport: Sendable {
    package var board: Int64
    package var job: Int
    package var reporter: String
    package var at: Timestamp
    package var issue: String
}

extension Store {
    /// What a client of the legacy port called itself; nil for all other jobs.
    package func claimedOwner(of job: Int) async throws -> String? {
        try await self.pool.read { db in try db.row("SELECT owner FROM v1_job WHERE job_id = ?", [job]).map { $0["owner"] } }
    }

    package func liveJobCount() async throws -> Int {
        try await self.pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM job WHERE state <> 'DESTROYED'") ?? 0 }
    }

    /// Live jobs, newest first, by one query.
    ///
    /// - Parameter limit: -1: all.
    package func jobSummaries(limit: Int = -1, start: Int = 0) async throws -> [JobSummary] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT \(JobRecord.columns), machine.name AS machine_name, v1_job.owner AS claimed_owner,
                    (SELECT count(*) FROM job_board WHERE job_board.job_id = job.id AND released_at IS NULL AND releasing = 0)
                        AS boards,
                    (SELECT count(*) FROM job_board JOIN board ON board.id = job_board.board_id
                        WHERE job_board.job_id = job.id AND released_at IS NULL AND releasing = 0 AND board.powered = 1)
                        AS powered_boards
                FROM \(JobRecord.tables) LEFT JOIN machine ON machine.id = job.machine_id
                LEFT JOIN v1_job ON v1_job.job_id = job.id
                WHERE state <> 'DESTROYED' ORDER BY +job.id DESC LIMIT ? OFFSET ?
                """, [limit, start]
            ).map { row in
                JobSummary(
                    record: JobRecord(row: row), machine: row["machine_name"], boards: row["boards"],
                    poweredBoards: row["powered_boards"], claimedOwner: row["claimed_owner"])
            }
        }
    }

    package func boardDetail(_ board: Int64) async throws -> BoardDetail? {
        try await self.pool.read { db in
            try db.row(
                """
                SELECT board.*, job_board.job_id FROM board
                LEFT JOIN job_board ON job_board.board_id = board.id AND job_board.released_at IS NULL WHERE board.id = ?
                """, [board]
            ).map(BoardDetail.init(row:))
        }
    }

    /// Which of these no job is given.
    package func outOfService(among boards: [Int64]) async throws -> [Int64] {
        let out = Set(try await self.boardDetailsOutOfService().map(\.id))
        return boards.filter(out.contains)
    }

    package func boardDetailsOutOfService() async throws -> [BoardDetail] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT board.*, job_board.job_id FROM board
                LEFT JOIN job_board ON job_board.board_id = board.id AND job_board.released_at IS NULL
                WHERE \(Store.isOut) ORDER BY machine_id, x, y, z
                """
            ).map(BoardDetail.init(row:))
        }
    }

    /// Newest first.
    package func boardReports(of board: Int64? = nil) async throws -> [BoardReport] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT board_report.*, user.name AS reporter FROM board_report JOIN user ON user.id = board_report.reporter_id
                WHERE ?1 IS NULL OR board_id = ?1 ORDER BY at DESC, board_id, job_id
                """, [board]
            ).map { row in
                BoardReport(
                    board: row["board_id"], job: row["job_id"], reporter: row["reporter"],
                    at: Timestamp(milliseconds: row["at"]), issue: row["issue"])
            }
        }
    }

    /// Forgets what was reported of a board. Whether it is in service stays as it is.
    package func clearReports(of board: Int64) async throws {
        try await self.pool.write { db in
            try db.run("DELETE FROM board_report WHERE board_id = ?", [board])
            // Those of the history stay in it, and count no more.
            try db.run("UPDATE report_history SET board_id = NULL WHERE board_id = ?", [board])
        }
    }
}

extension BoardDetail {
    /// Why no job is given the board; nil: it is in service.
    var outOfService: String? {
        let reasons: [String] =
            (self.functioning ? [] : [self.failure ?? "not known why"])
            + (self.isBlacklisted ? ["its Ethernet chip is dead by its blacklist"] : [])
        return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }

    fileprivate init(row: Row) {
        self.init(
            id: row["id"], functioning: row["functioning"], isBlacklisted: row["blacklisted"], failure: row["failure"],
            retryAt: (row["retry_at"] as Int64?).map(Timestamp.init(milliseconds:)), powered: row["powered"],
            lastOn: (row["power_on_at"] as Int64?).map(Timestamp.init(milliseconds:)),
            lastOff: (row["power_off_at"] as Int64?).map(Timestamp.init(milliseconds:)), job: row["job_id"])
    }
}
