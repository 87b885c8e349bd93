//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Every field of every layout where the specification has it (sdp-scp.md §2, §3, §10 to §13; eieio.md).
@Suite struct FieldPlaceTests {
    @Test func sdpHeader() throws {
        let zero = SDPHeader(
            flags: [], tag: 0, destination: SDPAddress(byte: 0), source: SDPAddress(byte: 0), destinationChip: .origin)
        try checkPlaces(
            of: zero, size: 8,
            [
                FieldPlace("flags", 0, \.flags), FieldPlace("tag", 1, \.tag),
                FieldPlace("destination", 2, \.destination.byte), FieldPlace("source", 3, \.source.byte),
                FieldPlace("destination y", 4, \.destinationChip.y), FieldPlace("destination x", 5, \.destinationChip.x),
                FieldPlace("source y", 6, \.sourceChip.y), FieldPlace("source x", 7, \.sourceChip.x),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try SDPHeader(from: &buffer)
            })
    }

    private let noHeader = SDPHeader(
        flags: [], tag: 0, destination: SDPAddress(byte: 0), source: SDPAddress(byte: 0), destinationChip: .origin)

    @Test func scpPackets() throws {
        try checkPlaces(
            of: SCPPacket(
                header: self.noHeader, command: SCPCommand(rawValue: 0), sequence: 0, arguments: SCPArguments(),
                data: ByteBuffer(integer: 0 as UInt16)),
            size: 28, padding: [0..<2],
            [
                FieldPlace("header", 2..<10) {
                    $0.header = SDPHeader(
                        flags: SDPFlags(rawValue: 0xFF), tag: 0xFF, destination: .ethernet, source: .ethernet,
                        destinationChip: .root, sourceChip: .root)
                },
                FieldPlace("command", 10, \.command), FieldPlace("sequence", 12, \.sequence),
                FieldPlace("arg1", 14, \.arguments.arg1), FieldPlace("arg2", 18, \.arguments.arg2),
                FieldPlace("arg3", 22, \.arguments.arg3),
                FieldPlace("data", 26..<28) { $0.data = ByteBuffer(integer: UInt16.max) },
            ], write: { $0.writeDatagram(into: &$1) }, read: { try SCPPacket(datagram: $0) })
        try checkPlaces(
            of: SCPReply(
                header: self.noHeader, result: SCPResult(rawValue: 0), sequence: 0, payload: ByteBuffer(integer: 0 as UInt8)),
            size: 15, padding: [0..<2],
            [
                FieldPlace("header", 2..<10) {
                    $0.header = SDPHeader(
                        flags: SDPFlags(rawValue: 0xFF), tag: 0xFF, destination: .ethernet, source: .ethernet,
                        destinationChip: .root, sourceChip: .root)
                },
                FieldPlace("result", 10, \.result), FieldPlace("sequence", 12, \.sequence),
                FieldPlace("payload", 14..<15) { $0.payload = ByteBuffer(integer: UInt8.max) },
            ], write: { $0.writeDatagram(into: &$1) }, read: { try SCPReply(datagram: $0) })
    }

