//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Specification §1.1, §5.3: what a board is between power-on, boot, reset and power-off.
@Suite("Power, reset, HELLO", .timeLimit(.minutes(3)))
struct PowerTests {
    private let zero = BoardCoordinates(0, 0, 0)

    private func machine(
        _ kind: VirtualMachineDescription.Kind = .triads(width: 1, height: 1), faults: HardwareFaults = .none,
        isPowered: Bool = true, hello: Bool = false
    ) throws -> InMemoryMachine {
        var description = VirtualMachineDescription(kind, faults: faults, bootTimeScale: 0, isPoweredAtStart: isPowered)
        description.sendsHello = hello
        return try InMemoryMachine(description)
    }
    private func isAwake(_ machine: InMemoryMachine, board: Int = 0) -> Bool {
        machine.raw(.version, at: .board(board)) != nil
    }
    private func bmp(
        _ machine: InMemoryMachine, _ command: SCPCommand, _ a: UInt32 = 0, _ b: UInt32 = 0, _ c: UInt32 = 0,
        data: [UInt8] = [], board: UInt8 = 0, patience: TimeAmount = .zero
    ) -> SCPReply? {
        machine.raw(
            command, a, b, c, data: data, to: CoreID(0, 0, board), at: .bmp(frame: 0), patience: patience)
    }
    /// Of board 0.
    private func hellos(_ machine: InMemoryMachine, after time: TimeAmount) -> [HostAddress] {
        machine.advance(by: time)
        return machine.takeOutgoing().filter { $0.endpoint == .board(0) && $0.sourcePort == 54321 }.map(\.destination)
    }
    private let everybody = HostAddress(ip: IPv4Address(255, 255, 255, 255), port: 54321)

    // MARK: Power

    @Test func aBootedBoardNoLongerListensToBootDatagrams() throws {
        let machine = try self.machine()
        machine.boot()
        try machine.writeWord(0xBEEF, to: 0x6000_0000)
        machine.boot()
        #expect(try machine.readWord(0x6000_0000) == 0xBEEF)
    }

    @Test func theBMPListensToNothingButSCP() throws {
        let machine = try self.machine()
        var bytes = ByteBuffer()
        SCPPacket(GetVersion(), to: CoreID(0, 0, 0), sequence: 1).writeDatagram(into: &bytes)
        #expect(machine.send(bytes, to: .bmp(frame: 0), port: 54321).isEmpty)
        #expect(machine.send(bytes, to: .bmp(frame: 0)).count == 1)
    }

    /// The Ethernet chip is the one that would take the boot datagrams.
    @Test func aBoardWhoseEthernetChipIsDeadTakesNoBoot() throws {
        let machine = try self.machine(
            faults: HardwareFaults(deadChips: [BoardChip(board: self.zero, local: .origin)]), hello: true)
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        machine.boot()
        #expect(!self.isAwake(machine) && events.all.isEmpty)
        #expect(self.hellos(machine, after: .seconds(10)) == [], "nor says anything")
        // The machine comes up without it, from another board.
        machine.boot(board: 1)
        #expect(events.all == [.booted(board: 1, chips: 143)])
        #expect(machine.raw(.version, to: CoreID(0, 0, 0), at: .board(1))?.result == .ok)
    }

    @Test func anEmptySlotHasNoPower() throws {
        let machine = try self.machine(faults: HardwareFaults(deadBoards: [BoardCoordinates(0, 0, 1)]))
        #expect((0..<3).map { machine.machine.isPowered(board: $0) } == [true, false, true])
        machine.machine.setPower(true, board: 1, now: machine.now)
        #expect(!machine.machine.isPowered(board: 1))
        machine.machine.setPower(true, board: 3, now: machine.now)
        #expect(!machine.machine.isPowered(board: 3) && !machine.machine.isBooted(board: 3))
    }

