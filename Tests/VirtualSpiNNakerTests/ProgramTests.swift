//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// What runs on cores, and how messages reach it: specification §2.2 to §2.4 and §6.7.
@Suite("Programs and their messages", .timeLimit(.minutes(3)))
struct ProgramTests {
    private let machine: InMemoryMachine

    init() throws {
        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        description.timelines["simulation"] = .simulation
        self.machine = try InMemoryMachine(description)
        self.machine.boot()
    }

    // MARK: Messages

    private func datagram(_ header: SDPHeader, _ text: String = "text") -> ByteBuffer {
        var bytes = ByteBuffer()
        SDPMessage(header: header, data: ByteBuffer(string: text)).writeDatagram(into: &bytes)
        return bytes
    }

    /// Ports of a core 0 other than 0, and its errors' sequence and payload.
    @Test(arguments: [UInt8(1), 2, 6, 7]) func portsOfTheMonitor(port: UInt8) throws {
        let reply = try #require(self.machine.raw(.version, to: CoreID(2, 2, 0), port: port, sequence: 0x1234))
        #expect(reply.result == .badPort && reply.sequence == 0x1234 && reply.payload.readableBytes == 0)
        #expect(reply.header.sourceChip == ChipID(2, 2) && reply.header.source == SDPAddress(port: port, cpu: 0))
    }

    @Test(arguments: [UInt8(18), 19, 30, 31]) func coresThatNoChipHas(core: UInt8) throws {
        #expect(self.machine.raw(.version, to: CoreID(0, 0, core))?.result == .badCPU)
        // Port 7 of core 31 is the Ethernet, where a message leaves by its own tag.
        let reply = self.machine.raw(.version, to: CoreID(0, 0, core), port: 7)
        #expect(core == 31 ? reply != nil : reply?.result == .badCPU)
    }

