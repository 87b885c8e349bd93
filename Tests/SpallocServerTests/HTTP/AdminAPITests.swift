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

/// `srv/spalloc/admin`, as section 1.9 of the specification has it, without what is broken there.
@Suite(.timeLimit(.minutes(3))) struct AdminAPITests {
    private func withRoot(_ body: @escaping @Sendable (Harness, any TestClientProtocol, Session) async throws -> Void)
        async throws
    {
        try await withService { harness, client in
            try await harness.store.setUser(name: "carol", password: try await .make("secret", rounds: 2), trustLevel: .user)
            try await body(harness, client, try await Session.logIn(client, as: "root"))
        }
    }

    private func object(_ reply: TestResponse) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(reply.body.readableBytesView)) as? [String: Any])
    }

    /// The path of an address that a reply has.
    private func path(_ url: Any?) throws -> String {
        let text = try #require(url as? String)
        #expect(text.hasPrefix("http://localhost/spalloc/srv/spalloc/admin/"), "\(text)")
        return String(text.dropFirst("http://localhost".count))
    }

    @Test(arguments: ["basil", "rita", "alice"])
    func onlyAdministratorsMay(user: String) async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: user)
            for path in [
                "admin", "admin/import", "admin/users", "admin/users/1", "admin/groups", "admin/board?machine=m1&x=0&y=0",
            ] {
                #expect(try await session.execute(.get, path).status == .forbidden, "\(path)")
            }
            for (method, path) in [
                (HTTPRequest.Method.post, "admin/users"), (.put, "admin/users/1"), (.delete, "admin/users/1"),
                (.post, "admin/groups"),
                (.post, "admin/import"), (.put, "admin/board?machine=m1&x=0&y=0"),
            ] {
                #expect(try await session.execute(method, path, body: "{}").status == .forbidden, "\(method) \(path)")
            }
        }
    }

    /// Errors are one line, whatever of the request they quote.
    @Test(arguments: ["a%0Ab", "a%0D%0Ab", "%C2%85x", "%E2%80%A8x", "%00"])
    func whatIsQuotedMakesNoSecondLine(name: String) async throws {
        try await self.withRoot { _, _, root in
            let reply = try await root.execute(.get, "admin/board?machine=\(name)&x=0&y=0")
            #expect(reply.status == .notFound)
            #expect(reply.text.hasSuffix("\n") && reply.text.contains("\u{FFFD}"))
            #expect(reply.text.dropLast().allSatisfy { !$0.isNewline })
        }
    }

    @Test func itSaysWhatThereIs() async throws {
        try await self.withRoot { _, _, root in
            for path in ["admin", "admin/"] {
                let reply = try self.object(try await root.execute(.get, path))
                #expect(Set(reply.keys) == ["import-machines", "set-board-enabled"])
                #expect(try self.path(reply["import-machines"]) == "/spalloc/srv/spalloc/admin/import")
            }
        }
    }

    // MARK: - Users

    @Test func aUserFromMakingToDeleting() async throws {
        try await self.withRoot { _, client, root in
            let made = try await root.execute(
                .post, "admin/users", body: #"{"user-name":"dave","password":"p w","internal":true,"trust-level":"READER"}"#)
            #expect(made.status == .created)
            let place = try self.path(made.headers[.location])
            let record = try self.object(made)
            #expect(record["user-name"] as? String == "dave" && record["trust-level"] as? String == "READER")
            #expect(record["has-password"] as? Bool == true && record["locked"] as? Bool == false)
            #expect(record["password"] == nil && record["user-id"] == nil && record["last-successful-login"] == nil)
            let again = try await root.execute(.post, "admin/users", body: #"{"user-name":"dave","password":"other"}"#)
            #expect(again.status == .notModified)
            let all = try self.object(try await root.execute(.get, "admin/users"))
            #expect(try self.path(all["dave"]) == place)

            let dave = try await Session.logIn(client, as: "dave", password: "p w")
            #expect(try self.object(try await root.execute(.get, place))["last-successful-login"] != nil)
            // What is not said stays.
            let changed = try await root.execute(.put, place, body: #"{"user-name":"david","trust-level":"USER"}"#)
            #expect(changed.status == .ok)
            #expect(try self.object(changed)["enabled"] as? Bool == true)
            #expect(try await dave.execute(.get, "").status == .unauthorized, "another trust ends the sessions")
            let david = try await Session.logIn(client, as: "david", password: "p w")
            #expect(try await root.execute(.put, place, body: #"{"password":"new"}"#).status == .ok)
            #expect(try await david.execute(.get, "").status == .unauthorized)
            let last = try await Session.logIn(client, as: "david", password: "new")
            #expect(try await root.execute(.put, place, body: #"{"enabled":false}"#).status == .ok)
            #expect(try await last.execute(.get, "").status == .unauthorized)

            let gone = try await root.execute(.delete, place)
            #expect(gone.status == .ok && gone.text == "deleted user david")
            #expect(try await root.execute(.get, place).status == .notFound)
            #expect(try await root.execute(.delete, place).status == .notFound)
        }
    }

    @Test(arguments: [
        (#"{"password":"p"}"#, 400), (#"{"user-name":"x"}"#, 400), (#"{"user-name":"a b","password":"p"}"#, 400),
        (#"{"user-name":"x","password":" "}"#, 400), (#"{"user-name":"x","password":"p","internal":false}"#, 400),
        (#"{"user-name":"x","password":"p","trust-level":"GOD"}"#, 400), ("{", 400), ("[]", 400),
    ])
    func aUserThatCannotBeIsRefused(body: String, status: Int) async throws {
        try await self.withRoot { harness, _, root in
            let before = try await harness.store.users().count
            #expect(try await root.execute(.post, "admin/users", body: body).status.code == status)
            #expect(try await harness.store.users().count == before)
        }
    }

    @Test func nobodyLocksHimselfOut() async throws {
        try await self.withRoot { harness, _, root in
            let id = try #require(try await harness.store.user(named: "root")).user.id
            for body in [#"{"enabled":false}"#, #"{"trust-level":"USER"}"#, #"{"user-name":"x"}"#] {
                #expect(try await root.execute(.put, "admin/users/\(id)", body: body).status == .conflict, "\(body)")
            }
            #expect(try await root.execute(.delete, "admin/users/\(id)").status == .conflict)
            #expect(try await root.execute(.put, "admin/users/\(id)", body: #"{"locked":false}"#).status == .ok)
        }
    }

    @Test func aLockIsTakenOff() async throws {
        try await self.withRoot { harness, client, root in
            for _ in 0..<harness.core.configuration.lockout.failures {
                await #expect(throws: LoginRefused.self) { _ = try await Session.logIn(client, as: "carol", password: "guess") }
            }
            let id = try #require(try await harness.store.user(named: "carol")).user.id
            #expect(try self.object(try await root.execute(.get, "admin/users/\(id)"))["locked"] as? Bool == true)
            #expect(try await root.execute(.put, "admin/users/\(id)", body: #"{"locked":false}"#).status == .ok)
            _ = try await Session.logIn(client, as: "carol", password: "secret")
        }
    }

    // MARK: - Groups

    @Test func aGroupFromMakingToDeleting() async throws {
        try await self.withRoot { harness, _, root in
            let made = try await root.execute(
                .post, "admin/groups", body: #"{"group-name":"lab","quota":7200,"type":"INTERNAL"}"#)
            #expect(made.status == .created)
            let place = try self.path(made.headers[.location])
            #expect(try self.object(made)["quota"] as? Int == 7200)
            #expect(try await root.execute(.post, "admin/groups", body: #"{"group-name":"lab"}"#).status == .conflict)

            let member = try await root.execute(.post, "\(place)/members", body: #"{"user-name":"carol"}"#)
            #expect(member.status == .created)
            let membership = try self.path(member.headers[.location])
            let record = try self.object(member)
            #expect(record["group-name"] as? String == "lab" && record["user-name"] as? String == "carol")
            #expect(try self.path(record["group-url"]) == place)
            #expect(
                try self.object(try await root.execute(.get, try self.path(record["user-url"])))["user-name"] as? String
                    == "carol")
            for name in ["carol", "nobody"] {
                #expect(
                    try await root.execute(.post, "\(place)/members", body: "{\"user-name\":\"\(name)\"}").status == .badRequest
                )
            }
            let members = try self.object(try await root.execute(.get, place))["members"] as? [String: Any]
            #expect(try self.path(members?["carol"]) == membership)
            let user = try #require(try await harness.store.user(named: "carol")).user.id
            let groups = try self.object(try await root.execute(.get, "admin/users/\(user)"))["groups"] as? [String: Any]
            #expect(try self.path(groups?["lab"]) == place, "the reference names users here")

            let renamed = try await root.execute(.put, place, body: #"{"group-name":"laboratory","quota":60}"#)
            #expect(try self.object(renamed)["group-name"] as? String == "laboratory")
            #expect(try await root.execute(.put, place, body: #"{"quota":-1}"#).status == .badRequest)
            #expect(try await root.execute(.put, place, body: "{}").text.contains(#""quota":null"#), "no quota is no limit")
            #expect(try await root.execute(.get, membership).status == .ok)
            #expect(try await root.execute(.delete, membership).status == .noContent)
            #expect(try await root.execute(.delete, membership).status == .notFound)
            #expect(try await root.execute(.delete, place).text == "deleted group laboratory")
            #expect(try await root.execute(.get, place).status == .notFound)
            #expect(try await root.execute(.get, "admin/groups").text == "{}")
        }
    }

    // MARK: - Boards and machines

    @Test func aBoardGoesOutOfServiceAndStockClientsSeeIt() async throws {
        try await self.withRoot { _, client, root in
            for place in ["x=0&y=0&z=1", "cabinet=0&frame=0&board=1", "address=127.10.0.11"] {
                let path = "admin/board?machine=m1&\(place)"
                #expect(try await root.execute(.get, path).text == "true")
                #expect(
                    try await root.execute(.put, path, body: " false\n", headers: [.contentType: "text/plain"]).text == "false")
                let carol = try await Session.logIn(client, as: "carol", password: "secret")
                #expect(try await carol.execute(.get, "machines/m1").text.contains("127.10.0.11"), "\(place)")
                #expect(try await root.execute(.get, path).text == "false")
                #expect(try await root.execute(.put, path, body: "True", headers: [.contentType: "text/plain"]).text == "true")
            }
            for (place, status) in [
                ("machine=m1", 400), ("x=0&y=0", 400), ("machine=m1&x=a&y=0", 400), ("machine=m1&x=5&y=5", 404),
                ("machine=none&x=0&y=0", 404), ("machine=m1&address=1.2.3.4", 404), ("machine=m1&board=99", 404),
            ] {
                #expect(try await root.execute(.get, "admin/board?\(place)").status.code == status, "\(place)")
            }
            let odd = try await root.execute(
                .put, "admin/board?machine=m1&x=0&y=0", body: "maybe", headers: [.contentType: "text/plain"])
            #expect(odd.status == .badRequest)
        }
    }

    /// In the reference a duplicate is a failure of the server, and a new machine needs a restart.
    @Test func machinesAreImported() async throws {
        try await self.withRoot { harness, client, root in
            let definition = """
                {"machines":[{"name":"m2","tags":["new"],"width":1,"height":1,"board-locations":{"[x:0,y:0,z:0]":{"c":0,"f":0,"b":0}},
                "spinnaker-ips":{"[x:0,y:0,z:0]":"127.77.0.1"},"bmp-ips":{"[c:0,f:0]":"127.77.0.2"}}]}
                """
            #expect(try await root.execute(.post, "admin/import", body: definition).status == .noContent)
            #expect(try await root.execute(.post, "admin/import", body: definition).status == .conflict)
            #expect(try await root.execute(.post, "admin/import", body: "{}").status == .badRequest)
            #expect(try await root.execute(.get, "admin/import").status == .ok)
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let job = try await carol.create(#"{"machine-name":"m2","keepalive-interval":60}"#)
            #expect(try await carol.wait(job, for: [.ready]).state == .ready)
            #expect(harness.store.catalogue.machines.map(\.name) == ["m1", "m2"])
        }
    }
}
