//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import VirtualSpiNNaker

extension InMemoryMachine {
    /// The reply of any command with any arguments, or nil for silence.
    func raw(
        _ command: SCPCommand, _ a: UInt32 = 0, _ b: UInt32 = 0, _ c: UInt32 = 0, data: [UInt8] = [],
        to core: CoreID = CoreID(0, 0, 0), at endpoint: MachineEndpoint = .board(0), port: UInt8 = 0,
        flags: SDPFlags = .replyExpected, tag: UInt8 = SDPHeader.transientTag, sequence: UInt16 = 999,
        patience: TimeAmount = .zero
    ) -> SCPReply? {
        self.reply(
            to: SCPPacket(
                header: SDPHeader(
                    flags: flags, tag: tag, destination: SDPAddress(port: port, cpu: core.p), destinationChip: core.chip),
                command: command, sequence: sequence, arguments: SCPArguments(a, b, c), data: ByteBuffer(bytes: data)),
            at: endpoint, patience: patience)
    }

    /// Loads a built-in program and starts it on some cores of a chip.
    func start(
        _ application: VirtualApplication, id: UInt8 = 30, cores: [UInt8], on chip: ChipID = .origin, wait: Bool = false
    ) throws {
        try self.start(image: application.image, id: id, cores: cores, on: chip, wait: wait)
    }

    func start(image: [UInt8], id: UInt8 = 30, cores: [UInt8], on chip: ChipID = .origin, wait: Bool = false) throws {
        try self.write(image, to: 0x6780_0000, core: .monitor(of: chip))
        _ = try self.ask(
            RunApplication(ApplicationStart(application: id, cores: CoreMask(cores: cores), wait: wait)),
            core: .monitor(of: chip))
    }

    func signal(_ signal: Signal, id: UInt8 = 30, mask: UInt8 = 0xFF) {
        _ = self.raw(
            .signal, signal.type.rawValue, UInt32(signal.rawValue) << 16 | UInt32(mask) << 8 | UInt32(id), 0xFFFF,
            to: CoreID(255, 255, 0))
    }

    /// As the VCPU block says.
    func state(_ core: UInt8, on chip: ChipID = .origin) throws -> CoreState {
        CoreState(rawValue: try self.read(0xE500_7000 + 128 * UInt32(core) + 46, count: 1, core: .monitor(of: chip))[0])
    }

    func user(_ index: UInt32, core: UInt8, on chip: ChipID = .origin) throws -> UInt32 {
        try self.readWord(0xE500_7000 + 128 * UInt32(core) + 112 + 4 * index, core: .monitor(of: chip))
    }

    /// The text of a core's IOBUF, read as a host reads it.
    func iobuf(core: UInt8, on chip: ChipID = .origin) throws -> String {
        let monitor = CoreID.monitor(of: chip)
        var block = try self.readWord(0xE500_7000 + 128 * UInt32(core) + 88, core: monitor)
        var text: [UInt8] = []
        while block != 0 {
            let used = try self.readWord(block + 12, core: monitor)
            text += try self.read(block + 16, count: Int(used), core: monitor)
            block = try self.readWord(block, core: monitor)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// (payload, size, second word) of each block, walked as a host walks it.
    func heap(_ root: UInt32, on chip: ChipID = .origin) throws -> [(payload: UInt32, size: UInt32, word: UInt32)] {
        let monitor = CoreID.monitor(of: chip)
        var blocks: [(UInt32, UInt32, UInt32)] = []
        var block = try self.readWord(root + 4, core: monitor)
        while true {
            let next = try self.readWord(block, core: monitor)
            guard next != 0 else { return blocks }
            blocks.append((block + 8, next &- block &- 8, try self.readWord(block + 4, core: monitor)))
            block = next
        }
    }
}
