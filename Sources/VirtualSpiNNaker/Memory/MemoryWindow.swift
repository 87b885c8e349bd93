//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What an address of a chip means, with the offset in it.
package enum MemoryWindow: Hashable, Sendable {
    /// 32 KiB of the core that asks.
    case itcm(Int)
    /// 64 KiB of the core that asks.
    case dtcm(Int)
    /// 128 MiB, at 0x60000000 and 0x70000000.
    case sdram(Int)
    /// 32 KiB, at 0xE5000000, 0xF5000000 and, once SC&MP runs, 0xFFFF0000.
    case systemRAM(Int)
    /// 128 KiB of registers and tables, at 0xE1000000 and 0xF1000000.
    case router(Int)
    /// 4 KiB, at 0xE2000000 and 0xF2000000.
    case systemController(Int)
    /// There, but nothing of it is modelled: reads as zeroes.
    case silent

    /// nil: nothing is there; the access aborts.
    ///
    /// - Parameter isOwnCore: false for accesses over a link, which see the system bus only.
    @inlinable
    package static func decode(_ address: UInt32, count: Int, isOwnCore: Bool) -> MemoryWindow? {
        // An access of no bytes touches nothing: look at where it begins.
        let last = Int(address) + max(count, 1) - 1
        func within(_ base: UInt32, _ size: Int) -> Int? {
            address >= base && last < Int(base) + size ? Int(address - base) : nil
        }
        switch address >> 24 {
        case 0x60...0x67, 0x70...0x77:
            return within(address & 0xF000_0000, 0x0800_0000).map { .sdram($0) }
        case 0xE5, 0xF5: return within(address & 0xFF00_0000, 0x8000).map { .systemRAM($0) }
        case 0xE1, 0xF1: return within(address & 0xFF00_0000, 0x20000).map { .router($0) }
        case 0xE2, 0xF2: return within(address & 0xFF00_0000, 0x1000).map { .systemController($0) }
        case 0xE0, 0xF0, 0xE3, 0xF3: return within(address & 0xFF00_0000, 0x1000).map { _ in .silent }
        case 0xE4, 0xF4: return within(address & 0xFF00_0000, 0x10000).map { _ in .silent }
        case 0xF6: return within(0xF600_0000, 0x8000).map { _ in .silent }
        default: break
        }
        guard isOwnCore else { return nil }
        switch address >> 24 {
        case 0x00:
            return within(0, 0x8000).map { .itcm($0) } ?? within(0x0040_0000, 0x10000).map { .dtcm($0) }
        case 0x10, 0x20, 0x11, 0x21, 0x1F, 0x2F, 0x30, 0x40:
            return within(address & 0xFF00_0000, 0x1000).map { _ in .silent }
        case 0xFF:
            if let offset = within(0xFFFF_0000, 0x8000) { return .systemRAM(offset) }
            // The interrupt controller.
            return within(0xFFFF_F000, 0x1000).map { _ in .silent }
        default: return nil
        }
    }
}
