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
/// Computed when a chip's tables are looked at, from the distances over the links that worked at boot. A machine of a thousand
/// boards has sixty thousand chips that each know a thousand ways: nothing here may be done for all of them unasked.
final class Routes {
    static let none: UInt8 = 6
    static let itself: UInt8 = 7

    struct Entry: Hashable, Sendable {
        var address: ChipID
        /// The number of a link, or 7: this chip.
        var link: UInt8
        /// As SC&MP's hop table shows it: 0 itself, hops - 1 to an Ethernet chip, 1 for a way back.
        var hops: UInt16
    }

    private unowned let chip: NativeChip
    /// By the place of a chip that has announced itself along here, the number of the link that leads to it.
    private lazy var returns = self.findReturns()
    /// By address.
    private(set) lazy var entries = self.findEntries()

    init(of chip: NativeChip) { self.chip = chip }

    /// How many chips it knows a way to, itself included: found without looking for the ways.
    var count: Int {
        let machine = self.chip.machine
        let others = self.returns.keys.count { !machine.chips[$0].isEthernet }
        return machine.ethernetChips.count + others + (self.chip.isEthernet ? 0 : 1)
    }

    private func findEntries() -> [Entry] {
        let machine = self.chip.machine
        var entries: [ChipID: Entry] = [:]
        for (place, link) in self.returns {
            let address = machine.chips[place].address
            entries[address] = Entry(address: address, link: link, hops: 1)
        }
        self.addEthernetChips(&entries)
        entries[self.chip.address] = Entry(address: self.chip.address, link: Routes.itself, hops: 0)
        return entries.values.sorted { $0.address < $1.address }
    }

    private func findReturns() -> [Int: UInt8] {
        let machine = self.chip.machine
        // To the root come all chips, by the parent links they have.
        var returns = self.returns { machine.chips[$0].parent }
        // To another Ethernet chip come those of its board; where links are missing, over chips of other boards too.
        for ethernet in machine.ways.ethernetChips(servedBy: self.chip) {
            let ways = machine.ways.towards(ethernet)
            for (place, link) in self.returns(parent: { ways[$0] }) where machine.chips[place].board == ethernet.board {
                returns[place] = link
            }
        }
        return returns
    }

    /// The chips whose way leads through this one: those behind it in the tree of parent links.
    private func returns(parent: (Int) -> Link?) -> [Int: UInt8] {
        let machine = self.chip.machine
        var returns: [Int: UInt8] = [:]
        // A chip, and the link of ours that leads to it.
        var open: [(place: Int, link: UInt8)] = [(self.chip.index, Routes.itself)]
        while let (place, way) = open.popLast() {
            for link in Link.allCases {
                // On a torus of two chips' width a child has two links to its parent, of which one is the way.
                guard let child = machine.neighbour(of: place, link), child != self.chip.index,
                    parent(child) == link.opposite, returns[child] == nil
                else { continue }
                let link = way == Routes.itself ? link.rawValue : way
                returns[child] = link
                open.append((child, link))
            }
        }
        return returns
    }

    /// One search from the chip finds, for each other, which of the chip's own links begin a shortest way there.
    private func addEthernetChips(_ entries: inout [ChipID: Entry]) {
        let machine = self.chip.machine
        let start = self.chip.index
        var hops = [Int32](repeating: -1, count: machine.chips.count)
        var first = [UInt8](repeating: 0, count: machine.chips.count)
        hops[start] = 0
        var queue = [start]
        queue.reserveCapacity(machine.chips.count)
        var next = 0
        while next < queue.count {
            let here = queue[next]
            next += 1
            for link in Link.allCases {
                guard let there = machine.neighbour(of: here, link) else { continue }
                let mine = here == start ? 1 << link.rawValue : first[here]
                if hops[there] < 0 {
                    hops[there] = hops[here] + 1
                    first[there] = mine
                    queue.append(there)
                } else if hops[there] == hops[here] + 1 {
                    first[there] |= mine
                }
            }
        }
        for ethernet in machine.ethernetChips {
            let links = first[ethernet.index]
            guard let link = Discovery.preference.first(where: { links >> $0.rawValue & 1 == 1 }) else { continue }
            entries[ethernet.address] = Entry(
                address: ethernet.address, link: link.rawValue, hops: UInt16(clamping: hops[ethernet.index] - 1))
        }
    }
}

extension NativeChip {
    /// The links by which signals go on from a chip to those that lie behind it, seen from the root.
    var treeLinks: UInt8 {
        Link.allCases.reduce(0) { links, link in
            guard let there = self.machine.neighbour(of: self.index, link),
                self.machine.chips[there].parent == link.opposite
            else { return links }
            return links | 1 << link.rawValue
        }
    }
}
