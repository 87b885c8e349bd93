//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Every decoder of SpiNNakerWire, and the websocket's. One that is not here is not fuzzed: `WireDocumentTests` looks.
package let allCodecs: [Codec] =
    frameCodecs + fastDataCodecs + eventCodecs + requestCodecs + bmpCodecs + responseCodecs + structureCodecs + lineCodecs
    + webSocketCodecs

private func chip(_ random: inout Seeded) -> ChipID { ChipID(p2pAddress: random.integer()) }

private func header(_ random: inout Seeded) -> SDPHeader {
    SDPHeader(
        flags: SDPFlags(rawValue: random.integer()), tag: random.integer(), destination: SDPAddress(byte: random.integer()),
        source: SDPAddress(byte: random.integer()), destinationChip: chip(&random), sourceChip: chip(&random))
}

private func endpoint(_ random: inout Seeded) -> ProxyEndpoint {
    ProxyEndpoint(x: random.word(), y: random.word(), port: random.word())
}

private let frameCodecs: [Codec] = [
    Codec(
        "SDPHeader", minimum: 8, random: { header(&$0) }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try SDPHeader(from: &buffer)
        }),
    Codec(
        "SDPMessage", minimum: 10, random: { SDPMessage(header: header(&$0), data: $0.bytes(upTo: 272)) },
        write: { $0.writeDatagram(into: &$1) }, read: { (buffer) throws(WireError) in try SDPMessage(datagram: buffer) }),
    Codec(
        "SCPPacket", minimum: 26,
        random: { random in
            SCPPacket(
                header: header(&random), command: SCPCommand(rawValue: random.integer()), sequence: random.integer(),
                arguments: SCPArguments(random.word(), random.word(), random.word()), data: random.bytes(upTo: 256))
        }, write: { $0.writeDatagram(into: &$1) }, read: { (buffer) throws(WireError) in try SCPPacket(datagram: buffer) }),
    Codec(
        "SCPReply", minimum: 14,
        random: { random in
            SCPReply(
                header: header(&random), result: SCPResult(rawValue: random.integer()), sequence: random.integer(),
                payload: random.bytes(upTo: 256))
        }, write: { $0.writeDatagram(into: &$1) }, read: { (buffer) throws(WireError) in try SCPReply(datagram: buffer) }),
    Codec(
        "ConsoleText", minimum: 14,
        random: { random in
            ConsoleText(
                from: CoreID(chip: chip(&random), p: random.integer(UInt8.self) & 31), through: chip(&random),
                text: random.bytes(upTo: 64))
        }, write: { $0.writeDatagram(into: &$1) }, read: { (buffer) throws(WireError) in try ConsoleText(datagram: buffer) }),
    Codec(
        "ProxyRequest", minimum: 8,
        random: { random in
            switch random.next() % 5 {
            case 0: .open(correlation: random.word(), endpoint(&random))
            case 1: .close(correlation: random.word(), channel: random.word())
            case 2: .message(channel: random.word(), random.bytes(upTo: 300))
            case 3: .openUnconnected(correlation: random.word())
            default: .messageTo(channel: random.word(), endpoint(&random), random.bytes(upTo: 300))
            }
        }, write: { $0.write(into: &$1) }, read: { (buffer) throws(WireError) in try ProxyRequest(frame: buffer) }),
    Codec(
        "ProxyReply", minimum: 8,
        random: { random in
            switch random.next() % 5 {
            case 0: .opened(correlation: random.word(), channel: random.word())
            case 1: .closed(correlation: random.word(), channel: random.word())
            case 2: .message(channel: random.word(), random.bytes(upTo: 300))
            case 3:
                .openedUnconnected(
                    correlation: random.word(), channel: random.word(), address: IPv4Address(value: random.word()),
                    port: random.word())
            default: .error(correlation: random.word(), message: random.text(upTo: 40))
            }
        }, write: { $0.write(into: &$1) }, read: { (buffer) throws(WireError) in try ProxyReply(frame: buffer) }),
    Codec(
        "BootMessage", minimum: 18,
        random: { random in
            try BootMessage(
                opcode: BootOpcode(rawValue: random.word()), operand1: random.word(), operand2: random.word(),
                operand3: random.word(), data: random.bytes(upTo: 1024))
        }, write: { $0.write(into: &$1) }, read: { (buffer) throws(WireError) in try BootMessage(datagram: buffer) }),
]

