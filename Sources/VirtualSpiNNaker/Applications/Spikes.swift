//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// ``VirtualApplication/spikeSource(tag:intervalMicroseconds:perPacket:packets:firstKey:)``
final class SpikeSource: CoreProgram {
    var name: String { "spike-source" }
    private let tag: UInt8
    private let interval: TimeAmount
    private let perPacket: Int
    private let packets: UInt32
    private var nextKey: UInt32
    private var sent: UInt32 = 0
    /// Where keys are read, if the application has such a block.
    private var table: (address: UInt32, count: UInt32)?

    init(tag: UInt8, interval: TimeAmount, perPacket: Int, packets: UInt32, firstKey: UInt32) {
        self.tag = tag
        self.interval = interval
        // What fits an SDP message.
        self.perPacket = min(max(perPacket, 1), EIEIODataHeader(.key32).maximumElements)
        self.packets = packets
        self.nextKey = firstKey
    }

    func main(_ core: NativeCore, now: NIODeadline) {
        core.setState(.running)
        let address = core.chip.taggedSDRAM(200 &+ core.number, application: core.application)
        let words = address == 0 ? 0 : Heap.payloadSize(address, in: core.chip.memory) / 4
        if words > 0 {
            self.table = (address, words)
            self.nextKey = 0
        }
        self.tick(core, now: now)
    }

    private func tick(_ core: NativeCore, now: NIODeadline) {
        core.after(self.interval, now: now) { core, then in
            if core.state == .running { self.emit(core, now: then) }
            guard self.packets == 0 || self.sent < self.packets else { return core.finish() }
            self.tick(core, now: then)
        }
    }

    private func emit(_ core: NativeCore, now: NIODeadline) {
        var writer = EIEIODataWriter(EIEIODataHeader(.key32))
        for _ in 0..<self.perPacket {
            let key: UInt32
            if let table = self.table {
                key = core.chip.memory.read32(table.address &+ 4 * (self.nextKey % table.count))
            } else {
                key = self.nextKey
            }
            self.nextKey &+= 1
            // A key of 32 bits always fits, and so do as many as a message takes.
            guard (try? writer.append(key: key)) == true else { break }
        }
        self.sent += 1
        core.setUser(2, self.sent)
        core.sendToHost(tag: self.tag, port: 1, data: writer.finish(), now: now)
    }
}

/// ``VirtualApplication/spikeSink``
final class SpikeSink: CoreProgram {
    var name: String { "spike-sink" }
    private var packets: UInt32 = 0
    private var keys: UInt32 = 0

    func main(_ core: NativeCore, now: NIODeadline) {
        core.setUser(2, 0)
        core.setUser(3, 0)
        core.setState(.running)
    }

    func received(_ message: SDPMessage, _ core: NativeCore, now: NIODeadline) {
        guard core.state == .running, let events = try? EIEIODataMessage(datagram: message.data) else { return }
        self.packets &+= 1
        self.keys &+= UInt32(clamping: events.presentElements.count)
        core.setUser(2, self.packets)
        core.setUser(3, self.keys)
        core.print("\(self.packets) packets, \(self.keys) keys\n", now: now)
    }
}
