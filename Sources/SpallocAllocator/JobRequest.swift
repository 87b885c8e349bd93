//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// What a job asks for, checked and without a trace of how it was written.
package struct JobRequest: Hashable, Sendable {
    package enum BoardName: Hashable, Sendable {
        case triad(BoardCoordinates)
        case physical(PhysicalCoordinates)
        case address(String)
    }

    package enum Size: Hashable, Sendable {
        /// So many boards, connected.
        case boards(Int)
        /// A rectangle in triads.
        case rectangle(width: Int, height: Int)
        /// This very board.
        case board(BoardName)
        /// A rectangle whose root is this board.
        case rectangleAt(width: Int, height: Int, root: BoardName)
    }

    package enum MachineChoice: Hashable, Sendable {
        case named(String)
        /// Any machine that has all of these.
        case tagged(Set<String>)
    }

    /// What only clients of the legacy port can ask for.
    package struct Rules: Hashable, Sendable {
        /// Of a count's rectangle: the shorter side by the longer, at least.
        package var minimumRatio: Double
        /// Dead links between boards of the job, each counted from both of its ends; nil: any number.
        package var maximumDeadLinks: Int?
        /// Whether links over the edge of the machine count.
        package var countsWrappingLinks: Bool
        /// Whether boards of a rectangle may be missing only because they do not work; else, as the reference has it, also because
        /// another job has them.
        package var onlyBrokenMayMiss: Bool

        package init(
            minimumRatio: Double = 0, maximumDeadLinks: Int? = nil, countsWrappingLinks: Bool = false,
            onlyBrokenMayMiss: Bool = false
        ) {
            self.minimumRatio = minimumRatio
            self.maximumDeadLinks = maximumDeadLinks
            self.countsWrappingLinks = countsWrappingLinks
            self.onlyBrokenMayMiss = onlyBrokenMayMiss
        }
    }

    package var size: Size
    package var machine: MachineChoice
    package var maxDeadBoards: Int
    package var rules = Rules()

    package init(size: Size, machine: MachineChoice, maxDeadBoards: Int = 0) {
        self.size = size
        self.machine = machine
        self.maxDeadBoards = maxDeadBoards
    }

    /// How much a job of this kind is preferred, in seconds of waiting: the reference's weights (a board 1, a triad 1.5, a named
    /// board 65), bounded so that no job can be overtaken for ever.
    package var priority: Int {
        let weight: Int
        switch self.size {
        case .boards(let count): weight = count
        case .rectangle(let width, let height): weight = width * height * 3 / 2
        case .board, .rectangleAt: weight = 65
        }
        return min(max(weight, 1), JobRequest.maximumPriority)
    }

    package static let maximumPriority = 120
}
