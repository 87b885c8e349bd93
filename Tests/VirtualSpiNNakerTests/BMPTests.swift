//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Specification §8.2.
@Suite("BMP", .timeLimit(.minutes(3)))
struct BMPTests {
    private let machine: InMemoryMachine
    private let bmp = MachineEndpoint.bmp(frame: 0)

    init() throws {
        // 27 boards: a full frame and three slots of the next; the last board is missing.
        self.machine = try InMemoryMachine(
            VirtualMachineDescription(
                .triads(width: 3, height: 3), faults: HardwareFaults(deadBoards: [BoardCoordinates(2, 2, 2)]), bootTimeScale: 0)
        )
    }

    private func raw(
        _ command: SCPCommand, _ a: UInt32 = 0, _ b: UInt32 = 0, _ c: UInt32 = 0, data: [UInt8] = [], board: UInt8 = 0,
        frame: Int = 0, port: UInt8 = 0, patience: TimeAmount = .zero
    ) -> SCPReply? {
        self.machine.raw(
            command, a, b, c, data: data, to: CoreID(0, 0, board), at: .bmp(frame: frame), port: port, patience: patience)
    }
    private func power(_ isOn: Bool, _ boards: UInt32, delay: UInt16 = 0) throws {
        _ = try self.machine.ask(
            SetBoardPower(on: isOn, boards: boards, delay: delay), core: CoreID(0, 0, 0), at: self.bmp, patience: .seconds(10))
    }
    private func isAwake(_ board: Int) -> Bool { self.machine.raw(.version, at: .board(board)) != nil }

    // MARK: Identity and framing

    @Test(arguments: [UInt8(0), 1, 6, 23]) func versions(board: UInt8) throws {
        let version = try self.machine.ask(GetVersion(), core: CoreID(0, 0, board), at: self.bmp)
        #expect(version.name == "BC&MP" && version.hardware == "Spin5-BMP")
        #expect(version.version == SoftwareVersion(major: 2, minor: 1, patch: 2))
        #expect(version.virtualCore == board && version.physicalCore == board / 6 * 8 + board % 6)
    }

    @Test func framesAndEmptySlots() throws {
        #expect(self.raw(.version, board: 24)?.result == .noRoute)
        #expect(try self.machine.ask(GetVersion(), core: CoreID(0, 0, 1), at: .bmp(frame: 1)).chip.y == 1, "the frame")
        #expect(self.raw(.version, board: 2, frame: 1)?.result == .noRoute, "a slot that is empty")
        #expect(self.raw(.version, board: 3, frame: 1)?.result == .noRoute)
    }

