//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// All memory of a chip as addresses find it: SDRAM, system RAM, the router, the cores' own memories.
///
/// What the firmware keeps in memory it keeps *here*, so that hosts can walk and change it: heaps, VCPU blocks, `sv`, router
/// copy. Nothing is computed before a page of it is touched.
package final class ChipMemory {
    package static let sdramSize = 128 << 20
    package static let systemRAMSize = 32 << 10
    package static let itcmSize = 32 << 10
    package static let dtcmSize = 64 << 10

    package let sdram = SparseMemory(size: ChipMemory.sdramSize)
    package let systemRAM = SparseMemory(size: ChipMemory.systemRAMSize)
    package let router = SparseMemory(size: 128 << 10)
    /// Registers that keep what is written to them.
    private var systemController: SparseMemory?
    /// By virtual core.
    private var tightlyCoupled: [UInt8: (itcm: SparseMemory, dtcm: SparseMemory)] = [:]

    private unowned let chip: NativeChip
    private let sdramPages: SDRAMPages
    private let systemRAMPages: SystemRAMPages
    private let routerPages: RouterPages

    init(chip: NativeChip) {
        self.chip = chip
        let routes = Routes(of: chip)
        self.sdramPages = SDRAMPages(chip: chip, routes: routes)
        self.systemRAMPages = SystemRAMPages(chip: chip, routes: routes)
        self.routerPages = RouterPages(chip: chip, routes: routes)
        self.sdram.initial = self.sdramPages
        self.systemRAM.initial = self.systemRAMPages
        self.router.initial = self.routerPages
    }

    /// Names by which opaque binaries are told apart.
    var applicationNames: [String] { self.chip.system.fabric.description.timelines.keys.sorted() }

    /// Bytes that really exist.
    package var residentBytes: Int {
        var pages = self.sdram.residentPages + self.systemRAM.residentPages + self.router.residentPages
        for memories in self.tightlyCoupled.values { pages += memories.itcm.residentPages + memories.dtcm.residentPages }
        return pages * SparseMemory.pageSize
    }

    package func tightlyCoupled(core: UInt8) -> (itcm: SparseMemory, dtcm: SparseMemory) {
        if let existing = self.tightlyCoupled[core] { return existing }
        let made = (SparseMemory(size: ChipMemory.itcmSize), SparseMemory(size: ChipMemory.dtcmSize))
        self.tightlyCoupled[core] = made
        return made
    }

    /// Appends `count` bytes to `buffer`.
    ///
    /// - Parameter core: the virtual core that reads; nil: the neighbour's hardware, over a link.
    /// - Returns: false when nothing is there; then nothing has been appended.
    package func read(_ address: UInt32, count: Int, core: UInt8?, now: NIODeadline, into buffer: inout ByteBuffer) -> Bool {
        guard let window = MemoryWindow.decode(address, count: count, isOwnCore: core != nil) else { return false }
        switch window {
        case .sdram(let offset): self.sdram.read(offset, count: count, into: &buffer)
        case .systemRAM(let offset):
            if offset + count > SVOffset.base { self.refreshClocks(now: now) }
            self.systemRAM.read(offset, count: count, into: &buffer)
        case .router(let offset): self.router.read(offset, count: count, into: &buffer)
        case .systemController(let offset): self.controller.read(offset, count: count, into: &buffer)
        case .itcm(let offset): self.tightlyCoupled(core: core ?? 0).itcm.read(offset, count: count, into: &buffer)
        case .dtcm(let offset): self.tightlyCoupled(core: core ?? 0).dtcm.read(offset, count: count, into: &buffer)
        case .silent: buffer.writeRepeatingByte(0, count: count)
        }
        return true
    }

    /// - Returns: false when nothing is there.
    package func write(_ address: UInt32, _ bytes: UnsafeRawBufferPointer, core: UInt8?) -> Bool {
        guard let window = MemoryWindow.decode(address, count: bytes.count, isOwnCore: core != nil) else { return false }
        switch window {
        case .sdram(let offset): self.sdram.write(offset, bytes)
        case .systemRAM(let offset): self.systemRAM.write(offset, bytes)
        case .router(let offset):
            self.router.write(offset, bytes)
            self.routerWritten(offset..<offset + bytes.count)
        case .systemController(let offset): self.controller.write(offset, bytes)
        case .itcm(let offset): self.tightlyCoupled(core: core ?? 0).itcm.write(offset, bytes)
        case .dtcm(let offset): self.tightlyCoupled(core: core ?? 0).dtcm.write(offset, bytes)
        case .silent: break
        }
        return true
    }

    /// A word pattern over whole words from `address` on; stops where memory does.
    /// - Returns: false when nothing is there.
    package func fill(_ address: UInt32, word: UInt32, count: Int, core: UInt8) -> Bool {
        guard let window = MemoryWindow.decode(address, count: count, isOwnCore: true) else { return false }
        switch window {
        case .sdram(let offset): self.sdram.fill(offset, word: word, count: count)
        case .systemRAM(let offset): self.systemRAM.fill(offset, word: word, count: count)
        case .router(let offset):
            self.router.fill(offset, word: word, count: count)
            self.routerWritten(offset..<offset + count)
        case .itcm(let offset): self.tightlyCoupled(core: core).itcm.fill(offset, word: word, count: count)
        case .dtcm(let offset): self.tightlyCoupled(core: core).dtcm.fill(offset, word: word, count: count)
        case .systemController(let offset): self.controller.fill(offset, word: word, count: count)
        case .silent: break
        }
        return true
    }

    // MARK: The firmware's own view: words anywhere in SDRAM and system RAM

    package func read32(_ address: UInt32) -> UInt32 {
        switch MemoryWindow.decode(address & ~3, count: 4, isOwnCore: false) {
        case .sdram(let offset): self.sdram.read32(offset)
        case .systemRAM(let offset): self.systemRAM.read32(offset)
        default: 0
        }
    }

    package func write32(_ address: UInt32, _ value: UInt32) {
        switch MemoryWindow.decode(address & ~3, count: 4, isOwnCore: false) {
        case .sdram(let offset): self.sdram.write32(offset, value)
        case .systemRAM(let offset): self.systemRAM.write32(offset, value)
        default: break
        }
    }

    // MARK: Registers

    private var controller: SparseMemory {
        if let existing = self.systemController { return existing }
        let made = SparseMemory(size: 4096)
        // The chip's identity, and which physical core is the monitor.
        made.write32(0x00, 0x5911_1012)
        made.write32(0x10, self.chip.cores.working)
        made.write32(0x34, UInt32(self.chip.cores.monitor))
        self.systemController = made
        return made
    }

    /// The diagnostic control register clears counters instead of keeping what is written.
    private func routerWritten(_ offsets: Range<Int>) {
        let enable = 0x2C
        guard offsets.lowerBound <= enable, offsets.upperBound >= enable + 4 else { return }
        let value = self.router.read32(enable)
        for counter in 0..<16 where value >> UInt32(16 + counter) & 1 == 1 { self.router.write32(0x300 + 4 * counter, 0) }
        // It reads back with the upper half set and the enables that were written (observed: 0xFFFF0000 at start).
        self.router.write32(enable, 0xFFFF_0000 | value & 0xFFFF)
    }

    /// The running fields of `sv`, brought up to `now`.
    private func refreshClocks(now: NIODeadline) {
        let milliseconds = self.chip.milliseconds(at: now)
        let base = SVOffset.base
        self.systemRAM.write32(base + SVOffset.clockMilliseconds, UInt32(truncatingIfNeeded: milliseconds))
        self.systemRAM.write32(base + SVOffset.clockMilliseconds + 4, UInt32(truncatingIfNeeded: milliseconds >> 32))
        self.systemRAM.write16(base + SVOffset.timeMilliseconds, UInt16(milliseconds % 1000))
        self.systemRAM.write32(base + SVOffset.unixTime, self.chip.machine.unixTime(at: now))
        self.systemRAM.write8(base + SVOffset.netInitPhase, self.chip.machine.schedule.phase(at: now))
        self.systemRAM.write8(base + SVOffset.isP2PUp, self.chip.machine.isReady(at: now) ? 1 : 0)
    }
}
