//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A machine of `width` × `height` triads of SpiNN-5 boards: which chip is on which board, and what is next to what.
///
/// A triad is 12 × 12 chips. Board z has its Ethernet chip at an offset in the triad: 0 at (0, 0), 1 at (8, 4), 2 at (4, 8).
/// Coordinates wrap at the edges of the machine, and any number may be given: whether the hardware is cabled so is for
/// the caller to know.
public struct TriadGeometry: Hashable, Sendable {
    /// More triads per side than any chip coordinate of ours could count are cut to this.
    public static let maximumSide = 1 << 16

    /// In triads.
    public let width: Int
    /// In triads.
    public let height: Int

    /// Both are taken to be at least 1 and at most ``maximumSide`` (a size from outside is checked where it comes in).
    public init(width: Int, height: Int) {
        self.width = min(max(1, width), TriadGeometry.maximumSide)
        self.height = min(max(1, height), TriadGeometry.maximumSide)
    }

    public var widthInChips: Int { self.width * TriadTile.size }
    public var heightInChips: Int { self.height * TriadTile.size }
    public var boardCount: Int { self.width * self.height * 3 }

    /// By x, y, z.
    public var boards: [BoardCoordinates] {
        (0..<self.width).flatMap { x in
            (0..<self.height).flatMap { y in (0..<3).map { z in BoardCoordinates(x, y, z) } }
        }
    }

    public func contains(_ board: BoardCoordinates) -> Bool {
        board.x >= 0 && board.x < self.width && board.y >= 0 && board.y < self.height && board.z >= 0 && board.z < 3
    }

    /// The same board with its triad inside the machine, and z in 0...2.
    public func wrapped(_ board: BoardCoordinates) -> BoardCoordinates {
        BoardCoordinates(x: modulo(board.x, self.width), y: modulo(board.y, self.height), z: modulo(board.z, 3))
    }

    /// The same chip inside the machine.
    public func wrapped(_ chip: ChipPosition) -> ChipPosition {
        ChipPosition(x: modulo(chip.x, self.widthInChips), y: modulo(chip.y, self.heightInChips))
    }

    /// The Ethernet chip of a board, in the whole machine's coordinates.
    public func ethernetChip(of board: BoardCoordinates) -> ChipPosition {
        let board = self.wrapped(board)
        let offset = TriadTile.ethernetOffsets[board.z]
        return ChipPosition(x: board.x * TriadTile.size + offset.x, y: board.y * TriadTile.size + offset.y)
    }

    /// The board that a chip is on, and the chip's place on that board.
    public func board(at chip: ChipPosition) -> (board: BoardCoordinates, local: ChipID) {
        let chip = self.wrapped(chip)
        let cell = TriadTile.cell(x: chip.x, y: chip.y)
        let offset = TriadTile.ethernetOffsets[cell.z]
        // The Ethernet chip may lie over the edge: a whole number of triads away from where it is.
        let board = BoardCoordinates(
            x: modulo((chip.x - Int(cell.local.x) - offset.x) / TriadTile.size, self.width),
            y: modulo((chip.y - Int(cell.local.y) - offset.y) / TriadTile.size, self.height), z: cell.z)
        return (board, cell.local)
    }

    /// The chip at `local` on `board`, in the whole machine's coordinates, wrapped.
    public func chip(_ local: ChipID, on board: BoardCoordinates) -> ChipPosition {
        let ethernet = self.ethernetChip(of: board)
        return self.wrapped(ChipPosition(x: ethernet.x + Int(local.x), y: ethernet.y + Int(local.y)))
    }

    /// The chip at the other end of a link, wrapped.
    public func neighbour(of chip: ChipPosition, over link: Link) -> ChipPosition {
        let chip = self.wrapped(chip)
        let (dx, dy) = link.delta
        return self.wrapped(ChipPosition(x: chip.x + dx, y: chip.y + dy))
    }

    /// (dx, dy) in chips from a board's Ethernet chip to its neighbour's, by the side that faces it.
    static func chipStep(_ side: Link) -> (x: Int, y: Int) {
        switch side {
        case .north: (4, 8)
        case .northEast: (8, 4)
        case .east: (4, -4)
        case .south: (-4, -8)
        case .southWest: (-8, -4)
        case .west: (-4, 4)
        }
    }

    /// The board behind one of a board's six sides, wrapped. Sides are named as links are; ``JavaDirection`` has the
    /// allocation service's names.
    public func neighbour(of board: BoardCoordinates, side: Link) -> BoardCoordinates {
        let ethernet = self.ethernetChip(of: board)
        let step = TriadGeometry.chipStep(side)
        return self.board(at: ChipPosition(x: ethernet.x + step.x, y: ethernet.y + step.y)).board
    }

    /// Which of the machine's edges lie between a board and the one behind one of its sides: the vertical ones, the horizontal ones.
    public func edgesCrossed(from board: BoardCoordinates, over side: Link) -> (x: Bool, y: Bool) {
        let ethernet = self.ethernetChip(of: board)
        let step = TriadGeometry.chipStep(side)
        return (
            !(0..<self.widthInChips).contains(ethernet.x + step.x), !(0..<self.heightInChips).contains(ethernet.y + step.y)
        )
    }

    /// `chip` as seen from a job whose root board is `root`: relative to its Ethernet chip, wrapped to be positive.
    public func relative(_ chip: ChipPosition, to root: BoardCoordinates) -> ChipPosition {
        let origin = self.ethernetChip(of: root)
        let chip = self.wrapped(chip)
        return self.wrapped(ChipPosition(x: chip.x - origin.x, y: chip.y - origin.y))
    }

    /// The inverse of ``relative(_:to:)``.
    public func absolute(_ chip: ChipPosition, from root: BoardCoordinates) -> ChipPosition {
        let origin = self.ethernetChip(of: root)
        let chip = self.wrapped(chip)
        return self.wrapped(ChipPosition(x: chip.x + origin.x, y: chip.y + origin.y))
    }
}
