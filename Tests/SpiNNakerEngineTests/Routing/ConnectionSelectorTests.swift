//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerEngine
import SpiNNakerMachine
import Testing

/// The vectors `selector.*`.
@Suite struct ConnectionSelectorTests {
    private let targets = [
        ChipID(0, 0), ChipID(4, 8), ChipID(8, 4), ChipID(1, 1), ChipID(5, 9), ChipID(11, 7), ChipID(8, 8), ChipID(255, 255),
        ChipID(7, 2), ChipID(2, 7), ChipID(99, 99),
    ]

    private func chosen(_ chips: [ChipID], _ shape: MachineShape? = nil) throws -> [ChipID] {
        let selector = try #require(ConnectionSelector(chips) { shape?.ethernetChip(nearest: $0) })
        return self.targets.map { chips[selector.connection(to: $0)] }
    }

    @Test func withoutAMachine() throws {
        let chosen = try self.chosen([ChipID(4, 8), ChipID(0, 0), ChipID(8, 4)])
        #expect(chosen == [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)] + Array(repeating: ChipID(0, 0), count: 8))
    }

    @Test func withAMachine() throws {
        let chosen = try self.chosen([ChipID(4, 8), ChipID(0, 0), ChipID(8, 4)], MachineShape(width: 16, height: 16))
        #expect(
            chosen == [
                ChipID(0, 0), ChipID(4, 8), ChipID(8, 4), ChipID(0, 0), ChipID(4, 8), ChipID(8, 4), ChipID(4, 8), ChipID(0, 0),
                ChipID(0, 0), ChipID(0, 0), ChipID(0, 0),
            ])
    }

    @Test func one() throws {
        #expect(try self.chosen([ChipID(4, 8)]) == Array(repeating: ChipID(4, 8), count: 11))
        #expect(ConnectionSelector([]) == nil)
    }

    @Test func withoutTheRootTheFirstLeads() throws {
        let chosen = try self.chosen([ChipID(4, 8), ChipID(8, 4)], MachineShape(width: 16, height: 16))
        #expect(
            chosen == [
                ChipID(4, 8), ChipID(4, 8), ChipID(8, 4), ChipID(4, 8), ChipID(4, 8), ChipID(8, 4), ChipID(4, 8), ChipID(4, 8),
                ChipID(4, 8), ChipID(4, 8), ChipID(4, 8),
            ])
    }
}
