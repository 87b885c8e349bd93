//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import Logging
import SpallocAPI

/// The browser's way to the issuer and back. Whatever goes wrong leads to the login form, which says what.
struct BrowserLoginController: Sendable {
    let pages: Pages
    let logins: BrowserLogins

    /// Tells the issuer's answer to the browser that began the login from one that somebody else was led to.
    static let cookie = "SPALLOC_LOGIN"

    private var base: String { self.pages.core.configuration.basePath }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let provider = self.logins.settings.provider
        router.get("\(SpallocPath.performOIDC)auth/\(provider)", use: self.begin)
        router.get("\(SpallocPath.performOIDC)login/code/\(provider)", use: self.finish)
    }

    @Sendable
    private func begin(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let links = self.pages.links(request)
        do {
            let start = try await self.logins.begin(
                callback: links.url("\(SpallocPath.performOIDC)login/code/\(self.logins.settings.provider)"),
                place: Query(request).text("to").flatMap { ReturnPlace($0) })
            var response = self.redirect(start.location)
            response.headers[.setCookie] = self.cookie(start.cookie, life: PendingLogins.life, links)
            return response
        } catch let failure as BrowserLogins.Failure {
            return self.failed(failure, links, context)
        }
    }

    @Sendable
    private func finish(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let links = self.pages.links(request)
        let query = Query(request)
        let answer = BrowserLogins.Answer(
            state: query.text("state"), code: query.text("code"), error: query.text("error"), issuer: query.text("iss"))
        do {
            let login = try await self.logins.finish(answer, cookie: request.cookies[Self.cookie]?.value)
            let core = self.pages.core
            // The session from before may be one that somebody else knows.
            if let old = request.sessionCookie { try await self.pages.sessions.end(old) }
            let session = try await self.pages.sessions.logIn(login.user, expiry: login.expiry)
            try await core.store.recordLogin(
                user: login.user.id, succeeded: true, lockout: core.configuration.lockout, now: core.clock())
            var response = self.redirect(links.url(SpallocPath.webRoot + (login.place?.path ?? "")))
            for cookie in [
                sessionCookieHeader(session.cookie, path: self.base, secure: links.scheme == "https"),
                self.cookie("", life: .zero, links),
            ] { response.headers.append(HTTPField(name: .setCookie, value: cookie)) }
            return response
        } catch let failure as BrowserLogins.Failure {
            return self.failed(failure, links, context)
        }
    }

    private func failed(
        _ failure: BrowserLogins.Failure, _ links: Links, _ context: SpallocRequestContext
    ) -> Response {
        context.logger.notice("login at the issuer failed", metadata: ["reason": "\(failure)"])
        return self.redirect(links.url("\(SpallocPath.login)?error=true&why=\(failure.rawValue)"))
    }

    private func redirect(_ location: String) -> Response {
        Response(status: .found, headers: [.location: location, .cacheControl: "no-store"])
    }

    /// `Lax`: it has to come along when the issuer sends the browser back.
    private func cookie(_ value: String, life: Duration, _ links: Links) -> String {
        "\(Self.cookie)=\(value); Path=\(self.base)\(SpallocPath.performOIDC); Max-Age=\(life.components.seconds); "
            + "HttpOnly; SameSite=Lax" + (links.scheme == "https" ? "; Secure" : "")
    }
}

extension BrowserLogins.Failure {
    /// - Parameter name: the issuer's.
    func message(of name: String) -> String {
        switch self {
        case .issuer: "\(name) could not be asked. Try again in a minute, or log in with a password."
        case .stale: "That login took too long, or was begun in another browser. Begin it again."
        case .denied: "\(name) did not let you in."
        case .token:
            "What \(name) said of you cannot be trusted. Try again; if that does not help, tell the service's operator."
        case .account: "Your account may not be used here, or its name belongs to somebody else. Ask the service's operator."
        case .busy: "Too many people are logging in. Try again in a moment."
        }
    }
}
