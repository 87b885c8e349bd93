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
    /// One round of the allocator: what waits is read, decided and written in one transaction, so that nothing can come between.
    package func allocate(now: Timestamp) async throws -> [JobChange] {
        let catalogue = self.catalogue
        let changes = try await self.writes.write { db -> [JobChange] in
            let snapshot = try self.snapshot(db, catalogue: catalogue)
            guard !snapshot.queue.isEmpty else { return [] }
            var changes: [JobChange] = []
            for decision in Allocator.decide(snapshot) {
                guard let machine = catalogue.machine(named: decision.machine) else { continue }
                if let change = try db.place(decision, on: machine, now: now) { changes.append(change) }
            }
            return changes
        }
        return changes
    }

    /// The machines as they are, without a queue: for ``Feasibility``.
    package func machineSnapshots() async throws -> [AllocatorSnapshot.Machine] {
        let now = NIODeadline.now()
        if let out = self.recent.outOfService(now: now) {
            return self.catalogue.snapshot(taken: [], out: out, queue: []).machines
        }
        let ticket = self.recent.ticket()
        let out = try await self.pool.read { try $0.integers("SELECT id FROM board WHERE \(Store.isOut)") }
        self.recent.keep(outOfService: out, ticket: ticket, now: now)
        return self.catalogue.snapshot(taken: [], out: out, queue: []).machines
    }

    /// Ids of the queued jobs, in the order in which they are tried.
    package func queueOrder() async throws -> [Int] {
        let catalogue = self.catalogue
        return try await self.pool.read { db in
            Allocator.order(try self.snapshot(db, catalogue: catalogue).queue).map(\.id)
        }
    }

    private func snapshot(_ db: Database, catalogue: MachineCatalogue) throws -> AllocatorSnapshot {
        let rows = try db.rows("SELECT id, request, created_at FROM job WHERE state = 'QUEUED' ORDER BY id")
        guard !rows.isEmpty else { return AllocatorSnapshot(machines: [], queue: []) }
        let queue = rows.compactMap { row -> AllocatorSnapshot.QueuedJob? in
            let id: Int = row["id"]
            guard let request = self.request(of: id, json: row["request"]) else { return nil }
            return AllocatorSnapshot.QueuedJob(id: id, request: request, since: (row["created_at"] as Int64) / 1000)
        }
        let taken = try db.integers("SELECT board_id FROM job_board WHERE released_at IS NULL")
        let out = try db.integers("SELECT id FROM board WHERE \(Store.isOut)")
        return catalogue.snapshot(taken: taken, out: out, queue: queue)
    }

    private func request(of job: Int, json: String) -> JobRequest? {
        if let known = self.requests.withLockedValue({ $0[job] }) { return known }
        guard let stored = try? JSONDecoder().decode(CreateJobRequest.self, from: Data(json.utf8)),
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
        try self.run(
            """
            UPDATE job SET machine_id = ?, width = ?, height = ?, depth = ?, root_board_id = ?, allocated_at = ?, ready_at = NULL
            WHERE id = ? AND state = 'QUEUED'
            """,
            [
                machine.id, placement.width, placement.height, placement.depth, machine.boardIDs[placement.root],
                now.milliseconds,
                decision.job,
            ])
        guard self.changesCount == 1 else { return nil }
        for index in placement.boards.members {
            let board = machine.boardIDs[index]
            try self.run(
                "INSERT INTO job_board (job_id, board_id, allocated_at) VALUES (?, ?, ?)",
                [decision.job, board, now.milliseconds])
            try self.want(true, board: board, job: decision.job, release: false)
        }
        return try self.move(
            decision.job, to: .power, note: "\(placement.boards.count) boards of \(machine.name)", now: now)
    }
}
