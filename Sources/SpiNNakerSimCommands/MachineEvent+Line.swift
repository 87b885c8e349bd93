//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

extension MachineEvent {
    /// For people: `board 0,0,1 is on`.
    ///
    /// - Parameter place: of a board, by its number.
    func line(_ place: (Int) -> String) -> String {
        switch self {
        case .power(let board, let isOn): "board \(place(board)) is \(isOn ? "on" : "off")"
        case .booted(let board, let chips): "board \(place(board)) was booted: SC&MP on \(chips) chips"
        case .bootFailed(let board): "board \(place(board)) was booted in vain"
        case .refused(let board, let chip, let result): "board \(place(board)), chip \(chip): SC&MP refused: \(result)"
        case .badAddress(let board, let chip, let address):
            "board \(place(board)), chip \(chip): there is nothing at 0x\(String(address, radix: 16))"
        case .leds(let board, let chip, let lit): "board \(place(board)), chip \(chip): LEDs \(String(lit, radix: 2))"
        case .coreState(let board, let chip, let core, let state):
            "board \(place(board)), chip \(chip), core \(core): \(state.name)"
        }
    }
}
