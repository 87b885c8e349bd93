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
    let pages: Pages

    private var core: ServiceCore { self.pages.core }
    private var sessions: Sessions { self.pages.sessions }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/login.html", use: self.form)
        router.post("system/perform_login", use: self.submit)
        if let browser = self.pages.logins.browser {
            BrowserLoginController(pages: self.pages, logins: browser).addRoutes(to: router)
        }
        router.get("system/perform_logout", use: self.logOut)
        router.post("system/perform_logout", use: self.logOut)
    }

    /// The line with the token is what the Python client's pattern matches, greedily: nothing else on it may end in `" />`.
    private struct Form {
        var csrf: String
        var csrfHeader = SpallocHTTP.csrfHeader
        var base: String
        var version: String
        /// Under `system/`; looked at, and of no character that means anything to HTML but `&`.
        var place: String?
        var failure: String?
        var issuer: Issuer?
    }

    /// A link and no form: the page's policy keeps forms from leading anywhere else, even by a redirect.
    private struct Issuer {
        var name: String
        var path: String

        init(_ settings: BrowserLogins.Settings, place: ReturnPlace?) {
            self.name = settings.displayName
            self.path =
                SpallocPath.performOIDC + "auth/\(settings.provider)" + (place.map { "?to=\(Links.escape($0.path))" } ?? "")
        }
    }

    private func page(
        csrf: String, place: ReturnPlace?, failure: String? = nil, status: HTTPResponse.Status = .ok
    ) -> Response {
        Pages.html(
            self.pages.templates.render(
                .login,
                Form(
                    csrf: csrf, base: self.core.configuration.basePath, version: self.pages.templates.version,
                    place: place?.path, failure: failure,
                    issuer: self.pages.logins.browser.map { Issuer($0.settings, place: place) })
            ),
            status: status)
    }

    private func cookie(_ value: String, _ links: Links) -> String {
        sessionCookieHeader(value, path: self.core.configuration.basePath, secure: links.scheme == "https")
    }

    @Sendable
    private func form(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let links = self.pages.links(request)
        if let token = request.bearerToken {
            // The stock Python client's way to a session: the cookie is all that it looks for.
            guard let login = try await self.pages.logins.bearer?.logIn(token) else { throw self.pages.logins.unauthorized }
            let caller = Caller(user: login.user, tokenExpiry: login.expiry)
            let session = try await self.sessions.logIn(login.user, expiry: self.pages.logins.sessionExpiry(caller))
            try await self.core.store.recordLogin(
                user: login.user.id, succeeded: true, lockout: self.core.configuration.lockout, now: self.core.clock())
            var response = self.page(csrf: session.csrf, place: nil)
            response.headers[.setCookie] = self.cookie(session.cookie, links)
            return response
        }
        let session = self.sessions.begin()
        let query = Query(request)
        var response = self.page(
            csrf: session.csrf, place: query.text("to").flatMap { ReturnPlace($0) }, failure: self.failure(query))
        response.headers[.setCookie] = self.cookie(session.cookie, links)
        return response
    }

    /// Of a login at the issuer, which leads back here.
    private func failure(_ query: Query) -> String? {
        guard query.flag("error"), let name = self.pages.logins.browser?.settings.displayName else { return nil }
        return "Not logged in. "
            + (query.text("why").flatMap(BrowserLogins.Failure.init) ?? .denied).message(of: name)
    }

    @Sendable
    private func submit(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 16 * 1024)
        let fields = FormFields(String(buffer: body))
        guard let old = request.sessionCookie, let session = try await self.sessions.find(old), fields["_csrf"] == session.csrf
        else {
            throw APIError.csrf
        }
        let place = fields["to"].flatMap { ReturnPlace($0) }
        switch try await self.pages.logins.logIn(name: fields["username"] ?? "", password: fields["password"] ?? "") {
        case .failure(let refusal):
            context.logger.notice("login refused", metadata: ["user": "\(fields["username"] ?? "")", "reason": "\(refusal)"])
            let message = "the user name or the password is wrong, or the account is locked"
            // No cookie, for a browser neither: the Python client takes one for success.
            if request.headers[.accept]?.contains("text/html") == true {
                return self.page(csrf: session.csrf, place: place, failure: "Not logged in: \(message).", status: .unauthorized)
            }
            return try .json(LoginFailure(message: message, timestamp: self.core.clock().wire), status: .unauthorized)
        case .success(let user):
            try await self.sessions.end(old)
            let new = try await self.sessions.logIn(user)
            let links = self.pages.links(request)
            var response = Response(status: .found)
            response.headers[.location] = links.url(SpallocPath.webRoot + (place?.path ?? ""))
            response.headers[.setCookie] = self.cookie(new.cookie, links)
            return response
        }
    }

    @Sendable
    private func logOut(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        if let cookie = request.sessionCookie { try await self.sessions.end(cookie) }
        let links = self.pages.links(request)
        var response = Response(status: .found)
        response.headers[.location] = links.url(SpallocPath.login)
        response.headers[.setCookie] = self.cookie("", links) + "; Max-Age=0"
        return response
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
