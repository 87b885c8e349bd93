//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// What SARK does with messages on application cores.
extension NativeSystem {
    /// Bytes of a message buffer in shared memory.
    private static let bufferSize: UInt32 = 292

    /// Hands a message to a core through its mailbox.
    ///
    /// A core that takes no messages swallows the first and keeps it: its buffer is lost, and whoever sends the next hears
    /// RC_TIMEOUT.
    func deliver(_ message: SDPMessage, to number: UInt8, of chip: NativeChip, now: NIODeadline) {
        let core = chip.core(number)
        if core.isMailboxFull { return self.bounce(message, .timeout, at: chip, now: now) }
        guard chip.lostBuffers < chip.parameters.bufferCount else {
            return self.bounce(message, .noBuffer, at: chip, now: now)
        }
        let buffer = chip.parameters.systemRAMHeap + 24 + NativeSystem.bufferSize * chip.lostBuffers
        if core.isDeaf {
            chip.lostBuffers += 1
            core.holdInMailbox(buffer: buffer)
            return
        }
        let block = VCPUOffset.base + VCPUOffset.size * Int(number)
        chip.memory.systemRAM.write32(block + VCPUOffset.mailboxToCore, buffer)
        if message.header.destination.port == 0 {
            self.executeOnSARK(message, core: number, of: chip, buffer: buffer, now: now)
        } else {
            core.receive(message, now: now)
        }
    }

    /// Port 0 of an application core: VER, READ, WRITE and FILL. Unlike the monitor's, its error codes reach the host.
    private func executeOnSARK(
        _ message: SDPMessage, core: UInt8, of chip: NativeChip, buffer: UInt32, now: NIODeadline
    ) {
        guard let packet = try? SCPPacket(header: message.header, body: message.data) else {
            return self.bounce(message, .badLength, at: chip, now: now)
        }
        var reply = Reply(to: packet.header, sequence: packet.sequence, capacity: SCP.maximumData)
        let outcome =
            switch packet.command {
            case .version: self.version(core: core, of: chip, &reply, now: now)
            case .read: self.read(packet, &reply, at: chip, core: core, now: now)
            case .write: self.write(packet, at: chip, core: core, now: now)
            case .fill: self.fill(packet, at: chip, core: core, now: now)
            default: Outcome.refused(.badCommand)
            }
        switch outcome {
        case .ok: break
        case .refused(let result), .refusedWithPayload(let result):
            reply.dropPayload()
            reply.setResult(result)
        case .deferred, .silent: return
        }
        guard packet.header.flags.contains(.replyWanted) else { return }
        let block = VCPUOffset.base + VCPUOffset.size * Int(core)
        chip.memory.systemRAM.write32(block + VCPUOffset.mailboxFromCore, buffer)
        self.send(reply, from: chip, now: now)
    }
}
