//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What runs on the chips once their boot ROM has handed over: the seam between the machine and its firmware.
///
/// ``NativeSystem`` is our own model of SC&MP and SARK. An emulator of the instruction set would implement the same five
/// functions and run the image that the host has sent. Whoever implements them sees boards, wires, timers and the way out
/// through the ``MachineFabric`` that it was made with, and must not keep time or threads of its own.
package protocol ChipSoftware: AnyObject {
    /// The boot ROM of a board's Ethernet chip has a complete image and leaves.
    func start(_ image: ROMImage, onBoard board: Int, now: NIODeadline)
    /// Whether a chip has left its boot ROM: then the ROM no longer listens.
    func isRunning(chip: Int) -> Bool
    /// Power or reset has taken everything from the chips of a board.
    func stop(board: Int)
    /// A datagram for a board's Ethernet chip, on a port other than the boot ROM's.
    func receive(_ datagram: ByteBuffer, onBoard board: Int, port: UInt16, from sender: HostAddress, now: NIODeadline)
    /// A fault has come upon a chip while it ran (``MachineFabric`` knows it already).
    func faultsChanged(ofChip chip: Int, now: NIODeadline)
}
