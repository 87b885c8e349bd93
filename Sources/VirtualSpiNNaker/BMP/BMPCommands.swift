//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// What a BMP does with a command.
extension BMPFrame {
    /// When BC&MP 2.1.2 was built (Unix time), as its version reply says.
    static let buildDate: UInt32 = 0x5AC0_9B6D

    func execute(_ packet: SCPPacket, on bmp: BMPBoard, sender: HostAddress, now: NIODeadline) {
        var reply = Reply(to: packet.header, sequence: packet.sequence, capacity: SCP.maximumData)
        let outcome =
            switch packet.command {
            case .version: self.version(of: bmp, &reply)
            case .bmpPower: self.power(packet, on: bmp, reply, now: now)
            case .linkRead: self.readFPGA(packet, of: bmp, &reply)
            case .linkWrite: self.writeFPGA(packet, of: bmp)
            case .led: self.leds(packet)
            case .read: self.read(packet, of: bmp, &reply)
            case .write: self.write(packet, of: bmp)
            case .fill: self.fill(packet, of: bmp)
            case .bmpInfo: self.information(packet, of: bmp, &reply)
            case .ipTag: self.ipTag(packet, &reply, now: now)
            case .bmpSerialFlash: self.serialFlash(packet, of: bmp, &reply)
            case .bmpEEPROM: self.eeprom(packet, of: bmp, &reply)
            case .flashErase: self.eraseFlash(packet, of: bmp, &reply)
            case .flashWrite: self.writeFlash(packet, of: bmp, &reply)
            // The BMP overwrites its own program and restarts: nobody is left to answer.
            case .flashCopy: Outcome.silent
            case .reset: self.reset(packet, now: now)
            case .xilinx: self.configureFPGAs(packet, of: bmp)
            case .i2c: bmp.slot == 0 && packet.arguments.arg3 <= SCP.maximumData ? Outcome.ok : Outcome.refused(.badArgument)
            case .pwm: self.setFans(packet, of: bmp)
            default: Outcome.refused(.badCommand)
            }
        self.finish(reply, outcome, wanted: packet.header.flags, now: now)
    }

    private func version(of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        VersionInfo(
            virtualCore: UInt8(truncatingIfNeeded: bmp.slot), physicalCore: BMPBoard.canID(ofSlot: bmp.slot),
            // Frame, and the code block it runs from.
            chip: ChipID(x: 0, y: UInt8(truncatingIfNeeded: self.frame)), buildDate: BMPFrame.buildDate, name: "BC&MP",
            hardware: "Spin5-BMP", version: SoftwareVersion(major: 2, minor: 1, patch: 2)
        ).write(into: &reply.bytes)
        return .ok
    }

    /// Each board of the mask waits `delay` times its own number, and then comes up by itself. The addressed board answers
    /// when its own sequence is over.
    private func power(_ packet: SCPPacket, on bmp: BMPBoard, _ reply: Reply, now: NIODeadline) -> Outcome {
        guard let command = try? SetBoardPower(arguments: packet.arguments, data: packet.data), command.state <= 1 else {
            return .refused(.badArgument)
        }
        let isOn = command.state == 1
        var answersAt = now
        for (slot, board, wait) in self.boards(command.boards, delay: command.delay) {
            let delay = isOn ? self.fabric.description.powerOnDelay : .zero
            if slot == bmp.slot { answersAt = now + wait + delay }
            if wait > .zero {
                board.life += 1
                let life = board.life
                self.fabric.timers.schedule(at: now + wait) { [unowned self] then in
                    guard board.life == life else { return }
                    self.fabric.setPower(isOn, board: board, delay: delay, software: self.software, now: then)
                }
            } else {
                self.fabric.setPower(isOn, board: board, delay: delay, software: self.software, now: now)
            }
            // LED 1 shows power.
            if let other = self.bmp(inSlot: slot) { other.leds = isOn ? other.leds | 2 : other.leds & ~2 }
        }
        guard answersAt > now else { return .ok }
        let flags = packet.header.flags
        self.tags.hold(packet.header.tag, until: answersAt)
        self.fabric.timers.schedule(at: answersAt) { [unowned self] then in
            self.finish(reply, .ok, wanted: flags, now: then)
        }
        return .deferred
    }