    @Test func vcpu() throws {
        try checkPlaces(
            of: VCPU(), size: 128,
            FieldPlace<VCPU>.items("register", 0, count: 8, \.registers) + [
                FieldPlace("psr", 32, \.psr), FieldPlace("sp", 36, \.stackPointer), FieldPlace("lr", 40, \.linkRegister),
                FieldPlace("error", 44, \.runTimeError), FieldPlace("physical core", 45, \.physicalCore),
                FieldPlace("state", 46, \.state), FieldPlace("application", 47, \.application),
                FieldPlace("mailbox to core", 48, \.mailboxToCore), FieldPlace("to monitor", 52, \.mailboxToMonitor),
                FieldPlace("command to core", 56, \.commandToCore), FieldPlace("to monitor", 57, \.commandToMonitor),
                FieldPlace("software errors", 58, \.softwareErrors), FieldPlace("file", 60, \.sourceFile),
                FieldPlace("line", 64, \.sourceLine), FieldPlace("time", 68, \.time),
            ] + FieldPlace.items("name", 72, count: 16, \.nameBytes) + [
                FieldPlace("iobuf", 88, \.iobuf), FieldPlace("version", 92, \.softwareVersion),
            ] + FieldPlace.items("spare", 96, count: 4, \.spare) + FieldPlace.items("user", 112, count: 4, \.user),
            write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try VCPU(from: &buffer)
            })
    }

    /// The offsets that a host reads single fields at are those of the whole.
    @Test func offsetsInTheVCPU() {
        typealias Offset = VCPU.Offset
        #expect(Offset.registers == 0 && Offset.psr == 32 && Offset.stackPointer == 36 && Offset.linkRegister == 40)
        #expect(Offset.runTimeError == 44 && Offset.physicalCore == 45 && Offset.state == 46 && Offset.application == 47)
        #expect(Offset.mailboxToCore == 48 && Offset.mailboxToMonitor == 52)
        #expect(Offset.commandToCore == 56 && Offset.commandToMonitor == 57 && Offset.softwareErrors == 58)
        #expect(Offset.sourceFile == 60 && Offset.sourceLine == 64 && Offset.time == 68 && Offset.name == 72)
        #expect(Offset.iobuf == 88 && Offset.softwareVersion == 92 && Offset.user == 112)
        #expect(VCPU.address(of: 0) == 0xE500_7000 && VCPU.address(of: 17) == 0xE500_7880)
        #expect(VCPU.userAddress(of: 1, 0) == 0xE500_70F0 && VCPU.userAddress(of: 1, 3) == 0xE500_70FC)
    }

    @Test func chipInfo() throws {
        let zero = ChipInfo(
            workingCores: 0, workingLinks: 0, largestFreeRouterBlock: 0, isEthernetUp: false, largestFreeSDRAM: 0,
            largestFreeSystemRAM: 0, coreStates: [CoreState](repeating: .dead, count: 18), nearestEthernet: .origin,
            address: nil, parent: 0)
        let states = (0..<18).map { core in
            FieldPlace<ChipInfo>("state \(core)", (12 + core)..<(13 + core)) { $0.coreStates[core] = CoreState(rawValue: 0xFF) }
        }
        try checkPlaces(
            of: zero, size: ChipInfo.size,
            [
                FieldPlace("flags", 0..<4) {
                    $0.workingCores = 0x1F
                    $0.workingLinks = 0x3F
                    $0.largestFreeRouterBlock = 0x7FF
                    $0.isEthernetUp = true
                    $0.spareBits = 0xFC00_00E0
                },
                FieldPlace("SDRAM", 4, \.largestFreeSDRAM), FieldPlace("system RAM", 8, \.largestFreeSystemRAM),
                FieldPlace("Ethernet y", 30, \.nearestEthernet.y), FieldPlace("Ethernet x", 31, \.nearestEthernet.x),
                FieldPlace("address", 32..<36) { $0.address = IPv4Address(255, 255, 255, 255) },
                FieldPlace("parent", 36..<38) { $0.parent = 0xFFFF },
            ] + states, write: { $0.write(into: &$1) }, read: { try ChipInfo(payload: $0) })
        // Inside the flags.
        let words: [(UInt32, (inout ChipInfo) -> Void)] = [
            (0x0000_001F, { $0.workingCores = .max }), (0x0000_3F00, { $0.workingLinks = .max }),
            (0x01FF_C000, { $0.largestFreeRouterBlock = .max }), (0x0200_0000, { $0.isEthernetUp = true }),
        ]
        for (word, fill) in words {
            var info = zero
            fill(&info)
            var buffer = ByteBuffer()
            info.write(into: &buffer)
            #expect(buffer.getInteger(at: 0, endianness: .little) == word)
        }
    }

    @Test func ipTags() throws {
        try checkPlaces(
            of: IPTagEntry(), size: IPTagEntry.size, padding: [25..<32],
            [
                FieldPlace("address", 0, \.address.value),
                FieldPlace("MAC", 4..<10) { $0.mac = 0xFFFF_FFFF_FFFF }, FieldPlace("port", 10, \.port),
                FieldPlace("timeout", 12, \.timeout), FieldPlace("flags", 14, \.flags), FieldPlace("count", 16, \.count),
                FieldPlace("receive port", 20, \.receivePort), FieldPlace("y", 22, \.destinationChip.y),
                FieldPlace("x", 23, \.destinationChip.x), FieldPlace("destination", 24, \.destination.byte),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try IPTagEntry(from: &buffer)
            })
        try checkPlaces(
            of: IPTagTimeoutInfo(timeoutCode: 0, entrySize: 0, poolSize: 0, fixedSize: 0), size: 4,
            [
                FieldPlace("timeout", 0, \.timeoutCode), FieldPlace("entry", 1, \.entrySize),
                FieldPlace("transient", 2, \.poolSize), FieldPlace("fixed", 3, \.fixedSize),
            ], write: { $0.write(into: &$1) }, read: { try IPTagTimeoutInfo(payload: $0) })
    }

    @Test func heapsRoutersAndTables() throws {
        try checkPlaces(
            of: HeapRoot(firstFree: 0, first: 0, last: 0, freeBytes: 0), size: 16,
            [
                FieldPlace("first free", 0, \.firstFree), FieldPlace("first", 4, \.first), FieldPlace("last", 8, \.last),
                FieldPlace("free bytes", 12, \.freeBytes),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try HeapRoot(from: &buffer)
            })
        try checkPlaces(
            of: ApplicationTableEntry(), size: 8,
            [
                FieldPlace("cores", 0, \.cores), FieldPlace("clean", 1, \.clean), FieldPlace("semaphore", 2, \.semaphore),
                FieldPlace("lead", 3, \.lead), FieldPlace("mask", 4, \.mask),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try ApplicationTableEntry(from: &buffer)
            })
        var zeros = ByteBuffer(repeating: 0, count: 16)
        try checkPlaces(
            of: try RouterCopyEntry(from: &zeros), size: 16,
            [
                FieldPlace("next", 0, \.next), FieldPlace("free", 2, \.free), FieldPlace("route", 4, \.route),
                FieldPlace("key", 8, \.key), FieldPlace("mask", 12, \.mask),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try RouterCopyEntry(from: &buffer)
            })
        try checkPlaces(
            of: RouterDiagnostics(control: 0, errors: [], counters: [UInt32](repeating: 0, count: 16)), size: 64,
            FieldPlace.items("counter", 0, count: 16, \.counters), write: { $0.writeCounters(into: &$1) },
            read: {
                var buffer = $0
                return try RouterDiagnostics(control: 0, errors: [], from: &buffer)
            })
    }

    @Test func whatABMPTells() throws {
        try checkPlaces(
            of: BoardStatus(
                converters: [UInt16](repeating: 0, count: 8), internalTemperatures: [0, 0, 0, 0],
                externalTemperatures: [0, 0, 0, 0], fans: [0, 0, 0, 0]),
            size: BoardStatus.size,
            FieldPlace.items("converter", 0, count: 8, \.converters)
                + FieldPlace.items("internal", 16, count: 4, \.internalTemperatures)
                + FieldPlace.items("external", 24, count: 4, \.externalTemperatures)
                + FieldPlace.items("fan", 32, count: 4, \.fans)
                + [FieldPlace("warnings", 40, \.warnings), FieldPlace("shutdown", 44, \.shutdown)],
            write: { $0.write(into: &$1) }, read: { try BoardStatus(payload: $0) })
        try checkPlaces(
            of: BoardSerial(hardwareVersion: 0, serial: [0, 0, 0, 0], flashBuffer: 0, boardStatus: 0, vectors: 0),
            size: BoardSerial.size,
            [FieldPlace("hardware", 0, \.hardwareVersion)] + FieldPlace.items("serial", 4, count: 4, \.serial) + [
                FieldPlace("flash buffer", 20, \.flashBuffer), FieldPlace("status", 24, \.boardStatus),
                FieldPlace("vectors", 28, \.vectors),
            ], write: { $0.write(into: &$1) }, read: { try BoardSerial(payload: $0) })
        try checkPlaces(
            of: SerialROMBlock(flags: 0, mac: 0, address: .any, gateway: .any, netmask: .any, port: 0),
            size: SerialROMBlock.size, padding: [22..<32],
            [
                FieldPlace("flags", 0, \.flags), FieldPlace("MAC", 2..<8) { $0.mac = 0xFFFF_FFFF_FFFF },
                FieldPlace("address", 8, \.address.value), FieldPlace("gateway", 12, \.gateway.value),
                FieldPlace("netmask", 16, \.netmask.value), FieldPlace("port", 20, \.port),
            ], write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try SerialROMBlock(from: &buffer)
            })
    }

    @Test func bootDatagrams() throws {
        var zero = try BootMessage(opcode: BootOpcode(rawValue: 0), data: ByteBuffer(integer: 0 as UInt32))
        zero.version = 0
        try checkPlaces(
            of: zero, size: 22,
            [
                FieldPlace("version", 0, \.version), FieldPlace("opcode", 2, \.opcode), FieldPlace("operand 1", 6, \.operand1),
                FieldPlace("operand 2", 10, \.operand2), FieldPlace("operand 3", 14, \.operand3),
                FieldPlace("data", 18..<22) { $0.data = ByteBuffer(integer: UInt32.max) },
            ], write: { $0.write(into: &$1) }, read: { try BootMessage(datagram: $0) })
    }

    /// A host's values go into the first half of `sv`; what lies between them SC&MP fills in.
    @Test func bootValues() throws {
        var bytes = ByteBuffer(repeating: 0, count: BootValues.size)
        let places: [FieldPlace<BootValues>] = [
            FieldPlace("hardware", 0x0A, \.hardwareVersion), FieldPlace("repeats", 0x0C, \.broadcastRepeats),
            FieldPlace("window", 0x0D, \.log2WindowOfP2P), FieldPlace("divisors", 0x0E, \.clockDivisors),
            FieldPlace("Unix time", 0x1C, \.unixTime), FieldPlace("CPU", 0x24, \.cpuClock),
            FieldPlace("memory", 0x26, \.memoryClock), FieldPlace("forward", 0x28, \.forwardLinks),
            FieldPlace("retries", 0x29, \.retries), FieldPlace("peek", 0x2A, \.linkReadTimeout),
            FieldPlace("LED", 0x2B, \.ledPeriod), FieldPlace("wait", 0x2C, \.netInitialisationWait),
            FieldPlace("led0", 0x30, \.led0), FieldPlace("led1", 0x34, \.led1), FieldPlace("seed", 0x3C, \.randomSeed),
            FieldPlace("root", 0x40, \.rootChip), FieldPlace("buffers", 0x41, \.sharedBuffers),
            FieldPlace("delay", 0x42, \.bootDelay), FieldPlace("watchdog", 0x43, \.watchdogCount),
            FieldPlace("system RAM", 0x48, \.reservedSystemRAM), FieldPlace("SDRAM", 0x4C, \.reservedSDRAM),
            FieldPlace("IOBUF", 0x50, \.iobufSize), FieldPlace("system SDRAM", 0x54, \.systemSDRAM),
            FieldPlace("system buffer", 0x58, \.systemBufferSize), FieldPlace("signature", 0x5C, \.bootSignature),
            FieldPlace("links", 0x65, \.enabledLinks), FieldPlace("test", 0x67, \.boardTestFlags),
        ]
        var padding: [Range<Int>] = []
        var end = 0
        for place in places {
            if place.bytes.lowerBound > end { padding.append(end..<place.bytes.lowerBound) }
            end = place.bytes.upperBound
        }
        try checkPlaces(
            of: try BootValues(from: &bytes), size: 128, padding: padding + [end..<128], places,
            write: { $0.write(into: &$1) },
            read: {
                var buffer = $0
                return try BootValues(from: &buffer)
            })
    }
}
