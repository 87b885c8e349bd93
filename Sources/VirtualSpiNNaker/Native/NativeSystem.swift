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
            schedule: schedule, neighbours: discovery.neighbours, linkChanges: self.fabric.linkChanges)
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
}
