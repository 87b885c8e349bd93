//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// The serial flash beside each BMP: what the board tells its chips at reset.
extension MachineFabric {
    static let serialFlashSize = 8 << 20

    /// How the board's Ethernet chip appears on the network.
    func serialROMBlock(ofBoard number: Int) -> SerialROMBlock {
        SerialROMBlock(
            flags: SerialROMBlock.isValid | SerialROMBlock.hasEthernet | (self.topology.shape == .spinn3 ? 3 : 5) << 4,
            mac: 0x0000_6C00_0000 | UInt64(number) << 8,
            address: self.topology.address(ofBoard: number, base: self.description.base),
            gateway: IPv4Address(192, 168, 240, 254), netmask: IPv4Address(255, 255, 0, 0))
    }

    /// The list that a site would have written for the faults the board was made with.
    func factoryBlacklist(ofBoard number: Int) -> Blacklist {
        guard let faults = self.boards[number].faults else { return Blacklist(entries: []) }
        var entries: [Blacklist.Entry] = []
        for (local, chip) in self.topology.locals.enumerated() {
            let isDead = faults.deadChips >> UInt64(local) & 1 == 1
            let cores = isDead ? 0x3FFFF : faults.deadCores[local]
            let links = Link.allCases.filter { faults.deadLinks[local] >> $0.rawValue & 1 == 1 }
            if cores != 0 || !links.isEmpty {
                entries.append(Blacklist.Entry(chip: chip, deadPhysicalCores: cores, deadLinks: links))
            }
        }
        return Blacklist(entries: entries)
    }

    func makeSerialFlash(ofBoard number: Int) -> FlashMemory {
        var bytes = ByteBuffer()
        self.serialROMBlock(ofBoard: number).write(into: &bytes)
        bytes.writeRepeatingByte(0, count: Int(Blacklist.flashAddress) - bytes.readableBytes)
        self.factoryBlacklist(ofBoard: number).write(into: &bytes)
        var flash = FlashMemory(size: MachineFabric.serialFlashSize)
        flash.write(0, bytes.readableBytesView)
        return flash
    }

    /// At reset the BMP hands the list to the chips: from then on it holds, until the next reset.
    func loadBlacklist(ofBoard number: Int) {
        let board = self.boards[number]
        // A flash that nobody has opened holds the factory's list, which says only what is broken anyway.
        guard let flash = board.existingSerialFlash else { return board.blacklist = nil }
        var bytes = ByteBuffer(bytes: flash.read(Int(Blacklist.flashAddress), count: Blacklist.size))
        guard let list = try? Blacklist(from: &bytes), !list.entries.isEmpty else { return board.blacklist = nil }
        var faults = BoardFaults(chips: self.topology.chipsPerBoard)
        for entry in list.entries where entry.type == 0 {
            guard let chip = self.topology.chip(entry.chip, onBoard: number) else { continue }
            let local = chip % self.topology.chipsPerBoard
            faults.deadCores[local] |= entry.deadPhysicalCores
            for link in entry.deadLinks { faults.deadLinks[local] |= 1 << link.rawValue }
        }
        board.blacklist = faults
    }
}

extension Board {
    /// Opened when first needed.
    func withSerialFlash<Result>(_ fabric: MachineFabric, _ body: (inout FlashMemory) -> Result) -> Result {
        var flash = self.existingSerialFlash ?? fabric.makeSerialFlash(ofBoard: self.number)
        // Held once, so that a write does not copy the pages.
        self.existingSerialFlash = nil
        defer { self.existingSerialFlash = flash }
        return body(&flash)
    }
}
