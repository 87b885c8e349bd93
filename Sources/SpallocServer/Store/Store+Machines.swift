//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers
import SpallocAllocator
import SpiNNakerMachine

extension Store {
    /// Adds machines. One whose name is known already is left as it is.
    ///
    /// - Returns: the names of those that were added.
    @discardableResult
    package func importMachines(_ definitions: [MachineDefinition]) async throws -> [String] {
        try MachineDefinition.validate(definitions)
        let (added, catalogue) = try await self.pool.write { db in
            var added: [String] = []
            for definition in definitions {
                guard try db.row("SELECT 1 FROM machine WHERE name = ?", [definition.name]) == nil else { continue }
                try Store.insert(definition, into: db)
                added.append(definition.name)
            }
            return (added, try MachineCatalogue(db: db))
        }
        self.catalogueBecame(catalogue)
        return added
    }

    private static func insert(_ definition: MachineDefinition, into db: Database) throws {
        try db.run(
            "INSERT INTO machine (name, width, height) VALUES (?, ?, ?)",
            [definition.name, definition.width, definition.height])
        let machine = db.lastInsertedRowID
        for tag in Set(definition.tags) {
            try db.run("INSERT INTO machine_tag (machine_id, tag) VALUES (?, ?)", [machine, tag])
        }
        var bmps: [[Int]: Int64] = [:]
        for bmp in definition.bmps {
            try db.run(
                "INSERT INTO bmp (machine_id, cabinet, frame, address, port) VALUES (?, ?, ?, ?, ?)",
                [machine, bmp.cabinet, bmp.frame, bmp.address, bmp.port])
            bmps[[bmp.cabinet, bmp.frame]] = db.lastInsertedRowID
        }
        let dead = Set(definition.deadBoards)
        for board in definition.boards {
            try db.run(
                """
                INSERT INTO board (machine_id, x, y, z, bmp_id, number, address, functioning, failure)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    machine, board.coordinates.x, board.coordinates.y, board.coordinates.z,
                    bmps[[board.physical.cabinet, board.physical.frame]], board.physical.board, board.address,
                    !dead.contains(board.coordinates),
                    dead.contains(board.coordinates) ? "dead by the machine's definition" : nil,
                ])
        }
        for board in dead.subtracting(definition.boards.map(\.coordinates)) {
            try db.run("INSERT INTO absent_board VALUES (?, ?, ?, ?)", [machine, board.x, board.y, board.z])
        }
        for link in Set(definition.deadLinks) {
            try db.run(
                "INSERT INTO dead_link VALUES (?, ?, ?, ?, ?)",
                [machine, link.board.x, link.board.y, link.board.z, link.side.rawValue])
        }
    }

    /// Takes a machine in or out of service: jobs keep their boards, no new ones come.
    package func setInService(_ inService: Bool, machine: String) async throws -> Bool {
        let (found, catalogue) = try await self.pool.write { db in
            try db.run("UPDATE machine SET in_service = ? WHERE name = ?", [inService, machine])
            return (db.changesCount > 0, try MachineCatalogue(db: db))
        }
        self.catalogueBecame(catalogue)
        return found
    }

    package func setTags(_ tags: Set<String>, machine: String) async throws -> Bool {
        let (found, catalogue) = try await self.pool.write { db -> (Bool, MachineCatalogue) in
            guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM machine WHERE name = ?", arguments: [machine]) else {
                return (false, try MachineCatalogue(db: db))
            }
            try db.run("DELETE FROM machine_tag WHERE machine_id = ?", [id])
            for tag in tags { try db.run("INSERT INTO machine_tag (machine_id, tag) VALUES (?, ?)", [id, tag]) }
            return (true, try MachineCatalogue(db: db))
        }
        self.catalogueBecame(catalogue)
        return found
    }

    /// Boards that are out of service, by the database's number.
    package func boardsOutOfService() async throws -> Set<Int64> {
        try await self.pool.read { Set(try $0.integers("SELECT id FROM board WHERE \(Store.isOut)")) }
    }

    package func isFunctioning(board: Int64) async throws -> Bool {
        try await self.pool.read { try $0.row("SELECT 1 FROM board WHERE id = ? AND NOT \(Store.isOut)", [board]) != nil }
    }

    /// Takes a board in or out of service. A job that has it keeps it.
    package func setFunctioning(_ functioning: Bool, board: Int64, failure: String?) async throws {
        try await self.pool.write { db in
            try db.run(
                "UPDATE board SET functioning = ?, failure = ?, retry_at = NULL WHERE id = ?",
                [functioning, functioning ? nil : failure, board])
        }
    }

    /// Puts boards back whose time aside is over.
    ///
    /// - Returns: how many, and when the next is due.
    package func retryBoards(now: Timestamp) async throws -> (returned: Int, next: Timestamp?) {
        try await self.pool.write { db in
            try db.run(
                "UPDATE board SET functioning = 1, failure = NULL, retry_at = NULL WHERE functioning = 0 AND retry_at <= ?",
                [now.milliseconds])
            let returned = db.changesCount
            let next = try Int64.fetchOne(db, sql: "SELECT MIN(retry_at) FROM board WHERE functioning = 0")
            return (returned, next.map(Timestamp.init(milliseconds:)))
        }
    }

    /// How each board of a machine is, for maps and lists.
    package struct BoardStatus: Hashable, Sendable {
        package var board: Int64
        package var job: Int?
        package var functioning: Bool
        package var powered: Bool
        package var failure: String?
    }

    package func boardStatus(machine: Int64) async throws -> [BoardStatus] {
        try await self.pool.read { db in
            try db.rows(
                """
                SELECT board.id, NOT \(Store.isOut) AS functioning, board.powered,
                    coalesce(board.failure, iif(blacklisted = 1, 'blacklisted', NULL)) AS failure, job_board.job_id FROM board
                LEFT JOIN job_board ON job_board.board_id = board.id AND job_board.released_at IS NULL
                WHERE board.machine_id = ? ORDER BY x, y, z
                """, [machine]
            ).map { row in
                BoardStatus(
                    board: row["id"], job: row["job_id"], functioning: row["functioning"], powered: row["powered"],
                    failure: row["failure"])
            }
        }
    }

    /// The job that has a board, and its root.
    package func holder(of board: Int64) async throws -> (job: Int, root: Int64)? {
        try await self.pool.read { db in
            try db.row(
                """
                SELECT job.id, job.root_board_id FROM job_board JOIN job ON job.id = job_board.job_id
                WHERE job_board.board_id = ? AND released_at IS NULL AND releasing = 0
                """, [board]
            ).flatMap { row -> (job: Int, root: Int64)? in
                guard let root: Int64 = row["root_board_id"] else { return nil }
                return (row["id"], root)
            }
        }
    }
}

extension Store {
    /// Notes an issue with boards. A board of which so many different users or jobs have complained goes out of service.
    ///
    /// - Parameter since: older complaints do not count any more.
    ///
    /// - Returns: how many went.
    package func report(
        boards: [Int64], job: Int, reporter: Int64, issue: String, threshold: Int = 2, since: Timestamp? = nil, now: Timestamp
    ) async throws -> Int {
        try await self.pool.write { db in
            var removed = 0
            for board in Set(boards) {
                try db.run(
                    """
                    INSERT INTO board_report (board_id, job_id, reporter_id, at, issue) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET at = excluded.at, issue = excluded.issue
                    """, [board, job, reporter, now.milliseconds, issue])
                let reports =
                    try db.integers(
                        """
                        SELECT (SELECT count(*) FROM board_report WHERE board_id = ?1 AND at >= ?2)
                            + (SELECT count(*) FROM report_history WHERE board_id = ?1 AND at >= ?2)
                        """, [board, since?.milliseconds ?? .min]
                    ).first ?? 0
                guard reports >= threshold else { continue }
                try db.run(
                    "UPDATE board SET functioning = 0, failure = ? WHERE id = ? AND functioning = 1",
                    ["reported \(reports) times, last: \(issue)", board])
                removed += db.changesCount
            }
            return removed
        }
    }
}
