//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocAllocator

extension CreateJobRequest {
    /// As a job's row has it.
    var storedJSON: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}

extension Store {
    /// The reason of a job that nobody kept alive.
    static let keepaliveExpired = "keepalive expired"

    /// Queues a job. `request` has been found feasible.
    package func createJob(
        owner: Int64, group: Int64? = nil, request: CreateJobRequest, wanted: JobRequest, keepalive: Duration, host: String?,
        now: Timestamp
    ) async throws -> JobChange {
        let json = try request.storedJSON
        let change = try await self.pool.write { db in
            try db.queueJob(owner: owner, group: group, request: json, keepalive: keepalive, host: host, now: now)
        }
        self.requests.withLockedValue { $0[change.job] = wanted }
        return change
    }

    package func job(_ id: Int) async throws -> JobRecord? { try await self.recentJob(id)?.record }

    /// The job, and its request as clients are told of it.
    func recentJob(_ id: Int) async throws -> RecentRows.Job? {
        if let known = self.recent.job(id) { return known }
        let ticket = self.recent.ticket()
        guard let record = try await self.pool.read({ db in try db.job(id) }) else { return nil }
        let request = try? JSONDecoder().decode(CreateJobRequest.self, from: Data(record.request.utf8))
        let job = RecentRows.Job(record: record, originalRequest: request.map(OriginalRequest.init))
        self.recent.keep(job, ticket: ticket)
        return job
    }

    /// The ids of all jobs, newest first.
    package func jobIDs(includingDestroyed: Bool, limit: Int, start: Int) async throws -> [Int] {
        try await self.pool.read { db in
            let filter = includingDestroyed ? "" : "WHERE state <> 'DESTROYED'"
            return try db.integers("SELECT id FROM job \(filter) ORDER BY id DESC LIMIT ? OFFSET ?", [limit, start]).map {
                Int($0)
            }
        }
    }

    package func liveJobs() async throws -> [JobRecord] {
        try await self.pool.read { db in
            try db.rows(
                "SELECT \(JobRecord.columns) FROM \(JobRecord.tables) WHERE state <> 'DESTROYED' ORDER BY job.id DESC"
            ).map(JobRecord.init(row:))
        }
    }

