//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A chip on which SC&MP runs. Its memory does not exist until somebody looks.
package final class NativeChip {
    package let number: Int
    /// The place in ``NativeMachine/chips``.
    package internal(set) var index = 0
    package let board: Int
    /// The place on the board.
    package let local: ChipID
    package let address: ChipID
    package let isEthernet: Bool
    package var cores: CoreMap
    /// Links that SC&MP uses: those that passed the test at boot. `sv.link_en`.
    package let links: UInt8
    /// From the root chip.
    package let hops: Int
    /// The link towards the root; nil on the root.
    package let parent: Link?
    package let nearestEthernet: ChipID
    /// The chip's own IP address, on Ethernet chips.
    package let ip: IPv4Address?
    /// When its clock began.
    package let start: NIODeadline
    package unowned let machine: NativeMachine
    package unowned let system: NativeSystem

    /// False once power, reset or a fault has ended it: others on the machine find nobody there.
    package private(set) var isAlive = true
    /// False when the monitor has crashed: the hardware goes on answering link reads.
    package var isMonitorAlive = true
    /// False with an injected fault: the PHY reports no link.
    package var isEthernetUp: Bool
    /// What every P2P transfer to this chip ends in: an injected fault.
    package var injectedResult: SCPResult?
    package var tags = TagTable()

    /// The hardware flags of the cores' barriers: bit n, the flag of virtual core n is set.
    var syncFlags: UInt32 = 0
    /// Message buffers that lie in mailboxes nobody empties.
    var lostBuffers: UInt32 = 0
    /// A count is open, and another is refused.
    var isCounting = false
    /// SDRAM and router entries can be allocated: false with an injected fault.
    package var hasSDRAM = true
    package var hasRouterEntries = true
    var floodFill = FloodFill()
    /// Bit n: LED n is lit.
    package var leds: UInt8 = 0
    private var applicationCores: [NativeCore?] = []

    private var storedMemory: ChipMemory?

    init(
        number: Int, board: Int, local: ChipID, address: ChipID, cores: CoreMap, links: UInt8, hops: Int, parent: Link?,
        nearestEthernet: ChipID, ip: IPv4Address?, start: NIODeadline, machine: NativeMachine,
        system: NativeSystem
    ) {
        self.number = number
        self.board = board
        self.local = local
        self.address = address
        self.isEthernet = ip != nil
        self.isEthernetUp = ip != nil
        self.cores = cores
        self.links = links
        self.hops = hops
        self.parent = parent
        self.nearestEthernet = nearestEthernet
        self.ip = ip
        self.start = start
        self.machine = machine
        self.system = system
    }

    /// Made when first asked for.
    package var memory: ChipMemory {
        if let memory = self.storedMemory { return memory }
        let memory = ChipMemory(chip: self)
        self.storedMemory = memory
        return memory
    }

    /// What has been made so far.
    package var existingMemory: ChipMemory? { self.storedMemory }

    /// Milliseconds since SC&MP started here.
    package func milliseconds(at now: NIODeadline) -> UInt64 {
        UInt64(max(0, (now - self.start).nanoseconds)) / 1_000_000
    }

    /// Power is gone: nothing of it is left but what others remember.
    func die() {
        self.isAlive = false
        self.storedMemory = nil
        self.applicationCores = []
    }

    // MARK: Application cores

    /// Made when first asked for.
    package func core(_ number: UInt8) -> NativeCore {
        if self.applicationCores.isEmpty { self.applicationCores = Array(repeating: nil, count: 32) }
        let index = Int(number & 31)
        if let core = self.applicationCores[index] { return core }
        let core = NativeCore(chip: self, number: number & 31)
        self.applicationCores[index] = core
        return core
    }

    /// SC&MP's own note of what a core runs; 0: the idle stub.
    func application(ofCore number: UInt8) -> UInt8 {
        guard Int(number) < self.applicationCores.count else { return 0 }
        return self.applicationCores[Int(number)]?.application ?? 0
    }

    /// The application cores of a mask that this chip has.
    func cores(_ mask: UInt32) -> [NativeCore] {
        (1..<max(1, self.cores.count)).filter { mask >> UInt32($0) & 1 == 1 }.map { self.core($0) }
    }

    func count(application: UInt32, state: UInt32) -> UInt32 {
        var count: UInt32 = 0
        for number in 1..<max(1, self.cores.count)
        where UInt32(self.application(ofCore: number)) == application && UInt32(self.coreState(number).rawValue) == state {
            count += 1
        }
        return count
    }

    /// A flood-fill id, in its place in a key.
    func nextFloodID() -> UInt32 {
        let at = SVOffset.base + SVOffset.lastNNID
        let last = self.memory.systemRAM.read8(at)
        let next = last >= 127 ? 1 : last + 1
        self.memory.systemRAM.write8(at, next)
        return UInt32(next) << 1
    }

    /// Another map of the cores: `sv` shows it, and the VCPU blocks that no core has any more are cleared.
    func remap(_ map: CoreMap) {
        let before = self.cores.count
        self.cores = map
        let ram = self.memory.systemRAM
        for index in 0..<UInt8(20) {
            ram.write8(SVOffset.base + SVOffset.physicalToVirtual + Int(index), map.virtual(index) ?? 0xFF)
            ram.write8(SVOffset.base + SVOffset.virtualToPhysical + Int(index), map.physical(index) ?? 0xFF)
        }
        ram.write8(SVOffset.base + SVOffset.coreCount, map.count)
        for number in map.count..<before {
            ram.fill(VCPUOffset.base + VCPUOffset.size * Int(number), word: 0, count: VCPUOffset.size)
            if Int(number) < self.applicationCores.count { self.applicationCores[Int(number)] = nil }
        }
    }
}
