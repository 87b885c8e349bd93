//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

/// What clients of the legacy port can ask for beyond size and machine.
@Suite struct RulesTests {
    private func place(
        _ size: JobRequest.Size, on snapshot: AllocatorSnapshot, maxDead: Int = 0, _ rules: JobRequest.Rules
    ) -> Placement? {
        var snapshot = snapshot
        var wanted = request(size, maxDead: maxDead)
        wanted.rules = rules
        snapshot.queue = [AllocatorSnapshot.QueuedJob(id: 1, request: wanted, since: 0)]
        return Allocator.decide(snapshot).first?.placement
    }

    /// Five triads: the fewest are a 1 × 5, the squarest with them a 2 × 3.
    @Test func aRatioKeepsThinRectanglesAway() throws {
        let thin = snapshot(machine(1, 8))
        #expect(self.place(.boards(15), on: thin, .init(minimumRatio: 0.3)) == nil)
        #expect(self.place(.boards(15), on: thin, .init(minimumRatio: 0.2)) != nil)
        let wide = snapshot(machine(8, 8))
        let square = try #require(self.place(.boards(24), on: wide, .init(minimumRatio: 1)))
        #expect(square.width == 3 && square.height == 3 && square.boards.count == 24)
        expectSound(square, on: wide.machines[0])
        // It is for counts only.
        #expect(self.place(.rectangle(width: 1, height: 8), on: wide, .init(minimumRatio: 1)) != nil)
        #expect(self.place(.boards(15), on: wide, .init(minimumRatio: .infinity)) == nil)
    }

    @Test func deadLinksCountFromBothEnds() throws {
        let root = BoardCoordinates(0, 0, 0)
        let topology = machine(2, 2, deadLinks: [.init(board: root, side: .north)])
        let idle = snapshot(topology)
        let whole = JobRequest.Size.rectangle(width: 2, height: 2)
        #expect(self.place(whole, on: idle, .init(maximumDeadLinks: 1)) == nil)
        #expect(self.place(whole, on: idle, .init(maximumDeadLinks: 2)) != nil)
        // Another triad has no dead link.
        let triad = try #require(self.place(.rectangle(width: 1, height: 1), on: idle, .init(maximumDeadLinks: 0)))
        #expect(topology.coordinates(of: triad.root) != root)
    }

    /// West of board 0 of the first triad is over the edge.
    @Test func linksOverTheEdgeCountForTorusesOnly() {
        let idle = snapshot(machine(2, 2, deadLinks: [.init(board: BoardCoordinates(0, 0, 0), side: .west)]))
        let whole = JobRequest.Size.rectangle(width: 2, height: 2)
        #expect(self.place(whole, on: idle, .init(maximumDeadLinks: 0)) != nil)
        #expect(self.place(whole, on: idle, .init(maximumDeadLinks: 1, countsWrappingLinks: true)) == nil)
        #expect(self.place(whole, on: idle, .init(maximumDeadLinks: 2, countsWrappingLinks: true)) != nil)
    }

    /// A board that another job has is not a dead one.
    @Test func onlyBrokenBoardsMayBeMissing() throws {
        let board = BoardCoordinates(1, 1, 1)
        let whole = JobRequest.Size.rectangle(width: 2, height: 2)
        let rule = JobRequest.Rules(onlyBrokenMayMiss: true)
        let taken = snapshot(machine(2, 2), taken: [board])
        #expect(self.place(whole, on: taken, maxDead: 11, .init()) != nil)
        #expect(self.place(whole, on: taken, maxDead: 11, rule) == nil)
        let broken = snapshot(machine(2, 2), dead: [board])
        #expect(self.place(whole, on: broken, maxDead: 0, rule) == nil)
        #expect(self.place(whole, on: broken, maxDead: 1, rule)?.boards.count == 11)
        // A triad is three boards where there are three.
        let triad = try #require(self.place(.rectangle(width: 1, height: 1), on: broken, maxDead: 2, rule))
        #expect(triad.boards.count >= 2 && triad.depth == 3)
    }
}
