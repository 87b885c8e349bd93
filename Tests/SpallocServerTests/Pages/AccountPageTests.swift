//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct AccountPageTests {
    /// A user of the database: those of the configuration are changed there.
    private func withUser(_ body: @escaping @Sendable (Harness, any TestClientProtocol, Session) async throws -> Void)
        async throws
    {
        try await withService { harness, client in
            try await harness.store.setUser(
                name: "carol", password: try await .make("old secret", rounds: 2), trustLevel: .user)
            try await body(harness, client, try await Session.logIn(client, as: "carol", password: "old secret"))
        }
    }

    private static func form(_ old: String, _ new: String, _ again: String? = nil) -> [String: String] {
        ["oldPassword": old, "newPassword": new, "newPassword2": again ?? new]
    }

    @Test func aNewPasswordEndsTheOtherSessions() async throws {
        try await self.withUser { _, client, carol in
            let other = try await Session.logIn(client, as: "carol", password: "old secret")
            let reply = try await carol.submit("change_password", Self.form("old secret", "new & better"))
            #expect(reply.status == .seeOther)
            let cookie = try #require(reply.sessionCookie)
            #expect(cookie != carol.cookie)
            for old in [carol, other] { #expect(try await old.page("").status == .found) }
            var now = carol
            now.cookie = cookie
            #expect(try await now.page("change_password").status == .ok)
            _ = try await Session.logIn(client, as: "carol", password: "new & better")
            await #expect(throws: LoginRefused.self) {
                _ = try await Session.logIn(client, as: "carol", password: "old secret")
            }
        }
    }

    @Test(arguments: [
        ("wrong", "new", "new", "present password is wrong"), ("old secret", "new", "newer", "differ"),
        ("old secret", "  ", "  ", "blank"), ("old secret", "old secret", "old secret", "is the old one"),
    ])
    func whatCannotBeIsRefused(old: String, new: String, again: String, why: String) async throws {
        try await self.withUser { _, client, carol in
            let reply = try await carol.submit("change_password", Self.form(old, new, again))
            #expect(reply.status == .badRequest)
            #expect(reply.text.contains(why))
            #expect(!reply.text.contains("old secret"))
            _ = try await Session.logIn(client, as: "carol", password: "old secret")
        }
    }

    /// Who sits at somebody's open page may not guess for ever.
    @Test func guessingLocksTheAccount() async throws {
        try await self.withUser { harness, _, carol in
            for _ in 0..<harness.core.configuration.lockout.failures {
                _ = try await carol.submit("change_password", Self.form("guess", "new"))
            }
            let right = try await carol.submit("change_password", Self.form("old secret", "new"))
            #expect(right.status == .badRequest && right.text.contains("locked"))
        }
    }

    @Test func aConfiguredPasswordIsTheFilesBusiness() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let page = try await alice.page("change_password").text
            #expect(page.contains("configuration file") && !page.contains("newPassword"))
            #expect(try await alice.submit("change_password", Self.form("alice's secret", "x")).status == .badRequest)
            _ = try await Session.logIn(client, as: "alice")
        }
    }

    @Test func allOtherSessionsEnd() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let other = try await Session.logIn(client, as: "alice")
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await alice.page("change_password").text.contains("<dd>2</dd>"))
            #expect(try await alice.submit("end_sessions").status == .seeOther)
            #expect(try await alice.page("change_password").text.contains("<dd>this one</dd>"))
            #expect(try await other.page("").status == .found)
            #expect(try await bob.page("").status == .ok)
        }
    }

    @Test func loggingOutEndsTheSession() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            #expect(try await alice.submit("perform_logout").status == .found)
            #expect(try await alice.page("").status == .found)
        }
    }
}
