//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// A board of which only the fast protocols' cores run: a gatherer on its Ethernet chip, an extra monitor on each chip, and as much of
/// SC&MP as sets a tag and reads and writes memory, and of a BMP as switches it on. `Host` is whatever tells senders apart.
///
/// It behaves as the cores of SpiNNFrontEndCommon do, their silence towards anything unexpected included.
package final class FastDataBoard<Host: Sendable> {
    package struct Faults: Sendable {
        /// Probabilities of losing a message of the fast protocols, towards the board and from it.
        package var lossIn = 0.0
        package var lossOut = 0.0
        package var duplication = 0.0
        /// What the board sends comes in any order.
        package var shuffles = false
        package var isGathererDeaf = false
        package var isMonitorDeaf = false
        /// Sequences that never get through, in either direction.
        package var cursed: Set<UInt32> = []
        /// What the board says to the request for a tag.
        package var tagResult = SCPResult.ok

        package init() {}
    }

    package enum Destination: Sendable {
        case sender
        case host(Host)
    }

    package struct Output: Sendable {
        package var datagram: ByteBuffer
        package var to: Destination
    }

    /// As the link's machine or job has it.
    package let ethernet: ChipID
    package let gatherer: CoreID
    package let monitorCore: UInt8
    package var faults: Faults
    private var random: SeededGenerator
    private var memory: [UInt64: SparseMemory] = [:]
    private var tags: [UInt8: Host] = [:]
    /// What came to the gatherer's port, in order.
    package private(set) var toGatherer: [FastDataInCommand] = []
    package private(set) var toMonitors: [FastDataOutCommand] = []

    private struct Stream {
        var transaction: UInt32 = 0
        var address: UInt32 = 0
        var chip = ChipID.origin
        var packets = 0
        var received: Set<UInt32> = []
        var isOpen = false
    }
    private var gathering = Stream()
    private var sending: [ChipID: (transaction: UInt32, address: UInt32, size: Int)] = [:]
    private var lists: [ChipID: (left: UInt32, sequences: [UInt32])] = [:]

    package init(
        ethernet: ChipID = .origin, gatherer: UInt8 = 3, monitor: UInt8 = 2, faults: Faults = Faults(), seed: UInt64 = 1,
        lastTransaction: UInt32 = 0
    ) {
        self.ethernet = ethernet
        self.gatherer = CoreID(chip: ethernet, p: gatherer)
        self.monitorCore = monitor
        self.faults = faults
        self.random = SeededGenerator(seed: seed)
        self.gathering.transaction = lastTransaction
        self.publish(lastTransaction, of: self.gatherer)
    }

    // MARK: - Memory

    private func region(_ chip: ChipID, _ address: UInt32) -> SparseMemory {
        let key = UInt64(chip.p2pAddress) << 32 | UInt64(address >> 27)
        if let known = self.memory[key] { return known }
        let new = SparseMemory(size: 1 << 27)
        self.memory[key] = new
        return new
    }

    package func read(_ chip: ChipID, at address: UInt32, count: Int) -> [UInt8] {
        (0..<count).map { offset in
            let at = address &+ UInt32(truncatingIfNeeded: offset)
            return self.region(chip, at).read8(Int(at & 0x07FF_FFFF))
        }
    }

    package func write(_ bytes: some Sequence<UInt8>, to chip: ChipID, at address: UInt32) {
        var at = address
        for byte in bytes {
            self.region(chip, at).write8(Int(at & 0x07FF_FFFF), byte)
            at &+= 1
        }
    }

    private func publish(_ transaction: UInt32, of core: CoreID) {
        let bytes = ByteBuffer(integer: transaction, endianness: .little)
        self.write(bytes.readableBytesView, to: core.chip, at: VCPU.userAddress(of: core.p, 1))
    }

    /// What a monitor says its last transaction was.
    package func setLastTransaction(_ transaction: UInt32, ofMonitorOn chip: ChipID) {
        self.sending[chip] = (transaction, 0, 0)
        self.publish(transaction, of: CoreID(chip: chip, p: self.monitorCore))
    }

    // MARK: - Messages

    /// What came to port 17893.
    package func receive(_ datagram: ByteBuffer, from sender: Host) -> [Output] {
        guard let message = try? SDPMessage(datagram: datagram) else { return [] }
        switch message.header.destination.port {
        case 0: return self.scp(datagram, from: sender).map { [Output(datagram: $0, to: .sender)] } ?? []
        case FastData.inPort
        where CoreID(chip: message.header.destinationChip, p: message.header.destination.cpu) == self.gatherer:
            var data = message.data
            guard let command = try? FastDataInCommand(from: &data) else { return [] }
            self.toGatherer.append(command)
            if case .data(_, let sequence, _) = command, self.faults.cursed.contains(sequence) { return [] }
            guard !self.faults.isGathererDeaf, !self.random.chance(self.faults.lossIn) else { return [] }
            return self.tagged(self.gather(command))
        case FastData.outPort where message.header.destination.cpu == self.monitorCore:
            var data = message.data
            guard let command = try? FastDataOutCommand(from: &data) else { return [] }
            self.toMonitors.append(command)
            guard !self.faults.isMonitorDeaf, !self.random.chance(self.faults.lossIn) else { return [] }
            return self.tagged(self.monitor(command, on: message.header.destinationChip))
        default: return []
        }
    }

    /// Out through the tag, with what the network does on the way.
    private func tagged(_ datagrams: [ByteBuffer]) -> [Output] {
        guard let host = self.tags.values.first else { return [] }
        var outputs: [Output] = []
        for datagram in datagrams where !self.random.chance(self.faults.lossOut) {
            outputs.append(Output(datagram: datagram, to: .host(host)))
            if self.random.chance(self.faults.duplication) { outputs.append(Output(datagram: datagram, to: .host(host))) }
        }
        if self.faults.shuffles { outputs.shuffle(using: &self.random) }
        return outputs
    }

    private func scp(_ datagram: ByteBuffer, from sender: Host) -> ByteBuffer? {
        guard let packet = try? SCPPacket(datagram: datagram) else { return nil }
        let chip = packet.header.destinationChip
        var result = SCPResult.ok
        var payload = ByteBuffer()
        switch packet.command {
        case .ipTag:
            guard let tag = try? SetIPTag(arguments: packet.arguments, data: packet.data).tagCommand,
                tag.operation == .set, tag.flags.contains(.useSender), tag.flags.contains(.strip), chip == self.ethernet
            else { return nil }
            result = self.faults.tagResult
            self.tags = [tag.tag: sender]
            payload.writeInteger(UInt32(tag.tag), endianness: .little)
        case .read:
            payload.writeBytes(self.read(chip, at: packet.arguments.arg1, count: Int(min(packet.arguments.arg2, 256))))
        case .write:
            self.write(packet.data.readableBytesView, to: chip, at: packet.arguments.arg1)
        // As far as it is its own BMP.
        case .bmpPower, .linkWrite: break
        case .linkRead: payload.writeInteger(packet.arguments.arg3, endianness: .little)
        default:
            result = .badCommand
        }
        var reply = ByteBuffer()
        SCPReply(header: packet.header.reply, result: result, sequence: packet.sequence, payload: payload)
            .writeDatagram(into: &reply)
        return reply
    }

    // MARK: - The cores

    private func gather(_ command: FastDataInCommand) -> [ByteBuffer] {
        switch command {
        case .location(let transaction, let address, let chip, let lastSequence):
            guard !self.gathering.isOpen, transaction == FastData.transaction(after: self.gathering.transaction) else {
                return []
            }
            self.gathering = Stream(
                transaction: transaction, address: address,
                chip: ChipID(x: self.ethernet.x &+ chip.x, y: self.ethernet.y &+ chip.y), packets: Int(lastSequence) + 1,
                isOpen: true)
            self.publish(transaction, of: self.gatherer)
            return []
        case .data(let transaction, let sequence, let data):
            guard self.gathering.isOpen, transaction == self.gathering.transaction, Int(sequence) < self.gathering.packets
            else { return [] }
            self.gathering.received.insert(sequence)
            self.write(
                data.readableBytesView, to: self.gathering.chip,
                at: self.gathering.address &+ sequence &* UInt32(FastData.inBytes))
            return []
        case .tellMissing(let transaction):
            guard transaction == self.gathering.transaction else { return [] }
            if self.gathering.received.count == self.gathering.packets { self.gathering.isOpen = false }
            guard self.gathering.isOpen else { return [Self.bytes(.finished(transaction: transaction))] }
            guard !self.gathering.received.isEmpty else {
                return [Self.bytes(.missing(transaction: transaction, sequences: [FastDataInReply.everything]))]
            }
            let missing = (0..<UInt32(self.gathering.packets)).filter { !self.gathering.received.contains($0) }
            return stride(from: 0, to: missing.count, by: FastData.words - 2).map { start in
                Self.bytes(.missing(transaction: transaction, sequences: Array(missing[start...].prefix(FastData.words - 2))))
            }
        }
    }

    private static func bytes(_ reply: FastDataInReply) -> ByteBuffer {
        var buffer = ByteBuffer()
        reply.write(into: &buffer)
        return buffer
    }

    private func monitor(_ command: FastDataOutCommand, on chip: ChipID) -> [ByteBuffer] {
        let last = self.sending[chip]?.transaction ?? 0
        switch command {
        case .start(let transaction, let address, let size):
            guard transaction == FastData.transaction(after: last) else { return [] }
            self.sending[chip] = (transaction, address, Int(size))
            self.lists[chip] = nil
            self.publish(transaction, of: CoreID(chip: chip, p: self.monitorCore))
            return self.packets(Array(0..<UInt32((Int(size) + FastData.outBytes - 1) / FastData.outBytes)), of: chip)
        case .missing(let transaction, let messages, let sequences):
            guard transaction == last, messages > 0 else { return [] }
            self.lists[chip] = (messages - 1, sequences)
        case .moreMissing(let transaction, let sequences):
            guard transaction == last, let list = self.lists[chip], list.left > 0 else { return [] }
            self.lists[chip] = (list.left - 1, list.sequences + sequences)
        case .clear(let transaction):
            if transaction == last { self.lists[chip] = nil }
            return []
        }
        guard let list = self.lists[chip], list.left == 0 else { return [] }
        self.lists[chip] = nil
        return self.packets(list.sequences, of: chip)
    }

    /// The packets of these numbers; the last one says so.
    private func packets(_ sequences: [UInt32], of chip: ChipID) -> [ByteBuffer] {
        guard let stream = self.sending[chip] else { return [] }
        return sequences.enumerated().compactMap { index, sequence in
            if self.faults.cursed.contains(sequence) { return nil }
            let offset = Int(sequence) * FastData.outBytes
            let count = max(0, min(FastData.outBytes, stream.size - offset))
            let bytes = self.read(chip, at: stream.address &+ UInt32(truncatingIfNeeded: offset), count: count)
            var buffer = ByteBuffer()
            FastDataOutPacket(
                sequence: sequence, isLast: index == sequences.count - 1, transaction: stream.transaction,
                data: ByteBuffer(bytes: bytes)
            ).write(into: &buffer)
            return buffer
        }
    }
}
