//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

extension MachineFabric {
    /// Power off takes all state of the chips and FPGAs at once. On, also when on already, is a power-on reset: the boot ROM
    /// listens after `delay`.
    package func setPower(
        _ isOn: Bool, board: Board, delay: TimeAmount, software: any ChipSoftware, now: NIODeadline
    ) {
        guard board.isPresent else { return }
        software.stop(board: board.number)
        self.linkChanges += 1
        board.life += 1
        board.rom = BootROM()
        board.romHost = nil
        board.fpgas.reset()
        board.isHeldInReset = false
        guard isOn, !board.failsToPowerOn else {
            if board.power != .off { self.report(.power(board: board.number, isOn: false)) }
            board.power = .off
            return
        }
        guard delay > .zero else { return self.finishPowerOn(board, software: software, now: now) }
        board.power = .starting
        let life = board.life
        self.timers.schedule(at: now + delay) { [unowned self] then in
            if board.life == life { self.finishPowerOn(board, software: software, now: then) }
        }
    }

    private func finishPowerOn(_ board: Board, software: any ChipSoftware, now: NIODeadline) {
        board.power = .on
        self.loadBlacklist(ofBoard: board.number)
        self.report(.power(board: board.number, isOn: true))
        self.startHello(of: board, software: software, now: now)
    }

    /// Every 4.096 s the boot ROM says HELLO: to everybody, and once it knows its host, to that. Where the description asks
    /// for it: nobody in scope listens.
    package func startHello(of board: Board, software: any ChipSoftware, now: NIODeadline) {
        guard self.description.sendsHello else { return }
        let life = board.life
        self.timers.schedule(at: now + .milliseconds(4096)) { [unowned self] then in
            let chip = self.topology.ethernetChip(ofBoard: board.number)
            guard board.life == life, self.isPowered(chip: chip), !software.isRunning(chip: chip) else { return }
            if let message = try? BootMessage(opcode: .hello, operand1: 0x0201_0000, operand3: 0x4350_5453) {
                var bytes = ByteBuffer()
                message.write(into: &bytes)
                let everybody = HostAddress(ip: IPv4Address(255, 255, 255, 255), port: UInt16(BootMessage.port))
                self.send(
                    OutgoingDatagram(
                        endpoint: .board(board.number), sourcePort: UInt16(BootMessage.port),
                        destination: board.romHost ?? everybody, bytes: bytes))
            }
            self.startHello(of: board, software: software, now: then)
        }
    }

    /// The chips go back to their boot ROM; the board keeps its power, and its FPGAs what is in them.
    package func reset(board: Board, software: any ChipSoftware, now: NIODeadline) {
        guard board.isOn else { return }
        software.stop(board: board.number)
        self.linkChanges += 1
        board.life += 1
        board.rom = BootROM()
        board.romHost = nil
        self.loadBlacklist(ofBoard: board.number)
        self.startHello(of: board, software: software, now: now)
    }
}
