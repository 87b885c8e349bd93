//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A machine of `width` × `height` triads of SpiNN-5 boards: which chip is on which board, and what is next to what.
///
/// A triad is 12 × 12 chips. Board z has its Ethernet chip at an offset in the triad: 0 at (0, 0), 1 at (8, 4), 2 at (4, 8).
/// Coordinates wrap at the edges of the machine: whether the hardware is cabled so is for the caller to know.
public struct TriadGeometry: Hashable, Sendable {
    /// In triads.
    public let width: Int
    /// In triads.
    public let height: Int

    /// - Precondition: both at least 1 (a size from outside is checked where it comes in).
    public init(width: Int, height: Int) {
        self.width = max(1, width)
        self.height = max(1, height)
    }

    public var widthInChips: Int { self.width * 12 }
    public var heightInChips: Int { self.height * 12 }
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

    /// Where board z's Ethernet chip lies in its triad.
    static let ethernetOffsets: [(x: Int, y: Int)] = [(0, 0), (8, 4), (4, 8)]

    /// The Ethernet chip of a board, in the whole machine's coordinates.
    public func ethernetChip(of board: BoardCoordinates) -> ChipPosition {
        let offset = TriadGeometry.ethernetOffsets[TriadGeometry.modulo(board.z, 3)]
        return ChipPosition(x: board.x * 12 + offset.x, y: board.y * 12 + offset.y)
    }

    /// The board that a chip is on, and the chip's place on that board. Coordinates outside wrap.
    public func board(at chip: ChipPosition) -> (board: BoardCoordinates, local: ChipID) {
        let x = TriadGeometry.modulo(chip.x, self.widthInChips)
        let y = TriadGeometry.modulo(chip.y, self.heightInChips)
        for z in 0..<3 {
            let offset = TriadGeometry.ethernetOffsets[z]
            let localX = TriadGeometry.modulo(x - offset.x, 12)
            let localY = TriadGeometry.modulo(y - offset.y, 12)
            guard localY < 8, localX < 8, BoardShape.spinn5Rows[localY].contains(localX) else { continue }
            let board = BoardCoordinates(
                x: TriadGeometry.modulo((x - offset.x - localX) / 12, self.width),
                y: TriadGeometry.modulo((y - offset.y - localY) / 12, self.height), z: z)
            return (board, ChipID(UInt8(localX), UInt8(localY)))
        }
        // The three hexagons tile the plane: some z has matched.
        return (BoardCoordinates(0, 0, 0), .origin)
    }

    /// The chip at `local` on `board`, in the whole machine's coordinates, wrapped.
    public func chip(_ local: ChipID, on board: BoardCoordinates) -> ChipPosition {
        let ethernet = self.ethernetChip(of: board)
        return ChipPosition(
            x: TriadGeometry.modulo(ethernet.x + Int(local.x), self.widthInChips),
            y: TriadGeometry.modulo(ethernet.y + Int(local.y), self.heightInChips))
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

    /// The board behind one of a board's six sides, wrapped. Sides are named as links are; the allocation service's Java
    /// names N, E, SE, S, W, NW are these N, NE, E, S, SW, W.
    public func neighbour(of board: BoardCoordinates, side: Link) -> BoardCoordinates {
        let ethernet = self.ethernetChip(of: board)
        let step = TriadGeometry.chipStep(side)
        return self.board(at: ChipPosition(x: ethernet.x + step.x, y: ethernet.y + step.y)).board
    }

    /// `chip` as seen from a job whose root board is `root`: relative to its Ethernet chip, wrapped to be positive.
    public func relative(_ chip: ChipPosition, to root: BoardCoordinates) -> ChipPosition {
        let origin = self.ethernetChip(of: root)
        return ChipPosition(
            x: TriadGeometry.modulo(chip.x - origin.x, self.widthInChips),
            y: TriadGeometry.modulo(chip.y - origin.y, self.heightInChips))
    }

    /// The inverse of ``relative(_:to:)``.
    public func absolute(_ chip: ChipPosition, from root: BoardCoordinates) -> ChipPosition {
        let origin = self.ethernetChip(of: root)
        return ChipPosition(
            x: TriadGeometry.modulo(chip.x + origin.x, self.widthInChips),
            y: TriadGeometry.modulo(chip.y + origin.y, self.heightInChips))
    }

    static func modulo(_ a: Int, _ n: Int) -> Int {
        let r = a % n
        return r < 0 ? r + n : r
    }
}
