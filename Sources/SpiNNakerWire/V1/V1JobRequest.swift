//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The parameters of `create_job`.
///
/// | Positional | What |
/// |---|---|
/// | – | one board |
/// | n | at least n boards, in whole triads if more than one |
/// | w, h | a rectangle of w × h triads |
/// | x, y, z | that board |
public struct V1JobRequest: Hashable, Sendable {
    public enum Size: Hashable, Sendable {
        case oneBoard
        case boards(Int)
        case triads(width: Int, height: Int)
        case board(BoardCoordinates)
    }

    public enum Keepalive: Hashable, Sendable {
        /// Not given: 60 seconds.
        case standard
        /// null: the job never expires.
        case never
        case seconds(Double)

        public static let standardSeconds = 60.0
        /// nil: for ever.
        public var seconds: Double? {
            switch self {
            case .standard: Keepalive.standardSeconds
            case .never: nil
            case .seconds(let value): value
            }
        }
    }

    public var size: Size
    public var owner: String
    public var keepalive: Keepalive
    /// By name; tags do not matter then.
    public var machine: String?
    /// All must be on the machine. nil: `["default"]`.
    public var tags: [String]?
    /// The smaller side of a rectangle by the larger, at least. nil: 0.
    public var minRatio: Double?
    /// nil: any number.
    public var maxDeadBoards: Int?
    /// nil: any number. A link that is dead both ways counts twice.
    public var maxDeadLinks: Int?
    /// nil: false.
    public var requireTorus: Bool?

    public init(
        _ size: Size = .oneBoard, owner: String, keepalive: Keepalive = .standard, machine: String? = nil,
        tags: [String]? = nil, minRatio: Double? = nil, maxDeadBoards: Int? = nil, maxDeadLinks: Int? = nil,
        requireTorus: Bool? = nil
    ) {
        self.size = size
        self.owner = owner
        self.keepalive = keepalive
        self.machine = machine
        self.tags = tags
        self.minRatio = minRatio
        self.maxDeadBoards = maxDeadBoards
        self.maxDeadLinks = maxDeadLinks
        self.requireTorus = requireTorus
    }

    static let keywords = [
        "owner", "keepalive", "machine", "tags", "min_ratio", "max_dead_boards", "max_dead_links", "require_torus",
    ]

    /// nulls stand for "not given", but for `keepalive`, where a null has a meaning of its own.
    init(_ call: V1Call) throws(V1Error) {
        var numbers: [Int] = []
        guard call.args.count <= 3 else {
            throw .badArguments(command: call.command, reason: "more than three numbers")
        }
        for argument in call.args {
            guard let number = argument.integerValue else {
                throw .badArguments(command: call.command, reason: "\(argument) is no whole number")
            }
            numbers.append(number)
        }
        switch numbers.count {
        case 0: self.size = .oneBoard
        case 1: self.size = .boards(numbers[0])
        case 2: self.size = .triads(width: numbers[0], height: numbers[1])
        default: self.size = .board(BoardCoordinates(numbers[0], numbers[1], numbers[2]))
        }
        let arguments = try V1Arguments(
            V1Call(command: call.command, kwargs: call.kwargs), names: V1JobRequest.keywords)
        switch arguments["owner"] {
        case nil: throw arguments.error("owner", "is missing")
        case .string(let owner): self.owner = owner
        // The original makes a text of anything.
        case .some(let other): self.owner = other.description
        }
        if let seconds = try arguments.number("keepalive") {
            self.keepalive = .seconds(seconds)
        } else {
            self.keepalive = arguments.isGiven("keepalive") ? .never : .standard
        }
        self.machine = try arguments.text("machine")
        switch arguments["tags"] {
        case nil: self.tags = nil
        // The Java service takes a single tag as text.
        case .string(let tag): self.tags = [tag]
        case .array(let items):
            let texts = items.compactMap(\.stringValue)
            guard texts.count == items.count else { throw arguments.error("tags", "are not all text") }
            self.tags = texts
        case .some: throw arguments.error("tags", "are no list")
        }
        self.minRatio = try arguments.number("min_ratio")
        self.maxDeadBoards = try arguments.integer("max_dead_boards")
        self.maxDeadLinks = try arguments.integer("max_dead_links")
        self.requireTorus = try arguments.flag("require_torus")
    }

    /// The positional numbers.
    public var args: [Int] {
        switch self.size {
        case .oneBoard: []
        case .boards(let count): [count]
        case .triads(let width, let height): [width, height]
        case .board(let board): [board.x, board.y, board.z]
        }
    }

    /// Only what is given: the original server takes a null for some of them, and fails on others.
    public var kwargs: [String: V1JSON] {
        var members: [String: V1JSON] = ["owner": .string(self.owner)]
        switch self.keepalive {
        case .standard: break
        case .never: members["keepalive"] = .null
        case .seconds(let seconds): members["keepalive"] = .number(seconds)
        }
        if let machine { members["machine"] = .string(machine) }
        if let tags { members["tags"] = .array(tags.map { .string($0) }) }
        if let minRatio { members["min_ratio"] = .number(minRatio) }
        if let maxDeadBoards { members["max_dead_boards"] = .integer(maxDeadBoards) }
        if let maxDeadLinks { members["max_dead_links"] = .integer(maxDeadLinks) }
        if let requireTorus { members["require_torus"] = .bool(requireTorus) }
        return members
    }
}
