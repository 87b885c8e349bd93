//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import Testing

@testable import SpallocServer

/// What pages say when there is nothing, not yet anything, or not any more.
@Suite(.timeLimit(.minutes(3))) struct PageStateTests {
    private func withRoot(_ body: @escaping @Sendable (Harness, any TestClientProtocol, Session) async throws -> Void)
        async throws
    {
        try await withService { harness, client in
            try await body(harness, client, try await Session.logIn(client, as: "root"))
        }
    }

    @Test(arguments: [
        ("list_jobs", "There are no jobs."), ("admin/groups", "There are no groups: nobody is limited."),
        ("admin/reports", "<p class=\"empty\">"),
    ])
    func anEmptyListSaysSo(path: String, words: String) async throws {
        try await self.withRoot { _, _, root in
            let page = try await root.page(path)
            #expect(page.status == .ok && page.text.contains(words) && !page.text.contains("<tbody>"), "\(page.text)")
        }
    }

    @Test func aGroupWithoutAnythingSaysSo() async throws {
        try await self.withRoot { harness, _, root in
            #expect(try await root.submit("admin/create-group", ["name": "lab", "quota": ""]).status == .seeOther)
            let id = try #require(try await harness.store.group(named: "lab")).id
            let page = try await root.page("admin/groups/\(id)").text
            #expect(page.contains("<dd>no limit</dd>") && page.contains("<p class=\"empty\">None.</p>"))
            for path in ["admin/groups/x", "admin/users/x", "admin/users/99", "admin/groups/99"] {
                #expect(try await root.page(path).status == .notFound, "\(path)")
            }
        }
    }

    // MARK: - Jobs

    @Test func withoutAReasonThePageIsNamed() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            for reason in ["", " \t"] {
                let job = try await alice.create()
                #expect(try await alice.submit("delete_job/\(job)", ["reason": reason]).status == .seeOther)
                #expect(try await harness.store.job(job)?.reason == "destroyed on the web page")
            }
            let job = try await alice.create()
            let long = String(repeating: "é", count: 600)
            #expect(try await alice.submit("delete_job/\(job)", ["reason": long]).status == .seeOther)
            #expect(try await harness.store.job(job)?.reason?.count == 500)
        }
    }

    @Test func aJobThatIsOverCanBeLookedAtAndNotSwitched() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            #expect(try await alice.submit("delete_job/\(job)", ["reason": "done"]).status == .seeOther)
            let page = try await alice.page("job_info/\(job)")
            #expect(page.status == .ok && !page.text.contains("data-events") && !page.text.contains("Switch o"))
            #expect(try await alice.submit("power_job/\(job)", ["power": "true"]).status == .conflict)
            #expect(try await alice.page("job_processes/\(job)").status == .conflict)
            for path in ["job_info/0", "job_info/-1", "job_info/x", "job_info/99", "job_processes/99"] {
                #expect(try await alice.page(path).status == .notFound, "\(path)")
            }
        }
    }

    @Test(arguments: [("x=a&y=0", 400), ("x=-1&y=0", 400), ("x=70000&y=0", 400), ("x=8&y=8", 404), ("x=255&y=255", 404)])
    func aChipThatIsNoneIsTold(query: String, status: Int) async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            #expect(try await alice.page("job_processes/\(job)?\(query)").status.code == status)
            // On the job's page it is told where the cores would be.
            let page = try await alice.page("job_info/\(job)?\(query)")
            #expect(page.status == .ok && page.text.contains(status == 400 ? "are to be a chip" : "is not on a board"))
        }
    }

    // MARK: - Accounts

    @Test func anAccountOfTheIssuerHasNoPassword() async throws {
        try await withIssuer { stage in
            let cookie = try await stage.ask(.get, "/spalloc/system/login.html", token: try stage.token()).sessionCookie
            var session = Session(client: stage.client, cookie: try #require(cookie), csrf: "")
            session.csrf = try #require(try await session.get(ServiceDescription.self, "").csrfToken)
            let page = try await session.page("change_password").text
            #expect(page.contains("This account has no password here.") && !page.contains("oldPassword"))
            let form = ["oldPassword": "a", "newPassword": "b", "newPassword2": "b"]
            #expect(try await session.submit("change_password", form).status == .badRequest)
            #expect(try await stage.user("openid.ada")?.hasPassword == false)
            // An administrator sees who is whose.
            let root = try await Session.logIn(stage.client, as: "root")
            let user = try #require(try await stage.user("openid.ada"))
            #expect(try await root.submit("admin/users/\(user.id)/password", ["password": "p"]).status == .conflict)
            #expect(try await root.page("admin/users").text.contains("openid.ada"))
        }
    }

    @Test func theButtonStaysWhenAPasswordWasWrong() async throws {
        try await withIssuer({ $0.oidc?.login = .init(clientID: "c", displayName: "Lab") }) { stage in
            let form = try await stage.client.execute(uri: "/spalloc/system/login.html?to=list_jobs", method: .get)
            let token = try #require(form.text.firstMatch(of: /name="_csrf" value="([-a-z0-9]+)"/)).1
            let reply = try await stage.client.execute(
                uri: "/spalloc/system/perform_login", method: .post,
                headers: [.cookie: "JSESSIONID=\(try #require(form.sessionCookie))", .accept: "text/html"],
                body: .init(string: "_csrf=\(token)&username=alice&password=wrong&to=list_jobs"))
            #expect(reply.status == .unauthorized)
            #expect(reply.text.contains("auth/hbp-ebrains?to=list_jobs\">Log in with Lab</a>"))
            // Where a login would lead anywhere else, it leads to the first page.
            let evil = try await stage.client.execute(
                uri: "/spalloc/system/login.html?to=//eve.example.org", method: .get)
            #expect(evil.text.contains("auth/hbp-ebrains\">Log in with Lab</a>"))
        }
    }

    // MARK: - Boards

    @Test func aBoardThatIsSetAsideSaysUntilWhen() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let board = try #require(harness.store.catalogue.machines.first?.boardIDs.first)
            let back = clock.now() + .seconds(600)
            try await harness.store.pool.write { db in
                try db.run(
                    "UPDATE board SET functioning = 0, failure = 'silent', retry_at = ? WHERE id = ?",
                    [back.milliseconds, board])
            }
            let page = try await root.page("admin/boards?machine=m1&where=0,0,0").text
            #expect(page.contains("out of service: silent; tried again at \(back.onPage)"))
            for board in ["", "x", "99999999999999999999"] {
                #expect(try await root.submit("admin/reports", ["board": board]).status == .badRequest)
            }
        }
    }
}
