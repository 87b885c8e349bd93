//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The three hexagons of a triad, laid out on the 12 × 12 chips that they tile. Source: SpiNNMachine,
/// `SpiNNakerTriadGeometry`; vector `geometry.local`.
enum TriadTile {
    /// Chips along each side of the tile.
    static let size = 12

    /// Where board z's Ethernet chip lies in its triad.
    static let ethernetOffsets: [(x: Int, y: Int)] = [(0, 0), (8, 4), (4, 8)]

    struct Cell {
        var z: Int
        /// The place on board z.
        var local: ChipID
    }

    /// Row by row: `y * 12 + x`.
    static let cells: [Cell] = {
        var cells = [Cell](repeating: Cell(z: 0, local: .origin), count: TriadTile.size * TriadTile.size)
        for z in 0..<3 {
            let offset = TriadTile.ethernetOffsets[z]
            for chip in BoardShape.spinn5.chips {
                let x = (offset.x + Int(chip.x)) % TriadTile.size
                let y = (offset.y + Int(chip.y)) % TriadTile.size
                cells[y * TriadTile.size + x] = Cell(z: z, local: chip)
            }
        }
        return cells
    }()

    /// Any coordinates: the tile repeats for ever.
    static func cell(x: Int, y: Int) -> Cell {
        TriadTile.cells[modulo(y, TriadTile.size) * TriadTile.size + modulo(x, TriadTile.size)]
    }
}

/// The remainder that is never negative. `n` is positive.
func modulo(_ a: Int, _ n: Int) -> Int {
    let r = a % n
    return r < 0 ? r + n : r
}
