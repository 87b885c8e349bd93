//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

@Suite struct AllocatorTests {
    private func placed(_ snapshot: AllocatorSnapshot) -> [Int] {
        Allocator.decide(snapshot).map(\.job)
    }

    @Test func nothingToDo() {
        #expect(Allocator.decide(snapshot(machine(1, 1))).isEmpty)
    }

    @Test func oldestFirst() {
        let queue = [queued(2, .boards(3), since: 100), queued(1, .boards(3), since: 200)]
        #expect(self.placed(snapshot(machine(1, 1), queue: queue)) == [2])
    }

    /// Priority is worth seconds of waiting, and no more than ``JobRequest/maximumPriority`` of them.
    @Test func priorityIsBounded() {
        let far = Int64(JobRequest.maximumPriority) + 1
        let big = queued(2, .rectangle(width: 20, height: 20), since: far)
        let small = queued(1, .boards(1), since: 0)
        #expect(Allocator.order([big, small]).map(\.id) == [1, 2])
        let sooner = queued(2, .rectangle(width: 20, height: 20), since: 100)
        #expect(Allocator.order([sooner, small]).map(\.id) == [2, 1])
    }

    /// The head waits for two triads; what it waits for is kept from the small ones behind, who may use the rest.
    @Test func backFillDoesNotStarveTheHead() {
        let topology = machine(3, 1)
        // Triad 0 is taken; the head needs all three. Nothing behind it may be placed: all boards are its region.
        let taken = (0..<3).map { BoardCoordinates(0, 0, $0) }
        let all = [queued(1, .rectangle(width: 3, height: 1)), queued(2, .boards(1), since: 500)]
        #expect(self.placed(snapshot(topology, taken: taken, queue: all)).isEmpty)
        // A head that needs two triads finds them; the small one gets nothing of them but a head of a bigger machine leaves room.
        let wide = machine(6, 1)
        let middle = (0..<3).flatMap { z in [1, 4].map { BoardCoordinates($0, 0, z) } }
        let queue = [queued(1, .rectangle(width: 3, height: 1)), queued(2, .boards(1), since: 500)]
        let decisions = Allocator.decide(snapshot(wide, taken: middle, queue: queue))
        guard let placement = decisions.first?.placement, decisions.map(\.job) == [2] else {
            Issue.record("the small job was to be placed: \(decisions)")
            return
        }
        // Three triads in a row keep at most two free ones for the head: the small job is in one of the other two.
        #expect(placement.boards.count == 1)
    }

    @Test func anImpossibleHeadHoldsUpNobody() {
        let queue = [queued(1, .boards(10)), queued(2, .rectangle(width: 1, height: 2)), queued(3, .boards(3), since: 500)]
        #expect(self.placed(snapshot(machine(1, 1), queue: queue)) == [3])
    }

    @Test func machinesShareTheLoad() {
        let first = machine(1, 1, name: "a")
        let second = machine(1, 1, name: "b")
        let snapshot = AllocatorSnapshot(
            machines: [first, second].map { .init(topology: $0, functioning: $0.existing, usable: $0.existing) },
            queue: [queued(1, .boards(3)), queued(2, .boards(3)), queued(3, .boards(3))])
        let decisions = Allocator.decide(snapshot)
        #expect(
            decisions.map { "\($0.job)\($0.machine)" } == ["1a", "2b"])
    }

    @Test func outOfServiceMachinesGetNoJobs() {
        let topology = machine(1, 1)
        let snapshot = AllocatorSnapshot(
            machines: [
                .init(topology: topology, functioning: topology.existing, usable: topology.existing, acceptsJobs: false)
            ],
            queue: [queued(1, .boards(1))])
        #expect(Allocator.decide(snapshot).isEmpty)
        #expect(Feasibility.check(request(.boards(1)), on: snapshot.machines) != .possible)
    }

    @Test func theSameSnapshotGivesTheSameDecisions() {
        let queue = (1...20).map { queued($0, .boards($0), since: Int64($0 % 3)) }
        let snapshot = snapshot(machine(6, 6), queue: queue)
        #expect(Allocator.decide(snapshot) == Allocator.decide(snapshot))
    }
}

