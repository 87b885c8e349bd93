//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Specification §5 at its limits: what a BMP takes, refuses, and leaves alone.
@Suite("BMP at its limits", .timeLimit(.minutes(3)))
struct BMPEdgeTests {
    private let machine: InMemoryMachine
    private let bmp = MachineEndpoint.bmp(frame: 0)

    init() throws {
        self.machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
    }

    private func raw(
        _ command: SCPCommand, _ a: UInt32 = 0, _ b: UInt32 = 0, _ c: UInt32 = 0, data: [UInt8] = [], board: UInt8 = 0
    ) -> SCPReply? {
        self.machine.raw(command, a, b, c, data: data, to: CoreID(0, 0, board), at: self.bmp)
    }
    private func bytes(_ command: SCPCommand, _ a: UInt32, _ b: UInt32, _ c: UInt32 = 0, board: UInt8 = 0) -> [UInt8]? {
        self.raw(command, a, b, c, board: board).map { Array($0.payload.readableBytesView) }
    }
    private func word(_ reply: SCPReply?) -> UInt32? {
        reply?.payload.getInteger(at: reply?.payload.readerIndex ?? 0, endianness: .little)
    }

    // MARK: Framing

    /// The longest message that is taken, the shortest, and replies that need a tag.
    @Test func framesAtTheirLimits() throws {
        var bytes = ByteBuffer()
        SCPPacket(
            header: SDPHeader(destination: SDPAddress(port: 0, cpu: 0), destinationChip: .origin), command: .write, sequence: 1,
            arguments: SCPArguments(0x1000_0000, 256, 0), data: ByteBuffer(repeating: 1, count: 256)
        ).writeDatagram(into: &bytes)
        #expect(bytes.readableBytes == 282 && self.machine.send(bytes, to: self.bmp).count == 1)
        bytes.writeInteger(UInt8(0))
        #expect(self.machine.send(bytes, to: self.bmp).isEmpty)
        // 53 bytes of Ethernet frame are 11 of UDP.
        for (length, answers) in [(10, 0), (11, 1), (25, 1)] {
            let part = try #require(bytes.getSlice(at: 0, length: length))
            #expect(self.machine.send(part, to: self.bmp).count == answers, "\(length)")
        }
        #expect(self.machine.raw(.version, at: self.bmp, tag: 3) == nil, "a tag that is not set")
        #expect(self.raw(.version)?.result == .ok)
    }

    /// Nothing is answered without being asked for: not what is done, not what is refused.
    @Test func requestsWithoutAReply() throws {
        let requests: [(SCPCommand, UInt32, UInt8, UInt8)] = [
            (.version, 0, 0, 0), (SCPCommand(rawValue: 99), 0, 0, 0), (.version, 0, 23, 0), (.version, 0, 0, 3),
            (.bmpPower, 1, 0, 0), (.bmpInfo, 99, 0, 0),
        ]
        for (command, argument, board, port) in requests {
            _ = self.machine.raw(
                command, argument, 1, to: CoreID(0, 0, board), at: self.bmp, port: port, flags: .replyNotExpected)
        }
        self.machine.advance(by: .seconds(5))
        #expect(self.machine.takeOutgoing().isEmpty)
    }

