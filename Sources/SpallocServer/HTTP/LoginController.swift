//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import Logging
import SpallocAPI

/// The login form, as the stock clients scrape it: they look for the hidden field byte by byte.
struct LoginController: Sendable {
    let core: ServiceCore
    let sessions: Sessions
    let logins: Logins
    let tls: Bool

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/login.html", use: self.form)
        router.post("system/perform_login", use: self.submit)
        router.get("system/perform_logout", use: self.logOut)
        router.post("system/perform_logout", use: self.logOut)
    }

    private func links(_ request: Request) -> Links {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
    }

    private func cookie(_ value: String, _ links: Links) -> String {
        sessionCookieHeader(value, path: self.core.configuration.basePath, secure: links.scheme == "https")
    }

    @Sendable
    private func form(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let session = self.sessions.begin()
        var response = Response.text(LoginPage.html(csrf: session.csrf), type: "text/html; charset=UTF-8")
        response.headers[.setCookie] = self.cookie(session.cookie, self.links(request))
        response.headers[.cacheControl] = "no-store"
        response.headers[values: .contentSecurityPolicy] = [LoginPage.policy]
        return response
    }

    @Sendable
    private func submit(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 16 * 1024)
        let fields = FormFields(String(buffer: body))
        guard let old = request.sessionCookie, let session = try await self.sessions.find(old), fields["_csrf"] == session.csrf
        else {
            throw APIError.csrf
        }
        switch try await self.logins.logIn(name: fields["username"] ?? "", password: fields["password"] ?? "") {
        case .failure(let refusal):
            context.logger.notice("login refused", metadata: ["user": "\(fields["username"] ?? "")", "reason": "\(refusal)"])
            // No cookie: the Python client takes one for success.
            return try .json(
                LoginFailure(
                    message: "the user name or the password is wrong, or the account is locked",
                    timestamp: self.core.clock().wire),
                status: .unauthorized)
        case .success(let user):
            try await self.sessions.end(old)
            let new = try await self.sessions.logIn(user)
            let links = self.links(request)
            var response = Response(status: .found)
            response.headers[.location] = links.url(SpallocPath.webRoot)
            response.headers[.setCookie] = self.cookie(new.cookie, links)
            return response
        }
    }

    @Sendable
    private func logOut(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        if let cookie = request.sessionCookie { try await self.sessions.end(cookie) }
        let links = self.links(request)
        var response = Response(status: .found)
        response.headers[.location] = links.url(SpallocPath.login)
        response.headers[.setCookie] = self.cookie("", links) + "; Max-Age=0"
        return response
    }
}

enum LoginPage {
    static let policy =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

    /// The line with the token is what the Python client's pattern matches, greedily: nothing else on it may end in `" />`. The token is
    /// ours, of hex and dashes: there is nothing to escape.
    static func html(csrf: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="_csrf" content="\(csrf)"/>
        <meta name="_csrf_header" content="\(SpallocHTTP.csrfHeader)"/>
        <title>Spalloc: log in</title>
        <style>
        body { font: 1rem/1.5 system-ui, sans-serif; max-width: 22rem; margin: 4rem auto; padding: 0 1rem; }
        label { display: block; margin: 1rem 0 .25rem; }
        input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
        button { font: inherit; margin-top: 1.5rem; padding: .4rem 1.5rem; }
        </style>
        </head>
        <body>
        <h1>Spalloc</h1>
        <form action="perform_login" method="post">
        <input type="hidden" name="_csrf" value="\(csrf)" />
        <label for="username">User name</label>
        <input id="username" name="username" autocomplete="username" required autofocus>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required>
        <button type="submit" name="submit" value="submit">Log in</button>
        </form>
        </body>
        </html>

        """
    }
}

/// The fields of an HTML form, `application/x-www-form-urlencoded`. Of one given twice, the first counts.
struct FormFields {
    private var fields: [String: String] = [:]

    init(_ body: String) {
        for pair in body.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = FormFields.decode(parts[0]), let value = FormFields.decode(parts.count > 1 ? parts[1] : ""),
                self.fields[name] == nil
            else { continue }
            self.fields[name] = value
        }
    }

    subscript(_ name: String) -> String? { self.fields[name] }

    private static func decode(_ text: Substring) -> String? {
        text.replacingOccurrences(of: "+", with: " ").removingPercentEncoding
    }
}
