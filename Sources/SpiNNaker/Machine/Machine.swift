//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// A machine as it was found: the chips that answered, and what of each can be used.
public struct Machine: Hashable, Sendable {
    /// One chip.
    public struct Chip: Hashable, Sendable {
        public var id: ChipID
        /// Virtual numbers of the cores that an application can have: not the monitor, and idle when it was looked at.
        public var applicationCores: [UInt8]
        /// All working cores, monitor included.
        public var workingCores: Int
        /// Links that work and lead to a chip of the machine.
        public var links: Set<Link>
        /// Bytes of the largest free block of SDRAM.
        public var freeSDRAM: UInt32
        /// The longest run of free routing entries.
        public var freeRoutingEntries: Int
        /// The Ethernet chip of its board.
        public var nearestEthernet: ChipID
        /// Its address, if it is an Ethernet chip in use.
        public var address: IPv4Address?
        /// Towards the root chip; nil on the root, and from firmware that does not tell.
        public var parentLink: Link?
        /// By virtual core: the physical one. Empty when the chip did not say.
        public var physicalCores: [UInt8?]

        public var isEthernet: Bool { self.id == self.nearestEthernet }

        public init(
            id: ChipID, applicationCores: [UInt8], workingCores: Int, links: Set<Link>, freeSDRAM: UInt32,
            freeRoutingEntries: Int, nearestEthernet: ChipID, address: IPv4Address? = nil, parentLink: Link? = nil,
            physicalCores: [UInt8?] = []
        ) {
            self.id = id
            self.applicationCores = applicationCores
            self.workingCores = workingCores
            self.links = links
            self.freeSDRAM = freeSDRAM
            self.freeRoutingEntries = freeRoutingEntries
            self.nearestEthernet = nearestEthernet
            self.address = address
            self.parentLink = parentLink
            self.physicalCores = physicalCores
        }
    }

    /// What was found that is not as it should be. The machine can be used without it.
    public enum Note: Hashable, Sendable, CustomStringConvertible {
        /// The P2P tables know the chip, but it did not answer.
        case silent(ChipID)
        /// The link works, but the other end does not think so. It was taken out.
        case oneWay(ChipLink)
        /// The link leads to a chip that is not there. It was taken out.
        case leadsNowhere(ChipLink)
        /// A core that works but is not idle: whoever had the machine before left something there.
        case busyCore(CoreID, CoreState)
        /// A chip inside a board has an address, which only Ethernet chips have. It was ignored.
        case strayAddress(ChipID, IPv4Address)
        /// The way from this chip to the root ends at a chip that is not there.
        case deadParent(ChipID)
        /// The chip has fewer than five cores.
        case fewCores(ChipID, Int)

        public var description: String {
            switch self {
            case .silent(let chip): "chip \(chip) does not answer"
            case .oneWay(let link): "link \(link) works one way only"
            case .leadsNowhere(let link): "link \(link) leads to no working chip"
            case .busyCore(let core, let state): "core \(core) is not idle (state \(state.rawValue))"
            case .strayAddress(let chip, let address): "chip \(chip) has an address, \(address), but no Ethernet"
            case .deadParent(let chip): "chip \(chip)'s way to the root is broken"
            case .fewCores(let chip, let count): "chip \(chip) has only \(count) cores"
            }
        }
    }

    /// Its size, and what follows from that.
    public let shape: MachineShape
    /// The chip that was booted.
    public let root: ChipID
    /// By x, then y.
    public let chips: [Chip]
    public let notes: [Note]
    private let indices: [ChipID: Int]

    public init(shape: MachineShape, root: ChipID, chips: [Chip], notes: [Note] = []) {
        self.shape = shape
        self.root = root
        self.chips = chips.sorted { $0.id < $1.id }
        self.notes = notes
        var indices: [ChipID: Int] = [:]
        for (index, chip) in self.chips.enumerated() { indices[chip.id] = index }
        self.indices = indices
    }

    public var width: Int { self.shape.width }
    public var height: Int { self.shape.height }

    /// nil when the machine does not have the chip.
    public subscript(chip: ChipID) -> Chip? { self.indices[chip].map { self.chips[$0] } }

    public var ethernetChips: [Chip] { self.chips.filter(\.isEthernet) }
    /// Cores that applications can have, over all chips.
    public var applicationCoreCount: Int { self.chips.reduce(0) { $0 + $1.applicationCores.count } }

    /// The chips of one board.
    public func chips(onBoardOf ethernet: ChipID) -> [Chip] { self.chips.filter { $0.nearestEthernet == ethernet } }

    /// The chip at the other end of a working link.
    public func neighbour(of chip: ChipID, over link: Link) -> ChipID? {
        guard let from = self[chip], from.links.contains(link) else { return nil }
        return self.shape.position(over: link, from: chip).chip
    }
}
