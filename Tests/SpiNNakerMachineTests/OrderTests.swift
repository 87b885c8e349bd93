//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

/// Whatever is listed, stored or compared goes by its fields from the left, and nothing comes before itself.
@Suite struct OrderTests {
    @Test func everyOrderGoesByTheFieldsFromTheLeft() {
        check("chips", { ChipID(UInt8($0[0]), UInt8($0[1])) })
        check("positions", { ChipPosition(x: $0[0], y: $0[1]) })
        check("cores", { CoreID(UInt8($0[0]), UInt8($0[1]), UInt8($0[2])) })
        check("links of chips", { ChipLink(chip: ChipID(UInt8($0[0]), UInt8($0[1])), link: Link.allCases[$0[2]]) })
        check("boards", { BoardCoordinates($0[0], $0[1], $0[2]) })
        check("places", { PhysicalCoordinates(cabinet: $0[0], frame: $0[1], board: $0[2]) })
        check("BMPs", { BMPCoordinates(cabinet: $0[0], frame: $0[1]) })
        check("cables", { BoardLink(board: BoardCoordinates($0[0], $0[1], $0[2]), side: Link.allCases[$0[3]]) })
        check("links", { Link.allCases[$0[0]] })
        check("Java's sides", { JavaDirection.allCases[$0[0]] })
        check("addresses", { IPv4Address(UInt8($0[0]), UInt8($0[1]), UInt8($0[2]), UInt8($0[3])) })
    }

    /// Every pair among the 81 keys of four fields in 0...2; a value that has fewer fields makes equal ones of several.
    private func check<Value: Comparable>(_ name: String, _ value: ([Int]) -> Value) {
        let keys = (0..<81).map { [$0 / 27, $0 / 9 % 3, $0 / 3 % 3, $0 % 3] }
        for a in keys {
            for b in keys {
                let (x, y) = (value(a), value(b))
                #expect((x < y) == (x != y && a.lexicographicallyPrecedes(b)), "\(name): \(a), \(b)")
            }
        }
    }

    @Test func namesOfOneEnd() {
        #expect(ChipLink(chip: ChipID(1, 2), link: .northEast).description == "(1, 2) NE")
        #expect(BoardLink(board: BoardCoordinates(1, 2, 0), side: .west).description == "[x:1,y:2,z:0] W")
        #expect(CoreID.monitor(of: ChipID(3, 4)) == CoreID(3, 4, 0))
        #expect(CoreID(3, 4, 17).description == "(3, 4, 17)")
        #expect(ChipID.root.p2pAddress == 0xFFFF)
        #expect(ChipID(p2pAddress: 0x1234) == ChipID(0x12, 0x34))
        #expect(ChipPosition(x: 255, y: 3).chip == ChipID(255, 3))
        #expect(ChipPosition(x: 256, y: 3).chip == nil)
        #expect(ChipPosition(x: 3, y: -1).chip == nil)
    }
}
