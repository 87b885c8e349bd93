//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// Which of several connections, each to one Ethernet chip, a request goes by: SpiNNMan's most direct one.
///
/// The one to the chip itself; else the one to the chip's board, once it is known which that is; else the *lead*: the
/// last one to (0, 0), or the first of all.
package struct ConnectionSelector: Sendable {
    private let byChip: [ChipID: Int]
    private let lead: Int
    /// The Ethernet chip of each chip's board.
    private let boards: @Sendable (ChipID) -> ChipID?

    /// nil when there is no connection.
    ///
    /// - Parameters:
    ///   - chips: where each connection leads; ``ChipID/root`` where that is not known yet.
    ///   - board: the Ethernet chip of a chip's board; nil for a chip that the machine does not have.
    package init?(_ chips: [ChipID], board: @escaping @Sendable (ChipID) -> ChipID? = { _ in nil }) {
        guard !chips.isEmpty else { return nil }
        var byChip: [ChipID: Int] = [:]
        for (index, chip) in chips.enumerated() { byChip[chip] = index }
        self.byChip = byChip
        self.lead = chips.lastIndex(of: .origin) ?? 0
        self.boards = board
    }

    /// The index of the connection for a chip.
    package func connection(to chip: ChipID) -> Int {
        if let exact = self.byChip[chip] { return exact }
        guard self.byChip.count > 1, let ethernet = self.boards(chip), let index = self.byChip[ethernet] else {
            return self.lead
        }
        return index
    }
}
