//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import SpallocAPI

/// Finds out who a request is from: by its session's cookie, by Basic authentication, or by a token of the configured issuer.
///
/// A request that changes something must carry its session's token, in the header or, from a form, in the body's `_csrf`; not so one
/// that has the issuer's token, which no browser adds by itself.
struct Authenticator: RouterMiddleware {
    typealias Context = SpallocRequestContext

    let sessions: Sessions
    let logins: Logins

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = try await self.caller(of: request)
        guard let caller = context.caller else { throw self.logins.unauthorized }
        switch request.method {
        case .get, .head, .options: break
        default:
            guard !caller.hasToken else { break }
            guard let header = HTTPField.Name(SpallocHTTP.csrfHeader), let csrf = caller.csrf, request.headers[header] == csrf
            else {
                throw APIError.csrf
            }
        }
        let response = try await next(request, context)
        // Who has waited may be nobody by now.
        if Query(request).flag(SpallocHTTP.wait) {
            guard try await self.isStillIn(caller) else { throw self.logins.unauthorized }
        }
        return response
    }

    /// Whether what let the caller in still does. That is no use of a session.
    func isStillIn(_ caller: Caller) async throws -> Bool {
        if let session = caller.session { return try await self.sessions.isAlive(session) }
        return try await self.logins.isStillIn(caller)
    }

    /// The cookie goes before the password.
    func caller(of request: Request) async throws -> Caller? {
        if let cookie = request.sessionCookie, let found = try await self.sessions.find(cookie),
            case .user(let user, let csrf, let expiry) = found
        {
            return Caller(user: user, csrf: csrf, session: cookie, until: expiry)
        }
        if let (name, password) = request.basicCredentials {
            guard let user = try await self.logins.verify(name: name, password: password) else { return nil }
            return Caller(user: user)
        }
        if let token = request.bearerToken {
            return try await self.logins.bearer?.logIn(token)?.caller
        }
        return nil
    }
}

extension Logins {
    /// How one could be somebody.
    static let basicChallenge = "Basic realm=\"SpallocService\""
    static let bearerChallenge = "Bearer realm=\"SpallocService\", scope=\"openid, profile, roles, email, team, group\""

    var challenges: [String] { [Logins.basicChallenge] + (self.bearer == nil ? [] : [Logins.bearerChallenge]) }

    /// When a session that this caller begins ends at the latest.
    func sessionExpiry(_ caller: Caller) -> Timestamp? {
        self.bearer?.configuration.sessionsOutliveTokens == true ? nil : caller.tokenExpiry
    }

    var unauthorized: APIError {
        var error = APIError.unauthorized
        if self.bearer != nil {
            error.headers.append(HTTPField(name: .wwwAuthenticate, value: Logins.bearerChallenge))
        }
        return error
    }
}

extension Request {
    var sessionCookie: String? { self.cookies[SpallocHTTP.sessionCookie]?.value }

    var basicCredentials: (name: String, password: String)? {
        guard let header = self.headers[.authorization] else { return nil }
        return Authenticator.credentials(header)
    }

    var bearerToken: String? { self.headers[.authorization].flatMap(Authenticator.bearerToken) }
}

extension Authenticator {
    /// nil for another way to log in; empty where the token is missing.
    static func bearerToken(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.first?.lowercased() == "bearer" else { return nil }
        return parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    }

    static func credentials(_ header: String) -> (name: String, password: String)? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic", let data = Data(base64Encoded: String(parts[1])),
            let text = String(data: data, encoding: .utf8), let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
}

/// The cookie of a session, as the stock clients find it: an attribute follows the value.
func sessionCookieHeader(_ value: String, path: String, secure: Bool) -> String {
    "\(SpallocHTTP.sessionCookie)=\(value); Path=\(path); HttpOnly; SameSite=Lax" + (secure ? "; Secure" : "")
}
