//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// What a job asks for.
///
/// ```swift
/// .boards(3)                                      // any three boards that hang together
/// .rectangle(width: 2, height: 1)                 // triads
/// .board(.triad(BoardCoordinates(1, 2, 0)))       // this very board
/// .rectangle(width: 2, height: 1, at: .triad(BoardCoordinates(4, 4, 0)))
/// ```
public struct SpallocJobRequest: Hashable, Sendable {
    /// One board of a machine, by any of its three names.
    public enum Board: Hashable, Sendable, CustomStringConvertible {
        case triad(BoardCoordinates)
        case physical(PhysicalCoordinates)
        case address(IPv4Address)

        public var description: String {
            switch self {
            case .triad(let board): "board \(board)"
            case .physical(let board): "board \(board)"
            case .address(let address): "board \(address)"
            }
        }
    }

    public enum Size: Hashable, Sendable, CustomStringConvertible {
        case boards(Int)
        /// In triads, each 3 boards.
        case rectangle(width: Int, height: Int)
        case board(Board)
        /// A rectangle whose root is a given board, one with z = 0.
        case rectangleAt(Board, width: Int, height: Int)

        public var description: String {
            switch self {
            case .boards(let count): "\(count) board\(count == 1 ? "" : "s")"
            case .rectangle(let width, let height): "\(width)x\(height) triads"
            case .board(let board): "\(board)"
            case .rectangleAt(let board, let width, let height): "\(width)x\(height) triads at \(board)"
            }
        }

        /// A particular board is wanted: another will not do.
        var namesBoard: Bool {
            switch self {
            case .boards, .rectangle: false
            case .board, .rectangleAt: true
            }
        }
    }

    /// Which machine.
    public enum Machine: Hashable, Sendable {
        case named(String)
        /// Any that has all these tags.
        case tagged([String])
    }

    /// Whose quota pays. The service takes one of these.
    public enum Account: Hashable, Sendable {
        /// The user's only group.
        case standard
        case group(String)
        /// An EBRAINS collab.
        case collab(String)
        /// A job of the NMPI queue, perhaps for another user (for those who may).
        case nmpiJob(Int, user: String?)
    }

    public var size: Size
    public var machine: Machine = .tagged(["default"])
    /// How many boards of the rectangle may be dead.
    public var maxDeadBoards: Int?
    public var account: Account = .standard
    /// nil: the client configuration's.
    public var keepaliveInterval: Duration?

    public init(_ size: Size) { self.size = size }

    public static func boards(_ count: Int) -> SpallocJobRequest { SpallocJobRequest(.boards(count)) }

    /// Enough boards for this many chips, with slack for dead ones: a board counts as 46 of its 48, and a board is added
    /// when the last one would be more than half full.
    public static func chips(_ count: Int) -> SpallocJobRequest {
        let boards = count / 46 + (count % 46 == 0 ? 0 : 1)
        return .boards(boards * 46 - count < 23 ? boards + 1 : boards)
    }

    /// In triads.
    public static func rectangle(width: Int, height: Int) -> SpallocJobRequest {
        SpallocJobRequest(.rectangle(width: width, height: height))
    }
    public static func rectangle(width: Int, height: Int, at board: Board) -> SpallocJobRequest {
        SpallocJobRequest(.rectangleAt(board, width: width, height: height))
    }
    public static func board(_ board: Board) -> SpallocJobRequest { SpallocJobRequest(.board(board)) }

    public func on(_ machine: Machine) -> SpallocJobRequest {
        var request = self
        request.machine = machine
        return request
    }
    public func charged(to account: Account) -> SpallocJobRequest {
        var request = self
        request.account = account
        return request
    }
}

extension SpallocJobRequest {
    /// Refuses here what every service refuses, so that the message can name the field.
    func validate(keepalive: Duration) throws(SpallocError) {
        func refuse(_ message: String) -> SpallocError { SpallocError(.invalidRequest, message) }
        switch self.size {
        case .boards(let count):
            guard count > 0 else { throw refuse("a job needs at least one board, not \(count)") }
        case .rectangle(let width, let height), .rectangleAt(_, let width, let height):
            guard width > 0, height > 0 else { throw refuse("\(width)x\(height) is no rectangle of triads") }
        case .board:
            break
        }
        switch self.size {
        case .board(.triad(let board)), .rectangleAt(.triad(let board), _, _):
            guard (0...2).contains(board.z), board.x >= 0, board.y >= 0 else {
                throw refuse("\(board) is no board: x and y from 0, z from 0 to 2")
            }
        case .board(.physical(let board)), .rectangleAt(.physical(let board), _, _):
            guard board.cabinet >= 0, board.frame >= 0, board.board >= 0 else {
                throw refuse("\(board) is no board: cabinet, frame and board count from 0")
            }
        default:
            break
        }
        if case .rectangleAt(.triad(let board), _, _) = self.size, board.z != 0 {
            throw refuse("a rectangle begins at a board with z = 0, not at \(board)")
        }
        switch self.machine {
        case .named(let name):
            guard !name.trimmingBlanks().isEmpty else { throw refuse("the machine's name is empty") }
        case .tagged(let tags):
            guard !tags.isEmpty, tags.allSatisfy({ !$0.trimmingBlanks().isEmpty }) else {
                throw refuse("a machine tag is empty, or there is none")
            }
        }
        if let dead = self.maxDeadBoards, dead < 0 { throw refuse("the number of dead boards cannot be \(dead)") }
        guard keepalive >= .seconds(30), keepalive <= .seconds(300) else {
            throw refuse("the keepalive interval must be from 30 s to 300 s, not \(keepalive)")
        }
    }
}
