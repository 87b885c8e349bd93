//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import Testing

@testable import SpallocServer

/// What is kept in memory of the database is never older than the last write of this process.
@Suite(.timeLimit(.minutes(3))) struct RecentRowsTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func withStore(_ body: (Store, DatabaseQueue) async throws -> Void) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("s.sqlite").path
        let store = try Store(path: path)
        try await store.importMachines([machineDefinition()])
        try await store.setUser(name: "alice", password: nil, trustLevel: .user)
        try await store.setUser(name: "bob", password: nil, trustLevel: .user)
        // As another process has it: nobody tells the store what it does.
        let other = try DatabaseQueue(path: path)
        try await body(store, other)
        try other.close()
        try store.close()
    }

    private func user(_ name: String, of store: Store) async throws -> UserRecord {
        try #require(try await store.user(named: name)).user
    }

    private func createJob(_ store: Store) async throws -> Int {
        let request = CreateJobRequest(keepaliveInterval: WireDuration(seconds: 60), numBoards: 1)
        return try await store.createJob(
            owner: try await self.user("alice", of: store).id, request: request, wanted: try JobRequest(request),
            keepalive: .seconds(60), host: nil, now: self.start
        ).job
    }

    // MARK: - Jobs

    @Test func aJobIsReadOnce() async throws {
        try await self.withStore { store, other in
            let job = try await self.createJob(store)
            #expect(try await store.job(job)?.keepaliveHost == nil)
            try await other.write { try $0.execute(sql: "UPDATE job SET keepalive_host = 'elsewhere'") }
            #expect(try await store.job(job)?.keepaliveHost == nil)
        }
    }

    @Test func everyWriteIsSeenAtOnce() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            #expect(try await store.job(job)?.state == .queued)
            _ = try await store.allocate(now: self.start)
            #expect(try await store.job(job)?.state == .power)
            #expect(try await store.job(job)?.allocation != nil)
            try await store.keepAlive(job, host: "127.0.0.9", now: self.start + .seconds(5))
            #expect(try await store.job(job)?.keepaliveHost == "127.0.0.9")
            #expect(try await store.job(job)?.keepaliveAt == self.start + .seconds(5))
            _ = try await store.expire(now: self.start + .seconds(600))
            #expect(try await store.job(job)?.state == .destroyed)
            #expect(try await store.job(job)?.reason == Store.keepaliveExpired)
        }
    }

    @Test func theRequestIsDecodedWithTheJob() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            for _ in 0..<2 {
                let recent = try #require(try await store.recentJob(job))
                #expect(recent.record.id == job)
                let request = try #require(recent.originalRequest)
                #expect(String(decoding: try JSONEncoder().encode(request), as: UTF8.self).contains("num-boards"))
            }
            #expect(try await store.recentJob(job + 1) == nil)
        }
    }

    /// Who has made a job asks for it next.
    @Test func aNewJobIsThereAtOnce() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            let kept = try #require(store.recent.job(job))
            #expect(kept.record.state == .queued && kept.record.owner == "alice")
            #expect(kept.originalRequest?.request.numBoards == 1)
            _ = try await store.allocate(now: self.start)
            #expect(store.recent.job(job)?.record.state == .power)
            #expect(store.recent.job(job)?.originalRequest?.request.numBoards == 1, "which does not change")
            #expect(store.recent.v1Job(job) == nil, "nobody asked for it there")
        }
    }

    @Test func aNewJobOfTheLegacyPortIsThereAtOnce() async throws {
        try await self.withStore { store, _ in
            let user = try await store.v1User(named: "v1")
            let request = CreateJobRequest(numBoards: 1)
            let changes = try await store.createV1Job(
                V1NewJob(
                    user: user, request: request, wanted: try JobRequest(request), keepalive: .seconds(60), host: nil,
                    owner: "me", args: "[1]", kwargs: "{}"), maximum: 10, now: self.start)
            let job = try #require(changes?.first?.job)
            let kept = try #require(store.recent.v1Job(job))
            #expect(kept.owner == "me" && kept.args == "[1]" && kept.record.state == .queued && kept.power == nil)
            _ = try await store.allocate(now: self.start)
            #expect(store.recent.v1Job(job)?.power == true)
            #expect(store.recent.v1Job(job)?.hasPlace == true)
        }
    }

    /// What a transaction changes of very many jobs is forgotten instead.
    @Test func ofManyAtOnceNoneIsReadAgain() async throws {
        try await self.withStore { store, _ in
            var jobs: [Int] = []
            for _ in 0...RecentRows.mostReadAgain { jobs.append(try await self.createJob(store)) }
            #expect(jobs.allSatisfy { store.recent.job($0) != nil })
            let first = jobs[0]
            try await store.pool.write { try $0.run("UPDATE job SET keepalive_host = 'h' WHERE id = ?", [first]) }
            #expect(store.recent.job(first)?.record.keepaliveHost == "h")
            try await store.pool.write { try $0.run("UPDATE job SET keepalive_host = 'everywhere'") }
            #expect(jobs.allSatisfy { store.recent.job($0) == nil })
            #expect(try await store.job(jobs[1])?.keepaliveHost == "everywhere")
        }
    }

    // MARK: - Machines

    /// What was found possible is not when the machines are other than they were.
    @Test func feasibilityFollowsTheMachines() async throws {
        try await self.withStore { store, _ in
            let (one, three) = (
                JobRequest(size: .boards(1), machine: .tagged(["default"])),
                JobRequest(size: .boards(3), machine: .tagged(["default"]))
            )
            for _ in 0..<2 {
                #expect(try await store.feasibility(of: three) == .possible)
                #expect(try await store.feasibility(of: one) == .possible)
            }
            #expect(try await store.setInService(false, machine: "m1"))
            #expect(try await store.feasibility(of: one) != .possible)
            #expect(try await store.setInService(true, machine: "m1"))
            #expect(try await store.feasibility(of: one) == .possible)
            _ = try await self.createJob(store)
            _ = try await store.allocate(now: self.start)
            #expect(try await store.feasibility(of: three) == .possible, "jobs do not count")
            let bmp = try #require(try await store.bmpsWithPowerTasks().first)
            let task = try #require(try await store.powerTasks(bmp: bmp).first)
            _ = try await store.recordPower([PowerOutcome(task: task, result: .boardFailed("it smokes"))], now: self.start)
            #expect(try await store.feasibility(of: three) != .possible)
            #expect(try await store.feasibility(of: one) == .possible)
        }
    }

    /// The power that the legacy port tells of is of other tables: each of their changes shows.
    @Test func theLegacyPortSeesEveryChangeOfPower() async throws {
        try await self.withStore { store, other in
            let job = try await self.createJob(store)
            func power() async throws -> Bool? { try #require(try await store.v1Job(job)).power }
            func switchAll() async throws {
                for bmp in try await store.bmpsWithPowerTasks() {
                    let outcomes = try await store.powerTasks(bmp: bmp).map { PowerOutcome(task: $0, result: .done) }
                    _ = try await store.recordPower(outcomes, now: self.start)
                }
            }
            #expect(try await power() == nil)
            _ = try await store.allocate(now: self.start)
            #expect(try await power() == true, "what it will be")
            try await switchAll()
            #expect(try await power() == true)
            _ = try await store.switchPower(of: job, on: false, now: self.start)
            #expect(try await power() == false)
            try await switchAll()
            #expect(try await power() == false)
            #expect(try await store.v1Job(job)?.record.state == .ready)
            _ = try await store.destroy(job, reason: nil, now: self.start)
            #expect(try await power() == nil)
            // It was read once since the last change.
            try await other.write { try $0.execute(sql: "UPDATE job SET keepalive_host = 'elsewhere'") }
            #expect(try await store.v1Job(job)?.record.keepaliveHost == nil)
        }
    }

    @Test func aBoardThatFailsIsOutOfServiceAtOnce() async throws {
        try await self.withStore { store, _ in
            func working() async throws -> Int { try #require(try await store.machineSnapshots().first).functioning.count }
            #expect(try await working() == 3)
            _ = try await self.createJob(store)
            _ = try await store.allocate(now: self.start)
            let bmp = try #require(try await store.bmpsWithPowerTasks().first)
            let task = try #require(try await store.powerTasks(bmp: bmp).first)
            #expect(try await working() == 3)
            _ = try await store.recordPower([PowerOutcome(task: task, result: .boardFailed("it smokes"))], now: self.start)
            #expect(try await working() == 2)
        }
    }

    /// Readers never go back in time while others write, and see what they wrote themselves.
    @Test func nobodySeesAnOldRevisionAgain() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            _ = try await store.allocate(now: self.start)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var last: Int64 = 0
                        for _ in 0..<200 {
                            let revision = try #require(try await store.job(job)).revision
                            #expect(revision >= last)
                            last = revision
                        }
                    }
                }
                group.addTask {
                    for round in 0..<50 {
                        let change = try #require(
                            try await store.switchPower(of: job, on: round % 2 == 0, now: self.start))
                        #expect(try #require(try await store.job(job)).revision >= change.revision)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: - Sessions

    @Test func aSessionIsReadOnceASecond() async throws {
        let rows = RecentRows()
        let now = NIODeadline.uptimeNanoseconds(5_000_000_000)
        try await self.withStore { store, _ in
            try await store.addSession(
                id: "s", user: try await self.user("alice", of: store).id, csrf: "c", now: self.start)
            let session = try #require(try await store.session(id: "s"))
            rows.keep(session, id: "s", ticket: rows.ticket(), now: now)
            #expect(rows.session("s", now: now) == session)
            #expect(rows.session("s", now: now + RecentRows.sessionLife - .nanoseconds(1)) == session)
            #expect(rows.session("s", now: now + RecentRows.sessionLife) == nil)
            #expect(rows.session("other", now: now) == nil)
        }
    }

    @Test(arguments: ["end", "disable", "password", "sweep", "delete"])
    func aSessionThatEndsIsForgottenAtOnce(how: String) async throws {
        try await self.withStore { store, _ in
            let (alice, bob) = (try await self.user("alice", of: store), try await self.user("bob", of: store))
            try await store.addSession(id: "a", user: alice.id, csrf: "c", now: self.start)
            try await store.addSession(id: "b", user: bob.id, csrf: "d", now: self.start + .seconds(100))
            // It is believed for a second after it was read, however long this test takes.
            let asked = NIODeadline.now()
            #expect(try await store.session(id: "a")?.user.name == "alice")
            #expect(try await store.session(id: "b")?.user.name == "bob")
            switch how {
            case "end": try await store.removeSession(id: "a")
            case "disable": try await store.setEnabled(false, user: alice.id)
            case "password": try await store.setUser(name: "alice", password: nil, trustLevel: .user)
            case "sweep": try await store.removeSessions(unusedSince: self.start + .seconds(50), now: self.start)
            // By a foreign key: no statement of ours names the session.
            default: try await store.pool.write { try $0.run("DELETE FROM user WHERE id = ?", [alice.id]) }
            }
            #expect(try await store.session(id: "a") == nil)
            #expect(store.recent.session("b", now: asked)?.user.name == "bob")
        }
    }

    @Test func aUsersNewTrustIsSeenAtOnce() async throws {
        try await self.withStore { store, _ in
            let alice = try await self.user("alice", of: store)
            try await store.addSession(id: "a", user: alice.id, csrf: "c", now: self.start)
            #expect(try await store.session(id: "a")?.user.trustLevel == .user)
            try await store.pool.write { try $0.run("UPDATE user SET trust = 'READER' WHERE id = ?", [alice.id]) }
            #expect(try await store.session(id: "a")?.user.trustLevel == .reader)
        }
    }

    /// That a session was used is written down now and then, and need not be read again.
    @Test func aTouchForgetsNothing() async throws {
        try await self.withStore { store, _ in
            let alice = try await self.user("alice", of: store)
            try await store.addSession(id: "a", user: alice.id, csrf: "c", now: self.start)
            let asked = NIODeadline.now()
            _ = try await store.session(id: "a")
            try await store.touchSession(id: "a", now: self.start + .seconds(70))
            #expect(store.recent.session("a", now: asked) != nil)
        }
    }

    // MARK: - Keeping

    /// A read that began before a write ended must not be kept after it.
    @Test func whatWasReadBeforeAWriteIsNotKept() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            let record = try #require(try await store.job(job))
            let ticket = store.recent.ticket()
            try await store.keepAlive(job, host: "127.0.0.9", now: self.start)
            store.recent.keep(RecentRows.Job(record: record), ticket: ticket)
            #expect(store.recent.job(job)?.record.keepaliveHost == "127.0.0.9", "as the write left it")
            #expect(try await store.job(job)?.keepaliveHost == "127.0.0.9")
        }
    }

    @Test func aTransactionThatFailsForgetsNothing() async throws {
        try await self.withStore { store, _ in
            let job = try await self.createJob(store)
            _ = try await store.job(job)
            await #expect(throws: DatabaseError.self) {
                try await store.pool.write { db in
                    try db.run("UPDATE job SET keepalive_host = 'nowhere' WHERE id = ?", [job])
                    try db.run("INSERT INTO session (id) VALUES (NULL)")
                }
            }
            #expect(store.recent.job(job)?.record.keepaliveHost == nil)
            #expect(store.recent.job(job) != nil)
        }
    }

    @Test func noMoreAreKeptThanFit() async throws {
        try await self.withStore { store, _ in
            let rows = RecentRows(capacity: 2)
            var ids: [Int] = []
            for _ in 0..<3 {
                let id = try await self.createJob(store)
                ids.append(id)
                rows.keep(RecentRows.Job(record: try #require(try await store.job(id))), ticket: rows.ticket())
            }
            #expect(ids.map { rows.job($0) != nil } == [false, false, true])
        }
    }
}
