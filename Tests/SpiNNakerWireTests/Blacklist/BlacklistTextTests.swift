//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Blacklists as people write them, and what they mean.
@Suite struct BlacklistTextTests {
    @Test func everyForm() throws {
        let list = try Blacklist(
            text: """
                # a comment

                chip 1 2 dead
                CHIP 3 4 core 1,17 link 0,NE   # and another
                chip 7 7 link sw
                chip 0 3 core 0
                """)
        #expect(
            list.entries == [
                .init(chip: ChipID(1, 2), deadPhysicalCores: 0x3FFFF),
                .init(chip: ChipID(3, 4), deadPhysicalCores: 1 << 1 | 1 << 17, deadLinks: [.east, .northEast]),
                .init(chip: ChipID(7, 7), deadLinks: [.southWest]), .init(chip: ChipID(0, 3), deadPhysicalCores: 1),
            ])
        #expect(
            list.text == """
                chip 1 2 dead
                chip 3 4 core 1,17 link 0,1
                chip 7 7 link 4
                chip 0 3 core 0

                """)
        #expect(try Blacklist(text: list.text) == list)
        #expect(try Blacklist(text: "") == Blacklist(entries: []))
        // An entry that says nothing is not a line.
        #expect(Blacklist(entries: [.init(chip: ChipID(1, 1))]).text == "")
    }

    @Test(arguments: [
        ("chip 1 2", 1), ("\nchip 1 x dead", 2), ("chip 0 4 dead", 1), ("chip 8 0 dead", 1), ("chip 1 1 dead core 1", 1),
        ("chip 1 1 core 18", 1), ("chip 1 1 core", 1), ("chip 1 1 core 1,", 1), ("chip 1 1 core -1", 1), ("chip 1 1 link 6", 1),
        ("chip 1 1 link X", 1), ("chip 1 1 core 1 core 2", 1), ("chip 1 1 cores 1", 1), ("chop 1 1 dead", 1),
        ("chip 1 1 dead\n# -\nchip 1 1 core 2", 3),
    ])
    func mistakesAreNamedByTheirLine(_ text: String, _ line: Int) {
        #expect { _ = try Blacklist(text: text) } throws: { ($0 as? BlacklistTextError)?.line == line }
    }

    @Test func aBoardWithoutItsEthernetChipIsDead() throws {
        #expect(try Blacklist(text: "chip 0 0 dead").isBoardDead)
        #expect(try !Blacklist(text: "chip 1 0 dead\nchip 0 0 core 0,1,2").isBoardDead)
        #expect(!Blacklist(entries: [.init(word: 1 << 30 | 0x3FFFF)]).isBoardDead, "an entry of an unknown type says nothing")
    }

    @Test func aSideIsDeadWhenNothingGoesOverIt() throws {
        var sides: [Link: Int] = [:]
        // Take single links away from a list in which all of a side's are dead: each of the eight revives the side.
        let all = Blacklist(entries: BoardShape.spinn5.chips.map { .init(chip: $0, deadLinks: Link.allCases) })
        #expect(all.deadSides == Set(Link.allCases))
        for (index, entry) in all.entries.enumerated() {
            for link in Link.allCases {
                var list = all
                list.entries[index] = .init(chip: entry.chip, deadLinks: Link.allCases.filter { $0 != link })
                let revived = Set(Link.allCases).subtracting(list.deadSides)
                #expect(revived.count <= 1)
                for side in revived { sides[side, default: 0] += 1 }
            }
        }
        #expect(sides == Dictionary(uniqueKeysWithValues: Link.allCases.map { ($0, 8) }), "eight links each")
        // A dead chip's links are dead, and inner chips do not matter.
        #expect(try Blacklist(text: "chip 0 0 dead\nchip 3 3 link 0,1,2,3,4,5").deadSides.isEmpty)
        let corner = Blacklist(
            entries: BoardShape.spinn5.chips.filter { $0.y == 7 }.map { .init(chip: $0, deadPhysicalCores: 0x3FFFF) })
        #expect(corner.deadSides == [.north], "the row y = 7 is all that borders on the north")
    }

    @Test func theConfigurationSectorIsSealed() throws {
        var bytes = [UInt8](repeating: 0x5A, count: 4096)
        let seal = ~CRC32.of(bytes[..<0xFFC])
        for index in 0..<4 { bytes[0xFFC + index] = UInt8(truncatingIfNeeded: seal >> UInt32(8 * index)) }
        let sector = try BMPConfigurationSector(bytes: bytes)
        let list = try Blacklist(text: "chip 1 1 dead")
        let changed = sector.with(list)
        #expect(changed.bytes[..<0xE00] == bytes[..<0xE00] && changed.bytes[0xF00..<0xFFC] == bytes[0xF00..<0xFFC])
        var found = ByteBuffer(bytes: changed.bytes[0xE00..<0xF00])
        #expect(try Blacklist(from: &found) == list)
        #expect(try BMPConfigurationSector(bytes: changed.bytes) == changed, "its seal holds")
        #expect(throws: WireError.self) { _ = try BMPConfigurationSector(bytes: Array(bytes.dropLast())) }
        bytes[17] ^= 1
        #expect(throws: WireError.self) { _ = try BMPConfigurationSector(bytes: bytes) }
    }

    /// The check value of CRC-32, as every description of it gives it.
    @Test func theSumIsTheIEEEOne() {
        #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
    }
}
