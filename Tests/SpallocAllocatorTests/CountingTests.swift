//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@testable import SpallocAllocator

/// The quick ways of counting and choosing, beside the plain ones.
@Suite struct CountingTests {
    private func scattered(_ topology: MachineTopology, _ percent: Int, _ random: inout SeededGenerator) -> BoardSet {
        BoardSet(
            (0..<topology.capacity).filter { _ in Int.random(in: 0..<100, using: &random) < percent },
            capacity: topology.capacity)
    }

    /// Triads lie across the edges of the words.
    @Test(arguments: [(1, 1), (3, 7), (8, 8), (24, 24)])
    func triadsAreCounted(width: Int, height: Int) {
        let topology = machine(width, height)
        var random = SeededGenerator(seed: 61474)
        for percent in [0, 30, 70, 100] {
            let set = self.scattered(topology, percent, &random)
            let counts = set.triadCounts
            #expect(counts.count == width * height)
            for triad in 0..<width * height {
                #expect(Int(counts[triad]) == (0..<3).filter { set.contains(triad * 3 + $0) }.count)
            }
        }
    }

    @Test(arguments: [(1, 1), (2, 5), (7, 4)])
    func rectanglesAreCounted(width: Int, height: Int) {
        let topology = machine(width, height)
        var random = SeededGenerator(seed: 7)
        let set = self.scattered(topology, 60, &random)
        let counts = TriadCounts(set, width: width, height: height)
        for x in 0..<width {
            for y in 0..<height {
                for w in 1...width {
                    for h in 1...height {
                        var plain = 0
                        for dx in 0..<w {
                            for dy in 0..<h {
                                let triad = (x + dx) % width * height + (y + dy) % height
                                plain += (0..<3).filter { set.contains(triad * 3 + $0) }.count
                            }
                        }
                        #expect(counts.count(x: x, y: y, w: w, h: h) == plain, "\(w) x \(h) at \(x), \(y)")
                    }
                }
            }
        }
    }

    /// Where a single board goes: all are looked at, and the first of the cheapest is taken.
    private func plainChoice(_ topology: MachineTopology, _ usable: BoardSet) -> Int? {
        var best: (cost: Int, index: Int)?
        for index in usable.members {
            let triad = index / 3 * 3
            let inTriad = (triad..<triad + 3).filter(usable.contains).count
            let free = (0..<6).filter { usable.contains(Int(topology.neighbours[index * 6 + $0])) }.count
            if best.map({ inTriad * 8 + free < $0.cost }) ?? true { best = (inTriad * 8 + free, index) }
        }
        return best?.index
    }

    @Test(arguments: [1, 20, 50, 80, 99, 100])
    func aSingleBoardBreaksUpLeast(percent: Int) {
        let topologies = [machine(1, 1), machine(4, 3), machine(9, 9, without: [BoardCoordinates(2, 2, 1)])]
        for (number, topology) in topologies.enumerated() {
            var random = SeededGenerator(seed: UInt64(percent * 10 + number))
            for _ in 0..<20 {
                var usable = self.scattered(topology, percent, &random)
                for index in 0..<topology.capacity where !topology.existing.contains(index) { usable.remove(index) }
                var search = PlacementSearch(topology: topology, functioning: topology.existing, usable: usable)
                let found = search.place(request(.boards(1)))
                #expect(found?.root == self.plainChoice(topology, usable))
            }
        }
    }

    /// What a search has counted for one request does not outlive a change.
    @Test func whatIsTakenIsNotFoundAgain() throws {
        let topology = machine(4, 4)
        var search = PlacementSearch(topology: topology, functioning: topology.existing, usable: topology.existing)
        var taken = BoardSet(capacity: topology.capacity)
        for size in [JobRequest.Size.boards(3), .boards(1), .rectangle(width: 2, height: 2), .boards(1), .boards(6)] {
            let found = search.place(request(size))
            let placement = try #require(found)
            #expect(placement.boards.isDisjoint(with: taken))
            taken.formUnion(placement.boards)
            search.remove(placement.boards)
        }
        #expect(search.usable == topology.existing.subtracting(taken))
        search.remove(topology.existing)
        let (one, two) = (search.place(request(.boards(1))), search.place(request(.boards(2))))
        #expect(one == nil && two == nil)
    }
}
