//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A side of a board as the Java allocation service names and numbers it.
///
/// The service turned the names by one step: its `N, E, SE, S, W, NW` are the hardware's (and the firmware's, and every
/// other table's) `N, NE, E, S, SW, W`. Its legacy endpoint even sends these numbers where the original protocol has the
/// numbers of ``Link``. A machine definition file uses the hardware's names (``Link/name``).
///
/// | Number | 0 | 1 | 2 | 3 | 4 | 5 |
/// |---|---|---|---|---|---|---|
/// | Java | N | E | SE | S | W | NW |
/// | ``side`` | N | NE | E | S | SW | W |
/// | chips (dx, dy) | (4, 8) | (8, 4) | (4, -4) | (-4, -8) | (-8, -4) | (-4, 4) |
public enum JavaDirection: UInt8, Hashable, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    case north = 0
    case east = 1
    case southEast = 2
    case south = 3
    case west = 4
    case northWest = 5

    public init(side: Link) {
        switch side {
        case .north: self = .north
        case .northEast: self = .east
        case .east: self = .southEast
        case .south: self = .south
        case .southWest: self = .west
        case .west: self = .northWest
        }
    }

    /// The same side by the hardware's name.
    public var side: Link {
        switch self {
        case .north: .north
        case .east: .northEast
        case .southEast: .east
        case .south: .south
        case .west: .southWest
        case .northWest: .west
        }
    }

    public var opposite: JavaDirection { JavaDirection(side: self.side.opposite) }

    /// `N`, `E`, `SE`, `S`, `W` or `NW`, in either case.
    public init?(_ text: some StringProtocol) {
        let name = text.uppercased()
        guard let found = JavaDirection.allCases.first(where: { $0.description == name }) else { return nil }
        self = found
    }

    public static func < (a: JavaDirection, b: JavaDirection) -> Bool { a.rawValue < b.rawValue }

    public var description: String {
        switch self {
        case .north: "N"
        case .east: "E"
        case .southEast: "SE"
        case .south: "S"
        case .west: "W"
        case .northWest: "NW"
        }
    }
}
