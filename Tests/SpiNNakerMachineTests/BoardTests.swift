//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct LinkTests {
    @Test func numbersStepsAndOpposites() {
        #expect(Link.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
        for link in Link.allCases {
            #expect(link.opposite.rawValue == (link.rawValue + 3) % 6)
            #expect(link.opposite.delta == (-link.delta.dx, -link.delta.dy))
            #expect(Link(dx: link.delta.dx, dy: link.delta.dy) == link)
            #expect(Link(name: link.name) == link)
        }
        #expect(Link(dx: 1, dy: -1) == nil)
        #expect(Link(dx: 0, dy: 0) == nil)
        #expect(Link(name: "East") == nil)
        #expect(Link(name: "southEast") == nil)
    }

    @Test func javaNamesAreTheSidesTurnedByOne() {
        let sides: [Link] = [.north, .northEast, .east, .south, .southWest, .west]
        #expect(JavaDirection.allCases.map(\.side) == sides)
        #expect(JavaDirection.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
        #expect(JavaDirection.allCases.map(\.description) == ["N", "E", "SE", "S", "W", "NW"])
        for direction in JavaDirection.allCases {
            #expect(JavaDirection(side: direction.side) == direction)
            #expect(JavaDirection(direction.description) == direction)
            #expect(JavaDirection(direction.description.lowercased()) == direction)
            #expect(direction.opposite.opposite == direction)
        }
        // allocation-service.md §4.2 and §4.6.
        #expect(JavaDirection.north.opposite == .south)
        #expect(JavaDirection.east.opposite == .west)
        #expect(JavaDirection.southEast.opposite == .northWest)
        let file = ["east", "northEast", "north", "west", "southWest", "south"].compactMap { Link(name: $0) }
        #expect(file.map { JavaDirection(side: $0).description } == ["SE", "E", "N", "NW", "W", "S"])
        #expect(JavaDirection("NE") == nil)
        #expect(JavaDirection("") == nil)
    }
}

@Suite struct FPGALinkTests {
    @Test func theTableIsTheEdgeOfTheBoard() {
        #expect(FPGALink.all.count == 48)
        #expect(FPGALink.all == FPGALink.all.sorted())
        #expect(Set(FPGALink.all.map { ChipLink(chip: $0.chip, link: $0.link) }).count == 48)
        // The 48 links that lead to a place off the board, and no others.
        for chip in BoardShape.spinn5.chips {
            for link in Link.allCases {
                let (dx, dy) = link.delta
                let other = ChipPosition(x: Int(chip.x) + dx, y: Int(chip.y) + dy).chip
                let inside = other.map { BoardShape.spinn5.contains($0) } ?? false
                #expect((FPGALink(chip: chip, link: link) == nil) == inside)
            }
        }
    }

    @Test func numbersFindTheirLinks() {
        for (index, link) in FPGALink.all.enumerated() {
            #expect(link.fpga == index / 16)
            #expect(link.channel == index % 16)
            #expect(FPGALink(fpga: link.fpga, channel: link.channel) == link)
            #expect(FPGALink(chip: link.chip, link: link.link) == link)
        }
        for (fpga, channel) in [(-1, 0), (3, 0), (0, -1), (0, 16), (Int.max, Int.min)] {
            #expect(FPGALink(fpga: fpga, channel: channel) == nil)
        }
        #expect(FPGALink(chip: ChipID(255, 255), link: .east) == nil)
        #expect(FPGALink(chip: ChipID(7, 0), link: .east) == nil)
    }

    @Test func eachSideHasItsBank() {
        for side in Link.allCases {
            let bank = FPGALinkBank(side: side)
            #expect(bank.side == side)
            #expect(FPGALinkBank(fpga: bank.fpga, bank: bank.bank) == bank)
            #expect(bank.links.count == 8)
            for link in bank.links {
                #expect(link.side == side)
                #expect(link.bank == bank)
                #expect(link.channel / 8 == bank.bank)
            }
        }
        #expect(FPGALinkBank(fpga: 3, bank: 0) == nil)
        #expect(FPGALinkBank(fpga: 0, bank: 2) == nil)
        #expect(FPGALinkBank(fpga: 0, bank: -1) == nil)
        #expect(FPGALinkBank(side: .northEast).links.map(\.chip.y) == [7, 6, 6, 5, 5, 4, 4, 3])
    }
}

@Suite struct BoardShapeTests {
    @Test func chipsAndCores() {
        for shape in [BoardShape.spinn3, .spinn5] {
            #expect(shape.chips.count == shape.chipCount)
            #expect(shape.chips == shape.chips.sorted())
            for x in UInt8(0)..<16 {
                for y in UInt8(0)..<16 {
                    #expect(shape.contains(ChipID(x, y)) == shape.chips.contains(ChipID(x, y)))
                }
            }
            #expect(!shape.contains(.root))
            #expect(BoardShape(version: Int(shape.version)) == shape)
        }
        // virtual-machine.md §4.2
        #expect(BoardShape.spinn5.chips.reduce(0) { $0 + BoardShape.spinn5.coreCount(of: $1) } == 856)
        #expect(BoardShape(version: 1) == nil)
    }

    @Test func specialLinks() {
        #expect(BoardShape.spinn3.spinnakerLinks.map(\.description) == ["(0, 0) W", "(1, 0) E"])
        #expect(BoardShape.spinn5.spinnakerLinks.map(\.description) == ["(0, 0) SW"])
        // On a SpiNN-5 the firmware's quirk touches inter-board links only.
        for end in BoardShape.spinn5.linksClearedByFirmware {
            #expect(FPGALink(chip: end.chip, link: end.link) != nil)
        }
    }
}

@Suite struct CoordinatesTests {
    @Test func textForms() {
        let board = BoardCoordinates(1, 22, 2)
        #expect(board.description == "[x:1,y:22,z:2]")
        #expect(BoardCoordinates(board.description) == board)
        let place = PhysicalCoordinates(cabinet: 3, frame: 0, board: 23)
        #expect(place.description == "[c:3,f:0,b:23]")
        #expect(PhysicalCoordinates(place.description) == place)
        #expect(place.bmp == BMPCoordinates("[c:3,f:0]"))
        #expect(place.bmp.description == "[c:3,f:0]")
        #expect(BMPCoordinates(cabinet: 0, frame: 9) < BMPCoordinates(cabinet: 1, frame: 0))
        for bad in [
            "", "[", "[]", "[x:1,y:2]", "[x:1,y:2,z:]", "[x:1,y:2,z:a]", "[y:1,x:2,z:0]", "x:1,y:2,z:0", "[x:1,y:2,z:0,]",
        ] {
            #expect(BoardCoordinates(bad) == nil)
        }
        #expect(BMPCoordinates("[c:0,f:0,b:0]") == nil)
        #expect(PhysicalCoordinates("[c:0,f:99999999999999999999,b:0]") == nil)
    }
}
