//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// One chip of a machine. A value: making one asks nothing of the machine.
public struct ChipHandle: Sendable {
    let transceiver: Transceiver
    public let chip: ChipID

    /// The chip's state, as its monitor tells it.
    public func info() async throws(TransceiverError) -> ChipInfo {
        try await self.transceiver.send(GetChipInfo(), to: .monitor(of: self.chip))
    }

    /// A core of the chip.
    public subscript(core: UInt8) -> CoreHandle {
        CoreHandle(transceiver: self.transceiver, core: CoreID(chip: self.chip, p: core))
    }

    var monitor: CoreHandle { self[0] }
}

/// One core of a machine, by its virtual number. Core 0 is the chip's monitor.
public struct CoreHandle: Sendable {
    let transceiver: Transceiver
    public let core: CoreID

    /// The software that answers on the core: SC&MP on core 0, SARK on the others.
    public func version() async throws(TransceiverError) -> VersionInfo {
        try await self.transceiver.send(GetVersion(), to: self.core)
    }
}
