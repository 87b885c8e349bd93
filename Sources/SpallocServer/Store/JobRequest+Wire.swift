//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// A request that cannot be right, whatever machines there are.
package struct BadRequest: Error, Hashable, Sendable, CustomStringConvertible {
    package var reason: String
    package init(_ reason: String) { self.reason = reason }
    package var description: String { self.reason }
}

extension JobRequest {
    /// - Throws: ``BadRequest`` with the rule that is broken.
    package init(_ wire: CreateJobRequest) throws(BadRequest) {
        func require(_ condition: Bool, _ reason: String) throws(BadRequest) {
            guard condition else { throw BadRequest(reason) }
        }
        try require(
            wire.numBoards == nil || (wire.dimensions == nil && wire.board == nil),
            "num-boards excludes dimensions and board")
        try require(wire.machineName == nil || wire.tags == nil, "machine-name and tags exclude each other")
        if let name = wire.machineName { try require(!name.allSatisfy(\.isWhitespace), "machine-name is blank") }
        for tag in wire.tags ?? [] { try require(!tag.allSatisfy(\.isWhitespace), "a tag is blank") }
        let maxDead = wire.maxDeadBoards ?? 0
        try require(maxDead >= 0, "max-dead-boards is negative")
        if let boards = wire.numBoards { try require(boards > 0, "num-boards is not positive") }
        if let dimensions = wire.dimensions {
            // The upper bound keeps the area from overflowing; the machine's own size is checked against it later.
            try require(
                (1...1024).contains(dimensions.width) && (1...1024).contains(dimensions.height),
                "dimensions \(dimensions.width) x \(dimensions.height) are out of range")
        }
        let name = try wire.board.map { board throws(BadRequest) in try BoardName(board) }
        let size: Size =
            switch (wire.dimensions, name) {
            case (let dimensions?, let name?):
                .rectangleAt(width: dimensions.width, height: dimensions.height, root: name)
            case (let dimensions?, nil): .rectangle(width: dimensions.width, height: dimensions.height)
            case (nil, let name?): .board(name)
            case (nil, nil): .boards(wire.numBoards ?? 1)
            }
        self.init(
            size: size, machine: wire.machineName.map { .named($0) } ?? .tagged(Set(wire.tags ?? ["default"])),
            maxDeadBoards: maxDead)
    }
}

extension JobRequest.BoardName {
    /// By triad if there is an x, else by slot if there is a cabinet, else by address.
    init(_ wire: CreateJobRequest.Board) throws(BadRequest) {
        if let x = wire.x {
            guard let y = wire.y, let z = wire.z, x >= 0, y >= 0, (0...2).contains(z) else {
                throw BadRequest("board: x, y and z (0...2) are needed together")
            }
            self = .triad(BoardCoordinates(x, y, z))
        } else if let cabinet = wire.cabinet {
            guard let frame = wire.frame, let board = wire.board, cabinet >= 0, frame >= 0, board >= 0 else {
                throw BadRequest("board: cabinet, frame and board are needed together")
            }
            self = .physical(PhysicalCoordinates(cabinet: cabinet, frame: frame, board: board))
        } else if let address = wire.address {
            guard let address = IPv4Address(address) else { throw BadRequest("board: \"\(address)\" is not an IPv4 address") }
            self = .address(address.description)
        } else {
            throw BadRequest("board: neither x, cabinet nor address is given")
        }
    }
}
