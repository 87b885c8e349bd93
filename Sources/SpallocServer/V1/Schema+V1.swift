//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

extension Schema {
    /// What a client of the legacy port said of its job and nobody else needs: under its own name among the migrations, so that
    /// it does not depend on what else the schema has become.
    static func addV1(to migrator: inout DatabaseMigrator) {
        migrator.registerMigration("v1 jobs") { db in
            try db.execute(
                sql: """
                    CREATE TABLE v1_job (
                        job_id INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
                        owner TEXT NOT NULL,
                        -- The arguments of create_job as they came, as JSON; the keywords without owner and keepalive.
                        args TEXT NOT NULL,
                        kwargs TEXT NOT NULL
                    );
                    """)
        }
    }
}