private func sequences(_ random: inout Seeded) -> [UInt32] { (0..<Int(random.next() % 66)).map { _ in random.word() } }

private let fastDataCodecs: [Codec] = [
    Codec(
        "FastDataInCommand", minimum: 8,
        random: { (random) -> FastDataInCommand in
            switch random.next() % 3 {
            case 0:
                .location(
                    transaction: random.word(), address: random.word(), chip: chip(&random), lastSequence: random.word())
            case 1: .data(transaction: random.word(), sequence: random.word(), data: random.bytes(upTo: 260))
            default: .tellMissing(transaction: random.word())
            }
        }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try FastDataInCommand(from: &buffer)
        }),
    Codec(
        "FastDataInReply", minimum: 8,
        random: { random in
            random.next() % 2 == 0
                ? FastDataInReply.finished(transaction: random.word())
                : .missing(transaction: random.word(), sequences: sequences(&random))
        }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try FastDataInReply(from: &buffer)
        }),
    Codec(
        "FastDataOutCommand", minimum: 8,
        random: { (random) -> FastDataOutCommand in
            switch random.next() % 4 {
            case 0: .start(transaction: random.word(), address: random.word(), size: random.word())
            case 1: .missing(transaction: random.word(), messages: random.word(), sequences: sequences(&random))
            case 2: .moreMissing(transaction: random.word(), sequences: sequences(&random))
            default: .clear(transaction: random.word())
            }
        }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try FastDataOutCommand(from: &buffer)
        }),
    Codec(
        "FastDataOutPacket", minimum: 8,
        random: { random in
            FastDataOutPacket(
                sequence: random.word(), isLast: random.next() % 2 == 0, transaction: random.word(),
                data: random.bytes(upTo: 264))
        }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try FastDataOutPacket(from: &buffer)
        }),
]

private func eieio(_ random: inout Seeded) throws -> EIEIOMessage {
    // Of random bytes most are data; the rest commands, by number.
    guard random.next() % 2 == 0 else { return try EIEIOMessage(datagram: data(&random)) }
    var bytes = ByteBuffer(integer: 0x4000 | UInt16(random.next() % 16), endianness: .little)
    if bytes.getInteger(at: 0, as: UInt8.self) == 1 {
        bytes.writeString(random.text(upTo: 40))
    } else {
        // Enough for any count of regions that the body may announce.
        bytes.writeImmutableBuffer(random.bytes(2048))
    }
    do {
        return try EIEIOMessage(datagram: bytes)
    } catch {
        return .command(.eventStop)
    }
}

/// A data message of as many elements as its header says.
private func data(_ random: inout Seeded) -> ByteBuffer {
    let flags = random.integer(UInt8.self)
    // Bit 6 alone would make it a command.
    var bytes = ByteBuffer(bytes: [UInt8(random.next() % 20), flags & 0xC0 == 0x40 ? flags | 0x80 : flags])
    bytes.writeImmutableBuffer(random.bytes(2 + 4 + 20 * 8))
    return bytes
}

private let eventCodecs: [Codec] = [
    Codec(
        "EIEIOMessage", minimum: 2, random: { try eieio(&$0) }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try EIEIOMessage(datagram: buffer) }),
    Codec(
        "EIEIODataMessage", minimum: 2, random: { try EIEIODataMessage(datagram: data(&$0)) }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try EIEIODataMessage(datagram: buffer) }),
    Codec(
        "NotificationMessage", minimum: 2,
        random: { random in
            switch random.next() % 4 {
            case 0: .startResume
            case 1: .stopPause
            case 2: .acknowledgement
            default: .database(path: "/" + random.text(upTo: 60))
            }
        }, write: { $0.write(into: &$1) }, read: { (buffer) throws(WireError) in try NotificationMessage(datagram: buffer) }),
    Codec(
        "BootValues", minimum: BootValues.size,
        random: { random in
            var bytes = random.bytes(BootValues.size)
            return try BootValues(from: &bytes)
        }, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try BootValues(from: &buffer)
        }),
]

