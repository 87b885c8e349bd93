//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The ways of boards' chips to their own Ethernet chips, all boards of a machine. Chips go by their places in it.
struct BoardWays {
    /// By an Ethernet chip's place: the first links of the chips around it, its board's among them.
    private var ways: [Int: [Int: Link]] = [:]
    /// By a chip's place: the Ethernet chips of *other* boards to which some of their own chips go by it.
    private var detours: [Int: [NativeChip]] = [:]

    init(of machine: NativeMachine) {
        let boards = Dictionary(grouping: machine.chips, by: \.board)
        for ethernet in machine.ethernetChips where ethernet !== machine.root {
            let own = boards[ethernet.board] ?? []
            let ways = BoardWays.search(from: ethernet, for: own.count, in: machine)
            self.ways[ethernet.index] = ways
            var seen: Set<Int> = []
            for chip in own {
                var here = chip.index
                while let link = ways[here], let next = machine.neighbour(of: here, link) {
                    if machine.chips[here].board != ethernet.board, seen.insert(here).inserted {
                        self.detours[here, default: []].append(ethernet)
                    }
                    here = next
                }
            }
        }
    }

    /// The first links of the ways to an Ethernet chip; the root's, to which all chips come, are not here.
    func towards(_ ethernet: NativeChip) -> [Int: Link] { self.ways[ethernet.index] ?? [:] }

    /// The Ethernet chips to which chips of their boards go through this one. The root is not among them.
    func ethernetChips(servedBy chip: NativeChip) -> [NativeChip] {
        let own = chip.machine.chip(at: chip.nearestEthernet)
        return (self.detours[chip.index] ?? []) + (own.map { [$0] } ?? []).filter { self.ways[$0.index] != nil }
    }

    /// Goes outwards until so many chips of the board have been looked at.
    private static func search(from target: NativeChip, for count: Int, in machine: NativeMachine) -> [Int: Link] {
        var hops: [Int: Int] = [target.index: 0]
        var queue = [target.index]
        var next = 0
        var left = count
        while next < queue.count, left > 0 {
            let here = queue[next]
            next += 1
            if machine.chips[here].board == target.board { left -= 1 }
            for link in Link.allCases {
                guard let there = machine.neighbour(of: here, link), hops[there] == nil else { continue }
                hops[there] = (hops[here] ?? 0) + 1
                queue.append(there)
            }
        }
        var ways: [Int: Link] = [:]
        for here in queue.prefix(next).dropFirst() {
            let distance = hops[here] ?? 0
            ways[here] = Discovery.preference.first { link in
                machine.neighbour(of: here, link).flatMap { hops[$0] } == distance - 1
            }
        }
        return ways
    }
}
