//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Specification §2.10, §2.12: an application core from start to stop.
@Suite("Application cores", .timeLimit(.minutes(3)))
struct CoreLifeTests {
    private let machine: InMemoryMachine

    init() throws { self.machine = try InMemoryMachine(.spinn5) }

    private func vcpu(_ core: UInt8, on chip: ChipID = .origin) throws -> [UInt8] {
        try self.machine.read(0xE500_7000 + 128 * UInt32(core), count: 128, core: .monitor(of: chip))
    }
    private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        bytes[at..<(at + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    private let opaque: [UInt8] = [9, 9, 9, 9]

    // MARK: Start

    /// Only bit 0 of the flags makes a core wait.
    @Test(arguments: [(UInt32(0), CoreState.running), (1, .ready), (2, .running), (0x3E, .running), (0x3F, .ready)])
    func theWaitFlag(flags: UInt32, state: CoreState) throws {
        try self.machine.write(self.opaque, to: 0x6780_0000)
        _ = self.machine.raw(.applicationRun, 30 << 24 | flags << 18 | 0b10)
        #expect(try self.machine.state(1) == state)
        // What the loader reads: words 4 and 5 of system RAM.
        #expect(try self.machine.readWord(0xE500_0010) == 0x6780_0000)
        #expect(try self.machine.readWord(0xE500_0014) == flags << 8 | 30)
    }

    @Test func anImageAnywhereMayBeStartedAndTheMonitorsBitIsIgnored() throws {
        try self.machine.write(VirtualApplication.succeed(result: 8).image, to: 0x6100_0000)
        _ = self.machine.raw(.applicationStart, 0x6100_0000, 30 << 24 | 0b11)
        #expect(try self.machine.state(1) == .finished && self.machine.state(0) == .running)
        #expect(try self.machine.user(0, core: 1) == 8)
    }

    @Test func aStartWritesTheVCPUBlock() throws {
        var image = [UInt8](repeating: 0, count: 512)
        image[384 + 0x0A] = 5
        image.replaceSubrange((384 + 0x1C)..<(384 + 0x20), with: [0, 0, 0, 0x60])
        let machine = try InMemoryMachine(.spinn5, isBooted: false)
        machine.boot(image: image)
        machine.advance(by: .seconds(100))
        try machine.write(Array(repeating: 0xFF, count: 128), to: 0xE500_7000 + 128 * 5)
        try machine.start(.spikeSink, cores: [5])
        let block = try machine.read(0xE500_7000 + 128 * 5, count: 128)
        #expect(block[45] == 5 && block[46] == CoreState.running.rawValue && block[47] == 30)
        #expect(self.word(block, 68) == 0x6000_0000 + 100, "when it was loaded")
        #expect(String(decoding: block[72..<88].prefix { $0 != 0 }, as: UTF8.self) == "spike-sink")
        #expect(self.word(block, 92) == 0x0004_0000)
        #expect(self.word(block, 0) == 0 && self.word(block, 64) == 0 && self.word(block, 96) == 0, "cleared")
        // The sink has set user2 and user3; the host's words before them stay.
        #expect(self.word(block, 112) == .max && self.word(block, 116) == .max && self.word(block, 120) == 0)
    }

    /// The image's sum has 29 bits, and 0 asks for no check.
    @Test func sumsOfCopiedImages() throws {
        // Words that sum to more than 29 bits.
        try self.machine.write([0, 0, 0, 0xF0, 4, 0, 0, 0x30], to: 0x6780_0000)
        let east = CoreID(1, 0, 0)
        func copy(_ sum: UInt32) -> Int? {
            self.machine.raw(.applicationCopyRun, sum << 3 | 3, 8, 30 << 24 | 0b10, to: east)?.payload.readableBytes
        }
        #expect(copy(0) == 0 && copy(4) == 0 && copy(5) == 4)
        #expect(try self.machine.readWord(0x6780_0004, core: east) == 0x3000_0004)
        // A chip that waits in its boot ROM, or is not there, has nothing to copy; sizes end with SDRAM.
        let events = Recorder()
        self.machine.machine.observer = { events.append($0) }
        for (word, size) in [(UInt32(3), UInt32(0x80_0004)), (5, 8)] {
            #expect(self.machine.raw(.applicationCopyRun, word, size, 30 << 24 | 0b10, to: east)?.payload.readableBytes == 0)
        }
        #expect(
            events.all == Array(repeating: .refused(board: 0, chip: ChipID(1, 0), result: .timeout), count: 2))
    }

    // MARK: Signals

    /// By the state before, what a signal makes of it.
    @Test(
        arguments: [
            ("ready", Signal.start, CoreState.running), ("ready", .exit, .ready), ("ready", .pause, .ready),
            ("ready", .continue, .ready),
            ("running", .start, .running), ("running", .pause, .paused), ("running", .continue, .running),
            ("running", .exit, .finished),
            ("paused", .pause, .paused), ("paused", .continue, .running), ("paused", .start, .paused),
            ("paused", .exit, .finished),
            ("finished", .start, .finished), ("finished", .continue, .finished), ("finished", .pause, .finished),
            ("failed", .start, .runTimeException), ("failed", .exit, .runTimeException), ("failed", .initialise, .idle),
            ("running", .powerDown, .poweredDown), ("running", .stop, .idle), ("running", .initialise, .idle),
            ("running", .timer, .running), ("running", .user0, .running), ("running", .sync0, .running),
        ] as [(String, Signal, CoreState)]) func signalsByState(before: String, signal: Signal, after: CoreState) throws
    {
        switch before {
        case "ready": try self.machine.start(.spikeSink, cores: [4], wait: true)
        case "failed": try self.machine.start(.runTimeError(code: 3), cores: [4])
        default:
            try self.machine.start(.spikeSink, cores: [4])
            if before == "paused" { self.machine.signal(.pause) }
            if before == "finished" { self.machine.signal(.exit) }
        }
        self.machine.signal(signal)
        #expect(try self.machine.state(4) == after)
        #expect(try self.machine.state(3) == .idle, "its neighbour runs nothing of that")
    }

    /// Signals go by SC&MP's own note, not by what a host writes over it.
    @Test func aHostsApplicationNumberChangesNoSignal() throws {
        try self.machine.start(.spikeSink, cores: [4])
        try self.machine.write([77], to: 0xE500_7000 + 128 * 4 + 47)
        self.machine.signal(.pause, id: 77)
        #expect(try self.machine.state(4) == .running)
        self.machine.signal(.pause)
        #expect(try self.machine.state(4) == .paused)
        #expect(try self.machine.ask(CountCores(application: 30, state: .paused), patience: .milliseconds(10)).count == 1)
        #expect(try self.machine.ask(CountCores(application: 77, state: .paused), patience: .milliseconds(10)).count == 0)
    }

    @Test func aSignalReachesNoChipWhoseMonitorIsDead() throws {
        try self.machine.start(.spikeSink, cores: [4], on: ChipID(1, 0), wait: true)
        try self.machine.machine.inject(.monitorCrash(BoardChip(local: ChipID(1, 0))), now: self.machine.now)
        self.machine.signal(.start)
        let vcpu = try self.machine.ask(ReadLink(address: 0xE500_7200, size: 128, link: .east)).bytes
        #expect(Array(vcpu.readableBytesView)[46] == CoreState.ready.rawValue)
    }

    @Test func stoppedCoresLeaveNothingBehind() throws {
        try self.machine.start(.hang, cores: [2])
        try self.machine.start(.barrierTest(barriers: 9), cores: [3])
        try self.machine.start(
            .spikeSource(tag: 1, intervalMicroseconds: 1000, perPacket: 1, packets: 0, firstKey: 0), cores: [4])
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 9, strip: true))
        self.machine.signal(.stop)
        self.machine.advance(by: .seconds(1))
        #expect(self.machine.takeOutgoing().isEmpty, "no timer of the old program")
        for core in UInt8(2)...4 {
            #expect(self.machine.raw(.version, to: CoreID(0, 0, core))?.result == .ok, "it answers again")
            #expect(try self.vcpu(core)[46...47] == [CoreState.idle.rawValue, 0])
        }
        self.machine.signal(.sync1, id: 0)
        #expect(try self.machine.state(3) == .idle, "waits at no barrier")
        // The stub lies where images are staged, over what was there.
        let staged = try self.machine.read(0x6780_0000, count: 32)
        #expect(staged.contains(0x76) == false && String(decoding: staged[8..<12], as: UTF8.self) == "sark")
    }

    @Test func aSignalForPoweredDownCoresFindsApplicationZero() throws {
        try self.machine.start(.spikeSink, cores: [6])
        self.machine.signal(.powerDown)
        #expect(try self.vcpu(6)[47] == 0)
        self.machine.signal(.initialise)
        #expect(try self.machine.state(6) == .poweredDown, "its application is 0 now")
        #expect(try self.machine.ask(CountCores(application: 0, state: .poweredDown), patience: .milliseconds(10)).count == 1)
    }

    // MARK: Barriers

    /// SYNC0 and SYNC1 by turns; the wrong one does nothing, and one that came early lets the core pass.
    @Test func barriersAlternate() throws {
        try self.machine.start(.barrierTest(barriers: 4), cores: [2])
        func step(_ signal: Signal) throws -> (CoreState, UInt32) {
            self.machine.signal(signal)
            self.machine.advance(by: .milliseconds(1))
            return (try self.machine.state(2), try self.machine.user(2, core: 2))
        }
        #expect(try self.machine.state(2) == .sync0)
        #expect(try step(.sync1) == (.sync0, 0))
        #expect(try step(.sync0) == (.sync1, 1))
        #expect(try step(.sync0) == (.sync1, 1))
        #expect(try step(.sync1) == (.sync0, 2))
        // Both in the millisecond of work between two barriers: the last one counts.
        self.machine.signal(.sync0)
        #expect(try self.machine.state(2) == .running)
        self.machine.signal(.sync1)
        self.machine.advance(by: .milliseconds(1))
        #expect(try self.machine.state(2) == .running && self.machine.user(2, core: 2) == 4, "passed without waiting")
        self.machine.advance(by: .milliseconds(1))
        #expect(try self.machine.state(2) == .finished)
    }

    @Test func aRestartBeginsAtTheFirstBarrier() throws {
        try self.machine.start(.barrierTest(barriers: 3), cores: [2])
        self.machine.signal(.sync0)
        self.machine.advance(by: .milliseconds(1))
        #expect(try self.machine.state(2) == .sync1)
        try self.machine.start(.barrierTest(barriers: 3), cores: [2])
        #expect(try self.machine.state(2) == .sync0)
    }

    @Test func aFailedOrFinishedCorePassesNoBarrier() throws {
        try self.machine.start(.barrierTest(barriers: 3), cores: [2, 3])
        self.machine.signal(.exit)
        #expect(try self.machine.state(2) == .finished)
        self.machine.signal(.sync0)
        self.machine.advance(by: .milliseconds(5))
        #expect(try self.machine.state(2) == .finished && self.machine.user(2, core: 2) == 0)
    }

    // MARK: Errors and text

    @Test func theRegistersOfAFailedCore() throws {
        try self.machine.start(.runTimeError(code: 8), cores: [7])
        let block = try self.vcpu(7)
        #expect((0..<8).map { self.word(block, 4 * $0) } == (0..<8).map { 0xC0DE_0000 + UInt32($0) })
        // Supervisor mode in psr, a stack in DTCM, code in ITCM.
        #expect(self.word(block, 32) & 0x1F == 0x1F && self.word(block, 36) >> 16 == 0x40 && self.word(block, 40) < 0x8000)
    }

    @Test func theWatchdogCountsInTurn() throws {
        func machine(tries: UInt8, chip: ChipID) throws -> (InMemoryMachine, NativeChip) {
            var image = [UInt8](repeating: 0, count: 512)
            (image[384 + 0x0A], image[384 + 0x41], image[384 + 0x43]) = (5, 7, tries)
            let machine = try InMemoryMachine(.spinn5, isBooted: false)
            machine.boot(image: image)
            try machine.start(.hang, cores: [3], on: chip)
            let native = (machine.machine.software as? NativeSystem)?.chip(0)?.machine.chip(at: chip)
            return (machine, try #require(native))
        }
        // One core every 10 ms: 17 others on a whole chip, 16 on one with 17 cores.
        for (tries, chip, milliseconds) in [(UInt8(3), ChipID.origin, Int64(510)), (1, .origin, 170), (2, ChipID(1, 1), 320)] {
            let (machine, native) = try machine(tries: tries, chip: chip)
            machine.advance(by: .milliseconds(milliseconds - 1))
            #expect(native.coreState(3) == .running)
            machine.advance(by: .milliseconds(1))
            #expect(native.coreState(3) == .watchdog)
        }
        // A restart in time.
        let (machine, native) = try machine(tries: 3, chip: .origin)
        machine.advance(by: .milliseconds(500))
        try machine.start(.spikeSink, cores: [3])
        machine.advance(by: .seconds(1))
        #expect(native.coreState(3) == .running)
    }

    @Test func textBelongsToTheApplicationAndHasATime() throws {
        self.machine.advance(by: .milliseconds(5250))
        try self.machine.start(image: self.opaque, id: 33, cores: [3])
        let block = try self.machine.readWord(0xE500_7000 + 128 * 3 + 88)
        #expect(try self.machine.readWord(block + 4) == 5, "Unix time, of a boot without one")
        #expect(try self.machine.readWord(block + 8) == 5250)
        #expect(
            try self.machine.heap(0x6784_0000).contains { $0.payload == block && $0.word == 0xFFFF_2100 && $0.size == 16400 })
    }

    /// A block is full exactly, one that is not ends with a newline or a NUL, and nothing is written without room.
    @Test func textAtTheEdgesOfABlock() throws {
        for (text, used) in [("12345678", [8]), ("12345678\n", [8, 1]), ("123456\n", [7]), ("abc\0d", [4]), ("abc", [0])] {
            var image = [UInt8](repeating: 0, count: 512)
            (image[384 + 0x0A], image[384 + 0x41], image[384 + 0x50]) = (5, 7, 8)
            let machine = try InMemoryMachine(.spinn3, isBooted: false)
            machine.boot(image: image)
            let chip = try #require((machine.machine.software as? NativeSystem)?.chip(0))
            chip.core(2).print(text, now: machine.now)
            var found: [Int] = []
            var block = try machine.readWord(0xE500_7000 + 128 * 2 + 88)
            while block != 0 {
                found.append(Int(try machine.readWord(block + 12)))
                block = try machine.readWord(block)
            }
            #expect(found == used, "\(text.debugDescription)")
        }
        // A host has written nonsense for the size.
        for size in [0, 1 << 20, UInt32.max] {
            let machine = try InMemoryMachine(.spinn3)
            try machine.writeWord(size, to: 0xF500_7F50)
            try machine.start(image: self.opaque, cores: [1])
            #expect(try machine.readWord(0xE500_7080 + 88) == 0)
        }
    }

    // MARK: Mailboxes

    @Test func messagesThatStayInMailboxesKeepTheirBuffers() throws {
        try self.machine.start(.runTimeError(code: 1), cores: [2, 5])
        for core in [UInt8(5), 2] { #expect(self.machine.raw(.version, to: CoreID(0, 0, core)) == nil) }
        let first: UInt32 = 0xE500_1118
        #expect(try self.word(self.vcpu(5), 48) == first && self.vcpu(5)[56] == 1)
        #expect(try self.word(self.vcpu(2), 48) == first + 292 && self.vcpu(2)[56] == 1)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 3))?.result == .ok)
        #expect(try self.vcpu(3)[56] == 0, "taken out at once")
        #expect(try self.word(self.vcpu(3), 48) == first + 584 && self.word(self.vcpu(3), 52) == first + 584)
        // Nobody who wants no answer is told.
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 2), flags: .replyNotExpected) == nil)
    }

    // MARK: REMAP

    @Test func coresAreRemappedByEitherNumber() throws {
        let chip = CoreID(4, 2, 0)
        let machine = try InMemoryMachine(.spinn5, faults: HardwareFaults(deadCores: [BoardChip(local: ChipID(4, 2)): [2]]))
        // Virtual 2 is physical 3 there.
        #expect(machine.raw(.remap, 2, 0, to: chip)?.result == .ok)
        func physical() throws -> [UInt8] { try machine.read(0xF500_7FA8, count: 18, core: chip) }
        #expect(try physical() == [1, 0] + (4...17) + [255, 255])
        // Bit 0 alone says that a number is physical.
        #expect(machine.raw(.remap, 2, 2, to: chip)?.result == .ok)
        #expect(try physical() == [1, 0] + (5...17) + [255, 255, 255])
        #expect(machine.raw(.remap, 17, 1, to: chip)?.result == .ok)
        #expect(try physical() == [1, 0] + (5...16) + [255, 255, 255, 255])
        let events = Recorder()
        machine.machine.observer = { events.append($0) }
        for (core, flags) in [(UInt32(18), UInt32(0)), (18, 1), (19, 0), (256 + 5, 0), (1, 1), (2, 1), (14, 0)] {
            #expect(machine.raw(.remap, core, flags, to: chip)?.payload.readableBytes == 0)
        }
        #expect(events.all.count == 7)
        #expect(try machine.ask(GetChipInfo(), core: chip).workingCores == 14)
    }

    @Test func allButTheMonitorMayGo() throws {
        for _ in 1..<18 { _ = self.machine.raw(.remap, 1) }
        #expect(try self.machine.ask(GetChipInfo()).workingCores == 1)
        #expect(self.machine.raw(.remap, 1)?.result == .ok)
        self.machine.signal(.stop, id: 0)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 1))?.result == .badCPU)
        #expect(try self.machine.ask(GetVersion()).virtualCore == 0)
    }

    // MARK: COUNT

    private func total(_ reply: SCPReply?) -> UInt32? {
        reply?.payload.getInteger(at: reply?.payload.readerIndex ?? 0, endianness: .little)
    }

    @Test func aCountAnswersWithTheRequestsOwnWords() throws {
        let reply = try #require(
            self.machine.raw(.count, 0, 15, 0xABCD, data: [1, 2, 3], patience: .milliseconds(10)))
        #expect(self.total(reply) == 808)
        #expect(Array(reply.payload.readableBytesView.dropFirst(4)) == [15, 0, 0, 0, 0xCD, 0xAB, 0, 0, 1, 2, 3])
        #expect(self.machine.raw(.count, 0, 15, patience: .milliseconds(10)) != nil, "another is taken once that is over")
        #expect(self.machine.raw(.count, 0, 15, flags: .replyNotExpected, patience: .milliseconds(20)) == nil)
        #expect(self.total(self.machine.raw(.count, 1 << 8, 15, patience: .milliseconds(10))) == 0, "a word, not a byte")
    }

    @Test func aChipThatCannotBeReachedIsMissed() throws {
        try self.machine.machine.inject(.p2pResult(BoardChip(local: ChipID(4, 4)), .p2pBusy), now: self.machine.now)
        let reply = try #require(self.machine.raw(.count, 0, 15, patience: .milliseconds(10)))
        #expect(reply.result == .p2pNoReply && self.total(reply) == 791)
    }

    /// Boards that lie across the edge of a torus count all their chips; where nothing wraps there is nothing behind the edge.
    @Test(arguments: [VirtualMachineDescription.Kind.triads(width: 1, height: 1), .triads(width: 1, height: 2)])
    func everyBoardOfATorusCountsItsOwn(kind: VirtualMachineDescription.Kind) throws {
        let machine = try InMemoryMachine(kind)
        for board in machine.machine.boards {
            let reply = machine.reply(
                to: CountCores(application: 0, state: .idle), core: CoreID(255, 255, 0), at: .board(board.number),
                patience: .milliseconds(10))
            // (255, 255) is the root, whoever is asked.
            #expect(self.total(reply) == 808)
            let x = 12 * board.coordinates.x + [0, 8, 4][board.coordinates.z]
            let y = 12 * board.coordinates.y + [0, 4, 8][board.coordinates.z]
            let own = machine.reply(
                to: CountCores(application: 0, state: .idle), core: CoreID(UInt8(x), UInt8(y), 0), at: .board(board.number),
                patience: .milliseconds(10))
            #expect(self.total(own) == 808, "\(board.coordinates)")
        }
    }
}