private let requestCodecs: [Codec] = [
    Codec(GetVersion.self), Codec(ReadMemory.self), Codec(WriteMemory.self), Codec(FillMemory.self), Codec(ReadLink.self),
    Codec(WriteLink.self), Codec(CountCores.self), Codec(RemapCore.self), Codec(RunApplication.self),
    Codec(NearestNeighbourPacket.self), Codec(CopyAndRunApplication.self), Codec(SendSignal.self), Codec(FloodFillData.self),
    Codec(StartApplication.self), Codec(SetLEDs.self), Codec(IPTagCommand.self), Codec(NewIPTag.self), Codec(SetIPTag.self),
    Codec(SetReverseIPTag.self), Codec(GetIPTags.self), Codec(ClearIPTag.self), Codec(SetIPTagTimeout.self),
    Codec(SerialROMTransaction.self), Codec(AllocateCommand.self), Codec(AllocateSDRAM.self), Codec(FreeSDRAM.self),
    Codec(FreeSDRAMOfApplication.self), Codec(AllocateRouterEntries.self), Codec(FreeRouterEntries.self),
    Codec(FreeRouterEntriesOfApplication.self), Codec(GetSDRAMSpace.self), Codec(GetTaggedSDRAM.self),
    Codec(RouterCommand.self),
    Codec(ClearRouter.self), Codec(ClearRouterEntries.self), Codec(LoadRouter.self), Codec(SetFixedRoute.self),
    Codec(GetFixedRoute.self), Codec(GetChipInfo.self), Codec(SetSynchronisation.self), Codec(StopSimulation.self),
    Codec(SetRunTime.self), Codec(ExitSimulation.self), Codec(ClearIOBUF.self), Codec(PauseSimulation.self),
    Codec(GetSimulationTime.self),
]

/// A request whose decoder insists on one selector in arg1, or one operation in arg3.
private func selected<Request: SCPRequest>(_ type: Request.Type, arg1 value: UInt32) -> Codec {
    Codec(type, selector: SCPArguments(value, 0, 0), mask: SCPArguments(0, .max, .max))
}
private func selected<Request: SCPRequest>(_ type: Request.Type, arg3 value: UInt32) -> Codec {
    Codec(type, selector: SCPArguments(0, 0, value), mask: SCPArguments(.max, .max, 0))
}

private let bmpCodecs: [Codec] = [
    Codec(SetBoardPower.self), Codec(SetBoardLEDs.self), Codec(ReadFPGARegister.self), Codec(WriteFPGARegister.self),
    Codec(BMPInfoCommand.self), selected(GetBoardSerial.self, arg1: 0), selected(GetBoardEEPROMImage.self, arg1: 1),
    selected(GetCANStatus.self, arg1: 2), selected(GetBoardStatus.self, arg1: 3), selected(GetBoardAddresses.self, arg1: 4),
    selected(GetUninitialisedBlock.self, arg1: 5), Codec(SerialFlashCommand.self), selected(ReadSerialFlash.self, arg3: 0),
    selected(WriteSerialFlash.self, arg3: 1), selected(ChecksumSerialFlash.self, arg3: 2),
    selected(ReadBackplaneEEPROM.self, arg3: 0), selected(WriteBackplaneEEPROM.self, arg3: 1), Codec(CopyFlash.self),
    Codec(EraseFlash.self), Codec(WriteFlash.self), Codec(ResetBoards.self), Codec(ConfigureFPGAs.self),
    Codec(BMPIPTagCommand.self),
]

