//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import SpallocAPI

/// Finds out who a request is from: by its session's cookie, or by Basic authentication. A request from nobody goes on as such; what it
/// may do is for the handler to say.
///
/// A request that changes something must carry its session's token, in the header or, from a form, in the body's `_csrf`.
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
        guard let caller = context.caller else { throw APIError.unauthorized }
        switch request.method {
        case .get, .head, .options: break
        default:
            guard let header = HTTPField.Name(SpallocHTTP.csrfHeader), let csrf = caller.csrf, request.headers[header] == csrf
            else {
                throw APIError.csrf
            }
        }
        return try await next(request, context)
    }

    /// The cookie goes before the password.
    func caller(of request: Request) async throws -> Caller? {
        if let cookie = request.sessionCookie, let found = try await self.sessions.find(cookie),
            case .user(let user, let csrf) = found
        {
            return Caller(user: user, csrf: csrf, session: cookie)
        }
        if let (name, password) = request.basicCredentials {
            guard let user = try await self.logins.verify(name: name, password: password) else { return nil }
            return Caller(user: user)
        }
        return nil
    }
}

extension Request {
    var sessionCookie: String? { self.cookies[SpallocHTTP.sessionCookie]?.value }

    var basicCredentials: (name: String, password: String)? {
        guard let header = self.headers[.authorization] else { return nil }
        return Authenticator.credentials(header)
    }
}

extension Authenticator {
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
