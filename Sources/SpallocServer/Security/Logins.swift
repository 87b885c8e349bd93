//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import NIOConcurrencyHelpers

/// Who says who they are, and whether it is true.
package final class Logins: Sendable {
    package enum Refusal: Error, Hashable, Sendable {
        case wrong
        case locked
        case disabled
    }

    private struct Verified {
        var user: Int64
        /// What the store had. Another process may have given the user a new password since.
        var hash: PasswordHash
        var until: Timestamp
    }

    /// nil: no issuer is configured.
    package let bearer: BearerLogins?
    /// nil: nobody logs in there in a browser.
    package let browser: BrowserLogins?
    private let store: Store
    private let clock: WallClock
    /// As it is now: it may be changed while the service runs.
    private let lockout: @Sendable () -> SpallocServerConfiguration.Lockout
    private let rounds: Int
    /// Basic authentication brings the password with every request: one that was right is not hashed again for a while. The key is a
    /// MAC under a key that lives only here.
    private let verified = NIOLockedValueBox<[Data: Verified]>([:])
    private let macKey = SymmetricKey(size: .bits256)
    private static let verifiedFor = Duration.seconds(60)
    private static let maximumVerified = 1000

    package init(
        store: Store, clock: @escaping WallClock, lockout: @escaping @Sendable () -> SpallocServerConfiguration.Lockout,
        rounds: Int, bearer: BearerLogins? = nil, browser: BrowserLogins? = nil
    ) {
        self.bearer = bearer
        self.browser = browser
        self.store = store
        self.clock = clock
        self.lockout = lockout
        self.rounds = rounds
    }

    /// The full check, which also counts failures.
    package func logIn(name: String, password: String) async throws -> Result<UserRecord, Refusal> {
        try await self.check(name: name, password: password).map(\.user)
    }

    private func check(
        name: String, password: String
    ) async throws -> Result<(user: UserRecord, hash: PasswordHash), Refusal> {
        let name = name.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !name.isEmpty, let (user, hash) = try await self.store.user(named: name), let hash else {
            // An unknown name takes as long as a wrong password.
            _ = try await PasswordHash.make(password, rounds: self.rounds)
            return .failure(.wrong)
        }
        let now = self.clock()
        if let until = user.lockedUntil, until > now { return .failure(.locked) }
        guard try await hash.matches(password) else {
            try await self.store.recordLogin(user: user.id, succeeded: false, lockout: self.lockout(), now: now)
            return .failure(.wrong)
        }
        guard user.enabled else { return .failure(.disabled) }
        try await self.store.recordLogin(user: user.id, succeeded: true, lockout: self.lockout(), now: now)
        return .success((user, hash))
    }

    /// For Basic authentication: a password that was right within the last minute is taken as right.
    package func verify(name: String, password: String) async throws -> UserRecord? {
        let now = self.clock()
        let key = Data(HMAC<SHA256>.authenticationCode(for: Array("\(name)\u{0}\(password)".utf8), using: self.macKey))
        if let known = self.verified.withLockedValue({ $0[key] }), known.until > now,
            let (user, hash) = try await self.store.user(id: known.user), hash == known.hash, user.enabled,
            user.lockedUntil.map({ $0 <= now }) ?? true
        {
            return user
        }
        guard case .success(let (user, hash)) = try await self.check(name: name, password: password) else { return nil }
        self.verified.withLockedValue { verified in
            if verified.count >= Logins.maximumVerified { verified = verified.filter { $0.value.until > now } }
            if verified.count >= Logins.maximumVerified { verified.removeAll() }
            verified[key] = Verified(user: user.id, hash: hash, until: now + Logins.verifiedFor)
        }
        return user
    }
}
