//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import Testing

/// Groups as users, clients and administrators meet them.
@Suite(.timeLimit(.minutes(3))) struct GroupTests {
    private static let job = #"{"num-boards":1,"keepalive-interval":60"#

    private func withGroups(
        _ groups: [SpallocServerConfiguration.Group], requireGroup: Bool = false, clock: @escaping WallClock = SystemClock.now,
        _ body: @escaping @Sendable (Harness, any TestClientProtocol) async throws -> Void
    ) async throws {
        try await withService(
            machines: [machineDefinition(2, 2)], clock: clock,
            configure: {
                $0.groups = groups
                $0.requireGroup = requireGroup
            }, body)
    }

    // MARK: - Which group

    @Test(arguments: [
        ("", 201, "lab"), (#","group":"lab""#, 201, "lab"), (#","group":"other""#, 400, "is in no group"),
        (#","group":"none""#, 400, "is in no group"), (#","nmpi-collab":"lab""#, 400, "is in no collaboratory"),
        (#","nmpi-job-id":5"#, 400, "NMPI"), (#","group":"lab","nmpi-job-id":5"#, 400, "exclude each other"),
    ])
    func theGroupOfAJob(fields: String, status: Int, words: String) async throws {
        try await self.withGroups([.init(name: "lab", members: ["alice"]), .init(name: "other", members: ["bob"])]) {
            harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let reply = try await alice.execute(.post, "jobs/", body: Self.job + fields + "}")
            #expect(reply.status.code == status, "\(reply.text)")
            let jobs = try await harness.store.liveJobs()
            if status == 201 {
                let job = try #require(jobs.first)
                #expect(try await harness.store.group(id: try #require(job.groupID))?.name == words)
                #expect(try await alice.page("job_info/\(job.id)").text.contains("<dt>Group</dt><dd>\(words)</dd>"))
            } else {
                #expect(reply.text.contains(words))
                #expect(jobs.isEmpty, "nothing is made")
            }
        }
    }

    @Test func whoIsInSeveralSaysWhich() async throws {
        try await self.withGroups([.init(name: "a", members: ["alice"]), .init(name: "b", members: ["alice"])]) { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let reply = try await alice.execute(.post, "jobs/", body: Self.job + "}")
            #expect(reply.status == .badRequest && reply.text.contains("name one of \"a\", \"b\""))
            #expect(try await alice.execute(.post, "jobs/", body: Self.job + #","group":"b"}"#).status == .created)
        }
    }

    @Test(arguments: [false, true])
    func whoIsInNoneIsNotLimitedUnlessAGroupIsRequired(required: Bool) async throws {
        try await self.withGroups([], requireGroup: required) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let reply = try await alice.execute(.post, "jobs/", body: Self.job + "}")
            #expect(reply.status == (required ? .badRequest : .created))
            if required { #expect(reply.text.contains("requires one")) }
            #expect(try await harness.store.liveJobs().count == (required ? 0 : 1))
        }
    }

    /// An administrator's job for another is paid by the other's group.
    @Test func theOwnersGroupPays() async throws {
        try await self.withGroups([.init(name: "lab", members: ["alice"])]) { harness, client in
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.execute(.post, "jobs/", body: Self.job + #","owner":"alice"}"#).status == .created)
            #expect(try await harness.store.liveJobs().first?.groupID != nil)
        }
    }

    // MARK: - Running out

    /// For one keepalive interval it must do: one board, 60 s.
    @Test func tooLittleIsRefusedAtOnce() async throws {
        try await self.withGroups([.init(name: "lab", quota: 179, members: ["alice"])]) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let refused = try await alice.execute(.post, "jobs/", body: #"{"num-boards":3,"keepalive-interval":60}"#)
            #expect(refused.status == .badRequest && refused.text.contains("has 179 board-seconds left, and the job needs 180"))
            #expect(try await harness.store.liveJobs().isEmpty)
            #expect(
                try await alice.execute(.post, "jobs/", body: #"{"num-boards":2,"keepalive-interval":60}"#).status == .created)
        }
    }

    @Test func aJobEndsWhenItsGroupHasNothingLeft() async throws {
        let clock = TurnedClock()
        try await self.withGroups([.init(name: "lab", quota: 100, members: ["alice"])], clock: clock.now) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create(Self.job + "}")
            _ = try await alice.wait(job, for: [.ready])
            clock.advance(.seconds(50))
            _ = try await alice.execute(.put, "jobs/\(job)/keepalive", body: "alive")
            #expect(try await alice.page("change_password").text.contains("<dt>Group lab</dt><dd>0.01 board-hours left</dd>"))
            clock.advance(.seconds(50))
            harness.core.expiryNudge.signal()
            let over = try await alice.wait(job, for: [.destroyed])
            #expect(over.reason == "quota exceeded")
            #expect(try await alice.execute(.post, "jobs/", body: Self.job + "}").status == .badRequest)
        }
    }

    // MARK: - The API

    private struct Groups: Decodable {
        struct Group: Decodable {
            var name: String
            var type: String
            var left: Int64?
            var inUse: Int64
            var liveJobs: Int
            enum CodingKeys: String, CodingKey {
                case name, type, left
                case inUse = "in-use"
                case liveJobs = "live-jobs"
            }
        }
        var groups: [Group]
    }

    @Test func everyoneSeesTheOwnGroups() async throws {
        let groups: [SpallocServerConfiguration.Group] = [
            .init(name: "lab", quota: 5000, members: ["alice", "rita"]), .init(name: "free", members: ["bob"]),
        ]
        try await self.withGroups(groups) { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create(Self.job + "}")
            _ = try await alice.wait(job, for: [.ready])
            let own = try await alice.get(Groups.self, "groups").groups
            #expect(own.map(\.name) == ["lab"] && own[0].type == "INTERNAL" && own[0].liveJobs == 1)
            #expect((4990...5000).contains(own[0].left ?? -1) && own[0].inUse >= 0)
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.execute(.get, "groups").text.contains(#""left":null"#))
            #expect(
                try await Session.logIn(client, as: "root").get(Groups.self, "groups").groups.map(\.name) == ["free", "lab"])
            #expect(try await Session.logIn(client, as: "basil").get(Groups.self, "groups").groups.isEmpty)

            for (user, status) in [("alice", 200), ("rita", 200), ("bob", 404), ("basil", 404), ("root", 200)] {
                let reply = try await Session.logIn(client, as: user).execute(.get, "groups/lab/account")
                #expect(reply.status.code == status, "\(user)")
                if status == 200 {
                    #expect(reply.text.contains(#""balance":5000"#) && reply.text.contains("the configuration"))
                }
            }
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.execute(.get, "groups/none/account").status == .notFound)
            #expect(try await root.execute(.get, "groups/lab/account?limit=0").status == .badRequest)
        }
    }

    // MARK: - Pages

    @Test func administratorsKeepGroups() async throws {
        try await self.withGroups([]) { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let made = try await root.submit("admin/create-group", ["name": "lab", "quota": "2.5"])
            #expect(made.status == .seeOther)
            let id = try #require(try await harness.store.group(named: "lab")).id
            #expect(made.headers[.location] == "http://localhost/spalloc/system/admin/groups/\(id)")
            #expect(try await root.submit("admin/groups/\(id)/add-user", ["user": "alice"]).status == .seeOther)
            #expect(
                try await root.submit("admin/groups/\(id)/adjust-quota", ["delta": "-0.5", "note": "a <fine>"]).status
                    == .seeOther)
            let page = try await root.page("admin/groups/\(id)").text
            for words in ["Remove alice", "<dd>2.00 board-hours</dd>", "a &lt;fine&gt;", "-0.50 board-hours"] {
                #expect(page.contains(words), "\(words)")
            }
            #expect(try await root.page("admin/groups").text.contains("lab</a>"))
            #expect(try await root.submit("admin/groups/\(id)/adjust-quota", ["quota": "7"]).status == .seeOther)
            #expect(try await harness.store.group(id: id)?.quota == 25_200)
            #expect(try await root.submit("admin/groups/\(id)/adjust-quota", ["unlimited": "true"]).status == .seeOther)
            #expect(try await harness.store.group(id: id)?.quota == nil)
            #expect(try await root.submit("admin/groups/\(id)/remove-user", ["user": "alice"]).status == .seeOther)
            #expect(try await harness.store.members(of: id).isEmpty)
            #expect(try await root.submit("admin/groups/\(id)/delete").status == .seeOther)
            #expect(try await harness.store.groups().isEmpty)
            #expect(try await root.page("admin/groups/\(id)").status == .notFound)
        }
    }

    @Test(arguments: [
        ("create-group", ["name": "a b"], 400), ("create-group", ["name": "lab"], 409),
        ("create-group", ["name": "new", "quota": "-1"], 400), ("create-group", ["name": "new", "quota": "many"], 400),
        ("create-group", ["name": "new", "quota": "1e300"], 400), ("groups/1/add-user", ["user": "nobody"], 404),
        ("groups/1/add-user", ["user": "alice"], 409), ("groups/1/remove-user", ["user": "bob"], 409),
        ("groups/1/adjust-quota", [:], 400), ("groups/1/adjust-quota", ["quota": "-1"], 400),
        ("groups/1/adjust-quota", ["delta": "nan"], 400), ("groups/9/delete", [:], 404),
    ])
    func whatCannotBeIsRefused(path: String, fields: [String: String], status: Int) async throws {
        try await self.withGroups([.init(name: "lab", quota: 7, members: ["alice"])]) { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let reply = try await root.submit("admin/\(path)", fields)
            #expect(reply.status.code == status, "\(reply.text)")
            let groups = try await harness.store.groups()
            #expect(groups.map(\.name) == ["lab"] && groups[0].quota == 7)
            for user in ["alice", "rita"] {
                #expect(try await Session.logIn(client, as: user).submit("admin/\(path)", fields).status == .forbidden)
            }
        }
    }

    // MARK: - Configuration and command line

    @Test func aConfiguredGroupNeedsItsUsers() async throws {
        await #expect(throws: SpallocServerError.self) {
            try await self.withGroups([.init(name: "lab", members: ["nobody"])]) { _, _ in }
        }
        await #expect(throws: SpallocServerError.self) {
            try await self.withGroups([.init(name: "a"), .init(name: "a")]) { _, _ in }
        }
    }

    @Test func groupsAreKeptOnTheCommandLine() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("user", "add", "ada", secret: "p")
            let added = await tool.configured("group", "add", "lab", "--board-hours", "10", "--member", "ada")
            #expect(added.code == 0 && added.out == "group lab was added: 10.00 board-hours", "\(added)")
            let again = await tool.configured("group", "add", "lab")
            #expect(again.code == 1 && again.err.contains("there is a group \"lab\" already"))
            let stranger = await tool.configured("group", "add", "x", "--member", "bob")
            #expect(stranger.code == 1 && stranger.err.contains("no user \"bob\""))
            let less = await tool.configured("group", "quota", "lab", "--add=-2.5", "--note", "a fine")
            #expect(less.out == "group lab: 7.50 board-hours", "\(less)")
            let list = await tool.configured("group", "list")
            #expect(list.out.contains("lab") && list.out.contains("7.50 board-hours") && list.out.contains("ada"))
            let account = await tool.configured("group", "account", "lab")
            #expect(account.out.contains("-2.50 board-hours") && account.out.contains("a fine"))
            #expect(await tool.configured("group", "quota", "lab").code != 0, "one of three is needed")
            #expect(await tool.configured("group", "quota", "lab", "--set", "-1").code != 0)
            #expect(await tool.configured("group", "quota", "lab", "--unlimited").out == "group lab: no limit")
            let none = await tool.configured("group", "quota", "lab", "--add", "1")
            #expect(none.code == 1 && none.err.contains("has no limit"))
            let out = await tool.configured("group", "member", "lab", "ada", "--remove")
            #expect(out.out == "ada is no longer in group lab")
            let twice = await tool.configured("group", "member", "lab", "ada", "--remove")
            #expect(twice.code == 1 && twice.err.contains("not in group"))
            let wrong = await tool.configured("group", "account", "LAB")
            #expect(wrong.code == 1 && wrong.err.contains("did you mean \"lab\"?"))
        }
    }
}
