//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A booted machine: how many chips it spans, whether it wraps, and which chips, boards and links that makes.
///
/// A host learns the width and the height from `sv.p2p_dims`, and infers all else (SpiNNMachine, `Version5`,
/// `get_potential_ethernet_chips`; vectors `geometry.*`):
///
/// | Size | Boards | Wraps |
/// |---|---|---|
/// | 2 × 2 | one SpiNN-3 | both ways |
/// | 8 × 8 | one SpiNN-5 | no |
/// | W × H | triads | in x if W is a multiple of 12, in y if H is |
///
/// Coordinates are those of the machine: (0, 0) is the Ethernet chip of its root board.
public struct MachineShape: Hashable, Sendable, CustomStringConvertible {
    /// In chips, 1...256.
    public let width: Int
    /// In chips, 1...256.
    public let height: Int
    /// What the machine is made of.
    public let board: BoardShape

    /// - Returns: nil unless both are in 1...256. Sizes that no set of whole boards has (see ``isRegular``) are taken
    ///   as they are: a machine with dead edges can show them.
    public init?(width: Int, height: Int) {
        guard 1...256 ~= width, 1...256 ~= height else { return nil }
        self.width = width
        self.height = height
        self.board = width == 2 && height == 2 ? .spinn3 : .spinn5
    }

    /// One board on its own.
    public init(board: BoardShape) {
        self.board = board
        self.width = board.side
        self.height = board.side
    }

    /// A rectangle of triads: 12 chips for each, and 4 more where the machine does not wrap.
    ///
    /// - Returns: nil when a side is less than one triad or more than 256 chips.
    public init?(triadsWide: Int, triadsHigh: Int, wrapsX: Bool = false, wrapsY: Bool = false) {
        guard 1...21 ~= triadsWide, 1...21 ~= triadsHigh else { return nil }
        self.init(
            width: triadsWide * TriadTile.size + (wrapsX ? 0 : 4), height: triadsHigh * TriadTile.size + (wrapsY ? 0 : 4))
    }

    /// The size that SpiNNMachine supposes for a number of SpiNN-5 boards: one is 8 × 8; more are ceil(n / 3) triads in a
    /// rectangle as square as can be, without wraps.
    ///
    /// - Returns: nil for less than one board, or more than fit in 256 × 256 chips.
    public init?(boards: Int) {
        guard boards > 1 else {
            guard boards == 1 else { return nil }
            self.init(board: .spinn5)
            return
        }
        guard boards <= 21 * 21 * 3 else { return nil }
        let triads = (boards + 2) / 3
        var width = 1
        while width * width < triads { width += 1 }
        self.init(triadsWide: width, triadsHigh: (triads + width - 1) / width)
    }

    public var wrapsX: Bool { self.board == .spinn3 || self.width % TriadTile.size == 0 }
    public var wrapsY: Bool { self.board == .spinn3 || self.height % TriadTile.size == 0 }

    /// Whether whole boards make this size: 2 × 2, 8 × 8, or multiples of 4 from 12 on.
    public var isRegular: Bool {
        if self.width == self.height, self.width == 2 || self.width == 8 { return true }
        return self.width >= 12 && self.height >= 12 && self.width % 4 == 0 && self.height % 4 == 0
    }

    public var description: String { "\(self.width) × \(self.height)" }
}

// MARK: - Chips and boards

extension MachineShape {
    /// Where Ethernet chips are when no board is dead, by x, then y.
    public var ethernetChips: [ChipID] {
        var found: [ChipID] = []
        for x in stride(from: 0, to: self.width, by: 4) {
            for y in stride(from: 0, to: self.height, by: 4) where self.hasBoard(x, y) {
                // Both are below 256.
                found.append(ChipID(UInt8(truncatingIfNeeded: x), UInt8(truncatingIfNeeded: y)))
            }
        }
        return found
    }

    /// Every chip of a machine without faults, by x, then y.
    public var chips: [ChipID] {
        var found: [ChipID] = []
        for x in 0..<self.width {
            for y in 0..<self.height {
                let chip = ChipID(UInt8(truncatingIfNeeded: x), UInt8(truncatingIfNeeded: y))
                if self.contains(chip) { found.append(chip) }
            }
        }
        return found
    }

    public var boardCount: Int { self.ethernetChips.count }

    /// Whether a machine without faults has this chip. (The corners between the outermost boards hold none.)
    public func contains(_ chip: ChipID) -> Bool { self.ethernetChip(nearest: chip) != nil }

    /// The place of a chip on its board, whether or not the machine has that board.
    public func localCoordinates(of chip: ChipID) -> ChipID {
        switch self.board {
        case .spinn3: chip
        case .spinn5: TriadTile.cell(x: Int(chip.x), y: Int(chip.y)).local
        }
    }

    /// The Ethernet chip of the board that `chip` is on; nil when no board of the machine has it.
    public func ethernetChip(nearest chip: ChipID) -> ChipID? {
        guard Int(chip.x) < self.width, Int(chip.y) < self.height else { return nil }
        let local = self.localCoordinates(of: chip)
        var x = Int(chip.x) - Int(local.x)
        var y = Int(chip.y) - Int(local.y)
        if x < 0, self.wrapsX { x += self.width }
        if y < 0, self.wrapsY { y += self.height }
        guard self.hasBoard(x, y) else { return nil }
        return ChipPosition(x: x, y: y).chip
    }

