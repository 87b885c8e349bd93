//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

extension Schema {
    /// Groups, who is in them, and what they have used. The account is a list of entries that is only ever added to; the balance in it is what
    /// a group has left.
    static func addGroups(to migrator: inout DatabaseMigrator) {
        migrator.registerMigration("groups") { db in
            try db.execute(
                sql: """
                    CREATE TABLE user_group (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        type TEXT NOT NULL DEFAULT 'INTERNAL' CHECK (type IN ('INTERNAL', 'ORGANISATION', 'COLLABRATORY')),
                        -- Board-seconds left; NULL: as many as it likes.
                        quota INTEGER CHECK (quota >= 0)
                    );
                    CREATE TABLE group_member (
                        group_id INTEGER NOT NULL REFERENCES user_group ON DELETE CASCADE,
                        user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
                        PRIMARY KEY (group_id, user_id)
                    ) WITHOUT ROWID;
                    CREATE INDEX groups_of_user ON group_member (user_id);
                    CREATE TABLE quota_entry (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        group_id INTEGER NOT NULL REFERENCES user_group ON DELETE CASCADE,
                        at INTEGER NOT NULL,
                        -- Board-seconds, and what was left then; NULL: no limit.
                        amount INTEGER,
                        balance INTEGER,
                        -- A job is charged once. Its number stays when the job has gone to the history.
                        job_id INTEGER UNIQUE,
                        by TEXT NOT NULL,
                        note TEXT
                    );
                    CREATE INDEX quota_entries ON quota_entry (group_id, id);
                    ALTER TABLE job ADD COLUMN group_id INTEGER REFERENCES user_group;
                    CREATE INDEX live_jobs_of_group ON job (group_id) WHERE state <> 'DESTROYED' AND group_id IS NOT NULL;
                    """)
        }
    }
}
