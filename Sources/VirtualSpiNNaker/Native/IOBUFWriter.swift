//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Text in the chain of blocks that a core's VCPU block points to. A block's count moves on at a newline or when the block is
/// full, so that the beginning of a line is not seen.
///
/// | Offset in a block | Type | Field |
/// |---|---|---|
/// | 0 | u32 | the next block; 0: none |
/// | 4 | u32 | Unix time |
/// | 8 | u32 | milliseconds |
/// | 12 | u32 | bytes of text |
/// | 16 | | `sv.iobuf_size` bytes |
struct IOBUFWriter {
    private var block: UInt32 = 0
    private var used: UInt32 = 0

    mutating func write(_ text: String, core: NativeCore, now: NIODeadline) {
        let memory = core.chip.memory
        let capacity = memory.systemRAM.read32(SVOffset.base + SVOffset.iobufSize)
        guard capacity > 0, capacity < 1 << 20 else { return }
        for byte in text.utf8 {
            if self.block == 0 || self.used >= capacity {
                guard self.extend(core: core, capacity: capacity, now: now) else { return }
            }
            withUnsafeBytes(of: byte) { _ = memory.write(self.block + 16 + self.used, $0, core: nil) }
            self.used += 1
            if byte == UInt8(ascii: "\n") || byte == 0 || self.used == capacity { memory.write32(self.block + 12, self.used) }
        }
    }

    /// Another block of the system heap, owned by the application: STOP gives it back.
    private mutating func extend(core: NativeCore, capacity: UInt32, now: NIODeadline) -> Bool {
        let memory = core.chip.memory
        let new = Heap.allocate(
            capacity + 16, owner: UInt16(core.application) << 8, root: core.chip.parameters.systemHeap, in: memory)
        guard new != 0 else { return false }
        memory.write32(new, 0)
        memory.write32(new + 4, core.chip.machine.unixTime(at: now))
        memory.write32(new + 8, UInt32(truncatingIfNeeded: core.chip.milliseconds(at: now)))
        memory.write32(new + 12, 0)
        if self.block == 0 { core.setIOBUF(new) } else { memory.write32(self.block, new) }
        self.block = new
        self.used = 0
        return true
    }

    mutating func rewind(to block: UInt32) {
        self.block = block
        self.used = 0
    }
}