    @Test func powerIsReportedWhenItChanges() throws {
        let machine = try self.machine(isPowered: false)
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        for isOn in [false, true, true, false, false] { machine.machine.setPower(isOn, board: 0, now: machine.now) }
        #expect(
            events.all == [
                .power(board: 0, isOn: true), .power(board: 0, isOn: true), .power(board: 0, isOn: false),
            ])
    }

    /// Off, or on again, before the board is up: only the last command counts, from its own time.
    @Test func anOperationInFlightIsOvertaken() throws {
        let machine = try self.machine(isPowered: false)
        _ = self.bmp(machine, .bmpPower, 1, 1)
        machine.advance(by: .milliseconds(50))
        machine.machine.setPower(false, board: 0, now: machine.now)
        machine.advance(by: .seconds(1))
        #expect(!machine.machine.isPowered(board: 0), "off while it came up")

        _ = self.bmp(machine, .bmpPower, 1, 1)
        machine.advance(by: .milliseconds(60))
        _ = self.bmp(machine, .bmpPower, 1, 1)
        machine.advance(by: .milliseconds(60))
        #expect(!machine.machine.isPowered(board: 0), "the first one's time is over, the second's is not")
        machine.advance(by: .milliseconds(40))
        #expect(machine.machine.isPowered(board: 0))
        // Both were answered, each in its time.
        #expect(machine.takeOutgoing().count == 3)
    }

    @Test func powerGoesWhileRequestsAreOpen() throws {
        let machine = try self.machine()
        machine.boot()
        try machine.start(.spikeSource(tag: 1, intervalMicroseconds: 1000, perPacket: 1, packets: 0, firstKey: 0), cores: [1])
        _ = try machine.ask(SetIPTag(tag: 1, address: .loopback, port: 9, strip: true))
        _ = try machine.ask(SetReverseIPTag(tag: 2, port: 12345, core: CoreID(0, 0, 1), sdpPort: 1))
        #expect(machine.raw(.count, 0, 15) == nil)
        machine.machine.setPower(false, board: 0, now: machine.now)
        machine.advance(by: .seconds(1))
        #expect(machine.takeOutgoing().isEmpty, "no count, no spikes")
        #expect(machine.openPorts[0] == [])
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(!self.isAwake(machine), "comes back in its boot ROM")
        machine.boot()
        #expect(self.isAwake(machine))
        // A count of the new life is open to be asked for: the old one's has not been left behind.
        #expect(try machine.ask(CountCores(application: 0, state: .idle), patience: .milliseconds(10)).count > 0)
    }

    @Test func powerEndsAReset() throws {
        let machine = try self.machine()
        #expect(self.bmp(machine, .reset, 1, 1)?.result == .ok)
        machine.boot()
        #expect(!self.isAwake(machine), "held")
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.boot()
        #expect(self.isAwake(machine))
    }

    @Test func halfABootIsForgottenWithThePower() throws {
        let machine = try self.machine()
        let all = try InMemoryMachine.bootDatagrams(image: Array(repeating: 7, count: 2048))
        for reboot in [
            { machine.machine.setPower(true, board: 0, now: machine.now) },
            { _ = self.bmp(machine, .reset, 2, 1) },
        ] {
            for datagram in all.dropLast() { machine.send(datagram, port: 54321) }
            reboot()
            machine.send(all[3], port: 54321)
            #expect(!self.isAwake(machine))
        }
    }

    @Test func trafficIsCountedByBoard() throws {
        let machine = try self.machine()
        machine.boot()
        let before = machine.machine.traffic(ofBoard: 0)
        #expect(before.received == 3 && before.sent == 0)
        for _ in 0..<3 { _ = machine.raw(.version) }
        _ = machine.raw(.version, flags: .replyNotExpected)
        _ = machine.raw(.version, at: .board(1))
        _ = self.bmp(machine, .version)
        #expect(machine.machine.traffic(ofBoard: 0).received == 7 && machine.machine.traffic(ofBoard: 0).sent == 3)
        #expect(machine.machine.traffic(ofBoard: 1).received == 1 && machine.machine.traffic(ofBoard: 1).sent == 1)
        #expect(machine.machine.traffic(ofBoard: 77) == BoardTraffic())
    }

    // MARK: Reset

    @Test func aReleaseOfALineThatNobodyHoldsDoesNothing() throws {
        let machine = try self.machine()
        machine.boot()
        #expect(self.bmp(machine, .reset, 0, 1)?.result == .ok)
        #expect(self.isAwake(machine))
        #expect(self.bmp(machine, .reset, 1, 1)?.result == .ok)
        #expect(!self.isAwake(machine))
        #expect(self.bmp(machine, .reset, 0, 1)?.result == .ok)
        machine.boot()
        #expect(self.isAwake(machine))
    }

    /// 4 more: the FPGAs, too.
    @Test(arguments: [(UInt32(2), UInt32(1)), (6, 0)]) func aResetOfTheFPGAsIsAskedFor(operation: UInt32, left: UInt32) throws {
        let machine = try self.machine()
        let stop = FPGARegister.stop(bank: 0)
        _ = self.bmp(machine, .linkWrite, stop, 4, 2, data: [1, 0, 0, 0])
        #expect(self.bmp(machine, .reset, operation, 1)?.result == .ok)
        #expect(self.bmp(machine, .linkRead, stop, 4, 2)?.payload == ByteBuffer(integer: left, endianness: .little))
    }

    @Test func boardsAreResetInTurn() throws {
        let machine = try self.machine()
        for board in 0..<3 {
            for other in 0..<3 where other != board { machine.machine.setPower(false, board: other, now: machine.now) }
            machine.machine.setPower(true, board: board, now: machine.now)
        }
        for board in 0..<3 { machine.machine.setPower(true, board: board, now: machine.now) }
        machine.boot()
        #expect(self.bmp(machine, .reset, 100 << 16 | 2, 0b110)?.result == .ok, "answered at once")
        func awake() -> [Bool] { (0..<3).map { self.isAwake(machine, board: $0) } }
        #expect(awake() == [true, true, true])
        machine.advance(by: .milliseconds(100))
        #expect(awake() == [true, false, true])
        machine.advance(by: .milliseconds(100))
        #expect(awake() == [true, false, false])
        // A board that lost its power in between has nothing to reset.
        machine.machine.setPower(true, board: 1, now: machine.now)
        #expect(self.bmp(machine, .reset, 100 << 16 | 1, 0b10)?.result == .ok)
        machine.machine.setPower(true, board: 1, now: machine.now)
        machine.boot(board: 1)
        machine.advance(by: .milliseconds(100))
        #expect(self.isAwake(machine, board: 1))
    }

    @Test func aResetLoadsTheBlacklist() throws {
        let machine = try self.machine(.spinn5)
        var list = ByteBuffer()
        Blacklist(entries: [
            Blacklist.Entry(chip: ChipID(3, 3), deadPhysicalCores: 1 << 4),
            // Another type is none of the chips' business.
            Blacklist.Entry(word: 1 << 30 | 2 << 27 | 2 << 24 | 0x3FFFF),
        ]).write(into: &list)
        _ = try machine.ask(WriteSerialFlash(address: 0x100, data: list), at: .bmp(frame: 0))
        #expect(self.bmp(machine, .reset, 2, 1)?.result == .ok)
        machine.boot()
        #expect(try machine.ask(GetChipInfo(), core: CoreID(3, 3, 0)).workingCores == 16)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(2, 2, 0)).workingCores == 18)
    }

    // MARK: HELLO

    @Test func helloComesEvery4096Milliseconds() throws {
        let machine = try self.machine(hello: true)
        #expect(self.hellos(machine, after: .milliseconds(4095)) == [])
        #expect(self.hellos(machine, after: .milliseconds(1)) == [self.everybody])
        #expect(self.hellos(machine, after: .milliseconds(4096 * 3)) == [self.everybody, self.everybody, self.everybody])
    }

    /// The first good datagram teaches it its host, another changes nothing, and power or reset make it forget.
    @Test func helloGoesToTheFirstHost() throws {
        let machine = try self.machine(hello: true)
        let start = try InMemoryMachine.bootDatagrams()[0]
        let first = HostAddress(ip: IPv4Address(127, 0, 0, 5), port: 111)
        let second = HostAddress(ip: IPv4Address(127, 0, 0, 6), port: 222)
        machine.send(ByteBuffer(repeating: 0, count: 18), port: 54321, from: second)
        machine.send(start, port: 54321, from: first)
        machine.send(start, port: 54321, from: second)
        #expect(self.hellos(machine, after: .milliseconds(4096)) == [first])
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(self.hellos(machine, after: .milliseconds(4096)) == [self.everybody], "one chain of them, of the new life")
        machine.send(start, port: 54321, from: second)
        _ = self.bmp(machine, .reset, 2, 1)
        #expect(self.hellos(machine, after: .milliseconds(4096)) == [self.everybody])
    }

    @Test func helloIsTheROMsAlone() throws {
        let machine = try self.machine(hello: true)
        machine.boot()
        #expect(self.hellos(machine, after: .seconds(9)) == [], "SC&MP runs")
        _ = self.bmp(machine, .reset, 1, 1)
        #expect(self.hellos(machine, after: .seconds(9)) == [], "held in reset")
        _ = self.bmp(machine, .reset, 0, 1)
        #expect(self.hellos(machine, after: .milliseconds(4096)) == [self.everybody], "the ROM again")
        machine.machine.setPower(false, board: 0, now: machine.now)
        #expect(self.hellos(machine, after: .seconds(9)) == [])
    }
}

