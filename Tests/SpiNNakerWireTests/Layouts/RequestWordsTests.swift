//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The words of requests for which there is no golden vector, against the tables of the specification.
@Suite struct RequestWordsTests {
    /// Encodes to these words, and these words decode to it.
    private func check<Request: SCPRequest>(
        _ request: Request, _ command: UInt16, _ arg1: UInt32, _ arg2: UInt32 = 0, _ arg3: UInt32 = 0, data: [UInt8] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(Request.command.rawValue == command, sourceLocation: sourceLocation)
        #expect(request.arguments == SCPArguments(arg1, arg2, arg3), sourceLocation: sourceLocation)
        #expect(Array(request.data.readableBytesView) == data, sourceLocation: sourceLocation)
        let read = try Request(arguments: SCPArguments(arg1, arg2, arg3), data: ByteBuffer(bytes: data))
        #expect(read == request, sourceLocation: sourceLocation)
    }

    @Test func commandsOfTheKernel() throws {
        try check(RemapCore(core: 7, isPhysical: true), 16, 7, 1)
        try check(RemapCore(core: 7, isPhysical: false), 16, 7, 0)
        let start = ApplicationStart(application: 0x1E, cores: CoreMask(cores: [1, 17]), wait: true)
        try check(StartApplication(image: 0x6780_0000, start), 24, 0x6780_0000, 0x1E06_0002)
        try check(GetChipInfo(), 31, 0x5F)
        try check(GetChipInfo(withSize: true), 31, 0x7F)
        try check(
            SerialROMTransaction(
                commandWord: 0x0200_0100, commandBits: 32, size: 4, flags: [.write, .writeEnable, .wait],
                data: ByteBuffer(bytes: [1, 2, 3, 4])),
            27, 0x0004_01E0, 0x0200_0100, data: [1, 2, 3, 4])
        try check(SerialROMTransaction.read(address: 0x100, size: 256), 27, 0x0100_0020, 0x0300_0100)
    }

    @Test func allocations() throws {
        try check(FreeRouterEntries(first: 12, clear: true), 28, 4, 12, 1)
        try check(FreeRouterEntriesOfApplication(application: 0x1E, clear: false), 28, 0x1E05, 0)
        try check(FreeRouterEntriesOfApplication(application: 0x1E, clear: true), 28, 0x1E05, 1)
        try check(GetSDRAMSpace(), 28, 6)
        try check(GetTaggedSDRAM(application: 0x1E, tag: 201), 28, 0x1E07, 201)
        try check(AllocateSDRAM(size: 64, application: 0x1E, tag: 3, mayRepeat: false), 28, 0x1E00, 64, 3)
    }

    @Test func routerAndTags() throws {
        try check(ClearRouterEntries(first: 5, count: 9), 29, 0x0009_0001, 5)
        try check(GetFixedRoute(application: 0x1E), 29, 0x1E03, 0x8000_0000)
        try check(
            NewIPTag(address: IPv4Address(10, 0, 0, 9), port: 50000, strip: true, timeoutCode: 3), 26, 0x1300_0000, 50000,
            0x0900_000A)
        try check(SetIPTag(tag: 2, address: nil, port: 0, strip: false, useSender: true), 26, 0x4001_0002, 0, 0)
    }

    @Test func nearestNeighbourPackets() throws {
        try check(NearestNeighbourPacket.floodFillSelect(cores: CoreMask(cores: [1, 2])), 20, 0x0700_0006, 0xFFFF, 0x3F1A)
        let chip = NearestNeighbourPacket.region(of: ChipID(6, 9))
        // Block (4, 8), level 3, bit 4 · 1 + 2.
        #expect(chip == 0x0400_0000 + 0x0008_0000 + 0x0003_0000 + 1 << 6)
    }

