//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The chips that came up together from one boot, and what they know of each other: a job's machine.
package final class NativeMachine {
    package let parameters: BootParameters
    /// What discovery found, in chips.
    package let width: Int
    package let height: Int
    /// The address of the chip that was booted: (0, 0) unless discovery found coordinates below it.
    package let rootAddress: ChipID
    package let schedule: BootSchedule
    /// By distance from the root, which is the first.
    package private(set) var chips: [NativeChip] = []
    package private(set) var ethernetChips: [NativeChip] = []
    package var livingChips = 0
    /// By a chip's place · 6 + link, the place of the chip behind it; -1: none. As the boot found it, whatever breaks later.
    let neighbours: [Int32]
    /// Found when the first of its chips' tables is looked at.
    private(set) lazy var ways = BoardWays(of: self)
    /// By x · height + y; -1: no chip there.
    private var grid: [Int32]

    /// ``MachineFabric/linkChanges`` when all its links were last looked at.
    private var linkChanges: Int
    /// Whether they worked: then every learned route does.
    private var isIntact = true

    init(
        parameters: BootParameters, width: Int, height: Int, rootAddress: ChipID, schedule: BootSchedule,
        neighbours: [Int32], linkChanges: Int
    ) {
        self.parameters = parameters
        self.width = width
        self.height = height
        self.rootAddress = rootAddress
        self.schedule = schedule
        self.neighbours = neighbours
        self.linkChanges = linkChanges
        self.grid = Array(repeating: -1, count: width * height)
    }

    func populate(_ chips: [NativeChip]) {
        self.chips = chips
        self.livingChips = chips.count
        self.ethernetChips = chips.filter(\.isEthernet)
        for (index, chip) in chips.enumerated() {
            chip.index = index
            self.grid[Int(chip.address.x) * self.height + Int(chip.address.y)] = Int32(truncatingIfNeeded: index)
        }
    }

    package var root: NativeChip { self.chips[0] }

    /// The chip at an address, dead or alive; nil where there never was one.
    package func chip(at address: ChipID) -> NativeChip? {
        guard let index = self.index(at: address) else { return nil }
        return self.chips[index]
    }

    /// The place of a chip in ``chips``.
    func index(at address: ChipID) -> Int? {
        guard Int(address.x) < self.width, Int(address.y) < self.height else { return nil }
        let index = self.grid[Int(address.x) * self.height + Int(address.y)]
        return index < 0 ? nil : Int(index)
    }

    /// The place of the chip behind a link that SC&MP uses, dead or alive.
    @inline(__always)
    func neighbour(of place: Int, _ link: Link) -> Int? {
        let there = self.neighbours[place * 6 + Int(link.rawValue)]
        return there < 0 ? nil : Int(there)
    }

    /// Whether everything that came up is still there and connected. Looked at again only after something has changed somewhere.
    func isIntact(in fabric: MachineFabric) -> Bool {
        guard fabric.linkChanges != self.linkChanges else { return self.isIntact }
        self.linkChanges = fabric.linkChanges
        self.isIntact =
            self.livingChips == self.chips.count
            && self.chips.allSatisfy { chip in
                Link.allCases.allSatisfy { link in
                    chip.links >> link.rawValue & 1 == 0 || fabric.neighbour(ofChip: chip.number, link) != nil
                }
            }
        return self.isIntact
    }

    package func isReady(at now: NIODeadline) -> Bool { now >= self.schedule.ready }

    /// Seconds of Unix time as the machine counts it.
    package func unixTime(at now: NIODeadline) -> UInt32 {
        self.parameters.unixTime &+ UInt32(clamping: max(0, (now - self.schedule.start).nanoseconds) / 1_000_000_000)
    }
}
