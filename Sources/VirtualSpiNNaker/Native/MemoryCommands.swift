//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// READ, WRITE, FILL and their like over a link.
extension NativeSystem {
    /// How many of `length` bytes are moved: whole units only.
    @inline(__always)
    private func moved(_ length: Int, unit: UInt32) -> Int { length & ~((1 << Int(unit)) - 1) }

    func read(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip, core: UInt8 = 0, now: NIODeadline) -> Outcome {
        let (address, length, unit) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, unit <= 2 else { return .refused(.badArgument) }
        let moved = self.moved(Int(length), unit: unit)
        guard self.isAligned(address, unit: unit) || self.fabric.description.addressFaults == .lenient,
            chip.memory.read(address, count: moved, core: core, now: now, into: &reply.bytes)
        else {
            guard self.fabric.description.addressFaults == .lenient else {
                return self.abort(core: core, of: chip, at: address)
            }
            self.fabric.report(.badAddress(board: chip.board, chip: chip.address, address: address))
            reply.bytes.writeRepeatingByte(0, count: Int(length))
            return .ok
        }
        // The reply has the length that was asked for; behind whole units is what the buffer held: the request itself.
        if moved < Int(length) { self.appendStale(of: packet, from: moved, to: Int(length), &reply) }
        return .ok
    }

    private func appendStale(of packet: SCPPacket, from start: Int, to end: Int, _ reply: inout Reply) {
        var stale = ByteBuffer()
        stale.put(packet.arguments.arg1)
        stale.put(packet.arguments.arg2)
        stale.put(packet.arguments.arg3)
        stale.writeImmutableBuffer(packet.data)
        for index in start..<end { reply.bytes.put(stale.getInteger(at: index, as: UInt8.self) ?? 0) }
    }

    func write(_ packet: SCPPacket, at chip: NativeChip, core: UInt8 = 0, now: NIODeadline) -> Outcome {
        let (address, length, unit) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, unit <= 2 else { return .refused(.badArgument) }
        let moved = self.moved(Int(length), unit: unit)
        let isDone = packet.data.padded(to: moved).withUnsafeReadableBytes { bytes in
            (self.isAligned(address, unit: unit) || self.fabric.description.addressFaults == .lenient)
                && chip.memory.write(address, UnsafeRawBufferPointer(rebasing: bytes[..<moved]), core: core)
        }
        return isDone ? .ok : self.missed(core: core, of: chip, at: address)
    }

    func fill(_ packet: SCPPacket, at chip: NativeChip, core: UInt8 = 0, now: NIODeadline) -> Outcome {
        let (address, word, length) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        // A part of a word at the end is not written.
        let count = Int(length & ~3)
        guard count > 0 else { return .ok }
        guard self.isAligned(address, unit: 2) || self.fabric.description.addressFaults == .lenient,
            chip.memory.fill(address, word: word, count: count, core: core)
        else { return self.missed(core: core, of: chip, at: address) }
        return .ok
    }

    @inline(__always)
    private func isAligned(_ address: UInt32, unit: UInt32) -> Bool { address & ((1 << unit) - 1) == 0 }

    private func missed(core: UInt8, of chip: NativeChip, at address: UInt32) -> Outcome {
        guard self.fabric.description.addressFaults == .strict else {
            self.fabric.report(.badAddress(board: chip.board, chip: chip.address, address: address))
            return .ok
        }
        return self.abort(core: core, of: chip, at: address)
    }

    /// A data abort. The monitor takes the whole chip with it, but for link reads; an application core only itself.
    private func abort(core: UInt8, of chip: NativeChip, at address: UInt32) -> Outcome {
        self.fabric.report(.badAddress(board: chip.board, chip: chip.address, address: address))
        chip.setRunTimeError(5, core: core)
        if core == 0 { chip.isMonitorAlive = false }
        return .silent
    }

    // MARK: Over a link

    /// The hardware of the chip behind a link, whether its monitor lives or not.
    private func hardware(behind link: UInt32, of chip: NativeChip) -> Int? {
        Link(rawValue: UInt8(truncatingIfNeeded: link)).flatMap { self.fabric.neighbour(ofChip: chip.number, $0) }
    }

    func linkRead(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip, now: NIODeadline) -> Outcome {
        let (address, length, link) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, link <= 5 else { return .refused(.badArgument) }
        let moved = Int(length & ~3)
        if moved > 0 {
            guard let number = self.hardware(behind: link, of: chip) else { return .refused(.timeout) }
            if let there = self.chip(number) {
                guard there.memory.read(address & ~3, count: moved, core: nil, now: now, into: &reply.bytes) else {
                    return .refused(.timeout)
                }
            } else {
                // In its boot ROM: SDRAM is not set up.
                reply.bytes.writeRepeatingByte(0, count: moved)
            }
        }
        if moved < Int(length) { self.appendStale(of: packet, from: moved, to: Int(length), &reply) }
        return .ok
    }

    func linkWrite(_ packet: SCPPacket, at chip: NativeChip) -> Outcome {
        let (address, length, link) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard length <= SCP.maximumData, link <= 5 else { return .refused(.badArgument) }
        let moved = Int(length & ~3)
        guard moved > 0 else { return .ok }
        guard let number = self.hardware(behind: link, of: chip) else { return .refused(.timeout) }
        guard let there = self.chip(number) else { return .ok }
        let isDone = packet.data.padded(to: moved).withUnsafeReadableBytes {
            there.memory.write(address & ~3, UnsafeRawBufferPointer(rebasing: $0[..<moved]), core: nil)
        }
        return isDone ? .ok : .refused(.timeout)
    }
}

extension NativeChip {
    /// Marks a core as stopped by a run-time error in its VCPU block.
    package func setRunTimeError(_ code: UInt8, core: UInt8) {
        let block = VCPUOffset.base + VCPUOffset.size * Int(core)
        self.memory.systemRAM.write8(block + VCPUOffset.rteCode, code)
        self.memory.systemRAM.write8(block + VCPUOffset.state, CoreState.runTimeException.rawValue)
    }
}

extension ByteBuffer {
    /// A command that brings less than it announces writes what the firmware's buffer held behind it: zeroes here.
    func padded(to length: Int) -> ByteBuffer {
        guard self.readableBytes < length else { return self }
        var padded = self
        padded.writeRepeatingByte(0, count: length - self.readableBytes)
        return padded
    }
}
