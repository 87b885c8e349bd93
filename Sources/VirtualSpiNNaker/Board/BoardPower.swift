//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

extension MachineFabric {
    /// Power off takes all state of the chips and FPGAs at once. On, also when on already, is a power-on reset: the boot ROM
    /// listens after `delay`.
    package func setPower(
        _ isOn: Bool, board: Board, delay: TimeAmount, software: any ChipSoftware, now: NIODeadline
    ) {
        guard board.isPresent else { return }
        software.stop(board: board.number)
        board.life += 1
        board.rom = BootROM()
        board.fpgas.reset()
        board.isHeldInReset = false
        guard isOn, !board.failsToPowerOn else {
            if board.power != .off { self.report(.power(board: board.number, isOn: false)) }
            board.power = .off
            return
        }
        guard delay > .zero else { return self.finishPowerOn(board) }
        board.power = .starting
        let life = board.life
        self.timers.schedule(at: now + delay) { [unowned self] _ in
            if board.life == life { self.finishPowerOn(board) }
        }
    }

    private func finishPowerOn(_ board: Board) {
        board.power = .on
        self.loadBlacklist(ofBoard: board.number)
        self.report(.power(board: board.number, isOn: true))
    }

    /// The chips go back to their boot ROM; the board keeps its power, and its FPGAs what is in them.
    package func reset(board: Board, software: any ChipSoftware) {
        guard board.isOn else { return }
        software.stop(board: board.number)
        board.life += 1
        board.rom = BootROM()
        self.loadBlacklist(ofBoard: board.number)
    }
}
