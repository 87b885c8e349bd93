//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The question of `where_is`, in one of its four forms.
public enum V1WhereIs: Hashable, Sendable {
    /// `machine, x, y, z`
    case board(machine: String, BoardCoordinates)
    /// `machine, cabinet, frame, board`
    case physical(machine: String, PhysicalCoordinates)
    /// `machine, chip_x, chip_y`
    case chip(machine: String, ChipPosition)
    /// `job_id, chip_x, chip_y`
    case jobChip(job: Int, ChipPosition)
}

/// The seventeen commands of the legacy protocol (TCP 22244; v1-protocol.md §1.2).
///
/// | Command | Parameters | Returns |
/// |---|---|---|
/// | `version` | – | text |
/// | `create_job` | ``V1JobRequest`` | job id |
/// | `job_keepalive` | job_id | null |
/// | `get_job_state` | job_id | ``V1JobState`` |
/// | `get_job_machine_info` | job_id | ``V1MachineInfo`` |
/// | `power_on_job_boards`, `power_off_job_boards` | job_id | null |
/// | `destroy_job` | job_id, reason | null |
/// | `notify_job`, `no_notify_job` | job_id, or null for all | null |
/// | `notify_machine`, `no_notify_machine` | machine_name, or null for all | null |
/// | `list_jobs` | – | array of ``V1Job``, oldest first |
/// | `list_machines` | – | array of ``V1Machine``, by priority |
/// | `get_board_position` | machine_name, x, y, z | [cabinet, frame, board] or null |
/// | `get_board_at_position` | machine_name, x, y, z (which mean cabinet, frame, board) | [x, y, z] or null |
/// | `where_is` | ``V1WhereIs`` | ``V1Place`` or null |
public enum V1Request: Hashable, Sendable {
    case version
    case createJob(V1JobRequest)
    case jobKeepalive(job: Int)
    case getJobState(job: Int)
    case getJobMachineInfo(job: Int)
    case powerOnJobBoards(job: Int)
    case powerOffJobBoards(job: Int)
    case destroyJob(job: Int, reason: String?)
    case notifyJob(job: Int?)
    case noNotifyJob(job: Int?)
    case notifyMachine(String?)
    case noNotifyMachine(String?)
    case listJobs
    case listMachines
    case getBoardPosition(machine: String, BoardCoordinates)
    case getBoardAtPosition(machine: String, PhysicalCoordinates)
    case whereIs(V1WhereIs)

    /// The default port of the service.
    public static let port = 22244

    public init(line: ByteBuffer) throws(V1Error) { try self.init(V1Call(line: line)) }

    public init(_ call: V1Call) throws(V1Error) {
        func job() throws(V1Error) -> Int { try V1Arguments(call, names: ["job_id"]).required("job_id") }
        func none() throws(V1Error) { _ = try V1Arguments(call, names: []) }
        func machine() throws(V1Error) -> String? {
            try V1Arguments(call, names: ["machine_name"]).text("machine_name")
        }
        func place() throws(V1Error) -> (String, Int, Int, Int) {
            let arguments = try V1Arguments(call, names: ["machine_name", "x", "y", "z"])
            return (
                try arguments.requiredText("machine_name"), try arguments.required("x"), try arguments.required("y"),
                try arguments.required("z")
            )
        }
        switch call.command {
        case "version":
            try none()
            self = .version
        case "create_job": self = .createJob(try V1JobRequest(call))
        case "job_keepalive": self = .jobKeepalive(job: try job())
        case "get_job_state": self = .getJobState(job: try job())
        case "get_job_machine_info": self = .getJobMachineInfo(job: try job())
        case "power_on_job_boards": self = .powerOnJobBoards(job: try job())
        case "power_off_job_boards": self = .powerOffJobBoards(job: try job())
        case "destroy_job":
            let arguments = try V1Arguments(call, names: ["job_id", "reason"])
            self = .destroyJob(job: try arguments.required("job_id"), reason: try arguments.text("reason"))
        case "notify_job": self = .notifyJob(job: try V1Arguments(call, names: ["job_id"]).integer("job_id"))
        case "no_notify_job": self = .noNotifyJob(job: try V1Arguments(call, names: ["job_id"]).integer("job_id"))
        case "notify_machine": self = .notifyMachine(try machine())
        case "no_notify_machine": self = .noNotifyMachine(try machine())
        case "list_jobs":
            try none()
            self = .listJobs
        case "list_machines":
            try none()
            self = .listMachines
        case "get_board_position":
            let (machine, x, y, z) = try place()
            self = .getBoardPosition(machine: machine, BoardCoordinates(x, y, z))
        case "get_board_at_position":
            let (machine, x, y, z) = try place()
            self = .getBoardAtPosition(machine: machine, PhysicalCoordinates(cabinet: x, frame: y, board: z))
        case "where_is": self = .whereIs(try V1WhereIs(call))
        default: throw .unknownCommand(call.command)
        }
    }

