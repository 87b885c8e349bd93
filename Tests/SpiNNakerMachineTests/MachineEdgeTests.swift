//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct MachineEdgeTests {
    /// (dx, dy) in triads to the board behind each side, by z and then by the number of the side, as spalloc_server prints them.
    private static let steps: [[(x: Int, y: Int)]] = [
        [(0, -1), (0, 0), (0, 0), (-1, 0), (-1, -1), (-1, -1)],
        [(1, 0), (1, 0), (1, 1), (0, 0), (0, 0), (0, -1)],
        [(0, 0), (1, 1), (0, 1), (0, 1), (-1, 0), (0, 0)],
    ]

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (1, 4)])
    func edgesAreCrossedWhereTheStepLeavesTheMachine(_ width: Int, _ height: Int) {
        let geometry = TriadGeometry(width: width, height: height)
        for board in geometry.boards {
            for side in Link.allCases {
                let step = MachineEdgeTests.steps[board.z][Int(side.rawValue)]
                let crossed = geometry.edgesCrossed(from: board, over: side)
                #expect(crossed.x == !(0..<width).contains(board.x + step.x), "\(board) \(side)")
                #expect(crossed.y == !(0..<height).contains(board.y + step.y), "\(board) \(side)")
                // The table and the geometry speak of the same neighbours.
                let other = geometry.neighbour(of: board, side: side)
                let stepped = geometry.wrapped(BoardCoordinates(board.x + step.x, board.y + step.y, other.z))
                #expect(other == stepped)
            }
        }
    }
}
