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

    static let columns = "job.*, user.name AS owner"
    static let tables = "job JOIN user ON user.id = job.owner_id"

    init(row: Row) {
        self.id = row["id"]
        self.ownerID = row["owner_id"]
        self.owner = row["owner"]
        self.state = JobState(rawValue: row["state"]) ?? .unknown
        self.revision = row["revision"]
        self.request = row["request"]
        self.createdAt = Timestamp(milliseconds: row["created_at"])
        self.keepaliveInterval = .milliseconds(row["keepalive_ms"] as Int64)
        self.keepaliveAt = Timestamp(milliseconds: row["keepalive_at"])
        self.keepaliveHost = row["keepalive_host"]
        self.finishedAt = (row["finished_at"] as Int64?).map(Timestamp.init(milliseconds:))
        self.reason = row["reason"]
        self.groupID = row["group_id"]
        if self.state == .power || self.state == .ready, let machine: Int64 = row["machine_id"],
            let root: Int64 = row["root_board_id"], let width: Int = row["width"], let height: Int = row["height"],
            let depth: Int = row["depth"]
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

    package init(job: Int, revision: Int64, state: JobState, machine: Int64? = nil) {
        self.job = job
        self.revision = revision
        self.state = state
        self.machine = machine
    }
}
