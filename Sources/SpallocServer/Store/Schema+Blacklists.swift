//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

extension Schema {
    /// What is known of each board as a piece of hardware: its serial number, its sensors, what is broken on it.
    static func addBlacklists(to migrator: inout DatabaseMigrator) {
        migrator.registerMigration("7 blacklists") { db in
            try db.execute(
                sql: """
                    -- As its BMP last said.
                    CREATE TABLE board_health (
                        board_id INTEGER PRIMARY KEY REFERENCES board ON DELETE CASCADE,
                        serial TEXT NOT NULL,
                        -- JSON: degrees by sensor.
                        temperatures TEXT NOT NULL,
                        at INTEGER NOT NULL
                    );
                    -- In the form in which people write it. A stale one is of another board, which was there before.
                    CREATE TABLE blacklist (
                        board_id INTEGER PRIMARY KEY REFERENCES board ON DELETE CASCADE,
                        list TEXT NOT NULL,
                        serial TEXT NOT NULL,
                        at INTEGER NOT NULL,
                        is_stale INTEGER NOT NULL DEFAULT 0 CHECK (is_stale IN (0, 1))
                    );
                    -- 1: by its blacklist it is of no use to any job.
                    ALTER TABLE board ADD COLUMN blacklisted INTEGER NOT NULL DEFAULT 0 CHECK (blacklisted IN (0, 1));
                    CREATE INDEX board_blacklisted ON board (machine_id) WHERE blacklisted = 1;
                    """)
        }
    }
}
