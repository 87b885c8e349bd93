//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// A board by all its names, as machine lists carry it.
public struct BoardCoords: Codable, Hashable, Sendable {
    public var x: Int
    public var y: Int
    public var z: Int
    public var cabinet: Int
    public var frame: Int
    /// null for a board that is not there.
    public var board: Int?
    /// null for a board that is not there.
    public var address: String?

    public init(x: Int, y: Int, z: Int, cabinet: Int, frame: Int, board: Int?, address: String?) {
        self.x = x
        self.y = y
        self.z = z
        self.cabinet = cabinet
        self.frame = frame
        self.board = board
        self.address = address
    }

    public var logical: BoardCoordinates { BoardCoordinates(self.x, self.y, self.z) }

    private enum CodingKeys: String, CodingKey { case x, y, z, cabinet, frame, board, address }

    // Written by hand: `board` and `address` are null, never absent.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.x, forKey: .x)
        try container.encode(self.y, forKey: .y)
        try container.encode(self.z, forKey: .z)
        try container.encode(self.cabinet, forKey: .cabinet)
        try container.encode(self.frame, forKey: .frame)
        try container.encode(self.board, forKey: .board)
        try container.encode(self.address, forKey: .address)
    }
}

/// A link between two boards that must not be used: the array of its two ends.
public struct DeadLink: Codable, Hashable, Sendable {
    public struct End: Codable, Hashable, Sendable {
        public var board: BoardCoords
        public var direction: BoardSide

        public init(board: BoardCoords, direction: BoardSide) {
            self.board = board
            self.direction = direction
        }
    }

    public var ends: [End]

    public init(_ a: End, _ b: End) { self.ends = [a, b] }

    public init(from decoder: any Decoder) throws { self.ends = try [End](from: decoder) }
    public func encode(to encoder: any Encoder) throws { try self.ends.encode(to: encoder) }
}
