//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI

/// Where a group comes from. The names are the wire's, misspelling included.
package enum GroupType: String, Codable, Hashable, Sendable, CaseIterable {
    case `internal` = "INTERNAL"
    case organisation = "ORGANISATION"
    case collaboratory = "COLLABRATORY"
}

package struct GroupRecord: Hashable, Sendable {
    package var id: Int64
    package var name: String
    package var type: GroupType
    /// Board-seconds left when the last job ended; nil: no limit.
    package var quota: Int64?

    init(row: Row) {
        self.id = row["id"]
        self.name = row["name"]
        self.type = GroupType(rawValue: row["type"]) ?? .internal
        self.quota = row["quota"]
    }
}

/// One line of a group's account.
package struct QuotaEntry: Hashable, Sendable {
    package var at: Timestamp
    /// Board-seconds; nil: the limit was lifted.
    package var amount: Int64?
    /// What was left then; nil: no limit.
    package var balance: Int64?
    package var job: Int?
    package var by: String
    package var note: String?
}

/// What is done to a group's quota.
package enum QuotaChange: Hashable, Sendable {
    /// Board-seconds more or less; it does not go below 0.
    case adjust(Int64)
    case set(Int64)
    case unlimited
}

extension Store {
    /// The reason of a job whose group has used what it had.
    static let quotaExceeded = "quota exceeded"

    static let jobsWithoutQuota = """
        SELECT job.id FROM job JOIN user_group ON user_group.id = job.group_id
        WHERE job.state <> 'DESTROYED' AND job.group_id IS NOT NULL AND job.state = 'QUEUED' AND user_group.quota = 0
        """

    // MARK: - Reading

    package func groups() async throws -> [GroupRecord] {
        try await self.pool.read { try $0.rows("SELECT * FROM user_group ORDER BY name").map(GroupRecord.init(row:)) }
    }

    package func group(named name: String) async throws -> GroupRecord? {
        try await self.pool.read { try $0.row("SELECT * FROM user_group WHERE name = ?", [name]).map(GroupRecord.init(row:)) }
    }

    package func group(id: Int64) async throws -> GroupRecord? {
        try await self.pool.read { try $0.row("SELECT * FROM user_group WHERE id = ?", [id]).map(GroupRecord.init(row:)) }
    }

    package func groups(of user: Int64) async throws -> [GroupRecord] {
        try await self.pool.read { try $0.groups(of: user) }
    }

    package func members(of group: Int64) async throws -> [UserRecord] {
        try await self.pool.read { db in
            try db.rows(
                "SELECT user.* FROM group_member JOIN user ON user.id = group_member.user_id WHERE group_id = ? ORDER BY name",
                [group]
            ).map(UserRecord.init(row:))
        }
    }

    /// Of one group, or of all that have live jobs with boards.
    package func groupUsage(of group: Int64? = nil) async throws -> [GroupUsage] {
        try await self.pool.read { try $0.groupUsage(of: group) }
    }

    /// Newest first.
    package func quotaEntries(of group: Int64, limit: Int, start: Int = 0) async throws -> [QuotaEntry] {
        try await self.pool.read { db in
            try db.rows(
                "SELECT * FROM quota_entry WHERE group_id = ? ORDER BY id DESC LIMIT ? OFFSET ?", [group, limit, start]
            ).map { row in
                QuotaEntry(
                    at: Timestamp(milliseconds: row["at"]), amount: row["amount"], balance: row["balance"],
                    job: row["job_id"], by: row["by"], note: row["note"])
            }
        }
    }

    // MARK: - Writing

    /// - Returns: nil: there is a group of that name.
    package func addGroup(
        _ name: String, type: GroupType = .internal, quota: Int64?, by: String, now: Timestamp
    ) async throws -> GroupRecord? {
        try await self.pool.write { db in
            guard try db.row("SELECT 1 FROM user_group WHERE name = ?", [name]) == nil else { return nil }
            let id = try db.makeGroup(name, type: type, quota: quota, by: by, now: now)
            return try db.row("SELECT * FROM user_group WHERE id = ?", [id]).map(GroupRecord.init(row:))
        }
    }

