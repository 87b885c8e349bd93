//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Specification §8.1, lower half: loading, life cycle, signals, counts.
@Suite("SC&MP: applications", .timeLimit(.minutes(3)))
struct ApplicationTests {
    private let machine: InMemoryMachine

    init() throws { self.machine = try InMemoryMachine(.spinn5) }

    private func count(_ id: UInt8, _ state: CoreState, at chip: ChipID = .origin) throws -> UInt32 {
        try self.machine.ask(
            CountCores(application: id, state: state), core: .monitor(of: chip), patience: .milliseconds(10)
        ).count
    }
    private func isMasked(_ reply: SCPReply?) -> Bool { reply?.result == .ok && reply?.payload.readableBytes == 0 }

    // MARK: Start

    @Test func waitStartRunFinish() throws {
        try self.machine.writeWord(0xFEED, to: 0xE500_7080 + 112)
        try self.machine.start(image: Array(repeating: 0xEA, count: 256), cores: [1, 2, 17], wait: true)
        #expect(try self.machine.state(1) == .ready)
        #expect(try self.machine.state(3) == .idle)
        #expect(try self.count(30, .ready) == 3)
        #expect(try self.machine.user(0, core: 1) == 0xFEED, "user words survive the start")
        self.machine.signal(.start)
        #expect(try self.count(30, .running) == 3)
        #expect(try self.machine.iobuf(core: 2) == "loaded\n")
        self.machine.advance(by: .milliseconds(1000))
        #expect(try self.count(30, .finished) == 3)
        let info = try self.machine.ask(GetChipInfo())
        #expect(info.coreStates[1] == .finished && info.coreStates[4] == .idle)
    }

    @Test func theApplicationTable() throws {
        try self.machine.start(image: [1, 2, 3, 4], id: 40, cores: [3, 5], wait: true)
        let table = try self.machine.readWord(0xF500_7FE4)
        #expect(try self.machine.read(table + 8 * 40, count: 8) == [2, 0, 0, 3, 0b10_1000, 0, 0, 0])
        self.machine.signal(.stop, id: 40)
        #expect(try self.machine.read(table + 8 * 40, count: 8) == [0, 1, 0, 3, 0b10_1000, 0, 0, 0], "the mask stays")
    }

