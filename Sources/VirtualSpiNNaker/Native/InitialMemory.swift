//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Writes little-endian values into the part of a structure that lies on one page.
struct PageWriter {
    let bytes: UnsafeMutableRawBufferPointer
    /// Where the page begins in its memory.
    let base: Int

    /// Values off this page are left out. `offset` counts in the memory, not in the page.
    func put<T: FixedWidthInteger>(_ offset: Int, _ value: T) {
        let at = offset - self.base
        guard at >= 0, at + MemoryLayout<T>.size <= self.bytes.count else { return }
        self.bytes.storeBytes(of: value.littleEndian, toByteOffset: at, as: T.self)
    }

    func put(_ offset: Int, text: String) {
        for (index, byte) in text.utf8.enumerated() { self.put(offset + index, byte) }
    }

    /// The indices of an array at `offset` of elements of `size` bytes that touch this page.
    func indices(of offset: Int, count: Int, size: Int) -> Range<Int> {
        let low = (self.base - offset) / size
        let high = (self.base + self.bytes.count - offset + size - 1) / size
        let first = min(max(low, 0), count)
        return first..<min(max(high, first), count)
    }
}

/// SDRAM as SC&MP leaves it at start: the roots of two heaps, and its own tables.
final class SDRAMPages: InitialPages {
    private unowned let chip: NativeChip
    private let routes: Routes
    private let parameters: BootParameters
    private let layout: SystemHeapLayout

    init(chip: NativeChip, routes: Routes) {
        self.chip = chip
        self.routes = routes
        self.parameters = chip.machine.parameters
        self.layout = SystemHeapLayout(heap: chip.machine.parameters.systemHeap)
    }

    private func offset(_ address: UInt32) -> Int { Int(address & 0x07FF_FFFF) }

    func hasContent(page: Int) -> Bool {
        let start = page * SparseMemory.pageSize
        let end = start + SparseMemory.pageSize
        func overlaps(_ low: Int, _ high: Int) -> Bool { start < high && low < end }
        let heap = self.offset(self.parameters.sdramHeap)
        // The allocation tags are zero, but for the header before them.
        return overlaps(heap, heap + 24)
            || overlaps(self.offset(self.parameters.systemHeap), self.offset(self.layout.allocationTags))
            || overlaps(self.offset(self.layout.applicationTable) - 8, self.offset(self.layout.firstFree) + 8)
    }

    func fill(page: Int, _ bytes: UnsafeMutableRawBufferPointer) {
        let writer = PageWriter(bytes: bytes, base: page * SparseMemory.pageSize)
        Heap.format(
            writer, root: self.parameters.sdramHeap, end: self.parameters.sdramSystem, blocks: [], window: 0x6000_0000)
        Heap.format(
            writer, root: self.parameters.systemHeap, end: 0x6800_0000, blocks: SystemHeapLayout.blockSizes,
            window: 0x6000_0000)
        self.fillHopTable(writer)
        self.fillRouterCopy(writer)
    }

    private func fillHopTable(_ writer: PageWriter) {
        let table = self.offset(self.layout.hopTable)
        let indices = writer.indices(of: table, count: 65536, size: 4)
        // Whoever looks at another table needs no routes.
        guard !indices.isEmpty else { return }
        for index in indices { writer.put(table + 4 * index, UInt32(0x8000_FFFF)) }
        for entry in self.routes.entries {
            writer.put(table + 4 * Int(entry.address.p2pAddress), UInt32(entry.hops))
        }
    }

    private func fillRouterCopy(_ writer: PageWriter) {
        let table = self.offset(self.layout.routerCopy)
        for index in writer.indices(of: table, count: SystemHeapLayout.routerEntries + 1, size: 16) {
            let entry = RouterCopy.initialEntry(index, treeLinks: self.chip.treeLinks)
            let at = table + 16 * index
            writer.put(at, entry.next)
            writer.put(at + 2, entry.free)
            writer.put(at + 4, entry.route)
            writer.put(at + 8, entry.key)
            writer.put(at + 12, entry.mask)
        }
    }
}

