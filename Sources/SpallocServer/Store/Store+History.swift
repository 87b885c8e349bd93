//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI

/// A job that has ended.
package struct EndedJob: Hashable, Sendable {
    package var id: Int
    package var owner: String
    package var group: String?
    package var machine: String?
    package var boards: Int
    package var created: Timestamp
    package var allocated: Timestamp?
    package var finished: Timestamp
    package var reason: String?
}

/// Which jobs of the history are asked for.
package struct HistoryFilter: Hashable, Sendable {
    /// When they ended: from, and before.
    package var from: Timestamp?
    package var before: Timestamp?
    package var owner: String?
    package var machine: String?

    package init(from: Timestamp? = nil, before: Timestamp? = nil, owner: String? = nil, machine: String? = nil) {
        self.from = from
        self.before = before
        self.owner = owner
        self.machine = machine
    }
}

extension Store {
    /// Moves jobs that ended before `limit` to the history, with their boards and the issues that were reported. So many at a time, for
    /// others want to write, too.
    ///
    /// - Returns: how many were moved; 0: all are.
    package func archive(endedBefore limit: Timestamp, most: Int = 200) async throws -> Int {
        try await self.pool.write { db in
            // One whose boards are still to be switched off is not over yet.
            let jobs = try db.integers(
                """
                SELECT id FROM job WHERE state = 'DESTROYED' AND finished_at < ?
                AND NOT EXISTS (SELECT 1 FROM job_board WHERE job_id = job.id AND released_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM power_change WHERE job_id = job.id)
                ORDER BY finished_at LIMIT ?
                """, [limit.milliseconds, most])
            for job in jobs { try db.archive(job) }
            return jobs.count
        }
    }

    /// Jobs that have ended, those that ended last first.
    package func history(_ filter: HistoryFilter, limit: Int, start: Int) async throws -> [EndedJob] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT * FROM ended_job WHERE finished_at >= ?1 AND finished_at < ?2 AND (?3 IS NULL OR owner = ?3)
                AND (?4 IS NULL OR machine = ?4) ORDER BY finished_at DESC, id DESC LIMIT ?5 OFFSET ?6
                """,
                [
                    filter.from?.milliseconds ?? .min, filter.before?.milliseconds ?? .max, filter.owner, filter.machine, limit,
                    start,
                ]
            ).map { row in
                EndedJob(
                    id: row["id"], owner: row["owner"], group: row["group_name"], machine: row["machine"],
                    boards: row["boards"],
                    created: Timestamp(milliseconds: row["created_at"]),
                    allocated: (row["allocated_at"] as Int64?).map(Timestamp.init(milliseconds:)),
                    finished: Timestamp(milliseconds: row["finished_at"]), reason: row["reason"])
            }
        }
    }
}

extension Database {
    fileprivate func archive(_ job: Int64) throws {
        try self.run(
            """
            INSERT INTO job_history SELECT ended_job.id, ended_job.owner, group_name, machine, boards, job.request, job.created_at,
            job.allocated_at, job.finished_at, job.reason FROM ended_job JOIN job ON job.id = ended_job.id WHERE job.id = ?
            """, [job])
        try self.run(
            """
            INSERT INTO board_history SELECT job_id, x, y, z, allocated_at, released_at FROM job_board
            JOIN board ON board.id = board_id WHERE job_id = ?
            """, [job])
        try self.run(
            """
            INSERT INTO report_history SELECT job_id, board_id, x, y, z, user.name, at, issue FROM board_report
            JOIN board ON board.id = board_id JOIN user ON user.id = reporter_id WHERE job_id = ?
            """, [job])
        // The entry of a group's account stays; which job it was for, its note says.
        try self.run(
            "UPDATE quota_entry SET job_id = NULL, note = coalesce(note || ', ', '') || 'job ' || job_id WHERE job_id = ?",
            [job])
        for table in ["board_report", "job_event", "job_board"] { try self.run("DELETE FROM \(table) WHERE job_id = ?", [job]) }
        try self.run("DELETE FROM job WHERE id = ?", [job])
    }
}
