//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

private func shape(_ width: Int, _ height: Int) throws -> MachineShape {
    try #require(MachineShape(width: width, height: height))
}

/// Every size that boards make, up to a few triads, wrapped each way.
private let shapes: [MachineShape] = {
    var shapes = [MachineShape(board: .spinn3), MachineShape(board: .spinn5)]
    for (w, h) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
        for (x, y) in [(false, false), (true, false), (false, true), (true, true)] {
            if let shape = MachineShape(triadsWide: w, triadsHigh: h, wrapsX: x, wrapsY: y) { shapes.append(shape) }
        }
    }
    return shapes
}()

@Suite struct MachineShapeTests {
    @Test func sizesAreChecked() throws {
        for (w, h) in [(0, 1), (1, 0), (257, 8), (8, 257), (-1, 8), (Int.max, Int.max)] {
            #expect(MachineShape(width: w, height: h) == nil)
        }
        #expect(try shape(256, 256).ethernetChips.last == ChipID(248, 244))
        #expect(try shape(2, 2).board == .spinn3)
        for regular in [(2, 2), (8, 8), (12, 12), (16, 16), (12, 28), (20, 20)] {
            #expect(try shape(regular.0, regular.1).isRegular)
        }
        for odd in [(2, 3), (8, 16), (16, 8), (13, 16), (4, 4), (1, 1)] {
            #expect(try !shape(odd.0, odd.1).isRegular)
        }
        #expect(MachineShape(triadsWide: 0, triadsHigh: 1) == nil)
        #expect(MachineShape(triadsWide: 1, triadsHigh: 22) == nil)
        #expect(MachineShape(triadsWide: Int.max, triadsHigh: 1) == nil)
    }