    @Test func whatIsRefused() throws {
        try self.machine.write([1, 2, 3, 4], to: 0x6780_0000)
        #expect(self.isMasked(self.machine.raw(.applicationRun, 30 << 24 | 0b11)))
        #expect(try self.machine.state(1) == .idle)
        #expect(self.isMasked(self.machine.raw(.applicationCopyRun, 6, 4, 30 << 24 | 2)))
        #expect(self.isMasked(self.machine.raw(.applicationCopyRun, 0, 5, 30 << 24 | 2)))
        #expect(self.isMasked(self.machine.raw(.applicationCopyRun, 3, 4, 30 << 24 | 2)), "no chip in the west")
        #expect(self.isMasked(self.machine.raw(.applicationCopyRun, 0, 0xFFFF_FFFC, 30 << 24 | 2)))
        // Bits without a core do nothing.
        #expect(self.machine.raw(.applicationRun, 30 << 24 | 1 << 17, to: CoreID(3, 3, 0))?.result == .ok)
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(3, 3, 0)).coreStates[17] == .dead)
    }

    @Test func copyAndRunFromTheNeighbour() throws {
        let image = ByteBuffer(bytes: VirtualApplication.succeed(result: 77).image)
        try self.machine.write(Array(image.readableBytesView), to: 0x6780_0000)
        let sum = CopyAndRunApplication.checksum(of: image)
        let size = UInt32(image.readableBytes)
        let start = UInt32(30 << 24 | 0b110)
        let east = CoreID(1, 0, 0)
        let wrong = try #require(self.machine.raw(.applicationCopyRun, (sum ^ 1) << 3 | 3, size, start, to: east))
        #expect(wrong.result == .ok && wrong.payload.readableBytes == 4, "RC_SUM, masked, with the sum")
        #expect(try self.machine.state(1, on: ChipID(1, 0)) == .idle)
        #expect(self.machine.raw(.applicationCopyRun, sum << 3 | 3, size, start, to: east)?.result == .ok)
        #expect(try self.machine.state(1, on: ChipID(1, 0)) == .finished)
        #expect(try self.machine.user(0, core: 2, on: ChipID(1, 0)) == 77)
        // A mask of nothing only copies.
        #expect(self.machine.raw(.applicationCopyRun, sum << 3 | 4, size, 0, to: CoreID(1, 1, 0))?.result == .ok)
        #expect(try self.machine.read(0x6780_0000, count: 8, core: CoreID(1, 1, 0)) == Array("VSPINAPP".utf8))
    }

    /// As SpiNNMan loads: level by level over the tree of INFO's parent links.
    @Test func aTreeLoadOfAllChips() throws {
        let image = ByteBuffer(bytes: VirtualApplication.barrierTest(barriers: 2).image)
        let sum = CopyAndRunApplication.checksum(of: image)
        try self.machine.write(Array(image.readableBytesView), to: 0x6780_0000)
        let mask: UInt32 = 0x1FFFE
        _ = self.machine.raw(.applicationRun, 50 << 24 | 1 << 18 | mask)
        for chip in BoardShape.spinn5.chips.sorted(by: { max($0.x, $0.y) < max($1.x, $1.y) }) where chip != .origin {
            let parent = try #require(try self.machine.ask(GetChipInfo(), core: .monitor(of: chip)).parentLink)
            let reply = self.machine.raw(
                .applicationCopyRun, sum << 3 | UInt32(parent.rawValue), UInt32(image.readableBytes), 50 << 24 | 1 << 18 | mask,
                to: .monitor(of: chip))
            #expect(reply?.result == .ok && reply?.payload.readableBytes == 0)
        }
        #expect(try self.count(50, .ready) == 48 * 16)
        self.machine.signal(.start, id: 50)
        #expect(try self.count(50, .sync0) == 48 * 16)
        self.machine.signal(.sync0, id: 50)
        self.machine.advance(by: .milliseconds(1))
        #expect(try self.count(50, .sync1) == 48 * 16)
        self.machine.signal(.sync1, id: 50)
        self.machine.advance(by: .milliseconds(1))
        #expect(try self.count(50, .finished) == 48 * 16)
        self.machine.signal(.stop, id: 50)
        #expect(try self.count(0, .idle) == 48 * 17 - 8)
    }

    // MARK: Signals

    @Test func masksSelectGroups() throws {
        for (core, id) in [(1, 0x10), (2, 0x13), (3, 0x18)] as [(UInt8, UInt8)] {
            try self.machine.start(image: [9, 9, 9, 9], id: id, cores: [core], wait: true)
        }
        self.machine.signal(.start, id: 0x10, mask: 0xF8)
        #expect(try self.machine.state(1) == .running)
        #expect(try self.machine.state(2) == .running)
        #expect(try self.machine.state(3) == .ready)
        self.machine.signal(.stop, id: 0x10, mask: 0xF8)
        #expect(try self.machine.state(2) == .idle)
        #expect(try self.machine.state(3) == .ready)
    }

    @Test func pauseContinueExit() throws {
        try self.machine.start(.spikeSink, cores: [4])
        self.machine.signal(.pause)
        #expect(try self.machine.state(4) == .paused)
        self.machine.signal(.continue)
        #expect(try self.machine.state(4) == .running)
        self.machine.signal(.exit)
        #expect(try self.machine.state(4) == .finished)
    }

    @Test func signalsThatAreRefusedHaveNoEffect() throws {
        try self.machine.start(image: [9, 9, 9, 9], cores: [1], wait: true)
        let data: UInt32 = 3 << 16 | 0xFF << 8 | 30
        #expect(self.isMasked(self.machine.raw(.signal, 0, data, to: CoreID(1, 1, 0))), "not the root")
        #expect(self.isMasked(self.machine.raw(.signal, 1, data)))
        #expect(self.isMasked(self.machine.raw(.signal, 3, data)))
        #expect(try self.machine.state(1) == .ready)
        // A nearest-neighbour signal may start anywhere.
        _ = self.machine.raw(.signal, 2, data, to: CoreID(7, 7, 0))
        #expect(try self.machine.state(1) == .running)
    }

    @Test func stopGivesEverythingBack() throws {
        try self.machine.start(.memoryWriter(size: 1000, tag: 9, word: 0xABCD), cores: [1])
        let block = try self.machine.user(2, core: 1)
        #expect(try self.machine.readWord(block + 996) == 0xABCD)
        #expect(try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 9)).word == block)
        _ = self.machine.raw(.allocate, 30 << 8 | 3, 100)
        try self.machine.start(.spikeSink, cores: [2])
        let systemBefore = try self.machine.heap(0x6784_0000).count
        try self.machine.start(image: [5, 5, 5, 5], cores: [3])
        #expect(try self.machine.heap(0x6784_0000).count == systemBefore + 1, "an IOBUF block")
        // As SpiNNMan stops: by a packet of its own.
        _ = self.machine.raw(
            .nearestNeighbourPacket, 0x3F << 16, 5 << 28 | 2 << 16 | 0xFF << 8 | 30, 1 << 31 | 0x3F << 8,
            to: CoreID(255, 255, 0))
        #expect(try self.machine.ask(GetSDRAMSpace()).free == 123_469_792)
        #expect(try self.machine.ask(GetTaggedSDRAM(application: 30, tag: 9)).word == 0)
        #expect(try self.machine.ask(GetChipInfo()).largestFreeRouterBlock == 1023)
        #expect(try self.machine.heap(0x6784_0000).count == systemBefore)
        #expect(try self.machine.state(1) == .idle)
        #expect(try self.machine.read(0xE500_7080 + 47, count: 1) == [0], "application 0")
    }

    @Test func powerDownAndRevive() throws {
        try self.machine.start(.spikeSink, cores: [6])
        self.machine.signal(.powerDown)
        #expect(try self.machine.state(6) == .poweredDown)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 6)) == nil)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 6))?.result == .timeout)
        // The core's application is 0 now: INIT for that one wakes it (and restarts all idle ones).
        self.machine.signal(.initialise, id: 0)
        #expect(try self.machine.state(6) == .idle)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 6))?.result == .ok)
    }

    // MARK: Errors

    @Test func aRunTimeError() throws {
        try self.machine.start(.runTimeError(code: 11), cores: [7])
        #expect(try self.machine.state(7) == .runTimeException)
        let vcpu = try self.machine.read(0xE500_7000 + 128 * 7, count: 128)
        #expect(Array(vcpu[0..<8]) == [0, 0, 0xDE, 0xC0, 1, 0, 0xDE, 0xC0])
        #expect(vcpu[44] == 11)
        #expect(String(decoding: vcpu[72..<80], as: UTF8.self) == "rte-test")
        #expect(try self.machine.iobuf(core: 7) == "about to fail with 11\n")
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 7)) == nil, "the first is swallowed")
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 7))?.result == .timeout)
    }

    @Test func sevenDeafCoresTakeAllBuffers() throws {
        try self.machine.start(.runTimeError(code: 1), cores: [1, 2, 3, 4, 5, 6, 7])
        for core in UInt8(1)...7 { #expect(self.machine.raw(.version, to: CoreID(0, 0, core)) == nil) }
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 8))?.result == .noBuffer)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 1))?.result == .timeout)
        #expect(self.machine.raw(.version, to: CoreID(1, 0, 8))?.result == .ok, "another chip's are its own")
    }

    @Test func theWatchdogFindsAHungCore() throws {
        var image = [UInt8](repeating: 0, count: 1024)
        image[384 + 0x0A] = 5
        image[384 + 0x43] = 3
        image[384 + 0x41] = 7
        let watched = try InMemoryMachine(.spinn5, isBooted: false)
        watched.boot(image: image)
        try watched.start(.hang, cores: [3])
        #expect(try watched.state(3) == .running)
        watched.advance(by: .milliseconds(1000))
        #expect(try watched.state(3) == .watchdog)

        try self.machine.start(.hang, cores: [3])
        self.machine.advance(by: .seconds(60))
        #expect(try self.machine.state(3) == .running, "SpiNNMan boots without a watchdog")
    }

    @Test func textLongerThanABlockAndHalfALine() throws {
        var image = [UInt8](repeating: 0, count: 1024)
        image[384 + 0x0A] = 5
        image[384 + 0x41] = 7
        // iobuf_size 16.
        image[384 + 0x50] = 16
        let small = try InMemoryMachine(.spinn5, isBooted: false)
        small.boot(image: image)
        try small.start(.runTimeError(code: 200), cores: [1])
        #expect(try small.iobuf(core: 1) == "about to fail with 200\n")
        let first = try small.readWord(0xE500_7080 + 88)
        #expect(try small.readWord(first + 12) == 16)
        #expect(try small.readWord(first) != 0)
    }

    @Test func theBeginningOfALineIsNotSeen() throws {
        try self.machine.start(.spikeSink, cores: [2])
        let chip = try #require((self.machine.machine.software as? NativeSystem)?.chip(0))
        let core = chip.core(2)
        core.print("one\ntw", now: self.machine.now)
        #expect(try self.machine.iobuf(core: 2) == "one\n")
        core.print("o\n", now: self.machine.now)
        #expect(try self.machine.iobuf(core: 2) == "one\ntwo\n")
    }

    // MARK: COUNT

    @Test func countsTakeTenMillisecondsAndOneAtATime() throws {
        #expect(self.machine.raw(.count, 0, 15, sequence: 1) == nil, "not at once")
        #expect(self.isMasked(self.machine.raw(.count, 0, 15, sequence: 2)), "RC_P2P_BUSY, masked")
        self.machine.advance(by: .milliseconds(10))
        let late = self.machine.takeOutgoing()
        #expect(late.count == 1)
        let reply = try SCPReply(datagram: try #require(late.first).bytes)
        #expect(reply.sequence == 1 && reply.payload.readableBytes == 12)
        #expect(reply.payload.getInteger(at: reply.payload.readerIndex, endianness: .little, as: UInt32.self) == UInt32(808))
        #expect(try self.count(0, .idle, at: ChipID(7, 3)) == 17, "alone")
    }

    @Test func aDeadChipMakesAPartialCount() throws {
        try self.machine.machine.inject(.monitorCrash(BoardChip(local: ChipID(4, 4))), now: self.machine.now)
        let reply = try #require(self.machine.raw(.count, 0, 15, patience: .milliseconds(10)))
        #expect(reply.result == .p2pNoReply && reply.payload.readableBytes == 4)
        #expect(reply.payload.getInteger(at: reply.payload.readerIndex, endianness: .little, as: UInt32.self) == UInt32(791))
    }

    // MARK: REMAP

    @Test func remapTakesACoreOut() throws {
        try self.machine.start(.spikeSink, cores: [5, 17])
        #expect(self.machine.raw(.remap, 5)?.result == .ok)
        let info = try self.machine.ask(GetChipInfo())
        #expect(info.workingCores == 17 && info.coreStates[17] == .dead && info.coreStates[5] == .idle)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 17))?.result == .badCPU)
        #expect(try self.machine.ask(GetVersion(), core: CoreID(0, 0, 5)).physicalCore == 6)
        #expect(try self.machine.read(0xF500_7F94, count: 7) == [1, 0, 2, 3, 4, 0xFF, 5])
        #expect(try self.machine.read(0xE500_7000 + 128 * 17, count: 128) == Array(repeating: 0, count: 128))
        for refused in [0, 19, 200] as [UInt32] { #expect(self.isMasked(self.machine.raw(.remap, refused))) }
        #expect(self.isMasked(self.machine.raw(.remap, 1, 1)), "physical 1 is the monitor")
        #expect(try self.machine.ask(GetChipInfo()).workingCores == 17)
        // Physical 5 is gone already.
        #expect(self.isMasked(self.machine.raw(.remap, 5, 1)))
    }

    // MARK: Flood fill

    private func fill(select: Bool, skipping: Int? = nil) throws {
        // Two blocks of four words.
        let image = VirtualApplication.succeed(result: 5).image + [0, 0, 0, 0]
        let id: UInt32 = 4
        _ = self.machine.raw(.nearestNeighbourPacket, 6 << 24 | id << 16 | 2 << 8, 0xFFFF, 1 << 31 | 0x3F << 8)
        if select { _ = self.machine.raw(.nearestNeighbourPacket, 7 << 24 | 0b10, 0xFFFF, 0x3F << 8) }
        for block in 0..<2 where block != skipping {
            let half = image.count / 2
            let words = UInt32(half / 4 - 1)
            _ = self.machine.raw(
                .floodFillData, 0x3F << 24 | 0x1E << 16 | id, UInt32(block) << 16 | words << 8,
                0x6780_0000 + UInt32(block * half), data: Array(image[(block * half)..<((block + 1) * half)]))
        }
        _ = self.machine.raw(.nearestNeighbourPacket, 15 << 24 | id, 60 << 24 | 0b100, 0x3F << 8)
    }

    @Test func aFillWithSelectionStartsEverywhere() throws {
        try self.fill(select: true)
        #expect(try self.count(60, .finished) == 48 * 2, "the end packet's core and the selected one")
        #expect(try self.machine.user(0, core: 1, on: ChipID(7, 7)) == 5)
    }

    @Test func aFillWithoutSelectionOnlyStores() throws {
        try self.fill(select: false)
        #expect(try self.count(60, .finished) == 0)
        #expect(try self.machine.read(0x6780_0000, count: 8, core: CoreID(7, 7, 0)) == Array("VSPINAPP".utf8))
    }

    @Test func aFillThatLacksABlockStartsNothing() throws {
        try self.fill(select: true, skipping: 1)
        #expect(try self.count(60, .finished) == 0)
    }

    /// Packet by packet, as nothing but a host's own words can make a sum that is wrong.
    @Test(arguments: [(UInt32(0), true), (1, false)]) func aFillWithAWrongSumStartsNothing(error: UInt32, starts: Bool) throws {
        let id: UInt32 = 4
        func send(_ key: UInt32, _ data: UInt32) {
            _ = self.machine.raw(.nearestNeighbourPacket, key, data, 0x3F << 8)
        }
        let words: [UInt32] = [0xEAEA_EAEA, 0x0BAD_CAFE]
        _ = self.machine.raw(.nearestNeighbourPacket, 6 << 24 | id << 16 | 1 << 8, 0xFFFF, 1 << 31 | 0x3F << 8)
        send(7 << 24 | 0b10, 0xFFFF)
        send(12 << 24 | UInt32(words.count - 1) << 8 | id, 0x6780_0000)
        for (index, word) in words.enumerated() { send(13 << 24 | UInt32(index) << 8 | id, word) }
        send(14 << 24 | id, 0 &- (words.reduce(0x6780_0000, &+) &+ error))
        send(15 << 24 | id, 60 << 24 | 0b100)
        #expect(try self.count(60, .running) == (starts ? 48 * 2 : 0))
        #expect(try self.machine.readWord(0x6780_0004, core: CoreID(7, 7, 0)) == (starts ? words[1] : 0))
    }

    // MARK: Simulation control

    @Test func aSimulationRunsAndPauses() throws {
        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        description.timelines["IF_curr_exp"] = .simulation
        let machine = try InMemoryMachine(description)
        machine.boot()
        try machine.start(image: Array(repeating: 1, count: 500) + Array("IF_curr_exp".utf8) + [0], cores: [1], wait: true)
        machine.signal(.start)
        #expect(try machine.state(1) == .paused)
        let name = try machine.read(0xE500_7080 + 72, count: 11)
        #expect(String(decoding: name, as: UTF8.self) == "IF_curr_exp")
        func control<R: SimulationRequest>(_ request: R, sequence: UInt16) -> SCPReply? {
            machine.reply(to: SCPPacket(simulation: request, to: CoreID(0, 0, 1), sequence: sequence))
        }
        #expect(control(SetRunTime(end: 100, now: 0), sequence: 1)?.result == .ok)
        #expect(try machine.state(1) == .sync0)
        machine.signal(.sync0)
        #expect(try machine.state(1) == .running)
        machine.advance(by: .milliseconds(40))
        let time = try #require(control(GetSimulationTime(), sequence: 2))
        #expect(time.payload.getInteger(at: time.payload.readerIndex, endianness: .little, as: UInt32.self) == 40)
        machine.advance(by: .milliseconds(60))
        #expect(try machine.state(1) == .paused)
        #expect(control(SetRunTime(end: 150, now: 100), sequence: 3)?.result == .ok)
        #expect(try machine.state(1) == .sync1, "barriers alternate")
        machine.signal(.sync1)
        #expect(control(PauseSimulation(), sequence: 4)?.result == .ok)
        #expect(try machine.state(1) == .paused)
        #expect(control(ClearIOBUF(), sequence: 5)?.result == .ok)
        #expect(try machine.iobuf(core: 1) == "")
        #expect(control(ExitSimulation(), sequence: 6) == nil)
        #expect(try machine.state(1) == .finished)
    }

    @Test func timelinesAreFollowed() throws {
        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        description.timeline = ApplicationTimeline([
            .init(.running), .init(after: .milliseconds(10), .sync0), .init(.running),
            .init(after: .milliseconds(5), .runTimeException),
        ])
        let machine = try InMemoryMachine(description)
        machine.boot()
        try machine.start(image: [1, 1, 1, 1], cores: [1])
        #expect(try machine.state(1) == .running)
        machine.advance(by: .milliseconds(10))
        #expect(try machine.state(1) == .sync0)
        machine.signal(.sync0)
        #expect(try machine.state(1) == .running)
        machine.advance(by: .milliseconds(5))
        #expect(try machine.state(1) == .runTimeException)
        // A restart forgets the script of the earlier program.
        try machine.start(image: [1, 1, 1, 1], cores: [1], wait: true)
        machine.advance(by: .seconds(1))
        #expect(try machine.state(1) == .ready)
    }

    /// An APLX binary: a table that copies what is behind it and executes, and SARK's build header among the constants.
    private func aplx(named name: String, time: UInt32 = 1_700_000_000, constants: String = "") -> [UInt8] {
        var body = [UInt8](repeating: 0xE1, count: 64)
        body += Array(constants.utf8) + [UInt8](repeating: 0, count: 4 - constants.utf8.count % 4)
        body += Array(name.utf8) + [UInt8](repeating: 0, count: 4 - name.utf8.count % 4)
        var image = ByteBuffer()
        // Copy, relative to this entry: to ITCM, from behind the table.
        for word in [2, 0, 32, UInt32(body.count) + 4, 4, 0, 0, 0] { image.writeInteger(word, endianness: .little) }
        image.writeBytes(body)
        image.writeInteger(time, endianness: .little)
        return Array(image.readableBytesView)
    }

    private func name(_ core: UInt8, in machine: InMemoryMachine) throws -> String {
        String(decoding: try machine.read(0xE500_7000 + 128 * UInt32(core) + 72, count: 16).prefix { $0 != 0 }, as: UTF8.self)
    }

    @Test func aBinaryIsKnownByTheNameItWasBuiltWith() throws {
        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        description.timelines["IF_curr_exp"] = ApplicationTimeline([.init(.paused)])
        description.timelines["spike_source"] = ApplicationTimeline([.init(.initialising)])
        let machine = try InMemoryMachine(description)
        machine.boot()
        // A text of another program is in it, before its own name.
        try machine.start(image: self.aplx(named: "IF_curr_exp", constants: "not spike_source"), cores: [1])
        #expect(try machine.state(1) == .paused)
        #expect(try self.name(1, in: machine) == "IF_curr_exp")
        // A shorter image over it: what is left of the first is behind its end, and not its own.
        let short = self.aplx(named: "a-b_3")
        try machine.start(image: short, cores: [2])
        #expect(try self.name(2, in: machine) == "a-b_3")
        #expect(try machine.state(2) == .running, "no timeline of its own: the standard one")
        // No time of a build behind it: the first text in the image that has a timeline.
        try machine.start(image: self.aplx(named: "other", time: 12, constants: "x spike_source"), cores: [3])
        #expect(try machine.state(3) == .initialising)
        #expect(try self.name(3, in: machine) == "spike_source")
    }

    @Test(
        arguments: [
            // A table without an end, an end beyond all memory, an unknown command, and a copy of nothing.
            [2, 0, 32, 8, 2, 0, 32, 8], [2, 0, 0xFFFF_FFFF, 0xFFFF_FFFF, 4, 0, 0, 0], [9, 0, 32, 8, 4, 0, 0, 0],
            [4, 0, 0, 0, 4, 0, 0, 0],
        ] as [[UInt32]])
    func aTableThatCannotBeIsNoName(words: [UInt32]) throws {
        let machine = try InMemoryMachine(VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true))
        machine.boot()
        try machine.start(
            image: words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }, cores: [1])
        #expect(try self.name(1, in: machine) == "app")
        #expect(try machine.state(1) == .running)
    }

    // MARK: Spikes

    @Test func spikesLeaveAndArrive() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 17895, strip: true))
        // On another chip of the board, out by its Ethernet chip.
        let source = VirtualApplication.spikeSource(
            tag: 1, intervalMicroseconds: 1000, perPacket: 3, packets: 4, firstKey: 0x500)
        try self.machine.start(source, cores: [2], on: ChipID(2, 2))
        self.machine.advance(by: .milliseconds(10))
        let sent = self.machine.takeOutgoing()
        #expect(sent.count == 4)
        #expect(sent.allSatisfy { $0.destination.port == 17895 && $0.endpoint == .board(0) })
        let keys = try sent.flatMap { try EIEIODataMessage(datagram: $0.bytes).elements.map(\.key) }
        #expect(keys == Array(0x500..<0x50C))
        #expect(try self.machine.state(2, on: ChipID(2, 2)) == .finished)

        try self.machine.start(.spikeSink, cores: [3])
        _ = try self.machine.ask(SetReverseIPTag(tag: 2, port: 12345, core: CoreID(0, 0, 3), sdpPort: 1))
        for datagram in sent { self.machine.send(datagram.bytes, port: 12345) }
        #expect(try self.machine.user(2, core: 3) == 4)
        #expect(try self.machine.user(3, core: 3) == 12)
        #expect(try self.machine.iobuf(core: 3).hasSuffix("4 packets, 12 keys\n"))
    }

    @Test func keysFromATable() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 17895, strip: true))
        let table = try self.machine.ask(AllocateSDRAM(size: 8, application: 30, tag: 202)).word
        try self.machine.writeWord(0xAAAA, to: table)
        try self.machine.writeWord(0xBBBB, to: table + 4)
        try self.machine.start(
            .spikeSource(tag: 1, intervalMicroseconds: 500, perPacket: 1, packets: 3, firstKey: 0), cores: [2])
        self.machine.advance(by: .milliseconds(5))
        let keys = try self.machine.takeOutgoing().flatMap { try EIEIODataMessage(datagram: $0.bytes).elements.map(\.key) }
        #expect(keys == [0xAAAA, 0xBBBB, 0xAAAA])
    }

    @Test func anEchoAnswersAndExits() throws {
        try self.machine.start(.sdpEcho, cores: [1], on: ChipID(4, 2))
        let core = CoreID(4, 2, 1)
        let echo = try #require(self.machine.raw(SCPCommand(rawValue: 7), 1, 2, 3, data: [9], to: core, port: 1))
        #expect(echo.header.sourceChip == ChipID(4, 2))
        #expect(echo.payload == ByteBuffer(bytes: [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9]))
        _ = self.machine.raw(SCPCommand(rawValue: 7), to: core, port: 7)
        #expect(try self.machine.state(1, on: ChipID(4, 2)) == .finished)
    }
}