    public func isEthernet(_ chip: ChipID) -> Bool { self.hasBoard(Int(chip.x), Int(chip.y)) }

    /// The chip at `local` on the board of `ethernet`; nil when the machine has no such board or the board no such chip.
    public func chip(_ local: ChipID, onBoardOf ethernet: ChipID) -> ChipID? {
        guard self.isEthernet(ethernet), self.board.contains(local) else { return nil }
        let chip = self.normalised(x: Int(ethernet.x) + Int(local.x), y: Int(ethernet.y) + Int(local.y)).chip
        return chip.flatMap { self.ethernetChip(nearest: $0) == ethernet ? $0 : nil }
    }

    /// The chips of one board of the machine, by x, then y of their places on the board.
    public func chips(onBoardOf ethernet: ChipID) -> [ChipID] {
        self.board.chips.compactMap { self.chip($0, onBoardOf: ethernet) }
    }

    /// The board of a chip by its triad, counted from the root; nil when the machine does not have the chip. (A SpiNN-3,
    /// and a board on its own, is [0, 0, 0].)
    public func boardCoordinates(of chip: ChipID) -> BoardCoordinates? {
        guard let ethernet = self.ethernetChip(nearest: chip) else { return nil }
        let cell = TriadTile.ethernetOffsets.firstIndex {
            Int(ethernet.x) % TriadTile.size == $0.x && Int(ethernet.y) % TriadTile.size == $0.y
        }
        return BoardCoordinates(x: Int(ethernet.x) / TriadTile.size, y: Int(ethernet.y) / TriadTile.size, z: cell ?? 0)
    }

    /// The Ethernet chip of a board counted from the root; nil when the machine does not have the board.
    public func ethernetChip(of board: BoardCoordinates) -> ChipID? {
        guard 0..<3 ~= board.z, 0..<22 ~= board.x, 0..<22 ~= board.y else { return nil }
        let offset = TriadTile.ethernetOffsets[board.z]
        let x = board.x * TriadTile.size + offset.x
        let y = board.y * TriadTile.size + offset.y
        return self.hasBoard(x, y) ? ChipPosition(x: x, y: y).chip : nil
    }

    /// Whether an Ethernet chip belongs at (x, y), and the rest of its board fits.
    private func hasBoard(_ x: Int, _ y: Int) -> Bool {
        if x == 0, y == 0 { return true }
        guard self.board == .spinn5, x >= 0, y >= 0, x % 4 == 0, (x + y) % TriadTile.size == 0 else { return false }
        return x < (self.wrapsX ? self.width : self.width - 7) && y < (self.wrapsY ? self.height : self.height - 7)
    }

    private func normalised(x: Int, y: Int) -> ChipPosition {
        ChipPosition(x: self.wrapsX ? modulo(x, self.width) : x, y: self.wrapsY ? modulo(y, self.height) : y)
    }
}

// MARK: - Links and distances

extension MachineShape {
    /// Where a link leads by arithmetic alone: wrapped where the machine wraps, and outside it where it does not.
    public func position(over link: Link, from chip: ChipID) -> ChipPosition {
        let (dx, dy) = link.delta
        return self.normalised(x: Int(chip.x) + dx, y: Int(chip.y) + dy)
    }

    /// The chip at the other end of a link; nil at an edge, and where nothing is wired.
    public func neighbour(of chip: ChipID, over link: Link) -> ChipID? {
        guard self.contains(chip), self.board.isWired(ChipLink(chip: chip, link: link)),
            let neighbour = self.position(over: link, from: chip).chip, self.contains(neighbour)
        else { return nil }
        return neighbour
    }

    /// The shortest walk between two chips, as if every chip and link were there; over the edges where the machine wraps.
    public func vector(from a: ChipID, to b: ChipID) -> HexVector {
        let dx = Int(b.x) - Int(a.x)
        let dy = Int(b.y) - Int(a.y)
        var best = HexVector(dx: dx, dy: dy)
        // One turn either way is enough: a second never shortens.
        for x in self.candidates(dx, self.wrapsX, self.width) {
            for y in self.candidates(dy, self.wrapsY, self.height) {
                let vector = HexVector(dx: x, dy: y)
                if vector.length < best.length { best = vector }
            }
        }
        return best
    }

    /// Links on the shortest walk between two chips.
    public func distance(from a: ChipID, to b: ChipID) -> Int { self.vector(from: a, to: b).length }

    private func candidates(_ d: Int, _ wraps: Bool, _ size: Int) -> [Int] {
        wraps ? [modulo(d, size), modulo(d, size) - size] : [d]
    }

    /// The inter-board link that a chip's link is, by its place on the board; nil for links inside a board, and for a
    /// SpiNN-3, which has none.
    public func fpgaLink(of chip: ChipID, over link: Link) -> FPGALink? {
        guard self.board == .spinn5 else { return nil }
        return FPGALink(chip: self.localCoordinates(of: chip), link: link)
    }
}
