//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The P2P routes that one chip has learned when net initialisation is over.
///
/// - Every chip knows the way to each Ethernet chip and to itself.
/// - Each chip has announced itself to the root and to its own board's Ethernet chip; all chips on the way there know the
///   way back.
///
/// Computed when a chip's tables are first looked at, from the distances over the links that work.
package struct Routes: Sendable {
    package static let none: UInt8 = 6
    package static let itself: UInt8 = 7

    package struct Entry: Hashable, Sendable {
        package var address: ChipID
        /// The number of a link, or 7: this chip.
        package var link: UInt8
        /// As SC&MP's hop table shows it: 0 itself, hops - 1 to an Ethernet chip, 1 for a way back.
        package var hops: UInt16
    }

    /// By address.
    package let entries: [Entry]

    init(of chip: NativeChip, in system: NativeSystem) {
        let machine = chip.machine
        var entries: [ChipID: Entry] = [:]
        // To the root come all chips, by the parent links they have.
        Routes.addReturns(through: chip, in: system, &entries) { $0.parent }
        // To another Ethernet chip come those of its board; where links are missing, over chips of other boards too.
        var ethernets = system.detours(in: machine)[chip.index] ?? []
        if let own = machine.chip(at: chip.nearestEthernet) { ethernets.append(own) }
        for ethernet in ethernets where ethernet !== machine.root {
            let parents = system.parents(towards: ethernet)
            var returns: [ChipID: Entry] = [:]
            Routes.addReturns(through: chip, in: system, &returns) { parents[$0.number] }
            for (address, entry) in returns where machine.chip(at: address)?.board == ethernet.board {
                entries[address] = entry
            }
        }
        Routes.addEthernetChips(from: chip, in: system, &entries)
        entries[chip.address] = Entry(address: chip.address, link: Routes.itself, hops: 0)
        self.entries = entries.values.sorted { $0.address < $1.address }
    }

    /// The entries for chips whose way leads through `chip`: those behind it in the tree of parent links.
    private static func addReturns(
        through chip: NativeChip, in system: NativeSystem, _ entries: inout [ChipID: Entry],
        parent: (NativeChip) -> Link?
    ) {
        // A chip, and the link of ours that leads to it.
        var open: [(node: NativeChip, link: UInt8)] = [(chip, Routes.itself)]
        while let (node, way) = open.popLast() {
            for link in Link.allCases {
                guard let child = system.neighbour(of: node, link), child !== chip, parent(child) == link.opposite,
                    system.neighbour(of: child, link.opposite) === node
                else { continue }
                let link = way == Routes.itself ? link.rawValue : way
                // On a torus of two chips' width a child has two links to its parent, of which one is the way.
                guard entries.updateValue(Entry(address: child.address, link: link, hops: 1), forKey: child.address) == nil
                else { continue }
                open.append((child, link))
            }
        }
    }

    /// One search from the chip finds, for each other, which of the chip's own links begin a shortest way there.
    private static func addEthernetChips(
        from chip: NativeChip, in system: NativeSystem, _ entries: inout [ChipID: Entry]
    ) {
        let machine = chip.machine
        var left = machine.ethernetChips.count
        var hops = [Int32](repeating: -1, count: machine.chips.count)
        var first = [UInt8](repeating: 0, count: machine.chips.count)
        hops[chip.index] = 0
        var queue = [chip]
        var next = 0
        // A chip's set of first links is complete when all chips nearer than it have been expanded: look at chips as they are
        // expanded, not as they are found.
        while next < queue.count, left > 0 {
            let here = queue[next]
            next += 1
            if here.isEthernet {
                left -= 1
                let links = first[here.index]
                if here !== chip, let link = Discovery.preference.first(where: { links >> $0.rawValue & 1 == 1 }) {
                    entries[here.address] = Entry(
                        address: here.address, link: link.rawValue, hops: UInt16(clamping: hops[here.index] - 1))
                }
            }
            for link in Link.allCases {
                guard let there = system.neighbour(of: here, link) else { continue }
                let mine = here === chip ? 1 << link.rawValue : first[here.index]
                if hops[there.index] < 0 {
                    hops[there.index] = hops[here.index] + 1
                    first[there.index] = mine
                    queue.append(there)
                } else if hops[there.index] == hops[here.index] + 1 {
                    first[there.index] |= mine
                }
            }
        }
    }
}
