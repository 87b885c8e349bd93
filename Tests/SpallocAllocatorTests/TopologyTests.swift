//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

@Suite struct TopologyTests {
    /// allocation-service.md §4.3: 9 links in a 1 × 1 machine, 36 in 2 × 2, none for a single board.
    @Test(arguments: [(1, 1, 9), (2, 2, 36), (3, 2, 54)])
    func linkCounts(_ width: Int, _ height: Int, _ links: Int) {
        #expect(machine(width, height).neighbours.count(where: { $0 >= 0 }) == links * 2)
    }

    @Test func aSingleBoardHasNoLinks() {
        let topology = machine(1, 1, without: [BoardCoordinates(0, 0, 1), BoardCoordinates(0, 0, 2)])
        #expect(topology.neighbours.allSatisfy { $0 < 0 })
        #expect(topology.depth == 1)
        #expect(topology.borderSides(of: topology.existing).isEmpty)
    }

    /// The adjacency table of allocation-service.md §4.2, in the middle of a machine.
    @Test func adjacency() throws {
        let topology = machine(5, 5)
        let table: [(Int, [(Link, Int, Int, Int)])] = [
            (
                0,
                [
                    (.north, 0, 0, 2), (.northEast, 0, 0, 1), (.east, 0, -1, 2), (.south, -1, -1, 1), (.southWest, -1, -1, 2),
                    (.west, -1, 0, 1),
                ]
            ),
            (
                1,
                [
                    (.north, 1, 1, -1), (.northEast, 1, 0, 1), (.east, 1, 0, -1), (.south, 0, -1, 1), (.southWest, 0, 0, -1),
                    (.west, 0, 0, 1),
                ]
            ),
            (
                2,
                [
                    (.north, 0, 1, -1), (.northEast, 1, 1, -2), (.east, 0, 0, -1), (.south, 0, 0, -2), (.southWest, -1, 0, -1),
                    (.west, 0, 1, -2),
                ]
            ),
        ]
        for (z, row) in table {
            let index = try #require(topology.index(of: BoardCoordinates(2, 2, z)))
            for (side, dx, dy, dz) in row {
                let other = try #require(topology.neighbour(of: index, side: side))
                #expect(topology.coordinates(of: other) == BoardCoordinates(2 + dx, 2 + dy, z + dz), "z \(z) \(side)")
                #expect(topology.neighbour(of: other, side: side.opposite) == index)
            }
        }
    }

    @Test func aDeadLinkIsDeadFromBothEnds() throws {
        let end = BoardLink(board: BoardCoordinates(0, 0, 0), side: .north)
        let topology = machine(2, 2, deadLinks: [end])
        let here = try #require(topology.index(of: BoardCoordinates(0, 0, 0)))
        let there = try #require(topology.index(of: BoardCoordinates(0, 0, 2)))
        #expect(topology.neighbour(of: here, side: .north) == nil)
        #expect(topology.neighbour(of: there, side: .south) == nil)
        #expect(topology.neighbours.count(where: { $0 >= 0 }) == 70)
    }

    @Test func bordersOfATriadAreWhatLeavesItAndWhatIsDead() throws {
        let dead = BoardLink(board: BoardCoordinates(0, 0, 0), side: .northEast)
        let topology = machine(3, 3, deadLinks: [dead])
        let triad = topology.rectangle(root: 0, width: 1, height: 1, of: topology.existing)
        // Three links lie inside a triad: 18 sides, 6 of them inside; the dead link adds its two.
        #expect(topology.borderSides(of: triad).count == 14)
        #expect(topology.borderSides(of: topology.existing).count == 2)
    }

    @Test func namesOfBoards() throws {
        let topology = machine(2, 1)
        let index = try #require(topology.index(of: BoardCoordinates(1, 0, 2)))
        let board = try #require(topology.boards[index])
        #expect(topology.index(of: board.physical) == index)
        #expect(topology.index(ofAddress: board.address) == index)
        #expect(topology.index(of: BoardCoordinates(2, 0, 0)) == nil)
        #expect(topology.index(of: BoardCoordinates(0, 0, 3)) == nil)
        #expect(topology.index(of: BoardCoordinates(-1, 0, 0)) == nil)
    }

    @Test func boardSets() {
        var set = BoardSet([0, 63, 64, 129], capacity: 130)
        set.insert(130)
        set.insert(-1)
        #expect(set.members == [0, 63, 64, 129])
        #expect(set.count == 4 && !set.contains(130) && !set.contains(-1))
        set.remove(63)
        set.remove(500)
        #expect(set.members == [0, 64, 129])
        #expect(set.subtracting(BoardSet([0, 1], capacity: 130)).members == [64, 129])
        #expect(set.isDisjoint(with: BoardSet([1], capacity: 130)))
        #expect(!set.isDisjoint(with: BoardSet([129], capacity: 130)))
    }
}
