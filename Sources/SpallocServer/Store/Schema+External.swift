//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

extension Schema {
    /// Users who have no password here but an account at an issuer, and sessions that end when its token does.
    static func addExternalUsers(to migrator: inout DatabaseMigrator) {
        migrator.registerMigration("external users") { db in
            try db.execute(
                sql: """
                    ALTER TABLE user ADD COLUMN external INTEGER NOT NULL DEFAULT 0 CHECK (external IN (0, 1));
                    -- The issuer's name for the account; NULL: local, or not seen yet.
                    ALTER TABLE user ADD COLUMN subject TEXT;
                    CREATE UNIQUE INDEX user_subject ON user (subject) WHERE subject IS NOT NULL;
                    ALTER TABLE session ADD COLUMN expires_at INTEGER;
                    """)
        }
    }
}
