//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOConcurrencyHelpers
import SpallocAPI

/// Lets people log in at the issuer, in their browser: the authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636).
///
/// What comes back through the browser is a code, of no use without the secrets that stay here. Who somebody is, the issuer says to the
/// service itself, in a signed ID token; the account is the one that a bearer token of that person has.
package final class BrowserLogins: Sendable {
    package typealias Settings = SpallocServerConfiguration.OIDC.BrowserLogin

    /// Why a login came to nothing: by these words the login form is told, and what they mean is said there.
    package enum Failure: String, Error, Hashable, Sendable {
        case issuer, stale, denied, token, account, busy
    }

    package struct Start: Hashable, Sendable {
        /// At the issuer.
        package var location: String
        /// What the browser has to bring back.
        package var cookie: String
    }

    package struct Login: Sendable {
        package var user: UserRecord
        /// When the session ends, however much it is used.
        package var expiry: Timestamp
        var place: ReturnPlace?
    }

    /// What the issuer sends back through the browser.
    package struct Answer: Sendable {
        package var state: String?
        package var code: String?
        package var error: String?
        package var issuer: String?

        package init(state: String?, code: String?, error: String? = nil, issuer: String? = nil) {
            self.state = state
            self.code = code
            self.error = error
            self.issuer = issuer
        }
    }

    let settings: Settings
    private let bearer: BearerLogins
    private let fetch: IssuerFetch
    private let places: IssuerValue<IssuerPlaces>
    private let pending = NIOLockedValueBox(PendingLogins())
    private let exchanges = NIOLockedValueBox(0)

    /// Each is a request to the issuer, by whoever has begun a login.
    static let maximumExchanges = 32
    /// Longer than any issuer's; it goes to the issuer as it is.
    private static let maximumCode = 4096

    init(_ settings: Settings, bearer: BearerLogins, fetch: @escaping IssuerFetch) {
        self.settings = settings
        self.bearer = bearer
        self.fetch = fetch
        let issuer = bearer.configuration.issuer
        self.places = IssuerValue("its openid-configuration", clock: bearer.clock) {
            try await IssuerPlaces.fetch(issuer: issuer, by: fetch)
        }
    }

    package var pendingCount: Int { self.pending.withLockedValue { $0.count } }

    // MARK: - To the issuer

    /// - Parameter callback: where the issuer is to send the browser; an address that it knows.
    /// - Throws: ``Failure``
    func begin(callback: String, place: ReturnPlace?) async throws -> Start {
        let endpoint = try await self.endpoint(\.authorization, "authorization_endpoint")
        let new = self.pending.withLockedValue { $0.begin(callback: callback, place: place, now: self.bearer.clock()) }
        let parameters = [
            ("response_type", "code"), ("client_id", self.settings.clientID), ("redirect_uri", callback),
            ("scope", self.settings.scopes.joined(separator: " ")), ("state", new.state), ("nonce", new.nonce),
            ("code_challenge", new.challenge), ("code_challenge_method", "S256"),
        ]
        let query = parameters.map { "\($0.0)=\(Links.escape($0.1))" }.joined(separator: "&")
        return Start(location: endpoint + (endpoint.contains("?") ? "&" : "?") + query, cookie: new.cookie)
    }

    private func endpoint(_ place: KeyPath<IssuerPlaces, String?>, _ name: String) async throws -> String {
        do {
            guard let endpoint = try await self.places.value()[keyPath: place], !endpoint.contains("#") else {
                throw IssuerError("its openid-configuration has no \(name) that can be trusted")
            }
            return endpoint
        } catch {
            throw self.failure(error)
        }
    }

    // MARK: - And back

    /// - Parameter cookie: what the browser brings.
    /// - Throws: ``Failure``
    func finish(_ answer: Answer, cookie: String?) async throws -> Login {
        guard let state = answer.state, let cookie, cookie.utf8.count <= 64,
            let pending = self.pending.withLockedValue({ $0.take(state: state, cookie: cookie, now: self.bearer.clock()) })
        else { throw Failure.stale }
        if let issuer = answer.issuer, issuer != self.bearer.configuration.issuer { throw Failure.token }
        guard answer.error == nil, let code = answer.code, !code.isEmpty, code.utf8.count <= Self.maximumCode else {
            throw Failure.denied
        }
        guard self.enter() else { throw Failure.busy }
        defer { self.exchanges.withLockedValue { $0 -= 1 } }
        let identity: ExternalIdentity
        do {
            identity = try await self.identity(code: code, pending, namesItself: answer.issuer != nil)
        } catch {
            throw self.failure(error)
        }
        guard let user = try await self.bearer.user(of: identity) else { throw Failure.account }
        return Login(user: user, expiry: self.bearer.clock() + self.settings.sessionLimit, place: pending.place)
    }

    private func enter() -> Bool {
        self.exchanges.withLockedValue { count in
            guard count < Self.maximumExchanges else { return false }
            count += 1
            return true
        }
    }

    /// What goes wrong with the issuer is the operator's to know; the browser is told no more than what to do.
    private func failure(_ error: any Error) -> any Error {
        switch error {
        case is Failure, is CancellationError: return error
        case let error as BearerToken.Refusal:
            self.bearer.logger.notice("a login's ID token is refused", metadata: ["reason": "\(error)"])
            return Failure.token
        default:
            self.bearer.logger.error(
                "no login by the issuer", metadata: ["issuer": "\(self.bearer.configuration.issuer)", "error": "\(error)"])
            return Failure.issuer
        }
    }

    /// - Throws: ``IssuerError``, ``BearerToken/Refusal``
    private func identity(
        code: String, _ pending: PendingLogins.Pending, namesItself: Bool
    ) async throws -> ExternalIdentity {
        let configuration = self.bearer.configuration
        let places = try await self.places.value()
        guard namesItself || !places.namesItself else { throw BearerToken.Refusal.issuer }
        guard let endpoint = places.token else {
            throw IssuerError("its openid-configuration has no token_endpoint that can be trusted")
        }
        let tokens = try await self.tokens(at: endpoint, code: code, pending, inForm: places.takesSecretInForm)
        let token = try BearerToken(tokens.identity)
        let keys = try await self.bearer.keys.keys(for: token.kid)
        let claims = try token.claims(
            keys, for: configuration, audiences: [self.settings.clientID], now: self.bearer.clock())
        // Who else it is for must not be who asked for it.
        let party = claims.fields["azp"] as? String
        guard party == self.settings.clientID || (party == nil && claims.audiences.count == 1) else {
            throw BearerToken.Refusal.audience
        }
        guard claims.fields["nonce"] as? String == pending.nonce else { throw BearerToken.Refusal.nonce }
        var fields = claims.fields
        if let access = tokens.access, let place = places.userInfo, self.lacksSomething(fields) {
            let more = try await self.userInfo(at: place, access: access)
            guard let subject = fields["sub"] as? String, more["sub"] as? String == subject else {
                throw BearerToken.Refusal.claims
            }
            // What is signed counts.
            fields.merge(more) { signed, _ in signed }
        }
        guard let identity = ExternalIdentity(fields, expiry: claims.expiry, configuration) else {
            throw BearerToken.Refusal.claims
        }
        return identity
    }

    private func tokens(
        at endpoint: String, code: String, _ pending: PendingLogins.Pending, inForm: Bool
    ) async throws -> (identity: String, access: String?) {
        var request = IssuerRequest(
            endpoint,
            form: [
                "grant_type": "authorization_code", "code": code, "redirect_uri": pending.callback,
                "client_id": self.settings.clientID, "code_verifier": pending.verifier,
            ])
        if let secret = self.settings.clientSecret {
            if inForm {
                request.form?["client_secret"] = secret
            } else {
                // Escaped before they are joined: RFC 6749 2.3.1.
                let both = "\(Links.escape(self.settings.clientID)):\(Links.escape(secret))"
                request.authorization = "Basic \(Data(both.utf8).base64EncodedString())"
            }
        }
        let bytes = try await self.fetch(request)
        guard let reply = try? JSONSerialization.jsonObject(with: bytes) as? [String: Any] else {
            throw IssuerError("its token_endpoint does not answer in JSON")
        }
        guard let identity = reply["id_token"] as? String else {
            throw IssuerError("its token_endpoint gives no ID token")
        }
        return (identity, reply["access_token"] as? String)
    }

    /// Whether the ID token is without a claim that is asked for: Keycloak, for one, puts some into the user's information only.
    private func lacksSomething(_ fields: [String: Any]) -> Bool {
        let configuration = self.bearer.configuration
        return [configuration.usernameClaim, configuration.collaboratoryClaim, configuration.organisationClaim]
            .compactMap { $0 }.contains { ExternalIdentity.value(fields, at: $0) == nil }
    }

    private func userInfo(at place: String, access: String) async throws -> [String: Any] {
        // It goes into a header.
        guard access.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw BearerToken.Refusal.malformed }
        let bytes = try await self.fetch(IssuerRequest(place, authorization: "Bearer \(access)"))
        guard let fields = try? JSONSerialization.jsonObject(with: bytes) as? [String: Any] else {
            throw IssuerError("its userinfo_endpoint does not answer in JSON")
        }
        return fields
    }
}
