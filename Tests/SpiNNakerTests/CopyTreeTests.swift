//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@testable import SpiNNaker

@Suite(.timeLimit(.minutes(3))) struct CopyTreeTests {
    /// A machine without faults whose chips' way to the root is a shortest one.
    private func machine(_ shape: MachineShape) -> Machine {
        var parents: [ChipID: Link] = [:]
        var frontier: [ChipID] = [.origin]
        while !frontier.isEmpty {
            var next: [ChipID] = []
            for chip in frontier {
                for link in Link.allCases {
                    guard let far = shape.neighbour(of: chip, over: link), far != .origin, parents[far] == nil else { continue }
                    parents[far] = link.opposite
                    next.append(far)
                }
            }
            frontier = next
        }
        let chips = shape.chips.map { id in
            Machine.Chip(
                id: id, applicationCores: [1], workingCores: 18, links: Set(Link.allCases), freeSDRAM: 1, freeRoutingEntries: 1,
                nearestEthernet: shape.ethernetChip(nearest: id) ?? id, parentLink: parents[id])
        }
        return Machine(shape: shape, root: .origin, chips: chips)
    }

    @Test func everyChipOnceAndParentsFirst() throws {
        let shape = try #require(MachineShape(triadsWide: 2, triadsHigh: 2))
        let machine = self.machine(shape)
        let tree = CopyTree(machine)
        var have: Set<ChipID> = [.origin]
        for level in tree.levels {
            #expect(!level.isEmpty)
            var givers: Set<ChipID> = []
            var crossings: [ChipID: Int] = [:]
            for step in level {
                let parent = try #require(shape.position(over: step.from, from: step.chip).chip)
                #expect(have.contains(parent), "\(step.chip) copies from \(parent), which has nothing")
                #expect(givers.insert(parent).inserted, "\(parent) gives to two at once")
                let board = try #require(machine[parent]?.nearestEthernet)
                if machine[step.chip]?.nearestEthernet != board { crossings[board, default: 0] += 1 }
            }
            #expect(crossings.values.allSatisfy { $0 == 1 }, "a board gives two others the image at once")
            for step in level { #expect(have.insert(step.chip).inserted, "\(step.chip) copies twice") }
        }
        #expect(have.count == shape.chips.count)
        #expect(tree.reached == have)
        #expect(tree.levels.count < 60)
    }

    @Test func whatHasNoWayToTheRootIsNotReached() {
        var chips = self.machine(MachineShape(board: .spinn5)).chips
        let lost = ChipID(4, 4)
        for index in chips.indices where chips[index].id == lost { chips[index].parentLink = nil }
        let tree = CopyTree(Machine(shape: MachineShape(board: .spinn5), root: .origin, chips: chips))
        #expect(!tree.reached.contains(lost))
    }

    @Test func aRingOfParentsDoesNotHang() {
        var chips = self.machine(MachineShape(board: .spinn5)).chips
        // (4, 4) and (5, 4) each call the other their parent.
        for index in chips.indices {
            if chips[index].id == ChipID(4, 4) { chips[index].parentLink = .east }
            if chips[index].id == ChipID(5, 4) { chips[index].parentLink = .west }
        }
        let tree = CopyTree(Machine(shape: MachineShape(board: .spinn5), root: .origin, chips: chips))
        #expect(!tree.reached.contains(ChipID(4, 4)))
    }
}
