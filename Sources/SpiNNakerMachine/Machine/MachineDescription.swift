//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A booted machine with its faults: what is really there to be used.
public struct MachineDescription: Hashable, Sendable {
    public let shape: MachineShape
    public var faults: MachineFaults

    public init(shape: MachineShape, faults: MachineFaults = .none) {
        self.shape = shape
        self.faults = faults
    }

    /// Whether the chip is there, and neither it nor its board is dead.
    public func contains(_ chip: ChipID) -> Bool {
        guard let ethernet = self.shape.ethernetChip(nearest: chip) else { return false }
        return !self.faults.boards.contains(ethernet) && !self.faults.chips.contains(chip)
    }

    /// By x, then y.
    public var chips: [ChipID] { self.shape.chips.filter { self.contains($0) } }

    /// Boards whose Ethernet chip works, by it.
    public var ethernetChips: [ChipID] { self.shape.ethernetChips.filter { self.contains($0) } }

    /// The virtual cores of a chip that work, monitor included, in order. A chip of the reference board has 18 or 17
    /// (``BoardShape/coreCount(of:)``).
    public func cores(of chip: ChipID) -> [UInt8] {
        guard self.contains(chip) else { return [] }
        let count = self.shape.board.coreCount(of: self.shape.localCoordinates(of: chip))
        let dead = self.faults.cores.mask(of: chip)
        return (0..<UInt8(truncatingIfNeeded: count)).filter { dead & (1 << UInt32($0)) == 0 }
    }

    /// The chip that `chip` can reach over a link; nil when the link or either end is dead or missing.
    public func neighbour(of chip: ChipID, over link: Link) -> ChipID? {
        guard self.contains(chip), !self.faults.links.contains(ChipLink(chip: chip, link: link)),
            let neighbour = self.shape.neighbour(of: chip, over: link), self.contains(neighbour)
        else { return nil }
        return neighbour
    }

    /// Whether packets pass the link both ways. SC&MP takes a link that works one way only out of use at both ends.
    public func isWorkingBothWays(_ end: ChipLink) -> Bool {
        guard let far = self.neighbour(of: end.chip, over: end.link) else { return false }
        return self.neighbour(of: far, over: end.link.opposite) == end.chip
    }

    /// The working links of a chip, bit n for link n, as CMD_INFO reports them.
    public func linkMask(of chip: ChipID) -> UInt8 {
        Link.allCases.reduce(0) { mask, link in
            self.isWorkingBothWays(ChipLink(chip: chip, link: link)) ? mask | 1 << link.rawValue : mask
        }
    }

    /// Chips to which no path of working links leads from `root`, in order.
    public func unreachableChips(from root: ChipID = .origin) -> [ChipID] {
        var reached: Set<ChipID> = []
        var frontier: [ChipID] = self.contains(root) ? [root] : []
        reached.formUnion(frontier)
        while let chip = frontier.popLast() {
            for link in Link.allCases {
                guard let next = self.neighbour(of: chip, over: link), reached.insert(next).inserted else { continue }
                frontier.append(next)
            }
        }
        return self.chips.filter { !reached.contains($0) }
    }
}
