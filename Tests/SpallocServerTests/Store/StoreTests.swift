//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct StoreTests {
    private func withStore(
        _ body: (Store, String) async throws -> Void, machines: [MachineDefinition] = [machineDefinition()]
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("s.sqlite").path
        let store = try Store(path: path)
        try await store.importMachines(machines)
        try await store.setUser(name: "alice", password: nil, trustLevel: .user)
        try await body(store, path)
        try store.close()
    }

    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func create(_ store: Store, boards: Int = 1) async throws -> Int {
        let user = try #require(try await store.user(named: "alice")).user
        let request = CreateJobRequest(keepaliveInterval: WireDuration(seconds: 60), numBoards: boards)
        return try await store.createJob(
            owner: user.id, request: request, wanted: try JobRequest(request), keepalive: .seconds(60), host: nil,
            now: self.start
        ).job
    }

    /// Even if the Swift were wrong: the schema refuses a board for two live jobs.
    @Test func theSchemaRefusesABoardInTwoJobs() async throws {
        try await self.withStore { store, path in
            let first = try await self.create(store)
            let second = try await self.create(store)
            let changes = try await store.allocate(now: self.start)
            #expect(changes.map(\.state) == [.power, .power])
            let board = try #require(try await store.boards(of: first).first).id
            let raw = try DatabaseQueue(path: path)
            let insert = "INSERT INTO job_board (job_id, board_id, allocated_at) VALUES (?, ?, 0)"
            await #expect(throws: DatabaseError.self) {
                try await raw.write { try $0.execute(sql: insert, arguments: [second, board]) }
            }
            // Nor while it is being switched off for the first.
            _ = try await store.destroy(first, reason: nil, now: self.start)
            await #expect(throws: DatabaseError.self) {
                try await raw.write { try $0.execute(sql: insert, arguments: [second, board]) }
            }
        }
    }

    @Test func theSchemaRefusesToReviveAJob() async throws {
        try await self.withStore { store, path in
            let job = try await self.create(store)
            _ = try await store.destroy(job, reason: "over", now: self.start)
            let raw = try DatabaseQueue(path: path)
            await #expect(throws: DatabaseError.self) {
                try await raw.write { try $0.execute(sql: "UPDATE job SET state = 'READY', finished_at = NULL") }
            }
            // Nor can there be a job that is placed nowhere.
            let other = try await self.create(store)
            await #expect(throws: DatabaseError.self) {
                try await raw.write { try $0.execute(sql: "UPDATE job SET state = 'READY' WHERE id = ?", arguments: [other]) }
            }
        }
    }

    @Test func revisionsGrowByOne() async throws {
        try await self.withStore { store, _ in
            let job = try await self.create(store)
            #expect(try await store.job(job)?.revision == 1)
            #expect(try await store.allocate(now: self.start).map(\.revision) == [2])
            #expect(try await store.allocate(now: self.start).isEmpty)
            let tasks = try await self.allTasks(store)
            let done = try await store.recordPower(tasks.map { PowerOutcome(task: $0, result: .done) }, now: self.start)
            #expect(done.changes == [JobChange(job: job, revision: 3, state: .ready)] && !done.freed)
            #expect(try await store.destroy(job, reason: "x", now: self.start)?.revision == 4)
            #expect(try await store.destroy(job, reason: "y", now: self.start) == nil)
            #expect(try await store.job(job)?.reason == "x")
        }
    }

    private func allTasks(_ store: Store) async throws -> [PowerTask] {
        var tasks: [PowerTask] = []
        for bmp in try await store.bmpsWithPowerTasks() { tasks += try await store.powerTasks(bmp: bmp) }
        return tasks
    }

    /// A command that was replaced while it was under way changes the board, not the job.
    @Test func aReplacedCommandDecidesNothing() async throws {
        try await self.withStore { store, _ in
            let job = try await self.create(store)
            _ = try await store.allocate(now: self.start)
            let on = try await self.allTasks(store)
            _ = try await store.destroy(job, reason: nil, now: self.start)
            let late = try await store.recordPower(on.map { PowerOutcome(task: $0, result: .done) }, now: self.start)
            #expect(late.changes.isEmpty && !late.freed)
            let off = try await self.allTasks(store)
            #expect(off.map(\.on) == [false] && off.map(\.board) == on.map(\.board))
            let done = try await store.recordPower(off.map { PowerOutcome(task: $0, result: .done) }, now: self.start)
            #expect(done.changes.isEmpty && done.freed)
            #expect(try await self.allTasks(store).isEmpty)
        }
    }

    @Test func boardsAreHeldUntilTheyAreOff() async throws {
        try await self.withStore { store, _ in
            let first = try await self.create(store, boards: 3)
            _ = try await store.allocate(now: self.start)
            _ = try await store.destroy(first, reason: nil, now: self.start)
            #expect(try await store.boards(of: first).isEmpty)
            let second = try await self.create(store, boards: 1)
            #expect(try await store.allocate(now: self.start).isEmpty)
            let off = try await self.allTasks(store)
            _ = try await store.recordPower(off.map { PowerOutcome(task: $0, result: .done) }, now: self.start)
            #expect(try await store.allocate(now: self.start).map(\.job) == [second])
        }
    }

    /// A board that cannot be switched off is free, but out of service: nobody gets it.
    @Test func aBoardThatDoesNotGoOffIsSetAside() async throws {
        try await self.withStore { store, _ in
            let job = try await self.create(store)
            _ = try await store.allocate(now: self.start)
            _ = try await store.destroy(job, reason: nil, now: self.start)
            let retryAt = self.start + .seconds(10)
            let off = try await self.allTasks(store)
            let result = try await store.recordPower(
                off.map { PowerOutcome(task: $0, result: .unreachable("silence", retryAt: retryAt)) }, now: self.start)
            #expect(result.freed)
            #expect(try await store.boardsOutOfService() == Set(off.map(\.board)))
            #expect(try await store.retryBoards(now: self.start) == (0, retryAt))
            #expect(try await store.retryBoards(now: retryAt) == (1, nil))
            #expect(try await store.boardsOutOfService().isEmpty)
        }
    }

    @Test func everythingIsThereAfterReopening() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("s.sqlite").path
        var store = try Store(path: path)
        try await store.importMachines([machineDefinition(2, 1, tags: ["a", "default"])])
        try await store.setUser(name: "alice", password: nil, trustLevel: .user)
        let job = try await self.create(store, boards: 2)
        _ = try await store.allocate(now: self.start)
        let waiting = try await self.create(store, boards: 6)
        let boards = try await store.boards(of: job)
        let tasks = try await self.allTasks(store)
        try store.close()

        store = try Store(path: path)
        #expect(store.catalogue.machines.map(\.tags) == [["a", "default"]])
        #expect(try await store.job(job)?.state == .power)
        #expect(try await store.boards(of: job) == boards)
        #expect(try await self.allTasks(store) == tasks)
        #expect(try await store.queueOrder() == [waiting])
        // The waiting one's request is read from its JSON again.
        _ = try await store.destroy(job, reason: nil, now: self.start)
        let off = try await self.allTasks(store)
        _ = try await store.recordPower(off.map { PowerOutcome(task: $0, result: .done) }, now: self.start)
        #expect(try await store.allocate(now: self.start).map(\.job) == [waiting])
        #expect(try await store.boards(of: waiting).count == 6)
        try store.close()
    }

    @Test func aMachineIsImportedOnce() async throws {
        try await self.withStore { store, _ in
            let added = try await store.importMachines([machineDefinition(), machineDefinition(name: "m2", network: 11)])
            #expect(added == ["m2"])
            #expect(store.catalogue.machines.map(\.name) == ["m1", "m2"])
            // An address that another machine has.
            await #expect(throws: (any Error).self) { try await store.importMachines([machineDefinition(name: "m3")]) }
            #expect(store.catalogue.machines.map(\.name) == ["m1", "m2"])
        }
    }

    @Test func aBackupIsADatabase() async throws {
        try await self.withStore { store, path in
            let job = try await self.create(store)
            try store.backUp(to: path + ".copy")
            let copy = try Store(path: path + ".copy")
            #expect(try await copy.job(job)?.owner == "alice")
            try copy.close()
        }
    }

    @Test func whatIsNotADatabaseIsSaidSo() throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("x")
        try Data("this is no database, however long it may be; not by any means at all".utf8).write(to: file)
        let error = #expect(throws: SpallocServerError.self) { try Store(path: file.path) }
        #expect(error?.code == .database)
        let missing = #expect(throws: SpallocServerError.self) { try Store(path: "/nowhere/at/all/x.sqlite") }
        #expect(missing?.message.contains("/nowhere/at/all/x.sqlite") == true)
    }

    @Test func passwords() async throws {
        let hash = try await PasswordHash.make("secret", rounds: 2)
        #expect(try await hash.matches("secret"))
        #expect(try await !hash.matches("Secret"))
        let stored = try #require(PasswordHash(hash.description))
        #expect(stored == hash)
        #expect(!hash.description.contains("secret"))
        #expect(try await PasswordHash.make("secret", rounds: 2) != hash)
        for broken in ["", "scrypt$2$8$1$x", "scrypt$3$8$1$AAAA$AAAA", "bcrypt$2$8$1$AAAA$AAAA", "scrypt$2$8$1$!$!"] {
            #expect(PasswordHash(broken) == nil)
        }
    }
}
