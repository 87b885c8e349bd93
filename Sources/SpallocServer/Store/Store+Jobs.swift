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

extension JobRecord {
    /// As clients are told of it.
    fileprivate var decodedRequest: OriginalRequest? {
        (try? JSONDecoder().decode(CreateJobRequest.self, from: Data(self.request.utf8))).map(OriginalRequest.init)
    }
}

extension Store {
    /// The reason of a job that nobody kept alive.
    static let keepaliveExpired = "keepalive expired"

    /// Among the live ones: the sign keeps SQLite from going through all there ever were for the sake of the order.
    static let expiredJobs =
        "SELECT id FROM job WHERE state <> 'DESTROYED' AND keepalive_at + keepalive_ms < ? ORDER BY +id"

    /// Queues a job. `request` has been found feasible.
    ///
    /// - Parameter payer: chooses the group that pays, in the transaction that makes the job; what it throws is why there is none.
    package func createJob(
        owner: Int64, request: CreateJobRequest, wanted: JobRequest, keepalive: Duration, host: String?,
        now: Timestamp, payer: @escaping @Sendable (_ accounts: Accounts) throws -> Int64? = { _ in nil }
    ) async throws -> JobChange {
        let json = try request.storedJSON
        let change = try await self.writes.write { db in
            let group = try payer(Accounts(db: db))
            let change = try db.queueJob(owner: owner, group: group, request: json, keepalive: keepalive, host: host, now: now)
            self.isQueued(change.job, wanted: wanted)
            return change
        }
        self.recent.keep(OriginalRequest(request), of: change.job)
        return change
    }

    /// To be called by the write that queues a job: what it asks for need not be read again, and a round of the allocator is due.
    func isQueued(_ job: Int, wanted: JobRequest) {
        self.requests.withLockedValue { $0[job] = wanted }
        self.rounds.ask()
    }

    package func job(_ id: Int) async throws -> JobRecord? {
        if let known = self.recent.job(id) { return known.record }
        return try await self.recentJob(id)?.record
    }

    /// The job, and its request as clients are told of it.
    func recentJob(_ id: Int) async throws -> RecentRows.Job? {
        if var known = self.recent.job(id) {
            if known.originalRequest == nil, let request = known.record.decodedRequest {
                known.originalRequest = request
                self.recent.keep(request, of: id)
            }
            return known
        }
        let ticket = self.recent.ticket()
        guard let record = try await self.pool.read({ db in try db.job(id) }) else { return nil }
        let job = RecentRows.Job(record: record, originalRequest: record.decodedRequest)
        self.recent.keep(job, ticket: ticket)
        return job
    }

    /// The ids of all jobs, newest first.
    package func jobIDs(includingDestroyed: Bool, limit: Int, start: Int) async throws -> [Int] {
        try await self.pool.read { db in
            let filter = includingDestroyed ? "" : "WHERE state <> 'DESTROYED'"
            let order = includingDestroyed ? "id" : "+id"
            return try db.integers("SELECT id FROM job \(filter) ORDER BY \(order) DESC LIMIT ? OFFSET ?", [limit, start]).map {
                Int($0)
            }
        }
    }

    package func liveJobs() async throws -> [JobRecord] {
        try await self.pool.read { db in
            try db.rows(
                "SELECT \(JobRecord.columns) FROM \(JobRecord.tables) WHERE state <> 'DESTROYED' ORDER BY +job.id DESC"
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
        try await self.writes.write { db in
            try db.run(
                "UPDATE job SET keepalive_at = ?, keepalive_host = ? WHERE id = ? AND state <> 'DESTROYED'",
                [now.milliseconds, host, job])
        }
    }

    /// Ends a job: its boards go off, and are free when they are. The first reason stays.
    ///
    /// - Returns: nil when it had ended already, or never was.
    package func destroy(_ job: Int, reason: String?, now: Timestamp) async throws -> JobChange? {
        let rounds = self.rounds
        let change = try await self.writes.write { db in
            // A job that was first in line may have held up others.
            rounds.ask()
            return try db.destroy(job, reason: reason, now: now)
        }
        if change != nil { self.requests.withLockedValue { $0[job] = nil } }
        return change
    }

    /// Ends the jobs that nobody kept alive, and those whose group has used what it had.
    ///
    /// - Returns: what changed, and when the next job will end if it is not kept alive, or its group is given no more.
    package func expire(now: Timestamp) async throws -> (changes: [JobChange], next: Timestamp?) {
        let rounds = self.rounds
        let result = try await self.writes.write { db -> (changes: [JobChange], next: Timestamp?) in
            let expired = try db.integers(Store.expiredJobs, [now.milliseconds])
            var changes: [JobChange] = []
            for job in expired {
                if let change = try db.destroy(Int(job), reason: Store.keepaliveExpired, now: now) { changes.append(change) }
            }
            let beyond = try db.endJobsBeyondQuota(now: now)
            if !changes.isEmpty || !beyond.changes.isEmpty { rounds.ask() }
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
        try await self.writes.write { db in
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
        // A board's row in the way goes.
        try self.run(
            "INSERT OR REPLACE INTO power_change (job_id, board_id, wanted, release) VALUES (?, ?, ?, ?)",
            [job, board, on, release])
    }

    /// Takes a job's boards from it. They stay held until they are off.
    func releaseBoards(of job: Int) throws {
        let boards = try self.integers(
            """
            UPDATE job_board SET releasing = 1 WHERE job_id = ? AND released_at IS NULL AND releasing = 0 RETURNING board_id
            """, [job])
        for board in boards { try self.want(false, board: board, job: job, release: true) }
    }

    func destroy(_ job: Int, reason: String?, now: Timestamp) throws -> JobChange? {
        guard
            let row = try self.row(
                """
                UPDATE job SET state = 'DESTROYED', revision = revision + 1, finished_at = ?, reason = ?
                WHERE id = ? AND state <> 'DESTROYED' RETURNING revision, machine_id, group_id
                """, [now.milliseconds, reason, job])
        else { return nil }
        if (row["group_id"] as Int64?) != nil { try self.charge(job, now: now) }
        try self.releaseBoards(of: job)
        try self.record(.destroyed, of: job, note: reason, now: now)
        return JobChange(job: job, revision: row["revision"], state: .destroyed, machine: row["machine_id"])
    }
}