    @Test func framingAndErrorsAreNotMasked() throws {
        #expect(self.raw(SCPCommand(rawValue: 99))?.result == .badCommand)
        #expect(self.raw(.version, port: 1)?.result == .badPort)
        #expect(self.raw(.version, port: 7)?.result == .ok)
        var bytes = ByteBuffer()
        SDPMessage(
            header: SDPHeader(destination: SDPAddress(port: 0, cpu: 5), destinationChip: ChipID(9, 9)),
            data: ByteBuffer(bytes: [0, 0, 3, 0])
        ).writeDatagram(into: &bytes)
        let reply = try SCPReply(datagram: try #require(self.machine.send(bytes, to: self.bmp).first).bytes)
        #expect(reply.result == .badLength && reply.sequence == 3)
        #expect(reply.header.destination.byte == 0xE0 && reply.header.destinationChip == ChipID(0, 0))
        #expect(reply.header.source == SDPAddress(port: 0, cpu: 5) && reply.header.sourceChip == ChipID(9, 9))
        for length in 0...10 {
            #expect(self.machine.send(try #require(bytes.getSlice(at: 0, length: length)), to: self.bmp).isEmpty)
        }
        #expect(self.machine.send(ByteBuffer(repeating: 0, count: 283), to: self.bmp).isEmpty)
    }

    // MARK: Power and reset

    @Test func powerOnTakesItsTimeAndOffNone() throws {
        let reply = self.machine.reply(
            to: SetBoardPower(on: true, boards: 0b101), core: CoreID(0, 0, 0), at: self.bmp)
        #expect(reply == nil, "it answers when its own board is up")
        self.machine.advance(by: .milliseconds(99))
        #expect(!self.machine.machine.isPowered(board: 0))
        self.machine.advance(by: .milliseconds(1))
        #expect(self.machine.takeOutgoing().count == 1)
        #expect([0, 1, 2].map { self.machine.machine.isPowered(board: $0) } == [true, false, true])
        self.machine.boot(board: 0)
        #expect(self.isAwake(0) && self.isAwake(2))
        try self.power(false, 0b100)
        #expect(self.isAwake(0) && !self.isAwake(2))
        #expect(self.machine.machine.leds(ofBoard: 0).bmp == 2 && self.machine.machine.leds(ofBoard: 2).bmp == 0)
        #expect(self.raw(.bmpPower, 2, 1)?.result == .badArgument)
    }

    @Test func onWhileOnIsAPowerCycle() throws {
        try self.power(true, 1)
        self.machine.boot()
        try self.machine.writeWord(5, to: 0x6000_0000)
        _ = self.raw(.linkWrite, FPGARegister.stop(bank: 0), 4, 2, data: [1, 0, 0, 0])
        try self.power(true, 1)
        #expect(!self.isAwake(0))
        #expect(
            self.raw(.linkRead, FPGARegister.stop(bank: 0), 4, 2)?.payload == ByteBuffer(integer: UInt32(0)), "registers too")
        self.machine.boot()
        #expect(try self.machine.readWord(0x6000_0000) == 0)
    }

    @Test func boardsWaitTheirTurn() throws {
        let reply = self.machine.reply(
            to: SetBoardPower(on: true, boards: 0b1011, delay: 200), core: CoreID(0, 0, 0), at: self.bmp,
            patience: .milliseconds(100))
        #expect(reply?.result == .ok, "board 0 does not wait for the others")
        func on() -> [Bool] { [0, 1, 3].map { self.machine.machine.isPowered(board: $0) } }
        #expect(on() == [true, false, false])
        self.machine.advance(by: .milliseconds(200))
        #expect(on() == [true, true, false])
        self.machine.advance(by: .milliseconds(400))
        #expect(on() == [true, true, true])
        // A command that overtakes a waiting one replaces it.
        _ = self.machine.reply(to: SetBoardPower(on: false, boards: 0b1000, delay: 100), core: CoreID(0, 0, 0), at: self.bmp)
        try self.power(true, 0b1000)
        self.machine.advance(by: .seconds(2))
        #expect(self.machine.machine.isPowered(board: 3))
    }

    @Test func aReplyLaterThanItsTagStillComes() throws {
        var description = VirtualMachineDescription(.spinn5)
        description.powerOnDelay = .seconds(5)
        let slow = try InMemoryMachine(description)
        let reply = slow.reply(
            to: SetBoardPower(on: true, boards: 1), core: CoreID(0, 0, 0), at: .bmp(frame: 0), patience: .seconds(10))
        #expect(reply?.result == .ok)
    }

    @Test func powerThatDoesNotComeUp() throws {
        try self.machine.machine.inject(.powerFailure(BoardCoordinates(0, 0, 0), true), now: self.machine.now)
        try self.power(true, 0b11)
        #expect(!self.machine.machine.isPowered(board: 0) && self.machine.machine.isPowered(board: 1))
    }