/// Specification §8.3: faults that come and go.
@Suite("Faults while it runs", .timeLimit(.minutes(3)))
struct InjectedFaultTests {
    private let zero = BoardCoordinates(0, 0, 0)

    private func inject(_ fault: InjectedFault, _ machine: InMemoryMachine) throws {
        try machine.machine.inject(fault, now: machine.now)
    }

    @Test func routerEntriesRunOutAndComeBack() throws {
        let machine = try InMemoryMachine(.spinn3)
        func entries() throws -> UInt32 { try machine.ask(AllocateRouterEntries(count: 5, application: 30)).word }
        try self.inject(.noRouterEntries(BoardChip(local: .origin), true), machine)
        #expect(try entries() == 0)
        try self.inject(.noRouterEntries(BoardChip(local: .origin), false), machine)
        #expect(try entries() == 1)
    }

    @Test func thePHYGoesDownAndUp() throws {
        let machine = try InMemoryMachine(.spinn3)
        func shown() throws -> [Bool] {
            [try machine.ask(GetChipInfo()).isEthernetUp, try machine.read(0xF500_7F0B, count: 1) == [1]]
        }
        #expect(try shown() == [true, true])
        try self.inject(.phyDown(self.zero, true), machine)
        #expect(try shown() == [false, false], "INFO and sv.eth_up")
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.boot()
        #expect(try shown() == [false, false], "after the next boot, too")
        try self.inject(.phyDown(self.zero, false), machine)
        #expect(try shown() == [true, true])
    }

