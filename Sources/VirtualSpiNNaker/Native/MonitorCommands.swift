//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// What the monitor does with a message to core 0, port 0.
extension NativeSystem {
    /// When SC&MP 4.0.0 was built (Unix time), as its version reply says; SARK a second later.
    static let buildDate: UInt32 = 0x6557_33F4

    func execute(_ message: SDPMessage, at chip: NativeChip, sender: HostAddress?, now: NIODeadline) {
        guard let packet = try? SCPPacket(header: message.header, body: message.data) else {
            // Fewer than 24 bytes of SDP: RC_LEN, which is masked.
            return self.finish(
                Reply(to: message, result: .ok), .refused(.badLength), wanted: message.header.flags, at: chip, now: now)
        }
        // READ first: a host that moves memory sends little else.
        let capacity = packet.command == .read || packet.command == .linkRead ? SCP.maximumData : 40
        var reply = Reply(to: packet.header, sequence: packet.sequence, capacity: capacity)
        let outcome =
            switch packet.command {
            case .read: self.read(packet, &reply, at: chip, now: now)
            case .write: self.write(packet, at: chip, now: now)
            case .version: self.version(core: 0, of: chip, &reply, now: now)
            case .info: self.info(&reply, at: chip)
            case .fill: self.fill(packet, at: chip, now: now)
            case .linkRead: self.linkRead(packet, &reply, at: chip, now: now)
            case .linkWrite: self.linkWrite(packet, at: chip)
            case .ipTag: self.ipTag(packet, &reply, at: chip, sender: sender, now: now)
            default: self.executeRare(packet, &reply, at: chip, now: now)
            }
        self.finish(reply, outcome, wanted: packet.header.flags, at: chip, now: now)
    }

    private func executeRare(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip, now: NIODeadline) -> Outcome {
        let arguments = packet.arguments
        return switch packet.command {
        case .allocate: self.allocate(packet, &reply, at: chip)
        case .router: self.router(packet, &reply, at: chip)
        case .applicationRun:
            self.run(packet, image: chip.parameters.sdramSystem, start: arguments.arg1, at: chip, now: now)
        case .applicationStart: self.run(packet, image: arguments.arg1, start: arguments.arg2, at: chip, now: now)
        case .applicationCopyRun: self.copyAndRun(packet, &reply, at: chip, now: now)
        case .signal: self.signal(packet, at: chip, now: now)
        case .count: self.count(packet, reply, at: chip, now: now)
        case .nearestNeighbourPacket: self.nearestNeighbour(packet, at: chip, now: now)
        case .floodFillData: self.floodFillData(packet, at: chip, now: now)
        case .remap: self.remap(packet, at: chip, now: now)
        case .led: self.setLEDs(packet, at: chip)
        case .serialROM: self.serialROM(packet, &reply, at: chip)
        // Beacons between boards keep clocks together. These clocks do not drift, with or without: `sv.clock_drift` stays 0, as
        // it does in the executed firmware (golden5.txt).
        case .sync: .ok
        default: .refused(.badCommand)
        }
    }

    /// The map of LEDs says how many there are in its low nibble.
    private func setLEDs(_ packet: SCPPacket, at chip: NativeChip) -> Outcome {
        chip.leds = LEDs.applied(packet.arguments.arg1, to: chip.leds, count: Int(chip.parameters.led0 & 0xF))
        self.fabric.report(.leds(board: chip.board, chip: chip.address, lit: chip.leds))
        return .ok
    }

    /// The serial ROM of an Ethernet chip is what the BMP has put there; on other chips the pin idles high.
    private func serialROM(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip) -> Outcome {
        guard let command = try? SerialROMTransaction(arguments: packet.arguments, data: packet.data) else {
            return .refused(.badArgument)
        }
        guard command.size <= SCP.maximumData else { return .silent }
        guard !command.flags.contains(.write) else { return .ok }
        // The read command of SPI memories: its byte, then an address.
        let isRead = command.commandWord >> 24 == 3
        let address = Int(command.commandBits >= 32 ? command.commandWord & 0xFF_FFFF : command.commandWord >> 8 & 0xFFFF)
        let size = Int(command.size)
        if chip.isEthernet, isRead {
            let board = self.fabric.boards[chip.board]
            reply.bytes.writeBytes(board.withSerialFlash(self.fabric) { $0.read(address, count: size) })
        } else {
            reply.bytes.writeRepeatingByte(0xFF, count: size)
        }
        return .ok
    }

