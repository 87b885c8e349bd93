//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// What a BMP does with memory: its own, its flash, the serial flash, the backplane's EEPROM.
extension BMPFrame {
    private static let eepromSize = 256

    func read(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        let (address, length, unit) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, unit <= 2 else { return .refused(.badArgument) }
        bmp.read(address, count: Int(length), into: &reply.bytes)
        return .ok
    }

    func write(_ packet: SCPPacket, of bmp: BMPBoard) -> Outcome {
        let (address, length, unit) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, unit <= 2 else { return .refused(.badArgument) }
        let data = packet.data.padded(to: Int(length))
        data.withUnsafeReadableBytes { bmp.write(address, UnsafeRawBufferPointer(rebasing: $0[..<Int(length)])) }
        return .ok
    }

    func fill(_ packet: SCPPacket, of bmp: BMPBoard) -> Outcome {
        bmp.fill(packet.arguments.arg1, word: packet.arguments.arg2, count: Int(packet.arguments.arg3 & ~3))
        return .ok
    }

    // MARK: Flash

    /// Why a range is refused, as the processor's in-application programming would say it: a wrong sector.
    private static let invalidSector: UInt32 = 7

    func eraseFlash(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        guard bmp.eraseFlash(packet.arguments.arg1, packet.arguments.arg2) else {
            reply.bytes.put(BMPFrame.invalidSector)
            return .refusedWithPayload(.badArgument)
        }
        reply.bytes.put(BMPBoard.bufferAddress)
        return .ok
    }

    func writeFlash(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        let arguments = packet.arguments
        guard bmp.programFlash(arguments.arg1, size: arguments.arg2, isErasedFirst: arguments.arg3 != 0) else {
            reply.bytes.put(BMPFrame.invalidSector)
            return .refusedWithPayload(.badArgument)
        }
        return .ok
    }

    func serialFlash(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        guard let command = try? SerialFlashCommand(arguments: packet.arguments, data: packet.data),
            let board = self.board(inSlot: bmp.slot)
        else { return .refused(.badArgument) }
        let address = Int(command.address)
        switch command.operation {
        case .read, .write:
            guard command.size <= SCP.maximumData else { return .refused(.badArgument) }
            let size = Int(command.size)
            if command.operation == .read {
                reply.bytes.writeBytes(board.withSerialFlash(self.fabric) { $0.read(address, count: size) })
            } else {
                let data = command.data.padded(to: size)
                board.withSerialFlash(self.fabric) { $0.write(address, data.readableBytesView.prefix(size)) }
            }
        case .checksum:
            // No sum goes beyond the flash.
            let size = min(Int(command.size), MachineFabric.serialFlashSize)
            reply.bytes.put(board.withSerialFlash(self.fabric) { $0.checksum(address, count: size) })
        default: return .refused(.badArgument)
        }
        return .ok
    }

    /// The backplane of a frame has one, behind the board in slot 0. A board alone has no backplane.
    func eeprom(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        let (address, length, operation) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, operation <= 1, bmp.slot == 0 else { return .refused(.badArgument) }
        guard self.hasBackplane else { return .refused(.timeout) }
        if operation == 0 {
            reply.bytes.writeBytes(self.eepromImage.read(Int(address), count: Int(length)))
        } else {
            self.eepromImage.write(
                Int(address), packet.data.padded(to: Int(length)).readableBytesView.prefix(Int(length)))
        }
        return .ok
    }

    // MARK: Information

    func information(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        switch BMPInfoCommand.Selector(rawValue: packet.arguments.arg1) {
        case .serial:
            BoardSerial(
                hardwareVersion: self.fabric.topology.shape == .spinn3 ? 3 : 5,
                serial: [0x5350_4E4E, UInt32(clamping: self.frame), UInt32(clamping: bmp.slot), 1],
                flashBuffer: BMPBoard.bufferAddress, boardStatus: BMPBoard.upperRAM, vectors: 0x1000_7FE0
            ).write(into: &reply.bytes)
        case .eeprom: reply.bytes.writeBytes(self.eepromImage.read(0, count: BMPFrame.eepromSize))
        case .canStatus:
            CANStatus(boards: (0..<BMPFrame.slots).map { self.board(inSlot: $0) == nil ? 0 : 1 }).write(into: &reply.bytes)
        case .boardStatus:
            bmp.status(isOn: self.board(inSlot: bmp.slot)?.isOn ?? false).write(into: &reply.bytes)
        case .addresses:
            BoardAddresses(bmp: bmp.bmpBlock, spinnaker: bmp.spinnakerBlock).write(into: &reply.bytes)
        case .uninitialised: reply.bytes.writeRepeatingByte(0, count: 32)
        default: return .refused(.badArgument)
        }
        return .ok
    }

    // MARK: Tags

    /// 24-byte entries, no flags, the timeout elsewhere: otherwise as SC&MP's.
    func ipTag(_ packet: SCPPacket, _ reply: inout Reply, now: NIODeadline) -> Outcome {
        guard let command = try? BMPIPTagCommand(arguments: packet.arguments, data: packet.data),
            Int(command.tag) < TagTable.count
        else { return .refused(.badArgument) }
        switch command.operation {
        case .new, .set:
            let tag = command.operation == .new ? self.tags.firstUnused(at: now) : command.tag
            guard let tag else {
                reply.bytes.put(UInt32(255))
                return .ok
            }
            var entry = TagTable.Tag()
            entry.flags = .valid
            entry.host = HostAddress(ip: command.address, port: command.port)
            entry.expiry = TagTable.duration(ofCode: command.timeoutCode).map { now + $0 }
            self.tags.set(tag, to: entry)
            reply.bytes.put(UInt32(tag))
        case .get:
            let count = packet.arguments.arg2
            guard count <= UInt32(SCP.maximumData / BMPIPTagEntry.size) else { return .refused(.badArgument) }
            for index in 0..<Int(count) {
                let entry = self.tags.entry(Int(command.tag) + index, at: now)
                BMPIPTagEntry(
                    address: entry.address, mac: entry.mac, port: entry.port, timeout: entry.timeout, flags: entry.flags,
                    count: entry.count
                ).write(into: &reply.bytes)
            }
        case .clear: self.tags.clear(command.tag)
        case .timeout:
            reply.bytes.put(UInt32(8 << 24 | 8 << 16) | UInt32(self.tags.transientTimeout))
            if packet.arguments.arg2 < 16 { self.tags.transientTimeout = UInt8(packet.arguments.arg2) }
        default: return .refused(.badArgument)
        }
        return .ok
    }
}
