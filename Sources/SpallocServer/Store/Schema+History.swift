//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

extension Schema {
    /// Jobs that ended long ago. Names instead of numbers, so that users, groups and machines may go while the history stays.
    static func addHistory(to migrator: inout DatabaseMigrator) {
        migrator.registerMigration("8 history") { db in
            try db.execute(
                sql: """
                    CREATE TABLE job_history (
                        id INTEGER PRIMARY KEY,
                        owner TEXT NOT NULL,
                        group_name TEXT,
                        machine TEXT,
                        boards INTEGER NOT NULL,
                        request TEXT NOT NULL,
                        created_at INTEGER NOT NULL,
                        allocated_at INTEGER,
                        finished_at INTEGER NOT NULL,
                        reason TEXT
                    );
                    CREATE INDEX job_history_finished ON job_history (finished_at);
                    CREATE INDEX job_history_owner ON job_history (owner, finished_at);
                    CREATE INDEX job_finished ON job (finished_at) WHERE state = 'DESTROYED';
                    CREATE TABLE board_history (
                        job_id INTEGER NOT NULL REFERENCES job_history ON DELETE CASCADE,
                        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
                        allocated_at INTEGER NOT NULL,
                        released_at INTEGER
                    );
                    CREATE INDEX board_history_job ON board_history (job_id);
                    CREATE TABLE report_history (
                        job_id INTEGER NOT NULL REFERENCES job_history ON DELETE CASCADE,
                        -- As long as it counts against the board.
                        board_id INTEGER REFERENCES board ON DELETE SET NULL,
                        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
                        reporter TEXT NOT NULL,
                        at INTEGER NOT NULL,
                        issue TEXT NOT NULL
                    );
                    CREATE INDEX report_history_job ON report_history (job_id);
                    CREATE INDEX report_history_board ON report_history (board_id) WHERE board_id IS NOT NULL;
                    -- All jobs that have ended, wherever they are.
                    CREATE VIEW ended_job AS
                        SELECT id, owner, group_name, machine, boards, created_at, allocated_at, finished_at, reason FROM job_history
                        UNION ALL
                        SELECT job.id, user.name, user_group.name, machine.name,
                            (SELECT count(DISTINCT board_id) FROM job_board WHERE job_board.job_id = job.id
                                AND job_board.allocated_at = job.allocated_at),
                            job.created_at, job.allocated_at, job.finished_at, job.reason
                        FROM job JOIN user ON user.id = job.owner_id
                        LEFT JOIN user_group ON user_group.id = job.group_id
                        LEFT JOIN machine ON machine.id = job.machine_id
                        WHERE job.state = 'DESTROYED';
                    """)
        }
    }
}
