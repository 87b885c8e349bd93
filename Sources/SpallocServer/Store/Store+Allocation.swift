//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocAllocator

extension Store {
    // What a round reads is to cost what there is to do, not what there was: SQLite takes an index of some of the rows only for a query
    // that says the very words of the index. Without them it reads every job there ever was, and every board there is.
    static let queuedJobs = "SELECT id, created_at FROM job WHERE state = 'QUEUED' AND state <> 'DESTROYED' ORDER BY id"
    static let boardsOut = "SELECT id FROM board WHERE functioning = 0 UNION ALL SELECT id FROM board WHERE blacklisted = 1"
    static let boardsTaken = "SELECT board_id FROM job_board WHERE released_at IS NULL"

    /// One round of the allocator: what waits is read, decided and written in one transaction, so that nothing can come between.
    package func allocate(now: Timestamp) async throws -> [JobChange] {
        try await self.writes.write { db in try self.allocate(db, now: now) }
    }

    /// From now on a round goes with each write that makes one due, in its transaction.
    func allocateWithWrites(clock: @escaping WallClock, told: @escaping @Sendable (Result<[JobChange], any Error>) -> Void) {
        self.rounds.begin(.init(round: { db in try self.allocate(db, now: clock()) }, told: told))
    }

    func allocateWithWritesNoMore() { self.rounds.end() }

    private func allocate(_ db: Database, now: Timestamp) throws -> [JobChange] {
        let catalogue = self.catalogue
        let snapshot = try self.snapshot(db, catalogue: catalogue)
        guard !snapshot.queue.isEmpty else { return [] }
        var changes: [JobChange] = []
        for decision in Allocator.decide(snapshot) {
            guard let machine = catalogue.machine(named: decision.machine) else { continue }
            if let change = try db.place(decision, on: machine, now: now) { changes.append(change) }
        }
        return changes
    }

    /// The machines as they are, without a job.
    package func machineSnapshots() async throws -> [AllocatorSnapshot.Machine] { try await self.idleMachines().machines }

    /// Whether a request could be served if no job had any board.
    package func feasibility(of request: JobRequest) async throws -> Feasibility {
        self.recent.feasibility(of: request, on: try await self.idleMachines())
    }

    private func idleMachines() async throws -> RecentRows.Machines {
        let now = NIODeadline.now()
        if let known = self.recent.machines(now: now) { return known }
        return try await self.recent.readMachines(now: now) {
            let catalogue = self.catalogue
            let out = try await self.pool.read { try $0.integers(Store.boardsOut) }
            return catalogue.snapshot(taken: [], out: out, queue: []).machines
        }
    }

    /// Ids of the queued jobs, in the order in which they are tried.
    package func queueOrder() async throws -> [Int] {
        let catalogue = self.catalogue
        return try await self.pool.read { db in
            Allocator.order(try self.snapshot(db, catalogue: catalogue).queue).map(\.id)
        }
    }

    private func snapshot(_ db: Database, catalogue: MachineCatalogue) throws -> AllocatorSnapshot {
        let rows = try db.rows(Store.queuedJobs)
        guard !rows.isEmpty else { return AllocatorSnapshot(machines: [], queue: []) }
        let queue = try rows.compactMap { row -> AllocatorSnapshot.QueuedJob? in
            let id: Int = row[0]
            guard let request = try self.request(of: id, db) else { return nil }
            return AllocatorSnapshot.QueuedJob(id: id, request: request, since: (row[1] as Int64) / 1000)
        }
        let taken = try db.integers(Store.boardsTaken)
        let out = try db.integers(Store.boardsOut)
        return catalogue.snapshot(taken: taken, out: out, queue: queue)
    }

    private func request(of job: Int, _ db: Database) throws -> JobRequest? {
        if let known = self.requests.withLockedValue({ $0[job] }) { return known }
        guard let json: String = try db.row("SELECT request FROM job WHERE id = ?", [job])?[0],
            let stored = try? JSONDecoder().decode(CreateJobRequest.self, from: Data(json.utf8)),
            let request = try? JobRequest(stored)
        else { return nil }
        self.requests.withLockedValue { $0[job] = request }
        return request
    }
}

extension Database {
    /// Gives boards to a queued job. The schema refuses a board that somebody has.
    fileprivate func place(
        _ decision: AllocatorDecision, on machine: MachineCatalogue.Machine, now: Timestamp
    ) throws -> JobChange? {
        let placement = decision.placement
        guard
            let row = try self.row(
                """
                UPDATE job SET machine_id = ?, width = ?, height = ?, depth = ?, root_board_id = ?, allocated_at = ?,
                ready_at = NULL, state = 'POWER', revision = revision + 1
                WHERE id = ? AND state = 'QUEUED' RETURNING revision, group_id
                """,
                [
                    machine.id, placement.width, placement.height, placement.depth, machine.boardIDs[placement.root],
                    now.milliseconds, decision.job,
                ])
        else { return nil }
        for index in placement.boards.members {
            let board = machine.boardIDs[index]
            try self.run(
                "INSERT INTO job_board (job_id, board_id, allocated_at) VALUES (?, ?, ?)",
                [decision.job, board, now.milliseconds])
            try self.want(true, board: board, job: decision.job, release: false)
        }
        try self.record(.power, of: decision.job, note: "\(placement.boards.count) boards of \(machine.name)", now: now)
        return JobChange(
            job: decision.job, revision: row["revision"], state: .power, machine: machine.id, payer: row["group_id"])
    }
}
