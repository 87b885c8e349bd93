//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

extension Machine {
    /// The machine without what is in `faults`: chips with the links to them, links at both ends, cores.
    public func leavingOut(_ faults: MachineFaults) -> Machine {
        let gone = Set(
            self.chips.filter { faults.chips.contains($0.id) || faults.boards.contains($0.nearestEthernet) }.map(\.id))
        let kept = self.chips.filter { !gone.contains($0.id) }.map { chip in
            var chip = chip
            chip.applicationCores.removeAll { faults.cores.contains(CoreID(chip: chip.id, p: $0)) }
            chip.links = chip.links.filter { link in
                guard let far = self.shape.position(over: link, from: chip.id).chip, !gone.contains(far) else { return false }
                return !faults.links.contains(ChipLink(chip: chip.id, link: link))
                    && !faults.links.contains(ChipLink(chip: far, link: link.opposite))
            }
            return chip
        }
        return Machine(shape: self.shape, root: self.root, chips: kept, notes: self.notes)
    }

    /// The machine without what a user's configuration lists, and what of the list does not apply.
    public func leavingOut(_ ignores: Ignores) -> (machine: Machine, notes: [IgnoreNote]) {
        var boards: [IPv4Address: ChipID] = [:]
        for chip in self.ethernetChips {
            if let address = chip.address { boards[address] = chip.id }
        }
        let (faults, notes) = ignores.resolve(in: self.shape, boards: boards) { chip, physical in
            self[chip]?.physicalCores.firstIndex(of: physical).map { UInt8(truncatingIfNeeded: $0) }
        }
        return (self.leavingOut(faults), notes)
    }
}