    /// Sees that a configured group is there, with its members. A quota is what a new group begins with.
    ///
    /// - Throws: ``SpallocServerError`` for a member who is no user.
    package func ensureGroup(_ group: SpallocServerConfiguration.Group, now: Timestamp) async throws {
        var record = try await self.group(named: group.name)
        if record == nil {
            record = try await self.addGroup(group.name, quota: group.quota, by: "the configuration", now: now)
        }
        guard let record else { return }
        for name in group.members {
            guard let (user, _) = try await self.user(named: name) else {
                throw SpallocServerError(.configuration, "group \"\(group.name)\": there is no user \"\(name)\"")
            }
            try await self.setMember(true, user: user.id, of: record.id)
        }
    }

    /// - Returns: false: there are jobs of the group, live or past, or there is no such group.
    package func deleteGroup(_ group: Int64) async throws -> Bool {
        try await self.pool.write { db in
            guard try db.row("SELECT 1 FROM job WHERE group_id = ?", [group]) == nil else { return false }
            try db.run("DELETE FROM user_group WHERE id = ?", [group])
            return db.changesCount > 0
        }
    }

    /// - Returns: false: the name is taken.
    package func rename(group: Int64, to name: String) async throws -> Bool {
        try await self.pool.write { db in
            guard try db.row("SELECT 1 FROM user_group WHERE name = ? AND id <> ?", [name, group]) == nil else { return false }
            try db.run("UPDATE user_group SET name = ? WHERE id = ?", [name, group])
            return true
        }
    }

    /// - Returns: whether anything changed.
    @discardableResult
    package func setMember(_ isMember: Bool, user: Int64, of group: Int64) async throws -> Bool {
        try await self.pool.write { db in
            if isMember {
                try db.run("INSERT INTO group_member (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING", [group, user])
            } else {
                try db.run("DELETE FROM group_member WHERE group_id = ? AND user_id = ?", [group, user])
            }
            return db.changesCount > 0
        }
    }

    /// - Returns: what is left now; nil: no limit.
    @discardableResult
    package func changeQuota(
        of group: Int64, _ change: QuotaChange, by: String, note: String?, now: Timestamp
    ) async throws -> Int64? {
        try await self.pool.write { db in
            let old: Int64? = try db.row("SELECT quota FROM user_group WHERE id = ?", [group])?["quota"]
            let new: Int64?
            switch change {
            case .unlimited: new = nil
            case .set(let quota): new = max(0, quota)
            case .adjust(let amount):
                // Of no limit nothing is taken, and to it nothing can be added.
                guard let old else { return nil }
                let (sum, overflow) = old.addingReportingOverflow(amount)
                new = overflow ? (amount > 0 ? .max : 0) : max(0, sum)
            }
            try db.run("UPDATE user_group SET quota = ? WHERE id = ?", [new, group])
            try db.record(new.map { $0 - (old ?? 0) }, balance: new, of: group, by: by, note: note, now: now)
            return new
        }
    }
}

/// What groups have, for who decides within a transaction which of them pays.
package struct Accounts {
    let db: Database

    package func groups(of user: Int64) throws -> [GroupRecord] { try self.db.groups(of: user) }
    package func usage(of group: Int64) throws -> GroupUsage? { try self.db.groupUsage(of: group).first }
}

// MARK: - Within a transaction

extension Database {
    func groups(of user: Int64) throws -> [GroupRecord] {
        try self.rows(
            """
            SELECT user_group.* FROM group_member JOIN user_group ON user_group.id = group_member.group_id
            WHERE user_id = ? ORDER BY name
            """, [user]
        ).map(GroupRecord.init(row:))
    }

