//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// SC&MP and SARK as a model: answers what the firmware answers, without executing it.
package final class NativeSystem: ChipSoftware {
    package let fabric: MachineFabric
    /// By chip number. A chip that has died stays, as others remember it, until the last of its machine has.
    private var known: [NativeChip?]
    /// Machines of which at least one chip lives: chips do not hold their machine, this does.
    private var machines: [ObjectIdentifier: NativeMachine] = [:]

    package init(fabric: MachineFabric) {
        self.fabric = fabric
        self.known = Array(repeating: nil, count: fabric.topology.chipCount)
    }

    // MARK: Boot

    /// A chip on which SC&MP runs; nil: in its boot ROM, or without power.
    package func chip(_ number: Int) -> NativeChip? {
        guard let chip = self.known[number], chip.isAlive else { return nil }
        return chip
    }

    package func isRunning(chip: Int) -> Bool { self.chip(chip) != nil }

    package func start(_ image: ROMImage, onBoard board: Int, now: NIODeadline) {
        let topology = self.fabric.topology
        guard let discovery = Discovery(fabric: self.fabric, rootBoard: board, isRunning: self.isRunning(chip:)) else {
            self.fabric.report(.bootFailed(board: board))
            return
        }
        let parameters = BootParameters(image: image, shape: topology.shape)
        let isPHYDown = self.fabric.boards[board].isPHYDown
        let schedule = BootSchedule(
            control: now, hops: discovery.maximumHops, width: discovery.width, height: discovery.height,
            parameters: parameters, scale: self.fabric.description.bootTimeScale, extra: isPHYDown ? 2 : 0)
        let machine = NativeMachine(
            parameters: parameters, width: discovery.width, height: discovery.height, rootAddress: discovery.root,
            schedule: schedule, linkChanges: self.fabric.linkChanges)
        var chips: [NativeChip] = []
        chips.reserveCapacity(discovery.chips.count)
        for found in discovery.chips {
            let chip = self.makeChip(found, in: machine)
            chips.append(chip)
            self.known[found.chip] = chip
        }
        machine.populate(chips)
        self.machines[ObjectIdentifier(machine)] = machine
        self.fabric.report(.booted(board: board, chips: chips.count))
    }

    private func makeChip(_ found: Discovery.Found, in machine: NativeMachine) -> NativeChip {
        let topology = self.fabric.topology
        let board = topology.board(ofChip: found.chip)
        let local = topology.local(ofChip: found.chip)
        let address = ChipID(x: UInt8(truncatingIfNeeded: found.x), y: UInt8(truncatingIfNeeded: found.y))
        func wrapped(_ a: Int, _ n: Int) -> UInt8 { UInt8(truncatingIfNeeded: a < 0 ? a + n : a) }
        let chip = NativeChip(
            number: found.chip, board: board, local: local, address: address, cores: found.cores, links: found.links,
            hops: found.hops, parent: found.parent,
            nearestEthernet: ChipID(
                x: wrapped(found.x - Int(local.x), machine.width), y: wrapped(found.y - Int(local.y), machine.height)),
            ip: local == .origin ? topology.address(ofBoard: board, base: self.fabric.description.base) : nil,
            start: machine.schedule.start(hops: found.hops), machine: machine, system: self)
        if self.fabric.boards[board].isPHYDown { chip.isEthernetUp = false }
        return chip
    }

    package func stop(board: Int) {
        let first = self.fabric.topology.ethernetChip(ofBoard: board)
        for number in first..<(first + self.fabric.topology.chipsPerBoard) { self.remove(chip: number) }
    }

    private func remove(chip number: Int) {
        guard let chip = self.chip(number) else { return }
        for port in chip.tags.reversePorts { self.fabric.perform(.closePort(board: chip.board, port: port)) }
        chip.die()
        let machine = chip.machine
        machine.livingChips -= 1
        guard machine.livingChips == 0 else { return }
        // Its chips do not hold it, so they go first.
        for chip in machine.chips where self.known[chip.number] === chip { self.known[chip.number] = nil }
        self.machines[ObjectIdentifier(machine)] = nil
    }

    package func faultsChanged(ofChip number: Int, now: NIODeadline) {
        guard let chip = self.chip(number) else { return }
        if !self.fabric.isPowered(chip: number) {
            self.remove(chip: number)
        } else if self.fabric.workingCores(ofChip: number) >> UInt32(chip.cores.monitor) & 1 == 0 {
            chip.isMonitorAlive = false
        }
    }

    package var residentMemory: Int { self.known.reduce(0) { $0 + ($1?.existingMemory?.residentBytes ?? 0) } }

    // MARK: Routes

    /// The neighbour by a link that SC&MP uses, dead or alive.
    func neighbour(of chip: NativeChip, _ link: Link) -> NativeChip? {
        guard chip.links >> link.rawValue & 1 == 1, let there = self.fabric.topology.wire(ofChip: chip.number, link)?.chip,
            let other = self.known[there], other.machine === chip.machine
        else { return nil }
        return other
    }

    /// The links by which signals go on from a chip to those that lie behind it, seen from the root.
    func treeLinks(of chip: NativeChip) -> UInt8 {
        var links: UInt8 = 0
        for link in Link.allCases {
            if let there = self.neighbour(of: chip, link), there.parent == link.opposite { links |= 1 << link.rawValue }
        }
        return links
    }

    /// The ways of a board's chips to its Ethernet chip: by chip number, the first link.
    func parents(towards target: NativeChip) -> [Int: Link] {
        var hops: [Int: Int] = [target.number: 0]
        var queue = [target]
        var next = 0
        var left = self.fabric.topology.chipsPerBoard
        while next < queue.count, left > 0 {
            let here = queue[next]
            next += 1
            if here.board == target.board { left -= 1 }
            for link in Link.allCases {
                guard let there = self.neighbour(of: here, link), hops[there.number] == nil else { continue }
                hops[there.number] = (hops[here.number] ?? 0) + 1
                queue.append(there)
            }
        }
        var parents: [Int: Link] = [:]
        for chip in queue.prefix(next) where chip !== target {
            let distance = hops[chip.number] ?? 0
            parents[chip.number] = Discovery.preference.first { link in
                guard let there = self.neighbour(of: chip, link), let other = hops[there.number] else { return false }
                return other == distance - 1
            }
        }
        return parents
    }

    /// By a chip's place in its machine: the Ethernet chips of *other* boards to which some of their own chips go by it. Found
    /// once for each machine.
    func detours(in machine: NativeMachine) -> [Int: [NativeChip]] {
        if let known = machine.detours { return known }
        var detours: [Int: [NativeChip]] = [:]
        for ethernet in machine.ethernetChips where ethernet !== machine.root {
            let parents = self.parents(towards: ethernet)
            var seen: Set<Int> = []
            let first = self.fabric.topology.ethernetChip(ofBoard: ethernet.board)
            for number in first..<(first + self.fabric.topology.chipsPerBoard) {
                guard var here = self.known[number], here.machine === machine else { continue }
                while here !== ethernet, let link = parents[here.number], let next = self.neighbour(of: here, link) {
                    if here.board != ethernet.board, seen.insert(here.index).inserted {
                        detours[here.index, default: []].append(ethernet)
                    }
                    here = next
                }
            }
        }
        machine.detours = detours
        return detours
    }
}
