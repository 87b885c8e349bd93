//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// SC&MP's table of applications, `sv.app_data`: 256 entries in memory.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u8 | cores that run it |
/// | 1 | u8 | clean: STOP has nothing to give back |
/// | 2 | u8 | semaphore |
/// | 3 | u8 | lead core |
/// | 4 | u32 | mask of its cores; still visible after STOP |
package struct ApplicationTable {
    let memory: ChipMemory
    let base: UInt32

    private func entry(_ application: UInt8) -> UInt32 { self.base + 8 * UInt32(application) }

    func isClean(_ application: UInt8) -> Bool { self.memory.read32(self.entry(application)) >> 8 & 0xFF != 0 }

    func setClean(_ isClean: Bool, application: UInt8) {
        let word = self.memory.read32(self.entry(application))
        let new = word & ~0xFF00 | (isClean ? 0x100 : 0)
        if new != word { self.memory.write32(self.entry(application), new) }
    }

    /// Cores are about to run an application.
    func add(cores mask: UInt32, application: UInt8) {
        let at = self.entry(application)
        var word = self.memory.read32(at)
        var known = self.memory.read32(at + 4)
        if word & 0xFF == 0 {
            word = UInt32(mask.trailingZeroBitCount & 0xFF) << 24
            known = 0
        }
        let count = (word & 0xFF) &+ UInt32(mask.nonzeroBitCount)
        self.memory.write32(at, word & ~0xFF | count & 0xFF)
        self.memory.write32(at + 4, known | mask)
    }

    /// STOP: no cores, nothing to clean. The mask stays.
    func stop(_ application: UInt8) {
        let at = self.entry(application)
        self.memory.write32(at, self.memory.read32(at) & ~0xFFFF | 0x100)
    }
}

extension NativeChip {
    var applications: ApplicationTable { ApplicationTable(memory: self.memory, base: self.layout.applicationTable) }
}
