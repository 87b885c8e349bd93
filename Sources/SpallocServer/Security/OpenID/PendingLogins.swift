//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import SpallocAPI

/// Logins that were begun in a browser and that the issuer has not sent back yet.
///
/// In memory only: after a restart one begins anew. Each is good for one try, for ten minutes, and in the browser that began it, which has a
/// cookie of its own for that. What is not there any more was forgotten for the sake of newer ones, or never was there.
struct PendingLogins {
    struct Pending: Hashable {
        /// SHA-256 of the browser's cookie.
        fileprivate var browser: String
        var nonce: String
        /// The secret of RFC 7636, of which the issuer was told only the hash.
        var verifier: String
        /// Where the issuer was told to send the browser.
        var callback: String
        var place: ReturnPlace?
        fileprivate var at: Timestamp
    }

    /// What goes to the issuer, and to the browser.
    struct New: Hashable {
        var state: String
        var nonce: String
        var challenge: String
        var cookie: String
    }

    static let maximum = 10_000
    static let life = Duration.seconds(600)

    private var pending: [String: Pending] = [:]

    var count: Int { self.pending.count }

    mutating func begin(callback: String, place: ReturnPlace?, now: Timestamp) -> New {
        if self.pending.count >= Self.maximum { self.pending = self.pending.filter { $0.value.at + Self.life > now } }
        if self.pending.count >= Self.maximum {
            let limit = self.pending.values.map(\.at).sorted()[self.pending.count / 2]
            self.pending = self.pending.filter { $0.value.at > limit }
        }
        let verifier = Self.random()
        let new = New(
            state: Self.random(), nonce: Self.random(),
            challenge: Base64URL.encode(Data(SHA256.hash(data: Data(verifier.utf8)))), cookie: Self.random())
        self.pending[new.state] = Pending(
            browser: Sessions.key(new.cookie), nonce: new.nonce, verifier: verifier, callback: callback, place: place, at: now)
        return new
    }

    /// The login that comes back, once. Somebody else's try leaves it as it is.
    mutating func take(state: String, cookie: String, now: Timestamp) -> Pending? {
        guard let found = self.pending[state], found.browser == Sessions.key(cookie) else { return nil }
        self.pending[state] = nil
        return found.at + Self.life > now ? found : nil
    }

    /// 256 bits of the system's, in letters that need no escaping anywhere.
    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64URL.encode(Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }))
    }
}