    /// The job's boards, and whether each is on.
    package func boards(of job: Int) async throws -> [JobBoard] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT board.id, board.powered FROM job_board JOIN board ON board.id = job_board.board_id
                WHERE job_board.job_id = ? AND released_at IS NULL AND releasing = 0 ORDER BY board.x, board.y, board.z
                """, [job]
            ).map { JobBoard(id: $0["id"], powered: $0["powered"]) }
        }
    }

    /// Keeps a job alive. A destroyed one stays as it is.
    package func keepAlive(_ job: Int, host: String?, now: Timestamp) async throws {
        try await self.pool.write { db in
            try db.run(
                "UPDATE job SET keepalive_at = ?, keepalive_host = ? WHERE id = ? AND state <> 'DESTROYED'",
                [now.milliseconds, host, job])
        }
    }

    /// Ends a job: its boards go off, and are free when they are. The first reason stays.
    ///
    /// - Returns: nil when it had ended already, or never was.
    package func destroy(_ job: Int, reason: String?, now: Timestamp) async throws -> JobChange? {
        let change = try await self.pool.write { db in try db.destroy(job, reason: reason, now: now) }
        if change != nil { self.requests.withLockedValue { $0[job] = nil } }
        return change
    }

    /// Ends the jobs that nobody kept alive, and those whose group has used what it had.
    ///
    /// - Returns: what changed, and when the next job will end if it is not kept alive, or its group is given no more.
    package func expire(now: Timestamp) async throws -> (changes: [JobChange], next: Timestamp?) {
        let result = try await self.pool.write { db -> (changes: [JobChange], next: Timestamp?) in
            let expired = try db.integers(
                "SELECT id FROM job WHERE state <> 'DESTROYED' AND keepalive_at + keepalive_ms < ? ORDER BY id",
                [now.milliseconds])
            var changes: [JobChange] = []
            for job in expired {
                if let change = try db.destroy(Int(job), reason: Store.keepaliveExpired, now: now) { changes.append(change) }
            }
            let beyond = try db.endJobsBeyondQuota(now: now)
            let expiry = try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT MIN(keepalive_at + keepalive_ms) FROM job WHERE state <> 'DESTROYED'"))
            return (changes + beyond.changes, [expiry.map(Timestamp.init(milliseconds:)), beyond.next].compactMap { $0 }.min())
        }
        self.requests.withLockedValue { requests in
            for change in result.changes { requests[change.job] = nil }
        }
        return result
    }

    /// The user switches all of a job's boards: it goes to POWER, and to READY when that is done.
    ///
    /// - Returns: nil when the job has no boards.
    package func switchPower(of job: Int, on: Bool, now: Timestamp) async throws -> JobChange? {
        try await self.pool.write { db in
            guard let record = try db.job(job), record.allocation != nil else { return nil }
            for board in try db.boards(of: job) { try db.want(on, board: board, job: job, release: false) }
            return try db.move(job, to: .power, note: on ? "power on by the user" : "power off by the user", now: now)
        }
    }
}

// MARK: - Within a transaction

extension Database {
    func job(_ id: Int) throws -> JobRecord? {
        try self.row("SELECT \(JobRecord.columns) FROM \(JobRecord.tables) WHERE job.id = ?", [id]).map(JobRecord.init(row:))
    }

    /// A new job, at the end of the queue.
    func queueJob(
        owner: Int64, group: Int64?, request: String, keepalive: Duration, host: String?, now: Timestamp
    ) throws -> JobChange {
        try self.run(
            """
            INSERT INTO job (owner_id, group_id, state, request, created_at, keepalive_ms, keepalive_at, keepalive_host)
            VALUES (?, ?, 'QUEUED', ?, ?, ?, ?, ?)
            """, [owner, group, request, now.milliseconds, keepalive.milliseconds, now.milliseconds, host])
        let job = Int(self.lastInsertedRowID)
        try self.record(.queued, of: job, now: now)
        return JobChange(job: job, revision: 1, state: .queued)
    }

    /// The boards that are the job's now.
    func boards(of job: Int) throws -> [Int64] {
        try self.integers("SELECT board_id FROM job_board WHERE job_id = ? AND released_at IS NULL AND releasing = 0", [job])
    }

    func record(_ state: JobState, of job: Int, note: String? = nil, now: Timestamp) throws {
        try self.run(
            "INSERT INTO job_event (job_id, at, state, note) VALUES (?, ?, ?, ?)",
            [job, now.milliseconds, state.rawValue, note])
    }

    /// Gives a live job another state, or the same once more, and the next revision.
    func move(_ job: Int, to state: JobState, note: String? = nil, now: Timestamp) throws -> JobChange? {
        guard
            let row = try self.row(
                """
                UPDATE job SET state = ?, revision = revision + 1 WHERE id = ? AND state <> 'DESTROYED'
                RETURNING revision, machine_id
                """, [state.rawValue, job])
        else { return nil }
        try self.record(state, of: job, note: note, now: now)
        return JobChange(
            job: job, revision: row["revision"], state: state, machine: state == .power ? row["machine_id"] : nil)
    }

    /// The one pending command of a board is now this. A command under way finds its own gone, and changes nothing but what it did.
    func want(_ on: Bool, board: Int64, job: Int, release: Bool) throws {
        try self.run("DELETE FROM power_change WHERE board_id = ?", [board])
        try self.run(
            "INSERT INTO power_change (job_id, board_id, wanted, release) VALUES (?, ?, ?, ?)", [job, board, on, release])
    }

    /// Takes a job's boards from it. They stay held until they are off.
    func releaseBoards(of job: Int) throws {
        for board in try self.boards(of: job) {
            try self.run(
                "UPDATE job_board SET releasing = 1 WHERE job_id = ? AND board_id = ? AND released_at IS NULL", [job, board])
            try self.want(false, board: board, job: job, release: true)
        }
    }

    func destroy(_ job: Int, reason: String?, now: Timestamp) throws -> JobChange? {
        guard
            let row = try self.row(
                """
                UPDATE job SET state = 'DESTROYED', revision = revision + 1, finished_at = ?, reason = ?
                WHERE id = ? AND state <> 'DESTROYED' RETURNING revision, machine_id
                """, [now.milliseconds, reason, job])
        else { return nil }
        try self.charge(job, now: now)
        try self.releaseBoards(of: job)
        try self.record(.destroyed, of: job, note: reason, now: now)
        return JobChange(job: job, revision: row["revision"], state: .destroyed, machine: row["machine_id"])
    }
}
