//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// `GET machines`.
public struct MachineList: Codable, Hashable, Sendable {
    public var machines: [MachineBrief]
    public init(machines: [MachineBrief]) { self.machines = machines }
}

/// An entry of ``MachineList``: exactly these seven keys, all of which the stock clients need.
public struct MachineBrief: Codable, Hashable, Sendable {
    public var name: String
    public var tags: [String]
    public var uri: String
    /// In triads.
    public var width: Int
    /// In triads.
    public var height: Int
    public var deadBoards: [BoardCoords]
    public var deadLinks: [DeadLink]

    public init(
        name: String, tags: [String], uri: String, width: Int, height: Int, deadBoards: [BoardCoords], deadLinks: [DeadLink]
    ) {
        self.name = name
        self.tags = tags
        self.uri = uri
        self.width = width
        self.height = height
        self.deadBoards = deadBoards
        self.deadLinks = deadLinks
    }

    private enum CodingKeys: String, CodingKey {
        case name, tags, uri, width, height
        case deadBoards = "dead-boards"
        case deadLinks = "dead-links"
    }
}

/// `GET machines/{name}`. What the list calls `dead-…` is `down-…` here.
public struct MachineDetail: Codable, Hashable, Sendable {
    public var name: String
    public var tags: [String]
    /// In triads.
    public var width: Int
    /// In triads.
    public var height: Int
    public var downBoards: [BoardCoords]
    public var downLinks: [DeadLink]
    public var lookupByPhysicalBoard: String?
    public var lookupByLogicalBoard: String?
    public var lookupByChip: String?
    public var lookupByAddress: String?

    public init(
        name: String, tags: [String], width: Int, height: Int, downBoards: [BoardCoords], downLinks: [DeadLink],
        lookupByPhysicalBoard: String? = nil, lookupByLogicalBoard: String? = nil, lookupByChip: String? = nil,
        lookupByAddress: String? = nil
    ) {
        self.name = name
        self.tags = tags
        self.width = width
        self.height = height
        self.downBoards = downBoards
        self.downLinks = downLinks
        self.lookupByPhysicalBoard = lookupByPhysicalBoard
        self.lookupByLogicalBoard = lookupByLogicalBoard
        self.lookupByChip = lookupByChip
        self.lookupByAddress = lookupByAddress
    }

    private enum CodingKeys: String, CodingKey {
        case name, tags, width, height
        case downBoards = "down-boards"
        case downLinks = "down-links"
        case lookupByPhysicalBoard = "lookup-by-physical-board"
        case lookupByLogicalBoard = "lookup-by-logical-board"
        case lookupByChip = "lookup-by-chip"
        case lookupByAddress = "lookup-by-address"
    }
}

/// The answer to "which board, which chip, whose": what is not known is absent.
public struct WhereIs: Codable, Hashable, Sendable {
    public var machine: String?
    public var machineRef: String?
    /// The chip that was asked about.
    public var chip: ChipPosition?
    /// The Ethernet chip of its board.
    public var boardChip: ChipPosition?
    public var logicalBoardCoordinates: BoardCoordinates?
    public var physicalBoardCoordinates: PhysicalCoordinates?
    /// The job that has the board, if one has.
    public var jobID: Int?
    public var jobRef: String?
    /// The chip, relative to the job's root.
    public var jobChip: ChipPosition?

    public init(
        machine: String? = nil, machineRef: String? = nil, chip: ChipPosition? = nil, boardChip: ChipPosition? = nil,
        logicalBoardCoordinates: BoardCoordinates? = nil, physicalBoardCoordinates: PhysicalCoordinates? = nil,
        jobID: Int? = nil, jobRef: String? = nil, jobChip: ChipPosition? = nil
    ) {
        self.machine = machine
        self.machineRef = machineRef
        self.chip = chip
        self.boardChip = boardChip
        self.logicalBoardCoordinates = logicalBoardCoordinates
        self.physicalBoardCoordinates = physicalBoardCoordinates
        self.jobID = jobID
        self.jobRef = jobRef
        self.jobChip = jobChip
    }

    private enum CodingKeys: String, CodingKey {
        case machine
        case machineRef = "machine-ref"
        case chip
        case boardChip = "board-chip"
        case logicalBoardCoordinates = "logical-board-coordinates"
        case physicalBoardCoordinates = "physical-board-coordinates"
        case jobID = "job-id"
        case jobRef = "job-ref"
        case jobChip = "job-chip"
    }
}