    /// 0 release, 1 hold, 2 pulse; 4 more, the FPGAs too. The chips go back to their boot ROM.
    private func reset(_ packet: SCPPacket, now: NIODeadline) -> Outcome {
        guard let command = try? ResetBoards(arguments: packet.arguments, data: packet.data), command.operation <= 7,
            let line = command.line
        else { return .refused(.badArgument) }
        for (_, board, wait) in self.boards(command.boards, delay: command.delay) {
            guard wait > .zero else {
                self.reset(board, line, fpgas: command.includesFPGAs, now: now)
                continue
            }
            let life = board.life
            self.fabric.timers.schedule(at: now + wait) { [unowned self] then in
                if board.life == life { self.reset(board, line, fpgas: command.includesFPGAs, now: then) }
            }
        }
        return .ok
    }

    private func reset(_ board: Board, _ line: ResetBoards.Line, fpgas: Bool, now: NIODeadline) {
        // A line that nobody holds can not be released.
        guard board.isOn, line != .release || board.isHeldInReset else { return }
        if fpgas { board.fpgas.reset() }
        self.fabric.reset(board: board, software: self.software, now: now)
        board.isHeldInReset = line == .hold
    }

    /// The boards of a mask, and how long each waits its turn: the delay, times its own number.
    private func boards(_ mask: UInt32, delay: UInt16) -> [(slot: Int, board: Board, wait: TimeAmount)] {
        (0..<BMPFrame.slots).compactMap { slot in
            guard mask >> UInt32(slot) & 1 == 1, let board = self.board(inSlot: slot) else { return nil }
            return (slot, board, .milliseconds(Int64(delay) * Int64(slot)))
        }
    }

    private func configureFPGAs(_ packet: SCPPacket, of bmp: BMPBoard) -> Outcome {
        guard let command = try? ConfigureFPGAs(arguments: packet.arguments, data: packet.data) else {
            return .refused(.badArgument)
        }
        let board = self.board(inSlot: bmp.slot)
        switch command.operation {
        case .send: break
        case .initialise:
            board?.fpgas.reset()
            if let board { board.fpgas.unconfigured &= ~UInt8(truncatingIfNeeded: command.parameter) }
        case .reset:
            guard command.parameter <= 2 else { return .refused(.badArgument) }
            board?.fpgas.reset()
        default: return .refused(.badArgument)
        }
        return .ok
    }

    private func setFans(_ packet: SCPPacket, of bmp: BMPBoard) -> Outcome {
        bmp.pwm = packet.arguments.arg1
        return .ok
    }

    private func leds(_ packet: SCPPacket) -> Outcome {
        for slot in 0..<BMPFrame.slots where packet.arguments.arg2 >> UInt32(slot) & 1 == 1 {
            guard let bmp = self.bmp(inSlot: slot) else { continue }
            bmp.leds = LEDs.applied(packet.arguments.arg1, to: bmp.leds, count: 8)
        }
        return .ok
    }

    // MARK: FPGA registers

    private func readFPGA(_ packet: SCPPacket, of bmp: BMPBoard, _ reply: inout Reply) -> Outcome {
        let (register, size, fpga) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard size <= SCP.maximumData, fpga < FPGARegisters.count else { return .refused(.badArgument) }
        // A board without power has no FPGAs to ask.
        guard let board = self.board(inSlot: bmp.slot), board.power != .off else { return .silent }
        for word in 0..<size / 4 {
            reply.bytes.put(
                board.fpgas.read(fpga: Int(fpga), address: register &+ 4 * word) {
                    self.fabric.isPeerUp(ofBoard: board.number, side: $0)
                })
        }
        reply.bytes.writeRepeatingByte(0, count: Int(size % 4))
        return .ok
    }

    private func writeFPGA(_ packet: SCPPacket, of bmp: BMPBoard) -> Outcome {
        let (register, size, fpga) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard size <= SCP.maximumData, fpga < FPGARegisters.count else { return .refused(.badArgument) }
        guard let board = self.board(inSlot: bmp.slot), board.power != .off else { return .silent }
        self.fabric.linkChanges += 1
        var data = packet.data
        for word in 0..<size / 4 {
            let value: UInt32 = data.readInteger(endianness: .little) ?? 0
            board.fpgas.write(fpga: Int(fpga), address: register &+ 4 * word, value: value)
        }
        return .ok
    }
}

/// CMD_LED, of SC&MP and BMP alike: two bits for each LED.
package enum LEDs {
    /// - Parameter actions: bits 2n+1...2n for LED n: 0 leave, 1 invert, 2 off, 3 on.
    package static func applied(_ actions: UInt32, to lit: UInt8, count: Int) -> UInt8 {
        var lit = lit
        for led in 0..<min(count, 8) {
            let bit = UInt8(1) << UInt8(led)
            switch actions >> UInt32(2 * led) & 3 {
            case 1: lit ^= bit
            case 2: lit &= ~bit
            case 3: lit |= bit
            default: break
            }
        }
        return lit
    }
}
