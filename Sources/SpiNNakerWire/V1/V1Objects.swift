//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The state of a job. Unknown numbers are values.
public struct V1State: RawRepresentable, Hashable, Sendable {
    public var rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// No such job.
    public static let unknown = V1State(rawValue: 0)
    public static let queued = V1State(rawValue: 1)
    /// Power commands are outstanding.
    public static let power = V1State(rawValue: 2)
    /// No power command is outstanding: the boards may be off.
    public static let ready = V1State(rawValue: 3)
    public static let destroyed = V1State(rawValue: 4)
}

/// What `get_job_state` returns.
///
/// | State | power | keepalive | reason | start time |
/// |---|---|---|---|---|
/// | unknown 0 | null | null | null | null |
/// | queued 1 | null | set | null | set |
/// | power 2 | what it will be | set | null | set |
/// | ready 3 | what it is | set | null | set |
/// | destroyed 4 | null | null | text or null | null |
public struct V1JobState: Hashable, Sendable {
    public var state: V1State
    public var power: Bool?
    /// Seconds. (The Java service puts the *time* of the last keepalive here.)
    public var keepalive: Double?
    public var reason: String?
    /// Unix seconds.
    public var startTime: Double?
    public var keepaliveHost: String?

    public init(
        state: V1State, power: Bool? = nil, keepalive: Double? = nil, reason: String? = nil, startTime: Double? = nil,
        keepaliveHost: String? = nil
    ) {
        self.state = state
        self.power = power
        self.keepalive = keepalive
        self.reason = reason
        self.startTime = startTime
        self.keepaliveHost = keepaliveHost
    }

    public init(_ json: V1JSON) throws(V1Error) {
        let fields = V1Fields(json, of: "job state")
        self.state = V1State(rawValue: try fields.integer("state"))
        self.power = fields[optional: "power"]?.boolValue
        self.keepalive = fields[optional: "keepalive"]?.doubleValue
        self.reason = fields[optional: "reason"]?.stringValue
        self.startTime = fields[optional: "start_time"]?.doubleValue
        self.keepaliveHost = fields[optional: "keepalivehost"]?.stringValue
    }

    public var json: V1JSON {
        .object([
            "state": .integer(self.state.rawValue), "power": V1JSON(self.power), "keepalive": V1JSON(self.keepalive),
            "reason": V1JSON(self.reason), "start_time": V1JSON(self.startTime),
            "keepalivehost": V1JSON(self.keepaliveHost),
        ])
    }
}

/// What `get_job_machine_info` returns; all nil for a job without boards.
public struct V1MachineInfo: Hashable, Sendable {
    /// An Ethernet chip, in the job's coordinates, and its board's host name or address.
    public struct Connection: Hashable, Sendable {
        public var chip: ChipPosition
        public var host: String
        public init(chip: ChipPosition, host: String) {
            self.chip = chip
            self.host = host
        }
    }

    /// In chips.
    public var width: Int?
    /// In chips.
    public var height: Int?
    public var connections: [Connection]?
    public var machineName: String?
    /// In the machine's coordinates.
    public var boards: [BoardCoordinates]?

    public init(
        width: Int? = nil, height: Int? = nil, connections: [Connection]? = nil, machineName: String? = nil,
        boards: [BoardCoordinates]? = nil
    ) {
        self.width = width
        self.height = height
        self.connections = connections
        self.machineName = machineName
        self.boards = boards
    }

    public init(_ json: V1JSON) throws(V1Error) {
        let fields = V1Fields(json, of: "machine info")
        self.width = try fields.optionalInteger("width")
        self.height = try fields.optionalInteger("height")
        self.machineName = fields[optional: "machine_name"]?.stringValue
        self.boards = try fields.boards("boards")
        guard let items = fields[optional: "connections"] else { return }
        var connections: [Connection] = []
        for item in try fields.array(items, "connections") {
            guard let pair = item.arrayValue, pair.count == 2, let host = pair[1].stringValue,
                let chip = V1Fields.integers(pair[0], count: 2)
            else { throw fields.error("connections") }
            connections.append(Connection(chip: ChipPosition(x: chip[0], y: chip[1]), host: host))
        }
        self.connections = connections
    }

    public var json: V1JSON {
        .object([
            "width": V1JSON(self.width), "height": V1JSON(self.height), "machine_name": V1JSON(self.machineName),
            "boards": self.boards.map { .array($0.map { V1JSON([$0.x, $0.y, $0.z]) }) } ?? .null,
            "connections": self.connections.map { connections in
                .array(connections.map { .array([V1JSON([$0.chip.x, $0.chip.y]), .string($0.host)]) })
            } ?? .null,
        ])
    }
}

