//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import NIOConcurrencyHelpers

/// Cookies and what they stand for.
///
/// A session that was logged in to is in the store and survives a restart. One that was not (the login form needs a token) is kept in
/// memory, and only so many of them, so that who never logs in cannot fill the disk.
package final class Sessions: Sendable {
    package enum Found: Sendable {
        case anonymous(csrf: String)
        /// - expiry: when it ends, however much it is used.
        case user(UserRecord, csrf: String, expiry: Timestamp?)

        package var csrf: String {
            switch self {
            case .anonymous(let csrf), .user(_, let csrf, _): csrf
            }
        }
    }

    package struct New: Hashable, Sendable {
        /// The cookie's value: upper-case hex, which is what the stock Java client looks for.
        package var cookie: String
        /// Lower-case hex and dashes, as both stock clients' patterns want it.
        package var csrf: String
    }

    private struct Anonymous {
        var csrf: String
        var at: Timestamp
    }

    private let store: Store
    private let clock: WallClock
    private let idle: Duration
    private let anonymous = NIOLockedValueBox<[String: Anonymous]>([:])
    /// When a session's use was last written down: once a minute is enough.
    private let touched = NIOLockedValueBox<[String: Timestamp]>([:])

    private static let maximumAnonymous = 10_000
    private static let touchInterval = Duration.seconds(60)

    package init(store: Store, clock: @escaping WallClock, idle: Duration) {
        self.store = store
        self.clock = clock
        self.idle = idle
    }

    /// A session for somebody not yet known.
    package func begin() -> New {
        let new = Sessions.make()
        let now = self.clock()
        self.anonymous.withLockedValue { sessions in
            if sessions.count >= Sessions.maximumAnonymous {
                let limit = sessions.values.map(\.at).sorted()[sessions.count / 2]
                sessions = sessions.filter { $0.value.at > limit }
            }
            sessions[Sessions.key(new.cookie)] = Anonymous(csrf: new.csrf, at: now)
        }
        return new
    }

    /// - Parameter expiry: when the session ends even if it is used.
    package func logIn(_ user: UserRecord, expiry: Timestamp? = nil) async throws -> New {
        let new = Sessions.make()
        try await self.store.addSession(
            id: Sessions.key(new.cookie), user: user.id, csrf: new.csrf, expiry: expiry, now: self.clock())
        return new
    }

    package func find(_ cookie: String) async throws -> Found? {
        guard cookie.utf8.count <= 64 else { return nil }
        let key = Sessions.key(cookie)
        let now = self.clock()
        if let known = self.anonymous.withLockedValue({ $0[key] }), known.at + self.idle > now {
            return .anonymous(csrf: known.csrf)
        }
        guard let session = try await self.use(key, now: now) else { return nil }
        return .user(session.user, csrf: session.csrf, expiry: session.expiresAt)
    }

    /// Something goes on that this session has begun, which is a use of it.
    ///
    /// - Parameter key: what the cookie is stored as.
    /// - Returns: false: the session is over.
    package func keep(key: String) async throws -> Bool { try await self.use(key, now: self.clock()) != nil }

    private func use(_ key: String, now: Timestamp) async throws -> SessionRecord? {
        guard let (session, used) = try await self.valid(key, now: now) else { return nil }
        if used + Sessions.touchInterval < now {
            try await self.store.touchSession(id: key, now: now)
            self.touched.withLockedValue { $0[key] = now }
        }
        return session
    }

    /// Whether somebody is logged in with this cookie. Unlike ``find(_:)`` this is no use of the session: a page that is left open does
    /// not keep it for ever.
    package func isAlive(_ cookie: String) async throws -> Bool {
        try await self.valid(Sessions.key(cookie), now: self.clock()) != nil
    }

    /// A session that somebody logged in to and that is not over, and when it was last used.
    private func valid(_ key: String, now: Timestamp) async throws -> (session: SessionRecord, used: Timestamp)? {
        guard let session = try await self.store.session(id: key), session.user.enabled else { return nil }
        let used = max(session.usedAt, self.touched.withLockedValue { $0[key] } ?? session.usedAt)
        guard used + self.idle > now, session.expiresAt.map({ $0 > now }) ?? true else { return nil }
        return (session, used)
    }

    package func end(_ cookie: String) async throws {
        let key = Sessions.key(cookie)
        self.anonymous.withLockedValue { $0[key] = nil }
        self.touched.withLockedValue { $0[key] = nil }
        try await self.store.removeSession(id: key)
    }

    /// Forgets what nobody has used for too long.
    package func sweep() async throws {
        let now = self.clock()
        let limit = now - self.idle
        self.anonymous.withLockedValue { sessions in sessions = sessions.filter { $0.value.at > limit } }
        self.touched.withLockedValue { touched in touched = touched.filter { $0.value > limit } }
        try await self.store.removeSessions(unusedSince: limit, now: now)
    }

    private static func make() -> New {
        var random = SystemRandomNumberGenerator()
        return New(cookie: hex(random.next()) + hex(random.next()), csrf: UUID().uuidString.lowercased())
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// What a cookie is stored as.
    static func key(_ cookie: String) -> String {
        String(unsafeUninitializedCapacity: SHA256.byteCount * 2) { text in
            for (index, byte) in SHA256.hash(data: Array(cookie.utf8)).enumerated() {
                text[index * 2] = Sessions.digits[Int(byte >> 4)]
                text[index * 2 + 1] = Sessions.digits[Int(byte & 15)]
            }
            return SHA256.byteCount * 2
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}

extension Timestamp {
    package static func - (a: Timestamp, b: Duration) -> Timestamp { Timestamp(milliseconds: a.milliseconds &- b.milliseconds) }
}
