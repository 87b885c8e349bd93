//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocServer

@Suite(.timeLimit(.minutes(3))) struct PageTests {
    // MARK: - Who may see what

    @Test func whoIsNotLoggedInIsSentToTheForm() async throws {
        try await withService { _, client in
            for path in ["", "list_machines", "list_jobs", "job_info/1", "change_password", "admin/", "events/jobs"] {
                let reply = try await client.execute(uri: "/spalloc/system/\(path)", method: .get)
                #expect(reply.status == .found, "\(path)")
                let place = reply.headers[.location]?.split(separator: "?")
                #expect(place?.first == "http://localhost/spalloc/system/login.html")
                // After it the page that was asked for, if it is one.
                #expect(place?.count == (path.isEmpty || path == "events/jobs" ? 1 : 2), "\(path)")
                #expect(reply.text.isEmpty)
            }
            let start = try await client.execute(uri: "/spalloc/", method: .get)
            #expect(start.headers[.location] == "http://localhost/spalloc/system/")
        }
    }

    /// The job is alice's.
    @Test(arguments: [
        PageRights(path: "", statuses: [200, 200, 200, 200, 200]),
        PageRights(path: "list_machines", statuses: [403, 200, 200, 200, 200]),
        PageRights(path: "list_jobs", statuses: [403, 200, 200, 200, 200]),
        PageRights(path: "machine_info/m1", statuses: [403, 200, 200, 200, 200]),
        PageRights(path: "machine_info/none", statuses: [403, 404, 404, 404, 404]),
        PageRights(path: "job_info/1", statuses: [403, 403, 200, 404, 200]),
        PageRights(path: "job_info/99", statuses: [403, 403, 404, 404, 404]),
        PageRights(path: "change_password", statuses: [200, 200, 200, 200, 200]),
        PageRights(path: "admin/", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/users", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/users/1", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/users/99", statuses: [403, 403, 403, 403, 404]),
        PageRights(path: "admin/machine", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/boards", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/boards?machine=m1&where=0,0,0", statuses: [403, 403, 403, 403, 200]),
        PageRights(path: "admin/reports", statuses: [403, 403, 403, 403, 200]),
    ])
    func everyPageIsForThoseWhoMay(rights: PageRights) async throws {
        try await withService { _, client in
            _ = try await Session.logIn(client, as: "alice").create()
            for (user, status) in zip(PageRights.users, rights.statuses) {
                let page = try await Session.logIn(client, as: user).page(rights.path)
                #expect(page.status.code == status, "\(user) at \(rights.path)")
                #expect(page.headers[.contentType] == "text/html; charset=UTF-8")
                #expect(page.text.contains("<h1>"))
                let policy = page.headers[.contentSecurityPolicy] ?? ""
                #expect(policy.hasPrefix("default-src 'none'; style-src 'self'; script-src 'self'"))
                #expect(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
                #expect(page.headers[HTTPField.Name("X-Content-Type-Options")!] == "nosniff")
                #expect(page.headers[.cacheControl] == "no-store")
                #expect(!page.text.contains("<style") && !page.text.contains(" style=") && !page.text.contains("onclick"))
            }
        }
    }

    /// A stranger learns neither that a job is there nor whose it is.
    @Test func ownersAreForThoseWhoMaySeeTheJob() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            #expect(try await alice.page("list_jobs").text.contains(">alice</td>"))
            #expect(try await alice.page("").text.contains("job_info/\(job)"))
            for user in ["bob", "rita"] {
                let page = try await Session.logIn(client, as: user).page("list_jobs").text
                #expect(!page.contains("alice") && !page.contains("job_info/\(job)") && page.contains(">\(job)<"))
            }
            let root = try await Session.logIn(client, as: "root").page("list_jobs").text
            #expect(root.contains(">alice</td>") && root.contains("job_info/\(job)"))
        }
    }

    // MARK: - Forms

    @Test(arguments: [
        "perform_power", "delete_job/1", "power_job/1", "change_password", "end_sessions", "admin/create-user",
        "admin/users/2/enable",
        "admin/users/2/unlock", "admin/users/2/trust", "admin/users/2/password", "admin/users/2/delete", "admin/machine",
        "admin/boards", "admin/reports",
    ])
    func noFormWithoutItsToken(path: String) async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            _ = try await root.create()
            for token in ["", "0000", root.csrf.uppercased() + "x"] {
                let reply = try await root.submit(
                    path,
                    [
                        "reason": "x", "power": "false", "enabled": "false", "username": "eve", "password": "p",
                        "trust": "ADMIN",
                    ],
                    token: token)
                #expect(reply.status == .forbidden || reply.status == .notFound, "\(path): \(reply.status)")
            }
            // Nobody, with a token that is somebody's.
            let stranger = try await client.execute(
                uri: "/spalloc/system/\(path)", method: .post,
                headers: [.contentType: "application/x-www-form-urlencoded"], body: ByteBuffer(string: "_csrf=\(root.csrf)"))
            #expect(stranger.status == .unauthorized || stranger.status == .notFound)
            #expect(try await harness.store.liveJobs().count == 1)
            #expect(try await harness.store.users().filter { $0.name == "eve" || !$0.enabled }.isEmpty)
        }
    }

    @Test func aJobIsDestroyedWithAReason() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.submit("delete_job/\(job)", ["reason": "mine"]).status == .notFound)
            let reply = try await alice.submit("delete_job/\(job)", ["reason": "no & more <needed>"])
            #expect(reply.status == .seeOther)
            #expect(reply.headers[.location] == "http://localhost/spalloc/system/job_info/\(job)")
            #expect(try await harness.store.job(job)?.reason == "no & more <needed>")
            let page = try await alice.page("job_info/\(job)").text
            #expect(page.contains("no &amp; more &lt;needed&gt;") && page.contains("DESTROYED"))
            #expect(!page.contains("delete_job"))
        }
    }

    @Test func powerIsSwitched() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            #expect(try await alice.page("job_info/\(job)").text.contains("Switch off"))
            #expect(try await alice.submit("power_job/\(job)", ["power": "perhaps"]).status == .badRequest)
            #expect(try await alice.submit("power_job/\(job)", ["power": "false"]).status == .seeOther)
            try await eventually("the boards to be off") { try await harness.store.boards(of: job).allSatisfy { !$0.powered } }
            _ = try await alice.wait(job, for: [.ready])
            let page = try await alice.page("job_info/\(job)").text
            #expect(page.contains("Switch on") && page.contains("class=\"board used c\(job % 8) off\""))
        }
    }

    // MARK: - What is shown

    @Test func theMapSaysInWordsWhatItSaysInColours() async throws {
        let machine = machineDefinition(2, 1, deadBoards: [.init(1, 0, 2)])
        try await withService(machines: [machine]) { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create(#"{"num-boards":1,"keepalive-interval":"PT120S"}"#)
            _ = try await alice.wait(job, for: [.ready])
            let page = try await alice.page("machine_info/m1").text
            #expect(page.matches(of: #/<polygon /#).count == 6)
            #expect(page.matches(of: #/class="mark">free</#).count == 4)
            #expect(page.contains("class=\"mark\">#\(job)<"))
            #expect(page.contains("class=\"board out\"") && page.contains(">out<"))
            #expect(page.contains("slot 0/0/5: out of service"))
            // The same in the table: own boards with their address, those of nobody without.
            #expect(page.matches(of: />free<\/td>/).count == 4)
            #expect(page.contains("<a href=\"/spalloc/system/job_info/\(job)\">\(job)</a>"))
            #expect(page.matches(of: />127\.[0-9.]+<\/td>/).count == 1)
            let bob = try await Session.logIn(client, as: "bob").page("machine_info/m1").text
            #expect(!bob.contains("127.") && !bob.contains("job_info/") && bob.contains("#\(job)"))
            let root = try await Session.logIn(client, as: "root").page("machine_info/m1").text
            #expect(root.matches(of: />127\.[0-9.]+<\/td>/).count == 6)
        }
    }

    @Test func aQueuedJobShowsItsPlace() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            _ = try await alice.create(#"{"num-boards":3,"keepalive-interval":"PT120S"}"#)
            let second = try await alice.create(#"{"num-boards":3,"keepalive-interval":"PT120S"}"#)
            try await eventually("a place in the queue") {
                try await alice.page("job_info/\(second)").text.contains("place 1 of 1")
            }
        }
    }

    @Test(arguments: [
        (#"{"num-boards":3,"keepalive-interval":60}"#, "3 boards"),
        (#"{"keepalive-interval":60,"machine-name":"m1"}"#, "1 board of m1"),
        (
            #"{"dimensions":{"width":1,"height":2},"keepalive-interval":60,"max-dead-boards":1}"#,
            "1 × 2 triads, of which 1 may be dead"
        ),
        (#"{"board":{"x":0,"y":1,"z":2},"machine-name":"m1","keepalive-interval":60}"#, "board 0,1,2 of m1"),
        (
            #"{"board":{"address":"127.0.0.9"},"tags":["a","b"],"keepalive-interval":60}"#,
            "board 127.0.0.9 of a machine tagged a, b"
        ),
    ])
    func requestsAreToldInWords(json: String, words: String) {
        #expect(JobPages.wish(json) == words)
    }

    /// A board that is not there gives no answer, and the page says so.
    @Test func aChipThatDoesNotAnswerIsTold() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            let far = try await alice.page("job_info/\(job)?x=99&y=0").text
            #expect(far.contains("chip (99, 0) is not on a board of job \(job)"))
            #expect(try await alice.page("job_processes/\(job)?x=99&y=0").status == .notFound)
            #expect(try await alice.page("job_processes/\(job)?x=a&y=0").status == .badRequest)
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.page("job_processes/\(job)?x=0&y=0").status == .notFound)
        }
    }

    /// The legacy port knows no login: what its clients call themselves is shown as theirs, to those who may see the job.
    @Test func anOwnerWhoOnlySaysSoIsShownAsThat() async throws {
        try await withService { harness, client in
            let owner = try await harness.store.v1User(named: "v1")
            let job = V1NewJob(
                user: owner, request: CreateJobRequest(keepaliveInterval: WireDuration(.seconds(60))), wanted: nil,
                keepalive: .seconds(60), host: nil, owner: "<me>", args: "[]", kwargs: "{}")
            let id = try #require(try await harness.store.createV1Job(job, maximum: 10, now: harness.core.clock())?.first?.job)
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.page("job_info/\(id)").text.contains("v1, says to be &lt;me&gt;"))
        }
    }

    @Test func timesBreakBetweenDateAndTime() {
        #expect(Timestamp(milliseconds: 1_767_323_045_999).onPage == "2026-01-02 03:04:05Z")
    }

    // MARK: - What users wrote

    /// The reference prints it as it is. The owner's name is a user's; reason, tag and issue come over the API.
    @Test func everythingIsEscaped() async throws {
        let nasty = "<script>alert('x')</script>"
        let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"
        // One character with its accent; to a browser the quote is a quote.
        let accented = "\"\u{301}"
        try await withService(
            machines: [machineDefinition(tags: ["default", "<script>'x'"])],
            configure: { $0.users.append(.init(name: "<b>\"o'x\"&", password: "p", trustLevel: .user)) }
        ) { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let job = try await root.create(
                #"{"owner":"<b>\"o'x\"&","keepalive-interval":60}"#)
            _ = try await root.wait(job, for: [.ready])
            let report = #"{"issue":"<script>alert('x')</script>","boards":[{"x":0,"y":0,"z":0}]}"#
            #expect(try await root.execute(.post, "jobs/\(job)/report-issue", body: report).status == .ok)
            _ = try await root.submit(
                "admin/boards", ["machine": "m1", "where": "0,0,1", "enabled": "false", "reason": nasty + accented])
            let paths = [
                "", "list_machines", "list_jobs", "machine_info/m1", "job_info/\(job)", "admin/", "admin/users",
                "admin/machine",
                "admin/boards?machine=m1&where=0,0,0", "admin/boards?machine=m1&where=0,0,1", "admin/reports",
                "admin/boards?machine=%3Cscript%3E&where=%3Cscript%3Ealert(%27x%27)%3C/script%3E",
                "machine_info/%3Cscript%3Ealert(%27x%27)%3C%2Fscript%3E", "job_info/\(job)?x=%22%3E%3Cscript%3E&y=0",
            ]
            for path in paths {
                let page = try await root.page(path).text
                #expect(!page.contains("<script>") && !page.contains("<b>\"") && !page.contains("o'x"), "\(path)")
                let scalars = Array(page.unicodeScalars)
                #expect(!zip(scalars, scalars.dropFirst()).contains { $0 == "\"" && $1 == "\u{301}" }, "\(path)")
            }
            #expect(try await root.page("list_machines").text.contains("&lt;script&gt;&#39;x&#39;"))
            for path in ["admin/reports", "admin/boards?machine=m1&where=0,0,1"] {
                #expect(try await root.page(path).text.contains(escaped), "\(path)")
            }
            #expect(try await root.page("list_jobs").text.contains("&lt;b&gt;&quot;o&#39;x&quot;&amp;"))
            _ = try await harness.store.destroy(job, reason: nasty, now: harness.core.clock())
            #expect(try await root.page("job_info/\(job)").text.contains(escaped))
        }
    }

    // MARK: - Login

    @Test func aBrowserIsToldInTheFormThatALoginFailed() async throws {
        try await withService { _, client in
            let form = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
            let cookie = try #require(form.sessionCookie)
            let token = try #require(form.text.firstMatch(of: /<input type="hidden" name="_csrf" value="(.*)" \/>/)).1
            for (accept, type) in [("text/html,*/*", "text/html; charset=UTF-8"), ("*/*", "application/json")] {
                let reply = try await client.execute(
                    uri: "/spalloc/system/perform_login", method: .post,
                    headers: [
                        .cookie: "JSESSIONID=\(cookie)", .accept: accept, .contentType: "application/x-www-form-urlencoded",
                    ], body: ByteBuffer(string: "_csrf=\(token)&username=alice&password=wrong"))
                #expect(reply.status == .unauthorized)
                #expect(reply.headers[.contentType] == type)
                #expect(reply.headers[.setCookie] == nil)
                if accept.hasPrefix("text") { #expect(reply.text.contains("role=\"alert\"") && reply.text.contains(token)) }
            }
            let again = try await client.execute(
                uri: "/spalloc/system/perform_login", method: .post,
                headers: [.cookie: "JSESSIONID=\(cookie)", .contentType: "application/x-www-form-urlencoded"],
                body: ByteBuffer(string: "_csrf=\(token)&username=alice&password=alice%27s%20secret"))
            // Wherever the form may have come from, this is where it leads.
            #expect(again.headers[.location] == "http://localhost/spalloc/system/")
        }
    }

    // MARK: - Resources and templates

    @Test(arguments: [("style.css", "text/css"), ("live.js", "text/javascript"), ("icon.svg", "image/svg+xml")])
    func resourcesAreForEverybodyAndForGood(name: String, type: String) async throws {
        try await withService { _, client in
            let reply = try await client.execute(uri: "/spalloc/system/resources/\(name)", method: .get)
            #expect(reply.status == .ok && reply.body.readableBytes > 100)
            #expect(reply.headers[.contentType]?.hasPrefix(type) == true)
            #expect(reply.headers[.cacheControl]?.contains("immutable") == true)
            let none = try await client.execute(uri: "/spalloc/system/resources/..%2Fstyle.css", method: .get)
            #expect(none.status == .notFound)
        }
    }

    // MARK: - Long lists

    @Test func aLongListOfJobsHasPages() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let all = JobPages.perPage + 5
            for _ in 0..<JobPages.perPage { _ = try await alice.create() }
            let short = try await alice.page("list_jobs").text
            #expect(!short.contains("<nav class=\"pages\""), "one page has no neighbours")
            let before = try await alice.page("").text
            #expect(!before.contains("All jobs"))
            for _ in 0..<5 { _ = try await alice.create() }
            func numbers(_ page: String) -> [Int] { page.matches(of: /job_info\/(\d+)/).compactMap { Int($0.1) } }
            let overview = try await alice.page("").text
            #expect(numbers(overview).count == JobPages.perPage && overview.contains("All jobs</a>"))
            let first = try await alice.page("list_jobs").text
            #expect(numbers(first) == Array((6...all).reversed()))
            #expect(first.contains("1 to 100 of 105") && !first.contains("rel=\"prev\""))
            #expect(first.contains(#"<a href="/spalloc/system/list_jobs?start=100" rel="next">Older jobs</a>"#))
            let second = try await alice.page("list_jobs?start=100").text
            #expect(numbers(second) == [5, 4, 3, 2, 1])
            #expect(second.contains("101 to 105 of 105") && !second.contains("rel=\"next\""))
            #expect(second.contains(#"<a href="/spalloc/system/list_jobs" rel="prev">Newer jobs</a>"#))
            // Between two pages, and after the last one.
            #expect(try await alice.page("list_jobs?start=3").text.contains(#"list_jobs" rel="prev""#))
            let none = try await alice.page("list_jobs?start=500").text
            #expect(none.contains("There are no jobs.") && none.contains(#"list_jobs?start=400" rel="prev""#))
            for wrong in ["-1", "x", "99999999999"] {
                #expect(try await alice.page("list_jobs?start=\(wrong)").status == .badRequest)
            }
        }
    }
}