/// An entry of `list_jobs`.
public struct V1Job: Hashable, Sendable {
    public var id: Int
    public var owner: String
    /// Unix seconds.
    public var startTime: Double?
    public var keepalive: Double?
    public var state: V1State
    public var power: Bool?
    /// What the caller of `create_job` sent.
    public var args: [V1JSON]
    /// The same, less `owner` and `keepalive`.
    public var kwargs: [String: V1JSON]
    public var machineName: String?
    /// nil while queued.
    public var boards: [BoardCoordinates]?
    /// `""` when there was none; nil in older services.
    public var keepaliveHost: String?

    public init(
        id: Int, owner: String, startTime: Double?, keepalive: Double?, state: V1State, power: Bool?, args: [V1JSON],
        kwargs: [String: V1JSON], machineName: String?, boards: [BoardCoordinates]?, keepaliveHost: String?
    ) {
        self.id = id
        self.owner = owner
        self.startTime = startTime
        self.keepalive = keepalive
        self.state = state
        self.power = power
        self.args = args
        self.kwargs = kwargs
        self.machineName = machineName
        self.boards = boards
        self.keepaliveHost = keepaliveHost
    }

    public init(_ json: V1JSON) throws(V1Error) {
        let fields = V1Fields(json, of: "job")
        self.id = try fields.integer("job_id")
        self.owner = fields[optional: "owner"]?.stringValue ?? ""
        self.startTime = fields[optional: "start_time"]?.doubleValue
        self.keepalive = fields[optional: "keepalive"]?.doubleValue
        self.state = V1State(rawValue: try fields.integer("state"))
        self.power = fields[optional: "power"]?.boolValue
        self.args = fields[optional: "args"]?.arrayValue ?? []
        self.kwargs = fields[optional: "kwargs"]?.objectValue ?? [:]
        self.machineName = fields[optional: "allocated_machine_name"]?.stringValue
        self.boards = try fields.boards("boards")
        self.keepaliveHost = fields[optional: "keepalivehost"]?.stringValue
    }

    public var json: V1JSON {
        .object([
            "job_id": .integer(self.id), "owner": .string(self.owner), "start_time": V1JSON(self.startTime),
            "keepalive": V1JSON(self.keepalive), "state": .integer(self.state.rawValue), "power": V1JSON(self.power),
            "args": .array(self.args), "kwargs": .object(self.kwargs), "allocated_machine_name": V1JSON(self.machineName),
            "boards": self.boards.map { .array($0.map { V1JSON([$0.x, $0.y, $0.z]) }) } ?? .null,
            "keepalivehost": V1JSON(self.keepaliveHost),
        ])
    }
}

/// An entry of `list_machines`.
public struct V1Machine: Hashable, Sendable {
    public var name: String
    public var tags: [String]
    /// In triads.
    public var width: Int
    /// In triads.
    public var height: Int
    public var deadBoards: [BoardCoordinates]
    /// Ends of dead links, by the numbers of `Link`. (The Java service numbers them by `JavaDirection`.)
    public var deadLinks: [BoardLink]

    public init(
        name: String, tags: [String], width: Int, height: Int, deadBoards: [BoardCoordinates] = [],
        deadLinks: [BoardLink] = []
    ) {
        self.name = name
        self.tags = tags
        self.width = width
        self.height = height
        self.deadBoards = deadBoards
        self.deadLinks = deadLinks
    }

    public init(_ json: V1JSON) throws(V1Error) {
        let fields = V1Fields(json, of: "machine")
        self.name = try fields.text("name")
        self.tags = (fields[optional: "tags"]?.arrayValue ?? []).compactMap(\.stringValue)
        self.width = try fields.integer("width")
        self.height = try fields.integer("height")
        self.deadBoards = try fields.boards("dead_boards") ?? []
        self.deadLinks = []
        guard let items = fields[optional: "dead_links"] else { return }
        for item in try fields.array(items, "dead_links") {
            guard let numbers = V1Fields.integers(item, count: 4),
                let side = UInt8(exactly: numbers[3]).flatMap(Link.init(rawValue:))
            else { throw fields.error("dead_links") }
            self.deadLinks.append(BoardLink(board: BoardCoordinates(numbers[0], numbers[1], numbers[2]), side: side))
        }
    }