    @Test func numbersOfBoards() throws {
        // Vector `geometry.v5`, "sizes", and the ends of the range.
        for (boards, width, height) in [
            (1, 8, 8), (2, 16, 16), (3, 16, 16), (4, 28, 16), (6, 28, 16), (9, 28, 28), (12, 28, 28), (24, 40, 40),
            (1323, 256, 256),
        ] {
            let shape = try #require(MachineShape(boards: boards))
            #expect((shape.width, shape.height) == (width, height))
            #expect(shape.boardCount >= boards)
            #expect(shape.isRegular)
        }
        for none in [0, -1, 1324, Int.max, Int.min] { #expect(MachineShape(boards: none) == nil) }
    }

    @Test(arguments: shapes)
    func everyChipIsOnOneBoard(_ shape: MachineShape) throws {
        var seen: Set<ChipID> = []
        for ethernet in shape.ethernetChips {
            #expect(shape.isEthernet(ethernet))
            let chips = shape.chips(onBoardOf: ethernet)
            #expect(chips.count == shape.board.chipCount)
            for (chip, local) in zip(chips, shape.board.chips) {
                #expect(seen.insert(chip).inserted)
                #expect(shape.contains(chip))
                #expect(shape.ethernetChip(nearest: chip) == ethernet)
                #expect(shape.localCoordinates(of: chip) == local)
                #expect(shape.isEthernet(chip) == (chip == ethernet))
            }
            let board = try #require(shape.boardCoordinates(of: ethernet))
            #expect(shape.ethernetChip(of: board) == ethernet)
        }
        #expect(shape.chips == seen.sorted())
        #expect(Set(shape.ethernetChips.compactMap { shape.boardCoordinates(of: $0) }).count == shape.boardCount)
    }

    @Test func numbersOfChips() throws {
        // A torus is full; without wraps the corners are missing, and no board is.
        for (w, h) in [(12, 12), (24, 12), (36, 24)] { #expect(try shape(w, h).chips.count == w * h) }
        for (w, h, boards) in [(8, 8, 1), (16, 16, 3), (28, 16, 6), (28, 28, 12), (16, 12, 3), (12, 28, 6)] {
            #expect(try shape(w, h).chips.count == boards * 48)
            #expect(try shape(w, h).boardCount == boards)
        }
        #expect(try !shape(16, 16).contains(ChipID(5, 0)))
        #expect(try shape(12, 12).contains(ChipID(5, 0)))
    }

    @Test(arguments: shapes)
    func linksAreMutualAndEndAtTheEdge(_ shape: MachineShape) {
        var missing = 0
        for chip in shape.chips {
            for link in Link.allCases {
                guard let other = shape.neighbour(of: chip, over: link) else {
                    missing += 1
                    continue
                }
                #expect(shape.neighbour(of: other, over: link.opposite) == chip)
                #expect(shape.position(over: link, from: chip) == ChipPosition(other))
                let sameBoard = shape.ethernetChip(nearest: chip) == shape.ethernetChip(nearest: other)
                if shape.board == .spinn5 { #expect((shape.fpgaLink(of: chip, over: link) == nil) == sameBoard) }
            }
        }
        switch (shape.board, shape.wrapsX, shape.wrapsY) {
        case (.spinn3, _, _): #expect(missing == 8)
        case (.spinn5, true, true): #expect(missing == 0)
        // Each board has 48 links of its own edge; those that face no other board are missing.
        case (.spinn5, _, _): #expect(missing > 0 && missing % 8 == 0)
        }
    }

    /// Down links of virtual-machine.md §4.3, and the sides of a lonely SpiNN-5.
    @Test func singleBoards() throws {
        let spinn3 = MachineShape(board: .spinn3)
        let masks = [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0), ChipID(1, 1)].map {
            MachineDescription(shape: spinn3).linkMask(of: $0)
        }
        #expect(masks == [0x27, 0x27, 0x3C, 0x3C])
        #expect(spinn3.boardCoordinates(of: ChipID(1, 1)) == BoardCoordinates(0, 0, 0))
        #expect(spinn3.fpgaLink(of: ChipID(0, 0), over: .west) == nil)
        #expect(spinn3.position(over: .southWest, from: .origin) == ChipPosition(x: 1, y: 1))
        let spinn5 = MachineShape(board: .spinn5)
        for link in FPGALink.all { #expect(spinn5.neighbour(of: link.chip, over: link.link) == nil) }
        #expect(spinn5.neighbour(of: ChipID(200, 200), over: .east) == nil)
        #expect(spinn5.chip(ChipID(0, 7), onBoardOf: .origin) == nil)
        #expect(spinn5.chip(ChipID(0, 0), onBoardOf: ChipID(8, 4)) == nil)
        #expect(spinn5.ethernetChip(of: BoardCoordinates(0, 0, 1)) == nil)
        #expect(spinn5.ethernetChip(of: BoardCoordinates(Int.max, Int.max, 3)) == nil)
    }

    /// A shape agrees with the whole machine that it is the booted form of.
    @Test func toriAgreeWithTriads() throws {
        for (w, h) in [(1, 1), (2, 1), (2, 3)] {
            let geometry = TriadGeometry(width: w, height: h)
            let shape = try #require(MachineShape(triadsWide: w, triadsHigh: h, wrapsX: true, wrapsY: true))
            for chip in shape.chips {
                let (board, local) = geometry.board(at: ChipPosition(chip))
                #expect(shape.localCoordinates(of: chip) == local)
                #expect(shape.boardCoordinates(of: chip) == board)
                #expect(shape.ethernetChip(of: board).map { ChipPosition($0) } == geometry.ethernetChip(of: board))
                for link in Link.allCases {
                    #expect(
                        shape.neighbour(of: chip, over: link).map { ChipPosition($0) }
                            == geometry.neighbour(of: ChipPosition(chip), over: link))
                }
            }
        }
    }
}

@Suite struct HexDistanceTests {
    @Test func vectorsAreMinimal() {
        for dx in -9...9 {
            for dy in -9...9 {
                let vector = HexVector(dx: dx, dy: dy)
                #expect(vector.dx == dx)
                #expect(vector.dy == dy)
                let shortest = (-20...20).map { k in abs(dx + k) + abs(dy + k) + abs(k) }.min()
                #expect(vector.length == shortest)
            }
        }
    }

    /// Against a search over the links themselves, from several chips of a torus to all.
    @Test(arguments: [(12, 12), (24, 12), (12, 36)])
    func distancesOfATorus(_ width: Int, _ height: Int) throws {
        let shape = try shape(width, height)
        for source in [ChipID(0, 0), ChipID(5, 11), ChipID(11, 2)] {
            let found = search(shape, from: source)
            #expect(found.count == width * height)
            for (chip, steps) in found {
                #expect(shape.distance(from: source, to: chip) == steps)
                let vector = shape.vector(from: source, to: chip)
                #expect((Int(source.x) + vector.dx + 10 * width) % width == Int(chip.x))
                #expect((Int(source.y) + vector.dy + 10 * height) % height == Int(chip.y))
            }
        }
    }

    /// A single board is convex along its three axes: the search finds the same.
    @Test func distancesOfABoard() {
        let shape = MachineShape(board: .spinn5)
        for source in shape.chips {
            for (chip, steps) in search(shape, from: source) {
                #expect(shape.distance(from: source, to: chip) == steps)
            }
        }
    }

    /// One way round a tube, none round its ends.
    @Test func tubesWrapOneWay() throws {
        let tube = try shape(12, 16)
        #expect(tube.vector(from: ChipID(0, 0), to: ChipID(11, 0)) == HexVector(x: -1, y: 0, z: 0))
        #expect(tube.distance(from: ChipID(0, 0), to: ChipID(0, 15)) == 15)
        let other = try shape(16, 12)
        #expect(other.vector(from: ChipID(0, 0), to: ChipID(0, 11)) == HexVector(x: 0, y: -1, z: 0))
        #expect(other.distance(from: ChipID(0, 0), to: ChipID(15, 0)) == 15)
    }

    private func search(_ shape: MachineShape, from source: ChipID) -> [ChipID: Int] {
        var found = [source: 0]
        var frontier = [source]
        while !frontier.isEmpty {
            var next: [ChipID] = []
            for chip in frontier {
                for link in Link.allCases {
                    guard let other = shape.neighbour(of: chip, over: link), found[other] == nil else { continue }
                    found[other] = (found[chip] ?? 0) + 1
                    next.append(other)
                }
            }
            frontier = next
        }
        return found
    }
}
