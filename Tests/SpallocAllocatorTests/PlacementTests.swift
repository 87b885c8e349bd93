//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

@Suite struct PlacementTests {
    @Test func oneBoardIsOneByOneByOne() throws {
        let placement = try #require(place(.boards(1), on: snapshot(machine(2, 2))))
        #expect(placement.boards.count == 1 && placement.depth == 1 && placement.width == 1 && placement.height == 1)
    }

    /// Exactly as many boards as were asked for, in the smallest rectangle of a sensible shape (the reference takes 18 for 13).
    @Test(arguments: [(2, 1), (3, 1), (4, 2), (7, 3), (12, 4), (13, 6), (24, 8), (28, 10)])
    func countsTakeWhatTheyNeed(_ count: Int, _ triads: Int) throws {
        let idle = snapshot(machine(10, 10))
        let placement = try #require(place(.boards(count), on: idle))
        #expect(placement.boards.count == count)
        #expect(placement.width * placement.height == triads)
        expectSound(placement, on: idle.machines[0])
    }

    /// §10.1: over this API the reference accepts these and stalls for everybody.
    @Test(arguments: [7, 8, 12])
    func longThinMachinesServeCounts(_ count: Int) throws {
        let idle = snapshot(machine(4, 1))
        let placement = try #require(place(.boards(count), on: idle))
        #expect(placement.boards.count == count)
        expectSound(placement, on: idle.machines[0])
    }

    @Test func rectanglesAreTriedInBothOrientations() throws {
        let placement = try #require(place(.rectangle(width: 1, height: 3), on: snapshot(machine(3, 1))))
        #expect(placement.width == 3 && placement.height == 1 && placement.boards.count == 9)
        let asAsked = try #require(place(.rectangle(width: 1, height: 3), on: snapshot(machine(3, 3))))
        #expect(asAsked.width == 1 && asAsked.height == 3)
    }

    @Test func rectanglesWrap() throws {
        let topology = machine(3, 1)
        // Only triads 2 and 0 are free: next to each other across the edge.
        let taken = (0..<3).map { BoardCoordinates(1, 0, $0) }
        let placement = try #require(place(.rectangle(width: 2, height: 1), on: snapshot(topology, taken: taken)))
        #expect(topology.coordinates(of: placement.root) == BoardCoordinates(2, 0, 0))
        #expect(placement.boards.count == 6)
    }

    @Test func missingBoardsNeedTolerance() throws {
        let topology = machine(1, 1)
        let dead = [BoardCoordinates(0, 0, 1)]
        #expect(place(.rectangle(width: 1, height: 1), on: snapshot(topology, dead: dead)) == nil)
        let placement = try #require(place(.rectangle(width: 1, height: 1), on: snapshot(topology, dead: dead), maxDead: 1))
        #expect(placement.boards.count == 2 && placement.depth == 3)
        // A dead root cannot be tolerated: nothing could be booted at (0, 0).
        let rootless = snapshot(topology, dead: [BoardCoordinates(0, 0, 0)])
        #expect(place(.rectangle(width: 1, height: 1), on: rootless, maxDead: 1) == nil)
    }

    /// The reference's `allocateByDimensions1x1x1`: two of three may be missing, so one board will do.
    @Test func triadThatMayMissTwoIsOneBoard() throws {
        let placement = try #require(place(.rectangle(width: 1, height: 1), on: snapshot(machine(1, 1)), maxDead: 2))
        #expect(placement.boards.count == 1 && placement.depth == 1)
    }

    @Test func countsMayFallShortOnlyOfDeadBoards() throws {
        let topology = machine(1, 1)
        let dead = snapshot(topology, dead: [BoardCoordinates(0, 0, 2)])
        let placement = try #require(place(.boards(3), on: dead, maxDead: 1))
        #expect(placement.boards.count == 2)
        // The third board is only busy: the job waits for it.
        let busy = snapshot(topology, taken: [BoardCoordinates(0, 0, 2)])
        #expect(place(.boards(3), on: busy, maxDead: 1) == nil)
    }

    @Test func boardsByEveryName() throws {
        let topology = machine(2, 2)
        let wanted = BoardCoordinates(1, 0, 2)
        let index = try #require(topology.index(of: wanted))
        let board = try #require(topology.boards[index])
        for name in [JobRequest.BoardName.triad(wanted), .physical(board.physical), .address(board.address)] {
            let placement = try #require(place(.board(name), on: snapshot(topology)))
            #expect(placement.boards.members == [index] && placement.depth == 1)
            #expect(place(.board(name), on: snapshot(topology, taken: [wanted])) == nil)
        }
    }