/// System RAM as SC&MP leaves it at start: its heap, the VCPU blocks and `sv`.
final class SystemRAMPages: InitialPages {
    private unowned let chip: NativeChip
    private let routes: Routes

    init(chip: NativeChip, routes: Routes) {
        self.chip = chip
        self.routes = routes
    }

    func hasContent(page: Int) -> Bool { true }

    func fill(page: Int, _ bytes: UnsafeMutableRawBufferPointer) {
        let writer = PageWriter(bytes: bytes, base: page * SparseMemory.pageSize)
        let parameters = self.chip.machine.parameters
        Heap.format(
            writer, root: parameters.systemRAMHeap, end: SVOffset.vcpuAddress, blocks: [parameters.bufferCount * 292],
            window: 0xE500_0000)
        guard page == 7 else { return }
        for core in 0..<self.chip.cores.count { self.putVCPU(writer, core: core) }
        self.putSV(writer, parameters)
    }

    private func putVCPU(_ writer: PageWriter, core: UInt8) {
        let at = VCPUOffset.base + VCPUOffset.size * Int(core)
        writer.put(at + VCPUOffset.physicalCore, self.chip.cores.physical(core) ?? 0xFF)
        writer.put(at + VCPUOffset.state, core == 0 ? UInt8(7) : UInt8(15))
        writer.put(at + VCPUOffset.time, self.chip.machine.unixTime(at: self.chip.start))
        writer.put(at + VCPUOffset.name, text: core == 0 ? "scamp-3" : "sark")
        writer.put(at + VCPUOffset.softwareVersion, SVOffset.version)
    }

    private func putSV(_ writer: PageWriter, _ parameters: BootParameters) {
        let base = SVOffset.base
        let chip = self.chip
        let machine = chip.machine
        let layout = SystemHeapLayout(heap: parameters.systemHeap)
        // What the host has patched, then what SC&MP makes of it.
        for (index, byte) in parameters.bytes.readableBytesView.enumerated() { writer.put(base + index, byte) }
        func put<T: FixedWidthInteger>(_ offset: Int, _ value: T) { writer.put(base + offset, value) }
        put(SVOffset.p2pAddress, chip.address.p2pAddress)
        put(SVOffset.p2pDimensions, UInt16(truncatingIfNeeded: machine.width << 8 | machine.height))
        put(SVOffset.debugAddress, chip.nearestEthernet.p2pAddress)
        put(SVOffset.ethernetAddress, chip.nearestEthernet.p2pAddress)
        put(SVOffset.lastNNID, UInt8(0))
        put(SVOffset.isEthernetUp, UInt8(chip.isEthernetUp ? 1 : 0))
        put(SVOffset.p2pRoot, machine.rootAddress.p2pAddress)
        put(SVOffset.random, UInt32(0xA5))
        put(SVOffset.isRoot, UInt8(chip === machine.root ? 1 : 0))
        put(SVOffset.syncAlignment, SystemRAMPages.syncAlignment(hops: chip.hops))
        put(SVOffset.systemRAMHeap, parameters.systemRAMHeap)
        put(SVOffset.sdramHeap, parameters.sdramHeap)
        put(SVOffset.sdramBuffers, UInt32(0x6000_0000))
        put(SVOffset.linkEnable, chip.links)
        put(SVOffset.messageFreeList, parameters.systemRAMHeap + 24)
        put(SVOffset.messageCount, UInt16(0))
        put(SVOffset.messageMaximum, UInt16(0))
        for index in 0..<UInt8(20) {
            put(SVOffset.physicalToVirtual + Int(index), chip.cores.virtual(index) ?? 0xFF)
            put(SVOffset.virtualToPhysical + Int(index), chip.cores.physical(index) ?? 0xFF)
        }
        put(SVOffset.coreCount, chip.cores.count)
        put(SVOffset.boardAddress, chip.local.p2pAddress)
        put(SVOffset.sdramBase, parameters.sdramBase)
        put(SVOffset.systemRAMBase, UInt32(0xE500_0100))
        put(SVOffset.sdramSystem, parameters.sdramSystem)
        put(SVOffset.vcpuBase, SVOffset.vcpuAddress)
        put(SVOffset.systemHeap, parameters.systemHeap)
        put(SVOffset.routerCopy, layout.routerCopy)
        put(SVOffset.hopTable, layout.hopTable)
        put(SVOffset.allocationTags, layout.allocationTags)
        put(SVOffset.routerFree, UInt16(1))
        put(SVOffset.activeP2P, UInt16(clamping: self.routes.count))
        put(SVOffset.applicationTable, layout.applicationTable)
        put(SVOffset.messagePool, parameters.systemRAMHeap + 24)
        put(SVOffset.ipAddress, chip.ip?.wireWord ?? 0)
        put(SVOffset.softwareVersion, SVOffset.version)
    }

