//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One end of the cable between two boards: a board and a side of it.
public struct BoardLink: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var board: BoardCoordinates
    public var side: Link

    @inlinable
    public init(board: BoardCoordinates, side: Link) {
        self.board = board
        self.side = side
    }

    public static func < (a: BoardLink, b: BoardLink) -> Bool { (a.board, a.side) < (b.board, b.side) }
    public var description: String { "\(self.board) \(self.side)" }
}

extension TriadGeometry {
    /// The other end of the cable.
    public func farEnd(of link: BoardLink) -> BoardLink {
        BoardLink(board: self.neighbour(of: link.board, side: link.side), side: link.side.opposite)
    }

    /// The end that names a cable: the one on the smaller board (or side, where both are on one board).
    public func canonical(_ link: BoardLink) -> BoardLink {
        let near = BoardLink(board: self.wrapped(link.board), side: link.side)
        return min(near, self.farEnd(of: near))
    }

    /// Every cable once, by its canonical end: three for each board.
    public var links: [BoardLink] {
        self.boards.flatMap { board in
            Link.allCases.compactMap { side in
                let link = BoardLink(board: board, side: side)
                return self.canonical(link) == link ? link : nil
            }
        }
    }

    /// Dead ends as a set of cables: a cable with one dead end is dead.
    public func canonical(_ links: some Sequence<BoardLink>) -> Set<BoardLink> {
        Set(links.map { self.canonical($0) })
    }
}
