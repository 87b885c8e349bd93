//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

/// The tables, one migration per version. What must never happen, the schema forbids: a board in two live jobs, two pending
/// commands for one board, a destroyed job that lives again.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE machine (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        width INTEGER NOT NULL CHECK (width > 0),
                        height INTEGER NOT NULL CHECK (height > 0),
                        in_service INTEGER NOT NULL DEFAULT 1 CHECK (in_service IN (0, 1))
                    );
                    CREATE TABLE machine_tag (
                        machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,
                        tag TEXT NOT NULL,
                        PRIMARY KEY (machine_id, tag)
                    ) WITHOUT ROWID;
                    CREATE TABLE bmp (
                        id INTEGER PRIMARY KEY,
                        machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,
                        cabinet INTEGER NOT NULL,
                        frame INTEGER NOT NULL,
                        address TEXT NOT NULL,
                        port INTEGER NOT NULL,
                        UNIQUE (machine_id, cabinet, frame),
                        UNIQUE (address, port)
                    );
                    CREATE TABLE board (
                        id INTEGER PRIMARY KEY,
                        machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,
                        x INTEGER NOT NULL,
                        y INTEGER NOT NULL,
                        z INTEGER NOT NULL CHECK (z BETWEEN 0 AND 2),
                        bmp_id INTEGER NOT NULL REFERENCES bmp,
                        number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 23),
                        address TEXT NOT NULL UNIQUE,
                        -- 0: not given to jobs, for the reason in `failure`; put back at `retry_at` if there is one.
                        functioning INTEGER NOT NULL DEFAULT 1 CHECK (functioning IN (0, 1)),
                        failure TEXT,
                        retry_at INTEGER,
                        -- As the BMP last confirmed it.
                        powered INTEGER NOT NULL DEFAULT 0 CHECK (powered IN (0, 1)),
                        power_on_at INTEGER,
                        power_off_at INTEGER,
                        UNIQUE (machine_id, x, y, z),
                        UNIQUE (bmp_id, number)
                    );
                    CREATE INDEX board_out ON board (machine_id) WHERE functioning = 0;
                    -- Boards that a definition calls dead and that have no slot.
                    CREATE TABLE absent_board (
                        machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,
                        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
                        PRIMARY KEY (machine_id, x, y, z)
                    ) WITHOUT ROWID;
                    CREATE TABLE dead_link (
                        machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,
                        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
                        side INTEGER NOT NULL CHECK (side BETWEEN 0 AND 5),
                        PRIMARY KEY (machine_id, x, y, z, side)
                    ) WITHOUT ROWID;

                    CREATE TABLE user (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        password TEXT,
                        trust TEXT NOT NULL CHECK (trust IN ('BASIC', 'READER', 'USER', 'ADMIN', 'NMPI_EXEC')),
                        enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
                        failures INTEGER NOT NULL DEFAULT 0,
                        locked_until INTEGER,
                        last_success INTEGER,
                        last_failure INTEGER
                    );
                    -- The key is the SHA-256 of the cookie: who reads the file cannot take over a session.
                    CREATE TABLE session (
                        id TEXT PRIMARY KEY,
                        user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
                        csrf TEXT NOT NULL,
                        created_at INTEGER NOT NULL,
                        used_at INTEGER NOT NULL
                    ) WITHOUT ROWID;
                    CREATE INDEX session_used ON session (used_at);

                    CREATE TABLE job (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        owner_id INTEGER NOT NULL REFERENCES user,
                        state TEXT NOT NULL CHECK (state IN ('QUEUED', 'POWER', 'READY', 'DESTROYED')),
                        revision INTEGER NOT NULL DEFAULT 1,
                        request TEXT NOT NULL,
                        created_at INTEGER NOT NULL,
                        keepalive_ms INTEGER NOT NULL CHECK (keepalive_ms > 0),
                        keepalive_at INTEGER NOT NULL,
                        keepalive_host TEXT,
                        machine_id INTEGER REFERENCES machine,
                        width INTEGER, height INTEGER, depth INTEGER,
                        root_board_id INTEGER REFERENCES board,
                        allocated_at INTEGER,
                        -- When this allocation first became READY: before, a power failure puts the job back in the queue.
                        ready_at INTEGER,
                        finished_at INTEGER,
                        reason TEXT,
                        CHECK (state NOT IN ('POWER', 'READY') OR (machine_id IS NOT NULL AND root_board_id IS NOT NULL)),
                        CHECK ((state = 'DESTROYED') = (finished_at IS NOT NULL))
                    );
                    CREATE INDEX job_live ON job (state, id) WHERE state <> 'DESTROYED';
                    CREATE INDEX job_owner ON job (owner_id);
                    CREATE TRIGGER job_stays_destroyed BEFORE UPDATE OF state ON job
                    WHEN OLD.state = 'DESTROYED' AND NEW.state <> 'DESTROYED'
                    BEGIN SELECT RAISE(ABORT, 'a destroyed job stays destroyed'); END;

                    -- Who has had which board. A row without `released_at` holds its board.
                    CREATE TABLE job_board (
                        id INTEGER PRIMARY KEY,
                        job_id INTEGER NOT NULL REFERENCES job,
                        board_id INTEGER NOT NULL REFERENCES board,
                        allocated_at INTEGER NOT NULL,
                        -- 1: no longer the job's, but not yet off.
                        releasing INTEGER NOT NULL DEFAULT 0 CHECK (releasing IN (0, 1)),
                        released_at INTEGER
                    );
                    CREATE UNIQUE INDEX one_job_per_board ON job_board (board_id) WHERE released_at IS NULL;
                    CREATE INDEX boards_of_job ON job_board (job_id) WHERE released_at IS NULL;

                    -- What is to be done to a board's power, in order. It survives a restart.
                    CREATE TABLE power_change (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        job_id INTEGER NOT NULL REFERENCES job,
                        board_id INTEGER NOT NULL UNIQUE REFERENCES board,
                        wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
                        -- 1: the board is free once this is done.
                        release INTEGER NOT NULL CHECK (release IN (0, 1)),
                        CHECK (release = 0 OR wanted = 0)
                    );
                    CREATE INDEX power_change_job ON power_change (job_id);

                    CREATE TABLE job_event (
                        id INTEGER PRIMARY KEY,
                        job_id INTEGER NOT NULL REFERENCES job,
                        at INTEGER NOT NULL,
                        state TEXT NOT NULL,
                        note TEXT
                    );
                    CREATE INDEX job_event_job ON job_event (job_id);

                    CREATE TABLE board_report (
                        board_id INTEGER NOT NULL REFERENCES board,
                        job_id INTEGER NOT NULL REFERENCES job,
                        reporter_id INTEGER NOT NULL REFERENCES user,
                        at INTEGER NOT NULL,
                        issue TEXT NOT NULL,
                        PRIMARY KEY (board_id, job_id, reporter_id)
                    ) WITHOUT ROWID;
                    """)
        }
        self.addV1(to: &migrator)
        self.addGroups(to: &migrator)
        // SQLite only tells of changes to rows that have a number (``RecentRows``).
        migrator.registerMigration("sessions with row numbers") { db in
            try db.execute(
                sql: """
                    CREATE TABLE numbered_session (
                        id TEXT NOT NULL PRIMARY KEY,
                        user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
                        csrf TEXT NOT NULL,
                        created_at INTEGER NOT NULL,
                        used_at INTEGER NOT NULL
                    );
                    INSERT INTO numbered_session SELECT id, user_id, csrf, created_at, used_at FROM session;
                    DROP TABLE session;
                    ALTER TABLE numbered_session RENAME TO session;
                    CREATE INDEX session_used ON session (used_at);
                    """)
        }
        self.addExternalUsers(to: &migrator)
        self.addBlacklists(to: &migrator)
        self.addHistory(to: &migrator)
        return migrator
    }
}