    func groupUsage(of group: Int64? = nil) throws -> [GroupUsage] {
        var jobs: [Int64: [GroupUsage.Job]] = [:]
        for row in try self.rows(
            """
            SELECT job.id, job.group_id, job.allocated_at, count(*) AS boards FROM job JOIN job_board ON job_board.job_id = job.id
            WHERE job.state <> 'DESTROYED' AND job.group_id IS NOT NULL AND (?1 IS NULL OR job.group_id = ?1)
                AND job_board.released_at IS NULL AND job_board.releasing = 0 AND job.allocated_at IS NOT NULL
            GROUP BY job.id
            """, [group])
        {
            jobs[row["group_id"], default: []].append(
                .init(id: row["id"], boards: row["boards"], since: Timestamp(milliseconds: row["allocated_at"])))
        }
        let groups =
            try group.map { try self.rows("SELECT id, quota FROM user_group WHERE id = ?", [$0]) }
            ?? self.rows("SELECT id, quota FROM user_group")
        return groups.compactMap { row in
            let id: Int64 = row["id"]
            guard group != nil || jobs[id] != nil else { return nil }
            return GroupUsage(group: id, quota: row["quota"], jobs: jobs[id] ?? [])
        }
    }

    func makeGroup(_ name: String, type: GroupType, quota: Int64?, by: String, now: Timestamp) throws -> Int64 {
        try self.run("INSERT INTO user_group (name, type, quota) VALUES (?, ?, ?)", [name, type.rawValue, quota])
        let id = self.lastInsertedRowID
        try self.record(quota, balance: quota, of: id, by: by, note: "the group was made", now: now)
        return id
    }

    fileprivate func record(
        _ amount: Int64?, balance: Int64?, of group: Int64, job: Int? = nil, by: String, note: String?, now: Timestamp
    ) throws {
        try self.run(
            "INSERT INTO quota_entry (group_id, at, amount, balance, job_id, by, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [group, now.milliseconds, amount, balance, job, by, note])
    }

    /// What a job used is taken from its group's quota, in the transaction that ends it: never twice, never not. To be called while the boards
    /// are still the job's.
    func charge(_ job: Int, now: Timestamp) throws {
        guard
            let row = try self.row(
                """
                SELECT job.group_id, job.allocated_at, user_group.quota, user.name AS owner,
                    (SELECT count(*) FROM job_board WHERE job_id = job.id AND released_at IS NULL AND releasing = 0) AS boards
                FROM job JOIN user_group ON user_group.id = job.group_id JOIN user ON user.id = job.owner_id WHERE job.id = ?
                """, [job]), let group: Int64 = row["group_id"], let since: Int64 = row["allocated_at"]
        else { return }
        let boards: Int = row["boards"]
        guard boards > 0 else { return }
        let milliseconds = GroupUsage.used(boards: boards, since: Timestamp(milliseconds: since), until: now)
        // Whole board-seconds, to the nearest.
        let used = milliseconds / 1000 + (milliseconds % 1000 >= 500 ? 1 : 0)
        let quota: Int64? = row["quota"]
        let left = quota.map { max(0, $0 - min($0, used)) }
        try self.run("UPDATE user_group SET quota = ? WHERE id = ?", [left, group])
        // The moment that a quota ends is never met exactly: what is beyond it is not charged.
        let charged = quota.map { $0 - (left ?? 0) } ?? used
        try self.record(
            -charged, balance: left, of: group, job: job, by: row["owner"],
            note: "\(boards) \(boards == 1 ? "board" : "boards") for \(milliseconds / Int64(boards) / 1000) s",
            now: now)
    }

    /// Ends the jobs of groups that have used what they had.
    ///
    /// - Returns: what changed, and when the next group will have.
    func endJobsBeyondQuota(now: Timestamp) throws -> (changes: [JobChange], next: Timestamp?) {
        var changes: [JobChange] = []
        var next: Timestamp?
        // With nothing left, those who wait need not wait.
        for job in try self.integers(Store.jobsWithoutQuota) {
            if let change = try self.destroy(Int(job), reason: Store.quotaExceeded, now: now) { changes.append(change) }
        }
        for usage in try self.groupUsage() {
            if usage.isExhausted(now: now) {
                for job in usage.jobs {
                    if let change = try self.destroy(job.id, reason: Store.quotaExceeded, now: now) { changes.append(change) }
                }
            } else if let at = usage.exhaustion(now: now) {
                next = next.map { min($0, at) } ?? at
            }
        }
        return (changes, next)
    }
}
