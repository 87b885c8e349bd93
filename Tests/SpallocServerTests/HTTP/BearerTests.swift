//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpallocServer
import Testing

/// Tokens of an issuer as clients bring them.
@Suite(.timeLimit(.minutes(3))) struct BearerTests {
    private static let job = #"{"num-boards":1,"keepalive-interval":60}"#

    // MARK: - Without a session

    @Test func aTokenIsALoginAndItsUserIsMade() async throws {
        try await withIssuer { stage in
            let token = try stage.token()
            // Changes need no other token: a browser adds this one for nobody.
            let created = try await stage.ask(.post, "jobs/", token: token, body: Self.job)
            #expect(created.status == .created, "\(created.text)")
            let job = try JSONDecoder().decode(
                JobDescription.self, from: Data(try await stage.ask(.get, "jobs/1", token: token).body.readableBytesView))
            #expect(job.owner == "openid.ada")
            let user = try #require(try await stage.user("openid.ada"))
            #expect(user.trustLevel == .user && user.isExternal && !user.hasPassword && user.subject == "id of ada")
            #expect(try await stage.ask(.delete, "jobs/1?reason=done", token: token).status == .noContent)
            // Nobody logs in to it by a password, of whatever kind.
            await #expect(throws: LoginRefused.self) {
                try await Session.logIn(stage.client, as: "openid.ada", password: "x")
            }
        }
    }

    @Test func whatIsNoGoodTokenIsNobody() async throws {
        try await withIssuer { stage in
            let good = try stage.token()
            for token in ["", "x", "a.b.c", String(good.dropLast(4)), try stage.token(life: .seconds(-60)), "\(good) \(good)"] {
                for path in ["", "machines", "jobs/1", "/spalloc/system/login.html"] {
                    let reply = try await stage.ask(.get, path, token: token)
                    #expect(reply.status == .unauthorized, "\(path) \(token)")
                    #expect(reply.sessionCookie == nil, "the Python client would take it for a success")
                    let challenges = reply.headers[values: .wwwAuthenticate]
                    #expect(challenges.count == 2 && challenges[1].hasPrefix("Bearer "), "\(challenges)")
                    #expect(!reply.text.contains(good))
                }
            }
            #expect(try await stage.user("openid.ada") == nil)
        }
    }

    @Test func withoutAnIssuerThereAreNoTokens() async throws {
        try await withIssuer({ $0.oidc = nil }) { stage in
            for path in ["machines", "/spalloc/system/login.html"] {
                let reply = try await stage.ask(.get, path, token: try stage.token())
                #expect(reply.status == .unauthorized && reply.headers[values: .wwwAuthenticate].count == 1)
            }
            #expect(stage.issuer.requests.isEmpty)
        }
    }

    @Test func whatCannotBeCheckedIsTold() async throws {
        try await withIssuer { stage in
            stage.issuer.set(down: true)
            #expect(try await stage.ask(.get, "machines", token: try stage.token()).status == .serviceUnavailable)
            // Passwords go on.
            _ = try await Session.logIn(stage.client, as: "alice")
            stage.issuer.set(down: false)
            stage.clock.advance(.seconds(60))
            #expect(try await stage.ask(.get, "machines", token: try stage.token()).status == .ok)
        }
    }

    // MARK: - The Python client's way

    @Test func theLoginPageGivesASession() async throws {
        try await withIssuer { stage in
            let token = try stage.token()
            let page = try await stage.ask(.get, "/spalloc/system/login.html", token: token)
            #expect(page.status == .ok)
            var session = Session(client: stage.client, cookie: try #require(page.sessionCookie), csrf: "")
            session.csrf = try #require(try await session.get(ServiceDescription.self, "").csrfToken)
            // Cookie and session token alone, as another process has them; and with the bearer token as well, as the client has.
            #expect(try await session.execute(.post, "jobs/", body: Self.job).status == .created)
            let both = try await session.execute(
                .put, "jobs/1/keepalive", body: "alive",
                headers: [.authorization: "Bearer \(token)", .contentType: "text/plain"])
            #expect(both.status == .ok)
            #expect(try await stage.user("openid.ada")?.lastSuccess == stage.clock.now())

            // A wrong session token is not saved by being somebody.
            session.csrf = "wrong"
            #expect(try await session.execute(.post, "jobs/", body: Self.job).status == .forbidden)
        }
    }

    @Test(arguments: [false, true])
    func theSessionEndsWithItsToken(outlives: Bool) async throws {
        try await withIssuer({ $0.oidc?.sessionsOutliveTokens = outlives }) { stage in
            let token = try stage.token(life: .seconds(100))
            let cookies = [
                try await stage.ask(.get, "/spalloc/system/login.html", token: token).sessionCookie,
                // The service's root gives one, too.
                try await stage.ask(.get, "", token: token).sessionCookie,
            ]
            for cookie in cookies {
                let session = Session(client: stage.client, cookie: try #require(cookie), csrf: "")
                #expect(try await session.execute(.get, "machines").status == .ok)
            }
            stage.clock.advance(.seconds(99))
            for cookie in cookies {
                let session = Session(client: stage.client, cookie: try #require(cookie), csrf: "")
                #expect(try await session.execute(.get, "machines").status == .ok)
            }
            stage.clock.advance(.seconds(1))
            for cookie in cookies {
                let session = Session(client: stage.client, cookie: try #require(cookie), csrf: "")
                #expect(try await session.execute(.get, "machines").status == (outlives ? .ok : .unauthorized))
            }
            let user = try #require(try await stage.user("openid.ada"))
            try await stage.harness.application.sessions.sweep()
            #expect(try await stage.harness.store.sessionCount(of: user.id) == (outlives ? 2 : 0))
        }
    }

    // MARK: - Whose name it is

    /// By whatever name: the issuer's `sub` says who it is.
    @Test func namesThatChangeHands() async throws {
        try await withIssuer { stage in
            #expect(try await stage.ask(.get, "machines", token: try stage.token("ada", subject: "1")).status == .ok)
            // Somebody else is given the name later: not the first one's account.
            #expect(try await stage.ask(.get, "machines", token: try stage.token("ada", subject: "2")).status == .unauthorized)
            // The first one comes by another name: the same account.
            #expect(
                try await stage.ask(.post, "jobs/", token: try stage.token("bea", subject: "1"), body: Self.job).status
                    == .created)
            let job = try #require(try await stage.harness.store.liveJobs().first)
            #expect(job.owner == "openid.ada")
            #expect(try await stage.user("openid.bea") == nil)
        }
    }

    @Test func aLocalAccountIsNotTakenOver() async throws {
        try await withIssuer({
            $0.oidc?.usernamePrefix = ""
            $0.v1.enabled = false
        }) { stage in
            // With a password, and without one (as the user of version 1's jobs).
            try await stage.harness.store.setUser(name: "v1", password: nil, trustLevel: .user)
            for name in ["alice", "root", "v1"] {
                #expect(try await stage.ask(.get, "machines", token: try stage.token(name)).status == .unauthorized, "\(name)")
                #expect(try await stage.user(name)?.subject == nil)
            }
            _ = try await Session.logIn(stage.client, as: "alice")
        }
    }

    @Test func aDisabledUserIsOut() async throws {
        try await withIssuer { stage in
            let token = try stage.token()
            let cookie = try await stage.ask(.get, "/spalloc/system/login.html", token: token).sessionCookie
            let user = try #require(try await stage.user("openid.ada"))
            try await stage.harness.store.setEnabled(false, user: user.id)
            #expect(try await stage.ask(.get, "machines", token: token).status == .unauthorized)
            #expect(try await stage.ask(.get, "/spalloc/system/login.html", token: token).status == .unauthorized)
            let session = Session(client: stage.client, cookie: try #require(cookie), csrf: "")
            #expect(try await session.execute(.get, "machines").status == .unauthorized)
        }
    }

    /// What an administrator has given or taken stays.
    @Test func theIssuerDoesNotChangeTrust() async throws {
        try await withIssuer { stage in
            #expect(try await stage.ask(.get, "machines", token: try stage.token()).status == .ok)
            let user = try #require(try await stage.user("openid.ada"))
            try await stage.harness.store.setTrustLevel(.basic, user: user.id)
            #expect(try await stage.ask(.get, "machines", token: try stage.token()).status == .forbidden)
            #expect(try await stage.user("openid.ada")?.trustLevel == .basic)
        }
    }

    // MARK: - Administration

    @Test func administratorsSeeAndPrepareThem() async throws {
        try await withIssuer { stage in
            _ = try await stage.ask(.get, "machines", token: try stage.token("ada"))
            let root = try await Session.logIn(stage.client, as: "root")
            let ada = try #require(try await stage.user("openid.ada"))
            let shown = try await root.execute(.get, "admin/users/\(ada.id)")
            #expect(shown.text.contains(#""internal":false"#) && shown.text.contains(#""open-id-subject":"id of ada""#))
            #expect(shown.text.contains(#""has-password":false"#))
            let password = try await root.execute(.put, "admin/users/\(ada.id)", body: #"{"password":"p"}"#)
            #expect(password.status == .conflict, "it would open a second door")

            // Who will come is known by name beforehand, with other rights.
            let made = try await root.execute(
                .post, "admin/users", body: #"{"user-name":"openid.bea","internal":false,"trust-level":"READER"}"#)
            #expect(made.status == .created && !made.text.contains("open-id-subject"), "\(made.text)")
            #expect(try await stage.ask(.post, "jobs/", token: try stage.token("bea"), body: Self.job).status == .forbidden)
            #expect(try await stage.ask(.get, "machines", token: try stage.token("bea")).status == .ok)
            #expect(try await stage.user("openid.bea")?.subject == "id of bea")
            // Then the place is taken.
            #expect(
                try await stage.ask(.get, "machines", token: try stage.token("bea", subject: "2")).status == .unauthorized)
            for (body, status) in [
                (#"{"user-name":"openid.bea","internal":false}"#, 304), (#"{"user-name":"cid","internal":false}"#, 400),
                (#"{"user-name":"openid.","internal":false}"#, 400), (#"{"user-name":"openid.a b","internal":false}"#, 400),
                (#"{"user-name":"openid.dan","internal":false,"password":"p"}"#, 400),
            ] { #expect(try await root.execute(.post, "admin/users", body: body).status.code == status, "\(body)") }
        }
    }

    // MARK: - Groups

    @Test func groupsFollowTheToken() async throws {
        try await withIssuer({
            $0.oidc?.collaboratoryClaim = "roles.team"
            $0.groups = [.init(name: "lab", members: ["alice"])]
        }) { stage in
            let store = stage.harness.store
            func groups() async throws -> [String] {
                guard let user = try await stage.user("openid.ada") else { return [] }
                return try await store.groups(of: user.id).map(\.name)
            }
            #expect(
                try await stage.ask(.get, "", token: try stage.token(teams: ["collab-a-viewer", "collab-b-editor"])).status
                    == .ok)
            #expect(try await groups() == ["a", "b", "private-ada"])
            let made = try #require(try await store.group(named: "a"))
            #expect(made.type == .collaboratory && made.quota == 3_600_000)
            #expect(try await store.quotaEntries(of: made.id, limit: 9).map(\.by) == ["the issuer of tokens"])

            // A local group's name opens no door, and a local membership is an administrator's.
            let user = try #require(try await stage.user("openid.ada"))
            let lab = try #require(try await store.group(named: "lab"))
            _ = try await stage.ask(.get, "", token: try stage.token(teams: ["lab", "collab-b-viewer"]))
            #expect(try await groups() == ["b", "private-ada"])
            try await store.setMember(true, user: user.id, of: lab.id)
            _ = try await stage.ask(.get, "", token: try stage.token(teams: ["c"]))
            #expect(try await groups() == ["c", "lab", "private-ada"])
            // Nothing said is nothing changed.
            _ = try await stage.ask(.get, "", token: try stage.token())
            _ = try await stage.ask(.get, "", token: try stage.token(teams: []))
            #expect(try await groups() == ["c", "lab", "private-ada"])
        }
    }

    @Test func theOwnGroupPaysUnlessAnotherIsNamed() async throws {
        try await withIssuer({ $0.oidc?.collaboratoryClaim = "roles.team" }) { stage in
            let token = try stage.token(teams: ["collab-a-viewer", "collab-b-editor"])
            for (fields, group) in [("", "private-ada"), (#","nmpi-collab":"a""#, "a"), (#","group":"b""#, "b")] {
                let reply = try await stage.ask(
                    .post, "jobs/", token: token, body: #"{"num-boards":1,"keepalive-interval":60"# + fields + "}")
                #expect(reply.status == .created, "\(reply.text)")
                let job = try #require(try await stage.harness.store.liveJobs().max { $0.id < $1.id })
                #expect(try await stage.harness.store.group(id: try #require(job.groupID))?.name == group)
            }
        }
    }

    /// A request that tells nothing new writes nothing.
    @Test func requestsDoNotWrite() async throws {
        try await withIssuer({ $0.oidc?.collaboratoryClaim = "roles.team" }) { stage in
            let token = try stage.token(teams: ["a"])
            _ = try await stage.ask(.get, "machines", token: token)
            // Another connection is told of commits.
            let witness = try DatabaseQueue(path: stage.harness.core.configuration.databasePath)
            func version() async throws -> Int? { try await witness.read { try Int.fetchOne($0, sql: "PRAGMA data_version") } }
            let before = try await version()
            for _ in 0..<5 { #expect(try await stage.ask(.get, "machines", token: token).status == .ok) }
            #expect(try await version() == before)
            _ = try await stage.ask(.get, "machines", token: try stage.token(teams: ["b"]))
            #expect(try await version() != before)
        }
    }
}