    @Test func anFPGALosesItsConfigurationAndFindsItAgain() throws {
        let machine = try InMemoryMachine(.triads(width: 1, height: 1))
        func flags() -> [UInt8] {
            (UInt32(0)..<3).compactMap {
                machine.raw(.linkRead, FPGARegister.flag, 4, $0, to: CoreID(0, 0, 1), at: .bmp(frame: 0))?
                    .payload.readableBytesView.first
            }
        }
        let board = BoardCoordinates(0, 0, 1)
        try self.inject(.fpgaUnconfigured(board, fpga: 0, true), machine)
        try self.inject(.fpgaUnconfigured(board, fpga: 2, true), machine)
        #expect(flags() == [3, 1, 3])
        try self.inject(.fpgaUnconfigured(board, fpga: 0, false), machine)
        #expect(flags() == [0, 1, 3])
        // A host mends it, too, by the bits of a mask: it sends the bit-file again.
        #expect(machine.raw(.xilinx, 1, 0b011, to: CoreID(0, 0, 1), at: .bmp(frame: 0))?.result == .ok)
        #expect(flags() == [0, 1, 3])
        #expect(machine.raw(.xilinx, 1, 0b100, to: CoreID(0, 0, 1), at: .bmp(frame: 0))?.result == .ok)
        #expect(flags() == [0, 1, 2])
        for fpga in [-1, 3, 9] {
            #expect(throws: VirtualMachineError.badFPGA(board, fpga)) {
                try self.inject(.fpgaUnconfigured(board, fpga: fpga, true), machine)
            }
        }
    }

    @Test func powerFailureIsMended() throws {
        let machine = try InMemoryMachine(.spinn3)
        try self.inject(.powerFailure(self.zero, true), machine)
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(!machine.machine.isPowered(board: 0))
        try self.inject(.powerFailure(self.zero, false), machine)
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(machine.machine.isPowered(board: 0))
    }

    @Test func stuckCoresAreApplicationCores() throws {
        let machine = try InMemoryMachine(.spinn5)
        let chip = BoardChip(local: ChipID(1, 1))
        // (1, 1) has 17 cores, of which core 0 is the monitor.
        try self.inject(.stuckCore(chip, core: 17, state: .watchdog), machine)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(1, 1, 0)).coreStates[17] == .dead)
        try self.inject(.stuckCore(chip, core: 16, state: .watchdog), machine)
        #expect(try machine.state(16, on: ChipID(1, 1)) == .watchdog)
        for core in [0, 18] as [UInt8] {
            #expect(throws: VirtualMachineError.badCore(chip, core)) {
                try self.inject(.stuckCore(chip, core: core, state: .ready), machine)
            }
        }
        #expect(throws: VirtualMachineError.badCore(chip, 18)) { try self.inject(.deadCore(chip, core: 18), machine) }
    }

    @Test func aCoreThatIsNoMonitorShowsAtTheNextBoot() throws {
        let machine = try InMemoryMachine(.spinn3)
        try self.inject(.deadCore(BoardChip(local: ChipID(1, 0)), core: 9), machine)
        #expect(try machine.ask(GetChipInfo(), core: CoreID(1, 0, 0)).workingCores == 18)
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.boot()
        #expect(try machine.ask(GetChipInfo(), core: CoreID(1, 0, 0)).workingCores == 17)
    }

    @Test func aCrashedMonitorShowsOverALink() throws {
        let machine = try InMemoryMachine(.spinn3)
        try self.inject(.monitorCrash(BoardChip(local: ChipID(1, 0))), machine)
        let vcpu = try machine.ask(ReadLink(address: 0xE500_7000, size: 48, link: .east)).bytes
        #expect(Array(vcpu.readableBytesView)[44..<47] == [5, 1, 2], "a data abort, of physical core 1, RTE")
    }

    /// Packets on their way to others pass a chip's router, not its monitor.
    @Test func aDeadChipInTheMiddleCutsTheWay() throws {
        let machine = try InMemoryMachine(.spinn5)
        func result(_ x: UInt8, _ y: UInt8) -> SCPResult? { machine.raw(.version, to: CoreID(x, y, 0))?.result }
        try self.inject(.monitorCrash(BoardChip(local: ChipID(1, 1))), machine)
        #expect(result(2, 2) == .ok)
        try self.inject(.deadChip(BoardChip(local: ChipID(1, 1))), machine)
        #expect(result(2, 2) == .p2pNoReply)
        #expect(result(2, 0) == .ok)
    }

    /// All chips of a board as beads on a string of 47 links.
    @Test func aLongWayIsFollowedToItsEnd() throws {
        var string: [ChipID] = []
        for y in UInt8(0)..<8 {
            let row = BoardShape.spinn5.chips.filter { $0.y == y }.sorted { $0.x < $1.x }
            string += y % 2 == 0 ? row : row.reversed()
        }
        var kept: Set<BoardChipLink> = []
        for (a, b) in zip(string, string.dropFirst()) {
            let link = try #require(
                Link.allCases.first { Int(a.x) + $0.delta.dx == Int(b.x) && Int(a.y) + $0.delta.dy == Int(b.y) })
            kept.insert(BoardChipLink(chip: BoardChip(local: a), link: link))
            kept.insert(BoardChipLink(chip: BoardChip(local: b), link: link.opposite))
        }
        let all = BoardShape.spinn5.chips.flatMap { chip in
            Link.allCases.map { BoardChipLink(chip: BoardChip(local: chip), link: $0) }
        }
        let machine = try InMemoryMachine(.spinn5, faults: HardwareFaults(deadLinks: Set(all).subtracting(kept)))
        let ends = string.suffix(2).map { CoreID.monitor(of: $0) }
        #expect(ends.map { machine.raw(.version, to: $0)?.result } == [.ok, .ok])
        // From now on ways are followed link by link.
        let last = try #require(kept.first { $0.chip.local == string[47] })
        try self.inject(.deadLink(last), machine)
        #expect(ends.map { machine.raw(.version, to: $0)?.result } == [.ok, .p2pNoReply])
    }

    @Test func bothEndsOfALinkCutIt() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        // North of board 0 is board 2: stopped by its own FPGA, its peer's, and once by both.
        for (near, far) in [(false, false), (true, false), (false, true)] {
            for (board, side, isStopped) in [(UInt8(0), Link.north, near), (2, .south, far)] {
                let place = FPGALinkBank(side: side)
                _ = try machine.ask(
                    WriteFPGARegister(
                        fpga: UInt32(place.fpga), register: FPGARegister.stop(bank: UInt32(place.bank)),
                        value: isStopped ? 1 : 0),
                    core: CoreID(0, 0, board), at: .bmp(frame: 0))
            }
            for board in 0..<3 { _ = machine.raw(.reset, 2, 1 << UInt32(board), at: .bmp(frame: 0)) }
            machine.boot()
            // (5, 7) N is none of the links that the firmware drops.
            let links = try machine.ask(GetChipInfo(), core: CoreID(5, 7, 0)).workingLinks
            #expect((links >> Link.north.rawValue & 1 == 1) == (!near && !far), "\(near) \(far)")
            let there = try machine.ask(GetChipInfo(), core: CoreID(5, 8, 0)).workingLinks
            #expect((there >> Link.south.rawValue & 1 == 1) == (!near && !far))
        }
    }

    /// A board that waits in reset is no neighbour, whatever its wires.
    @Test func aBoardHeldInResetIsNotDiscovered() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        _ = machine.raw(.reset, 1, 0b100, at: .bmp(frame: 0))
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        machine.boot()
        #expect(events.all == [.booted(board: 0, chips: 96)])
    }
}

