//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

@testable import SpallocServer

@Suite struct BoardMapTests {
    private func map(_ width: Int, _ boards: [BoardCoordinates]) -> BoardMap {
        BoardMap(
            label: "l", width: width,
            boards: boards.map { BoardMap.Board(coordinates: $0, kind: "free", mark: "free", title: "t") })
    }

    private func distance(_ a: (x: Double, y: Double), _ b: (x: Double, y: Double)) -> Double {
        ((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)).squareRoot()
    }

    /// The three boards of a triad touch each other, side to side.
    @Test func boardsOfATriadAreNeighbours() {
        let centres = (0..<3).map { BoardMap.centre(of: BoardCoordinates(0, 0, $0), width: 2) }
        let side = 2 * BoardMap.radius * 0.866_025_403_784
        for (a, b) in [(0, 1), (1, 2), (0, 2)] { #expect(abs(self.distance(centres[a], centres[b]) - side) < 0.001) }
    }

    /// No two boards are drawn over each other, wherever the torus is cut.
    @Test(arguments: [(1, 1), (2, 1), (1, 2), (2, 2), (4, 3), (3, 5), (8, 8)])
    func boardsDoNotOverlap(width: Int, height: Int) {
        let boards = TriadGeometry(width: width, height: height).boards
        let centres = boards.map { BoardMap.centre(of: $0, width: width) }
        let side = 2 * BoardMap.radius * 0.866_025_403_784
        for a in centres.indices {
            for b in centres.indices where a < b { #expect(self.distance(centres[a], centres[b]) > side - 0.001) }
        }
        let span = Double(12 * width) * BoardMap.radius / 4
        #expect(centres.allSatisfy { $0.x >= 0 && $0.x < span })
    }

    /// All is inside the picture.
    @Test func thePictureHoldsAllBoards() throws {
        let map = self.map(4, TriadGeometry(width: 4, height: 4).boards)
        let box = map.viewBox.split(separator: " ").compactMap { Double($0) }
        #expect(box.count == 4)
        #expect(map.hexagons.count == 48)
        for hexagon in map.hexagons {
            let points = hexagon.points.split(separator: " ").map { $0.split(separator: ",").compactMap { Double($0) } }
            #expect(points.count == 6)
            for point in points {
                #expect(point.count == 2 && point[0] >= 0 && point[0] <= box[2] && point[1] >= 0 && point[1] <= box[3])
            }
        }
    }

    @Test func oneBoardIsExact() {
        let map = self.map(1, [BoardCoordinates(0, 0, 0)])
        #expect(map.viewBox == "0 0 88 77.3" && map.width == "88" && map.height == "77.3")
        #expect(map.hexagons.first?.points == "84,38.6 64,73.3 24,73.3 4,38.6 24,4 64,4")
        #expect(map.hexagons.first?.x == "44")
        #expect(map.hexagons.first?.name == "0,0,0")
    }

    /// North is up: board (0, 0, 2) is above (0, 0, 0).
    @Test func northIsUp() throws {
        let map = self.map(1, [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 2)])
        #expect(try #require(Double(map.hexagons[0].y1)) > (try #require(Double(map.hexagons[1].y1))))
    }

    @Test func anEmptyMapIsEmpty() {
        #expect(self.map(1, []).hexagons.isEmpty)
    }

    @Test(
        arguments: [
            (nil, true, true, "free", "free"), (nil, false, true, "free", "free"), (nil, true, false, "out", "out"),
            (12, true, true, "used c4", "#12"), (12, false, true, "used c4 off", "#12 off"),
            (12, true, false, "used c4", "#12"),
        ] as [(Int?, Bool, Bool, String, String)])
    func aBoardLooksAsItIs(job: Int?, powered: Bool, functioning: Bool, kind: String, mark: String) {
        let look = MachinePages.look(
            Store.BoardStatus(board: 1, job: job, functioning: functioning, powered: powered, failure: nil))
        #expect(look.kind == kind && look.mark == mark)
        #expect(look.words.contains("out of service") == !functioning)
    }
}
