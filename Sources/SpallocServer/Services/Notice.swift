//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Something that whoever looks after the machine wants to know at once.
package struct Notice: Hashable, Sendable, Encodable {
    package enum Kind: String, Sendable, Encodable {
        /// A user says that something is wrong with boards.
        case issueReport = "issue-report"
        /// No job is given these boards any more, or not for a while.
        case boardsOutOfService = "boards-out-of-service"
    }

    package var kind: Kind
    package var at: String
    package var machine: String
    /// `x,y,z` of each.
    package var boards: [String]
    /// In whoever's words: a user's, an administrator's, a BMP's.
    package var reason: String
    package var job: Int?
    package var user: String?

    /// What a command may take in one piece.
    private static let maximumReason = 2000
    private static let maximumBoards = 200

    package init(
        _ kind: Kind, at: Timestamp, machine: String, boards: [String], reason: String, job: Int? = nil, user: String? = nil
    ) {
        self.kind = kind
        self.at = "\(at.wire)"
        self.machine = machine
        self.boards = Array(boards.prefix(Notice.maximumBoards))
        self.reason = String(reason.prefix(Notice.maximumReason))
        self.job = job
        self.user = user
    }

    var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self) + Data("\n".utf8)
        }
    }

    /// In one line.
    var title: String {
        let boards = self.boards.count == 1 ? "board \(self.boards[0])" : "\(self.boards.count) boards"
        return switch self.kind {
        case .issueReport: "Issue reported: \(boards) of \(self.machine)"
        case .boardsOutOfService: "Out of service: \(boards) of \(self.machine)"
        }
    }
}
