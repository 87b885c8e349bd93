//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One of a chip's six links, by the number the firmware and the router use.
///
/// | Link | 0 | 1 | 2 | 3 | 4 | 5 |
/// |---|---|---|---|---|---|---|
/// | name | E | NE | N | W | SW | S |
/// | (dx, dy) | (1, 0) | (1, 1) | (0, 1) | (-1, 0) | (-1, -1) | (0, -1) |
public enum Link: UInt8, Hashable, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    case east = 0
    case northEast = 1
    case north = 2
    case west = 3
    case southWest = 4
    case south = 5

    /// The link by which the neighbour reaches back: `(link + 3) mod 6`.
    public var opposite: Link {
        switch self {
        case .east: .west
        case .northEast: .southWest
        case .north: .south
        case .west: .east
        case .southWest: .northEast
        case .south: .north
        }
    }

    /// The step in chips that this link takes.
    public var delta: (dx: Int, dy: Int) {
        switch self {
        case .east: (1, 0)
        case .northEast: (1, 1)
        case .north: (0, 1)
        case .west: (-1, 0)
        case .southWest: (-1, -1)
        case .south: (0, -1)
        }
    }

    public static func < (a: Link, b: Link) -> Bool { a.rawValue < b.rawValue }

    public var description: String {
        switch self {
        case .east: "E"
        case .northEast: "NE"
        case .north: "N"
        case .west: "W"
        case .southWest: "SW"
        case .south: "S"
        }
    }

    /// The link with this step; nil when no link makes it.
    public init?(dx: Int, dy: Int) {
        guard let link = Link.allCases.first(where: { $0.delta == (dx, dy) }) else { return nil }
        self = link
    }

    /// As machine definition files spell it: `east`, `northEast`, `north`, `west`, `southWest`, `south`.
    public var name: String {
        switch self {
        case .east: "east"
        case .northEast: "northEast"
        case .north: "north"
        case .west: "west"
        case .southWest: "southWest"
        case .south: "south"
        }
    }

    /// From the spelling of ``name``.
    public init?(name: some StringProtocol) {
        guard let link = Link.allCases.first(where: { $0.name == name }) else { return nil }
        self = link
    }
}
