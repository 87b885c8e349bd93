//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import SpallocAPI

/// A job as the store has it.
package struct JobRecord: Sendable {
    package var id: Int
    package var ownerID: Int64
    package var owner: String
    package var state: JobState
    /// Grows by one with every change that a client can see.
    package var revision: Int64
    /// The request, as JSON.
    package var request: String
    package var createdAt: Timestamp
    package var keepaliveInterval: Duration
    package var keepaliveAt: Timestamp
    package var keepaliveHost: String?
    package var allocation: Allocation?
    package var finishedAt: Timestamp?
    package var reason: String?
    /// What pays for it; nil: nobody.
    package var groupID: Int64?

    /// Where the job is. Gone when the boards are.
    package struct Allocation: Hashable, Sendable {
        package var machine: Int64
        /// In triads.
        package var width: Int
        package var height: Int
        package var depth: Int
        package var root: Int64
    }

    /// In the order in which ``init(row:)`` reads them: to look for a column's name costs more than to read it.
    static let columns = """
        job.id, job.owner_id, user.name AS owner, job.state, job.revision, job.request, job.created_at, job.keepalive_ms,
        job.keepalive_at, job.keepalive_host, job.finished_at, job.reason, job.group_id, job.machine_id, job.root_board_id,
        job.width, job.height, job.depth
        """
    static let tables = "job JOIN user ON user.id = job.owner_id"

    /// A row that begins with ``columns``.
    init(row: Row) {
        self.id = row[0]
        self.ownerID = row[1]
        self.owner = row[2]
        self.state = JobState(rawValue: row[3]) ?? .unknown
        self.revision = row[4]
        self.request = row[5]
        self.createdAt = Timestamp(milliseconds: row[6])
        self.keepaliveInterval = .milliseconds(row[7] as Int64)
        self.keepaliveAt = Timestamp(milliseconds: row[8])
        self.keepaliveHost = row[9]
        self.finishedAt = (row[10] as Int64?).map(Timestamp.init(milliseconds:))
        self.reason = row[11]
        self.groupID = row[12]
        if self.state == .power || self.state == .ready, let machine: Int64 = row[13], let root: Int64 = row[14],
            let width: Int = row[15], let height: Int = row[16], let depth: Int = row[17]
        {
            self.allocation = Allocation(machine: machine, width: width, height: height, depth: depth, root: root)
        }
    }
}

/// A board of a job.
package struct JobBoard: Hashable, Sendable {
    package var id: Int64
    package var powered: Bool
}

/// A job has changed: what the hub tells those who wait.
package struct JobChange: Hashable, Sendable {
    package var job: Int
    package var revision: Int64
    package var state: JobState
    /// The machine whose boards were given to the job or taken from it.
    package var machine: Int64?
    /// The group that pays from now on.
    package var payer: Int64?

    package init(job: Int, revision: Int64, state: JobState, machine: Int64? = nil, payer: Int64? = nil) {
        self.job = job
        self.revision = revision
        self.state = state
        self.machine = machine
        self.payer = payer
    }
}