    @Test func rectangleAtABoard() throws {
        let topology = machine(4, 4)
        let root = JobRequest.BoardName.triad(BoardCoordinates(3, 2, 0))
        let placement = try #require(place(.rectangleAt(width: 2, height: 1, root: root), on: snapshot(topology)))
        #expect(topology.coordinates(of: placement.root) == BoardCoordinates(3, 2, 0))
        #expect(placement.boards.members.map { topology.coordinates(of: $0).x }.sorted() == [0, 0, 0, 3, 3, 3])
        let inside = JobRequest.BoardName.triad(BoardCoordinates(3, 2, 1))
        #expect(place(.rectangleAt(width: 2, height: 1, root: inside), on: snapshot(topology)) == nil)
    }

    /// Boards that are there but cut off by dead links are no use.
    @Test func onlyLiveLinksConnect() {
        let cut = Set(
            Link.allCases.map { BoardLink(board: BoardCoordinates(0, 0, 1), side: $0) })
        let topology = machine(1, 1, deadLinks: cut)
        #expect(place(.boards(3), on: snapshot(topology)) == nil)
        #expect(place(.boards(2), on: snapshot(topology))?.boards.contains(1) == false)
        #expect(Feasibility.check(request(.boards(3)), on: snapshot(topology).machines) != .possible)
    }

    /// A board out of a broken triad goes before one of a whole triad.
    @Test func singleBoardsFillTheGaps() throws {
        let topology = machine(3, 3)
        let placement = try #require(place(.boards(1), on: snapshot(topology, taken: [BoardCoordinates(1, 1, 0)])))
        let board = topology.coordinates(of: placement.root)
        #expect(board.x == 1 && board.y == 1)
    }

    /// Next to what is taken, not in the middle of what is free.
    @Test func rectanglesPackTogether() throws {
        let topology = machine(8, 8)
        let column = topology.geometry.boards.filter { $0.x < 4 }
        let placement = try #require(place(.rectangle(width: 2, height: 8), on: snapshot(topology, taken: column)))
        let x = topology.coordinates(of: placement.root).x
        #expect(x == 4 || x == 6)
    }
}

@Suite struct FeasibilityTests {
    @Test(arguments: [
        (JobRequest.Size.boards(4), "4 boards were asked for, but machine \"m\" has only 3"),
        (.rectangle(width: 1, height: 2), "1 x 2 triads were asked for, but machine \"m\" is 1 x 1"),
        (.board(.triad(BoardCoordinates(1, 0, 0))), "machine \"m\" has no board [x:1,y:0,z:0]"),
        (.board(.address("10.9.9.9")), "machine \"m\" has no board 10.9.9.9"),
        (
            .rectangleAt(width: 1, height: 1, root: .triad(BoardCoordinates(0, 0, 1))),
            "a rectangle begins at a board with z = 0, but board [x:0,y:0,z:1] is [x:0,y:0,z:1]"
        ),
    ])
    func reasons(_ size: JobRequest.Size, _ reason: String) {
        #expect(Feasibility.check(request(size), on: snapshot(machine(1, 1)).machines) == .impossible(reason))
    }

    @Test func deadBoardsCountAsMissing() {
        let dead = snapshot(machine(1, 1), dead: [BoardCoordinates(0, 0, 1)])
        #expect(
            Feasibility.check(request(.boards(3)), on: dead.machines)
                == .impossible("3 boards were asked for, but only 2 of machine \"m\" are working"))
        #expect(
            Feasibility.check(request(.board(.triad(BoardCoordinates(0, 0, 1)))), on: dead.machines)
                == .impossible("board [x:0,y:0,z:1] of machine \"m\" is out of service"))
    }

    @Test func busyBoardsDoNot() {
        let busy = snapshot(machine(1, 1), taken: TriadGeometry(width: 1, height: 1).boards)
        #expect(Feasibility.check(request(.boards(3)), on: busy.machines) == .possible)
    }

    @Test func machinesAreChosenByNameOrTags() {
        let machines = snapshot(machine(1, 1, tags: ["default", "lab"])).machines
        #expect(Feasibility.check(request(.boards(1), machine: "m"), on: machines) == .possible)
        #expect(
            Feasibility.check(request(.boards(1), machine: "other"), on: machines)
                == .impossible("there is no machine \"other\" in service"))
        let tagged = JobRequest(size: .boards(1), machine: .tagged(["lab", "new"]))
        #expect(
            Feasibility.check(tagged, on: machines)
                == .impossible("there is no machine in service with the tags \"lab\", \"new\""))
    }
}
