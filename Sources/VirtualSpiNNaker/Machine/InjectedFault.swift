//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Something that breaks (or is mended) while a machine runs.
public enum InjectedFault: Hashable, Sendable {
    /// The chip is dead from now on: its neighbours find nobody, at this boot and the next.
    case deadChip(BoardChip)
    /// A *physical* core. One that is the monitor takes the chip with it; another shows at the next boot.
    case deadCore(BoardChip, core: UInt8)
    case deadLink(BoardChipLink)
    /// The monitor stops: the chip is silent until its next reset, but for link reads.
    case monitorCrash(BoardChip)
    /// Every P2P transfer to the chip ends in this code; nil mends it.
    case p2pResult(BoardChip, SCPResult?)
    /// An application core stays in a state, takes no messages and no signals.
    case stuckCore(BoardChip, core: UInt8, state: CoreState)
    /// Allocations of SDRAM, or of router entries, fail; false mends it.
    case noSDRAM(BoardChip, Bool)
    case noRouterEntries(BoardChip, Bool)
    /// The board's Ethernet PHY reports no link: INFO says so, and the next boot waits for it in vain.
    case phyDown(BoardCoordinates, Bool)
    /// All transient tags of the board are taken: requests that want a reply are dropped, for as long as tags last.
    case noTags(BoardCoordinates)
    /// The FPGA shows 3 where its number should be.
    case fpgaUnconfigured(BoardCoordinates, fpga: Int, Bool)
    /// Power-on has no effect.
    case powerFailure(BoardCoordinates, Bool)
    /// The board's BMP answers every command with this code (RC_P2P_NOREPLY: it is gone from the CAN bus); nil mends it.
    case bmpResult(BoardCoordinates, SCPResult?)
}

extension VirtualMachine {
    /// Breaks something.
    ///
    /// - Throws: ``VirtualMachineError`` when the machine has no such part.
    public func inject(_ fault: InjectedFault, now: NIODeadline) throws(VirtualMachineError) {
        switch fault {
        case .deadChip(let chip):
            let number = try self.number(of: chip)
            self.fabric.setDead(chip: number)
            self.software.faultsChanged(ofChip: number, now: now)
        case .deadCore(let chip, let core):
            let number = try self.number(of: chip)
            guard core < 18 else { throw .badCore(chip, core) }
            self.fabric.setDead(core: core, ofChip: number)
            self.software.faultsChanged(ofChip: number, now: now)
        case .deadLink(let link):
            let number = try self.number(of: link.chip)
            self.fabric.setDead(link: link.link, ofChip: number)
            self.software.faultsChanged(ofChip: number, now: now)
        case .monitorCrash(let chip): try self.nativeChip(chip)?.crashMonitor()
        case .p2pResult(let chip, let result): try self.nativeChip(chip)?.injectedResult = result
        case .stuckCore(let chip, let core, let state):
            guard core > 0, core < 18 else { throw .badCore(chip, core) }
            guard let native = try self.nativeChip(chip), core < native.cores.count else { break }
            native.core(core).stick(in: state)
        case .noSDRAM(let chip, let isOut): try self.nativeChip(chip)?.hasSDRAM = !isOut
        case .noRouterEntries(let chip, let isOut): try self.nativeChip(chip)?.hasRouterEntries = !isOut
        case .phyDown(let board, let isDown):
            let board = try self.part(board)
            board.isPHYDown = isDown
            try self.nativeChip(BoardChip(board: board.coordinates, local: .origin))?.setEthernet(isUp: !isDown)
        case .noTags(let board):
            let native = try self.nativeChip(BoardChip(board: try self.part(board).coordinates, local: .origin))
            while native?.tags.takeTransient(for: HostAddress(ip: .loopback, port: 9), now: now) != nil {}
        case .fpgaUnconfigured(let board, let fpga, let isLost):
            let part = try self.part(board)
            guard (0..<FPGARegisters.count).contains(fpga) else { throw .badFPGA(board, fpga) }
            if isLost { part.fpgas.unconfigured |= 1 << UInt8(fpga) } else { part.fpgas.unconfigured &= ~(1 << UInt8(fpga)) }
        case .powerFailure(let board, let fails): try self.part(board).failsToPowerOn = fails
        case .bmpResult(let board, let result):
            let number = try self.part(board).number
            self.bmps[number / BMPFrame.slots].bmp(inSlot: number % BMPFrame.slots)?.injectedResult = result
        }
    }

    private func number(of chip: BoardChip) throws(VirtualMachineError) -> Int {
        guard let number = self.fabric.chip(chip) else { throw .unknownChip(chip) }
        return number
    }

    private func part(_ board: BoardCoordinates) throws(VirtualMachineError) -> Board {
        guard let number = self.fabric.topology.board(at: board) else { throw .unknownBoard(board) }
        return self.fabric.boards[number]
    }

    /// The chip as the native model has it: nil in its boot ROM, and on an emulated machine.
    private func nativeChip(_ chip: BoardChip) throws(VirtualMachineError) -> NativeChip? {
        let number = try self.number(of: chip)
        return (self.software as? NativeSystem)?.chip(number)
    }

    /// The LEDs of a board's Ethernet chip and of its BMP: bit n, LED n is lit.
    public func leds(ofBoard board: Int) -> (chip: UInt8, bmp: UInt8) {
        guard self.fabric.boards.indices.contains(board) else { return (0, 0) }
        let chip = (self.software as? NativeSystem)?.chip(self.fabric.topology.ethernetChip(ofBoard: board))
        let bmp = self.bmps[board / BMPFrame.slots].bmp(inSlot: board % BMPFrame.slots)
        return (chip?.leds ?? 0, bmp?.leds ?? 0)
    }

    /// Bytes of chips' memory that really exist.
    public var residentMemory: Int {
        (self.software as? NativeSystem)?.residentMemory ?? 0
    }
}

extension NativeChip {
    /// As a data abort in the monitor leaves it.
    func crashMonitor() {
        self.setRunTimeError(5, core: 0)
        self.isMonitorAlive = false
    }

    func setEthernet(isUp: Bool) {
        self.isEthernetUp = isUp
        if let memory = self.existingMemory { memory.systemRAM.write8(SVOffset.base + SVOffset.isEthernetUp, isUp ? 1 : 0) }
    }
}

extension NativeCore {
    /// Stays in a state for good.
    func stick(in state: CoreState) {
        self.setState(state)
        self.isHung = true
    }
}
