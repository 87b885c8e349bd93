//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A chip on which SC&MP runs. Its memory does not exist until somebody looks.
package final class NativeChip {
    package let number: Int
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
    package var isAlive = true
    /// False when the monitor has crashed: the hardware goes on answering link reads.
    package var isMonitorAlive = true
    /// False with an injected fault: the PHY reports no link.
    package var isEthernetUp: Bool
    /// What every P2P transfer to this chip ends in: an injected fault.
    package var injectedResult: SCPResult?
    package var tags = TagTable()

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
}
