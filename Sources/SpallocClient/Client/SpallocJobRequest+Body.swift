//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The JSON body of `POST jobs`, as the stock Python client writes it: a keepalive as `"PT120S"`, and no key that says nothing.
struct JobRequestBody: Encodable {
    let request: SpallocJobRequest
    let keepalive: Duration

    private enum Key: String, CodingKey {
        case owner, group, board, dimensions, tags, width, height, x, y, z, cabinet, frame, address
        case nmpiCollab = "nmpi-collab"
        case nmpiJobID = "nmpi-job-id"
        case keepaliveInterval = "keepalive-interval"
        case numBoards = "num-boards"
        case machineName = "machine-name"
        case maxDeadBoards = "max-dead-boards"
    }

    func encode(to encoder: any Encoder) throws {
        var body = encoder.container(keyedBy: Key.self)
        switch self.request.size {
        case .boards(let count):
            try body.encode(count, forKey: .numBoards)
        case .rectangle(let width, let height):
            try self.encode(width: width, height: height, into: &body)
        case .board(let board):
            try self.encode(board, into: &body)
        case .rectangleAt(let board, let width, let height):
            try self.encode(board, into: &body)
            try self.encode(width: width, height: height, into: &body)
        }
        switch self.request.machine {
        case .named(let name): try body.encode(name, forKey: .machineName)
        case .tagged(let tags): try body.encode(tags, forKey: .tags)
        }
        switch self.request.account {
        case .standard: break
        case .group(let name): try body.encode(name, forKey: .group)
        case .collab(let name): try body.encode(name, forKey: .nmpiCollab)
        case .nmpiJob(let job, let user):
            try body.encode(job, forKey: .nmpiJobID)
            try body.encodeIfPresent(user, forKey: .owner)
        }
        try body.encodeIfPresent(self.request.maxDeadBoards, forKey: .maxDeadBoards)
        try body.encode(JobRequestBody.iso8601(self.keepalive), forKey: .keepaliveInterval)
    }

    private func encode(width: Int, height: Int, into body: inout KeyedEncodingContainer<Key>) throws {
        var dimensions = body.nestedContainer(keyedBy: Key.self, forKey: .dimensions)
        try dimensions.encode(width, forKey: .width)
        try dimensions.encode(height, forKey: .height)
    }

    private func encode(_ board: SpallocJobRequest.Board, into body: inout KeyedEncodingContainer<Key>) throws {
        var container = body.nestedContainer(keyedBy: Key.self, forKey: .board)
        switch board {
        case .triad(let board):
            try container.encode(board.x, forKey: .x)
            try container.encode(board.y, forKey: .y)
            try container.encode(board.z, forKey: .z)
        case .physical(let board):
            try container.encode(board.cabinet, forKey: .cabinet)
            try container.encode(board.frame, forKey: .frame)
            try container.encode(board.board, forKey: .board)
        case .address(let address):
            try container.encode(address.description, forKey: .address)
        }
    }

    /// `PT120S`; whole milliseconds at the finest.
    static func iso8601(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "PT\(seconds)S" }
        let digits = String(1000 + milliseconds).dropFirst()
        return "PT\(seconds).\(digits)S"
    }
}