private let responseCodecs: [Codec] = [
    Codec(EmptyResponse.self, minimum: 0, size: 4), Codec(BytesResponse.self, minimum: 0, size: 200),
    Codec(WordResponse.self, minimum: 4, size: 4), Codec(CoreCount.self, minimum: 4, size: 12),
    Codec(CopyAndRunResult.self, minimum: 0, size: 4), Codec(SDRAMSpace.self, minimum: 8, size: 8),
    Codec(RouteResponse.self, minimum: 4, size: 4), Codec(ChipInfo.self, minimum: 36, size: 38),
    Codec(IPTagTimeoutInfo.self, minimum: 4, size: 4), Codec(IPTagEntries.self, minimum: 25, size: 96),
    Codec(BoardSerial.self, minimum: 32, size: 32), Codec(CANStatus.self, minimum: 24, size: 24),
    Codec(BoardStatus.self, minimum: 48, size: 48), Codec(BoardAddresses.self, minimum: 64, size: 64),
    Codec(VersionInfo.self, minimum: 12) { random in
        let isOld = random.next() % 4 == 0
        let version = SoftwareVersion(
            major: Int(random.next() % 100), minor: Int(random.next() % 100), patch: isOld ? 0 : Int(random.next() % 1000))
        return VersionInfo(
            virtualCore: random.integer(), physicalCore: random.integer(), chip: chip(&random), bufferSize: random.integer(),
            buildDate: random.word(), name: random.text(upTo: 10), hardware: random.text(upTo: 10), version: version,
            versionText: isOld ? "\(version.major).\(version.minor)" : nil, isOldStyle: isOld)
    },
]

/// A structure in memory, made of `size` random bytes.
private func structure<Message: Equatable & Sendable>(
    _ name: String, minimum: Int, size: Int, write: @escaping @Sendable (Message, inout ByteBuffer) -> Void,
    read: @escaping @Sendable (inout ByteBuffer) throws(WireError) -> Message
) -> Codec {
    structure(name, minimum: minimum, write: write, read: read) { random in
        var bytes = random.bytes(size)
        return try read(&bytes)
    }
}

private func structure<Message: Equatable & Sendable>(
    _ name: String, minimum: Int, write: @escaping @Sendable (Message, inout ByteBuffer) -> Void,
    read: @escaping @Sendable (inout ByteBuffer) throws(WireError) -> Message,
    random: @escaping @Sendable (inout Seeded) throws -> Message
) -> Codec {
    Codec(
        name, minimum: minimum, random: random, write: write,
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try read(&buffer)
        })
}

private let structureCodecs: [Codec] = [
    structure(
        "SystemVariables", minimum: 256, size: 256, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try SystemVariables(from: &buffer) }),
    structure(
        "VCPU", minimum: 128, size: 128, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try VCPU(from: &buffer) }),
    structure(
        "P2PColumn", minimum: 8, size: 8, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try P2PColumn(from: &buffer, height: 13) }),
    structure(
        "RouterTableImage", minimum: 16, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try RouterTableImage(from: &buffer) }
    ) { random in
        RouterTableImage(
            entries: (0..<Int(random.next() % 20)).map { _ in
                MulticastEntry(key: random.word(), mask: random.word(), route: RouteWord(rawValue: random.word()))
            })
    },
    structure(
        "RouterCopyEntry", minimum: 16, size: 16, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try RouterCopyEntry(from: &buffer) }),
    structure(
        "RouterDiagnostics", minimum: 64, size: 64, write: { $0.writeCounters(into: &$1) },
        read: { (buffer) throws(WireError) in try RouterDiagnostics(control: 7, errors: .parity, from: &buffer) }),
    structure(
        "HeapRoot", minimum: 16, size: 16, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try HeapRoot(from: &buffer) }),
    structure(
        "HeapBlock", minimum: 8, size: 8, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try HeapBlock(from: &buffer) }),
    structure(
        "IOBUFBlock", minimum: 16, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try IOBUFBlock(from: &buffer) }
    ) { random in
        IOBUFBlock(next: random.word(), time: random.word(), millisecond: random.word(), text: random.bytes(upTo: 100))
    },
    structure(
        "ApplicationTableEntry", minimum: 8, size: 8, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try ApplicationTableEntry(from: &buffer) }),
    structure(
        "SerialROMBlock", minimum: 32, size: 32, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try SerialROMBlock(from: &buffer) }),
    structure(
        "IPTagEntry", minimum: 25, size: 32, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try IPTagEntry(from: &buffer) }),
    structure(
        "BMPIPTagEntry", minimum: 24, size: 24, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try BMPIPTagEntry(from: &buffer) }),
    structure(
        "Blacklist", minimum: 4, write: { $0.write(into: &$1) },
        read: { (buffer) throws(WireError) in try Blacklist(from: &buffer) }
    ) { random in
        Blacklist(entries: (0..<Int(random.next() % 64)).map { _ in Blacklist.Entry(word: random.word()) })
    },
]
