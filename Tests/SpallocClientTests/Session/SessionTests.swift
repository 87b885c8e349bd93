//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct SessionTests {
    @Test func theFormLoginGivesCookieAndCSRF() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            #expect(
                peer.calls == [
                    "GET /spalloc/system/login.html", "POST /spalloc/system/perform_login", "GET /spalloc/srv/spalloc/",
                ])
            let version = try await client.version()
            #expect([version.majorVersion, version.minorVersion, version.revision] == [7, 4, 2])
            // Known from the login: no request more.
            #expect(peer.requests.count == 3)
            try await client.job(42).keepAlive()
            let put = try #require(peer.requests.last)
            #expect(put.headers.first(name: "x-csrf-token") == "5b1c-01")
            #expect(put.headers.first(name: "content-type") == "text/plain; charset=UTF-8")
            #expect(put.cookie == "JSESSIONID=SESSION1")
            #expect(put.text == "alive")
            #expect(!put.headers.contains(name: "authorization"))
        }
    }

    @Test func credentialsInTheURLLogIn() async throws {
        let service = FakeService { $0.user = "me@example.org" }
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            let url = "http://me@example.org:s3cret%20pass%26word@127.0.0.1:\(peer.port)/spalloc"
            let version = try await withSpallocClient(url: url) { try await $0.version() }
            #expect(version.majorVersion == 7)
        }
    }

    @Test func aWrongPasswordIsSaidWithTheServicesWordsAndNotTriedAgain() async throws {
        let service = FakeService()
        let error = try await #require(throws: SpallocError.self) {
            try await service.run(credentials: .password(user: "alice", "wrong-pw")) { _, _ in }
        }
        #expect(error.code == .loginRefused)
        #expect(error.status == 401)
        #expect("\(error)" == "the service refuses the password of alice: bad user")
        #expect(!String(reflecting: error).contains("wrong-pw"))
        #expect(service.now.attempts == 1)
    }

    /// Three failures lock a user out for a day, so whoever asks again must not provoke a second.
    @Test func aRefusedPasswordIsNotSentAgainByLaterRequests() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            service.state.withLockedValue { $0.password = "changed" }
            service.expireSessions()
            for _ in 0..<3 {
                let error = try await #require(throws: SpallocError.self) { try await client.machines() }
                #expect(error.code == .loginRefused)
            }
            #expect(service.now.attempts == 2)
            // An explicit renewal may.
            service.state.withLockedValue { $0.password = "s3cret pass&word" }
            try await client.session.renew()
            let machines = try await client.machines()
            #expect(machines.count == 1)
        }
    }

    @Test func anExpiredSessionIsRenewedOnceForAllWhoMeetIt() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            service.expireSessions()
            let names = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await client.machines().map(\.name).joined() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(names == Array(repeating: "M", count: 20))
            #expect(service.now.logins == 2)
            #expect(peer.count("POST /spalloc/system/perform_login") == 2)
        }
    }

    @Test func aRedirectMeansNotLoggedIn() async throws {
        let redirected = NIOLockedValueBox(false)
        let service = FakeService(special: { request in
            guard request.path.hasSuffix("machines/") else { return nil }
            let isFirst = redirected.withLockedValue { was in
                defer { was = true }
                return !was
            }
            return isFirst ? .reply(status: 302, headers: [("Location", "/spalloc/system/login.html")]) : nil
        })
        try await service.run { client, _ in
            let machines = try await client.machines()
            #expect(machines.count == 1)
            #expect(service.now.logins == 2)
        }
    }

    @Test func aSessionThatIsNeverAcceptedIsAnErrorNotALoop() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .text(401, "no") : nil })
        try await service.run { client, peer in
            let error = try await #require(throws: SpallocError.self) { try await client.machines() }
            #expect(error.code == .notLoggedIn)
            #expect(error.serverMessage == "no")
            #expect(peer.count("GET /spalloc/srv/spalloc/machines/") == 2)
        }
    }

    @Test func aNewCSRFTokenIsFetchedAfterA403() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            service.state.withLockedValue { $0.csrf = "5b1c-02" }
            try await client.job(42).keepAlive()
            #expect(service.now.keepalives == 1)
            #expect(service.now.logins == 1)
        }
    }

    @Test func a403WithAGoodTokenStands() async throws {
        let service = FakeService(special: { $0.method == .PUT ? .text(403, "not for you") : nil })
        try await service.run { client, peer in
            let error = try await #require(throws: SpallocError.self) { try await client.job(42).keepAlive() }
            #expect(error.code == .forbidden)
            #expect(error.job == 42)
            #expect(error.serverMessage == "not for you")
            #expect(peer.count("PUT /spalloc/srv/spalloc/jobs/42/keepalive") == 1)
        }
    }

    @Test func aChangedCookieIsTakenUp() async throws {
        let service = FakeService(special: { request in
            request.path.hasSuffix("machines/") && request.cookie == "JSESSIONID=SESSION1"
                ? .reply(status: 200, headers: [("Set-Cookie", "JSESSIONID=MOVED; Path=/")], body: #"{"machines":[]}"#) : nil
        })
        try await service.run { client, peer in
            _ = try await client.machines()
            service.state.withLockedValue { _ = $0.sessions.insert("MOVED") }
            _ = try await client.machines()
            #expect(peer.requests.last?.cookie == "JSESSIONID=MOVED")
        }
    }

    @Test func aLoginWithoutACookieIsAnError() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("perform_login") ? .reply(status: 302) : nil })
        let error = try await #require(throws: SpallocError.self) { try await service.run { _, _ in } }
        #expect(error.code == .unexpectedResponse)
        #expect("\(error)".contains("no session cookie"))
    }

    @Test func aPageThatIsNoLoginPageIsAnError() async throws {
        let service = FakeService { $0.loginPage = "<html>It works!</html>" }
        let error = try await #require(throws: SpallocError.self) { try await service.run { _, _ in } }
        #expect(error.code == .unexpectedResponse)
        #expect("\(error)".contains("is the URL right?"))
    }

    @Test func aRedirectedServiceTellsItsAddress() async throws {
        let service = FakeService(special: { _ in
            .reply(status: 301, headers: [("Location", "https://real.example/spalloc/system/login.html")])
        })
        let error = try await #require(throws: SpallocError.self) { try await service.run { _, _ in } }
        #expect("\(error)".contains("https://real.example/spalloc/"))
    }

    // MARK: - Tokens and stored sessions

    @Test func aTokenLogsInAndGoesWithWrites() async throws {
        let service = FakeService()
        try await service.run(credentials: .token("TOKEN-1")) { client, peer in
            _ = try await client.machines()
            #expect(peer.requests.last?.headers.contains(name: "authorization") == false)
            try await client.job(42).keepAlive()
            #expect(peer.requests.last?.headers.first(name: "authorization") == "Bearer TOKEN-1")
        }
    }

    @Test func tokensAreFetchedAgainForEachLogin() async throws {
        struct Provider: SpallocTokenProvider {
            let asked = NIOLockedValueBox<[String?]>([])
            func token(replacing refused: String?) async throws -> String {
                asked.withLockedValue { asked in
                    asked.append(refused)
                    return "TOKEN-\(asked.count)"
                }
            }
        }
        let provider = Provider()
        let service = FakeService()
        try await service.run(credentials: .tokens(from: provider)) { client, _ in
            // The next token the provider hands out has just run out; the one after is good.
            service.state.withLockedValue { $0.token = "TOKEN-3" }
            service.expireSessions()
            let machines = try await client.machines()
            #expect(machines.count == 1)
            #expect(provider.asked.withLockedValue { $0 } == [nil, nil, "TOKEN-2"])
        }
    }

    @Test func aFixedTokenThatIsRefusedIsSentOnce() async throws {
        let service = FakeService()
        let error = try await #require(throws: SpallocError.self) {
            try await service.run(credentials: .token("WRONG")) { _, _ in }
        }
        #expect(error.code == .loginRefused)
        #expect(!"\(error)".contains("WRONG"))
        #expect(service.now.attempts == 1)
    }

    @Test func theJupyterServiceGivesTokens() async throws {
        try await ScriptedPeer.run({ request in
            request.headers.first(name: "authorization") == "Token api"
                && request.path == "/services/access-token-service/access-token"
                ? .json(#"{"access_token":"T1","expires":1}"#) : .text(403, "no")
        }) { peer in
            let provider = JupyterTokenProvider(host: "127.0.0.1", port: peer.port, apiToken: "api")
            let first = try await provider.token(replacing: nil)
            #expect(first == "T1")
            let again = try await #require(throws: SpallocError.self) { try await provider.token(replacing: "T1") }
            #expect(again.code == .tokenUnavailable)
            let other = JupyterTokenProvider(host: "127.0.0.1", port: peer.port, apiToken: "wrong")
            let refused = try await #require(throws: SpallocError.self) { try await other.token(replacing: nil) }
            #expect(refused.status == 403)
        }
    }

    @Test func aStoredSessionWorksInASecondProcess() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            let stored = try await client.session.storedSession()
            #expect(stored.cookies == ["JSESSIONID": "SESSION1"])
            #expect(stored.headers == ["X-CSRF-TOKEN": "5b1c-01"])
            try await service.run(credentials: .restored(stored)) { second, peer in
                try await second.job(42).keepAlive()
                let version = try await second.version()
                #expect(version.majorVersion == 7)
                #expect(peer.count("GET /spalloc/system/login.html") == 0)
                service.expireSessions()
                let error = try await #require(throws: SpallocError.self) { try await second.machines() }
                #expect(error.code == .notLoggedIn)
            }
            let renewal = SpallocCredentials.password(user: "alice", "s3cret pass&word")
            try await service.run(credentials: .restored(stored, renewal: renewal)) { third, _ in
                let machines = try await third.machines()
                #expect(machines.count == 1)
            }
        }
    }

    @Test func aClosedClientSaysSo() async throws {
        let service = FakeService()
        let client = try await service.run { client, _ in client }
        let error = try await #require(throws: SpallocError.self) { try await client.machines() }
        #expect(error.code == .closed)
    }
}
