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
import Testing

/// Jobs that have ended: moved away in time, and found again.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HistoryTests {
    private struct Page: Decodable {
        struct Job: Decodable, Equatable {
            var id: Int
            var owner: String
            var machine: String?
            var boards: Int
            var finished: String
            var reason: String?
        }
        var jobs: [Job]
        var next: String?
    }

    /// The tests' clock makes leaps.
    private static func sessionsThatLast(_ configuration: inout SpallocServerConfiguration) {
        configuration.timings.sessionIdle = .seconds(365 * 86400)
    }

    /// A job that had a board, and ended.
    private func endedJob(_ session: Session, _ harness: Harness, reason: String = "done") async throws -> Int {
        let job = try await session.create()
        _ = try await session.wait(job, for: [.ready])
        _ = try await session.execute(.delete, "jobs/\(job)?reason=\(Links.escape(reason))")
        try await eventually("the board to be off") { harness.bmp.on.isEmpty }
        try await eventually("the board to be free") { try await harness.store.bmpsWithPowerTasks().isEmpty }
        return job
    }

    private func report(_ session: Session, _ job: Int, _ issue: String = "smells") async throws -> String {
        let body = #"{"issue":"\#(issue)","boards":[{"machine":"m1","chip":[0,0]}]}"#
        return try await session.execute(.post, "jobs/\(job)/report-issue", body: body).text
    }

    @Test func whatEndedLongAgoMovesWithItsReports() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let reported = try await alice.create()
            _ = try await alice.wait(reported, for: [.ready])
            #expect(try await self.report(alice, reported).contains("noted"))
            _ = try await alice.execute(.delete, "jobs/\(reported)?reason=over")
            try await eventually("the board to be free") { try await harness.store.bmpsWithPowerTasks().isEmpty }
            clock.advance(.seconds(100))
            let second = try await self.endedJob(alice, harness)
            let before = try await alice.get(Page.self, "history")
            #expect(before.jobs.map(\.id) == [second, reported] && before.next == nil, "those that ended last come first")
            #expect(before.jobs.allSatisfy { $0.owner == "alice" && $0.machine == "m1" && $0.boards == 1 })
            #expect(before.jobs.last?.reason == "over")

            clock.advance(.seconds(1000))
            let limit = clock.now() + .seconds(-1050)
            #expect(
                try await harness.store.archive(endedBefore: limit) == 1, "the one that had been reported does not hold it up")
            #expect(try await harness.store.archive(endedBefore: limit) == 0)
            #expect(try await alice.execute(.get, "jobs/\(reported)").status == .notFound)
            #expect(try await alice.execute(.get, "jobs/\(second)").status == .ok)
            let after = try await alice.get(Page.self, "history")
            #expect(after.jobs == before.jobs, "the history is the same wherever a job is")
            #expect(try await harness.store.archive(endedBefore: clock.now()) == 1)
            #expect(try await alice.get(Page.self, "history").jobs == before.jobs)
            // Its number is not given again.
            #expect(try await alice.create() > second)
        }
    }

    /// A board that is still on its way off belongs to the job.
    @Test func aJobIsNotOverWhileItsBoardsGoOff() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        // Nothing runs: what is to be switched stays to be switched.
        let harness = try await buildHarness(in: directory)
        let owner = try #require(try await harness.store.user(named: "alice")?.0.id)
        let request = CreateJobRequest()
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let job = try await harness.store.createJob(
            owner: owner, request: request, wanted: try JobRequest(request), keepalive: .seconds(60), host: nil, now: now
        ).job
        #expect(try await harness.store.allocate(now: now).count == 1)
        _ = try await harness.store.destroy(job, reason: nil, now: now)
        #expect(try await harness.store.archive(endedBefore: now + .seconds(10)) == 0)
        for bmp in try await harness.store.bmpsWithPowerTasks() {
            let outcomes = try await harness.store.powerTasks(bmp: bmp).map { PowerOutcome(task: $0, result: .done) }
            _ = try await harness.store.recordPower(outcomes, now: now)
        }
        #expect(try await harness.store.archive(endedBefore: now + .seconds(10)) == 1)
        try harness.store.close()
    }

    @Test func theServiceDoesItByItself() async throws {
        let clock = TurnedClock()
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let first = try await buildHarness(in: directory, clock: clock.now)
        try await first.application.application().test(.router) { client in
            _ = try await self.endedJob(try await Session.logIn(client, as: "alice"), first)
        }
        try first.store.close()
        clock.advance(.seconds(15 * 86400))
        let second = try await buildHarness(in: directory, clock: clock.now)
        try await second.application.application().test(.router) { client in
            try await eventually("the job to be moved") {
                try await second.store.jobIDs(includingDestroyed: true, limit: 10, start: 0).isEmpty
            }
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.get(Page.self, "history").jobs.count == 1)
        }
        try second.store.close()
    }

    // MARK: - Asking

    @Test func filtersPagesAndForms() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now, configure: Self.sessionsThatLast) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let bob = try await Session.logIn(client, as: "bob")
            let root = try await Session.logIn(client, as: "root")
            let first = try await self.endedJob(alice, harness, reason: "=1+1, \"quoted\"")
            clock.advance(.seconds(86400))
            let second = try await self.endedJob(bob, harness)
            #expect(try await harness.store.archive(endedBefore: clock.now()) == 1, "one here, one there")

            func ids(_ session: Session, _ query: String) async throws -> [Int] {
                try await session.get(Page.self, "history?\(query)").jobs.map(\.id)
            }
            #expect(try await ids(root, "") == [second, first])
            #expect(try await ids(alice, "") == [first], "everybody their own")
            #expect(try await ids(bob, "") == [second], "everybody their own")
            #expect(try await ids(root, "owner=alice") == [first])
            #expect(try await ids(root, "machine=m2") == [])
            #expect(try await alice.execute(.get, "history?owner=bob").status == .forbidden)
            let rita = try await Session.logIn(client, as: "rita")
            #expect(try await rita.execute(.get, "history").status == .forbidden)
            // The clock of the test begins on 2023-11-14.
            #expect(try await ids(root, "from=2023-11-15") == [second])
            #expect(try await ids(root, "to=2023-11-15") == [first])
            #expect(try await ids(root, "from=2023-11-14T00:00:00Z&to=2023-11-16T00:00:00Z") == [second, first])
            for bad in ["from=soon", "limit=0", "limit=10001", "start=-1"] {
                #expect(try await root.execute(.get, "history?\(bad)").status == .badRequest, "\(bad)")
            }
            let page = try await root.get(Page.self, "history?limit=1&machine=m1")
            #expect(page.jobs.map(\.id) == [second])
            let next = try #require(page.next)
            let path = try #require(URL(string: next)?.path)
            let rest = try await root.execute(.get, "\(path)?\(URL(string: next)?.query ?? "")")
            #expect(rest.text.contains("\"id\":\(first)") && !rest.text.contains("\"id\":\(second)"), "\(next): \(rest.text)")

            let csv = try await root.execute(.get, "history", headers: [.accept: "text/csv"])
            let lines = csv.text.split(separator: "\r\n")
            #expect(csv.headers[.contentType]?.hasPrefix("text/csv") == true && lines.count == 3, "\(csv.text)")
            #expect(lines.first == "job,owner,group,machine,boards,created,allocated,finished,reason")
            #expect(lines.last?.hasSuffix(#","'=1+1, ""quoted""""#) == true, "no formula, and quoted: \(lines.last ?? "")")
            let ndjson = try await root.execute(.get, "history", headers: [.accept: "application/x-ndjson"])
            #expect(
                ndjson.text.split(separator: "\n").count == 2 && ndjson.text.hasPrefix("{\"allocated\":\"2023-11-1"),
                "\(ndjson.text)")
        }
    }

    // MARK: - Reports

    @Test func reportsCountForAWhileWhereverTheyAre() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now, configure: Self.sessionsThatLast) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let board = try #require(harness.store.catalogue.machines.first?.boardIDs[0])
            func complain() async throws -> String {
                let job = try await alice.create(#"{"board":{"x":0,"y":0,"z":0},"keepalive-interval":60}"#)
                _ = try await alice.wait(job, for: [.ready])
                let action = try await self.report(alice, job)
                _ = try await alice.execute(.delete, "jobs/\(job)")
                try await eventually("the board to be free") { try await harness.store.bmpsWithPowerTasks().isEmpty }
                return action
            }
            #expect(try await complain() == #"{"action":"report noted"}"#)
            clock.advance(.seconds(31 * 86400))
            #expect(try await complain() == #"{"action":"report noted"}"#, "the first is forgotten")
            clock.advance(.seconds(60))
            #expect(try await harness.store.archive(endedBefore: clock.now()) == 2)
            #expect(try await complain() == #"{"action":"1 boards taken out of service"}"#, "one in the history, and this one")
            #expect(try await harness.store.boardsOutOfService() == [board])
            try await harness.store.clearReports(of: board)
            try await harness.store.setFunctioning(true, board: board, failure: nil)
            #expect(try await complain() == #"{"action":"report noted"}"#, "an administrator has cleared them")
        }
    }
}
