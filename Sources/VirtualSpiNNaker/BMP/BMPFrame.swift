//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// The BMPs of a frame behind the one that has an address: slot 0's. It carries out what is for its own board and hands the
/// rest on over the backplane. The destination *core* of a message is the number of a board.
package final class BMPFrame {
    /// Slots are 0...23.
    package static let slots = BoardWiring.slotsPerFrame

    /// Counted through all cabinets.
    package let frame: Int
    let fabric: MachineFabric
    let software: any ChipSoftware
    private var boards: [BMPBoard?]
    var tags = TagTable()
    /// The EEPROM of the backplane.
    var eepromImage = FlashMemory(size: 256)
    /// A board alone has no backplane.
    let hasBackplane: Bool

    init(frame: Int, fabric: MachineFabric, software: any ChipSoftware) {
        self.frame = frame
        self.fabric = fabric
        self.software = software
        if case .triads = fabric.description.kind { self.hasBackplane = true } else { self.hasBackplane = false }
        self.boards = Array(repeating: nil, count: BMPFrame.slots)
    }

    /// The board in a slot; nil when the slot is empty.
    func board(inSlot slot: Int) -> Board? {
        let number = self.frame * BMPFrame.slots + slot
        guard slot >= 0, slot < BMPFrame.slots, number < self.fabric.boards.count, self.fabric.boards[number].isPresent else {
            return nil
        }
        return self.fabric.boards[number]
    }

    /// What the BMP in a slot holds itself. Slot 0 of a frame always has one: it has the frame's address.
    func bmp(inSlot slot: Int) -> BMPBoard? {
        guard slot >= 0, slot < BMPFrame.slots else { return nil }
        if let bmp = self.boards[slot] { return bmp }
        guard slot == 0 || self.board(inSlot: slot) != nil else { return nil }
        let bmp = BMPBoard(slot: slot, frame: self.frame, fabric: self.fabric)
        self.boards[slot] = bmp
        return bmp
    }

    package func receive(_ datagram: ByteBuffer, from sender: HostAddress, now: NIODeadline) {
        let length = datagram.readableBytes - SDPHeader.udpPadding
        // The whole Ethernet frame, 42 bytes longer, must be more than 52.
        guard datagram.readableBytes > 10, length <= NativeSystem.longestSDP,
            var message = try? SDPMessage(datagram: datagram)
        else { return }
        let slot = Int(message.header.destination.cpu)
        // Replies go to port 7 of the receiving board, and show the frame as their chip.
        message.header.source = SDPAddress(port: 7, cpu: 0)
        message.header.sourceChip = ChipID(p2pAddress: UInt16(truncatingIfNeeded: self.frame))
        if message.header.flags.contains(.replyWanted) {
            if message.header.tag == SDPHeader.transientTag {
                guard let tag = self.tags.takeTransient(for: sender, now: now) else { return }
                message.header.tag = tag
            } else {
                guard self.tags.isInUse(message.header.tag, at: now) else { return }
            }
        }
        guard let bmp = self.bmp(inSlot: slot) else { return self.bounce(message, .noRoute, now: now) }
        if let injected = bmp.injectedResult { return self.bounce(message, injected, now: now) }
        guard message.header.destination.port == 0 || message.header.destination.port == 7 else {
            return self.bounce(message, .badPort, now: now)
        }
        guard let packet = try? SCPPacket(header: message.header, body: message.data) else {
            return self.bounce(message, .badLength, now: now)
        }
        self.execute(packet, on: bmp, sender: sender, now: now)
    }

    private func bounce(_ message: SDPMessage, _ result: SCPResult, now: NIODeadline) {
        if message.header.flags.contains(.replyWanted) { self.send(Reply(to: message, result: result), now: now) }
    }

    /// Unlike SC&MP's, a BMP's error codes reach the host.
    func finish(_ reply: Reply, _ outcome: Outcome, wanted flags: SDPFlags, now: NIODeadline) {
        var reply = reply
        switch outcome {
        case .ok: break
        case .refused(let result):
            reply.dropPayload()
            reply.setResult(result)
        case .refusedWithPayload(let result): reply.setResult(result)
        case .deferred, .silent: return
        }
        if flags.contains(.replyWanted) { self.send(reply, now: now) }
    }

    private func send(_ reply: Reply, now: NIODeadline) {
        guard let entry = self.tags.use(reply.header.tag, at: now) else { return }
        self.fabric.send(
            OutgoingDatagram(
                endpoint: .bmp(frame: self.frame), sourcePort: UInt16(SCP.port), destination: entry.host, bytes: reply.bytes))
    }
}