    /// In the form that both the original server and the Java service take: ids by place, all else by name, and nothing
    /// for null.
    public var call: V1Call {
        func with(_ command: String, _ job: Int?) -> V1Call {
            V1Call(command: command, args: job.map { [.integer($0)] } ?? [])
        }
        func with(_ command: String, machine: String?) -> V1Call {
            V1Call(command: command, args: machine.map { [.string($0)] } ?? [])
        }
        func with(_ command: String, _ machine: String, _ x: Int, _ y: Int, _ z: Int) -> V1Call {
            V1Call(
                command: command,
                kwargs: ["machine_name": .string(machine), "x": .integer(x), "y": .integer(y), "z": .integer(z)])
        }
        switch self {
        case .version: return V1Call(command: "version")
        case .createJob(let job):
            return V1Call(command: "create_job", args: job.args.map { .integer($0) }, kwargs: job.kwargs)
        case .jobKeepalive(let job): return with("job_keepalive", job)
        case .getJobState(let job): return with("get_job_state", job)
        case .getJobMachineInfo(let job): return with("get_job_machine_info", job)
        case .powerOnJobBoards(let job): return with("power_on_job_boards", job)
        case .powerOffJobBoards(let job): return with("power_off_job_boards", job)
        case .destroyJob(let job, let reason):
            return V1Call(
                command: "destroy_job", args: [.integer(job)], kwargs: reason.map { ["reason": .string($0)] } ?? [:])
        case .notifyJob(let job): return with("notify_job", job)
        case .noNotifyJob(let job): return with("no_notify_job", job)
        case .notifyMachine(let machine): return with("notify_machine", machine: machine)
        case .noNotifyMachine(let machine): return with("no_notify_machine", machine: machine)
        case .listJobs: return V1Call(command: "list_jobs")
        case .listMachines: return V1Call(command: "list_machines")
        case .getBoardPosition(let machine, let board):
            return with("get_board_position", machine, board.x, board.y, board.z)
        case .getBoardAtPosition(let machine, let place):
            return with("get_board_at_position", machine, place.cabinet, place.frame, place.board)
        case .whereIs(let question): return V1Call(command: "where_is", kwargs: question.kwargs)
        }
    }

    public func writeLine(into buffer: inout ByteBuffer) { self.call.writeLine(into: &buffer) }

    /// The job whose time to live starts again with this command.
    public var keepsAlive: Int? {
        switch self {
        case .jobKeepalive(let job), .getJobState(let job), .getJobMachineInfo(let job), .powerOnJobBoards(let job),
            .powerOffJobBoards(let job):
            job
        default: nil
        }
    }
}

extension V1WhereIs {
    init(_ call: V1Call) throws(V1Error) {
        let names = ["machine", "job_id", "x", "y", "z", "cabinet", "frame", "board", "chip_x", "chip_y"]
        guard call.args.isEmpty else {
            throw .badArguments(command: call.command, reason: "Invalid arguments: all of them go by name")
        }
        let arguments = try V1Arguments(call, names: names)
        let given = Set(names.filter { arguments[$0] != nil })
        switch given {
        case ["machine", "x", "y", "z"]:
            self = .board(
                machine: try arguments.requiredText("machine"),
                BoardCoordinates(try arguments.required("x"), try arguments.required("y"), try arguments.required("z")))
        case ["machine", "cabinet", "frame", "board"]:
            self = .physical(
                machine: try arguments.requiredText("machine"),
                PhysicalCoordinates(
                    cabinet: try arguments.required("cabinet"), frame: try arguments.required("frame"),
                    board: try arguments.required("board")))
        case ["machine", "chip_x", "chip_y"]:
            self = .chip(
                machine: try arguments.requiredText("machine"),
                ChipPosition(x: try arguments.required("chip_x"), y: try arguments.required("chip_y")))
        case ["job_id", "chip_x", "chip_y"]:
            self = .jobChip(
                job: try arguments.required("job_id"),
                ChipPosition(x: try arguments.required("chip_x"), y: try arguments.required("chip_y")))
        default:
            throw .badArguments(
                command: call.command, reason: "Invalid arguments: \(given.sorted().joined(separator: ", "))")
        }
    }

    var kwargs: [String: V1JSON] {
        switch self {
        case .board(let machine, let board):
            ["machine": .string(machine), "x": .integer(board.x), "y": .integer(board.y), "z": .integer(board.z)]
        case .physical(let machine, let place):
            [
                "machine": .string(machine), "cabinet": .integer(place.cabinet), "frame": .integer(place.frame),
                "board": .integer(place.board),
            ]
        case .chip(let machine, let chip):
            ["machine": .string(machine), "chip_x": .integer(chip.x), "chip_y": .integer(chip.y)]
        case .jobChip(let job, let chip):
            ["job_id": .integer(job), "chip_x": .integer(chip.x), "chip_y": .integer(chip.y)]
        }
    }
}