    /// Sends the reply of a command, if one is wanted.
    ///
    /// **The masking defect.** SC&MP 4.0.0's handlers store an error code, and the routine that sends the reply overwrites it
    /// with RC_OK. Hosts see RC_OK without a payload; so does whoever talks to this model.
    func finish(_ reply: Reply, _ outcome: Outcome, wanted flags: SDPFlags, at chip: NativeChip, now: NIODeadline) {
        var reply = reply
        switch outcome {
        case .ok: break
        case .refused(let result):
            self.fabric.report(.refused(board: chip.board, chip: chip.address, result: result))
            reply.dropPayload()
        case .refusedWithPayload(let result):
            self.fabric.report(.refused(board: chip.board, chip: chip.address, result: result))
        case .deferred, .silent: return
        }
        guard flags.contains(.replyWanted) else { return }
        self.send(reply, from: chip, now: now)
    }

    /// SC&MP (core 0) or SARK. Until net initialisation and the Ethernet are done, the monitor's address reads (255, 255).
    func version(core: UInt8, of chip: NativeChip, _ reply: inout Reply, now: NIODeadline) -> Outcome {
        let isReady = chip.machine.isReady(at: now)
        let address: ChipID = core == 0 ? (isReady ? chip.address : .root) : .origin
        VersionInfo(
            virtualCore: core, physicalCore: chip.cores.physical(core) ?? 0xFF, chip: address,
            buildDate: NativeSystem.buildDate + (core == 0 ? 0 : 1), name: core == 0 ? "SC&MP" : "SARK", hardware: "SpiNNaker",
            version: SoftwareVersion(major: 4, minor: 0, patch: 0)
        ).write(into: &reply.bytes)
        return .ok
    }

    func info(_ reply: inout Reply, at chip: NativeChip) -> Outcome {
        ChipInfo(
            workingCores: chip.cores.count, workingLinks: chip.links, largestFreeRouterBlock: chip.largestFreeRouterBlock,
            isEthernetUp: chip.isEthernetUp, largestFreeSDRAM: chip.largestFreeSDRAM,
            largestFreeSystemRAM: chip.largestFreeSystemRAM,
            coreStates: (0..<UInt8(18)).map { chip.coreState($0) }, nearestEthernet: chip.nearestEthernet, address: chip.ip,
            parent: chip.parent.map { UInt16($0.rawValue) } ?? UInt16(Routes.itself)
        ).write(into: &reply.bytes)
        return .ok
    }
}

extension NativeChip {
    /// As the core's VCPU block says.
    package func coreState(_ core: UInt8) -> CoreState {
        guard let memory = self.existingMemory, memory.systemRAM.isTouched(VCPUOffset.base) else {
            return core == 0 ? .running : (core < self.cores.count ? .idle : .dead)
        }
        return CoreState(rawValue: memory.systemRAM.read8(VCPUOffset.base + VCPUOffset.size * Int(core) + VCPUOffset.state))
    }

    var largestFreeSDRAM: UInt32 {
        let parameters = self.machine.parameters
        guard let memory = self.existingMemory, memory.sdram.isTouched(Int(parameters.sdramHeap & 0x07FF_FFFF)) else {
            return parameters.sdramSystem - parameters.sdramHeap - 32
        }
        return Heap.largestFree(root: parameters.sdramHeap, in: memory)
    }

    var largestFreeSystemRAM: UInt32 {
        let parameters = self.machine.parameters
        guard let memory = self.existingMemory, memory.systemRAM.isTouched(Int(parameters.systemRAMHeap & 0x7FFF)) else {
            return SVOffset.vcpuAddress - parameters.systemRAMHeap - 40 - parameters.bufferCount * 292
        }
        return Heap.largestFree(root: parameters.systemRAMHeap, in: memory)
    }

    var largestFreeRouterBlock: UInt16 {
        let copy = SystemHeapLayout(heap: self.machine.parameters.systemHeap).routerCopy
        guard let memory = self.existingMemory, memory.sdram.isTouched(Int(copy & 0x07FF_FFFF)) else { return 1023 }
        return RouterCopy.largestFree(in: memory, copy: copy)
    }
}
