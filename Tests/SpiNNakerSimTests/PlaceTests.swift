//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing
import VirtualSpiNNaker

@testable import SpiNNakerSimCommands

@Suite(.timeLimit(.minutes(3))) struct PlaceTests {
    @Test func boards() {
        #expect(BoardCoordinates(place: "2,0,1") == BoardCoordinates(2, 0, 1))
        #expect(BoardCoordinates(place: "[x:2,y:0,z:1]") == BoardCoordinates(2, 0, 1))
        for text in ["", "1,2", "1,2,3,4", "1,,2", "-1,0,0", "+1,0,0", "a,b,c", "1, 2, 3", "99999999999999999999,0,0"] {
            #expect(BoardCoordinates(place: text) == nil, "\(text)")
        }
    }

    @Test func chips() {
        let chip = BoardChip(board: BoardCoordinates(2, 0, 1), local: ChipID(4, 7))
        #expect(BoardChip(place: "2,0,1/4,7") == chip)
        #expect(BoardChip(place: "4,7") == BoardChip(local: ChipID(4, 7)))
        for text in ["", "/4,7", "2,0,1/", "2,0,1/4", "2,0,1/4,256", "2,0,1/4,7/1", "2,0/4,7"] {
            #expect(BoardChip(place: text) == nil, "\(text)")
        }
    }

    @Test func cores() throws {
        let core = try #require(BoardCore(place: "2,0,1/4,7/17"))
        #expect(core.chip == BoardChip(board: BoardCoordinates(2, 0, 1), local: ChipID(4, 7)) && core.core == 17)
        #expect(BoardCore(place: "4,7/0")?.chip.board == BoardCoordinates(0, 0, 0))
        for text in ["4,7", "4,7/18", "4,7/-1", "17", "2,0,1/17"] { #expect(BoardCore(place: text) == nil, "\(text)") }
    }

    @Test func links() {
        let chip = BoardChip(board: BoardCoordinates(2, 0, 1), local: ChipID(4, 7))
        #expect(BoardChipLink(place: "2,0,1/4,7/NE") == BoardChipLink(chip: chip, link: .northEast))
        #expect(BoardChipLink(place: "2,0,1/4,7/sw") == BoardChipLink(chip: chip, link: .southWest))
        #expect(BoardChipLink(place: "2,0,1/4,7/northEast") == BoardChipLink(chip: chip, link: .northEast))
        for text in ["2,0,1/4,7", "2,0,1/4,7/X", "2,0,1/4,7/0", "NE"] { #expect(BoardChipLink(place: text) == nil, "\(text)") }
    }

    @Test func boardNames() {
        #expect(BoardName(place: "2,0,1") == .coordinates(BoardCoordinates(2, 0, 1)))
        #expect(BoardName(place: "127.1.0.9") == .address(IPv4Address(127, 1, 0, 9)))
        #expect(BoardName(place: "23") == .number(23))
        #expect(BoardName(place: "all") == nil && BoardName(place: "-1") == nil && BoardName(place: "1,2") == nil)
    }
}
