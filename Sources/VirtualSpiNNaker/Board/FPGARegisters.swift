//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// The registers of a SpiNN-5 board's three FPGAs, as far as a BMP shows them.
///
/// | Address | Name | Here |
/// |---|---|---|
/// | bank·0x10000 + 0x00 | VERS | 0x1F010001 |
/// | + 0x04...0x58 | counters and link state | 0, but HAND (0x50): 1 where the far board is up |
/// | + 0x5C | STOP | kept: bit 0 stops the bank's 8 chip links in both directions |
/// | 0x40000 | VERS | |
/// | 0x40004 | FLAG | the FPGA's number; 3: not configured |
/// | others | | kept as written |
package struct FPGARegisters: Sendable {
    package static let version: UInt32 = 0x1F01_0001
    package static let count = 3
    package static let handshake: UInt32 = 0x50

    /// Bit `side`: STOP is set for the link bank that faces it.
    package private(set) var stoppedSides: UInt8 = 0
    /// Bit n: FPGA n has lost its configuration (an injected fault).
    package var unconfigured: UInt8 = 0
    /// By `fpga << 32 | address`; what has been written and is not STOP.
    private var written: [UInt64: UInt32] = [:]

    package init() {}

    /// Power-on: everything written is lost.
    package mutating func reset() {
        self.stoppedSides = 0
        self.written = [:]
    }

    package func isStopped(_ side: Link) -> Bool { self.stoppedSides & 1 << side.rawValue != 0 }

    private static func side(fpga: Int, bank: Int) -> Link? {
        Link.allCases.first {
            let place = FPGALinkBank(side: $0)
            return place.fpga == fpga && place.bank == bank
        }
    }

    /// - Parameter isPeerUp: whether the board behind a side is on.
    package func read(fpga: Int, address: UInt32, isPeerUp: (Link) -> Bool) -> UInt32 {
        let address = address & ~3
        let bank = address >> 16
        if bank < 2, let side = FPGARegisters.side(fpga: fpga, bank: Int(bank)) {
            switch address & 0xFFFF {
            case 0: return FPGARegisters.version
            case 0x5C: return self.isStopped(side) ? 1 : 0
            case FPGARegisters.handshake: return isPeerUp(side) ? 1 : 0
            default: break
            }
        }
        switch address {
        case 0x20000, 0x40000: return FPGARegisters.version
        case FPGARegister.flag: return self.unconfigured >> UInt8(fpga) & 1 == 1 ? 3 : UInt32(fpga)
        default: return self.written[UInt64(fpga) << 32 | UInt64(address)] ?? 0
        }
    }

    package mutating func write(fpga: Int, address: UInt32, value: UInt32) {
        let address = address & ~3
        let bank = address >> 16
        if bank < 2, address & 0xFFFF == 0x5C, let side = FPGARegisters.side(fpga: fpga, bank: Int(bank)) {
            if value & 1 == 1 {
                self.stoppedSides |= 1 << side.rawValue
            } else {
                self.stoppedSides &= ~(1 << side.rawValue)
            }
            return
        }
        switch address {
        case FPGARegister.flag, 0x40000, 0x20000: return
        default: break
        }
        // A register file is small; a host that writes every address there is must not fill our memory.
        if self.written.count < 1024 || self.written[UInt64(fpga) << 32 | UInt64(address)] != nil {
            self.written[UInt64(fpga) << 32 | UInt64(address)] = value
        }
    }
}
