//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// Makes a ``Machine`` of what its chips said. No I/O: what was heard goes in, the machine and its oddities come out.
struct Survey {
    let shape: MachineShape
    let root: ChipID
    /// Chips that the P2P tables know.
    var expected: [ChipID]
    var answers: [ChipID: ChipInfo] = [:]
    /// By virtual core, 0xFF: none. 20 bytes.
    var virtualToPhysical: [ChipID: [UInt8]] = [:]

    private static let minimumCores = 5

    func machine() throws(TransceiverError) -> Machine {
        var notes: [Machine.Note] = []
        for chip in self.expected where self.answers[chip] == nil { notes.append(.silent(chip)) }
        guard let root = self.answers[self.root] else {
            throw TransceiverError(.unusableMachine, "the root chip \(self.root) does not answer", chip: self.root)
        }
        guard root.nearestEthernet == self.root, root.address != nil else {
            throw TransceiverError(.unusableMachine, "the root chip \(self.root) has no IP address", chip: self.root)
        }
        let chips = self.answers.keys.sorted()
        var found: [Machine.Chip] = []
        for chip in chips {
            guard let info = self.answers[chip] else { continue }
            found.append(self.chip(chip, info, &notes))
        }
        return Machine(shape: self.shape, root: self.root, chips: found, notes: notes)
    }

    private func chip(_ id: ChipID, _ info: ChipInfo, _ notes: inout [Machine.Note]) -> Machine.Chip {
        var address = info.address
        if let stray = address, info.nearestEthernet != id {
            notes.append(.strayAddress(id, stray))
            address = nil
        }
        let working = min(Int(info.workingCores), MemoryMap.cores)
        if working < Survey.minimumCores { notes.append(.fewCores(id, working)) }
        var cores: [UInt8] = []
        for p in 1..<UInt8(max(1, working)) {
            let state = Int(p) < info.coreStates.count ? info.coreStates[Int(p)] : .dead
            if state == .idle { cores.append(p) } else { notes.append(.busyCore(CoreID(chip: id, p: p), state)) }
        }
        var links: Set<Link> = []
        for link in Link.allCases where info.workingLinks >> link.rawValue & 1 == 1 {
            let end = ChipLink(chip: id, link: link)
            guard let far = self.shape.position(over: link, from: id).chip, let other = self.answers[far] else {
                // Beyond the edge of the machine there is nothing to miss.
                if self.shape.neighbour(of: id, over: link) != nil { notes.append(.leadsNowhere(end)) }
                continue
            }
            guard other.workingLinks >> link.opposite.rawValue & 1 == 1 else {
                notes.append(.oneWay(end))
                continue
            }
            links.insert(link)
        }
        if id != self.root, let parent = info.parentLink {
            let far = self.shape.position(over: parent, from: id).chip
            if far.flatMap({ self.answers[$0] }) == nil { notes.append(.deadParent(id)) }
        }
        let physical = self.virtualToPhysical[id].map { map in
            map.prefix(working).map { $0 == 0xFF ? nil : $0 }
        }
        return Machine.Chip(
            id: id, applicationCores: cores, workingCores: working, links: links, freeSDRAM: info.largestFreeSDRAM,
            freeRoutingEntries: Int(info.largestFreeRouterBlock), nearestEthernet: info.nearestEthernet, address: address,
            parentLink: id == self.root ? nil : info.parentLink, physicalCores: physical ?? [])
    }
}
