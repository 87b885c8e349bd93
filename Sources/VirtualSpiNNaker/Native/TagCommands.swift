//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// CMD_IPTAG.
extension NativeSystem {
    func ipTag(
        _ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip, sender: HostAddress?, now: NIODeadline
    ) -> Outcome {
        guard let command = try? IPTagCommand(arguments: packet.arguments, data: packet.data),
            Int(command.tag) < TagTable.count
        else { return .refused(.badArgument) }
        switch command.operation {
        case .new:
            let tag = chip.tags.firstUnused(at: now)
            if let tag { self.set(tag, command, request: packet.header, at: chip, sender: sender, now: now) }
            reply.bytes.put(UInt32(tag ?? 255))
        case .set:
            self.set(command.tag, command, request: packet.header, at: chip, sender: sender, now: now)
            reply.bytes.put(UInt32(command.tag))
        case .get:
            guard command.arg2 <= UInt32(SCP.maximumData / IPTagEntry.size) else { return .refused(.badArgument) }
            for index in 0..<Int(command.arg2) {
                chip.tags.entry(Int(command.tag) + index, at: now).write(into: &reply.bytes)
            }
        case .clear:
            self.withReversePorts(of: chip) { $0.clear(command.tag) }
        case .timeout:
            IPTagTimeoutInfo(timeoutCode: chip.tags.transientTimeout).write(into: &reply.bytes)
            if command.arg2 < 16 { chip.tags.transientTimeout = UInt8(command.arg2) }
        default: return .refused(.badArgument)
        }
        return .ok
    }

    private func set(
        _ number: UInt8, _ command: IPTagCommand, request: SDPHeader, at chip: NativeChip, sender: HostAddress?,
        now: NIODeadline
    ) {
        var tag = TagTable.Tag()
        var flags: IPTagEntry.Flags = [.valid]
        if command.flags.contains(.strip) { flags.insert(.strip) }
        if command.flags.contains(.reverse) { flags.insert(.reverse) }
        if command.flags.contains(.useSender) { flags.insert(.useSender) }
        if let duration = TagTable.duration(ofCode: command.timeoutCode) {
            tag.expiry = now + duration
            // SC&MP 4.0.0 puts the number of ticks among the flags: 9 (256 ticks) makes a tag that strips, 10 a reverse tag.
            flags.rawValue |= 1 << UInt16(command.timeoutCode - 1)
        }
        tag.flags = flags
        tag.destinationChip = ChipID(p2pAddress: UInt16(truncatingIfNeeded: command.arg2 >> 16))
        tag.destination = command.destination
        let port = UInt16(truncatingIfNeeded: command.arg2)
        // The tag by which the request's own reply will leave knows the socket it came from.
        let requester = chip.tags.tag(request.tag, at: now)?.host
        if command.arg3 != 0 {
            tag.host.ip = IPv4Address(wireWord: command.arg3)
        } else if !flags.contains(.reverse) {
            tag.host.ip = flags.contains(.useSender) ? requester?.ip ?? .any : sender?.ip ?? .any
        }
        if flags.contains(.reverse) {
            tag.receivePort = port
        } else {
            tag.host.port = flags.contains(.useSender) ? requester?.port ?? 0 : port
        }
        self.withReversePorts(of: chip) { $0.set(number, to: tag) }
    }

    /// Changes the tags, and opens and closes UDP ports of reverse tags accordingly.
    func withReversePorts(of chip: NativeChip, _ body: (inout TagTable) -> Void) {
        guard chip.isEthernet else { return body(&chip.tags) }
        let before = chip.tags.reversePorts
        body(&chip.tags)
        let after = chip.tags.reversePorts
        for port in before.subtracting(after).sorted() { self.fabric.perform(.closePort(board: chip.board, port: port)) }
        for port in after.subtracting(before).sorted() { self.fabric.perform(.openPort(board: chip.board, port: port)) }
    }
}
