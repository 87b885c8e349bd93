//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

/// (triads wide, triads high): the degenerate ones, and some that are longer than wide.
private let sizes = [(1, 1), (2, 1), (1, 3), (2, 2), (3, 2), (5, 4)].map { TriadGeometry(width: $0.0, height: $0.1) }

@Suite struct TriadGeometryTests {
    @Test(arguments: sizes)
    func everyChipIsOnExactlyOneBoard(_ geometry: TriadGeometry) {
        var owners: [ChipPosition: BoardCoordinates] = [:]
        for board in geometry.boards {
            #expect(geometry.contains(board))
            for local in BoardShape.spinn5.chips {
                let chip = geometry.chip(local, on: board)
                #expect(owners.updateValue(board, forKey: chip) == nil)
                let (owner, place) = geometry.board(at: chip)
                #expect(owner == board)
                #expect(place == local)
            }
        }
        #expect(owners.count == geometry.widthInChips * geometry.heightInChips)
        #expect(owners.count == geometry.boardCount * 48)
    }

    @Test(arguments: sizes)
    func neighboursAreMutual(_ geometry: TriadGeometry) {
        for board in geometry.boards {
            for side in Link.allCases {
                let other = geometry.neighbour(of: board, side: side)
                #expect(geometry.contains(other))
                #expect(geometry.neighbour(of: other, side: side.opposite) == board)
            }
        }
    }

    /// The cable of a side carries just the chip links that the arithmetic of chips sends to that neighbour, and channel
    /// n meets channel 15 - n.
    @Test(arguments: sizes)
    func chipLinksCrossWhereTheFPGATableSays(_ geometry: TriadGeometry) throws {
        for board in geometry.boards {
            for local in BoardShape.spinn5.chips {
                let chip = geometry.chip(local, on: board)
                for link in Link.allCases {
                    let other = geometry.neighbour(of: chip, over: link)
                    #expect(geometry.neighbour(of: other, over: link.opposite) == chip)
                    let (owner, place) = geometry.board(at: other)
                    guard let crossing = FPGALink(chip: local, link: link) else {
                        // A link without a channel stays on the board.
                        #expect(owner == board)
                        continue
                    }
                    #expect(geometry.neighbour(of: board, side: crossing.side) == owner)
                    let far = try #require(FPGALink(chip: place, link: link.opposite))
                    #expect(crossing.farEnd == far)
                    #expect(far.farEnd == crossing)
                    #expect(far.channel == 15 - crossing.channel)
                    #expect(far.side == crossing.side.opposite)
                }
            }
        }
    }

