//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

// On this wire a place is an array of numbers: `[x, y]` for a chip, `[x, y, z]` for a board by its triad, `[cabinet, frame,
// board]` for a board by its slot.

extension ChipPosition: Codable {
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        self.init(x: try container.decode(Int.self), y: try container.decode(Int.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(self.x)
        try container.encode(self.y)
    }
}

extension BoardCoordinates: Codable {
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        self.init(
            x: try container.decode(Int.self), y: try container.decode(Int.self), z: try container.decode(Int.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(self.x)
        try container.encode(self.y)
        try container.encode(self.z)
    }
}

extension PhysicalCoordinates: Codable {
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        self.init(
            cabinet: try container.decode(Int.self), frame: try container.decode(Int.self),
            board: try container.decode(Int.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(self.cabinet)
        try container.encode(self.frame)
        try container.encode(self.board)
    }
}

/// A side of a board by the name this service gives it. These are *not* SC&MP's link names.
///
/// | here | N | E | SE | S | W | NW |
/// |---|---|---|---|---|---|---|
/// | ``SpiNNakerMachine/Link`` | N | NE | E | S | SW | W |
public enum BoardSide: String, Codable, Hashable, Sendable, CaseIterable {
    case north = "N"
    case east = "E"
    case southEast = "SE"
    case south = "S"
    case west = "W"
    case northWest = "NW"

    public var link: Link {
        switch self {
        case .north: .north
        case .east: .northEast
        case .southEast: .east
        case .south: .south
        case .west: .southWest
        case .northWest: .west
        }
    }

    public init(_ link: Link) {
        switch link {
        case .north: self = .north
        case .northEast: self = .east
        case .east: self = .southEast
        case .south: self = .south
        case .southWest: self = .west
        case .west: self = .northWest
        }
    }
}
