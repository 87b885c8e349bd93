//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOCore
import SpallocAPI

/// A user as the store has it.
package struct UserRecord: Hashable, Sendable {
    package var id: Int64
    package var name: String
    package var trustLevel: TrustLevel
    package var enabled: Bool
    package var failures: Int
    package var lockedUntil: Timestamp?
    package var lastSuccess: Timestamp?
    package var lastFailure: Timestamp?
    package var hasPassword: Bool
    /// Logs in with tokens of an issuer, and never has a password here.
    package var isExternal: Bool
    /// The issuer's name for the account.
    package var subject: String?

    init(row: Row) {
        self.id = row["id"]
        self.name = row["name"]
        self.trustLevel = TrustLevel(rawValue: row["trust"]) ?? .basic
        self.enabled = row["enabled"]
        self.failures = row["failures"]
        self.lockedUntil = (row["locked_until"] as Int64?).map(Timestamp.init(milliseconds:))
        self.lastSuccess = (row["last_success"] as Int64?).map(Timestamp.init(milliseconds:))
        self.lastFailure = (row["last_failure"] as Int64?).map(Timestamp.init(milliseconds:))
        self.hasPassword = (row["password"] as String?) != nil
        self.isExternal = row["external"]
        self.subject = row["subject"]
    }
}

/// A session that was logged in to.
package struct SessionRecord: Hashable, Sendable {
    /// The row's number, by which the database tells that it has changed.
    var row: Int64
    package var user: UserRecord
    package var csrf: String
    package var usedAt: Timestamp
    /// When it ends, however much it is used.
    package var expiresAt: Timestamp?
}

extension Store {
    package func user(named name: String) async throws -> (user: UserRecord, password: PasswordHash?)? {
        try await self.pool.read { db in
            try db.row("SELECT * FROM user WHERE name = ?", [name]).map { row in
                (UserRecord(row: row), (row["password"] as String?).flatMap(PasswordHash.init))
            }
        }
    }

    package func user(id: Int64) async throws -> (user: UserRecord, password: PasswordHash?)? {
        try await self.pool.read { db in
            try db.row("SELECT * FROM user WHERE id = ?", [id]).map { row in
                (UserRecord(row: row), (row["password"] as String?).flatMap(PasswordHash.init))
            }
        }
    }

    package func users() async throws -> [UserRecord] {
        try await self.pool.read { db in try db.rows("SELECT * FROM user ORDER BY name").map(UserRecord.init(row:)) }
    }

    /// Makes a user, or gives one another password or trust. All of the user's sessions end if the user existed.
    @discardableResult
    package func setUser(name: String, password: PasswordHash?, trustLevel: TrustLevel) async throws -> UserRecord? {
        try await self.pool.write { db in
            try db.run(
                """
                INSERT INTO user (name, password, trust) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET password = excluded.password, trust = excluded.trust, failures = 0, locked_until = NULL
                """, [name, password?.description, trustLevel.rawValue])
            try db.run("DELETE FROM session WHERE user_id = (SELECT id FROM user WHERE name = ?)", [name])
            return try db.row("SELECT * FROM user WHERE name = ?", [name]).map(UserRecord.init(row:))
        }
    }

    /// Sees that a configured user is as configured; a password that has not changed is not hashed again, nor do sessions end.
    package func ensureUser(_ user: SpallocServerConfiguration.User, rounds: Int = PasswordHash.defaultRounds) async throws {
        if let (known, hash) = try await self.user(named: user.name), let hash, known.trustLevel == user.trustLevel,
            try await hash.matches(user.password)
        {
            return
        }
        try await self.setUser(
            name: user.name, password: try await .make(user.password, rounds: rounds), trustLevel: user.trustLevel)
    }

    package func recordLogin(user: Int64, succeeded: Bool, lockout: SpallocServerConfiguration.Lockout, now: Timestamp)
        async throws
    {
        try await self.pool.write { db in
            if succeeded {
                try db.run(
                    "UPDATE user SET failures = 0, locked_until = NULL, last_success = ? WHERE id = ?",
                    [now.milliseconds, user])
            } else {
                // In SQL all right-hand sides see the old values.
                try db.run(
                    """
                    UPDATE user SET failures = failures + 1, last_failure = ?,
                    locked_until = CASE WHEN failures + 1 >= ? THEN ? ELSE locked_until END WHERE id = ?
                    """, [now.milliseconds, lockout.failures, (now + lockout.duration).milliseconds, user])
            }
        }
    }

