//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What does not work in a booted machine.
///
/// Links are listed by end, so a link may be dead one way only: `links` holding (0, 0) E says that (0, 0) can not reach
/// its eastern neighbour, and nothing about the way back.
public struct MachineFaults: Hashable, Sendable {
    /// Dead boards, by their Ethernet chips: every chip of such a board is dead.
    public var boards: Set<ChipID>
    public var chips: Set<ChipID>
    public var cores: CoreSubsets
    public var links: Set<ChipLink>

    public init(
        boards: Set<ChipID> = [], chips: Set<ChipID> = [], cores: CoreSubsets = [], links: Set<ChipLink> = []
    ) {
        self.boards = boards
        self.chips = chips
        self.cores = cores
        self.links = links
    }

    public static let none = MachineFaults()

    public var isEmpty: Bool {
        self.boards.isEmpty && self.chips.isEmpty && self.cores.isEmpty && self.links.isEmpty
    }

    /// Kills a link both ways, as a fault of the wire does.
    public mutating func removeLink(_ end: ChipLink, of shape: MachineShape) {
        self.links.insert(end)
        if let far = shape.neighbour(of: end.chip, over: end.link) {
            self.links.insert(ChipLink(chip: far, link: end.link.opposite))
        }
    }

    /// Kills the eight links of one side of a board both ways, as the FPGA's STOP register does.
    public mutating func removeSide(_ side: Link, ofBoard ethernet: ChipID, of shape: MachineShape) {
        for link in FPGALinkBank(side: side).links {
            guard let chip = shape.chip(link.chip, onBoardOf: ethernet) else { continue }
            self.removeLink(ChipLink(chip: chip, link: link.link), of: shape)
        }
    }

    public func union(_ other: MachineFaults) -> MachineFaults {
        MachineFaults(
            boards: self.boards.union(other.boards), chips: self.chips.union(other.chips),
            cores: self.cores.union(other.cores), links: self.links.union(other.links))
    }
}