/// A whole service in a loop: random requests come, are placed, and end. Whatever the order, no board is ever in two jobs, every
/// placement is sound, and every feasible request is served.
@Suite struct AllocatorPropertyTests {
    private func randomSize(_ topology: MachineTopology, using random: inout SeededGenerator) -> JobRequest.Size {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...4: return .boards(Int.random(in: 1...max(1, topology.existing.count / 2), using: &random))
        case 5...7:
            return .rectangle(
                width: Int.random(in: 1...topology.width, using: &random),
                height: Int.random(in: 1...topology.height, using: &random))
        case 8:
            return .board(.triad(topology.coordinates(of: Int.random(in: 0..<topology.capacity, using: &random))))
        default:
            let triad = Int.random(in: 0..<(topology.capacity / 3), using: &random)
            return .rectangleAt(
                width: Int.random(in: 1...topology.width, using: &random), height: 1,
                root: .triad(topology.coordinates(of: triad * 3)))
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func neverABoardTwiceAndEveryFeasibleRequestIsServed(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let width = Int.random(in: 1...6, using: &random)
        let height = Int.random(in: 1...6, using: &random)
        let geometry = TriadGeometry(width: width, height: height)
        let dead = Set(
            (0..<Int.random(in: 0...3, using: &random)).compactMap { _ in geometry.boards.randomElement(using: &random) })
        let links = Set(
            (0..<Int.random(in: 0...4, using: &random)).compactMap { _ in
                geometry.boards.randomElement(using: &random).map {
                    BoardLink(board: $0, side: Link(rawValue: UInt8.random(in: 0..<6, using: &random)) ?? .east)
                }
            })
        let topology = machine(width, height, deadLinks: links)
        var state = snapshot(topology, dead: Array(dead)).machines[0]
        var queue: [AllocatorSnapshot.QueuedJob] = []
        var running: [Int: Placement] = [:]
        var created = 0
        var refused = 0
        for step in 0..<600 {
            let now = Int64(step)
            if step < 400, Int.random(in: 0..<2, using: &random) == 0 {
                let size = self.randomSize(topology, using: &random)
                let wanted = request(size, maxDead: Int.random(in: 0...2, using: &random))
                created += 1
                if Feasibility.check(wanted, on: [state]) == .possible {
                    queue.append(.init(id: created, request: wanted, since: now))
                } else {
                    refused += 1
                }
            }
            // From step 400 on something ends at every step: the queue must drain.
            if let ending = running.keys.sorted().randomElement(using: &random),
                step >= 400 || Int.random(in: 0..<3, using: &random) == 0,
                let placement = running.removeValue(forKey: ending)
            {
                state.usable.formUnion(placement.boards)
            }
            for decision in Allocator.decide(.init(machines: [state], queue: queue)) {
                let (job, placement) = (decision.job, decision.placement)
                expectSound(placement, on: state, "seed \(seed) step \(step) job \(job)")
                for (other, held) in running {
                    #expect(held.boards.isDisjoint(with: placement.boards), "seed \(seed) step \(step): jobs \(job), \(other)")
                }
                #expect(running[job] == nil)
                running[job] = placement
                state.usable.subtract(placement.boards)
                queue.removeAll { $0.id == job }
            }
        }
        for _ in 0..<1000 where !queue.isEmpty {
            if let ending = running.keys.min(), let placement = running.removeValue(forKey: ending) {
                state.usable.formUnion(placement.boards)
            }
            for decision in Allocator.decide(.init(machines: [state], queue: queue)) {
                let (job, placement) = (decision.job, decision.placement)
                running[job] = placement
                state.usable.subtract(placement.boards)
                queue.removeAll { $0.id == job }
            }
        }
        #expect(queue.isEmpty, "seed \(seed): never served: \(queue)")
        #expect(created > refused)
    }

    /// Small jobs that never stop coming do not keep a large one waiting for ever.
    @Test func aStreamOfSmallJobsCannotStarveALargeOne() {
        let topology = machine(4, 4)
        var state = snapshot(topology).machines[0]
        var running: [(id: Int, ends: Int, boards: BoardSet)] = []
        var queue: [AllocatorSnapshot.QueuedJob] = []
        var next = 1
        var servedAt: Int?
        for step in 0..<400 {
            for job in running where job.ends == step { state.usable.formUnion(job.boards) }
            running.removeAll { $0.ends == step }
            if step == 50 { queue.append(queued(0, .rectangle(width: 4, height: 4), since: 50)) }
            for _ in 0..<4 {
                queue.append(queued(next, .boards(1), since: Int64(step)))
                next += 1
            }
            for decision in Allocator.decide(.init(machines: [state], queue: queue)) {
                let (job, placement) = (decision.job, decision.placement)
                if job == 0 { servedAt = step }
                running.append((job, step + 20, placement.boards))
                state.usable.subtract(placement.boards)
                queue.removeAll { $0.id == job }
            }
            if servedAt != nil { break }
        }
        // All that is running when it comes to the head ends within 20 steps.
        #expect(servedAt.map { $0 <= 75 } ?? false, "served at \(String(describing: servedAt))")
    }
}
