//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What a board itself holds, whatever runs on its chips: power, boot ROM, FPGAs.
package final class Board {
    package enum Power: Hashable, Sendable {
        case off
        /// Rails and FPGAs come up; the boot ROM does not listen yet.
        case starting
        case on
    }

    package let number: Int
    package let coordinates: BoardCoordinates
    /// False: the slot is empty.
    package let isPresent: Bool
    package var power = Power.off
    /// Counts changes of power and resets, so that a timer of an earlier life is recognised.
    package var life = 0
    package var rom = BootROM()
    /// Who sent the first good boot datagram: the ROM says HELLO to it from then on.
    package var romHost: HostAddress?
    package var isHeldInReset = false
    /// An injected fault: the Ethernet PHY never reports a link.
    package var isPHYDown = false
    /// An injected fault: the supplies do not come up.
    package var failsToPowerOn = false
    package var fpgas = FPGARegisters()
    /// nil: nothing of the board is broken.
    package var faults: BoardFaults?
    /// What the board information in the BMP's serial flash forbade when the chips were last reset.
    package var blacklist: BoardFaults?
    /// The serial flash beside the BMP; nil: as the factory left it, and not opened yet.
    var existingSerialFlash: FlashMemory?
    package var traffic = BoardTraffic()

    package init(number: Int, coordinates: BoardCoordinates, isPresent: Bool) {
        self.number = number
        self.coordinates = coordinates
        self.isPresent = isPresent
    }

    package var isOn: Bool { self.power == .on }
}

/// What of one board is broken, by local chip number.
package struct BoardFaults: Sendable {
    package var deadChips: UInt64 = 0
    /// Physical cores, 18 bits.
    package var deadCores: [UInt32]
    /// 6 bits.
    package var deadLinks: [UInt8]

    package init(chips: Int) {
        self.deadCores = Array(repeating: 0, count: chips)
        self.deadLinks = Array(repeating: 0, count: chips)
    }
}

/// Datagrams in and out of a board.
public struct BoardTraffic: Hashable, Sendable {
    public var received = 0
    public var sent = 0
    public init() {}
}