@Suite("Machines of all sizes", .timeLimit(.minutes(3)))
struct MachineSizeTests {
    @Test(arguments: [(1, 1), (2048, 1), (1, 2048), (32, 64)]) func sizesThatCanBe(width: Int, height: Int) throws {
        let machine = try VirtualMachine(VirtualMachineDescription(.triads(width: width, height: height)))
        #expect(machine.boards.count == 3 * width * height)
        #expect(machine.bmpPlaces.count == (3 * width * height + 23) / 24)
        let last = try #require(machine.bmpPlaces.last)
        #expect(last.cabinet * 5 + last.frame == last.number && last.frame < 5)
        // No two of anything have one address.
        var addresses = Set(machine.boards.map(\.address))
        addresses.formUnion(machine.bmpPlaces.map(\.address))
        #expect(addresses.count == machine.boards.count + machine.bmpPlaces.count)
    }

    @Test(arguments: [
        (0, 1), (1, 0), (-1, 1), (2049, 1), (1, 2049), (33, 63), (Int.max, 1), (Int.max, Int.max), (1 << 40, 1 << 40),
    ])
    func sizesThatCanNotBe(width: Int, height: Int) {
        #expect(throws: VirtualMachineError.badSize(width: width, height: height)) {
            try VirtualMachine(VirtualMachineDescription(.triads(width: width, height: height)))
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, -1e-9, 1000.1]) func timeScalesThatCanNotBe(scale: Double) {
        #expect(throws: VirtualMachineError.self) {
            try VirtualMachine(VirtualMachineDescription(.spinn3, bootTimeScale: scale))
        }
    }

    @Test func timeScalesAtTheirLimits() throws {
        for scale in [0.0, 1000] { _ = try VirtualMachine(VirtualMachineDescription(.spinn3, bootTimeScale: scale)) }
    }

    @Test func linksThatABlacklistForbidsAtEitherEnd() throws {
        let machine = try InMemoryMachine(.spinn5, isBooted: false)
        var list = ByteBuffer()
        Blacklist(entries: [Blacklist.Entry(chip: ChipID(5, 5), deadLinks: [.west, .north])]).write(into: &list)
        _ = try machine.ask(WriteSerialFlash(address: 0x100, data: list), at: .bmp(frame: 0))
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.boot()
        for (chip, link) in [(ChipID(5, 5), Link.west), (ChipID(4, 5), .east), (ChipID(5, 5), .north), (ChipID(5, 6), .south)] {
            let links = try machine.ask(GetChipInfo(), core: .monitor(of: chip)).workingLinks
            #expect(links >> link.rawValue & 1 == 0, "\(chip) \(link)")
        }
        #expect(try machine.ask(GetChipInfo(), core: CoreID(5, 5, 0)).workingLinks.nonzeroBitCount == 4)
    }

    @Test func aFactoryListNamesChipsAndLinks() throws {
        let faults = HardwareFaults(
            deadChips: [BoardChip(local: ChipID(4, 4))],
            deadLinks: [BoardChipLink(chip: BoardChip(local: ChipID(1, 0)), link: .north)])
        let machine = try InMemoryMachine(.spinn5, faults: faults, isBooted: false)
        var list = try machine.ask(ReadSerialFlash(address: 0x100, size: 256), at: .bmp(frame: 0)).bytes
        #expect(
            try Set(Blacklist(from: &list).entries) == [
                Blacklist.Entry(chip: ChipID(1, 0), deadLinks: [.north]),
                Blacklist.Entry(chip: ChipID(4, 4), deadPhysicalCores: 0x3FFFF),
            ])
    }

    @Test func boardsSayWhatTheyAre() throws {
        let machine = try InMemoryMachine(.triads(width: 1, height: 1))
        var macs: Set<UInt64> = []
        for board in UInt8(0)..<3 {
            let addresses = try machine.ask(GetBoardAddresses(), core: CoreID(0, 0, board), at: .bmp(frame: 0))
            #expect(addresses.spinnaker.hardwareVersion == 5)
            #expect(addresses.spinnaker.address == machine.machine.address(ofBoard: Int(board)))
            macs.formUnion([addresses.bmp.mac, addresses.spinnaker.mac])
        }
        #expect(macs.count == 6, "each has its own")
        let small = try InMemoryMachine(.spinn3)
        #expect(try small.ask(GetBoardAddresses(), at: .bmp(frame: 0)).spinnaker.hardwareVersion == 3)
        #expect(try small.ask(GetBoardSerial(), at: .bmp(frame: 0)).hardwareVersion == 3)
    }
}
