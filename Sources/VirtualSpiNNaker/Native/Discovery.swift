//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What the chips find out about each other after a boot: who is there, at which coordinates, over which links.
///
/// Chips that already run SC&MP do not take part: they accept no boot packets. Coordinates are counted in links from the
/// booted chip; where two ways to a chip disagree the machine is a torus, and the difference is its period.
struct Discovery {
    struct Found {
        /// The chip's number in the whole machine.
        let chip: Int
        let cores: CoreMap
        var x: Int
        var y: Int
        var links: UInt8 = 0
        var hops = -1
        var parent: Link?
    }

    /// In which order SC&MP's routes prefer links when several lie on a shortest way: diagonals first, and towards the
    /// origin first (observed on the executed firmware).
    static let preference: [Link] = [.southWest, .northEast, .west, .south, .east, .north]

    /// By distance from the root, which is the first.
    private(set) var chips: [Found] = []
    /// By the index in `chips` · 6 + link, the index of the chip behind it; -1: none.
    private(set) var neighbours: [Int32] = []
    private(set) var width = 0
    private(set) var height = 0
    /// What the coordinates of the booted chip have become.
    private(set) var root = ChipID.origin

    private let fabric: MachineFabric
    /// By chip number: the index in `chips`, or -1.
    private var indices: [Int32]
    private var period = TorusPeriod()

    /// - Parameter isRunning: whether a chip has left its boot ROM already.
    /// - Returns: nil when the booted chip can not run, or when what it finds is more than 256 chips wide or high.
    init?(fabric: MachineFabric, rootBoard: Int, isRunning: (Int) -> Bool) {
        self.fabric = fabric
        self.indices = Array(repeating: -1, count: fabric.topology.chipCount)
        guard self.flood(from: fabric.topology.ethernetChip(ofBoard: rootBoard), isRunning: isRunning) else { return nil }
        guard self.assignAddresses() else { return nil }
        self.testLinks()
        self.measureHops()
    }

    private func cores(ofChip chip: Int) -> CoreMap? {
        guard self.fabric.isPowered(chip: chip) else { return nil }
        return CoreMap(
            working: self.fabric.enabledCores(ofChip: chip), elected: self.fabric.description.monitorCore)
    }

    private mutating func flood(from root: Int, isRunning: (Int) -> Bool) -> Bool {
        guard let cores = self.cores(ofChip: root) else { return false }
        self.chips.append(Found(chip: root, cores: cores, x: 0, y: 0))
        self.indices[root] = 0
        var next = 0
        while next < self.chips.count {
            let here = self.chips[next]
            for link in Link.allCases {
                guard let there = self.fabric.enabledNeighbour(ofChip: here.chip, link) else { continue }
                let x = here.x + link.delta.dx
                let y = here.y + link.delta.dy
                let index = self.indices[there]
                if index >= 0 {
                    let known = self.chips[Int(index)]
                    self.period.add(x - known.x, y - known.y)
                } else if !isRunning(there), let cores = self.cores(ofChip: there) {
                    self.indices[there] = Int32(truncatingIfNeeded: self.chips.count)
                    self.chips.append(Found(chip: there, cores: cores, x: x, y: y))
                }
            }
            next += 1
        }
        return true
    }

    /// Along an axis that wraps, coordinates are taken modulo its period; along one that does not, the lowest becomes 0.
    private mutating func assignAddresses() -> Bool {
        var low = (x: 0, y: 0)
        var high = (x: 0, y: 0)
        for index in self.chips.indices {
            let (x, y) = self.period.reduce(self.chips[index].x, self.chips[index].y)
            self.chips[index].x = x
            self.chips[index].y = y
            low = (min(low.x, x), min(low.y, y))
            high = (max(high.x, x), max(high.y, y))
        }
        self.width = max(self.period.width, high.x - low.x + 1)
        self.height = max(self.period.height, high.y - low.y + 1)
        guard self.width <= 256, self.height <= 256, let x = UInt8(exactly: -low.x), let y = UInt8(exactly: -low.y) else {
            return false
        }
        self.root = ChipID(x: x, y: y)
        for index in self.chips.indices {
            self.chips[index].x -= low.x
            self.chips[index].y -= low.y
        }
        return true
    }

    private mutating func testLinks() {
        for index in self.chips.indices {
            for link in Link.allCases {
                guard let there = self.fabric.enabledNeighbour(ofChip: self.chips[index].chip, link), self.indices[there] >= 0,
                    !self.isQuirk(self.chips[index].chip, link), !self.isQuirk(there, link.opposite)
                else { continue }
                self.chips[index].links |= 1 << link.rawValue
            }
        }
    }

    /// SC&MP 4.0.0 clears these links, and the test then drops their far ends.
    private func isQuirk(_ chip: Int, _ link: Link) -> Bool {
        guard self.fabric.description.hasFirmwareLinkQuirks else { return false }
        switch (self.fabric.topology.local(ofChip: chip), link) {
        case (ChipID(4, 7), .north), (ChipID(7, 7), .north), (ChipID(1, 0), .southWest): return true
        default: return false
        }
    }

    /// Distances over the links that passed. A chip that is not reached has learned no address, and takes itself out.
    private mutating func measureHops() {
        /// The index of the chip behind a link, or -1.
        func index(behind link: Link, of chip: Found) -> Int {
            guard chip.links >> link.rawValue & 1 == 1, let there = self.fabric.topology.wire(ofChip: chip.chip, link)?.chip
            else { return -1 }
            return Int(self.indices[there])
        }
        let before = self.chips
        var hops = [Int](repeating: -1, count: before.count)
        hops[0] = 0
        var queue = [0]
        queue.reserveCapacity(before.count)
        var next = 0
        while next < queue.count {
            let here = queue[next]
            next += 1
            for link in Link.allCases {
                let there = index(behind: link, of: before[here])
                guard there >= 0, hops[there] < 0 else { continue }
                hops[there] = hops[here] + 1
                queue.append(there)
            }
        }
        var places = [Int32](repeating: -1, count: before.count)
        for (place, index) in queue.enumerated() { places[index] = Int32(truncatingIfNeeded: place) }
        self.chips = queue.map { before[$0] }
        self.neighbours = Array(repeating: -1, count: queue.count * 6)
        for place in queue.indices {
            let distance = hops[queue[place]]
            self.chips[place].hops = distance
            for link in Discovery.preference {
                let there = index(behind: link, of: self.chips[place])
                guard there >= 0 else { continue }
                self.neighbours[place * 6 + Int(link.rawValue)] = places[there]
                if self.chips[place].parent == nil, hops[there] == distance - 1 { self.chips[place].parent = link }
            }
        }
    }

    /// To the chip that is farthest from the root.
    var maximumHops: Int { self.chips.last?.hops ?? 0 }
}
