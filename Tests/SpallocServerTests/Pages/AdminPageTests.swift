//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct AdminPageTests {
    private func id(_ name: String, _ harness: Harness) async throws -> Int64 {
        try #require(try await harness.store.user(named: name)).user.id
    }

    private func withRoot(_ body: @escaping @Sendable (Harness, any TestClientProtocol, Session) async throws -> Void)
        async throws
    {
        try await withService { harness, client in
            try await harness.store.setUser(name: "carol", password: try await .make("secret", rounds: 2), trustLevel: .user)
            try await body(harness, client, try await Session.logIn(client, as: "root"))
        }
    }

    // MARK: - Users

    @Test func aUserIsMadeAndLogsIn() async throws {
        try await self.withRoot { _, client, root in
            let made = try await root.submit("admin/create-user", ["username": "dave", "password": "p w", "trust": "READER"])
            #expect(made.status == .seeOther)
            #expect(try await root.page("admin/users").text.contains(">dave</a>"))
            let dave = try await Session.logIn(client, as: "dave", password: "p w")
            #expect(try await dave.page("list_machines").status == .ok)
            #expect(try await dave.page("job_info/1").status == .forbidden)
        }
    }

    @Test(arguments: [
        ("a b", "p", "USER", 400, "no blanks"), ("", "p", "USER", 400, "1 to 64"), ("x:y", "p", "USER", 400, "no colon"),
        ("eve", "  ", "USER", 400, "blank"), ("alice", "p", "USER", 409, "already"), ("eve", "p", "GOD", 400, "no such rights"),
    ])
    func aUserThatCannotBeIsRefused(name: String, password: String, trust: String, status: Int, why: String) async throws {
        try await self.withRoot { harness, _, root in
            let before = try await harness.store.users().count
            let reply = try await root.submit("admin/create-user", ["username": name, "password": password, "trust": trust])
            #expect(reply.status.code == status && reply.text.contains(why))
            #expect(try await harness.store.users().count == before)
        }
    }

    @Test func aDisabledUserIsOutAtOnceAndComesBackUnlocked() async throws {
        try await self.withRoot { harness, client, root in
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let id = try await self.id("carol", harness)
            #expect(try await root.submit("admin/users/\(id)/enable", ["enabled": "false"]).status == .seeOther)
            #expect(try await carol.page("").status == .found)
            #expect(try await root.page("admin/users/\(id)").text.contains("disabled"))
            await #expect(throws: LoginRefused.self) { _ = try await Session.logIn(client, as: "carol", password: "secret") }
            #expect(try await root.submit("admin/users/\(id)/enable", ["enabled": "true"]).status == .seeOther)
            _ = try await Session.logIn(client, as: "carol", password: "secret")
        }
    }

    @Test func otherRightsAndPasswordsEndSessions() async throws {
        try await self.withRoot { harness, client, root in
            let id = try await self.id("carol", harness)
            let first = try await Session.logIn(client, as: "carol", password: "secret")
            #expect(try await root.submit("admin/users/\(id)/trust", ["trust": "READER"]).status == .seeOther)
            #expect(try await first.page("").status == .found)
            let second = try await Session.logIn(client, as: "carol", password: "secret")
            #expect(try await second.execute(.post, "jobs/", body: #"{"keepalive-interval":60}"#).status == .forbidden)
            #expect(try await root.submit("admin/users/\(id)/password", ["password": "other"]).status == .seeOther)
            #expect(try await second.page("").status == .found)
            _ = try await Session.logIn(client, as: "carol", password: "other")
            #expect(try await root.submit("admin/users/\(id)/password", ["password": " "]).status == .badRequest)
        }
    }

    @Test func aLockedUserIsUnlocked() async throws {
        try await self.withRoot { harness, client, root in
            for _ in 0..<harness.core.configuration.lockout.failures {
                await #expect(throws: LoginRefused.self) { _ = try await Session.logIn(client, as: "carol", password: "guess") }
            }
            let id = try await self.id("carol", harness)
            #expect(try await root.page("admin/users/\(id)").text.contains("locked until"))
            #expect(try await root.submit("admin/users/\(id)/unlock").status == .seeOther)
            _ = try await Session.logIn(client, as: "carol", password: "secret")
        }
    }

    @Test func nobodyLocksHimselfOut() async throws {
        try await self.withRoot { harness, client, _ in
            try await harness.store.setUser(name: "boss", password: try await .make("secret", rounds: 2), trustLevel: .admin)
            let boss = try await Session.logIn(client, as: "boss", password: "secret")
            let id = try await self.id("boss", harness)
            for (what, fields) in [
                ("enable", ["enabled": "false"]), ("trust", ["trust": "USER"]), ("password", ["password": "x"]),
                ("delete", [:]),
            ] {
                #expect(try await boss.submit("admin/users/\(id)/\(what)", fields).status == .conflict, "\(what)")
            }
            #expect(try await boss.page("admin/users/\(id)").text.contains("your own account"))
        }
    }

    @Test func configuredUsersAreTheFilesBusiness() async throws {
        try await self.withRoot { harness, _, root in
            let id = try await self.id("alice", harness)
            for (what, fields) in [("trust", ["trust": "ADMIN"]), ("password", ["password": "x"]), ("delete", [:])] {
                let reply = try await root.submit("admin/users/\(id)/\(what)", fields)
                #expect(reply.status == .conflict && reply.text.contains("configuration file"), "\(what)")
            }
            #expect(try await root.submit("admin/users/\(id)/enable", ["enabled": "false"]).status == .seeOther)
        }
    }

    @Test func whoHadJobsStays() async throws {
        try await self.withRoot { harness, client, root in
            let id = try await self.id("carol", harness)
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let job = try await carol.create()
            _ = try await harness.store.destroy(job, reason: nil, now: harness.core.clock())
            let refused = try await root.submit("admin/users/\(id)/delete")
            #expect(refused.status == .conflict && refused.text.contains("has had jobs"))
            try await harness.store.setUser(name: "dora", password: nil, trustLevel: .user)
            let dora = try await self.id("dora", harness)
            #expect(try await root.submit("admin/users/\(dora)/delete").status == .seeOther)
            #expect(try await harness.store.user(named: "dora") == nil)
            #expect(try await root.submit("admin/users/\(dora)/delete").status == .notFound)
        }
    }

    // MARK: - Boards

    @Test(arguments: ["0,0,1", " 0, 0, 1 ", "0/0/1", "127.10.0.11"])
    func aBoardIsFoundByEachOfItsNames(name: String) async throws {
        try await self.withRoot { _, _, root in
            let page = try await root.page("admin/boards?machine=m1&where=\(Links.escape(name))")
            #expect(page.status == .ok)
            for fact in ["<h2>m1 0,0,1</h2>", "<dd>0/0/1</dd>", "<dd>127.10.0.11</dd>", "<dd>in service</dd>"] {
                #expect(page.text.contains(fact), "\(fact)")
            }
        }
    }

    @Test(arguments: [
        ("m1", "9,9,9", 404), ("m1", "nonsense", 400), ("m1", "0/0/99", 404), ("m1", "1.2.3.4", 404), ("none", "0,0,0", 404),
        ("m1", "99999999999999999999,0,0", 400), ("m1", "-1,0,0", 400),
    ])
    func aBoardThatIsNotThereIsTold(machine: String, name: String, status: Int) async throws {
        try await self.withRoot { _, _, root in
            let page = try await root.page("admin/boards?machine=\(machine)&where=\(Links.escape(name))")
            #expect(page.status.code == status && page.text.contains("role=\"alert\""))
        }
    }

    /// The allocator learns of it at once, and the stock clients.
    @Test func aBoardGoesOutOfServiceAndBack() async throws {
        try await self.withRoot { _, client, root in
            let blank = try await root.submit(
                "admin/boards", ["machine": "m1", "where": "0,0,1", "enabled": "false", "reason": " "])
            #expect(blank.status == .badRequest && blank.text.contains("Say why"))
            for board in ["0,0,0", "0,0,1"] {
                let reply = try await root.submit(
                    "admin/boards", ["machine": "m1", "where": board, "enabled": "false", "reason": "smells of smoke"])
                #expect(reply.status == .seeOther)
            }
            #expect(try await root.page("admin/").text.contains("smells of smoke"))
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let job = try await carol.create()
            _ = try await carol.wait(job, for: [.ready])
            #expect(try await carol.get(JobMachine.self, "jobs/\(job)/machine").boards == [BoardCoordinates(0, 0, 2)])
            let waiting = try await carol.execute(
                .post, "jobs/", body: #"{"num-boards":2,"keepalive-interval":60}"#)
            #expect(waiting.status == .badRequest)
            let back = try await root.submit("admin/boards", ["machine": "m1", "where": "0,0,0", "enabled": "true"])
            #expect(back.status == .seeOther)
            let second = try await carol.create()
            _ = try await carol.wait(second, for: [.ready])
        }
    }

    /// A board that its blacklist takes out is in no list of what works, and says why.
    @Test func aBlacklistedBoardIsShownAsOut() async throws {
        try await self.withRoot { harness, _, root in
            let machine = try #require(harness.store.catalogue.machine(named: "m1"))
            let board = machine.boardIDs[try #require(machine.topology.index(of: BoardCoordinates(0, 0, 2)))]
            try await harness.store.setBlacklist(
                try Blacklist(text: "chip 0 0 dead"), of: board, serial: "1", now: harness.core.clock())
            let why = "its Ethernet chip is dead by its blacklist"
            let menu = try await root.page("admin/").text
            #expect(menu.contains("1 out of service") && menu.contains(why))
            #expect(try await root.page("admin/boards?machine=m1&where=0,0,2").text.contains("<dd>out of service: \(why)</dd>"))
            let form = ["machine": "m1", "where": "0,0,2", "enabled": "false", "reason": "dust"]
            #expect(try await root.submit("admin/boards", form).status == .seeOther)
            #expect(try await root.page("admin/").text.contains("dust; \(why)"))
            #expect(try await root.page("machine_info/m1").text.contains("class=\"board out\""))
        }
    }

    @Test func theBMPIsAskedWhenItIsWished() async throws {
        try await self.withRoot { _, _, root in
            let without = try await root.page("admin/boards?machine=m1&where=0,0,0").text
            #expect(without.contains("Ask its BMP now") && !without.contains("Serial number"))
            let with = try await root.page("admin/boards?machine=m1&where=0,0,0&health=true").text
            #expect(with.contains("Serial number") && with.contains("°C") && with.contains("Blacklist"))
        }
    }

    // MARK: - Machines

    @Test func aMachineGoesOutOfServiceAndBack() async throws {
        try await self.withRoot { harness, client, root in
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            #expect(try await root.submit("admin/machine", ["outOfService": "m1"]).status == .seeOther)
            #expect(try await carol.page("machine_info/m1").status == .notFound)
            #expect(try await root.page("machine_info/m1").text.contains("takes no new jobs"))
            #expect(try await root.page("admin/machine").text.contains("No machine in service has the tag"))
            #expect(try await carol.execute(.post, "jobs/", body: #"{"keepalive-interval":60}"#).status == .badRequest)
            #expect(try await root.submit("admin/machine", ["intoService": "m1"]).status == .seeOther)
            _ = try await carol.create()
            #expect(try await root.submit("admin/machine", ["intoService": "none"]).status == .notFound)
            #expect(harness.store.catalogue.machine(named: "m1")?.inService == true)
        }
    }

    @Test func tagsAreSet() async throws {
        try await self.withRoot { harness, _, root in
            let reply = try await root.submit("admin/machine", ["machine": "m1", "retag": " default, fast ,, big"])
            #expect(reply.status == .seeOther)
            #expect(harness.store.catalogue.machine(named: "m1")?.tags == ["big", "default", "fast"])
            #expect(try await root.page("admin/machine").text.contains("value=\"big, default, fast\""))
            #expect(try await root.submit("admin/machine").status == .badRequest)
            let odd = try await root.submit("admin/machine", ["machine": "m1", "retag": "a{b"])
            #expect(odd.status == .badRequest && odd.text.contains("odd characters"))
        }
    }

    /// In the reference a new machine can be powered only after a restart.
    @Test func aNewMachineWorksAtOnce() async throws {
        let definition = """
            {"machines":[{"name":"m2","tags":["new"],"width":1,"height":1,"board-locations":{"[x:0,y:0,z:0]":{"c":0,"f":0,"b":0}},
            "spinnaker-ips":{"[x:0,y:0,z:0]":"127.77.0.1"},"bmp-ips":{"[c:0,f:0]":"127.77.0.2"}}]}
            """
        try await self.withRoot { harness, client, root in
            let wrong = try await root.submit("admin/machine", ["definition": "{\"machines\": [}"])
            #expect(wrong.status == .badRequest && wrong.text.contains("role=\"alert\""))
            let reply = try await root.submit("admin/machine", ["definition": definition])
            #expect(reply.status == .seeOther, "\(reply.text)")
            #expect(harness.store.catalogue.machine(named: "m2") != nil)
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let job = try await carol.create(#"{"tags":["new"],"keepalive-interval":60}"#)
            #expect(try await carol.wait(job, for: [.ready]).state == .ready)
        }
    }

    // MARK: - Reports

    @Test func reportsAreListedAndCleared() async throws {
        try await self.withRoot { harness, client, root in
            let carol = try await Session.logIn(client, as: "carol", password: "secret")
            let job = try await carol.create()
            _ = try await carol.wait(job, for: [.ready])
            let board = try await carol.get(JobMachine.self, "jobs/\(job)/machine").boards[0]
            let report = #"{"issue":"no lights","boards":[{"x":\#(board.x),"y":\#(board.y),"z":\#(board.z)}]}"#
            #expect(try await carol.execute(.post, "jobs/\(job)/report-issue", body: report).status == .ok)
            let page = try await root.page("admin/reports").text
            #expect(page.contains("no lights") && page.contains(">carol</td>"))
            #expect(try await root.page("admin/").text.contains("1 open"))
            let id = try #require(try await harness.store.boardReports().first).board
            #expect(try await root.submit("admin/reports", ["board": "x"]).status == .badRequest)
            #expect(try await root.submit("admin/reports", ["board": "\(id)"]).status == .seeOther)
            #expect(try await harness.store.boardReports().isEmpty)
            #expect(try await root.page("admin/reports").text.contains("None."))
        }
    }
}
