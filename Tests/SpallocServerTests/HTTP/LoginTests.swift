//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct LoginTests {
    /// Both stock clients' patterns find the same token, and nothing but it.
    @Test func thePageIsScrapedByBothClients() async throws {
        try await withService { _, client in
            let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
            #expect(page.status == .ok)
            let html = page.text
            // Python: greedy, the first match in the page.
            let python = try #require(html.firstMatch(of: /<input type="hidden" name="_csrf" value="(.*)" \/>/))
            // Java: line by line.
            let java = try #require(
                html.split(separator: "\n").compactMap { $0.firstMatch(of: /name="_csrf" value="([-a-z0-9]+)"/) }.first)
            #expect(python.1 == java.1)
            #expect(UUID(uuidString: String(python.1)) != nil)
            let cookie = try #require(page.headers[.setCookie])
            #expect(cookie.firstMatch(of: /^JSESSIONID=([A-Z0-9]+); Path=\/spalloc\/; HttpOnly/) != nil, "\(cookie)")
        }
    }

    @Test func aSuccessIsARedirectWithANewCookie() async throws {
        try await withService { _, client in
            let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
            let first = try #require(page.sessionCookie)
            let token = try #require(page.text.firstMatch(of: /name="_csrf" value="([-a-z0-9]+)"/)).1
            let reply = try await client.execute(
                uri: "/spalloc/system/perform_login", method: .post, headers: [.cookie: "JSESSIONID=\(first)"],
                body: ByteBuffer(string: "_csrf=\(token)&username=+alice+&password=alice%27s+secret&submit=submit"))
            #expect(reply.status == .found)
            #expect(reply.headers[.location] == "http://localhost/spalloc/system/")
            let second = try #require(reply.sessionCookie)
            #expect(second != first)
            // The first one is worth nothing any more, the second has what a second process needs: cookie and token.
            let old = try await client.execute(uri: Session.api, method: .get, headers: [.cookie: "JSESSIONID=\(first)"])
            #expect(old.status == .unauthorized)
            let root = try await client.execute(uri: Session.api, method: .get, headers: [.cookie: "JSESSIONID=\(second)"])
            #expect(try root.keys == ["version", "jobs-ref", "machines-ref", "csrf-header", "csrf-token"])
        }
    }

    @Test(arguments: ["alice:wrong", "nobody:alice's secret", ":x", "alice:"])
    func aFailureHasAMessageAndNoCookie(_ credentials: String) async throws {
        try await withService { _, client in
            let parts = credentials.split(separator: ":", omittingEmptySubsequences: false).map { Links.escape(String($0)) }
            let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
            let token = try #require(page.text.firstMatch(of: /name="_csrf" value="([-a-z0-9]+)"/)).1
            let reply = try await client.execute(
                uri: "/spalloc/system/perform_login", method: .post,
                headers: [.cookie: "JSESSIONID=\(try #require(page.sessionCookie))"],
                body: ByteBuffer(string: "_csrf=\(token)&username=\(parts[0])&password=\(parts[1])&submit=submit"))
            #expect(reply.status == .unauthorized)
            #expect(reply.headers[.setCookie] == nil)
            #expect(try reply.keys == ["message", "timestamp"])
        }
    }

    @Test func aFormWithoutItsTokenIsRefused() async throws {
        try await withService { _, client in
            let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
            let cookie = try #require(page.sessionCookie)
            for form in ["username=alice&password=x", "_csrf=wrong&username=alice&password=x"] {
                let reply = try await client.execute(
                    uri: "/spalloc/system/perform_login", method: .post, headers: [.cookie: "JSESSIONID=\(cookie)"],
                    body: ByteBuffer(string: form))
                #expect(reply.status == .forbidden)
            }
        }
    }

    @Test func threeFailuresLockForADay() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            for _ in 0..<3 {
                await #expect(throws: (any Error).self) { try await Session.logIn(client, as: "alice", password: "wrong") }
            }
            await #expect(throws: (any Error).self) { try await Session.logIn(client, as: "alice") }
            clock.advance(.seconds(86399))
            await #expect(throws: (any Error).self) { try await Session.logIn(client, as: "alice") }
            clock.advance(.seconds(2))
            _ = try await Session.logIn(client, as: "alice")
            let user = try #require(try await harness.store.user(named: "alice")).user
            #expect(user.failures == 0 && user.lockedUntil == nil)
        }
    }

    @Test func twoFailuresDoNotLock() async throws {
        try await withService { _, client in
            for _ in 0..<2 {
                await #expect(throws: (any Error).self) { try await Session.logIn(client, as: "alice", password: "wrong") }
            }
            _ = try await Session.logIn(client, as: "alice")
        }
    }

    @Test func basicAuthenticationReadsAndWritesWithASession() async throws {
        try await withService { _, client in
            let basic = "Basic " + Data("alice:alice's secret".utf8).base64EncodedString()
            let root = try await client.execute(uri: Session.api, method: .get, headers: [.authorization: basic])
            #expect(root.status == .ok)
            let description = try JSONDecoder().decode(ServiceDescription.self, from: Data(root.body.readableBytesView))
            let session = Session(
                client: client, cookie: try #require(root.sessionCookie), csrf: try #require(description.csrfToken))
            _ = try await session.create()
            // Without the session's token a write is refused, password or not.
            let refused = try await client.execute(
                uri: Session.api + "jobs", method: .post, headers: [.authorization: basic, .contentType: "application/json"],
                body: ByteBuffer(string: "{}"))
            #expect(refused.status == .forbidden)
            let wrong = try await client.execute(
                uri: Session.api, method: .get,
                headers: [.authorization: "Basic " + Data("alice:wrong".utf8).base64EncodedString()])
            #expect(wrong.status == .unauthorized)
            #expect(wrong.headers[.wwwAuthenticate] == "Basic realm=\"SpallocService\"")
        }
    }

    @Test func writesNeedTheToken() async throws {
        try await withService { _, client in
            var session = try await Session.logIn(client, as: "alice")
            session.csrf = "wrong"
            let reply = try await session.execute(.post, "jobs", body: #"{"keepalive-interval":60}"#)
            #expect(reply.status == .forbidden)
        }
    }

    @Test func loggingOutEndsTheSession() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let reply = try await session.execute(.post, "/spalloc/system/perform_logout")
            #expect(reply.status == .found)
            #expect(try await session.execute(.get, "").status == .unauthorized)
        }
    }

    @Test func anIdleSessionEndsAndAUsedOneDoesNot() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            clock.advance(.seconds(1700))
            #expect(try await session.execute(.get, "").status == .ok)
            clock.advance(.seconds(1700))
            #expect(try await session.execute(.get, "").status == .ok)
            clock.advance(.seconds(1801))
            #expect(try await session.execute(.get, "").status == .unauthorized)
        }
    }

    /// In the reference, disabling a user leaves the user's sessions alive.
    @Test func disablingAUserEndsTheSessions() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let user = try #require(try await harness.store.user(named: "alice")).user
            try await harness.store.setEnabled(false, user: user.id)
            #expect(try await session.execute(.get, "").status == .unauthorized)
        }
    }

    @Test func cookiesAreNotInTheDatabase() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            #expect(try await harness.store.session(id: session.cookie) == nil)
        }
    }
}
