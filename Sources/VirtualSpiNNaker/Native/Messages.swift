//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// How SDP messages come in from the Ethernet, find their way, and leave again.
extension NativeSystem {
    /// SDP header, SCP header and data of the longest message that SC&MP takes.
    static let longestSDP = 280

    package func receive(
        _ datagram: ByteBuffer, onBoard board: Int, port: UInt16, from sender: HostAddress, now: NIODeadline
    ) {
        guard let chip = self.chip(board * self.fabric.topology.chipsPerBoard), now >= chip.start, chip.isMonitorAlive else {
            return
        }
        guard port == SCP.port else {
            self.receiveReverse(datagram, at: chip, port: port, from: sender, now: now)
            return
        }
        let length = datagram.readableBytes - SDPHeader.udpPadding
        guard length >= SDPHeader.size, length <= NativeSystem.longestSDP, var message = try? SDPMessage(datagram: datagram)
        else { return }
        // Whatever the sender claims, the message comes from here.
        message.header.sourceChip = chip.address
        if message.header.flags.contains(.replyWanted) {
            if message.header.tag == SDPHeader.transientTag {
                guard let tag = chip.tags.takeTransient(for: sender, now: now) else { return }
                message.header.tag = tag
            } else {
                guard chip.tags.isInUse(message.header.tag, at: now) else { return }
            }
        }
        self.route(message, at: chip, sender: sender, now: now)
    }

    /// UDP on the port of a reverse tag becomes SDP to the tag's core.
    private func receiveReverse(
        _ datagram: ByteBuffer, at chip: NativeChip, port: UInt16, from sender: HostAddress, now: NIODeadline
    ) {
        guard datagram.readableBytes <= NativeSystem.longestSDP - SDPHeader.size,
            let (tag, entry) = chip.tags.receive(port: port, from: sender, now: now)
        else { return }
        let header = SDPHeader(
            flags: .replyNotExpected, tag: tag, destination: entry.destination, source: .ethernet,
            destinationChip: entry.destinationChip, sourceChip: chip.address)
        self.route(SDPMessage(header: header, data: datagram), at: chip, sender: sender, now: now)
    }

    /// What SC&MP does with a message that it holds on `chip`.
    ///
    /// - Parameter sender: the host it came from, if it came in here.
    func route(_ message: SDPMessage, at chip: NativeChip, sender: HostAddress?, now: NIODeadline) {
        var message = message
        let machine = chip.machine
        if message.header.destinationChip == .root { message.header.destinationChip = machine.rootAddress }
        if message.header.sourceChip == .root { message.header.sourceChip = machine.rootAddress }
        let destination = message.header.destinationChip
        var here = chip
        var sender = sender
        if destination != message.header.sourceChip, destination != chip.address,
            !message.header.flags.contains(.noRouting)
        {
            switch self.transfer(to: destination, from: chip, now: now) {
            case .success(let there): (here, sender) = (there, nil)
            case .failure(let failure): return self.bounce(message, failure.result, at: chip, now: now)
            }
        }
        let target = message.header.destination
        if target == .ethernet { return self.leave(message, from: here, now: now) }
        if target.cpu >= here.cores.count { return self.bounce(message, .badCPU, at: here, now: now) }
        if target.cpu != 0 { return self.deliver(message, to: target.cpu, of: here, now: now) }
        if target.port != 0 { return self.bounce(message, .badPort, at: here, now: now) }
        self.execute(message, at: here, sender: sender, now: now)
    }

    struct TransferFailure: Error { let result: SCPResult }

    /// A P2P transfer from one chip to another: the chip it reaches, or what SC&MP says of the failure.
    private func transfer(
        to address: ChipID, from chip: NativeChip, now: NIODeadline
    ) -> Result<NativeChip, TransferFailure> {
        guard chip.machine.isReady(at: now), chip.memory.p2pEntry(of: address) != Routes.none else {
            return .failure(TransferFailure(result: .noRoute))
        }
        guard let there = chip.machine.chip(at: address), there.isAlive, there.isMonitorAlive else {
            return .failure(TransferFailure(result: .p2pNoReply))
        }
        if !chip.machine.isIntact(in: self.fabric), !self.isPassable(from: chip, to: there) {
            return .failure(TransferFailure(result: .p2pNoReply))
        }
        if let injected = there.injectedResult { return .failure(TransferFailure(result: injected)) }
        return .success(there)
    }

    /// Follows the tables from chip to chip, as packets do: whether all links on the way still work.
    private func isPassable(from chip: NativeChip, to target: NativeChip) -> Bool {
        var here = chip
        // No way is longer than all chips in a row; tables that a host has scribbled over may lead round for ever.
        for _ in chip.machine.chips.indices {
            if here === target { return true }
            guard let link = Link(rawValue: here.memory.p2pEntry(of: target.address)),
                let number = self.fabric.neighbour(ofChip: here.number, link), let next = self.chip(number),
                next.machine === chip.machine
            else { return false }
            here = next
        }
        return false
    }

    /// Turns a message round with an error code and no payload.
    func bounce(_ message: SDPMessage, _ result: SCPResult, at chip: NativeChip, now: NIODeadline) {
        guard message.header.flags.contains(.replyWanted) else { return }
        self.send(Reply(to: message, result: result), from: chip, now: now)
    }

    /// Sends a reply on its way from the chip that made it.
    @inline(__always)
    func send(_ reply: Reply, from chip: NativeChip, now: NIODeadline) {
        guard reply.header.destination == .ethernet else {
            // To a core that has asked.
            return self.route(SDPMessage(header: reply.header, data: reply.data), at: chip, sender: nil, now: now)
        }
        let exit: NativeChip
        if reply.header.destinationChip == chip.address || reply.header.flags.contains(.noRouting) {
            exit = chip
        } else {
            guard let other = chip.machine.chip(at: reply.header.destinationChip), other.isAlive, other.isMonitorAlive else {
                return
            }
            exit = other
        }
        self.leave(reply.bytes, tag: reply.header.tag, from: exit, now: now)
    }

    private func leave(_ message: SDPMessage, from chip: NativeChip, now: NIODeadline) {
        var bytes = ByteBufferAllocator().buffer(capacity: 10 + message.data.readableBytes)
        message.writeDatagram(into: &bytes)
        self.leave(bytes, tag: message.header.tag, from: chip, now: now)
    }

    /// A datagram with padding and header goes out by a tag; a tag that strips sends what follows the header.
    @inline(__always)
    private func leave(_ datagram: ByteBuffer, tag: UInt8, from chip: NativeChip, now: NIODeadline) {
        guard let entry = chip.tags.use(tag, at: now) else { return }
        var datagram = datagram
        if entry.flags.contains(.strip) {
            datagram.moveReaderIndex(forwardBy: min(SDPHeader.udpPadding + SDPHeader.size, datagram.readableBytes))
        }
        self.fabric.send(
            OutgoingDatagram(
                endpoint: .board(chip.board),
                sourcePort: entry.flags.contains(.reverse) ? entry.receivePort : UInt16(SCP.port), destination: entry.host,
                bytes: datagram))
    }
}

extension ChipMemory {
    /// The link to a chip: 0...5, 6 none, 7 here.
    package func p2pEntry(of address: ChipID) -> UInt8 {
        let p2p = Int(address.p2pAddress)
        let word = self.router.read32(RouterPages.p2pTable + 4 * (p2p >> 3))
        return UInt8(word >> UInt32(3 * (p2p & 7)) & 7)
    }
}
