//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where the boards of a machine hang: logical to physical place and back. Every board once, every slot once.
public struct BoardLocations: Hashable, Sendable {
    /// Two boards at one place, or one board at two.
    public struct Conflict: Error, Hashable, Sendable, CustomStringConvertible {
        public let board: BoardCoordinates
        public let location: PhysicalCoordinates
        public var description: String { "board \(self.board) or the place \(self.location) is listed twice" }
    }

    private var physical: [BoardCoordinates: PhysicalCoordinates] = [:]
    private var logical: [PhysicalCoordinates: BoardCoordinates] = [:]

    public init() {}

    public init(_ locations: some Sequence<(BoardCoordinates, PhysicalCoordinates)>) throws(Conflict) {
        for (board, location) in locations { try self.add(board, at: location) }
    }

    public mutating func add(_ board: BoardCoordinates, at location: PhysicalCoordinates) throws(Conflict) {
        guard self.physical[board] == nil, self.logical[location] == nil else {
            throw Conflict(board: board, location: location)
        }
        self.physical[board] = location
        self.logical[location] = board
    }

    public func location(of board: BoardCoordinates) -> PhysicalCoordinates? { self.physical[board] }
    public func board(at location: PhysicalCoordinates) -> BoardCoordinates? { self.logical[location] }

    /// In order.
    public var boards: [BoardCoordinates] { self.physical.keys.sorted() }
    public var count: Int { self.physical.count }

    /// The triads that hold them all: the greatest x and y, plus one.
    public var geometry: TriadGeometry {
        TriadGeometry(
            width: (self.physical.keys.map(\.x).max() ?? 0) &+ 1, height: (self.physical.keys.map(\.y).max() ?? 0) &+ 1)
    }
}
