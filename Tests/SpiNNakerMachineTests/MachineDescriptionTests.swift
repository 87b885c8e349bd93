//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct CoreSubsetsTests {
    @Test func setsAreSets() {
        var set: CoreSubsets = [CoreID(1, 0, 3), CoreID(0, 0, 5), CoreID(0, 0, 1), CoreID(0, 0, 2)]
        #expect(set.count == 4)
        #expect(set.chipCount == 2)
        #expect(set.chips == [ChipID(0, 0), ChipID(1, 0)])
        #expect(Array(set) == [CoreID(0, 0, 1), CoreID(0, 0, 2), CoreID(0, 0, 5), CoreID(1, 0, 3)])
        #expect(set.mask(of: ChipID(0, 0)) == 0b100110)
        #expect(set.mask(of: ChipID(9, 9)) == 0)
        #expect(set.cores(of: ChipID(0, 0)) == [1, 2, 5])
        #expect(set.description == "(0, 0) 1-2,5; (1, 0) 3")
        let news = [set.insert(CoreID(0, 0, 31)), set.insert(CoreID(0, 0, 31))]
        #expect(news == [true, false])
        #expect(set.contains(CoreID(0, 0, 31)))
        let olds = [set.remove(CoreID(0, 0, 31)), set.remove(CoreID(0, 0, 31))]
        #expect(olds == [true, false])
        // No chip has a core 32: it is not taken, and asking for it is no trap.
        for p in [UInt8(32), 33, 64, 255] {
            let new = set.insert(CoreID(0, 0, p))
            #expect(!new)
            #expect(!set.contains(CoreID(0, 0, p)))
        }
    }

    @Test func emptiedChipsAreForgotten() {
        var set = CoreSubsets(chip: ChipID(2, 2), cores: [4])
        set.remove(CoreID(2, 2, 4))
        #expect(set.isEmpty)
        #expect(set == CoreSubsets())
        #expect(Array(set) == [])
        #expect(set.description == "")
        set.setMask(0, of: .origin)
        #expect(set == [])
    }

    @Test func algebraAgreesWithSet() {
        var random = SplitMix(seed: 7)
        for _ in 0..<50 {
            let a = cores(&random)
            let b = cores(&random)
            let (x, y) = (CoreSubsets(a), CoreSubsets(b))
            #expect(Array(x) == a.sorted())
            #expect(x.count == a.count)
            for chip in Set((a.union(b)).map(\.chip)) {
                let numbers = a.filter { $0.chip == chip }.map(\.p).sorted()
                #expect(x.cores(of: chip) == numbers)
                #expect(x.mask(of: chip) == numbers.reduce(0) { $0 | 1 << UInt32($1) })
                #expect(CoreSubsets(chip: chip, cores: numbers) == x.intersection(CoreSubsets(chip: chip, cores: 0..<32)))
            }
            #expect(Array(x.union(y)) == a.union(b).sorted())
            #expect(Array(x.intersection(y)) == a.intersection(b).sorted())
            #expect(Array(x.subtracting(y)) == a.subtracting(b).sorted())
            #expect(x.subtracting(x) == CoreSubsets())
        }
    }

    @Test func cutUpByBoard() throws {
        let shape = try #require(MachineShape(width: 16, height: 16))
        let set: CoreSubsets = [CoreID(0, 0, 1), CoreID(8, 4, 2), CoreID(7, 3, 3), CoreID(4, 8, 1), CoreID(15, 0, 1)]
        let boards = set.byBoard(of: shape)
        #expect(boards.map(\.ethernet) == [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)])
        #expect(Array(boards[0].cores) == [CoreID(0, 0, 1), CoreID(7, 3, 3)])
        // (15, 0) is a corner without a chip.
        #expect(boards.reduce(0) { $0 + $1.cores.count } == 4)
    }

    private func cores(_ random: inout SplitMix) -> Set<CoreID> {
        Set(
            (0..<Int(random.next() % 20)).map { _ in
                CoreID(UInt8(random.next() % 3), UInt8(random.next() % 3), UInt8(random.next() % 18))
            })
    }
}

