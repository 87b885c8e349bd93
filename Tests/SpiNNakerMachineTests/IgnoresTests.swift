//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct IgnoresTests {
    @Test func readAndWrittenBack() throws {
        let ignores = try Ignores(
            downChips: "1,2:3,4,10.0.0.1", downCores: "0,0,3:1,1,4-6:2,2,-5:7,7,2,192.168.1.9",
            downLinks: "0,0,5:1,0,2,10.0.0.1")
        #expect(
            ignores.chips == [
                IgnoredChip(chip: ChipID(1, 2)), IgnoredChip(chip: ChipID(3, 4), board: IPv4Address(10, 0, 0, 1)),
            ])
        #expect(ignores.cores.map(\.range) == [3...3, 4...6, -5...(-5), 2...2])
        #expect(ignores.cores[1].numbers == [.virtual(4), .virtual(5), .virtual(6)])
        #expect(ignores.cores[2].numbers == [.physical(5)])
        #expect(ignores.cores[3].board == IPv4Address(192, 168, 1, 9))
        #expect(ignores.links.map(\.end.link) == [.south, .north])
        #expect(ignores.downChips == "1,2:3,4,10.0.0.1")
        #expect(ignores.downCores == "0,0,3:1,1,4-6:2,2,-5:7,7,2,192.168.1.9")
        #expect(ignores.downLinks == "0,0,5:1,0,2,10.0.0.1")
    }

    /// spinn_machine's rule: a number above 0 is virtual; the monitor, 0, can only be meant physically.
    @Test func numbersOfCores() throws {
        for (text, written, numbers) in [
            ("0", "0", [IgnoredCores.Number.physical(0)]), ("1", "1", [.virtual(1)]), ("-1", "-1", [.physical(1)]),
            ("31", "31", [.virtual(31)]), ("-31", "-31", [.physical(31)]), ("4-4", "4", [.virtual(4)]),
            ("0-1", "0-1", [.physical(0), .virtual(1)]), ("30-31", "30-31", [.virtual(30), .virtual(31)]),
        ] {
            let ignores = try Ignores(downChips: "", downCores: "9,8,\(text)", downLinks: "")
            #expect(ignores.cores.map(\.numbers) == [numbers])
            #expect(ignores.downCores == "9,8,\(written)")
        }
        #expect(IgnoredCores(chip: .origin, range: -32...0) == nil)
        #expect(IgnoredCores(chip: .origin, range: 1...32) == nil)
    }

    @Test func emptyLists() throws {
        for text in ["", "None", " none ", "  "] {
            #expect(try Ignores(downChips: text, downCores: text, downLinks: text) == Ignores())
        }
        #expect(try Ignores(downChips: " 1 , 2 : 3 , 4 ", downCores: "", downLinks: "").downChips == "1,2:3,4")
    }

    @Test func randomListsRoundTrip() throws {
        var random = SplitMix(seed: 3)
        for _ in 0..<100 {
            var ignores = Ignores()
            func board() -> IPv4Address? {
                random.next() % 2 == 0 ? nil : IPv4Address(value: UInt32(truncatingIfNeeded: random.next()))
            }
            func chip() -> ChipID { ChipID(p2pAddress: UInt16(truncatingIfNeeded: random.next())) }
            for _ in 0..<Int(random.next() % 4) {
                ignores.chips.append(IgnoredChip(chip: chip(), board: board()))
                let low = Int(random.next() % 63) - 31
                let high = low < 0 ? low : low + Int(random.next() % UInt64(32 - low))
                ignores.cores.append(try #require(IgnoredCores(chip: chip(), range: low...high, board: board())))
                let link = try #require(Link(rawValue: UInt8(random.next() % 6)))
                ignores.links.append(IgnoredLink(end: ChipLink(chip: chip(), link: link), board: board()))
            }
            let again = try Ignores(
                downChips: ignores.downChips, downCores: ignores.downCores, downLinks: ignores.downLinks)
            #expect(again == ignores)
        }
    }

    @Test(arguments: [
        "1", "1,2,3,4", "1,2:", ":1,2", "256,0", "-1,0", "a,b", "1,2,10.0.0", "1,2,", "1,,2", "1;2",
    ])
    func badChips(_ text: String) {
        #expect(throws: IgnoreError.self) { try Ignores(downChips: text, downCores: "", downLinks: "") }
    }

    @Test(arguments: [
        "0,0", "0,0,", "0,0,x", "0,0,32", "0,0,-32", "0,0,5-3", "0,0,1-2-3", "0,0,-1-3", "0,0,1-99", "0,0,1,nowhere",
    ])
    func badCores(_ text: String) {
        #expect(throws: IgnoreError.self) { try Ignores(downChips: "", downCores: text, downLinks: "") }
    }

    @Test(arguments: ["0,0", "0,0,6", "0,0,-1", "0,0,E", "0,0,1,1.2.3.4,5"])
    func badLinks(_ text: String) throws {
        let error = try #require(throws: IgnoreError.self) {
            try Ignores(downChips: "", downCores: "", downLinks: "1,1,1:" + text)
        }
        #expect(error.setting == "down_links")
        #expect(error.item == text)
        #expect(error.description.contains(text))
    }

    @Test func resolvedOnAMachine() throws {
        let shape = try #require(MachineShape(width: 12, height: 12))
        let address = IPv4Address(10, 0, 0, 2)
        let ignores = try Ignores(
            downChips: "2,2:7,7,10.0.0.2:0,7,10.0.0.2:1,1,10.9.9.9",
            downCores: "0,0,1-3:0,0,0:3,3,-4:3,3,-17:200,0,1", downLinks: "0,0,4:0,0,0,10.0.0.2")
        let (faults, notes) = ignores.resolve(in: shape, boards: [address: ChipID(8, 4)]) { _, physical in
            // Physical core 0 is the monitor, and 17 is not in use.
            physical == 17 ? nil : physical
        }
        // (7, 7) of the board at (8, 4) lies over both edges.
        #expect(faults.chips == [ChipID(2, 2), ChipID(3, 11)])
        #expect(Array(faults.cores) == [CoreID(0, 0, 1), CoreID(0, 0, 2), CoreID(0, 0, 3), CoreID(3, 3, 4)])
        #expect(
            faults.links == [
                ChipLink(chip: ChipID(0, 0), link: .southWest), ChipLink(chip: ChipID(11, 11), link: .northEast),
                ChipLink(chip: ChipID(8, 4), link: .east), ChipLink(chip: ChipID(9, 4), link: .west),
            ])
        #expect(
            notes.map(\.reason) == [
                .noSuchChip, .unknownBoard(IPv4Address(10, 9, 9, 9)), .monitor, .physicalCoreUnused, .noSuchChip,
            ])
        #expect(notes[1].description == "1,1,10.9.9.9: the machine has no board 10.9.9.9")
    }
}
