//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Words of P2P tables, each read once.
private struct P2PTables {
    let machine: InMemoryMachine
    private var words: [ChipID: [UInt16: UInt32]] = [:]

    init(machine: InMemoryMachine) { self.machine = machine }

    mutating func word(of chip: ChipID, for target: ChipID) throws -> UInt32 {
        let index = target.p2pAddress >> 3
        if let known = self.words[chip]?[index] { return known }
        let word = try self.machine.readWord(0xE101_0000 + 4 * UInt32(index), core: .monitor(of: chip))
        self.words[chip, default: [:]][index] = word
        return word
    }
}

/// Specification §4: which chip is wired to which, and what discovery makes of it.
@Suite("Wiring and discovery", .timeLimit(.minutes(3)))
struct WiringTests {
    @Test func everyWireIsTheSameFromBothEnds() {
        let wiring = BoardWiring(.triads(width: 2, height: 3))
        for chip in 0..<wiring.chipCount {
            for link in Link.allCases {
                guard let there = wiring.wire(ofChip: chip, link) else {
                    Issue.record("chip \(chip) has no link \(link): the machine is a torus")
                    return
                }
                let back = wiring.wire(ofChip: there.chip, link.opposite)
                #expect(back?.chip == chip)
                #expect(back?.side == there.side?.opposite)
            }
        }
    }

    /// By the geometry of the whole machine, which knows nothing of boards' sides.
    @Test func wiresFollowTheChipsCoordinates() {
        let wiring = BoardWiring(.triads(width: 3, height: 2))
        let geometry = wiring.geometry
        for chip in 0..<wiring.chipCount {
            let here = geometry.chip(wiring.local(ofChip: chip), on: wiring.boards[wiring.board(ofChip: chip)])
            for link in Link.allCases {
                let place = geometry.board(at: ChipPosition(x: here.x + link.delta.dx, y: here.y + link.delta.dy))
                let expected = wiring.board(at: place.board).flatMap { wiring.chip(place.local, onBoard: $0) }
                #expect(wiring.wire(ofChip: chip, link)?.chip == expected)
            }
        }
    }