    package func setEnabled(_ enabled: Bool, user: Int64) async throws {
        try await self.pool.write { db in
            try db.run("UPDATE user SET enabled = ? WHERE id = ?", [enabled, user])
            if !enabled { try db.run("DELETE FROM session WHERE user_id = ?", [user]) }
        }
    }

    /// Which of these may not be here any more.
    package func disabled(among users: Set<Int64>) async throws -> Set<Int64> {
        guard !users.isEmpty else { return [] }
        return try await self.pool.read { db in
            Set(try db.integers("SELECT id FROM user WHERE enabled = 0")).intersection(users)
        }
    }

    package func unlock(user: Int64) async throws {
        try await self.pool.write { db in
            try db.run("UPDATE user SET failures = 0, locked_until = NULL WHERE id = ?", [user])
        }
    }

    /// - Returns: false: the name is taken.
    package func rename(user: Int64, to name: String) async throws -> Bool {
        try await self.pool.write { db in
            guard try db.row("SELECT 1 FROM user WHERE name = ? AND id <> ?", [name, user]) == nil else { return false }
            try db.run("UPDATE user SET name = ? WHERE id = ?", [name, user])
            return true
        }
    }

    /// Of another trust: all of the user's sessions end.
    package func setTrustLevel(_ trustLevel: TrustLevel, user: Int64) async throws {
        try await self.pool.write { db in
            try db.run("UPDATE user SET trust = ? WHERE id = ?", [trustLevel.rawValue, user])
            try db.run("DELETE FROM session WHERE user_id = ?", [user])
        }
    }

    package func liveJobCount(of user: Int64) async throws -> Int {
        try await self.pool.read { db in
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM job WHERE owner_id = ? AND state <> 'DESTROYED'", arguments: [user]) ?? 0
        }
    }

    /// - Returns: false: the user has jobs, live or past, and stays for their sake.
    package func deleteUser(_ user: Int64) async throws -> Bool {
        try await self.pool.write { db in
            guard
                try db.row(
                    "SELECT 1 FROM job WHERE owner_id = ?1 UNION SELECT 1 FROM board_report WHERE reporter_id = ?1", [user])
                    == nil
            else { return false }
            try db.run("DELETE FROM user WHERE id = ?", [user])
            return true
        }
    }

    // MARK: - Sessions

    package func sessionCount(of user: Int64) async throws -> Int {
        try await self.pool.read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM session WHERE user_id = ?", arguments: [user]) ?? 0
        }
    }

    /// Ends all of a user's sessions but one, named as the store names it.
    package func removeSessions(of user: Int64, except kept: String?) async throws {
        try await self.pool.write { db in
            try db.run("DELETE FROM session WHERE user_id = ? AND id IS NOT ?", [user, kept])
        }
    }

    package func addSession(
        id: String, user: Int64, csrf: String, expiry: Timestamp? = nil, now: Timestamp
    ) async throws {
        try await self.pool.write { db in
            try db.run(
                "INSERT INTO session (id, user_id, csrf, created_at, used_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                [id, user, csrf, now.milliseconds, now.milliseconds, expiry?.milliseconds])
        }
    }

    package func session(id: String) async throws -> SessionRecord? {
        let now = NIODeadline.now()
        if let known = self.recent.session(id, now: now) { return known }
        let ticket = self.recent.ticket()
        let session = try await self.pool.read { db in
            try db.row(
                """
                SELECT user.*, session.rowid AS session_row, session.csrf, session.used_at, session.expires_at
                FROM session JOIN user ON user.id = session.user_id WHERE session.id = ?
                """, [id]
            ).map { row in
                SessionRecord(
                    row: row["session_row"], user: UserRecord(row: row), csrf: row["csrf"],
                    usedAt: Timestamp(milliseconds: row["used_at"]),
                    expiresAt: (row["expires_at"] as Int64?).map(Timestamp.init(milliseconds:)))
            }
        }
        if let session { self.recent.keep(session, id: id, ticket: ticket, now: now) }
        return session
    }

    package func touchSession(id: String, now: Timestamp) async throws {
        try await self.pool.write { db in
            try db.run("UPDATE session SET used_at = ? WHERE id = ?", [now.milliseconds, id])
        }
    }

    package func removeSession(id: String) async throws {
        try await self.pool.write { db in try db.run("DELETE FROM session WHERE id = ?", [id]) }
    }

    package func removeSessions(unusedSince: Timestamp, now: Timestamp) async throws {
        try await self.pool.write { db in
            try db.run(
                "DELETE FROM session WHERE used_at < ? OR expires_at <= ?", [unusedSince.milliseconds, now.milliseconds])
        }
    }
}
