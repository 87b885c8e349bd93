//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// A board's blacklist as the database has it.
package struct StoredBlacklist: Hashable, Sendable {
    package var list: Blacklist
    /// Of the board whose list it is.
    package var serial: String
    /// When it was read from the board, or written to it.
    package var at: Timestamp
    /// The board was exchanged since: the list says nothing of the one that is there now, and is not acted on.
    package var isStale: Bool

    package init(list: Blacklist, serial: String, at: Timestamp, isStale: Bool) {
        self.list = list
        self.serial = serial
        self.at = at
        self.isStale = isStale
    }
}

/// What a board's BMP said when it was last asked.
package struct LastHealth: Hashable, Sendable {
    package var serial: String
    /// Degrees by sensor.
    package var temperatures: [String: Double]
    package var at: Timestamp

    package init(serial: String, temperatures: [String: Double], at: Timestamp) {
        self.serial = serial
        self.temperatures = temperatures
        self.at = at
    }
}

extension Store {
    /// Boards that no job is given, as a condition.
    static let isOut = "(functioning = 0 OR blacklisted = 1)"

    package func blacklist(of board: Int64) async throws -> StoredBlacklist? {
        try await self.pool.read { db in
            guard let row = try db.row("SELECT * FROM blacklist WHERE board_id = ?", [board]) else { return nil }
            return StoredBlacklist(
                list: try Blacklist(text: row["list"]), serial: row["serial"], at: Timestamp(milliseconds: row["at"]),
                isStale: row["is_stale"])
        }
    }

    /// Keeps what the board's flash holds; the allocator acts on it from now on.
    ///
    /// - Returns: whether it differs from what was kept.
    @discardableResult
    package func setBlacklist(_ list: Blacklist, of board: Int64, serial: String, now: Timestamp) async throws -> Bool {
        let (differs, catalogue) = try await self.pool.write { db in
            let text = list.text
            let same = try db.row("SELECT 1 FROM blacklist WHERE board_id = ? AND list = ? AND is_stale = 0", [board, text])
            try db.run(
                """
                INSERT INTO blacklist (board_id, list, serial, at) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET list = excluded.list, serial = excluded.serial, at = excluded.at, is_stale = 0
                """, [board, text, serial, now.milliseconds])
            try db.run("UPDATE board SET blacklisted = ? WHERE id = ?", [list.isBoardDead, board])
            return (same == nil, try MachineCatalogue(db: db))
        }
        self.catalogueBecame(catalogue)
        return differs
    }

    package func lastHealth(of board: Int64) async throws -> LastHealth? {
        try await self.pool.read { db in
            guard let row = try db.row("SELECT * FROM board_health WHERE board_id = ?", [board]) else { return nil }
            let temperatures = try JSONDecoder().decode([String: Double].self, from: Data((row["temperatures"] as String).utf8))
            return LastHealth(serial: row["serial"], temperatures: temperatures, at: Timestamp(milliseconds: row["at"]))
        }
    }

    /// Writes down what a BMP says. If the board is another than before, its blacklist is stale.
    ///
    /// - Returns: the serial number of the board that was there before, if it was exchanged.
    package func recordHealth(
        of board: Int64, serial: String, temperatures: [String: Double], now: Timestamp
    ) async throws -> String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = String(decoding: try encoder.encode(temperatures), as: UTF8.self)
        let (before, catalogue) = try await self.pool.write { db -> (String?, MachineCatalogue?) in
            let known: String? = try db.row("SELECT serial FROM board_health WHERE board_id = ?", [board])?["serial"]
            try db.run(
                """
                INSERT INTO board_health (board_id, serial, temperatures, at) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET serial = excluded.serial, temperatures = excluded.temperatures, at = excluded.at
                """, [board, serial, json, now.milliseconds])
            try db.run(
                "UPDATE blacklist SET is_stale = 1 WHERE board_id = ? AND serial <> ? AND is_stale = 0", [board, serial])
            guard db.changesCount > 0 else { return (known == serial ? nil : known, nil) }
            try db.run("UPDATE board SET blacklisted = 0 WHERE id = ?", [board])
            return (known == serial ? nil : known, try MachineCatalogue(db: db))
        }
        if let catalogue { self.catalogueBecame(catalogue) }
        return before
    }
}

extension Database {
    /// The sides of a machine's boards over which, by their blacklists, nothing goes.
    func blacklistedLinks(machine: Int64) throws -> [BoardLink] {
        try self.rows(
            """
            SELECT board.x, board.y, board.z, blacklist.list FROM blacklist JOIN board ON board.id = blacklist.board_id
            WHERE board.machine_id = ? AND is_stale = 0 AND list <> '' ORDER BY x, y, z
            """, [machine]
        ).flatMap { row in
            let board = BoardCoordinates(row["x"], row["y"], row["z"])
            return try Blacklist(text: row["list"]).deadSides.sorted().map { BoardLink(board: board, side: $0) }
        }
    }
}
