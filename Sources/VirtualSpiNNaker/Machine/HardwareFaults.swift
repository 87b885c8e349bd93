//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// A chip by the board it is soldered on: what a fault belongs to, whatever coordinates a boot gives the chip.
public struct BoardChip: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var board: BoardCoordinates
    /// Relative to the board's Ethernet chip.
    public var local: ChipID

    public init(board: BoardCoordinates = BoardCoordinates(0, 0, 0), local: ChipID) {
        self.board = board
        self.local = local
    }

    public static func < (a: BoardChip, b: BoardChip) -> Bool { (a.board, a.local) < (b.board, b.local) }
    public var description: String { "chip \(self.local) of board \(self.board)" }
}

/// One end of a link between chips. A fault of one end takes the other down with it.
public struct BoardChipLink: Hashable, Sendable, CustomStringConvertible {
    public var chip: BoardChip
    public var link: Link

    public init(chip: BoardChip, link: Link) {
        self.chip = chip
        self.link = link
    }

    public var description: String { "link \(self.link) of \(self.chip)" }
}

/// What of a machine is broken when it is built.
public struct HardwareFaults: Hashable, Sendable {
    /// Not in their slots: the BMPs of their frames do not find them, their links are down.
    public var deadBoards: Set<BoardCoordinates>
    public var deadChips: Set<BoardChip>
    /// *Physical* core numbers, 0...17.
    public var deadCores: [BoardChip: Set<UInt8>]
    public var deadLinks: Set<BoardChipLink>

    public init(
        deadBoards: Set<BoardCoordinates> = [], deadChips: Set<BoardChip> = [], deadCores: [BoardChip: Set<UInt8>] = [:],
        deadLinks: Set<BoardChipLink> = []
    ) {
        self.deadBoards = deadBoards
        self.deadChips = deadChips
        self.deadCores = deadCores
        self.deadLinks = deadLinks
    }

    public static let none = HardwareFaults()
}
