//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The body of `POST jobs`.
public struct CreateJobRequest: Hashable, Sendable {
    /// A rectangle, in triads.
    public struct Dimensions: Codable, Hashable, Sendable {
        public var width: Int
        public var height: Int
        public init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }
        private enum CodingKeys: String, CodingKey { case width, height }
        public init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(["width", "height"])
            let container = try decoder.container(keyedBy: CodingKeys.self)
            self.width = try container.decode(Int.self, forKey: .width)
            self.height = try container.decode(Int.self, forKey: .height)
        }
    }

    /// One board, in one of three ways. If more than one is given, triad goes before slot before address.
    public struct Board: Codable, Hashable, Sendable {
        public var x: Int?
        public var y: Int?
        public var z: Int?
        public var cabinet: Int?
        public var frame: Int?
        public var board: Int?
        public var address: String?

        public init(
            x: Int? = nil, y: Int? = nil, z: Int? = nil, cabinet: Int? = nil, frame: Int? = nil, board: Int? = nil,
            address: String? = nil
        ) {
            self.x = x
            self.y = y
            self.z = z
            self.cabinet = cabinet
            self.frame = frame
            self.board = board
            self.address = address
        }

        private enum CodingKeys: String, CodingKey { case x, y, z, cabinet, frame, board, address }
        public init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(["x", "y", "z", "cabinet", "frame", "board", "address"])
            let container = try decoder.container(keyedBy: CodingKeys.self)
            self.x = try container.decodeIfPresent(Int.self, forKey: .x)
            self.y = try container.decodeIfPresent(Int.self, forKey: .y)
            self.z = try container.decodeIfPresent(Int.self, forKey: .z)
            self.cabinet = try container.decodeIfPresent(Int.self, forKey: .cabinet)
            self.frame = try container.decodeIfPresent(Int.self, forKey: .frame)
            self.board = try container.decodeIfPresent(Int.self, forKey: .board)
            self.address = try container.decodeIfPresent(String.self, forKey: .address)
        }
    }

    /// nil or blank: the caller.
    public var owner: String?
    public var group: String?
    public var nmpiCollab: String?
    public var nmpiJobID: Int?
    /// The job dies when it is not kept alive for this long.
    public var keepaliveInterval: WireDuration?
    /// Excludes `dimensions` and `board`. With none of the three: one board.
    public var numBoards: Int?
    /// With `board`: a rectangle whose root is that board.
    public var dimensions: Dimensions?
    public var board: Board?
    /// Excludes `tags`.
    public var machineName: String?
    /// All of these must be on the machine. With neither this nor `machineName`: `["default"]`.
    public var tags: [String]?
    public var maxDeadBoards: Int?

    public init(
        owner: String? = nil, group: String? = nil, nmpiCollab: String? = nil, nmpiJobID: Int? = nil,
        keepaliveInterval: WireDuration? = nil, numBoards: Int? = nil, dimensions: Dimensions? = nil, board: Board? = nil,
        machineName: String? = nil, tags: [String]? = nil, maxDeadBoards: Int? = nil
    ) {
        self.owner = owner
        self.group = group
        self.nmpiCollab = nmpiCollab
        self.nmpiJobID = nmpiJobID
        self.keepaliveInterval = keepaliveInterval
        self.numBoards = numBoards
        self.dimensions = dimensions
        self.board = board
        self.machineName = machineName
        self.tags = tags
        self.maxDeadBoards = maxDeadBoards
    }
}

extension CreateJobRequest: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case owner, group
        case nmpiCollab = "nmpi-collab"
        case nmpiJobID = "nmpi-job-id"
        case keepaliveInterval = "keepalive-interval"
        case numBoards = "num-boards"
        case dimensions, board
        case machineName = "machine-name"
        case tags
        case maxDeadBoards = "max-dead-boards"
    }

    /// Unknown keys are refused, as the reference does.
    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.owner = try container.decodeIfPresent(String.self, forKey: .owner)
        self.group = try container.decodeIfPresent(String.self, forKey: .group)
        self.nmpiCollab = try container.decodeIfPresent(String.self, forKey: .nmpiCollab)
        self.nmpiJobID = try container.decodeIfPresent(Int.self, forKey: .nmpiJobID)
        self.keepaliveInterval = try container.decodeIfPresent(WireDuration.self, forKey: .keepaliveInterval)
        self.numBoards = try container.decodeIfPresent(Int.self, forKey: .numBoards)
        self.dimensions = try container.decodeIfPresent(Dimensions.self, forKey: .dimensions)
        self.board = try container.decodeIfPresent(Board.self, forKey: .board)
        self.machineName = try container.decodeIfPresent(String.self, forKey: .machineName)
        self.tags = try container.decodeIfPresent([String].self, forKey: .tags)
        self.maxDeadBoards = try container.decodeIfPresent(Int.self, forKey: .maxDeadBoards)
    }
}

/// A request as a job's description shows it: the same keys, all of them, null where nothing was asked.
public struct OriginalRequest: Codable, Hashable, Sendable {
    public var request: CreateJobRequest

    public init(_ request: CreateJobRequest) { self.request = request }

    public init(from decoder: any Decoder) throws { self.request = try CreateJobRequest(from: decoder) }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CreateJobRequest.CodingKeys.self)
        try container.encode(self.request.owner, forKey: .owner)
        try container.encode(self.request.group, forKey: .group)
        try container.encode(self.request.nmpiCollab, forKey: .nmpiCollab)
        try container.encode(self.request.nmpiJobID, forKey: .nmpiJobID)
        try container.encode(self.request.keepaliveInterval, forKey: .keepaliveInterval)
        try container.encode(self.request.numBoards, forKey: .numBoards)
        try container.encode(self.request.dimensions, forKey: .dimensions)
        try container.encode(self.request.board, forKey: .board)
        try container.encode(self.request.machineName, forKey: .machineName)
        try container.encode(self.request.tags, forKey: .tags)
        try container.encode(self.request.maxDeadBoards, forKey: .maxDeadBoards)
    }
}

/// The body of the 201 that answers `POST jobs`. The stock clients read the `Location` header instead.
public struct CreateJobReply: Codable, Hashable, Sendable {
    public var jobID: Int
    public var jobRef: String

    public init(jobID: Int, jobRef: String) {
        self.jobID = jobID
        self.jobRef = jobRef
    }

    private enum CodingKeys: String, CodingKey {
        case jobID = "job-id"
        case jobRef = "job-ref"
    }
}

/// Any key at all: how a decoder is asked what it was given.
private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension CodingUserInfoKey {
    /// Set to true in a decoder's `userInfo` by whoever only reads: a client must bear what a newer service adds.
    package static let allowsUnknownKeys = CodingUserInfoKey(rawValue: "spalloc.allows-unknown-keys").unsafelyUnwrapped
}

extension Decoder {
    /// - Throws: `DecodingError` that names the first key not in `known`, unless ``CodingUserInfoKey/allowsUnknownKeys`` is set.
    package func refuseUnknownKeys(_ known: [String]) throws {
        if self.userInfo[.allowsUnknownKeys] as? Bool == true { return }
        let container = try self.container(keyedBy: AnyKey.self)
        if let unknown = container.allKeys.map(\.stringValue).sorted().first(where: { !known.contains($0) }) {
            throw DecodingError.dataCorrupted(
                .init(codingPath: self.codingPath, debugDescription: "unknown key \"\(unknown)\""))
        }
    }
}