    @Test func slotZeroAnswersThoughItsBoardIsGone() throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(
                .triads(width: 1, height: 1), faults: HardwareFaults(deadBoards: [BoardCoordinates(0, 0, 0)]),
                isPoweredAtStart: true))
        func result(_ command: SCPCommand, _ board: UInt8 = 0) -> SCPResult? {
            machine.raw(command, 0, 4, 0, to: CoreID(0, 0, board), at: self.bmp)?.result
        }
        #expect(result(.version) == .ok && result(.version, 1) == .ok)
        #expect(result(.bmpSerialFlash) == .badArgument && result(.linkRead) == nil)
        #expect(try machine.ask(GetCANStatus(), at: self.bmp).boards.prefix(4) == [0, 1, 1, 0])
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(machine.raw(.bmpPower, 1, 0xFFFF_FFFF, at: self.bmp)?.result == .ok, "no board of its own to wait for")
        machine.advance(by: .milliseconds(100))
        #expect((0..<3).map { machine.machine.isPowered(board: $0) } == [false, true, true])
    }

    @Test func eightUnansweredRequestsSilenceABMP() {
        for _ in 0..<8 { #expect(self.raw(.flashCopy) == nil) }
        #expect(self.raw(.version) == nil)
        self.machine.advance(by: .milliseconds(2560))
        #expect(self.raw(.version)?.result == .ok)
    }

    // MARK: Power

    @Test func powerOfNoBoardsAndOfOthers() throws {
        #expect(self.raw(.bmpPower, 0, 0)?.result == .ok)
        #expect(self.raw(.bmpPower, 0, 1 << 23)?.result == .ok, "an empty slot")
        #expect((0..<3).allSatisfy { self.machine.machine.isPowered(board: $0) })
        // The addressed board is not among those that come up: it need not wait for them.
        #expect(self.raw(.bmpPower, 1, 0b100)?.result == .ok)
        #expect(!self.machine.machine.isPowered(board: 2))
        self.machine.advance(by: .milliseconds(100))
        #expect(self.machine.machine.isPowered(board: 2))
        for state in [2, 3, 0xFFFF] as [UInt32] { #expect(self.raw(.bmpPower, state, 1)?.result == .badArgument) }
        #expect(self.machine.machine.isPowered(board: 0))
    }

    @Test func powerOffWaitsItsTurnToo() throws {
        #expect(self.raw(.bmpPower, 50 << 16, 0b111)?.result == .ok, "board 0 is off at once")
        func on() -> [Bool] { (0..<3).map { self.machine.machine.isPowered(board: $0) } }
        #expect(on() == [false, true, true])
        self.machine.advance(by: .milliseconds(50))
        #expect(on() == [false, false, true])
        self.machine.advance(by: .milliseconds(50))
        #expect(on() == [false, false, false])
        #expect((0..<3).map { self.machine.machine.leds(ofBoard: $0).bmp } == [0, 0, 0])
        // The answer of a board that waits comes when its own turn is over.
        let reply = self.machine.raw(
            .bmpPower, 50 << 16 | 1, 0b111, to: CoreID(0, 0, 2), at: self.bmp, patience: .milliseconds(199))
        #expect(reply == nil)
        self.machine.advance(by: .milliseconds(1))
        #expect(self.machine.takeOutgoing().count == 1 && on() == [true, true, true])
        #expect((0..<3).map { self.machine.machine.leds(ofBoard: $0).bmp } == [2, 2, 2])
    }

    // MARK: FPGAs

    @Test func registersAreWordsAndSeveralAtOnce() throws {
        #expect(self.raw(.linkWrite, 0x40010, 10, 1, data: Array(1...10))?.result == .ok)
        #expect(self.bytes(.linkRead, 0x40010, 12, 1) == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0], "whole words")
        #expect(self.bytes(.linkRead, 0x40012, 6, 1) == [1, 2, 3, 4, 0, 0], "from the word that it is in")
        _ = self.raw(.linkWrite, 0x40016, 4, 1, data: [9, 9, 9, 9])
        #expect(self.bytes(.linkRead, 0x40014, 4, 1) == [9, 9, 9, 9])
        #expect(self.raw(.linkWrite, 0x40010, 8, 1, data: [7])?.result == .ok)
        #expect(self.bytes(.linkRead, 0x40010, 8, 1) == [0, 0, 0, 0, 0, 0, 0, 0], "what is not sent is zero")
        for (size, fpga) in [(UInt32(257), UInt32(0)), (4, 3)] {
            #expect(self.raw(.linkWrite, 0x40010, size, fpga, data: [7, 7, 7, 7])?.result == .badArgument)
        }
        // At the end of all addresses it begins again.
        #expect(self.bytes(.linkRead, 0xFFFF_FFFC, 8, 0)?.count == 8)
        #expect(self.raw(.linkWrite, 0xFFFF_FFFC, 8, 0, data: [1, 1, 1, 1, 2, 2, 2, 2])?.result == .ok)
        #expect(self.bytes(.linkRead, 0xFFFF_FFFC, 4, 0) == [1, 1, 1, 1])
        // STOP by an address in the middle of its word.
        _ = self.raw(.linkWrite, FPGARegister.stop(bank: 0) + 2, 4, 2, data: [1, 0, 0, 0])
        #expect(self.bytes(.linkRead, FPGARegister.stop(bank: 0) + 3, 4, 2) == [1, 0, 0, 0])
    }

    @Test func theRegisterFileIsFiniteAndPowerEmptiesIt() throws {
        for address in UInt32(0)..<1024 { _ = self.raw(.linkWrite, 0x50000 + 4 * address, 4, 0, data: [1, 1, 1, 1]) }
        _ = self.raw(.linkWrite, 0x60000, 4, 0, data: [1, 1, 1, 1])
        #expect(self.bytes(.linkRead, 0x60000, 4, 0) == [0, 0, 0, 0], "no room")
        _ = self.raw(.linkWrite, 0x50000, 4, 0, data: [2, 2, 2, 2])
        #expect(self.bytes(.linkRead, 0x50000, 4, 0) == [2, 2, 2, 2], "what is there can be changed")
        self.machine.machine.setPower(true, board: 0, now: self.machine.now)
        #expect(self.bytes(.linkRead, 0x50000, 4, 0) == [0, 0, 0, 0])
    }

    /// Initialising and resetting the FPGAs opens their links; sending a piece of a bit-file does nothing that shows.
    @Test(arguments: [(UInt32(0), UInt32(0), UInt8(1)), (1, 0, 0), (2, 0, 0), (2, 2, 0)])
    func configuringFPGAs(operation: UInt32, parameter: UInt32, stopped: UInt8) throws {
        _ = self.raw(.linkWrite, FPGARegister.stop(bank: 1), 4, 0, data: [1, 0, 0, 0])
        #expect(self.raw(.xilinx, operation, parameter)?.result == .ok)
        #expect(self.bytes(.linkRead, FPGARegister.stop(bank: 1), 4, 0) == [stopped, 0, 0, 0])
        self.machine.machine.setPower(false, board: 0, now: self.machine.now)
        #expect(self.raw(.linkWrite, FPGARegister.stop(bank: 1), 4, 0, data: [1, 0, 0, 0]) == nil, "no power, no FPGAs")
    }

    /// A STOP that is set while a machine runs cuts what is on its way, and one that is lifted mends it.
    @Test func aStopCutsWhatRuns() throws {
        self.machine.boot()
        func result(_ x: UInt8, _ y: UInt8) -> SCPResult? { self.machine.raw(.version, to: CoreID(x, y, 0))?.result }
        // Board 2 lies north of board 0; its other neighbours are off the way.
        #expect(result(5, 8) == .ok)
        for bank in UInt32(0)...1 {
            for fpga in UInt32(0)...2 { _ = self.raw(.linkWrite, FPGARegister.stop(bank: bank), 4, fpga, data: [1, 0, 0, 0]) }
        }
        #expect(result(5, 8) == .p2pNoReply && result(4, 4) == .ok)
        for bank in UInt32(0)...1 {
            for fpga in UInt32(0)...2 { _ = self.raw(.linkWrite, FPGARegister.stop(bank: bank), 4, fpga, data: [0, 0, 0, 0]) }
        }
        #expect(result(5, 8) == .ok)
    }

    // MARK: Memory

    @Test func memoriesEndWhereTheyShould() throws {
        for (base, size) in [(UInt32(0x1000_0000), UInt32(0x8000)), (0x2007_C000, 0x8000)] {
            #expect(self.raw(.write, base + size - 4, 4, 0, data: [1, 2, 3, 4])?.result == .ok)
            #expect(self.bytes(.read, base + size - 4, 4) == [1, 2, 3, 4])
            _ = self.raw(.write, base + size - 2, 4, 0, data: [9, 9, 9, 9])
            #expect(self.bytes(.read, base + size - 4, 4) == [1, 2, 3, 4], "a write across the end is lost")
            #expect(self.bytes(.read, base + size - 2, 4) == [0, 0, 0, 0])
            _ = self.raw(.fill, base + size - 8, 0x0505_0505, 9)
            #expect(self.bytes(.read, base + size - 8, 8) == Array(repeating: 5, count: 8))
            _ = self.raw(.fill, base + size - 8, 0x0606_0606, 12)
            #expect(self.bytes(.read, base + size - 8, 8) == Array(repeating: 5, count: 8))
        }
        #expect(self.bytes(.read, 0x7_FFFC, 4) == [255, 255, 255, 255], "the last of the flash")
        #expect(self.bytes(.read, 0x7_FFFD, 4) == [0, 0, 0, 0])
        _ = self.raw(.write, 0x2000, 4, 0, data: [1, 1, 1, 1])
        #expect(self.bytes(.read, 0x2000, 4) == [255, 255, 255, 255], "flash is not written so")
        #expect(self.raw(.write, 0x1000_0000, 257, 0)?.result == .badArgument)
        #expect(self.raw(.write, 0x1000_0000, 4, 3)?.result == .badArgument)
        #expect(self.raw(.write, 0x1000_0000, 4, 2, data: [7])?.result == .ok)
        #expect(self.bytes(.read, 0x1000_0000, 4) == [7, 0, 0, 0])
    }

    /// Sectors: 4 KiB below 64 KiB, 32 KiB above; the first is the boot loader's.
    @Test(arguments: [
        (UInt32(0x1000), UInt32(0x2000), true), (0xF000, 0x10000, true), (0xF000, 0x18000, true), (0x10000, 0x18000, true),
        (0x78000, 0x80000, true), (0, 0x2000, false), (0x10000, 0x11000, false), (0x11000, 0x18000, false),
        (0x10000, 0x14000, false), (0x1800, 0x2000, false), (0x1000, 0x1800, false), (0x78000, 0x88000, false),
        (0x1000, 0xFFFF_F000, false),
    ]) func flashIsErasedBySectors(start: UInt32, end: UInt32, isDone: Bool) throws {
        for offset in [start, end &- 256] where offset >= 0x1000 && offset < 0x80000 {
            _ = self.raw(.fill, 0x1000_0000, 0x0A0A_0A0A, 256)
            #expect(self.raw(.flashWrite, offset & ~0xFF, 256, 0)?.result == .ok)
        }
        let reply = try #require(self.raw(.flashErase, start, end))
        #expect((reply.result == .ok) == isDone)
        #expect(self.word(reply) == (isDone ? 0x1000_0000 : 7), "the buffer's address, or why not")
        guard start >= 0x1000 else { return }
        #expect(self.bytes(.read, start & ~0xFF, 1) == [isDone ? 255 : 10])
    }

    @Test(arguments: [
        (UInt32(0x2000), UInt32(256), true), (0x2100, 512, true), (0x2000, 1024, true), (0x2000, 4096, true),
        (0x7F000, 4096, true),
        (0x7_FF00, 256, true), (0x2000, 768, false), (0x2000, 2048, false), (0x2000, 0, false), (0x2010, 256, false),
        (0x0F00, 256, false), (0x7_FF00, 512, false), (0xFFFF_FF00, 256, false),
    ]) func flashIsProgrammedFromTheBuffer(address: UInt32, size: UInt32, isDone: Bool) throws {
        _ = self.raw(.fill, 0x1000_0000, 0x0A0A_0A0A, 4096)
        #expect(self.raw(.flashWrite, address, size, 0)?.result == (isDone ? .ok : .badArgument))
        guard isDone else { return }
        #expect(self.bytes(.read, address, 1) == [10] && self.bytes(.read, address + size - 1, 1) == [10])
        if address + size < 0x80000 { #expect(self.bytes(.read, address + size, 1) == [255]) }
    }

    /// With the erase flag the whole sector goes first: 4 KiB below 64 KiB, 32 above.
    @Test func programmingErasesTheSectorWhenAsked() throws {
        func program(_ address: UInt32, erase: UInt32) { _ = self.raw(.flashWrite, address, 256, erase) }
        func isWritten(_ address: UInt32) -> Bool { self.bytes(.read, address, 1) == [10] }
        _ = self.raw(.fill, 0x1000_0000, 0x0A0A_0A0A, 256)
        for address in [0x2000, 0x2F00, 0x3000, 0x10000, 0x17F00, 0x18000] as [UInt32] { program(address, erase: 0) }
        program(0x2100, erase: 0)
        #expect(isWritten(0x2000) && isWritten(0x2100))
        program(0x2200, erase: 1)
        #expect([0x2000, 0x2100, 0x2200, 0x2F00, 0x3000].map { isWritten($0) } == [false, false, true, false, true])
        program(0x12000, erase: 1)
        #expect([0x10000, 0x12000, 0x17F00, 0x18000].map { isWritten($0) } == [false, true, false, true])
    }

    @Test func theBackplanesMemory() throws {
        #expect(self.raw(.bmpEEPROM, 254, 4, 1, data: [1, 2, 3, 4])?.result == .ok)
        #expect(self.bytes(.bmpEEPROM, 252, 6, 0) == [255, 255, 1, 2, 255, 255], "256 bytes")
        #expect(self.raw(.bmpEEPROM, 0, 257, 0)?.result == .badArgument)
        #expect(self.raw(.bmpEEPROM, 0, 4, 1, data: [5])?.result == .ok)
        #expect(self.bytes(.bmpInfo, 1, 0).map { Array($0.prefix(5)) } == [5, 0, 0, 0, 255])
        #expect(self.raw(.bmpEEPROM, 0xFFFF_FFFF, 256, 1, data: [1])?.result == .ok, "harmless")
        #expect(self.raw(.i2c, 0, 0, 256)?.result == .ok && self.raw(.i2c, 0, 0, 257)?.result == .badArgument)
        #expect(self.raw(.i2c, 0, 0, 4, board: 1)?.result == .badArgument, "not the controller")
    }

    @Test func sensorsOfABoardThatIsOff() throws {
        func status() throws -> BoardStatus { try self.machine.ask(GetBoardStatus(), core: CoreID(0, 0, 1), at: self.bmp) }
        #expect(try status().voltage1V2a > 1.1)
        self.machine.machine.setPower(false, board: 1, now: self.machine.now)
        #expect(try status().voltage1V2a == 0 && status().voltage1V8 == 0)
        #expect(try abs(status().voltageSupply - 12) < 0.1, "its supply is there")
    }

    @Test func addressesByFrameAndSlot() throws {
        let machine = try InMemoryMachine(VirtualMachineDescription(.triads(width: 3, height: 3), base: 9))
        for (frame, slot, octet) in [(0, UInt8(0), UInt8(8)), (0, 23, 192), (1, 2, 24)] {
            let addresses = try machine.ask(GetBoardAddresses(), core: CoreID(0, 0, slot), at: .bmp(frame: frame))
            #expect(addresses.bmp.address == IPv4Address(127, 9, UInt8(frame), octet))
            #expect(addresses.spinnaker.address == IPv4Address(127, 9, UInt8(frame), octet + 1))
        }
    }

    // MARK: Tags

    @Test func tagsOfABMP() throws {
        func tag(_ a: UInt32, _ b: UInt32 = 0) -> UInt32? { self.word(self.raw(.ipTag, a, b, IPv4Address.loopback.wireWord)) }
        #expect((0..<8).map { _ in tag(0, 5000) } == [9, 10, 11, 12, 13, 14, 15, 255])
        self.machine.advance(by: .seconds(3))
        #expect(tag(1 << 16 | 9, 5000) == 9)
        func isSet(_ number: UInt32) -> Bool { self.bytes(.ipTag, 2 << 16 | number, 1)?[14...15] != [0, 0] }
        #expect(isSet(9))
        #expect(self.raw(.ipTag, 3 << 16 | 9)?.payload.readableBytes == 0)
        #expect(!isSet(9))
        #expect(self.bytes(.ipTag, 2 << 16, 10)?.count == 240 && self.raw(.ipTag, 2 << 16, 11)?.result == .badArgument)
        #expect(tag(4 << 16, 15).map { $0 & 0xFF } == 9 && tag(4 << 16, 16).map { $0 & 0xFF } == 15)
        #expect(tag(4 << 16, 16).map { $0 & 0xFF } == 15, "16 is no code")
    }

    @Test func checksumsOfMoreThanAPacket() throws {
        var crc = CRC32()
        for _ in 0..<4096 { crc.update(0xFF) }
        #expect(self.word(self.raw(.bmpSerialFlash, 0x10_0000, 4096, 2)) == crc.value)
        #expect(self.word(self.raw(.bmpSerialFlash, 0, 0, 2)) == CRC32().value)
        #expect(self.raw(.bmpSerialFlash, 0, 256, 1, data: [1])?.result == .ok)
        #expect(self.bytes(.bmpSerialFlash, 0, 4, 0) == [1, 0, 0, 0])
    }
}
