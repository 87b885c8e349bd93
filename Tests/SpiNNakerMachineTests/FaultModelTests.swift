//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct FaultModelTests {
    @Test func oneFaultOfAnyKindIsNotNone() {
        #expect(MachineFaults.none.isEmpty)
        for faults in [
            MachineFaults(boards: [.origin]), MachineFaults(chips: [.origin]), MachineFaults(cores: [CoreID(0, 0, 1)]),
            MachineFaults(links: [ChipLink(chip: .origin, link: .east)]),
        ] {
            #expect(!faults.isEmpty)
            #expect(MachineFaults.none.union(faults) == faults)
            #expect(faults.union(.none) == faults)
        }
    }

    /// What is left of a machine with many faults, each question answered from the lists of faults alone.
    @Test func whatIsLeftAgreesWithTheLists() throws {
        var random = SplitMix(seed: 23)
        for (width, height) in [(8, 8), (12, 12), (16, 16)] {
            let shape = try #require(MachineShape(width: width, height: height))
            let all = shape.chips
            for round in 0..<3 {
                var faults = MachineFaults()
                for _ in 0..<12 {
                    guard let chip = all.randomElement(using: &random), let link = Link.allCases.randomElement(using: &random)
                    else { continue }
                    faults.chips.insert(chip)
                    faults.cores.insert(CoreID(chip: chip, p: UInt8(random.next() % 20)))
                    for _ in 0..<4 {
                        faults.links.insert(ChipLink(chip: all.randomElement(using: &random) ?? chip, link: link))
                    }
                }
                faults.chips.remove(.origin)
                if round == 2, let board = shape.ethernetChips.last, board != .origin { faults.boards.insert(board) }
                check(MachineDescription(shape: shape, faults: faults))
            }
        }
    }

    private func check(_ machine: MachineDescription) {
        let shape = machine.shape
        let faults = machine.faults
        let dead = Set(faults.boards.flatMap { shape.chips(onBoardOf: $0) }).union(faults.chips)
        let alive = Set(shape.chips).subtracting(dead)
        #expect(machine.chips == alive.sorted())
        #expect(machine.ethernetChips == shape.ethernetChips.filter(alive.contains))
        func passes(_ chip: ChipID, _ link: Link) -> Bool {
            guard let far = shape.neighbour(of: chip, over: link) else { return false }
            return alive.contains(chip) && alive.contains(far) && !faults.links.contains(ChipLink(chip: chip, link: link))
        }
        for chip in shape.chips {
            let count = shape.board.coreCount(of: shape.localCoordinates(of: chip))
            let cores = (0..<UInt8(count)).filter { !faults.cores.contains(CoreID(chip: chip, p: $0)) }
            #expect(machine.cores(of: chip) == (alive.contains(chip) ? cores : []))
            for link in Link.allCases {
                #expect((machine.neighbour(of: chip, over: link) != nil) == passes(chip, link))
                let far = shape.neighbour(of: chip, over: link)
                let both = passes(chip, link) && far.map { passes($0, link.opposite) } == true
                #expect(machine.isWorkingBothWays(ChipLink(chip: chip, link: link)) == both)
                #expect((machine.linkMask(of: chip) >> link.rawValue & 1 == 1) == both)
            }
        }
        // Reached in as many rounds as it takes for nothing to change.
        var reached: Set<ChipID> = [.origin]
        var size = 0
        while size != reached.count {
            size = reached.count
            for chip in reached {
                for link in Link.allCases where passes(chip, link) {
                    if let far = shape.neighbour(of: chip, over: link) { reached.insert(far) }
                }
            }
        }
        #expect(machine.unreachableChips() == alive.subtracting(reached).sorted())
        #expect(machine.unreachableChips(from: faults.chips.first ?? .root) == alive.sorted())
    }
}
