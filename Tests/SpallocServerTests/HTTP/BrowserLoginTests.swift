//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import Testing

@testable import SpallocServer

/// People who log in at the issuer, in a browser.
@Suite(.timeLimit(.minutes(3))) struct BrowserLoginTests {
    /// A browser, as far as cookies and redirects go.
    private final class Browser: Sendable {
        let stage: IssuerStage
        private let jar = NIOLockedValueBox<[String: String]>([:])
        var cookies: [String: String] {
            get { self.jar.withLockedValue { $0 } }
            set { self.jar.withLockedValue { $0 = newValue } }
        }

        static let begin = "/spalloc/system/perform_oidc/auth/hbp-ebrains"
        static let callback = "/spalloc/system/perform_oidc/login/code/hbp-ebrains"

        init(_ stage: IssuerStage) { self.stage = stage }

        func get(_ uri: String) async throws -> TestResponse {
            let cookies = self.cookies.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
            let reply = try await self.stage.client.execute(
                uri: uri, method: .get, headers: cookies.isEmpty ? [:] : [.cookie: cookies])
            for header in reply.headers[values: .setCookie] {
                guard let parts = header.firstMatch(of: /^([A-Z_]+)=([^;]*);/) else { continue }
                self.cookies[String(parts.1)] = parts.2.isEmpty ? nil : String(parts.2)
            }
            return reply
        }

        /// To the issuer, and there as far as its answer.
        ///
        /// - Returns: the answer's address, here.
        func begin(as user: String = "ada", to place: String = "") async throws -> String {
            let reply = try await self.get(Self.begin + place)
            #expect(reply.status == .found, "\(reply.text)")
            let location = try #require(reply.headers[.location])
            let back = try self.stage.issuer.withLogins { logins in
                logins.now = self.stage.clock.now()
                return try logins.visit(location, as: user)
            }
            return try #require(
                back.absoluteString.firstRange(of: "/spalloc/").map { String(back.absoluteString[$0.lowerBound...]) })
        }

        func logIn(as user: String = "ada") async throws -> TestResponse {
            try await self.get(try await self.begin(as: user))
        }
    }

    private static func settings(_ configuration: inout SpallocServerConfiguration) {
        configuration.oidc?.login = .init(
            clientID: TestIssuer.Logins.clientID, clientSecret: TestIssuer.Logins.secret, displayName: "Lab <& id>")
    }

    private func withLogins(
        _ configure: @escaping (inout SpallocServerConfiguration) -> Void = { _ in }, logger: Logger = quiet,
        _ body: @escaping @Sendable (IssuerStage) async throws -> Void
    ) async throws {
        try await withIssuer(
            {
                Self.settings(&$0)
                configure(&$0)
            }, logger: logger, body)
    }

    /// Nobody is logged in, and the form says why.
    private func expect(_ reply: TestResponse, _ why: BrowserLogins.Failure, _ browser: Browser) async throws {
        #expect(reply.status == .found)
        #expect(reply.headers[.location] == "http://localhost/spalloc/system/login.html?error=true&why=\(why.rawValue)")
        #expect(reply.sessionCookie == nil)
        let form = try await browser.get("/spalloc/system/login.html?error=true&why=\(why.rawValue)")
        #expect(form.status == .ok && form.text.contains(HTMLEscaping().escapeText(why.message(of: "Lab <& id>"))))
    }

    // MARK: - As it should be

    @Test func aLoginThereIsASessionHere() async throws {
        try await self.withLogins { stage in
            let browser = Browser(stage)
            let form = try await browser.get("/spalloc/system/login.html?to=list_jobs")
            #expect(
                form.text.contains(
                    #"<a class="button" href="/spalloc/system/perform_oidc/auth/hbp-ebrains?to=list_jobs">Log in with Lab &lt;&amp; id&gt;</a>"#
                ))
            let before = try #require(browser.cookies["JSESSIONID"])

            let begun = try await browser.get(Browser.begin + "?to=list_jobs")
            let cookie = try #require(begun.headers[.setCookie])
            #expect(
                cookie.wholeMatch(
                    of: /SPALLOC_LOGIN=[\w-]{43}; Path=\/spalloc\/system\/perform_oidc\/; Max-Age=600; HttpOnly; SameSite=Lax/)
                    != nil, "\(cookie)")
            #expect(begun.headers[.cacheControl] == "no-store")

            let answer = try await browser.begin(to: "?to=list_jobs")
            #expect(answer.hasPrefix(Browser.callback + "?"))
            let reply = try await browser.get(answer)
            #expect(reply.status == .found && reply.headers[.location] == "http://localhost/spalloc/system/list_jobs")
            // A session that was there before, and that somebody else may know, is none any more.
            let after = try #require(browser.cookies["JSESSIONID"])
            #expect(after != before && browser.cookies["SPALLOC_LOGIN"] == nil)
            let old = try await stage.client.execute(
                uri: "/spalloc/system/list_jobs", method: .get, headers: [.cookie: "JSESSIONID=\(before)"])
            #expect(old.status == .found)
            let page = try await browser.get("/spalloc/system/list_jobs")
            #expect(page.status == .ok && page.text.contains("openid.ada"))
            let user = try #require(try await stage.user("openid.ada"))
            #expect(user.isExternal && user.subject == "id of ada" && user.trustLevel == .user)
            #expect(user.lastSuccess == stage.clock.now())
        }
    }

    @Test func itIsTheAccountOfTheBearerToken() async throws {
        try await self.withLogins({ $0.oidc?.collaboratoryClaim = "roles.team" }) { stage in
            #expect(try await stage.ask(.get, "machines", token: try stage.token()).status == .ok)
            let user = try #require(try await stage.user("openid.ada"))
            stage.issuer.withLogins { $0.claims["roles"] = ["team": ["collab-brain-editor"]] }
            let browser = Browser(stage)
            #expect(try await browser.logIn().headers[.location] == "http://localhost/spalloc/system/")
            #expect(try await stage.user("openid.ada")?.id == user.id)
            #expect(try await stage.harness.store.groups(of: user.id).map(\.name) == ["brain", "private-ada"])
        }
    }

    /// Keycloak puts some claims nowhere else.
    @Test func whatTheTokenLacksIsAskedFor() async throws {
        try await self.withLogins({ $0.oidc?.collaboratoryClaim = "roles.team" }) { stage in
            stage.issuer.withLogins { logins in
                logins.claims["preferred_username"] = .some(nil)
                logins.information = ["roles": ["team": ["collab-brain-viewer"]]]
            }
            let browser = Browser(stage)
            #expect(try await browser.logIn().sessionCookie != nil)
            let user = try #require(try await stage.user("openid.ada"))
            #expect(try await stage.harness.store.groups(of: user.id).map(\.name) == ["brain", "private-ada"])
            // Of somebody else: the access token was not that person's.
            stage.issuer.withLogins { $0.information["sub"] = "id of eve" }
            try await self.expect(try await browser.logIn(), .token, browser)
        }
    }

    @Test(arguments: [nil, "client_secret_basic", "client_secret_post"])
    func theClientShowsItsSecretAsTheIssuerWantsIt(method: String?) async throws {
        try await self.withLogins { stage in
            if let method {
                stage.issuer.withLogins { $0.document["token_endpoint_auth_methods_supported"] = ["private_key_jwt", method] }
            }
            let browser = Browser(stage)
            let reply = try await browser.logIn()
            #expect(reply.sessionCookie != nil)
            let basic = "Basic " + Data("web%20client:the%20client%27s%20secret%3A%20100%25".utf8).base64EncodedString()
            let (authorization, secrets) = stage.issuer.withLogins { ($0.authorization, $0.secrets) }
            #expect(authorization == [method == "client_secret_post" ? nil : basic])
            #expect(secrets == [method == "client_secret_post" ? TestIssuer.Logins.secret : nil])
        }
    }

    @Test func aClientWithoutASecretHasNoneToShow() async throws {
        try await self.withLogins({ $0.oidc?.login?.clientSecret = nil }) { stage in
            let browser = Browser(stage)
            let reply = try await browser.logIn()
            #expect(reply.sessionCookie != nil)
            let (authorization, secrets) = stage.issuer.withLogins { ($0.authorization, $0.secrets) }
            #expect(authorization == [nil] && secrets == [nil])
        }
    }

    /// The ID token is for the login; how long the session lasts is the operator's to say.
    @Test func theSessionHasAnEnd() async throws {
        try await self.withLogins({ $0.oidc?.login?.sessionLimit = .seconds(3600) }) { stage in
            let browser = Browser(stage)
            _ = try await browser.logIn()
            // Used all the time, and long after the token's end.
            for _ in 0..<3 {
                stage.clock.advance(.seconds(1199))
                #expect(try await browser.get("/spalloc/system/list_jobs").status == .ok)
            }
            stage.clock.advance(.seconds(3))
            #expect(try await browser.get("/spalloc/system/list_jobs").status == .found)
        }
    }

    @Test func withoutSettingsThereIsNoSuchLogin() async throws {
        try await withIssuer { stage in
            let browser = Browser(stage)
            let form = try await browser.get("/spalloc/system/login.html?error=true")
            #expect(!form.text.contains("perform_oidc") && !form.text.contains("Not logged in"))
            for path in [Browser.begin, Browser.callback + "?state=a&code=b"] {
                #expect(try await browser.get(path).status == .notFound)
            }
        }
    }

    // MARK: - Others' logins

    @Test func anAnswerIsForTheBrowserThatBeganAndForOnce() async throws {
        try await self.withLogins { stage in
            let (ada, eve) = (Browser(stage), Browser(stage))
            let answer = try await ada.begin()
            // Eve's browser is led to ada's answer, or ada's to eve's: nobody becomes anybody.
            try await self.expect(try await eve.get(answer), .stale, eve)
            let other = try await eve.begin(as: "eve")
            try await self.expect(try await eve.get(answer), .stale, eve)
            try await self.expect(try await ada.get(other), .stale, ada)
            for wrong in ["", "?code=a", "?state=", "?state=a&code=b", "?error=access_denied"] {
                try await self.expect(try await ada.get(Browser.callback + wrong), .stale, ada)
            }
            // It was nobody else's, and is still ada's; once.
            let kept = ada.cookies
            #expect(try await ada.get(answer).sessionCookie != nil)
            let again = Browser(stage)
            again.cookies = kept
            try await self.expect(try await again.get(answer), .stale, again)
            #expect(try await stage.user("openid.eve") == nil)
        }
    }

    @Test(arguments: [(599, true), (600, false)])
    func anAnswerComesInTime(after seconds: Int, counts: Bool) async throws {
        try await self.withLogins { stage in
            let browser = Browser(stage)
            let answer = try await browser.begin()
            stage.clock.advance(.seconds(seconds))
            stage.issuer.withLogins { $0.now = stage.clock.now() }
            let reply = try await browser.get(answer)
            #expect((reply.sessionCookie != nil) == counts)
        }
    }

    // MARK: - An issuer that says no, nothing, or what is not so

    @Test func whoIsNotLetInIsTold() async throws {
        try await self.withLogins { stage in
            for addition in ["error=access_denied&error_description=%3Cscript%3E", "code="] {
                let browser = Browser(stage)
                let answer = try await browser.begin()
                let state = try #require(answer.firstMatch(of: /state=([\w-]+)/)).1
                try await self.expect(
                    try await browser.get("\(Browser.callback)?state=\(state)&\(addition)"), .denied, browser)
            }
            // What is said of it is the service's own words, whatever stands in the address.
            let form = try await stage.client.execute(
                uri: "/spalloc/system/login.html?error=true&why=%3Cscript%3E", method: .get)
            #expect(form.text.contains("did not let you in") && !form.text.contains("script"))
        }
    }

    @Test func anIssuerThatIsDownIsTold() async throws {
        try await self.withLogins { stage in
            stage.issuer.set(down: true)
            let browser = Browser(stage)
            try await self.expect(try await browser.get(Browser.begin), .issuer, browser)
            // It is not asked by every click.
            try await self.expect(try await browser.get(Browser.begin), .issuer, browser)
            #expect(stage.issuer.requests.count == 1)
            stage.issuer.set(down: false)
            stage.clock.advance(.seconds(60))
            let answer = try await browser.begin()
            stage.issuer.set(down: true)
            try await self.expect(try await browser.get(answer), .issuer, browser)
            // Passwords go on.
            _ = try await Session.logIn(stage.client, as: "alice")
        }
    }

    @Test(arguments: ["[]", "{}", "", #"{"id_token":7}"#, #"{"error":"invalid_client"}"#])
    func aReplyWithoutAnIDTokenIsTheIssuersFault(reply: String) async throws {
        try await self.withLogins { stage in
            stage.issuer.withLogins { $0.reply = reply }
            let browser = Browser(stage)
            try await self.expect(try await browser.logIn(), .issuer, browser)
        }
    }

    @Test(arguments: ["authorization_endpoint", "token_endpoint"], ["http://id.example.org/a", "https://a@b.example.org", ""])
    func endpointsMustBeTrustworthy(name: String, address: String) async throws {
        try await self.withLogins { stage in
            stage.issuer.withLogins { $0.document[name] = address }
            let browser = Browser(stage)
            let reply =
                if name == "token_endpoint" { try await browser.logIn() } else { try await browser.get(Browser.begin) }
            try await self.expect(reply, .issuer, browser)
            #expect(stage.issuer.withLogins { $0.authorization }.isEmpty, "the secret went nowhere")
        }
    }

    /// One thing at a time that is not as it should be.
    @Test func everyLieIsSeen() async throws {
        typealias Lie = @Sendable (inout TestIssuer.Logins) -> Void
        let lies: [String: Lie] = [
            "nonce": { $0.claims["nonce"] = "another" }, "no nonce": { $0.claims["nonce"] = .some(nil) },
            "aud": { $0.claims["aud"] = "spalloc" }, "no aud": { $0.claims["aud"] = .some(nil) },
            "two aud": { $0.claims["aud"] = [TestIssuer.Logins.clientID, "other"] },
            "azp": { $0.claims["azp"] = "other" }, "iss": { $0.claims["iss"] = "https://eve.example.org" },
            "exp": { $0.claims["exp"] = 1_600_000_000 }, "no exp": { $0.claims["exp"] = .some(nil) },
            "no sub": { $0.claims["sub"] = .some(nil) }, "key": { $0.signedBy = .es256(.init()) },
            "alg": { $0.header["alg"] = "none" }, "HMAC": { $0.header["alg"] = "HS256" },
            "kid": { $0.header["kid"] = "other" }, "name": { $0.claims["preferred_username"] = "a b" },
        ]
        try await self.withLogins { stage in
            for (name, lie) in lies {
                stage.issuer.withLogins { lie(&$0) }
                let browser = Browser(stage)
                let reply = try await browser.logIn()
                #expect(reply.headers[.location]?.hasSuffix("why=token") == true, "\(name): \(reply.headers[.location] ?? "")")
                #expect(reply.sessionCookie == nil, "\(name)")
                stage.issuer.withLogins { logins in
                    (logins.claims, logins.header, logins.signedBy) = ([:], [:], nil)
                }
            }
            #expect(try await stage.user("openid.ada") == nil)
            let browser = Browser(stage)
            #expect(try await browser.logIn().sessionCookie != nil)
        }
    }

    /// RFC 9207.
    @Test(arguments: [(true, nil, false), (true, "", true), (false, nil, true), (false, "x", false)])
    func theIssuerNamesItself(says: Bool, suffix: String?, counts: Bool) async throws {
        try await self.withLogins { stage in
            stage.issuer.withLogins { $0.document["authorization_response_iss_parameter_supported"] = says }
            let browser = Browser(stage)
            let named = suffix.map { "&iss=" + Links.escape(TestIssuer.address + $0) } ?? ""
            let reply = try await browser.get(try await browser.begin() + named)
            #expect((reply.sessionCookie != nil) == counts)
        }
    }

    @Test func accountsThatMayNotBeHere() async throws {
        try await self.withLogins({ $0.oidc?.usernamePrefix = "" }) { stage in
            let browser = Browser(stage)
            try await self.expect(try await browser.logIn(as: "alice"), .account, browser)
            #expect(try await browser.logIn(as: "ada").sessionCookie != nil)
            let user = try #require(try await stage.user("ada"))
            try await stage.harness.store.setEnabled(false, user: user.id)
            try await self.expect(try await browser.logIn(as: "ada"), .account, browser)
        }
    }

    @Test func soManyAskTheIssuerAtATime() async throws {
        let issuer = try TestIssuer()
        // Who waits for the issuer; nil: nobody has to any more.
        let waiting = NIOLockedValueBox<[Nudge]?>([])
        var oidc = SpallocServerConfiguration.OIDC(issuer: TestIssuer.address, audiences: ["spalloc"])
        oidc.login = .init(clientID: TestIssuer.Logins.clientID)
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = try Store(path: directory.appendingPathComponent("db").path)
        let clock = TurnedClock().now
        let fetch: IssuerFetch = { request in
            if request.form != nil {
                let gate = Nudge()
                let mustWait = waiting.withLockedValue { $0?.append(gate) } != nil
                if mustWait { _ = await gate.wait() }
                throw IssuerError("too late")
            }
            return try await issuer.fetch(request)
        }
        let bearer = BearerLogins(
            configuration: oidc, store: store, clock: clock, keys: IssuerKeys(oidc, clock: clock, fetch: fetch), logger: quiet)
        let logins = BrowserLogins(try #require(oidc.login), bearer: bearer, fetch: fetch)
        @Sendable func tryOne() async -> BrowserLogins.Failure? {
            do {
                let start = try await logins.begin(callback: "https://here.example.org/back", place: nil)
                let back = try issuer.withLogins { try $0.visit(start.location, as: "ada") }
                let items = URLComponents(url: back, resolvingAgainstBaseURL: false)?.queryItems ?? []
                func item(_ name: String) -> String? { items.first { $0.name == name }?.value }
                _ = try await logins.finish(.init(state: item("state"), code: item("code")), cookie: start.cookie)
                return nil
            } catch { return error as? BrowserLogins.Failure }
        }
        try await withThrowingTaskGroup(of: BrowserLogins.Failure?.self) { group in
            for _ in 0..<BrowserLogins.maximumExchanges { group.addTask { await tryOne() } }
            let all = BrowserLogins.maximumExchanges
            try await eventually("all to wait for the issuer") { waiting.withLockedValue { $0?.count } == all }
            let another = await tryOne()
            #expect(another == .busy)
            let gates = waiting.withLockedValue { waiting in
                defer { waiting = nil }
                return waiting ?? []
            }
            #expect(gates.count == all)
            for gate in gates { gate.end() }
            for try await failure in group { #expect(failure == .issuer) }
        }
        // There is room again.
        #expect(await tryOne() == .issuer)
        try store.close()
    }

    // MARK: - Secrets

    @Test func nothingSecretIsLogged() async throws {
        let log = LogRecorder()
        try await self.withLogins(logger: log.logger) { stage in
            let browser = Browser(stage)
            var secrets = [TestIssuer.Logins.secret, "access-of-ada", "eyJ", "Basic "]
            for lie in [false, true] {
                stage.issuer.withLogins { $0.claims = lie ? ["nonce": "wrong"] : [:] }
                let answer = try await browser.begin()
                secrets += answer.split(whereSeparator: { "?&=".contains($0) }).dropFirst().map(String.init)
                    .filter { !["state", "code"].contains($0) }
                secrets += browser.cookies.values
                _ = try await browser.get(answer)
                secrets += browser.cookies.values
            }
            stage.issuer.set(down: true)
            _ = try await browser.get(try await browser.begin())
            let text = log.text
            #expect(text.contains("ID token is refused") && text.contains("no login by the issuer"), "\(text)")
            #expect(secrets.count >= 10)
            for secret in secrets { #expect(!text.contains(secret), "\(secret) in\n\(text)") }
        }
    }
}
