//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocAllocator
import SpiNNakerWire

/// A job as the legacy port tells of it. The power of its boards is of other tables, but whatever changes what is told of it also changes
/// the job's state and revision.
struct V1JobView: Sendable {
    var record: JobRecord
    /// In POWER what it will be, in READY what it is; nil otherwise.
    var power: Bool?
    /// Whether it has, or had when it ended, boards.
    var hasPlace: Bool
    /// What its creator called itself; nil for a job that did not come over the legacy port.
    var owner: String?
    var args: String?
    var kwargs: String?
}

/// A job that is to be made, with what only the legacy port wants to know of it.
struct V1NewJob: Sendable {
    var user: Int64
    var request: CreateJobRequest
    /// nil: no machine can ever serve it. It exists, and is over.
    var wanted: JobRequest?
    var keepalive: Duration
    var host: String?
    var owner: String
    var args: String
    var kwargs: String
}

extension Store {
    /// The user that the jobs of the legacy port belong to. One that is new has no password: nobody can log in as it.
    func v1User(named name: String) async throws -> Int64 {
        try await self.writes.write { db in
            try db.run(
                "INSERT INTO user (name, password, trust) VALUES (?, NULL, 'USER') ON CONFLICT (name) DO NOTHING", [name])
            return try db.integers("SELECT id FROM user WHERE name = ?", [name]).first ?? 0
        }
    }

    /// - Returns: the job's changes: queued, or queued and at once destroyed; nil when there are `maximum` jobs.
    func createV1Job(_ job: V1NewJob, maximum: Int, now: Timestamp) async throws -> [JobChange]? {
        let json = try job.request.storedJSON
        return try await self.writes.write { db -> [JobChange]? in
            // All live jobs are counted quickly; those of the user only if it may matter.
            if try db.integers("SELECT count(*) FROM job WHERE state <> 'DESTROYED'").first ?? 0 >= maximum,
                try db.integers("SELECT count(*) FROM job WHERE state <> 'DESTROYED' AND owner_id = ?", [job.user]).first ?? 0
                    >= maximum
            {
                return nil
            }
            // Who is in one group need not name it, and version 1 cannot.
            let groups = try db.groups(of: job.user)
            let change = try db.queueJob(
                owner: job.user, group: groups.count == 1 ? groups.first?.id : nil, request: json, keepalive: job.keepalive,
                host: job.host, now: now)
            try db.run(
                "INSERT INTO v1_job (job_id, owner, args, kwargs) VALUES (?, ?, ?, ?)",
                [change.job, job.owner, job.args, job.kwargs])
            if let wanted = job.wanted {
                self.isQueued(change.job, wanted: wanted)
                return [change]
            }
            return [change] + [try db.destroy(change.job, reason: V1Text.noMachine, now: now)].compactMap { $0 }
        }
    }

    /// Reads the rules of the jobs of before: a job's request, which the allocator goes by, does not have them.
    func restoreV1Rules() async throws {
        for (id, job) in try await self.v1LiveJobs(known: { _, _, _ in false }) {
            guard let view = job?.view, let rules = JobRequest.Rules(view), rules != JobRequest.Rules(),
                let request = try? JSONDecoder().decode(CreateJobRequest.self, from: Data(view.record.request.utf8)),
                var wanted = try? JobRequest(request)
            else { continue }
            wanted.rules = rules
            self.requests.withLockedValue { $0[id] = wanted }
        }
    }

    func v1Job(_ id: Int) async throws -> V1JobView? {
        if let known = self.recent.v1Job(id) { return known }
        let ticket = self.recent.ticket()
        guard let job = try await self.pool.read({ db in try db.v1Job(id) }) else { return nil }
        self.recent.keep(job, ticket: ticket)
        return job
    }

    /// Keeps a job of a user alive, if it is one and lives.
    func keepAliveV1(_ job: Int, user: Int64, host: String?, now: Timestamp) async throws {
        try await self.writes.write { db in
            try db.run(
                "UPDATE job SET keepalive_at = ?, keepalive_host = ? WHERE id = ? AND owner_id = ? AND state <> 'DESTROYED'",
                [now.milliseconds, host, job, user])
        }
    }

    /// By the index of those that live: see ``expiredJobs``.
    static let v1LiveJobs = "SELECT id, revision, keepalive_host FROM job WHERE state <> 'DESTROYED' ORDER BY +id"

    /// The live jobs, oldest first. Those of which `known` says that nothing has changed are named only.
    func v1LiveJobs(
        known: @escaping @Sendable (_ job: Int, _ revision: Int64, _ host: String?) -> Bool
    ) async throws -> [(id: Int, changed: (view: V1JobView, boards: [Int64])?)] {
        try await self.pool.read { db in
            try db.rows(Store.v1LiveJobs).map { row in
                let id: Int = row["id"]
                guard !known(id, row["revision"], row["keepalive_host"]), let view = try db.v1Job(id) else { return (id, nil) }
                return (id, (view, view.record.allocation == nil ? [] : try db.boards(of: id)))
            }
        }
    }
}

extension Database {
    func v1Job(_ id: Int) throws -> V1JobView? {
        guard
            let row = try self.row(
                """
                SELECT \(JobRecord.columns), v1_job.owner AS v1_owner, v1_job.args, v1_job.kwargs
                FROM \(JobRecord.tables) LEFT JOIN v1_job ON v1_job.job_id = job.id WHERE job.id = ?
                """, [id])
        else { return nil }
        let record = JobRecord(row: row)
        return V1JobView(
            record: record, power: try self.power(of: record), hasPlace: (row["machine_id"] as Int64?) != nil,
            owner: row["v1_owner"], args: row["args"], kwargs: row["kwargs"])
    }

    /// All of a job's boards are switched together, so one of them tells.
    private func power(of job: JobRecord) throws -> Bool? {
        guard let allocation = job.allocation else { return nil }
        if job.state == .power,
            let row = try self.row("SELECT wanted FROM power_change WHERE job_id = ? AND release = 0 LIMIT 1", [job.id])
        {
            return row["wanted"]
        }
        return try self.row("SELECT powered FROM board WHERE id = ?", [allocation.root])?["powered"]
    }
}
