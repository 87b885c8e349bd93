//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import Testing

@testable import SpallocServer

/// Boards are given in the transaction of the write that made it possible; and what a job costs the database.
@Suite(.timeLimit(.minutes(2))) struct AllocationRoundsTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    /// Transactions that changed something.
    private final class Commits: TransactionObserver, Sendable {
        private let state = NIOLockedValueBox((commits: 0, isChanged: false))
        var count: Int { self.state.withLockedValue { $0.commits } }

        func observes(eventsOfKind kind: DatabaseEventKind) -> Bool { true }
        func databaseDidChange(with event: DatabaseEvent) { self.state.withLockedValue { $0.isChanged = true } }
        func databaseDidCommit(_ db: Database) {
            self.state.withLockedValue { state in
                if state.isChanged { state.commits += 1 }
                state.isChanged = false
            }
        }
        func databaseDidRollback(_ db: Database) { self.state.withLockedValue { $0.isChanged = false } }
    }

    private struct Lab {
        var store: Store
        var user: Int64
        var commits = Commits()
        var told = NIOLockedValueBox<[JobChange]>([])
        var failures = NIOLockedValueBox<[String]>([])
    }

    private func withLab(rounds: Bool = true, _ body: (Lab) async throws -> Void) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = try Store(path: directory.appendingPathComponent("s.sqlite").path)
        try await store.importMachines([machineDefinition()])
        try await store.setUser(name: "alice", password: nil, trustLevel: .user)
        let lab = Lab(store: store, user: try #require(try await store.user(named: "alice")).user.id)
        store.pool.add(transactionObserver: lab.commits, extent: .databaseLifetime)
        if rounds {
            let start = self.start
            store.allocateWithWrites(clock: { start }) { [told = lab.told, failures = lab.failures] result in
                switch result {
                case .success(let changes): told.withLockedValue { $0 += changes }
                case .failure(let error): failures.withLockedValue { $0.append("\(error)") }
                }
            }
        }
        try await body(lab)
        store.allocateWithWritesNoMore()
        try store.close()
    }

    private func create(_ lab: Lab, boards: Int = 1) async throws -> Int {
        let request = CreateJobRequest(keepaliveInterval: WireDuration(seconds: 60), numBoards: boards)
        return try await lab.store.createJob(
            owner: lab.user, request: request, wanted: try JobRequest(request), keepalive: .seconds(60), host: nil,
            now: self.start
        ).job
    }

    private func switchAll(_ lab: Lab) async throws -> [JobChange] {
        var changes: [JobChange] = []
        for bmp in try await lab.store.bmpsWithPowerTasks() {
            let outcomes = try await lab.store.powerTasks(bmp: bmp).map { PowerOutcome(task: $0, result: .done) }
            changes += try await lab.store.recordPower(outcomes, now: self.start).changes
        }
        return changes
    }

    @Test func aNewJobHasBoardsWithItsFirstCommit() async throws {
        try await self.withLab { lab in
            let job = try await self.create(lab)
            #expect(lab.commits.count == 1)
            #expect(try await lab.store.job(job)?.state == .power)
            try await eventually("the round to be told of") { !lab.told.withLockedValue { $0 }.isEmpty }
            let machine = try #require(lab.store.catalogue.machines.first).id
            #expect(
                lab.told.withLockedValue { $0 } == [JobChange(job: job, revision: 2, state: .power, machine: machine)])
        }
    }

    /// The whole life of a job of one board: created and placed, ready, ended, free. Each is a commit that somebody waits for.
    @Test func aJobIsFourCommits() async throws {
        try await self.withLab { lab in
            // Once before, so that every statement is compiled.
            for _ in 0..<2 {
                let (before, statements) = (lab.commits.count, NIOLockedValueBox(0))
                try await lab.store.pool.write { db in
                    db.trace { _ in statements.withLockedValue { $0 += 1 } }
                }
                let job = try await self.create(lab)
                #expect(try await self.switchAll(lab).map(\.state) == [.ready])
                #expect(try await lab.store.destroy(job, reason: nil, now: self.start)?.state == .destroyed)
                #expect(try await self.switchAll(lab).isEmpty)
                #expect(lab.commits.count - before == 4)
                // BEGIN and COMMIT of each among them, and those that read again what is kept in memory.
                #expect(statements.withLockedValue { $0 } <= 48, "\(statements.withLockedValue { $0 }) statements")
                try await lab.store.pool.write { $0.trace() }
            }
        }
    }

    @Test func withoutTheServiceNothingIsPlaced() async throws {
        try await self.withLab(rounds: false) { lab in
            let job = try await self.create(lab)
            #expect(try await lab.store.job(job)?.state == .queued)
            lab.store.allocateWithWrites(clock: { self.start }) { _ in }
            lab.store.allocateWithWritesNoMore()
            let other = try await self.create(lab)
            #expect(try await lab.store.job(other)?.state == .queued)
            #expect(try await lab.store.allocate(now: self.start).map(\.job) == [job, other])
        }
    }

    /// Who waits has the boards the moment they are free.
    @Test func freedBoardsAreGivenAtOnce() async throws {
        try await self.withLab { lab in
            let first = try await self.create(lab, boards: 3)
            _ = try await self.switchAll(lab)
            let second = try await self.create(lab, boards: 3)
            #expect(try await lab.store.job(second)?.state == .queued)
            _ = try await lab.store.destroy(first, reason: nil, now: self.start)
            #expect(try await lab.store.job(second)?.state == .queued, "they are not off yet")
            let before = lab.commits.count
            _ = try await self.switchAll(lab)
            #expect(try await lab.store.job(second)?.state == .power)
            #expect(lab.commits.count == before + 1)
            #expect(try await self.switchAll(lab).map(\.state) == [.ready])
        }
    }

    /// A job that holds up others and goes lets them through.
    @Test func theEndOfTheFirstInLineLetsTheOthersThrough() async throws {
        try await self.withLab { lab in
            _ = try await self.create(lab)
            let large = try await self.create(lab, boards: 3)
            let small = try await self.create(lab)
            #expect(try await lab.store.job(small)?.state == .queued, "what is free is kept for the large one")
            _ = try await lab.store.destroy(large, reason: nil, now: self.start)
            #expect(try await lab.store.job(small)?.state == .power)
        }
    }

    /// A round that fails takes nothing with it, and is told of.
    @Test func aRoundThatFailsUndoesItselfAlone() async throws {
        try await self.withLab { lab in
            // Every placement is refused by the database.
            try await lab.store.pool.write { db in
                try db.execute(
                    sql: """
                        CREATE TRIGGER no_boards BEFORE INSERT ON job_board BEGIN SELECT RAISE(ABORT, 'no boards today'); END
                        """)
            }
            let job = try await self.create(lab)
            #expect(try await lab.store.job(job)?.state == .queued)
            #expect(try await lab.store.bmpsWithPowerTasks().isEmpty)
            try await eventually("the failure to be told of") {
                lab.failures.withLockedValue { $0 }.first?.contains("no boards today") ?? false
            }
            try await lab.store.pool.write { try $0.execute(sql: "DROP TRIGGER no_boards") }
            #expect(try await lab.store.allocate(now: self.start).map(\.job) == [job])
        }
    }

    /// As one round sees them all: the same boards as one after the other, and none twice.
    @Test func manyAtOnceShareTheBoards() async throws {
        try await self.withLab { lab in
            let jobs = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 { group.addTask { try await self.create(lab) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(jobs).count == 20)
            var placed = 0
            var boards: Set<Int64> = []
            for job in jobs where try await lab.store.job(job)?.state == .power {
                placed += 1
                boards.formUnion(try await lab.store.boards(of: job).map(\.id))
            }
            #expect(placed == 3 && boards.count == 3)
            #expect(lab.commits.count <= 20)
        }
    }

    /// The service remembers jobs for weeks: what it does all the time does not read them.
    @Test(arguments: [
        Store.queuedJobs, Store.boardsOut, Store.boardsTaken, Store.expiredJobs, Store.jobsWithoutQuota, Store.v1LiveJobs,
    ])
    func whatIsAskedAllTheTimeReadsNoHistory(sql: String) async throws {
        try await self.withLab { lab in
            let plan = try await lab.store.pool.read { db in
                let arguments: StatementArguments = sql.contains("?") ? [0] : []
                return try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map {
                    $0["detail"] as String
                }
            }
            for step in plan where step.hasPrefix("SCAN") || step.hasPrefix("SEARCH") {
                #expect(step.contains("INDEX") || step.contains("PRIMARY KEY"), "\(sql): \(step)")
            }
            #expect(!plan.isEmpty)
        }
    }
}