    /// A message for the Ethernet of another chip goes there, and leaves by a tag of that.
    @Test func aMessageLeavesByTheTagOfTheChipItNames() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: true))
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6002, strip: true), core: CoreID(3, 3, 0))
        func ports(_ chip: ChipID, _ flags: SDPFlags) -> [UInt16] {
            self.machine.send(
                self.datagram(SDPHeader(flags: flags, tag: 1, destination: .ethernet, destinationChip: chip))
            ).map(\.destination.port)
        }
        #expect(ports(.origin, .replyNotExpected) == [6001])
        #expect(ports(ChipID(3, 3), .replyNotExpected) == [6002])
        #expect(ports(ChipID(3, 3), SDPFlags(rawValue: 0x27)) == [6001], "without routing, here")
        #expect(ports(ChipID(0, 7), .replyNotExpected) == [], "no such chip, and nobody to tell")
    }

    /// What follows the header of a message shorter than that is nothing.
    @Test func aTagThatStripsAnEmptyMessage() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: true))
        let sent = self.machine.send(
            self.datagram(SDPHeader(flags: .replyNotExpected, tag: 1, destination: .ethernet, destinationChip: .origin), ""))
        #expect(sent.map(\.bytes.readableBytes) == [0])
    }

    @Test func beforeSCAMPRunsNobodyAnswers() throws {
        var description = VirtualMachineDescription(.spinn3, isPoweredAtStart: true)
        description.bootTimeScale = 1
        let machine = try InMemoryMachine(description)
        machine.boot()
        machine.advance(by: .milliseconds(199))
        #expect(machine.raw(.version) == nil)
        machine.advance(by: .milliseconds(1))
        #expect(machine.raw(.version)?.result == .ok)
        #expect(try machine.read(0xF500_7F06, count: 1) == [0], "P2P is not up")
        machine.advance(by: .seconds(8))
        #expect(try machine.read(0xF500_7F06, count: 1) == [1])
    }

    /// The way home leads by the chip that took the request in: without its monitor there is none.
    @Test func repliesOfChipsWhoseHomeIsGone() throws {
        let machine = try InMemoryMachine(.triads(width: 1, height: 1))
        #expect(machine.raw(.count, 0, 15, to: CoreID(8, 4, 0), at: .board(0)) == nil)
        try machine.machine.inject(.monitorCrash(BoardChip(local: .origin)), now: machine.now)
        machine.advance(by: .milliseconds(20))
        #expect(machine.takeOutgoing().isEmpty)
        #expect(machine.raw(.version, at: .board(0)) == nil)
        #expect(machine.raw(.version, to: CoreID(8, 4, 0), at: .board(1))?.result == .ok)
    }

    @Test func versionsOfSARK() throws {
        let faults = HardwareFaults(deadCores: [BoardChip(local: ChipID(1, 0)): [2, 3]])
        let machine = try InMemoryMachine(.spinn5, faults: faults)
        let scamp = try machine.ask(GetVersion(), core: CoreID(1, 0, 0))
        let sark = try machine.ask(GetVersion(), core: CoreID(1, 0, 2))
        #expect(scamp.physicalCore == 1 && sark.physicalCore == 4 && sark.virtualCore == 2)
        #expect(sark.buildDate == scamp.buildDate + 1 && sark.chip == .origin)
        #expect(machine.raw(.version, to: CoreID(1, 0, 2), flags: .replyNotExpected) == nil)
    }

    // MARK: Serial ROM

    /// The read command of SPI memories, with its address in the command word or behind it.
    @Test func theSerialROMIsReadByItsCommands() throws {
        func read(_ a: UInt32, _ b: UInt32) -> [UInt8]? {
            self.machine.raw(.serialROM, a, b).map { Array($0.payload.readableBytesView) }
        }
        let all = try #require(read(32 << 16 | 32, 3 << 24))
        #expect(read(4 << 16 | 32, 3 << 24 | 8) == Array(all[8..<12]), "24 bits of address")
        #expect(read(4 << 16 | 24, 3 << 24 | 8 << 8) == Array(all[8..<12]), "16 bits, in a word of 24")
        #expect(read(4 << 16 | 32, 5 << 24) == [255, 255, 255, 255], "a status is not read")
        #expect(read(256 << 16 | 32, 3 << 24)?.count == 256)
        #expect(read(8 << 16 | 1 << 8 | 32, 2 << 24) == [], "a write")
    }

    // MARK: Built-in programs

    @Test func aSourceSendsWhatItIsToldTo() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: true))
        func keys(_ perPacket: UInt8, packets: UInt32, milliseconds: Int64) throws -> [[UInt32]] {
            try self.machine.start(
                .spikeSource(tag: 1, intervalMicroseconds: 1000, perPacket: perPacket, packets: packets, firstKey: .max),
                cores: [2])
            self.machine.advance(by: .milliseconds(milliseconds))
            defer { self.machine.signal(.stop) }
            return try self.machine.takeOutgoing().map { try EIEIODataMessage(datagram: $0.bytes).elements.map(\.key) }
        }
        #expect(try keys(2, packets: 2, milliseconds: 10) == [[.max, 0], [1, 2]], "keys go round")
        #expect(try keys(0, packets: 1, milliseconds: 10) == [[.max]], "one at the least")
        #expect(try keys(255, packets: 1, milliseconds: 10).map(\.count) == [63], "as many as a message takes")
        #expect(try keys(1, packets: 0, milliseconds: 10).count == 10, "for ever")
    }

    @Test func aPausedSourceIsSilentAndCountsWhatItSent() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: true))
        try self.machine.start(
            .spikeSource(tag: 1, intervalMicroseconds: 1000, perPacket: 1, packets: 0, firstKey: 0), cores: [2])
        self.machine.advance(by: .milliseconds(3))
        self.machine.signal(.pause)
        self.machine.advance(by: .milliseconds(5))
        #expect(self.machine.takeOutgoing().count == 3)
        #expect(try self.machine.user(2, core: 2) == 3)
        self.machine.signal(.continue)
        self.machine.advance(by: .milliseconds(2))
        #expect(self.machine.takeOutgoing().count == 2)
    }

    @Test func aPausedSinkAndAPausedEchoHearNothing() throws {
        try self.machine.start(.spikeSink, cores: [3])
        try self.machine.start(.sdpEcho, id: 31, cores: [4])
        func spike() {
            var writer = EIEIODataWriter(EIEIODataHeader(.key32))
            #expect((try? writer.append(key: 5)) == true)
            var bytes = ByteBuffer()
            SDPMessage(
                header: SDPHeader(
                    flags: .replyNotExpected, destination: SDPAddress(port: 1, cpu: 3), destinationChip: .origin),
                data: writer.finish()
            ).writeDatagram(into: &bytes)
            self.machine.send(bytes)
        }
        func echo(_ port: UInt8) -> SCPReply? { self.machine.raw(SCPCommand(rawValue: 7), to: CoreID(0, 0, 4), port: port) }
        spike()
        #expect(echo(1) != nil)
        for id in [30, 31] as [UInt8] { self.machine.signal(.pause, id: id) }
        spike()
        #expect(echo(1) == nil && echo(7) == nil)
        #expect(try self.machine.user(2, core: 3) == 1 && self.machine.state(4) == .paused)
        for id in [30, 31] as [UInt8] { self.machine.signal(.continue, id: id) }
        spike()
        #expect(try self.machine.user(2, core: 3) == 2 && self.machine.user(3, core: 3) == 2)
        #expect(echo(3) == nil, "a port that it does not know")
        // Port 2 sends by tag 1, whatever tag the message came with.
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: false))
        let sent = self.machine.send(
            self.datagram(
                SDPHeader(
                    flags: .replyNotExpected, tag: 5, destination: SDPAddress(port: 2, cpu: 4), destinationChip: .origin)))
        #expect(sent.map(\.destination.port) == [6001])
        #expect(try SDPMessage(datagram: try #require(sent.first).bytes).header.source == SDPAddress(port: 2, cpu: 4))
    }

    @Test func aWriterWithoutMemoryFails() throws {
        try self.machine.start(.memoryWriter(size: 10, tag: 4, word: 0x0707_0707), cores: [1])
        let block = try self.machine.user(2, core: 1)
        #expect(try self.machine.read(block, count: 12) == Array(repeating: 7, count: 8) + [0, 0, 0, 0], "whole words")
        for (size, tag) in [(UInt32(10), UInt8(4)), (0x0800_0000, 5)] {
            try self.machine.start(.memoryWriter(size: size, tag: tag, word: 1), cores: [2])
            #expect(try self.machine.state(2) == .runTimeException)
            #expect(try self.machine.read(0xE500_7100 + 44, count: 1) == [10], "malloc")
        }
    }

    // MARK: Binaries that nobody executes

    private func control<R: SimulationRequest>(_ request: R, sequence: UInt16 = 1) -> SCPReply? {
        self.machine.reply(to: SCPPacket(simulation: request, to: CoreID(0, 0, 1), sequence: sequence))
    }
    private func time() -> UInt32? {
        let reply = self.control(GetSimulationTime(), sequence: 77)
        return reply?.payload.getInteger(at: reply?.payload.readerIndex ?? 0, endianness: .little)
    }
    private func startSimulation() throws {
        try self.machine.start(image: Array("xxxxsimulation".utf8) + [0, 0], cores: [1])
        #expect(try self.machine.state(1) == .paused)
    }

    @Test func aRunEndsAtItsTimeAndAnotherTakesItUp() throws {
        try self.startSimulation()
        #expect(self.time() == 0)
        #expect(self.control(SetRunTime(end: 50, now: 20))?.result == .ok)
        #expect(self.time() == 20, "as the host counts")
        self.machine.signal(.sync0)
        self.machine.advance(by: .milliseconds(10))
        #expect(self.time() == 30)
        // A host pauses it, and the end of that run is none of the next one's.
        #expect(self.control(PauseSimulation())?.result == .ok)
        self.machine.advance(by: .milliseconds(5))
        #expect(try self.time() == 30 && self.machine.state(1) == .paused)
        #expect(self.control(SetRunTime(end: 100, now: 30))?.result == .ok)
        self.machine.signal(.sync1)
        self.machine.advance(by: .milliseconds(20))
        #expect(try self.time() == 50 && self.machine.state(1) == .running)
        self.machine.advance(by: .milliseconds(50))
        #expect(try self.machine.state(1) == .paused)
        #expect(self.time() == 100)
        self.machine.advance(by: .seconds(1))
        #expect(self.time() == 100)
    }

    @Test func aRunWithoutEndIsPausedByTheHost() throws {
        try self.startSimulation()
        #expect(self.control(SetRunTime(end: 5, isInfinite: true, now: 0))?.result == .ok)
        self.machine.signal(.sync0)
        self.machine.advance(by: .seconds(3600))
        #expect(try self.machine.state(1) == .running && self.time() == 3_600_000)
    }

    /// SYNC0 lets a second run's barrier wait for SYNC1, and a pause between is one.
    @Test func aPausedCoreIsNotPausedAgainByItsRun() throws {
        try self.startSimulation()
        #expect(self.control(SetRunTime(end: 50, now: 0))?.result == .ok)
        self.machine.signal(.sync0)
        self.machine.signal(.pause)
        let events = Recorder()
        self.machine.machine.observer = { events.append($0) }
        self.machine.advance(by: .milliseconds(100))
        #expect(events.all.isEmpty, "paused it was")
    }

    /// Stop, and the end after provenance: nobody is left to answer. Commands that it does not know change nothing.
    @Test(arguments: [(UInt16(6), true), (8, true), (5, false), (12, false)]) func whatEndsASimulation(
        command: UInt16, isOver: Bool
    ) throws {
        try self.startSimulation()
        #expect(self.machine.raw(SCPCommand(rawValue: command), to: CoreID(0, 0, 1), port: 3) == nil)
        #expect(try self.machine.state(1) == (isOver ? .finished : .paused))
    }

    /// Scripts end where a host takes over.
    @Test func aScriptEndsWhereAHostTakesOver() throws {
        try self.machine.start(image: [9, 9, 9, 9], cores: [1])
        #expect(try self.machine.state(1) == .running)
        #expect(self.control(SetRunTime(end: 5000, now: 0))?.result == .ok)
        self.machine.signal(.sync0)
        self.machine.advance(by: .milliseconds(2000))
        #expect(try self.machine.state(1) == .running, "the standard script would have finished it after a second")
    }

    @Test func replyFlagsOfSimulationCommands() throws {
        try self.startSimulation()
        func send(_ request: some SimulationRequest) -> Int {
            var packet = SCPPacket(simulation: request, to: CoreID(0, 0, 1), sequence: 9)
            packet.header.flags = .replyNotExpected
            var bytes = ByteBuffer()
            packet.writeDatagram(into: &bytes)
            return self.machine.send(bytes).count
        }
        #expect(send(GetSimulationTime()) == 0 && send(PauseSimulation()) == 0)
        #expect(send(ClearIOBUF()) == 0)
        #expect(try self.machine.iobuf(core: 1) == "")
    }

    // MARK: Images

    /// Names of 3 to 15 letters before a time of this age, NUL padded; nothing else is SARK's build header.
    @Test(
        arguments: [
            ("abc", UInt32(1_700_000_000), "abc"), ("ab", 1_700_000_000, nil),
            ("abcdefghijklmno", 1_700_000_000, "abcdefghijklmno"),
            ("abcdefghijklmnop", 1_700_000_000, nil), ("name", 1_262_304_000, "name"), ("name", 1_262_303_999, nil),
            ("name", 2_524_608_000, "name"), ("name", 2_524_608_001, nil), ("na me", 1_700_000_000, nil),
            ("_x-9", 1_700_000_000, "_x-9"),
        ] as [(String, UInt32, String?)]) func buildHeaders(name: String, time: UInt32, found: String?)
    {
        var image = ByteBuffer(repeating: 0xE1, count: 64)
        image.writeRepeatingByte(0, count: 4)
        image.writeString(name)
        image.writeRepeatingByte(0, count: 4 - name.utf8.count % 4)
        image.writeInteger(time, endianness: .little)
        image.writeRepeatingByte(0xE1, count: 8)
        #expect(APLXImage.buildName(in: image) == found)
    }

    @Test(
        arguments: [
            ([2, 0, 32, 100, 4, 0, 0, 0], 132), ([1, 0, 0, 9, 2, 0, 32, 100, 4, 0, 0, 0], 148),
            ([3, 0, 9, 9, 2, 0, 32, 4, 4, 0, 0, 0], 52),
            // 96 KiB are the most.
            ([2, 0, 32, 98272, 4, 0, 0, 0], 98304), ([2, 0, 32, 98273, 4, 0, 0, 0], nil), ([4, 0, 0, 0], nil),
            ([2, 0, 32], nil),
            ([0, 0, 0, 0], nil), ([2, 0, UInt32.max, .max, 4, 0, 0, 0], nil),
        ] as [([UInt32], Int?)]) func sizesOfImages(words: [UInt32], size: Int?)
    {
        var header = ByteBuffer()
        for word in words { header.writeInteger(word, endianness: .little) }
        #expect(APLXImage.size(header: header) == size)
    }

    // MARK: The network

    @Test func delaysAreWithinTheirLimits() {
        var random = SeededGenerator(seed: 4)
        let faults = NetworkFaults(
            duplicate: 1, reorder: 0.5, latency: .milliseconds(5), jitter: .milliseconds(3), reorderDelay: .milliseconds(100))
        var delays: [Int64] = []
        var pairs = 0
        for number in 1...500 {
            let copies = faults.delays(ofDatagram: number, using: &random)
            #expect(copies.count == 2)
            pairs += copies[0] == copies[1] ? 1 : 0
            delays += copies.map { $0.nanoseconds / 1_000_000 }
        }
        #expect(pairs < 50, "each copy has a delay of its own")
        #expect(delays.allSatisfy { (5...8).contains($0) || (105...108).contains($0) })
        for range in [5...5, 7...7, 105...105, 107...107] { #expect(delays.contains { range.contains(Int($0)) }) }
    }
}
