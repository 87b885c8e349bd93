//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

/// The shapes that bodies have, by the names that the document gives them. Each is a type of SpallocAPI, or a controller's reply.
package enum APISchema: String, CaseIterable, Sendable {
    case blacklist = "Blacklist"
    case blacklistChips = "BlacklistChips"
    case boardCoords = "BoardCoords"
    case boardHealth = "BoardHealth"
    case boardSide = "BoardSide"
    case chip = "Chip"
    case createJob = "CreateJobRequest"
    case createJobReply = "CreateJobReply"
    case deadLink = "DeadLink"
    case adminGroup = "GroupRecord"
    case adminMember = "MemberRecord"
    case adminUser = "UserRecord"
    case addresses = "Addresses"
    case groupAccount = "GroupAccount"
    case groupList = "GroupList"
    case history = "History"
    case issueReply = "IssueReply"
    case issueReport = "IssueReport"
    case job = "JobDescription"
    case jobList = "JobList"
    case jobMachine = "JobMachine"
    case jobState = "JobState"
    case lastBoardHealth = "LastBoardHealth"
    case machine = "MachineDetail"
    case machineBrief = "MachineBrief"
    case machineList = "MachineList"
    case power = "PowerDescription"
    case queuePlace = "QueuePlace"
    case service = "ServiceDescription"
    case slot = "Slot"
    case triad = "Triad"
    case whereIs = "WhereIs"

    package var shape: JSONSchema {
        switch self {
        case .service, .createJob, .createJobReply, .job, .jobList, .jobMachine, .jobState, .power, .queuePlace, .issueReport,
            .issueReply:
            self.shapeOfJobs
        case .groupAccount, .groupList: self.shapeOfGroups
        case .adminGroup, .adminMember, .adminUser, .addresses: self.shapeOfAdministration
        case .blacklist, .blacklistChips, .lastBoardHealth, .history: self.shapeOfBoards
        default: self.shapeOfPlaces
        }
    }

    // MARK: - Places

    private var shapeOfPlaces: JSONSchema {
        switch self {
        case .chip: .tuple(.integer(from: 0), .integer(from: 0)).described("A chip: [x, y]")
        case .triad: .tuple(.integer(from: 0), .integer(from: 0), .integer(0...2)).described("A board by its triad: [x, y, z]")
        case .slot:
            .tuple(.integer(from: 0), .integer(from: 0), .integer(from: 0)).described(
                "A board by its slot: [cabinet, frame, board]")
        case .boardSide:
            .oneOf(BoardSide.allCases.map(\.rawValue)).described("A side of a board; these are not SC&MP's link names")
        case .boardCoords:
            .object([
                "x": .integer(from: 0), "y": .integer(from: 0), "z": .integer(0...2), "cabinet": .integer(from: 0),
                "frame": .integer(from: 0), "board": .any(.integer(from: 0), .null), "address": .any(.string, .null),
            ]).described("A board by all its names; board and address are null for one that is not there")
        case .deadLink:
            .tuple(APISchema.linkEnd, APISchema.linkEnd).described("A link that must not be used: its two ends")
        case .machineBrief:
            .object([
                "name": .string, "tags": .array(of: .string), "uri": .uri, "width": .integer(from: 1),
                "height": .integer(from: 1), "dead-boards": .array(of: .schema(.boardCoords)),
                "dead-links": .array(of: .schema(.deadLink)),
            ]).described("Width and height are in triads")
        case .machineList: .object(["machines": .array(of: .schema(.machineBrief))])
        case .machine:
            .object(
                [
                    "name": .string, "tags": .array(of: .string), "width": .integer(from: 1), "height": .integer(from: 1),
                    "down-boards": .array(of: .schema(.boardCoords)), "down-links": .array(of: .schema(.deadLink)),
                ],
                optional: [
                    "lookup-by-physical-board": .uri, "lookup-by-logical-board": .uri, "lookup-by-chip": .uri,
                    "lookup-by-address": .uri,
                ]
            ).described("What the list of machines calls dead is down here")
        case .whereIs:
            .object(
                [:],
                optional: [
                    "machine": .string, "machine-ref": .uri, "chip": .schema(.chip), "board-chip": .schema(.chip),
                    "logical-board-coordinates": .schema(.triad), "physical-board-coordinates": .schema(.slot),
                    "job-id": .integer(from: 1), "job-ref": .uri, "job-chip": .schema(.chip),
                ]
            ).described("job-…: of the job that has the board, if one has")
        default:
            .object([
                "machine": .string, "board": .schema(.triad), "serial": .string, "temperatures": .dictionary(of: .number),
                "voltages": .dictionary(of: .number), "fans": .array(of: .integer), "warnings": .integer(from: 0),
                "blacklist": .array(
                    of: .object([
                        "x": .integer(0...7), "y": .integer(0...7), "dead-physical-cores": .array(of: .integer(0...17)),
                        "dead-links": .array(of: .integer(0...5)),
                    ])),
            ]).described("What a board's BMP says of it; °C and V")
        }
    }

    private static let linkEnd = JSONSchema.object(["board": .schema(.boardCoords), "direction": .schema(.boardSide)])

    // MARK: - Boards as hardware

    private static let blacklistedChips = JSONSchema.array(
        of: .object(
            ["x": .integer(0...7), "y": .integer(0...7)],
            optional: [
                "dead": .boolean, "dead-physical-cores": .array(of: .integer(0...17)),
                "dead-links": .array(of: .integer(0...5)),
            ]))

    private var shapeOfBoards: JSONSchema {
        switch self {
        case .history:
            .object(
                [
                    "jobs": .array(
                        of: .object(
                            [
                                "id": .integer(from: 1), "owner": .string, "boards": .integer(from: 0), "created": .instant,
                                "finished": .instant,
                            ], optional: ["group": .string, "machine": .string, "allocated": .instant, "reason": .string]))
                ], optional: ["next": .uri]
            ).described("The jobs that ended last come first")
        case .blacklistChips: .object(["chips": Self.blacklistedChips])
        case .blacklist:
            .object([
                "machine": .string, "board": .schema(.triad), "serial": .string, "at": .instant, "stale": .boolean,
                "chips": Self.blacklistedChips,
            ]).described("stale: the board was exchanged since; the list is of the one before and is not acted on")
        default:
            .object([
                "machine": .string, "board": .schema(.triad), "serial": .string, "temperatures": .dictionary(of: .number),
                "at": .instant,
            ])
        }
    }

    // MARK: - Groups

    private var shapeOfGroups: JSONSchema {
        switch self {
        case .groupAccount:
            .object([
                "entries": .array(
                    of: .object(
                        ["at": .instant, "by": .string],
                        optional: ["amount": .integer, "balance": .integer(from: 0), "job": .integer(from: 1), "note": .string])
                )
            ]).described("The newest first. Amounts in board-seconds; no balance: no limit")
        default:
            .object([
                "groups": .array(
                    of: .object([
                        "name": .string, "type": .oneOf(GroupType.allCases.map(\.rawValue)),
                        "left": JSONSchema.any(.integer(from: 0), .null).described("Board-seconds; null: no limit"),
                        "in-use": JSONSchema.integer(from: 0).described("Board-seconds that live jobs have used by now"),
                        "live-jobs": .integer(from: 0),
                    ]))
            ])
        }
    }

    // MARK: - Administration

    private var shapeOfAdministration: JSONSchema {
        switch self {
        case .adminUser:
            .object(
                [:],
                optional: [
                    "user-name": .string, "password": JSONSchema.string.described("Only written"), "has-password": .boolean,
                    "enabled": .boolean, "locked": JSONSchema.boolean.described("Can be taken off, not put on"),
                    "trust-level": .oneOf(TrustLevel.allCases.map(\.rawValue)), "last-successful-login": .instant,
                    "last-failed-login": .instant, "groups": .schema(.addresses), "internal": .boolean,
                    "open-id-subject": .string,
                ])
        case .adminGroup:
            .object(
                [:],
                optional: [
                    "group-name": .string,
                    "quota": JSONSchema.any(.integer(from: 0), .null).described(
                        "Board-seconds left when the last job ended; null, or not there: no limit"),
                    "type": .oneOf(GroupType.allCases.map(\.rawValue)), "members": .schema(.addresses),
                ])
        case .adminMember:
            .object(
                ["user-name": .string],
                optional: [
                    "id": .integer, "group-id": .integer, "group-name": .string, "group-url": .uri, "user-id": .integer,
                    "user-url": .uri,
                ])
        default: JSONSchema.dictionary(of: .uri).described("Names, and where each is")
        }
    }

    // MARK: - The service and its jobs

    private var shapeOfJobs: JSONSchema {
        switch self {
        case .service:
            .object(
                [
                    "version": .object(["major-version": .integer, "minor-version": .integer, "revision": .integer])
                ],
                optional: ["jobs-ref": .uri, "machines-ref": .uri, "csrf-header": .string, "csrf-token": .string]
            ).described("The references are absent for who may not read")
        case .createJob: APISchema.request(nullable: false)
        case .createJobReply: .object(["job-id": .integer(from: 1), "job-ref": .uri])
        case .jobState:
            .oneOf(JobState.allCases.filter { $0 != .unknown }.map(\.rawValue))
        case .job:
            .object(
                ["state": .schema(.jobState)],
                optional: [
                    "owner": .string, "start-time": .instant, "finish-time": .instant, "reason": .string,
                    "keepalive-host": .string, "keep-alive-time": .instant, "keepalive-ref": .uri, "machine-ref": .uri,
                    "power-ref": .uri, "chip-ref": .uri,
                    "proxy-ref": JSONSchema.uri.described("The websocket; only in POWER and READY"),
                    "original-request": APISchema.request(nullable: true),
                ])
        case .jobList: .object(["jobs": .array(of: .uri)], optional: ["prev": .uri, "next": .uri])
        case .jobMachine:
            .object(
                [
                    "width": .integer(from: 1), "height": .integer(from: 1), "depth": .integer(1...3), "machine-name": .string,
                    "connections": JSONSchema.array(of: .tuple(.schema(.chip), .string)).described(
                        "Where each board's Ethernet is: the chip, relative to the job's root, and the address"),
                    "boards": .array(of: .schema(.triad)),
                ], optional: ["power": .uri, "machine-ref": .uri]
            ).described("Width and height are in triads; depth is 1 for a single board, else 3")
        case .power: .object(["power": .oneOf([PowerState.on.rawValue, PowerState.off.rawValue])])
        case .issueReport:
            .object([
                "issue": .string,
                "boards": .array(
                    of: .object(
                        [:],
                        optional: [
                            "machine": .string, "chip": .schema(.chip), "x": .integer, "y": .integer, "z": .integer,
                            "cabinet": .integer, "frame": .integer, "board": .integer, "address": .string,
                        ])),
            ]).described("A board by chip of the job, triad, slot or address: the first of these that is there counts")
        case .issueReply: .object(["action": .string])
        default:
            .object(
                ["position": .integer(from: 1), "of": .integer(from: 1)],
                optional: ["estimated-wait": JSONSchema.integer(from: 0).described("In seconds")])
        }
    }

    /// What a job was asked with. In a job's description all keys are there, null where nothing was asked.
    private static func request(nullable: Bool) -> JSONSchema {
        func or(_ shape: JSONSchema) -> JSONSchema { nullable ? .any(shape, .null) : shape }
        let coordinate = JSONSchema.integer
        let board = JSONSchema.object(
            [:],
            optional: [
                "x": coordinate, "y": coordinate, "z": coordinate, "cabinet": coordinate, "frame": coordinate,
                "board": coordinate, "address": .string,
            ])
        let duration = JSONSchema.any(.number, .string(matching: #"^[-+]?[Pp]"#))
            .described("A number of seconds, or ISO-8601: PT120S").withExample("PT120S")
        let keys: [String: JSONSchema] = [
            "owner": or(.string), "group": or(.string), "nmpi-collab": or(.string), "nmpi-job-id": or(.integer),
            "keepalive-interval": or(duration), "num-boards": or(.integer(from: nullable ? 0 : 1)),
            "dimensions": or(.object(["width": .integer(from: 1), "height": .integer(from: 1)])), "board": or(board),
            "machine-name": or(.string), "tags": or(.array(of: .string)), "max-dead-boards": or(.integer(from: 0)),
        ]
        if nullable { return .object(keys) }
        var optional = keys
        let interval = optional.removeValue(forKey: "keepalive-interval") ?? duration
        return JSONSchema.object(["keepalive-interval": interval], optional: optional).described(
            "num-boards and dimensions exclude each other, as do machine-name and tags. With none of num-boards, dimensions, "
                + "board: one board. Dimensions are in triads")
    }
}
