//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

@Suite(.timeLimit(.minutes(3))) struct SurveyTests {
    private func info(
        _ chip: ChipID, links: UInt8 = 0x3F, cores: UInt8 = 18, address: IPv4Address? = nil, ethernet: ChipID = .origin,
        states: [CoreState] = Array(repeating: .idle, count: 18), parent: UInt16 = 3
    ) -> ChipInfo {
        ChipInfo(
            workingCores: cores, workingLinks: links, largestFreeRouterBlock: 1023, isEthernetUp: address != nil,
            largestFreeSDRAM: 100, largestFreeSystemRAM: 1, coreStates: states, nearestEthernet: ethernet, address: address,
            parent: parent)
    }

    private func survey() -> Survey {
        let shape = MachineShape(board: .spinn5)
        var survey = Survey(shape: shape, root: .origin, expected: shape.chips)
        for chip in shape.chips {
            let inside = Link.allCases.filter { shape.neighbour(of: chip, over: $0) != nil }
            survey.answers[chip] = self.info(
                chip, links: inside.reduce(0) { $0 | 1 << $1.rawValue }, address: chip == .origin ? .loopback : nil,
                parent: inside.first.map { UInt16($0.rawValue) } ?? 7)
        }
        return survey
    }

    @Test func allIsWell() throws {
        let machine = try self.survey().machine()
        #expect(machine.notes.isEmpty)
        #expect(machine.chips.count == 48)
        #expect(machine[.origin]?.applicationCores == Array(1...17))
        #expect(machine.applicationCoreCount == 48 * 17)
        #expect(machine.chips(onBoardOf: .origin).count == 48)
    }

    @Test func silentChipsAndTheirLinks() throws {
        var survey = self.survey()
        survey.answers[ChipID(2, 2)] = nil
        let machine = try survey.machine()
        #expect(machine[ChipID(2, 2)] == nil)
        #expect(machine.notes.contains(.silent(ChipID(2, 2))))
        #expect(machine.notes.contains(.leadsNowhere(ChipLink(chip: ChipID(1, 2), link: .east))))
        #expect(machine[ChipID(1, 2)]?.links.contains(.east) == false)
    }

    @Test func aOneWayLinkIsTakenOut() throws {
        var survey = self.survey()
        survey.answers[ChipID(2, 2)]?.workingLinks &= ~1
        let machine = try survey.machine()
        #expect(machine.notes == [.oneWay(ChipLink(chip: ChipID(3, 2), link: .west))])
        #expect(machine[ChipID(3, 2)]?.links.contains(.west) == false)
    }

    @Test func busyCoresAreLeftOut() throws {
        var survey = self.survey()
        survey.answers[ChipID(1, 0)]?.coreStates[7] = .running
        survey.answers[ChipID(1, 0)]?.workingCores = 4
        survey.answers[ChipID(2, 0)]?.coreStates[7] = .running
        let machine = try survey.machine()
        #expect(machine[ChipID(1, 0)]?.applicationCores == [1, 2, 3])
        #expect(machine[ChipID(2, 0)]?.applicationCores.contains(7) == false)
        #expect(machine.notes.contains(.fewCores(ChipID(1, 0), 4)))
        #expect(machine.notes.contains(.busyCore(CoreID(2, 0, 7), .running)))
    }

    @Test func aStrayAddressIsIgnored() throws {
        var survey = self.survey()
        survey.answers[ChipID(1, 1)]?.address = IPv4Address(10, 0, 0, 1)
        let machine = try survey.machine()
        #expect(machine[ChipID(1, 1)]?.address == nil)
        #expect(machine.notes == [.strayAddress(ChipID(1, 1), IPv4Address(10, 0, 0, 1))])
    }

    @Test func numbersThatCanNotBeAreCut() throws {
        var survey = self.survey()
        survey.answers[ChipID(1, 1)]?.workingCores = 31
        survey.answers[ChipID(1, 2)]?.workingCores = 0
        survey.answers[ChipID(1, 2)]?.coreStates = []
        let machine = try survey.machine()
        #expect(machine[ChipID(1, 1)]?.workingCores == 18)
        #expect(machine[ChipID(1, 2)]?.applicationCores.isEmpty == true)
    }

    /// Below five there is something wrong with a chip.
    @Test(arguments: [(4, true), (5, false)] as [(UInt8, Bool)]) func fewCoresAreNoted(_ cores: UInt8, _ isFew: Bool) throws {
        var survey = self.survey()
        survey.answers[ChipID(1, 0)]?.workingCores = cores
        let machine = try survey.machine()
        #expect(machine.notes == (isFew ? [.fewCores(ChipID(1, 0), 4)] : []))
        #expect(machine[ChipID(1, 0)]?.applicationCores == Array(1..<cores))
    }

    @Test func withoutItsRootThereIsNoMachine() {
        var survey = self.survey()
        survey.answers[.origin]?.nearestEthernet = ChipID(4, 4)
        #expect(throws: TransceiverError.self) { try survey.machine() }
        survey = self.survey()
        survey.answers[.origin]?.address = nil
        #expect(throws: TransceiverError.self) { try survey.machine() }
        survey.answers[.origin] = nil
        #expect(throws: TransceiverError.self) { try survey.machine() }
    }
}