@Suite struct MachineDescriptionTests {
    @Test func faultsTakeThingsOut() throws {
        let shape = try #require(MachineShape(width: 16, height: 16))
        var machine = MachineDescription(shape: shape)
        #expect(machine.faults.isEmpty)
        #expect(machine.chips.count == 144)
        #expect(machine.cores(of: ChipID(0, 0)).count == 18)
        #expect(machine.cores(of: ChipID(1, 1)).count == 17)
        // Local (1, 1) of the second board.
        #expect(machine.cores(of: ChipID(9, 5)).count == 17)

        machine.faults.boards = [ChipID(8, 4)]
        #expect(machine.chips.count == 96)
        #expect(machine.ethernetChips == [ChipID(0, 0), ChipID(4, 8)])
        machine.faults.chips = [ChipID(1, 0)]
        #expect(machine.chips.count == 95)
        #expect(machine.neighbour(of: .origin, over: .east) == nil)
        #expect(machine.cores(of: ChipID(1, 0)) == [])
        machine.faults.cores = [CoreID(0, 0, 17), CoreID(0, 0, 3)]
        #expect(machine.cores(of: .origin).count == 16)
        #expect(!machine.cores(of: .origin).contains(3))
        #expect(!machine.faults.isEmpty)
    }

    @Test func oneWayLinks() {
        var machine = MachineDescription(shape: MachineShape(board: .spinn5))
        machine.faults.links = [ChipLink(chip: .origin, link: .north)]
        #expect(machine.neighbour(of: .origin, over: .north) == nil)
        #expect(machine.neighbour(of: ChipID(0, 1), over: .south) == .origin)
        #expect(!machine.isWorkingBothWays(ChipLink(chip: .origin, link: .north)))
        #expect(!machine.isWorkingBothWays(ChipLink(chip: ChipID(0, 1), link: .south)))
        #expect(machine.linkMask(of: .origin) == 0b000011)
        #expect(machine.linkMask(of: ChipID(0, 1)) & 0b100000 == 0)

        machine.faults.links = []
        machine.faults.removeLink(ChipLink(chip: .origin, link: .north), of: machine.shape)
        #expect(machine.faults.links.count == 2)
        #expect(machine.neighbour(of: ChipID(0, 1), over: .south) == nil)
        // A link at the edge has no other end.
        machine.faults.removeLink(ChipLink(chip: .origin, link: .south), of: machine.shape)
        #expect(machine.faults.links.count == 3)
    }

    @Test func stoppedSidesCutBoardsApart() throws {
        let shape = try #require(MachineShape(width: 16, height: 16))
        var machine = MachineDescription(shape: shape)
        #expect(machine.unreachableChips().isEmpty)
        // Board (8, 4) touches the root by its SW side and the third board by its W side; at the outer edge nothing is.
        machine.faults.removeSide(.southWest, ofBoard: ChipID(8, 4), of: shape)
        #expect(machine.faults.links.count == 16)
        #expect(machine.unreachableChips().isEmpty)
        machine.faults.removeSide(.west, ofBoard: ChipID(8, 4), of: shape)
        #expect(Set(machine.unreachableChips()) == Set(shape.chips(onBoardOf: ChipID(8, 4))))
        #expect(machine.unreachableChips(from: ChipID(200, 200)).count == 144)
        let both = machine.faults.union(MachineFaults(chips: [.origin], cores: [CoreID(1, 1, 1)]))
        #expect(both.links.count == 32)
        #expect(both.chips == [.origin])
    }
}

@Suite struct BoardLocationsTests {
    @Test func bothWays() throws {
        let locations = try BoardLocations([
            (BoardCoordinates(0, 0, 0), PhysicalCoordinates(cabinet: 0, frame: 0, board: 0)),
            (BoardCoordinates(1, 2, 2), PhysicalCoordinates(cabinet: 0, frame: 1, board: 23)),
        ])
        #expect(locations.count == 2)
        #expect(locations.boards == [BoardCoordinates(0, 0, 0), BoardCoordinates(1, 2, 2)])
        #expect(locations.geometry == TriadGeometry(width: 2, height: 3))
        for board in locations.boards {
            let location = try #require(locations.location(of: board))
            #expect(locations.board(at: location) == board)
        }
        #expect(locations.location(of: BoardCoordinates(5, 5, 5)) == nil)
        #expect(BoardLocations().geometry == TriadGeometry(width: 1, height: 1))
    }

    @Test func doublesAreRefused() throws {
        var locations = BoardLocations()
        let place = PhysicalCoordinates(cabinet: 1, frame: 2, board: 3)
        try locations.add(BoardCoordinates(0, 0, 0), at: place)
        let conflict = #expect(throws: BoardLocations.Conflict.self) {
            try locations.add(BoardCoordinates(0, 0, 1), at: place)
        }
        #expect(conflict?.board == BoardCoordinates(0, 0, 1))
        #expect(conflict?.location == place)
        #expect(throws: BoardLocations.Conflict.self) {
            try locations.add(BoardCoordinates(0, 0, 0), at: PhysicalCoordinates(cabinet: 0, frame: 0, board: 0))
        }
        #expect(locations.count == 1)
    }
}

/// A seeded generator: the same cases in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