    /// The perimeter of §4.2: FPGA 0 serves E and S, 1 SW and W, 2 N and NE; channel n meets channel 15 - n.
    @Test func perimeterLinksAreOnTheSidesOfTheirFPGAs() {
        let wiring = BoardWiring(.triads(width: 3, height: 3))
        let sides: [(ChipID, Link, Link)] = [
            (ChipID(7, 3), .east, .east), (ChipID(7, 3), .south, .east), (ChipID(4, 0), .south, .east),
            (ChipID(4, 0), .southWest, .south), (ChipID(0, 0), .south, .south), (ChipID(0, 0), .southWest, .southWest),
            (ChipID(0, 3), .west, .southWest), (ChipID(0, 3), .north, .west), (ChipID(4, 7), .west, .west),
            (ChipID(4, 7), .north, .north), (ChipID(7, 7), .northEast, .north), (ChipID(7, 7), .east, .northEast),
            (ChipID(7, 3), .northEast, .northEast),
        ]
        for (local, link, side) in sides {
            #expect(wiring.chip(local, onBoard: 0).flatMap { wiring.wire(ofChip: $0, link)?.side } == side, "\(local) \(link)")
        }
        var perSide: [Link: Int] = [:]
        for local in 0..<48 {
            for link in Link.allCases {
                if let side = wiring.wire(ofChip: local, link)?.side { perSide[side, default: 0] += 1 }
            }
        }
        #expect(perSide == Dictionary(uniqueKeysWithValues: Link.allCases.map { ($0, 8) }))
        // (4, 7) N meets (0, 0) S; (7, 7) N meets (3, 0) S; (1, 0) SW meets (4, 7) NE.
        for (from, link, to) in [
            (ChipID(4, 7), Link.north, ChipID(0, 0)), (ChipID(7, 7), .north, ChipID(3, 0)),
            (ChipID(1, 0), .southWest, ChipID(4, 7)),
        ] {
            #expect(
                wiring.chip(from, onBoard: 0).flatMap { wiring.wire(ofChip: $0, link) }.map { wiring.local(ofChip: $0.chip) }
                    == to)
        }
    }

    @Test func framesSlotsAndAddresses() {
        let wiring = BoardWiring(.triads(width: 24, height: 24))
        #expect(wiring.boards.count == 1728 && wiring.frameCount == 72)
        #expect(wiring.physical(ofBoard: 0) == PhysicalCoordinates(cabinet: 0, frame: 0, board: 0))
        #expect(wiring.physical(ofBoard: 1727) == PhysicalCoordinates(cabinet: 14, frame: 1, board: 23))
        #expect(wiring.address(ofBoard: 0, base: 5) == IPv4Address(127, 5, 0, 9))
        #expect(wiring.address(ofBoard: 1727, base: 5) == IPv4Address(127, 5, 71, 193))
        #expect(wiring.address(ofFrame: 71, base: 5) == IPv4Address(127, 5, 71, 8))
        #expect(Set((0..<1728).map { wiring.address(ofBoard: $0, base: 5) }).count == 1728)
        #expect(wiring.board(at: BoardCoordinates(23, 23, 2)) == 1727)
        #expect(wiring.board(at: BoardCoordinates(24, 0, 0)) == nil)
        #expect(wiring.chip(ChipID(0, 5), onBoard: 0) == nil && wiring.chip(ChipID(200, 200), onBoard: 0) == nil)
    }

    @Test func periodsOfATorus() {
        var period = TorusPeriod()
        period.add(0, 0)
        #expect(period == TorusPeriod())
        period.add(24, 12)
        period.add(-24, 0)
        period.add(36, 24)
        #expect(period.width == 12 && period.height == 12 && period.skew == 0)
        #expect(period.reduce(-1, -13) == (11, 11))
        var skewed = TorusPeriod()
        skewed.add(-12, 5)
        #expect(skewed.width == 12 && skewed.skew == -5 && skewed.height == 0)
        #expect(skewed.reduce(13, 0) == (1, 5))
    }

    // MARK: Discovery through the firmware's answers

    private func booted(_ kind: VirtualMachineDescription.Kind, faults: HardwareFaults = .none, quirks: Bool = true) throws
        -> InMemoryMachine
    {
        var description = VirtualMachineDescription(kind, faults: faults, bootTimeScale: 0, isPoweredAtStart: true)
        description.hasFirmwareLinkQuirks = quirks
        let machine = try InMemoryMachine(description)
        machine.boot()
        return machine
    }

    /// The chips of the root's P2P table, as SpiNNMan reads it.
    private func chips(_ machine: InMemoryMachine) throws -> Set<ChipID> {
        let dimensions = try machine.read(0xF500_7F02, count: 2)
        var found: Set<ChipID> = []
        for x in 0..<UInt32(dimensions[1]) {
            let column = try machine.read(0xE101_0000 + 128 * x, count: (Int(dimensions[0]) + 7) / 8 * 4)
            for y in 0..<Int(dimensions[0]) {
                let word = column[(y / 8 * 4)..<(y / 8 * 4 + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                if word >> UInt32(3 * (y % 8)) & 7 != 6 { found.insert(ChipID(UInt8(x), UInt8(y))) }
            }
        }
        return found
    }

    @Test func oneTriadIsATorusOf144Chips() throws {
        let machine = try self.booted(.triads(width: 1, height: 1))
        #expect(try machine.read(0xF500_7F02, count: 2) == [12, 12])
        let chips = try self.chips(machine)
        #expect(chips.count == 144)
        var ethernets: [ChipID: IPv4Address] = [:]
        for chip in chips {
            let info = try machine.ask(GetChipInfo(), core: .monitor(of: chip))
            if let address = info.address { ethernets[chip] = address }
            #expect((info.nearestEthernet == chip) == (info.address != nil))
            #expect(info.parentLink != nil || chip == .origin)
        }
        #expect(
            ethernets == [
                ChipID(0, 0): IPv4Address(127, 1, 0, 9), ChipID(8, 4): IPv4Address(127, 1, 0, 17),
                ChipID(4, 8): IPv4Address(127, 1, 0, 25),
            ])
    }

    @Test func aChipAnswersWhereItIsInjected() throws {
        let machine = try self.booted(.triads(width: 1, height: 1))
        // From its own board's Ethernet chip, and from the root; from another board there is no route.
        #expect(machine.raw(.version, to: CoreID(9, 6, 0), at: .board(1))?.result == .ok)
        #expect(machine.raw(.version, to: CoreID(9, 6, 0), at: .board(0))?.result == .ok)
        #expect(machine.raw(.version, to: CoreID(5, 11, 0), at: .board(1))?.result == .noRoute)
        #expect(machine.raw(.version, to: CoreID(0, 0, 0), at: .board(1))?.result == .ok, "Ethernet chips are known to all")
        #expect(try machine.ask(GetVersion(), core: CoreID(255, 255, 0), at: .board(2)).chip == .origin)
    }

    @Test func firmwareQuirksDropInterBoardLinks() throws {
        func missing(quirks: Bool) throws -> Set<String> {
            let machine = try self.booted(.triads(width: 1, height: 1), quirks: quirks)
            var missing: Set<String> = []
            for chip in try self.chips(machine) {
                let links = try machine.ask(GetChipInfo(), core: .monitor(of: chip)).workingLinks
                for link in Link.allCases where links >> link.rawValue & 1 == 0 { missing.insert("\(chip) \(link)") }
            }
            return missing
        }
        #expect(try missing(quirks: false) == [])
        let dropped = try missing(quirks: true)
        #expect(dropped.count == 3 * 6)
        #expect(dropped.isSuperset(of: ["(4, 7) N", "(4, 8) S", "(7, 7) N", "(7, 8) S", "(1, 0) SW"]))
    }

    @Test func boardsWithStoppedLinksAreAMachineWithoutWrap() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 2, height: 2), bootTimeScale: 0, isPoweredAtStart: true))
        // Cut triad (0, 0) out, as the allocation service does.
        let geometry = TriadGeometry(width: 2, height: 2)
        for z in 0..<3 {
            let board = BoardCoordinates(0, 0, z)
            for side in Link.allCases {
                let there = geometry.neighbour(of: board, side: side)
                guard there.x != 0 || there.y != 0 else { continue }
                let place = FPGALinkBank(side: side)
                _ = try machine.ask(
                    WriteFPGARegister(
                        fpga: UInt32(place.fpga), register: FPGARegister.stop(bank: UInt32(place.bank)), value: 1),
                    core: CoreID(0, 0, UInt8(z)), at: .bmp(frame: 0))
            }
        }
        machine.boot()
        #expect(try machine.read(0xF500_7F02, count: 2) == [16, 16])
        #expect(try self.chips(machine).count == 144)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(8, 4, 0)).address == IPv4Address(127, 1, 0, 17))
        // The other boards have not been reached, and can be another job's.
        #expect(!machine.machine.isBooted(board: 3))
        machine.boot(board: 3)
        #expect(try machine.ask(GetVersion(), at: .board(3)).chip == .origin)
    }

    @Test func theWholeOfALargerMachineAndItsWraps() throws {
        let machine = try self.booted(.triads(width: 2, height: 3))
        #expect(try machine.read(0xF500_7F02, count: 2) == [36, 24])
        #expect(try self.chips(machine).count == 2 * 3 * 144)
        // The chip in the far corner is one hop away.
        let corner = try machine.ask(GetChipInfo(), core: CoreID(23, 35, 0))
        #expect(corner.parentLink == .northEast)
    }

    @Test func aMachineThatIsTooWideDoesNotComeUp() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 22, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        machine.boot()
        #expect(machine.raw(.version) == nil)
        #expect(events.all == [.bootFailed(board: 0)])
    }

    @Test func aRootThatIsNotTheLowestCorner() throws {
        // Boards z = 0 and z = 2 of a triad, booted from z = 2: the other lies below it.
        let machine = try InMemoryMachine(VirtualMachineDescription(.triads(width: 3, height: 3), bootTimeScale: 0))
        let low = try #require(machine.machine.board(at: BoardCoordinates(1, 1, 0)))
        let high = try #require(machine.machine.board(at: BoardCoordinates(1, 1, 2)))
        machine.machine.setPower(true, board: low, now: machine.now)
        machine.machine.setPower(true, board: high, now: machine.now)
        machine.boot(board: high)
        #expect(try machine.ask(GetVersion(), core: CoreID(255, 255, 0), at: .board(high)).chip == ChipID(4, 8))
        #expect(try machine.ask(GetVersion(), core: CoreID(0, 0, 0), at: .board(low)).chip == .origin)
        let root = try machine.ask(ReadMemory(address: 0xF500_7F2E, size: 2), core: CoreID(4, 8, 0), at: .board(high))
        #expect(Array(root.bytes.readableBytesView) == [8, 4])
    }

    /// Follows the P2P tables from chip to chip, as packets do; the hops it takes, or nil when it does not arrive.
    private func hops(
        _ tables: inout P2PTables, from start: ChipID, to target: ChipID, width: Int = 12, height: Int = 12
    ) throws -> Int? {
        var here = start
        for hops in 0...100 {
            let word = try tables.word(of: here, for: target)
            let entry = UInt8(word >> UInt32(3 * (target.p2pAddress & 7)) & 7)
            if entry == 7 { return here == target ? hops : nil }
            guard let link = Link(rawValue: entry) else { return nil }
            let (dx, dy) = link.delta
            here = ChipID(
                UInt8((Int(here.x) + dx + width) % width), UInt8((Int(here.y) + dy + height) % height))
        }
        return nil
    }

    @Test func tablesLeadWhereTheySay() throws {
        // A triad with a tenth of its links broken.
        var random = SeededGenerator(seed: 5)
        var faults = HardwareFaults()
        for board in TriadGeometry(width: 1, height: 1).boards {
            for chip in BoardShape.spinn5.chips where chip != .origin && random.chance(0.3) {
                if let link = Link.allCases.randomElement(using: &random) {
                    faults.deadLinks.insert(BoardChipLink(chip: BoardChip(board: board, local: chip), link: link))
                }
            }
        }
        #expect(faults.deadLinks.count > 30)
        let machine = try self.booted(.triads(width: 1, height: 1), faults: faults)
        let chips = try self.chips(machine)
        #expect(chips.count == 144)
        let ethernets = [ChipID(0, 0), ChipID(8, 4), ChipID(4, 8)]
        var tables = P2PTables(machine: machine)
        for chip in chips {
            let info = try machine.ask(GetChipInfo(), core: .monitor(of: chip))
            for ethernet in ethernets {
                let way = try self.hops(&tables, from: chip, to: ethernet)
                #expect(way != nil, "\(chip) to \(ethernet)")
            }
            let out = try self.hops(&tables, from: .origin, to: chip)
            let back = try self.hops(&tables, from: chip, to: .origin)
            #expect(out != nil && out == back)
            let fromEthernet = try self.hops(&tables, from: info.nearestEthernet, to: chip)
            #expect(fromEthernet != nil)
        }
    }

    /// They were learned at the boot, though the model computes them when they are looked at.
    @Test func tablesAreThoseOfTheBootWhateverHappensLater() throws {
        func words(_ machine: InMemoryMachine) throws -> [UInt32] {
            try [ChipID(5, 7), ChipID(4, 3), ChipID(1, 1)].flatMap { chip in
                try (0..<12).flatMap { x in
                    try [0, 4].map { try machine.readWord(0xE101_0000 + 128 * UInt32(x) + $0, core: .monitor(of: chip)) }
                }
            }
        }
        let early = try self.booted(.triads(width: 1, height: 1))
        let late = try self.booted(.triads(width: 1, height: 1))
        let before = try words(early)
        // Board 2 goes, and comes up as a machine of its own.
        late.machine.setPower(true, board: 2, now: late.now)
        late.boot(board: 2)
        #expect(try late.ask(GetVersion(), core: CoreID(7, 7, 0), at: .board(2)).chip == ChipID(7, 7))
        #expect(try words(late) == before)
        // Its chips are gone from the machine that knew them: by that machine's addresses nobody is there.
        #expect(late.raw(.version, to: CoreID(4, 8, 0))?.result == .p2pNoReply)
    }

    /// As `sv` counts them: Ethernet chips, whoever comes by on the way home, and the chip itself.
    @Test(arguments: [VirtualMachineDescription.Kind.spinn3, .spinn5, .triads(width: 2, height: 1)])
    func activeAddressesAreThoseOfTheTable(kind: VirtualMachineDescription.Kind) throws {
        var faults = HardwareFaults()
        if kind == .triads(width: 2, height: 1) {
            // Ways over other boards, and a board without its Ethernet chip.
            faults.deadLinks = Set(
                Link.allCases.filter { $0 != .north }.map {
                    BoardChipLink(chip: BoardChip(board: BoardCoordinates(0, 0, 1), local: ChipID(4, 4)), link: $0)
                })
            faults.deadChips = [BoardChip(board: BoardCoordinates(1, 0, 1), local: .origin)]
        }
        let machine = try self.booted(kind, faults: faults)
        let size = try machine.read(0xF500_7F02, count: 2)
        for chip in try self.chips(machine) where (chip.x &+ chip.y) % 3 == 0 {
            var known = 0
            for x in 0..<UInt32(size[1]) {
                let column = try machine.read(0xE101_0000 + 128 * x, count: 32, core: .monitor(of: chip))
                for y in 0..<Int(size[0]) {
                    let word = column[(y / 8 * 4)..<(y / 8 * 4 + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                    known += word >> UInt32(3 * (y % 8)) & 7 == 6 ? 0 : 1
                }
            }
            let active = try machine.read(0xF500_7FE2, count: 2, core: .monitor(of: chip))
            #expect(Int(active[0]) | Int(active[1]) << 8 == known, "\(chip)")
        }
    }

    // MARK: Faults

    @Test func deadPartsAsHostsSeeThem() throws {
        let faults = HardwareFaults(
            deadChips: [BoardChip(local: ChipID(2, 2))],
            deadCores: [BoardChip(local: ChipID(4, 4)): [1, 17], BoardChip(local: ChipID(0, 1)): Set(0..<18)],
            deadLinks: [BoardChipLink(chip: BoardChip(local: ChipID(5, 5)), link: .east)])
        let machine = try self.booted(.spinn5, faults: faults)
        let chips = try self.chips(machine)
        #expect(chips.count == 46 && !chips.contains(ChipID(2, 2)) && !chips.contains(ChipID(0, 1)))
        #expect(machine.raw(.version, to: CoreID(2, 2, 0))?.result == .noRoute)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(1, 1, 0)).workingLinks >> 1 & 1 == 0)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(5, 5, 0)).workingLinks & 1 == 0)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(6, 5, 0)).workingLinks >> 3 & 1 == 0)
        let fewer = try machine.ask(GetChipInfo(), core: CoreID(4, 4, 0))
        #expect(fewer.workingCores == 16 && fewer.coreStates[16] == .dead)
        // Physical 1, the usual monitor, is dead: the highest good core has taken its place.
        #expect(try machine.ask(GetVersion(), core: CoreID(4, 4, 0)).physicalCore == 16)
    }

    @Test func whatADescriptionMayNotSay() {
        #expect(throws: VirtualMachineError.unknownChip(BoardChip(local: ChipID(0, 7)))) {
            try VirtualMachine(
                VirtualMachineDescription(.spinn5, faults: HardwareFaults(deadChips: [BoardChip(local: ChipID(0, 7))])))
        }
        #expect(throws: VirtualMachineError.unknownBoard(BoardCoordinates(1, 0, 0))) {
            try VirtualMachine(
                VirtualMachineDescription(.spinn5, faults: HardwareFaults(deadBoards: [BoardCoordinates(1, 0, 0)])))
        }
        #expect(throws: VirtualMachineError.badCore(BoardChip(local: .origin), 18)) {
            try VirtualMachine(
                VirtualMachineDescription(.spinn5, faults: HardwareFaults(deadCores: [BoardChip(local: .origin): [18]])))
        }
        #expect(throws: VirtualMachineError.badSize(width: 3000, height: 3000)) {
            try VirtualMachine(VirtualMachineDescription(.triads(width: 3000, height: 3000)))
        }
        #expect(throws: VirtualMachineError.badBootTimeScale(-1)) {
            try VirtualMachine(VirtualMachineDescription(.spinn5, bootTimeScale: -1))
        }
    }

    @Test func whatBreaksWhileItRuns() throws {
        let machine = try self.booted(.triads(width: 1, height: 1))
        func inject(_ fault: InjectedFault) throws { try machine.machine.inject(fault, now: machine.now) }
        func result(_ x: UInt8, _ y: UInt8) -> SCPResult? { machine.raw(.version, to: CoreID(x, y, 0))?.result }
        let board0 = BoardCoordinates(0, 0, 0)
        let chip = BoardChip(board: board0, local: ChipID(3, 3))
        for code in [SCPResult.p2pReject, .p2pBusy, .p2pTimeout, .p2pNoReply] {
            try inject(.p2pResult(chip, code))
            #expect(result(3, 3) == code)
        }
        try inject(.p2pResult(chip, nil))
        #expect(result(3, 3) == .ok)
        try inject(.deadChip(chip))
        #expect(result(3, 3) == .p2pNoReply)
        try inject(.monitorCrash(BoardChip(board: board0, local: ChipID(2, 2))))
        #expect(result(2, 2) == .p2pNoReply)
        try inject(.deadCore(BoardChip(board: board0, local: ChipID(1, 2)), core: 1))
        #expect(result(1, 2) == .p2pNoReply, "the monitor's core")
        // A whole board goes: the others cannot reach its chips, but each other.
        machine.machine.setPower(false, board: 1, now: machine.now)
        #expect(result(9, 5) == .p2pNoReply)
        #expect(result(4, 8) == .ok)
        try inject(.stuckCore(BoardChip(board: board0, local: .origin), core: 4, state: .ready))
        machine.signal(.start, id: 0)
        #expect(try machine.state(4) == .ready)
        try inject(.noTags(board0))
        #expect(machine.raw(.version) == nil)
        #expect(throws: VirtualMachineError.unknownBoard(BoardCoordinates(9, 9, 9))) {
            try inject(.noTags(BoardCoordinates(9, 9, 9)))
        }
    }

    @Test func aCutOnTheWayIsNoticed() throws {
        let machine = try self.booted(.spinn5)
        #expect(machine.raw(.version, to: CoreID(2, 2, 0))?.result == .ok)
        try machine.machine.inject(
            .deadLink(BoardChipLink(chip: BoardChip(local: .origin), link: .northEast)), now: machine.now)
        // Packets follow the tables of the boot: north-east first, where no link is any more.
        #expect(machine.raw(.version, to: CoreID(2, 2, 0))?.result == .p2pNoReply)
        #expect(machine.raw(.version, to: CoreID(0, 2, 0))?.result == .ok)
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.boot()
        #expect(machine.raw(.version, to: CoreID(2, 2, 0))?.result == .ok, "the next boot finds another way")
    }

    @Test func aBoardWithoutEthernet() throws {
        let machine = try InMemoryMachine(VirtualMachineDescription(.spinn3, isPoweredAtStart: true))
        try machine.machine.inject(.phyDown(BoardCoordinates(0, 0, 0), true), now: machine.now)
        machine.boot()
        machine.advance(by: .milliseconds(4000))
        #expect(try machine.ask(GetVersion()).chip == .root, "it waits two seconds for the link")
        machine.advance(by: .milliseconds(2000))
        #expect(try machine.ask(GetVersion()).chip == .origin)
        #expect(try !machine.ask(GetChipInfo()).isEthernetUp)
    }
}