    @Test func resetGoesBackToTheROM() throws {
        try self.power(true, 0b11)
        self.machine.boot()
        #expect(self.isAwake(0) && self.isAwake(1))
        #expect(self.raw(.reset, 3, 1)?.result == .badArgument)
        #expect(self.raw(.reset, 8, 1)?.result == .badArgument)
        #expect(self.raw(.reset, 2, 0b11)?.result == .ok)
        #expect(!self.isAwake(0) && !self.isAwake(1))
        self.machine.boot()
        #expect(self.isAwake(0))
        // Held in reset it does not boot.
        #expect(self.raw(.reset, 1, 0b1)?.result == .ok)
        self.machine.boot()
        #expect(!self.isAwake(0))
        #expect(self.raw(.reset, 0, 0b1)?.result == .ok)
        self.machine.boot()
        #expect(self.isAwake(0))
    }

    // MARK: LEDs and FPGAs

    @Test func leds() throws {
        _ = self.raw(.led, 3 << 14 | 3, 0b10)
        #expect(self.machine.machine.leds(ofBoard: 1).bmp == 0b1000_0001)
        _ = self.raw(.led, 1 << 14 | 2, 0b10)
        #expect(self.machine.machine.leds(ofBoard: 1).bmp == 0)
        #expect(self.machine.machine.leds(ofBoard: 0).bmp == 0)
    }

    @Test func fpgaRegisters() throws {
        #expect(self.raw(.linkRead, FPGARegister.flag, 4, 0) == nil, "no power, no answer")
        try self.power(true, 0b111)
        for fpga in UInt32(0)...2 {
            let read = try self.machine.ask(
                ReadFPGARegister(fpga: fpga, register: FPGARegister.flag), core: CoreID(0, 0, 1), at: self.bmp)
            #expect(read.word & 3 == fpga)
        }
        #expect(self.raw(.linkRead, FPGARegister.flag, 4, 3)?.result == .badArgument)
        #expect(self.raw(.linkRead, FPGARegister.flag, 257, 0)?.result == .badArgument)
        #expect(self.raw(.linkRead, 0, 256, 0)?.payload.readableBytes == 256)
        _ = self.raw(.linkWrite, 0x40014, 4, 1, data: [1, 2, 3, 4])
        #expect(self.raw(.linkRead, 0x40014, 4, 1)?.payload == ByteBuffer(bytes: [1, 2, 3, 4]))
        #expect(self.raw(.linkRead, 0x40014, 4, 2)?.payload == ByteBuffer(bytes: [0, 0, 0, 0]))
        // Board (0, 0, 0): north is (0, 0, 2), on; west (-1, 0, 1) is (2, 0, 1), off.
        #expect(self.raw(.linkRead, 0x50, 4, 2)?.payload == ByteBuffer(bytes: [1, 0, 0, 0]))
        #expect(self.raw(.linkRead, 0x10050, 4, 1)?.payload == ByteBuffer(bytes: [0, 0, 0, 0]))
        try self.machine.machine.inject(.fpgaUnconfigured(BoardCoordinates(0, 0, 0), fpga: 1, true), now: self.machine.now)
        #expect(self.raw(.linkRead, FPGARegister.flag, 4, 1)?.payload == ByteBuffer(bytes: [3, 0, 0, 0]))
    }

    @Test func aStopCutsEightLinksAtTheNextBoot() throws {
        // 64 KiB of register writes must not fill our memory, either.
        try self.power(true, 0b111)
        for address in stride(from: UInt32(0x50000), to: 0x58000, by: 4) {
            _ = self.raw(.linkWrite, address, 4, 0, data: [1, 1, 1, 1])
        }
        _ = self.raw(.linkWrite, FPGARegister.stop(bank: 0), 4, 2, data: [1, 0, 0, 0])
        self.machine.boot()
        func up(_ link: Link, _ chips: [ChipID]) throws -> Int {
            try chips.filter {
                try self.machine.ask(GetChipInfo(), core: .monitor(of: $0)).workingLinks >> link.rawValue & 1 == 1
            }.count
        }
        let north = (4...7).map { ChipID($0, 7) }
        #expect(try up(.north, north) + up(.northEast, north) == 0)
        _ = self.raw(.linkWrite, FPGARegister.stop(bank: 0), 4, 2, data: [0, 0, 0, 0])
        try self.power(true, 0b111)
        self.machine.boot()
        #expect(try up(.north, north) + up(.northEast, north) == 5, "eight, but for three quirks")
    }

