//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension SpallocSession {
    /// One login, by whatever the credentials are. Only ``SingleFlight`` calls this.
    func logIn() async throws(SpallocError) -> Login {
        try await self.logIn(by: self.state.withLockedValue { $0.credentials })
    }

    private func logIn(by kind: SpallocCredentials.Kind) async throws(SpallocError) -> Login {
        switch kind {
        case .inURL:
            throw SpallocError(.closed, "the client is closed", url: self.serviceURL)
        case .password(let user, let password):
            do throws(SpallocError) {
                return try await self.logIn(user: user, password: password)
            } catch {
                // Remembered: a third refusal would lock the user out.
                if error.code == .loginRefused { self.state.withLockedValue { $0.refused = error } }
                throw error
            }
        case .token(let provider):
            return try await self.logIn(tokens: provider)
        case .restored(_, let renewal):
            guard let renewal else {
                throw SpallocError(
                    .notLoggedIn, "the stored session has ended, and nothing was given to log in with", url: self.serviceURL)
            }
            return try await self.logIn(by: renewal)
        }
    }

    private var loginPage: SpallocURL { self.serviceURL.appending("system", "login.html") }

    /// The form: page (cookie, CSRF field), submit (a new cookie), service root (CSRF header and token).
    private func logIn(user: String, password: Secret) async throws(SpallocError) -> Login {
        let page = try await self.fetch(HTTPCall(.GET, self.loginPage))
        guard page.isSuccess else { throw self.notALoginPage(page) }
        guard let csrf = LoginForm.csrfToken(in: String(decoding: page.body.readableBytesView, as: UTF8.self)) else {
            throw SpallocError(
                .unexpectedResponse, "\(self.loginPage) is no Spalloc login page (it has no _csrf field); is the URL right?",
                status: page.status, url: self.loginPage)
        }
        var cookies = Cookies()
        cookies.take(from: page.headers)

        let fields = [("_csrf", csrf.text), ("username", user), ("password", password.text), ("submit", "submit")]
        let form = fields.map { "\($0.0)=\(SpallocURL.encode($0.1))" }.joined(separator: "&")
        var submit = HTTPCall(
            .POST, self.serviceURL.appending("system", "perform_login"),
            headers: ["content-type": "application/x-www-form-urlencoded"], body: ByteBuffer(string: form))
        if !cookies.isEmpty { submit.headers.add(name: "cookie", value: cookies.header) }
        let answer = try await self.fetch(submit)
        let isSentBack = answer.header("location")?.contains("login.html") ?? false
        switch answer.status {
        case 401, 403:
            throw SpallocError(
                .loginRefused, "the service refuses the password of \(user)", serverMessage: answer.words,
                status: answer.status, url: submit.url)
        case 200..<400 where isSentBack:
            throw SpallocError(
                .loginRefused, "the service refuses the password of \(user)", status: answer.status, url: submit.url)
        case 200..<400:
            guard cookies.take(from: answer.headers) else {
                throw SpallocError(
                    .unexpectedResponse, "the service took the login of \(user) but gave no session cookie",
                    serverMessage: answer.words, status: answer.status, url: submit.url)
            }
        default:
            throw SpallocError.status(answer, call: submit)
        }
        return try await self.finishLogin(cookies: cookies, bearer: nil)
    }

    /// The login page takes a bearer token as well, and gives the session cookie for it.
    private func logIn(tokens: any SpallocTokenProvider) async throws(SpallocError) -> Login {
        let first = try await self.token(from: tokens, replacing: nil)
        do throws(SpallocError) {
            return try await self.logIn(token: first)
        } catch {
            // It may just have run out. Whoever can give another one is asked once; otherwise the refusal stands.
            guard error.code == .loginRefused else { throw error }
            let second: Secret
            do throws(SpallocError) {
                second = try await self.token(from: tokens, replacing: first.text)
            } catch let unavailable {
                throw unavailable.code == .cancelled ? unavailable : error
            }
            guard second != first else { throw error }
            return try await self.logIn(token: second)
        }
    }

    private func token(from provider: any SpallocTokenProvider, replacing refused: String?) async throws(SpallocError) -> Secret
    {
        do {
            return Secret(try await provider.token(replacing: refused))
        } catch {
            if Task.isCancelled { throw SpallocError(.cancelled, "cancelled while fetching a token") }
            if let error = error as? SpallocError { throw error }
            throw SpallocError(.tokenUnavailable, "no bearer token could be had", url: self.serviceURL, underlying: error)
        }
    }

    private func logIn(token: Secret) async throws(SpallocError) -> Login {
        guard token.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !token.text.isEmpty else {
            throw SpallocError(.tokenUnavailable, "the bearer token is empty or has characters no token has")
        }
        let call = HTTPCall(.GET, self.loginPage, headers: ["authorization": "Bearer \(token.text)"])
        let page = try await self.fetch(call)
        switch page.status {
        case 401, 403:
            throw SpallocError(
                .loginRefused, "the service refuses the bearer token", serverMessage: page.words, status: page.status,
                url: call.url)
        case 200..<400:
            break
        default:
            throw SpallocError.status(page, call: call)
        }
        var cookies = Cookies()
        guard cookies.take(from: page.headers) else {
            throw SpallocError(
                .unexpectedResponse, "the service took the bearer token but gave no session cookie", status: page.status,
                url: call.url)
        }
        return try await self.finishLogin(cookies: cookies, bearer: token)
    }

    /// The service root proves the session and names its CSRF token.
    private func finishLogin(cookies: Cookies, bearer: Secret?) async throws(SpallocError) -> Login {
        var cookies = cookies
        let (reply, root) = try await self.readRoot(cookies: cookies)
        cookies.take(from: reply.headers)
        let login = self.install { generation in
            Login(
                generation: generation, cookies: cookies, csrf: SpallocSession.csrf(of: root), bearer: bearer, root: root)
        }
        self.logger?.debug("logged in", metadata: ["spalloc.service": "\(self.serviceURL)"])
        return login
    }

    private func readRoot(cookies: Cookies) async throws(SpallocError) -> (SpallocReply, ServiceDescription) {
        let call = HTTPCall(.GET, self.rootURL, headers: ["cookie": cookies.header, "accept": "application/json"])
        let reply = try await self.fetch(call)
        if reply.status == 401 || reply.isRedirect {
            throw SpallocError(
                .notLoggedIn, "the service does not accept the session it has just opened", serverMessage: reply.words,
                status: reply.status, url: call.url)
        }
        guard reply.isSuccess else { throw SpallocError.status(reply, call: call) }
        do {
            return (reply, try JSONDecoder().decode(ServiceDescription.self, from: reply.data))
        } catch {
            throw SpallocError(
                .unexpectedResponse, "\(call.url) is no Spalloc service root; is the URL right?", status: reply.status,
                url: call.url, underlying: error)
        }
    }

    private static func csrf(of root: ServiceDescription) -> (name: String, token: Secret)? {
        guard let name = root.csrfHeader, let token = root.csrfToken else { return nil }
        // They become a header line of ours.
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        return (name, Secret(token))
    }

    /// After a 403: another CSRF token, if the session has one by now. nil: nothing new, the 403 stands.
    func refreshCSRF(of login: Login) async throws(SpallocError) -> Login? {
        let root: ServiceDescription
        do throws(SpallocError) {
            root = try await self.readRoot(cookies: login.cookies).1
        } catch {
            guard error.code == .notLoggedIn else { throw error }
            return try await self.login(after: login.generation)
        }
        guard let csrf = SpallocSession.csrf(of: root), csrf.token != login.csrf?.token else { return nil }
        return self.state.withLockedValue { state in
            guard state.login?.generation == login.generation else { return state.login }
            state.login?.csrf = csrf
            state.login?.root = root
            return state.login
        }
    }

    private func fetch(_ call: HTTPCall) async throws(SpallocError) -> SpallocReply {
        try await self.transport.execute(call, timeout: self.configuration.requestTimeout)
    }

    private func notALoginPage(_ page: SpallocReply) -> SpallocError {
        if page.isRedirect, let location = page.header("location") {
            return SpallocError(
                .unexpectedResponse, "the service sends \(self.loginPage) on to another address; give that as its URL",
                serverMessage: location, status: page.status, url: self.loginPage)
        }
        if page.status == 404 {
            return SpallocError(
                .unexpectedResponse, "there is no Spalloc service at \(self.serviceURL) (no login page); is the URL right?",
                status: page.status, url: self.loginPage)
        }
        return SpallocError.status(page, call: HTTPCall(.GET, self.loginPage))
    }
}
