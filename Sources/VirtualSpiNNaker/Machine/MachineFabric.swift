//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What all parts of a machine share: boards, wires, faults, timers and the way out. Firmware of any kind (the native
/// SC&MP here, or an emulation of the real image) runs on top of it and of nothing else.
package final class MachineFabric {
    package let description: VirtualMachineDescription
    package let topology: BoardWiring
    package let boards: [Board]
    package var timers = TimerQueue()
    package var random: SeededGenerator
    package private(set) var actions: [MachineAction] = []

    package init(_ description: VirtualMachineDescription) throws(VirtualMachineError) {
        if case .triads(let width, let height) = description.kind {
            guard width > 0, height > 0, width <= 2048, height <= 2048,
                width * height * 3 <= VirtualMachineDescription.maximumBoards
            else { throw .badSize(width: width, height: height) }
        }
        guard description.bootTimeScale.isFinite, description.bootTimeScale >= 0, description.bootTimeScale <= 1000 else {
            throw .badBootTimeScale(description.bootTimeScale)
        }
        let topology = BoardWiring(description.kind)
        self.description = description
        self.topology = topology
        self.random = SeededGenerator(seed: description.seed)
        let dead = description.faults.deadBoards
        self.boards = topology.boards.enumerated().map { number, coordinates in
            Board(number: number, coordinates: coordinates, isPresent: dead.isEmpty || !dead.contains(coordinates))
        }
        try self.install(description.faults)
    }

    private func install(_ faults: HardwareFaults) throws(VirtualMachineError) {
        for board in faults.deadBoards where self.topology.board(at: board) == nil { throw .unknownBoard(board) }
        for chip in faults.deadChips {
            guard let number = self.chip(chip) else { throw .unknownChip(chip) }
            self.setDead(chip: number)
        }
        for (chip, cores) in faults.deadCores {
            guard let number = self.chip(chip) else { throw .unknownChip(chip) }
            for core in cores {
                guard core < 18 else { throw .badCore(chip, core) }
                self.setDead(core: core, ofChip: number)
            }
        }
        for link in faults.deadLinks {
            guard let number = self.chip(link.chip) else { throw .unknownChip(link.chip) }
            self.setDead(link: link.link, ofChip: number)
        }
    }

    /// The number of a chip; nil when there is none such.
    package func chip(_ chip: BoardChip) -> Int? {
        guard let board = self.topology.board(at: chip.board) else { return nil }
        return self.topology.chip(chip.local, onBoard: board)
    }

    // MARK: The way out

    /// Faults of the network on the way out; nil: none.
    package var outgoing: NetworkFaults?
    private var outgoingCount = 0
    /// The time of the event that is being worked on.
    package var now = NIODeadline.uptimeNanoseconds(0)

    package func send(_ datagram: OutgoingDatagram) {
        if case .board(let number) = datagram.endpoint { self.boards[number].traffic.sent += 1 }
        guard let outgoing = self.outgoing else { return self.actions.append(.send(datagram)) }
        self.outgoingCount += 1
        for delay in outgoing.delays(ofDatagram: self.outgoingCount, using: &self.random) {
            var datagram = datagram
            datagram.bytes = outgoing.damaged(datagram.bytes, using: &self.random)
            if delay <= .zero {
                self.actions.append(.send(datagram))
            } else {
                self.timers.schedule(at: self.now + delay) { [unowned self] _ in self.actions.append(.send(datagram)) }
            }
        }
    }

    package func perform(_ action: MachineAction) { self.actions.append(action) }

    /// Hands out what has gathered, and keeps the storage for the next.
    @inlinable
    package func drain(_ body: (MachineAction) -> Void) {
        guard !self.actions.isEmpty else { return }
        for action in self.actions { body(action) }
        self.removeActions()
    }

    @usableFromInline
    func removeActions() { self.actions.removeAll(keepingCapacity: true) }

    // MARK: What observers hear

    package var observer: ((MachineEvent) -> Void)?

    package func report(_ event: @autoclosure () -> MachineEvent) {
        if let observer = self.observer { observer(event()) }
    }

    // MARK: Faults

    /// Counts what may have cut a link: faults, power, FPGA registers.
    package var linkChanges = 0

    package func setDead(chip: Int) {
        self.linkChanges += 1
        self.withFaults(ofChip: chip) { faults, local in faults.deadChips |= 1 << UInt64(local) }
    }

    package func setDead(core: UInt8, ofChip chip: Int) {
        self.withFaults(ofChip: chip) { faults, local in faults.deadCores[local] |= 1 << UInt32(core) }
    }

    package func setDead(link: Link, ofChip chip: Int) {
        self.linkChanges += 1
        self.withFaults(ofChip: chip) { faults, local in faults.deadLinks[local] |= 1 << link.rawValue }
    }

    private func withFaults(ofChip chip: Int, _ body: (inout BoardFaults, Int) -> Void) {
        let board = self.boards[self.topology.board(ofChip: chip)]
        var faults = board.faults ?? BoardFaults(chips: self.topology.chipsPerBoard)
        body(&faults, chip % self.topology.chipsPerBoard)
        board.faults = faults
    }

    /// Whether the chip is there, works and has power.
    package func isPowered(chip: Int) -> Bool {
        let board = self.boards[self.topology.board(ofChip: chip)]
        guard board.isOn, board.isPresent, !board.isHeldInReset else { return false }
        guard let faults = board.faults else { return true }
        return faults.deadChips >> UInt64(chip % self.topology.chipsPerBoard) & 1 == 0
    }

    /// The working physical cores of a chip: 18 bits.
    package func workingCores(ofChip chip: Int) -> UInt32 {
        let all: UInt32 = (1 << 18) - 1
        let local = chip % self.topology.chipsPerBoard
        var cores = all
        // SpiNNMachine's reference board has eight chips with 17 cores; here the last physical core is the bad one.
        if self.topology.shape == .spinn5, BoardShape.spinn5ChipsWith17Cores.contains(self.topology.locals[local]) {
            cores &= ~(1 << 17)
        }
        if let faults = self.boards[self.topology.board(ofChip: chip)].faults { cores &= ~faults.deadCores[local] }
        return cores
    }

    /// The working cores that the board's blacklist does not forbid.
    package func enabledCores(ofChip chip: Int) -> UInt32 {
        let working = self.workingCores(ofChip: chip)
        guard let blacklist = self.boards[self.topology.board(ofChip: chip)].blacklist else { return working }
        return working & ~blacklist.deadCores[chip % self.topology.chipsPerBoard]
    }

    // MARK: Links

    /// The chip behind a link that neither end's blacklist forbids: what SC&MP uses.
    package func enabledNeighbour(ofChip chip: Int, _ link: Link) -> Int? {
        guard let there = self.neighbour(ofChip: chip, link), !self.isBlacklisted(link, ofChip: chip),
            !self.isBlacklisted(link.opposite, ofChip: there)
        else { return nil }
        return there
    }

    private func isBlacklisted(_ link: Link, ofChip chip: Int) -> Bool {
        guard let blacklist = self.boards[self.topology.board(ofChip: chip)].blacklist else { return false }
        return blacklist.deadLinks[chip % self.topology.chipsPerBoard] >> link.rawValue & 1 == 1
    }

    /// The chip behind a link when packets pass: wired, neither end broken, both boards on, no FPGA in between stopped.
    package func neighbour(ofChip chip: Int, _ link: Link) -> Int? {
        guard self.isPowered(chip: chip), let wire = self.topology.wire(ofChip: chip, link), self.isPowered(chip: wire.chip),
            self.isIntact(link, ofChip: chip), self.isIntact(link.opposite, ofChip: wire.chip)
        else { return nil }
        if let side = wire.side {
            let near = self.boards[self.topology.board(ofChip: chip)]
            let far = self.boards[self.topology.board(ofChip: wire.chip)]
            if near.fpgas.isStopped(side) || far.fpgas.isStopped(side.opposite) { return nil }
        }
        return wire.chip
    }

    private func isIntact(_ link: Link, ofChip chip: Int) -> Bool {
        guard let faults = self.boards[self.topology.board(ofChip: chip)].faults else { return true }
        return faults.deadLinks[chip % self.topology.chipsPerBoard] >> link.rawValue & 1 == 0
    }

    /// Whether the board behind a side has power: what an FPGA's handshake shows.
    package func isPeerUp(ofBoard board: Int, side: Link) -> Bool {
        guard let peer = self.topology.neighbour(ofBoard: board, side: side) else { return false }
        return self.boards[peer].isOn && self.boards[peer].isPresent
    }
}
