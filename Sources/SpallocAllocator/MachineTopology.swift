//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// What of a machine does not change while jobs come and go: which boards there are, what their names are, and what is
/// connected to what. A board's index is `(x · height + y) · 3 + z`.
package final class MachineTopology: Sendable {
    package struct Board: Hashable, Sendable {
        package var coordinates: BoardCoordinates
        package var physical: PhysicalCoordinates
        package var address: String

        package init(coordinates: BoardCoordinates, physical: PhysicalCoordinates, address: String) {
            self.coordinates = coordinates
            self.physical = physical
            self.address = address
        }
    }

    package let name: String
    package let tags: Set<String>
    package let geometry: TriadGeometry
    /// The boards that exist, by index; nil where there is none.
    package let boards: [Board?]
    package let existing: BoardSet
    /// Six entries per board, by ``SpiNNakerMachine/Link`` number: the board's index behind a live link, or -1.
    package let neighbours: [Int32]
    private let byPhysical: [PhysicalCoordinates: Int]
    private let byAddress: [String: Int]

    /// Links to a board that is not there are dead, as is a link either of whose ends is in `deadLinks`; a machine of a single
    /// board has none. Boards outside the geometry are left out.
    package init(
        name: String, tags: Set<String>, width: Int, height: Int, boards: [Board], deadLinks: Set<BoardLink> = []
    ) {
        self.name = name
        self.tags = tags
        let geometry = TriadGeometry(width: width, height: height)
        self.geometry = geometry
        var slots: [Board?] = Array(repeating: nil, count: geometry.boardCount)
        var existing = BoardSet(capacity: geometry.boardCount)
        var byPhysical: [PhysicalCoordinates: Int] = [:]
        var byAddress: [String: Int] = [:]
        for board in boards where geometry.contains(board.coordinates) {
            let index = MachineTopology.index(of: board.coordinates, height: geometry.height)
            slots[index] = board
            existing.insert(index)
            byPhysical[board.physical] = index
            byAddress[board.address] = index
        }
        var neighbours: [Int32] = Array(repeating: -1, count: geometry.boardCount * 6)
        if existing.count > 1 {
            for case let board? in slots {
                let index = MachineTopology.index(of: board.coordinates, height: geometry.height)
                for side in Link.allCases {
                    let other = geometry.neighbour(of: board.coordinates, side: side)
                    let otherIndex = MachineTopology.index(of: other, height: geometry.height)
                    let link = BoardLink(board: board.coordinates, side: side)
                    guard existing.contains(otherIndex), otherIndex != index, !deadLinks.contains(link),
                        !deadLinks.contains(geometry.farEnd(of: link))
                    else { continue }
                    neighbours[index * 6 + Int(side.rawValue)] = Int32(otherIndex)
                }
            }
        }
        self.boards = slots
        self.existing = existing
        self.neighbours = neighbours
        self.byPhysical = byPhysical
        self.byAddress = byAddress
    }

    package var width: Int { self.geometry.width }
    package var height: Int { self.geometry.height }
    package var capacity: Int { self.boards.count }
    /// 1 for a machine that is a single board, else 3.
    package var depth: Int { self.existing.count == 1 ? 1 : 3 }

    private static func index(of board: BoardCoordinates, height: Int) -> Int { (board.x * height + board.y) * 3 + board.z }

    /// nil for a board that does not exist.
    package func index(of board: BoardCoordinates) -> Int? {
        guard self.geometry.contains(board) else { return nil }
        let index = MachineTopology.index(of: board, height: self.height)
        return self.existing.contains(index) ? index : nil
    }
    package func index(of physical: PhysicalCoordinates) -> Int? { self.byPhysical[physical] }
    package func index(ofAddress address: String) -> Int? { self.byAddress[address] }

    package func coordinates(of index: Int) -> BoardCoordinates {
        BoardCoordinates(index / 3 / self.height, index / 3 % self.height, index % 3)
    }

    /// The index of the board behind a live link, or nil.
    package func neighbour(of index: Int, side: Link) -> Int? {
        guard index >= 0, index < self.capacity else { return nil }
        let other = self.neighbours[index * 6 + Int(side.rawValue)]
        return other < 0 ? nil : Int(other)
    }

    /// The sides of `boards` at which a job must be cut off: those behind which there is a board that is not the job's, and
    /// those whose link is dead.
    package func borderSides(of boards: BoardSet) -> [(index: Int, side: Link)] {
        guard self.existing.count > 1 else { return [] }
        var border: [(index: Int, side: Link)] = []
        boards.forEach { index in
            for side in Link.allCases {
                if let other = self.neighbour(of: index, side: side), boards.contains(other) { continue }
                border.append((index, side))
            }
        }
        return border
    }

    /// The members of `within` that live links connect to `root`, in the order of a breadth-first walk; `root` first.
    package func connected(from root: Int, within: BoardSet, limit: Int = .max) -> [Int] {
        guard within.contains(root), limit > 0 else { return [] }
        var seen = BoardSet(capacity: self.capacity)
        seen.insert(root)
        var order = [root]
        var head = 0
        while head < order.count, order.count < limit {
            let index = order[head]
            head += 1
            for side in 0..<6 {
                let other = Int(self.neighbours[index * 6 + side])
                guard other >= 0, within.contains(other), !seen.contains(other) else { continue }
                seen.insert(other)
                order.append(other)
                if order.count == limit { break }
            }
        }
        return order
    }
}
