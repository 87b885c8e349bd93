//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine

/// Where the boards of a machine are drawn. In the plane of chips, with axes at 120°, a board is a regular hexagon, and the centres of
/// neighbours are as far apart as their Ethernet chips: (8, 4), (4, 8) and (4, -4). Rows that would run out at the left
/// come in again at the right, as on the torus.
struct BoardMap: Sendable {
    /// What is shown of one board.
    struct Board: Sendable {
        var coordinates: BoardCoordinates
        /// Classes of style.
        var kind: String
        /// What the colour says, in a word.
        var mark: String
        /// The tool tip.
        var title: String
    }

    struct Hexagon: Sendable {
        var kind: String
        var mark: String
        var title: String
        var name: String
        var points: String
        var x: String
        var y1: String
        var y2: String
    }

    var viewBox: String
    /// On the screen, if there is room: a board is 80 pixels wide, large enough to read.
    var width: String
    var height: String
    var label: String
    var hexagons: [Hexagon]

    /// Of a side, and from the centre to a corner.
    static let radius = 40.0
    private static let apothem = radius * 0.866_025_403_784
    private static let margin = 4.0

    /// Of a board's centre, with y upwards, from the centre of board (0, 0, 0).
    static func centre(of board: BoardCoordinates, width: Int) -> (x: Double, y: Double) {
        let (dx, dy) = [(0, 0), (8, 4), (4, 8)][min(max(board.z, 0), 2)]
        let (chipX, chipY) = (Double(12 * board.x + dx), Double(12 * board.y + dy))
        let period = Double(12 * max(1, width))
        let skewed = chipX - chipY / 2
        let wrapped = skewed - (skewed / period).rounded(.down) * period
        // A neighbour at (8, 4) is (6, 2 √3) away; a hexagon of radius 4 has its neighbours there.
        return (wrapped * BoardMap.radius / 4, chipY * BoardMap.apothem / 4)
    }

    init(label: String, width: Int, boards: [Board]) {
        let centres = boards.map { BoardMap.centre(of: $0.coordinates, width: width) }
        let (left, right) = (centres.map(\.x).min() ?? 0, centres.map(\.x).max() ?? 0)
        let (bottom, top) = (centres.map(\.y).min() ?? 0, centres.map(\.y).max() ?? 0)
        let (originX, originY) = (BoardMap.radius + BoardMap.margin, BoardMap.apothem + BoardMap.margin)
        self.label = label
        self.width = BoardMap.text(right - left + 2 * originX)
        self.height = BoardMap.text(top - bottom + 2 * originY)
        self.viewBox = "0 0 \(self.width) \(self.height)"
        self.hexagons = zip(boards, centres).map { board, centre in
            // On paper y goes downwards.
            let (x, y) = (centre.x - left + originX, top - centre.y + originY)
            let (r, h) = (BoardMap.radius, BoardMap.apothem)
            let corners = [(r, 0), (r / 2, h), (-r / 2, h), (-r, 0), (-r / 2, -h), (r / 2, -h)]
            return Hexagon(
                kind: board.kind, mark: board.mark, title: board.title, name: board.coordinates.short,
                points: corners.map { "\(BoardMap.text(x + $0)),\(BoardMap.text(y + $1))" }.joined(separator: " "),
                x: BoardMap.text(x), y1: BoardMap.text(y - 3), y2: BoardMap.text(y + 15))
        }
    }

    private static func text(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
    }
}

extension BoardCoordinates {
    /// `x,y,z`.
    var short: String { "\(self.x),\(self.y),\(self.z)" }
}

extension PhysicalCoordinates {
    /// `cabinet/frame/board`.
    var short: String { "\(self.cabinet)/\(self.frame)/\(self.board)" }
}
