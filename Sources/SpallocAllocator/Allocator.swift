//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which job gets which boards. Pure: no clock, no store; the same snapshot always gives the same decisions.
///
/// **Order.** Jobs are visited by the time since which they wait, less their priority in seconds. All age alike, so the order of two
/// jobs never changes, and a job can only be overtaken by jobs created at most
/// ``JobRequest/maximumPriority`` seconds after it.
///
/// **Back-fill.** The first job that does not fit gets a reservation: of the places where it could be if every board in service were
/// free, the one with the fewest boards taken. What is free there is kept from the jobs behind, who may use the rest. The
/// boards taken there can therefore only become fewer, so the job is served once their holders end.
///
/// **Impossible jobs.** ``Feasibility`` refuses them at creation; one that becomes impossible (a board died) gets no
/// reservation and holds up nobody.
package enum Allocator {
    package static func order(_ queue: [AllocatorSnapshot.QueuedJob]) -> [AllocatorSnapshot.QueuedJob] {
        queue.map { (key: $0.since - Int64($0.request.priority), job: $0) }
            .sorted { ($0.key, $0.job.id) < ($1.key, $1.job.id) }
            .map(\.job)
    }

    package static func decide(_ snapshot: AllocatorSnapshot) -> [AllocatorDecision] {
        guard !snapshot.queue.isEmpty else { return [] }
        var searches = snapshot.machines.map {
            PlacementSearch(topology: $0.topology, functioning: $0.functioning, usable: $0.usable)
        }
        var decisions: [AllocatorDecision] = []
        // What did not fit once in this round does not fit later: boards only become fewer.
        var refused: Set<JobRequest> = []
        var reserved = false
        for job in Allocator.order(snapshot.queue) {
            if refused.contains(job.request) { continue }
            var placed = false
            for (index, machine) in snapshot.machines.enumerated() where machine.takes(job.request) {
                guard let placement = searches[index].place(job.request) else { continue }
                searches[index].remove(placement.boards)
                decisions.append(AllocatorDecision(job: job.id, machine: machine.topology.name, placement: placement))
                placed = true
                break
            }
            guard !placed else { continue }
            refused.insert(job.request)
            if !reserved,
                let (index, boards) = Allocator.reservation(for: job.request, in: snapshot.machines, searches: searches)
            {
                searches[index].remove(boards)
                reserved = true
            }
        }
        return decisions
    }

    /// The place that is nearest to being free: which machine, and the boards to keep for the job.
    private static func reservation(
        for request: JobRequest, in machines: [AllocatorSnapshot.Machine], searches: [PlacementSearch]
    ) -> (machine: Int, boards: BoardSet)? {
        var best: (taken: Int, machine: Int, boards: BoardSet)?
        for (index, machine) in machines.enumerated() where machine.takes(request) {
            guard
                let found = Reservation.nearest(
                    for: request, topology: machine.topology, functioning: machine.functioning, usable: searches[index].usable)
            else { continue }
            if best.map({ found.taken < $0.taken }) ?? true { best = (found.taken, index, found.boards) }
        }
        return best.map { ($0.machine, $0.boards) }
    }
}

extension AllocatorSnapshot.Machine {
    /// Whether the request may be served here at all, by name or tags.
    package func takes(_ request: JobRequest) -> Bool {
        guard self.acceptsJobs else { return false }
        switch request.machine {
        case .named(let name): return name == self.topology.name
        case .tagged(let tags): return tags.isSubset(of: self.topology.tags)
        }
    }
}