    public var json: V1JSON {
        .object([
            "name": .string(self.name), "tags": .array(self.tags.map { .string($0) }), "width": .integer(self.width),
            "height": .integer(self.height),
            "dead_boards": .array(self.deadBoards.map { V1JSON([$0.x, $0.y, $0.z]) }),
            "dead_links": .array(
                self.deadLinks.map { V1JSON([$0.board.x, $0.board.y, $0.board.z, Int($0.side.rawValue)]) }),
        ])
    }
}

/// What `where_is` returns.
public struct V1Place: Hashable, Sendable {
    public var machine: String
    public var logical: BoardCoordinates
    public var physical: PhysicalCoordinates
    /// In the machine.
    public var chip: ChipPosition
    /// On its board.
    public var boardChip: ChipPosition
    public var job: Int?
    /// In the job.
    public var jobChip: ChipPosition?

    public init(
        machine: String, logical: BoardCoordinates, physical: PhysicalCoordinates, chip: ChipPosition,
        boardChip: ChipPosition, job: Int? = nil, jobChip: ChipPosition? = nil
    ) {
        self.machine = machine
        self.logical = logical
        self.physical = physical
        self.chip = chip
        self.boardChip = boardChip
        self.job = job
        self.jobChip = jobChip
    }

    public init(_ json: V1JSON) throws(V1Error) {
        let fields = V1Fields(json, of: "place")
        self.machine = try fields.text("machine")
        let logical = try fields.integers("logical", count: 3)
        self.logical = BoardCoordinates(logical[0], logical[1], logical[2])
        let physical = try fields.integers("physical", count: 3)
        self.physical = PhysicalCoordinates(cabinet: physical[0], frame: physical[1], board: physical[2])
        let chip = try fields.integers("chip", count: 2)
        self.chip = ChipPosition(x: chip[0], y: chip[1])
        let boardChip = try fields.integers("board_chip", count: 2)
        self.boardChip = ChipPosition(x: boardChip[0], y: boardChip[1])
        self.job = try fields.optionalInteger("job_id")
        if fields[optional: "job_chip"] != nil {
            let jobChip = try fields.integers("job_chip", count: 2)
            self.jobChip = ChipPosition(x: jobChip[0], y: jobChip[1])
        }
    }

    public var json: V1JSON {
        .object([
            "machine": .string(self.machine), "logical": V1JSON([self.logical.x, self.logical.y, self.logical.z]),
            "physical": V1JSON([self.physical.cabinet, self.physical.frame, self.physical.board]),
            "chip": V1JSON([self.chip.x, self.chip.y]), "board_chip": V1JSON([self.boardChip.x, self.boardChip.y]),
            "job_id": V1JSON(self.job), "job_chip": self.jobChip.map { V1JSON([$0.x, $0.y]) } ?? .null,
        ])
    }
}

/// The members of an object that came as a reply.
private struct V1Fields {
    private let json: V1JSON
    private let object: String

    init(_ json: V1JSON, of object: String) {
        self.json = json
        self.object = object
    }

    func error(_ field: String) -> V1Error { .badReply(object: self.object, field: field) }

    /// nil when missing or null.
    subscript(optional key: String) -> V1JSON? {
        guard let value = self.json[key], !value.isNull else { return nil }
        return value
    }

    func integer(_ key: String) throws(V1Error) -> Int {
        guard let value = self.json[key]?.integerValue else { throw self.error(key) }
        return value
    }

    func optionalInteger(_ key: String) throws(V1Error) -> Int? {
        self[optional: key] == nil ? nil : try self.integer(key)
    }

    func text(_ key: String) throws(V1Error) -> String {
        guard let value = self.json[key]?.stringValue else { throw self.error(key) }
        return value
    }

    func array(_ value: V1JSON, _ key: String) throws(V1Error) -> [V1JSON] {
        guard let items = value.arrayValue else { throw self.error(key) }
        return items
    }

    func integers(_ key: String, count: Int) throws(V1Error) -> [Int] {
        guard let numbers = self.json[key].flatMap({ V1Fields.integers($0, count: count) }) else { throw self.error(key) }
        return numbers
    }

    static func integers(_ value: V1JSON, count: Int) -> [Int]? {
        guard let items = value.arrayValue, items.count == count else { return nil }
        let numbers = items.compactMap(\.integerValue)
        return numbers.count == count ? numbers : nil
    }

    func boards(_ key: String) throws(V1Error) -> [BoardCoordinates]? {
        guard let value = self[optional: key] else { return nil }
        var boards: [BoardCoordinates] = []
        for item in try self.array(value, key) {
            guard let numbers = V1Fields.integers(item, count: 3) else { throw self.error(key) }
            boards.append(BoardCoordinates(numbers[0], numbers[1], numbers[2]))
        }
        return boards
    }
}