    /// virtual-machine.md §4.4: columns N, NE, E, S, SW, W; cells (ΔX, ΔY, destination z).
    @Test func adjacencyOfTheVirtualMachineTable() {
        let sides: [Link] = [.north, .northEast, .east, .south, .southWest, .west]
        let table: [[(Int, Int, Int)]] = [
            [(0, 0, 2), (0, 0, 1), (0, -1, 2), (-1, -1, 1), (-1, -1, 2), (-1, 0, 1)],
            [(1, 1, 0), (1, 0, 2), (1, 0, 0), (0, -1, 2), (0, 0, 0), (0, 0, 2)],
            [(0, 1, 1), (1, 1, 0), (0, 0, 1), (0, 0, 0), (-1, 0, 1), (0, 1, 0)],
        ]
        let geometry = TriadGeometry(width: 4, height: 5)
        for z in 0..<3 {
            for (side, cell) in zip(sides, table[z]) {
                #expect(
                    geometry.neighbour(of: BoardCoordinates(2, 2, z), side: side)
                        == BoardCoordinates(2 + cell.0, 2 + cell.1, cell.2))
            }
        }
    }

    /// allocation-service.md §4.2: columns N, E, SE, S, W, NW in the Java names; cells (dx, dy, dz).
    @Test func adjacencyOfTheAllocationServiceTable() {
        let table: [[(Int, Int, Int)]] = [
            [(0, 0, 2), (0, 0, 1), (0, -1, 2), (-1, -1, 1), (-1, -1, 2), (-1, 0, 1)],
            [(1, 1, -1), (1, 0, 1), (1, 0, -1), (0, -1, 1), (0, 0, -1), (0, 0, 1)],
            [(0, 1, -1), (1, 1, -2), (0, 0, -1), (0, 0, -2), (-1, 0, -1), (0, 1, -2)],
        ]
        let geometry = TriadGeometry(width: 4, height: 5)
        for z in 0..<3 {
            for (direction, cell) in zip(JavaDirection.allCases, table[z]) {
                #expect(
                    geometry.neighbour(of: BoardCoordinates(1, 2, z), side: direction.side)
                        == BoardCoordinates(1 + cell.0, 2 + cell.1, z + cell.2))
            }
        }
    }

    /// v1-protocol.md §1.3, by link number; taken modulo the size of the machine.
    @Test func adjacencyOfTheLegacyTable() {
        let table: [[(Int, Int, Int)]] = [
            [(0, -1, 2), (0, 0, 1), (0, 0, 2), (-1, 0, 1), (-1, -1, 2), (-1, -1, 1)],
            [(1, 0, 0), (1, 0, 2), (1, 1, 0), (0, 0, 2), (0, 0, 0), (0, -1, 2)],
            [(0, 0, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (-1, 0, 1), (0, 0, 0)],
        ]
        for geometry in sizes {
            for board in geometry.boards {
                for (link, cell) in zip(Link.allCases, table[board.z]) {
                    let expected = geometry.wrapped(BoardCoordinates(board.x + cell.0, board.y + cell.1, cell.2))
                    #expect(geometry.neighbour(of: board, side: link) == expected)
                }
            }
        }
    }

    @Test(arguments: sizes)
    func jobsSeeTheirChipsFromTheirRoot(_ geometry: TriadGeometry) {
        for root in geometry.boards {
            #expect(geometry.relative(geometry.ethernetChip(of: root), to: root) == ChipPosition(x: 0, y: 0))
            for chip in [ChipPosition(x: 0, y: 0), ChipPosition(x: 7, y: 3), ChipPosition(x: 11, y: 11)] {
                #expect(geometry.absolute(geometry.relative(chip, to: root), from: root) == chip)
            }
        }
    }

    @Test(arguments: sizes)
    func cablesAreCountedOnce(_ geometry: TriadGeometry) {
        let links = geometry.links
        #expect(links.count == geometry.boardCount * 3)
        #expect(geometry.canonical(links).count == links.count)
        let ends = geometry.boards.flatMap { board in Link.allCases.map { BoardLink(board: board, side: $0) } }
        #expect(geometry.canonical(ends) == Set(links))
        for link in links {
            #expect(link <= geometry.farEnd(of: link))
            #expect(geometry.canonical(geometry.farEnd(of: link)) == link)
            #expect(geometry.farEnd(of: geometry.farEnd(of: link)) == link)
        }
    }

    /// Numbers out of a request reach this code: none may trap.
    @Test func anyNumberWraps() {
        let geometry = TriadGeometry(width: 3, height: 2)
        for extreme in [Int.min, Int.min + 1, -1, 1 << 40, Int.max - 1, Int.max] {
            let board = BoardCoordinates(extreme, extreme, extreme)
            #expect(!geometry.contains(board))
            #expect(geometry.contains(geometry.wrapped(board)))
            for side in Link.allCases { #expect(geometry.contains(geometry.neighbour(of: board, side: side))) }
            let chip = ChipPosition(x: extreme, y: extreme)
            let (owner, local) = geometry.board(at: chip)
            #expect(geometry.chip(local, on: owner) == geometry.wrapped(chip))
            #expect(geometry.contains(geometry.board(at: geometry.relative(chip, to: board)).board))
            #expect(geometry.contains(geometry.board(at: geometry.absolute(chip, from: board)).board))
            #expect(chip.chip == nil)
        }
        #expect(geometry.ethernetChip(of: BoardCoordinates(3, -1, 1)) == ChipPosition(x: 8, y: 16))
        #expect(TriadGeometry(width: Int.max, height: 0).height == 1)
        #expect(TriadGeometry(width: Int.max, height: -7).width == TriadGeometry.maximumSide)
        #expect(TriadGeometry(width: Int.max, height: Int.max).boardCount > 0)
    }
}
