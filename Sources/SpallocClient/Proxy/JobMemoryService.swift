//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerMachine

/// A job's memory by HTTP, as the transceiver's other way to it.
struct JobMemoryService: MemoryService {
    let job: SpallocJob

    func read(chip: ChipID, address: UInt32, count: Int) async throws -> ByteBuffer {
        try await self.job.readMemory(chip: chip, address: address, count: count)
    }

    func write(_ bytes: ByteBuffer, chip: ChipID, address: UInt32) async throws {
        try await self.job.writeMemory(chip: chip, address: address, bytes)
    }
}
