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
        Routes.addReturns(towards: machine.root, through: chip, in: system, &entries)
        if let ethernet = machine.chip(at: chip.nearestEthernet), ethernet !== machine.root {
            Routes.addReturns(towards: ethernet, through: chip, in: system, &entries)
        }
        Routes.addEthernetChips(from: chip, in: system, &entries)
        entries[chip.address] = Entry(address: chip.address, link: Routes.itself, hops: 0)
        self.entries = entries.values.sorted { $0.address < $1.address }
    }

    /// The entries for chips whose way to `target` leads through `chip`. To the root come all chips, to another Ethernet chip
    /// those of its board.
    private static func addReturns(
        towards target: NativeChip, through chip: NativeChip, in system: NativeSystem, _ entries: inout [ChipID: Entry]
    ) {
        let isRoot = target === target.machine.root
        let tree = isRoot ? system.tree(ofRootOf: target.machine) : system.tree(towards: target)
        // Chips come by distance, so a chip's parent has been seen before it.
        var via: [Int: UInt8] = [chip.number: Routes.itself]
        for node in tree {
            guard node.chip !== chip, let parent = node.parent,
                let next = system.neighbour(of: node.chip, parent), let way = via[next.number]
            else { continue }
            let link = way == Routes.itself ? parent.opposite.rawValue : way
            via[node.chip.number] = link
            guard isRoot || node.chip.board == target.board else { continue }
            entries[node.chip.address] = Entry(address: node.chip.address, link: link, hops: 1)
        }
    }

    /// One search from the chip finds, for each other, which of the chip's own links begin a shortest way there.
    private static func addEthernetChips(
        from chip: NativeChip, in system: NativeSystem, _ entries: inout [ChipID: Entry]
    ) {
        var left = chip.machine.ethernetChips.count
        var reached: [Int: (hops: Int, first: UInt8)] = [chip.number: (0, 0)]
        var queue = [chip]
        var next = 0
        // A chip's set of first links is complete when all chips nearer than it have been expanded: look at a level's chips
        // as they are expanded, not as they are found.
        while next < queue.count, left > 0 {
            let here = queue[next]
            next += 1
            guard let known = reached[here.number] else { continue }
            if here.isEthernet {
                left -= 1
                if here !== chip, let link = Discovery.preference.first(where: { known.first >> $0.rawValue & 1 == 1 }) {
                    entries[here.address] = Entry(
                        address: here.address, link: link.rawValue, hops: UInt16(clamping: known.hops - 1))
                }
            }
            for link in Link.allCases {
                guard let there = system.neighbour(of: here, link) else { continue }
                let first = here === chip ? 1 << link.rawValue : known.first
                if let other = reached[there.number] {
                    if other.hops == known.hops + 1 { reached[there.number] = (other.hops, other.first | first) }
                } else {
                    reached[there.number] = (known.hops + 1, first)
                    queue.append(there)
                }
            }
        }
    }
}

/// A chip in the tree of ways towards one Ethernet chip.
struct RouteNode {
    let chip: NativeChip
    /// nil at the end of the way.
    let parent: Link?
}
