//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// `GET jobs`.
public struct JobList: Codable, Hashable, Sendable {
    /// The job's address each.
    public var jobs: [String]
    public var prev: String?
    public var next: String?

    public init(jobs: [String], prev: String? = nil, next: String? = nil) {
        self.jobs = jobs
        self.prev = prev
        self.next = next
    }
}

/// `GET jobs/{id}`. What is nil is absent.
public struct JobDescription: Codable, Hashable, Sendable {
    public var state: JobState
    public var owner: String?
    /// When the job was created.
    public var startTime: WireInstant?
    public var finishTime: WireInstant?
    /// Why the job was destroyed.
    public var reason: String?
    public var keepaliveHost: String?
    /// When the job was last kept alive. The key's spelling differs from that of its neighbours.
    public var keepaliveTime: WireInstant?
    public var keepaliveRef: String?
    public var machineRef: String?
    public var powerRef: String?
    public var chipRef: String?
    /// The websocket; only in `power` and `ready`.
    public var proxyRef: String?
    public var originalRequest: OriginalRequest?

    public init(
        state: JobState, owner: String? = nil, startTime: WireInstant? = nil, finishTime: WireInstant? = nil,
        reason: String? = nil, keepaliveHost: String? = nil, keepaliveTime: WireInstant? = nil, keepaliveRef: String? = nil,
        machineRef: String? = nil, powerRef: String? = nil, chipRef: String? = nil, proxyRef: String? = nil,
        originalRequest: OriginalRequest? = nil
    ) {
        self.state = state
        self.owner = owner
        self.startTime = startTime
        self.finishTime = finishTime
        self.reason = reason
        self.keepaliveHost = keepaliveHost
        self.keepaliveTime = keepaliveTime
        self.keepaliveRef = keepaliveRef
        self.machineRef = machineRef
        self.powerRef = powerRef
        self.chipRef = chipRef
        self.proxyRef = proxyRef
        self.originalRequest = originalRequest
    }

    private enum CodingKeys: String, CodingKey {
        case state, owner, reason
        case startTime = "start-time"
        case finishTime = "finish-time"
        case keepaliveHost = "keepalive-host"
        case keepaliveTime = "keep-alive-time"
        case keepaliveRef = "keepalive-ref"
        case machineRef = "machine-ref"
        case powerRef = "power-ref"
        case chipRef = "chip-ref"
        case proxyRef = "proxy-ref"
        case originalRequest = "original-request"
    }
}

/// `GET jobs/{id}/machine`: what the job got.
public struct JobMachine: Codable, Hashable, Sendable {
    /// Where a board's Ethernet is: `[[x, y], "ip"]`, the chip relative to the job's root.
    public struct Connection: Codable, Hashable, Sendable {
        public var chip: ChipPosition
        public var hostname: String

        public init(chip: ChipPosition, hostname: String) {
            self.chip = chip
            self.hostname = hostname
        }

        public init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            self.chip = try container.decode(ChipPosition.self)
            self.hostname = try container.decode(String.self)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.unkeyedContainer()
            try container.encode(self.chip)
            try container.encode(self.hostname)
        }
    }

    /// In triads.
    public var width: Int
    /// In triads.
    public var height: Int
    /// 1 for a single board, else 3.
    public var depth: Int
    public var machineName: String
    /// Parallel to `boards`.
    public var connections: [Connection]
    /// Where each board is in the machine.
    public var boards: [BoardCoordinates]
    /// The address at which power is read and switched.
    public var power: String?
    public var machineRef: String?

    public init(
        width: Int, height: Int, depth: Int, machineName: String, connections: [Connection], boards: [BoardCoordinates],
        power: String? = nil, machineRef: String? = nil
    ) {
        self.width = width
        self.height = height
        self.depth = depth
        self.machineName = machineName
        self.connections = connections
        self.boards = boards
        self.power = power
        self.machineRef = machineRef
    }

    private enum CodingKeys: String, CodingKey {
        case width, height, depth, connections, boards, power
        case machineName = "machine-name"
        case machineRef = "machine-ref"
    }
}

/// The body of `POST jobs/{id}/report-issue`.
public struct IssueReport: Codable, Hashable, Sendable {
    /// A board, in one of four ways; the first that is there, in the order chip, x, cabinet, address, counts.
    public struct Board: Codable, Hashable, Sendable {
        public var machine: String?
        public var chip: ChipPosition?
        public var x: Int?
        public var y: Int?
        public var z: Int?
        public var cabinet: Int?
        public var frame: Int?
        public var board: Int?
        public var address: String?

        public init(
            machine: String? = nil, chip: ChipPosition? = nil, x: Int? = nil, y: Int? = nil, z: Int? = nil,
            cabinet: Int? = nil, frame: Int? = nil, board: Int? = nil, address: String? = nil
        ) {
            self.machine = machine
            self.chip = chip
            self.x = x
            self.y = y
            self.z = z
            self.cabinet = cabinet
            self.frame = frame
            self.board = board
            self.address = address
        }
    }

    public var issue: String
    public var boards: [Board]

    public init(issue: String, boards: [Board]) {
        self.issue = issue
        self.boards = boards
    }
}

/// The answer to an ``IssueReport``: what was done, or what was wrong with it.
public struct IssueReply: Codable, Hashable, Sendable {
    public var action: String
    public init(action: String) { self.action = action }
}
