//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// What goes on inside a machine and does not show on the wire: for logs, demonstrations and tests.
public enum MachineEvent: Hashable, Sendable {
    case power(board: Int, isOn: Bool)
    /// A boot image was complete: SC&MP has started on so many chips.
    case booted(board: Int, chips: Int)
    /// A boot image was complete, and nothing came of it: the machine is wider than 256 chips, or its root is dead.
    case bootFailed(board: Int)
    /// SC&MP refused a command. The host sees RC_OK.
    case refused(board: Int, chip: ChipID, result: SCPResult)
    /// A read or write where there is no memory.
    case badAddress(board: Int, chip: ChipID, address: UInt32)
    /// A board's LEDs: bit n, LED n is on.
    case leds(board: Int, chip: ChipID, lit: UInt8)
    case coreState(board: Int, chip: ChipID, core: UInt8, state: CoreState)
}
