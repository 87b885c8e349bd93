//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A nearest-neighbour packet as far as the model looks at it.
struct FloodPacket {
    enum Opcode: UInt8 {
        case signal0 = 0
        case fillStart = 6
        case coreSelect = 7
        case blockStart = 12
        case blockData = 13
        case blockEnd = 14
        case fillEnd = 15
    }
    var opcode: Opcode
    var key: UInt32
    var data: UInt32
}

/// What a chip knows of the flood fill that passes through it.
struct FloodFill {
    private enum State { case idle, betweenBlocks, inBlock }
    private var state = State.idle
    private var id: UInt8 = 0
    private var expectedBlocks = 0
    private var storedBlocks = 0
    private var hasFailed = false
    /// A select packet has come: without one nothing is started.
    private var isSelected = false
    private var cores: UInt32 = 0
    private var lastSelection: UInt64 = 0
    private var seenBlocks: Set<UInt8> = []
    private var block: UInt8 = 0
    private var address: UInt32 = 0
    private var sum: UInt32 = 0
    private var wordCount = 0
    private var words: [UInt8: UInt32] = [:]

    private static func id(_ key: UInt32) -> UInt8 { UInt8(key >> 1 & 127) }

    /// - Returns: the word with which to start the staged image, when the packet ends a fill that is complete.
    mutating func receive(_ packet: FloodPacket, store: (UInt32, [UInt32]) -> Void) -> UInt32? {
        let key = packet.key
        switch packet.opcode {
        case .signal0: break
        case .fillStart:
            self = FloodFill()
            self.state = .betweenBlocks
            self.id = UInt8(key >> 17 & 127)
            self.expectedBlocks = Int(key >> 8 & 0xFF)
        case .coreSelect:
            // Each must be greater than the one before: that is how copies on other ways are told.
            let selection = UInt64(packet.data) << 18 | UInt64(key & 0x3FFFF)
            guard selection > self.lastSelection else { break }
            self.lastSelection = selection
            self.isSelected = true
            self.cores |= key & 0x3FFFF
        case .blockStart:
            let block = UInt8(key >> 16 & 0xFF)
            guard self.state == .betweenBlocks, FloodFill.id(key) == self.id, self.seenBlocks.insert(block).inserted else {
                break
            }
            self.state = .inBlock
            self.block = block
            self.address = packet.data
            self.sum = packet.data
            self.wordCount = Int(key >> 8 & 0xFF) + 1
            self.words = [:]
        case .blockData:
            guard self.state == .inBlock, FloodFill.id(key) == self.id, UInt8(key >> 16 & 0xFF) == self.block else { break }
            let index = UInt8(key >> 8 & 0xFF)
            guard self.words[index] == nil else { break }
            self.words[index] = packet.data
            self.sum &+= packet.data
        case .blockEnd:
            guard self.state == .inBlock, FloodFill.id(key) == self.id, UInt8(key >> 16 & 0xFF) == self.block else { break }
            self.sum &+= packet.data
            if self.sum == 0, self.words.count == self.wordCount {
                self.storedBlocks += 1
                store(self.address, (0..<self.wordCount).map { self.words[UInt8($0)] ?? 0 })
            } else {
                self.hasFailed = true
            }
            self.state = .betweenBlocks
        case .fillEnd:
            guard self.state == .betweenBlocks, FloodFill.id(key) == self.id else { break }
            self.state = .idle
            guard !self.hasFailed, self.storedBlocks == self.expectedBlocks, self.isSelected else { break }
            return packet.data | self.cores
        }
        return nil
    }
}

extension NativeSystem {
    /// CMD_NNP: a packet of the host's own making goes round the machine. Bit 31 of arg3 asks SC&MP for a new id.
    func nearestNeighbour(_ packet: SCPPacket, at chip: NativeChip, now: NIODeadline) -> Outcome {
        var key = packet.arguments.arg1
        if packet.arguments.arg3 >> 31 == 1 { key |= chip.nextFloodID() }
        let links = UInt8(packet.arguments.arg3 >> 8 & 0x3F)
        guard let opcode = FloodPacket.Opcode(rawValue: UInt8(key >> 24 & 0xF)) else { return .ok }
        self.flood(FloodPacket(opcode: opcode, key: key, data: packet.arguments.arg2), from: chip, links: links, now: now)
        return .ok
    }

    /// CMD_FFD: one block of a fill, as packets with a running sum.
    func floodFillData(_ packet: SCPPacket, at chip: NativeChip, now: NIODeadline) -> Outcome {
        let links = UInt8(packet.arguments.arg1 >> 24 & 0x3F)
        let id = packet.arguments.arg1 & 0xFE
        let block = packet.arguments.arg2 & 0x00FF_0000
        let count = Int(packet.arguments.arg2 >> 8 & 0xFF) + 1
        var sum = packet.arguments.arg3
        func send(_ opcode: FloodPacket.Opcode, _ key: UInt32, _ data: UInt32) {
            self.flood(FloodPacket(opcode: opcode, key: key, data: data), from: chip, links: links, now: now)
        }
        send(.blockStart, packet.arguments.arg2 & 0x00FF_FF00 | id, sum)
        var data = packet.data
        for index in 0..<count {
            // A short packet leaves old words behind it: zeroes here.
            let word: UInt32 = data.readInteger(endianness: .little) ?? 0
            sum &+= word
            send(.blockData, block | UInt32(index) << 8 | id, word)
        }
        send(.blockEnd, block | id, 0 &- sum)
        return .ok
    }

    /// To every chip that a packet reaches from the links it leaves by; the sender gets it back from its neighbours.
    func flood(_ packet: FloodPacket, from chip: NativeChip, links: UInt8, now: NIODeadline) {
        let isHeard = Link.allCases.contains { link in
            guard links >> link.rawValue & 1 == 1, let there = chip.machine.neighbour(of: chip.index, link) else {
                return false
            }
            return chip.machine.chips[there].isAlive && chip.machine.chips[there].isMonitorAlive
        }
        guard isHeard else { return }
        for other in chip.machine.chips where other.isAlive && other.isMonitorAlive {
            if packet.opcode == .signal0 {
                // Operation 5 is a signal to applications; the others are SC&MP's own housekeeping.
                if packet.data >> 28 == 5 { self.signal(packet.data, on: other, now: now) }
                continue
            }
            let start = other.floodFill.receive(packet) { address, words in
                for (index, word) in words.enumerated() { other.memory.write32(address &+ 4 * UInt32(index), word) }
            }
            if let start { self.start(image: other.parameters.sdramSystem, word: start, on: other, now: now) }
        }
    }
}