    // MARK: Memory and flash

    @Test func informationBlocks() throws {
        try self.power(true, 1)
        let serial = try self.machine.ask(GetBoardSerial(), core: CoreID(0, 0, 0), at: self.bmp)
        #expect(serial.hardwareVersion == 5 && serial.flashBuffer == 0x1000_0000)
        #expect(self.raw(.bmpInfo, 1)?.payload.readableBytes == 256)
        let can = try self.machine.ask(GetCANStatus(), core: CoreID(0, 0, 0), at: self.bmp)
        #expect(can.boards == Array(repeating: 1, count: 24))
        let second = try self.machine.ask(GetCANStatus(), core: CoreID(0, 0, 0), at: .bmp(frame: 1))
        #expect(second.boards == [1, 1] + Array(repeating: 0, count: 22))
        let status = try self.machine.ask(GetBoardStatus(), core: CoreID(0, 0, 0), at: self.bmp)
        #expect(abs(status.voltage1V2a - 1.2) < 0.01 && abs(status.voltage1V8 - 1.8) < 0.01)
        #expect(abs(status.voltage3V3 - 3.3) < 0.01 && abs(status.voltageSupply - 12) < 0.1)
        #expect(status.temperatureTop == 28 && status.externalTemperature(0) == nil && status.fanSpeed(0) == nil)
        let addresses = try self.machine.ask(GetBoardAddresses(), core: CoreID(0, 0, 3), at: self.bmp)
        #expect(
            addresses.bmp.address == IPv4Address(127, 1, 0, 32) && addresses.spinnaker.address == IPv4Address(127, 1, 0, 33))
        #expect(self.raw(.bmpInfo, 5)?.payload.readableBytes == 32)
        #expect(self.raw(.bmpInfo, 6)?.result == .badArgument)
    }

    @Test func memory() throws {
        #expect(self.raw(.write, 0x1000_0010, 5, 0, data: [1, 2, 3, 4, 5])?.result == .ok)
        #expect(self.raw(.read, 0x1000_0010, 5, 0)?.payload == ByteBuffer(bytes: [1, 2, 3, 4, 5]))
        _ = self.raw(.fill, 0x2007_C000, 0x0101_0101, 8)
        #expect(self.raw(.read, 0x2007_C000, 9, 0)?.payload == ByteBuffer(bytes: [1, 1, 1, 1, 1, 1, 1, 1, 0]))
        #expect(self.raw(.read, 0, 257)?.result == .badArgument)
        #expect(self.raw(.read, 0, 4, 3)?.result == .badArgument)
        #expect(self.raw(.read, 0xFFFF_FF80, 256)?.payload == ByteBuffer(repeating: 0, count: 256))
        #expect(self.raw(.read, 0x1000_0010, 5, 0, board: 1)?.payload == ByteBuffer(repeating: 0, count: 5), "each has its own")
    }

    @Test func theConfigurationSector() throws {
        let crc = { (bytes: [UInt8]) -> UInt32 in
            // IEEE, bit by bit.
            ~bytes.reduce(UInt32(0xFFFF_FFFF)) { crc, byte in
                (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
            }
        }
        var sector: [UInt8] = []
        for offset in stride(from: UInt32(0), to: 0x1000, by: 256) {
            sector += Array(try #require(self.raw(.read, 0x1000 + offset, 256)).payload.readableBytesView)
        }
        let word = { (at: Int) in sector[at..<(at + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        #expect(word(0xFFC) == ~crc(Array(sector[..<0xFFC])))
        #expect(Array(sector[0x28..<0x2C]) == [127, 1, 0, 8])
        #expect(Array(sector[0xA8..<0xAC]) == [127, 1, 0, 9])

        // Erase, fill the buffer, program, read back.
        #expect(self.raw(.flashErase, 0x1000, 0x2000)?.payload == ByteBuffer(integer: UInt32(0x1000_0000), endianness: .little))
        #expect(self.raw(.read, 0x1F00, 256)?.payload == ByteBuffer(repeating: 0xFF, count: 256))
        for offset in stride(from: 0, to: 0x1000, by: 256) {
            _ = self.raw(.write, 0x1000_0000 + UInt32(offset), 256, 0, data: Array(sector[offset..<(offset + 256)]))
        }
        #expect(self.raw(.flashWrite, 0x1000, 0x1000, 0)?.result == .ok)
        #expect(self.raw(.read, 0x1F00, 256)?.payload == ByteBuffer(bytes: sector[0xF00...]))
        for (start, end) in [(0, 0x1000), (0x1000, 0x1000), (0x1001, 0x2000), (0x1000, 0x9_0000), (0x2000, 0x1000)]
            as [(UInt32, UInt32)]
        {
            let refused = try #require(self.raw(.flashErase, start, end))
            #expect(refused.result == .badArgument && refused.payload.readableBytes == 4)
        }
        #expect(self.raw(.flashWrite, 0x1000, 100, 0)?.result == .badArgument)
        #expect(self.raw(.flashWrite, 0x7_FF00, 0x1000, 0)?.result == .badArgument)
    }

    @Test func theSerialFlash() throws {
        let zero = CoreID(0, 0, 0)
        let first = try self.machine.ask(ReadSerialFlash(address: 0, size: 32), core: zero, at: self.bmp)
        var bytes = first.bytes
        #expect(try SerialROMBlock(from: &bytes).address == IPv4Address(127, 1, 0, 9))
        #expect(self.raw(.bmpSerialFlash, 0, 257, 0)?.result == .badArgument)
        #expect(self.raw(.bmpSerialFlash, 0, 4, 3)?.result == .badArgument)
        _ = try self.machine.ask(
            WriteSerialFlash(address: 0x20_0000, data: ByteBuffer(string: "123456789")), core: zero, at: self.bmp)
        #expect(
            self.raw(.bmpSerialFlash, 0x20_0000, 9, 2)?.payload == ByteBuffer(integer: UInt32(0xCBF4_3926), endianness: .little)
        )
        #expect(self.raw(.bmpSerialFlash, 0, 1 << 20, 2)?.result == .ok, "a sum may be of more than a packet")
        #expect(self.raw(.bmpSerialFlash, 0xFFFF_FFF0, 32, 0)?.payload == ByteBuffer(repeating: 0xFF, count: 32))
    }

    @Test func aBlacklistChangesTheNextBoot() throws {
        try self.power(true, 1)
        self.machine.boot()
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(2, 2, 0)).workingCores == 18)
        var list = ByteBuffer()
        Blacklist(entries: [
            Blacklist.Entry(chip: ChipID(2, 2), deadPhysicalCores: 1 << 5),
            Blacklist.Entry(chip: ChipID(4, 4), deadPhysicalCores: 0x3FFFF),
            Blacklist.Entry(chip: ChipID(1, 0), deadLinks: [.east]),
        ]).write(into: &list)
        _ = try self.machine.ask(WriteSerialFlash(address: 0x100, data: list), core: CoreID(0, 0, 0), at: self.bmp)
        #expect(
            try self.machine.ask(ReadSerialFlash(address: 0x100, size: 256), core: CoreID(0, 0, 0), at: self.bmp).bytes == list)
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(2, 2, 0)).workingCores == 18, "not before the next reset")
        try self.power(true, 1)
        self.machine.boot()
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(2, 2, 0)).workingCores == 17)
        #expect(try self.machine.read(0xF500_7F94 + 5, count: 1, core: CoreID(2, 2, 0)) == [0xFF])
        #expect(self.machine.raw(.version, to: CoreID(4, 4, 0))?.result == .noRoute)
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(1, 0, 0)).workingLinks & 1 == 0)
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(2, 0, 0)).workingLinks >> 3 & 1 == 0)
        // Lifted again.
        _ = try self.machine.ask(
            WriteSerialFlash(address: 0x100, data: ByteBuffer(integer: UInt32(0))), core: CoreID(0, 0, 0), at: self.bmp)
        try self.power(true, 1)
        self.machine.boot()
        #expect(try self.machine.ask(GetChipInfo(), core: CoreID(4, 4, 0)).workingCores == 18)
    }

    @Test func aFactoryListSaysWhatIsBroken() throws {
        let broken = try InMemoryMachine(
            .spinn5, faults: HardwareFaults(deadCores: [BoardChip(local: ChipID(3, 1)): [4]]), isBooted: false)
        var list = try broken.ask(ReadSerialFlash(address: 0x100, size: 256), core: CoreID(0, 0, 0), at: self.bmp).bytes
        #expect(try Blacklist(from: &list).entries == [Blacklist.Entry(chip: ChipID(3, 1), deadPhysicalCores: 1 << 4)])
    }

    @Test func theBackplane() throws {
        #expect(self.raw(.bmpEEPROM, 10, 4, 1, data: [1, 2, 3, 4])?.result == .ok)
        #expect(self.raw(.bmpEEPROM, 8, 4, 0)?.payload == ByteBuffer(bytes: [0xFF, 0xFF, 1, 2]))
        #expect(self.raw(.bmpEEPROM, 0, 4, 0, board: 1)?.result == .badArgument, "not the controller")
        #expect(self.raw(.bmpEEPROM, 0, 4, 2)?.result == .badArgument)
        let alone = try InMemoryMachine(.spinn5, isBooted: false)
        #expect(alone.raw(.bmpEEPROM, 0, 4, 0, at: self.bmp)?.result == .timeout)
        #expect(self.raw(.i2c, 0, 0, 300)?.result == .badArgument)
        #expect(self.raw(.pwm, 50)?.result == .ok)
        #expect(self.raw(.xilinx, 3)?.result == .badArgument)
        #expect(self.raw(.xilinx, 2, 3)?.result == .badArgument)
        #expect(self.raw(.flashCopy, 0, 0, 0) == nil)
    }

    @Test func tags() throws {
        let word = self.raw(.ipTag, 4 << 16, 255)?.payload.getInteger(at: 14, endianness: .little, as: UInt32.self)
        #expect(word == 0x0808_0009)
        #expect(self.raw(.ipTag, 1 << 16 | 3, 2 << 16 | 5000, IPv4Address.loopback.wireWord)?.result == .ok)
        let reply = try #require(self.raw(.ipTag, 2 << 16 | 3, 1))
        #expect(reply.payload.readableBytes == 24)
        var payload = reply.payload
        let entry = try BMPIPTagEntry(from: &payload)
        #expect(entry.address == .loopback && entry.port == 5000 && entry.timeout == 2)
        #expect(self.raw(.ipTag, 5 << 16)?.result == .badArgument)
        #expect(self.raw(.ipTag, 1 << 16 | 16)?.result == .badArgument)
    }

    @Test func aBoardThatIsGoneFromTheBus() throws {
        let board = BoardCoordinates(0, 1, 0)
        for code in [SCPResult.p2pNoReply, .p2pBusy, .p2pTimeout] {
            try self.machine.machine.inject(.bmpResult(board, code), now: self.machine.now)
            #expect(self.raw(.version, board: 3)?.result == code)
        }
        try self.machine.machine.inject(.bmpResult(board, nil), now: self.machine.now)
        #expect(self.raw(.version, board: 3)?.result == .ok)
    }
}
