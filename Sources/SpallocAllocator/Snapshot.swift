//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What the allocator looks at: machines with their free boards, and who waits.
package struct AllocatorSnapshot: Sendable {
    package struct Machine: Sendable {
        package var topology: MachineTopology
        /// Boards that are in service, whether a job has them or not.
        package var functioning: BoardSet
        /// Boards that are in service and that nobody has.
        package var usable: BoardSet
        /// Out of service: jobs keep their boards, no new ones come.
        package var acceptsJobs: Bool

        package init(topology: MachineTopology, functioning: BoardSet, usable: BoardSet, acceptsJobs: Bool = true) {
            self.topology = topology
            self.functioning = functioning
            self.usable = usable
            self.acceptsJobs = acceptsJobs
        }
    }

    package struct QueuedJob: Sendable {
        package var id: Int
        package var request: JobRequest
        /// Seconds since some epoch, when the job began to wait.
        package var since: Int64

        package init(id: Int, request: JobRequest, since: Int64) {
            self.id = id
            self.request = request
            self.since = since
        }
    }

    /// In the order in which they are tried.
    package var machines: [Machine]
    package var queue: [QueuedJob]

    package init(machines: [Machine], queue: [QueuedJob]) {
        self.machines = machines
        self.queue = queue
    }
}

/// Boards for one job.
package struct Placement: Hashable, Sendable {
    /// In triads; 1 × 1 for a single board.
    package var width: Int
    package var height: Int
    /// 1 for a single board, else 3.
    package var depth: Int
    /// Index of the board whose Ethernet chip is the job's (0, 0). It is in `boards`.
    package var root: Int
    /// Connected with each other over live links.
    package var boards: BoardSet

    package init(width: Int, height: Int, depth: Int, root: Int, boards: BoardSet) {
        self.width = width
        self.height = height
        self.depth = depth
        self.root = root
        self.boards = boards
    }
}

/// What is to be done: give these boards of the machine of this name to the job.
package struct AllocatorDecision: Hashable, Sendable {
    package var job: Int
    package var machine: String
    package var placement: Placement

    package init(job: Int, machine: String, placement: Placement) {
        self.job = job
        self.machine = machine
        self.placement = placement
    }
}