    /// Microseconds that a chip waits after a synchronisation beacon, by its distance from the root.
    static func syncAlignment(hops: Int) -> UInt32 {
        // The hop table shows 0 on the root and hops - 1 elsewhere.
        let n = hops == 0 ? 1 : hops
        return UInt32(clamping: 155 - ((500 * n + 900 * (n / 8)) >> 10))
    }
}

/// The router's registers and tables as SC&MP leaves them at start.
///
/// | Offset | Content |
/// |---|---|
/// | 0x000 | control |
/// | 0x02C | diagnostic enable |
/// | 0x200 | 16 diagnostic filters |
/// | 0x300 | 16 counters |
/// | 0x4000, 0x8000, 0xC000 | multicast routes, keys, masks |
/// | 0x10000 | P2P table: 3 bits for each of 65,536 addresses, 8 in a word |
final class RouterPages: InitialPages {
    static let p2pTable = 0x10000
    static let multicastRoutes = 0x4000
    static let multicastKeys = 0x8000
    static let multicastMasks = 0xC000

    private unowned let chip: NativeChip
    private let routes: Routes

    private static let filters: [UInt32] = [
        0x01FE_7CF1, 0x01FE_BCF1, 0x01FE_7CF2, 0x01FE_BCF2, 0x01FE_7CF4, 0x01FE_BCF4, 0x01FE_7CF8, 0x01FE_BCF8,
        0x0001_FCF1, 0x0001_FCF2, 0x0001_FCF4, 0x0001_FCF8,
    ]

    init(chip: NativeChip, routes: Routes) {
        self.chip = chip
        self.routes = routes
    }

    func hasContent(page: Int) -> Bool {
        page == 0 || (4..<16).contains(page) || (16..<24).contains(page)
    }

    func fill(page: Int, _ bytes: UnsafeMutableRawBufferPointer) {
        let writer = PageWriter(bytes: bytes, base: page * SparseMemory.pageSize)
        switch page {
        case 0:
            writer.put(0x00, 0x0040_0001 | UInt32(self.chip.cores.monitor) << 8)
            writer.put(0x2C, UInt32(0xFFFF_0000))
            for (index, filter) in RouterPages.filters.enumerated() { writer.put(0x200 + 4 * index, filter) }
        case 4..<16:
            for index in 0..<SystemHeapLayout.routerEntries {
                let entry = RouterCopy.initialEntry(index, treeLinks: self.chip.treeLinks)
                let route = entry.route & 0xFF00_003F | self.chip.cores.physicalMask(entry.route >> 6 & 0x3FFFF) << 6
                writer.put(RouterPages.multicastRoutes + 4 * index, route)
                writer.put(RouterPages.multicastKeys + 4 * index, entry.key)
                writer.put(RouterPages.multicastMasks + 4 * index, entry.mask)
            }
        default:
            for word in 0..<(SparseMemory.pageSize / 4) { writer.put(writer.base + 4 * word, UInt32(0x00DB_6DB6)) }
            for entry in self.routes.entries {
                let address = Int(entry.address.p2pAddress)
                let at = RouterPages.p2pTable + 4 * (address >> 3) - writer.base
                guard at >= 0, at + 4 <= bytes.count else { continue }
                let shift = UInt32(3 * (address & 7))
                let word = UInt32(littleEndian: bytes.load(fromByteOffset: at, as: UInt32.self))
                bytes.storeBytes(
                    of: (word & ~(7 << shift) | UInt32(entry.link) << shift).littleEndian, toByteOffset: at, as: UInt32.self)
            }
        }
    }
}