    @Test func nearestNeighbourPacketsSayWhatTheyAre() {
        let start = ApplicationStart(application: 40, cores: CoreMask(cores: [3]), wait: false)
        #expect(
            NearestNeighbourPacket.floodFillStart(id: 6, blocks: 20).operation
                == .floodFillStart(id: 6, blocks: 20, region: 0xFFFF))
        #expect(NearestNeighbourPacket.floodFillEnd(id: 6, start).operation == .floodFillEnd(id: 6, start))
        #expect(
            NearestNeighbourPacket.floodFillSelect(cores: [.init(rawValue: 2)], region: 9).operation
                == .floodFillSelect(cores: CoreMask(cores: [1]), region: 9))
        guard case .signal(let target) = NearestNeighbourPacket.stop(application: 30).operation else {
            Issue.record("stop is no signal")
            return
        }
        #expect(target.signal == .stop && target.application == 30 && target.mask == 0xFF)
        #expect(NearestNeighbourPacket(key: 9 << 24, data: 0, control: 0).operation == .other(9))
        let stop = NearestNeighbourPacket.stop(application: 30)
        #expect(stop.allocatesID && stop.forward == 0x3F && stop.retryCode == 0)
    }

    @Test func boardManagement() throws {
        try check(SetBoardPower(on: true, boards: 0b1010, delay: 250), 57, 250 << 16 | 1, 0b1010)
        try check(SetBoardPower(on: false, boards: 1), 57, 0, 1)
        try check(GetBoardSerial(), 48, 0)
        try check(GetBoardEEPROMImage(), 48, 1)
        try check(GetCANStatus(), 48, 2)
        try check(GetBoardAddresses(), 48, 4)
        try check(GetUninitialisedBlock(), 48, 5)
        try check(ReadSerialFlash(address: 0x100, size: 256), 53, 0x100, 256, 0)
        try check(
            WriteSerialFlash(address: 0x100, data: ByteBuffer(bytes: [9, 8, 7, 6])), 53, 0x100, 4, 1, data: [9, 8, 7, 6])
        try check(ChecksumSerialFlash(address: 0, size: 0x10_0000), 53, 0, 0x10_0000, 2)
        try check(ReadBackplaneEEPROM(address: 8, size: 16), 54, 8, 16, 0)
        try check(WriteBackplaneEEPROM(address: 8, data: ByteBuffer(bytes: [1])), 54, 8, 1, 1, data: [1])
        try check(CopyFlash(to: 0, from: 0x1_0000, size: 0x8000), 49, 0, 0x1_0000, 0x8000)
        try check(EraseFlash(start: 0x1000, end: 0x2000), 50, 0x1000, 0x2000)
        try check(WriteFlash(address: 0x1000, size: 0x1000, erase: true), 51, 0x1000, 0x1000, 1)
        try check(ResetBoards(.pulse, fpgas: true, boards: 3, delay: 10), 55, 10 << 16 | 6, 3)
        try check(ResetBoards(.hold, boards: 1), 55, 1, 1)
        try check(ConfigureFPGAs.send(ByteBuffer(bytes: [1, 2])), 56, 0, 2, data: [1, 2])
        try check(ConfigureFPGAs.initialise(fpgas: 7), 56, 1, 7)
        try check(ConfigureFPGAs.reset(code: 2), 56, 2, 2)
        try check(
            BMPIPTagCommand(.set, tag: 3, timeoutCode: 9, port: 0x1234, address: IPv4Address(192, 168, 1, 2)), 26, 0x0001_0003,
            0x0009_1234, 0x0201_A8C0)
    }

    @Test func registersOfTheFPGAs() throws {
        typealias Bank = FPGARegister.LinkBank
        #expect(Bank.allCases.count == 24)
        #expect(Bank.version.address(bank: 0) == 0 && Bank.crcErrors.address(bank: 0) == 4)
        #expect(Bank.handshake.address(bank: 1) == 0x10054 && Bank.reconfigurations.address(bank: 0) == 0x58)
        // The side that each stops: N, NE, E, S, SW, W of the specification's table.
        #expect(FPGARegister.stop(bank: 0) == 0x5C && FPGARegister.stop(bank: 1) == 0x1005C)
        try check(ReadFPGARegister(fpga: 2, register: FPGARegister.flag), 17, 0x40004, 4, 2)
        try check(
            WriteFPGARegister(fpga: 1, register: FPGARegister.stop(bank: 1), value: 1), 18, 0x1005C, 4, 1, data: [1, 0, 0, 0])
    }

    @Test func anInfoRequestDoesNotDecodeAsAnother() {
        #expect(throws: WireError.invalid(message: "CMD_BMP_INFO", field: "selector", value: 4)) {
            try GetBoardStatus(arguments: SCPArguments(4), data: ByteBuffer())
        }
        #expect(throws: WireError.invalid(message: "serial flash read", field: "operation", value: 1)) {
            try ReadSerialFlash(arguments: SCPArguments(0, 4, 1), data: ByteBuffer())
        }
    }

    @Test func simulations() throws {
        try check(StopSimulation(), 6, 0)
        try check(SetRunTime(end: 1000, now: 500, synchronisationTicks: 7), 7, 1000, 0, 500, data: [7, 0, 0, 0])
        try check(SetRunTime(end: 0, isInfinite: true, now: 0), 7, 0, 1, 0, data: [0, 0, 0, 0])
        try check(ExitSimulation(), 8, 0)
        try check(ClearIOBUF(), 9, 0, 0, 1)
        try check(ClearIOBUF(wantsReply: false), 9, 0, 0, 0)
        try check(PauseSimulation(), 10, 0)
        try check(GetSimulationTime(), 11, 0)
        // Older front ends send one byte.
        let old = try SetRunTime(arguments: SCPArguments(1, 0, 0), data: ByteBuffer(bytes: [1]))
        #expect(old.synchronisationTicks == 1)
        #expect(try SetRunTime(arguments: SCPArguments(1, 0, 0), data: ByteBuffer()).synchronisationTicks == 0)
    }

    @Test func simulationRequestsGoToPort3AndAskForWhatTheyGet() {
        let pause = SCPPacket(simulation: PauseSimulation(), to: CoreID(1, 2, 3), sequence: 5)
        #expect(pause.header.destination == SDPAddress(port: 3, cpu: 3))
        #expect(pause.header.destinationChip == ChipID(1, 2))
        #expect(pause.header.flags == .replyExpected)
        #expect(SCPPacket(simulation: StopSimulation(), to: CoreID(1, 2, 3), sequence: 5).header.flags == .replyNotExpected)
        #expect(
            SCPPacket(simulation: ClearIOBUF(wantsReply: false), to: CoreID(1, 2, 3), sequence: 5).header.flags
                == .replyNotExpected)
    }

    @Test func requestsThatNoChipTakesAreRefusedWhereTheyAreMade() {
        #expect(throws: WireError.self) { try FloodFillData(id: 2, block: 0, address: 0, data: ByteBuffer()) }
        #expect(throws: WireError.self) { try FloodFillData(id: 2, block: 0, address: 0, data: ByteBuffer(bytes: [1, 2, 3])) }
        #expect(throws: WireError.self) {
            try FloodFillData(id: 2, block: 0, address: 0, data: ByteBuffer(repeating: 0, count: 260))
        }
        #expect(throws: WireError.self) { try LoadRouter(count: 0, application: 1, table: 0, first: 1) }
    }

    @Test func whichResultsCarryAReply() {
        #expect(CountCores.carriesReply(.ok) && CountCores.carriesReply(.p2pNoReply) && !CountCores.carriesReply(.p2pBusy))
        #expect(CopyAndRunApplication.carriesReply(.badChecksum))
        #expect(ReadMemory.carriesReply(.ok) && !ReadMemory.carriesReply(.p2pNoReply))
    }

    @Test func retryableResultsAreTheFive() {
        let retryable = (UInt16(0)...0xFF).filter { SCPResult(rawValue: $0).isRetryable }
        #expect(retryable == [0x81, 0x86, 0x8B, 0x8D, 0x8E])
    }

    @Test func aMaskHoldsEighteenCores() {
        #expect(CoreMask(cores: [0, 17, 18, 31, 200]).cores == [0, 17])
        #expect(CoreMask(rawValue: .max) == .all)
        #expect(CoreMask.all.count == 18)
        #expect(!CoreMask.all.contains(core: 18))
    }

    @Test func imagesAreSummedByWords() {
        #expect(CopyAndRunApplication.checksum(of: ByteBuffer(bytes: [1, 0, 0, 0, 2, 0, 0, 0, 0xFF])) == 3)
        // Modulo 2³², then 29 bits.
        #expect(CopyAndRunApplication.checksum(of: ByteBuffer(repeating: 0xFF, count: 8)) == 0x1FFF_FFFE)
    }

    @Test func ledsBeyondSixteenDoNotExist() {
        var actions = LEDActions()
        actions[0] = .on
        actions[15] = .toggle
        actions[16] = .on
        actions[255] = .off
        #expect(actions.word == 0x4000_0003)
        #expect(actions[15] == .toggle && actions[16] == .leave)
        actions[0] = .leave
        #expect(actions.word == 0x4000_0000)
    }

    @Test func signalsMatchTheMaskedApplication() {
        #expect(SignalTarget(.start, application: 0x10, mask: 0xF0).matches(application: 0x1F))
        #expect(!SignalTarget(.start, application: 0x10, mask: 0xF0).matches(application: 0x2F))
        #expect(SignalTarget(.start, application: 30).matches(application: 30))
    }
}
