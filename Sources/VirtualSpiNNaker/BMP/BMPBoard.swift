//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// What one board's management processor holds.
package final class BMPBoard {
    package let slot: Int
    /// Bit n: LED n is lit.
    package var leds: UInt8 = 0
    /// What every command to this board ends in: an injected fault.
    package var injectedResult: SCPResult?

    init(slot: Int, frame: Int, fabric: MachineFabric) { self.slot = slot }

    /// The CAN slot of a board number on a backplane of hardware version 0: three groups of eight, six used of each four.
    static func canID(ofSlot slot: Int) -> UInt8 { UInt8(truncatingIfNeeded: slot / 6 * 8 + slot % 6) }
}
