//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// The list of jobs, and each job with its boards.
struct JobPages: Sendable {
    let pages: Pages
    let connections: BoardConnections

    private var core: ServiceCore { self.pages.core }
    private var jobs: JobService { JobService(core: self.core) }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/list_jobs", use: self.list)
        router.get("system/job_info/:id", use: self.describe)
        router.post("system/delete_job/:id", use: self.destroy)
        router.post("system/power_job/:id", use: self.switchPower)
        router.get("system/job_processes/:id", use: self.processes)
    }

    // MARK: - List

    struct Row: Sendable {
        var id: Int
        var state: String
        var kind: String
        var boards: String
        var power: String
        var machine: String
        var created: String
        var keptAlive: String
        var owner: String
        /// Whether the caller may see the job itself.
        var isVisible: Bool
    }

    /// Nobody has looked at what a client of the legacy port says of itself.
    private static func owner(_ owner: String, claimed: String?) -> String {
        claimed.map { "\(owner), says to be \($0)" } ?? owner
    }

    /// Live jobs, all of them unless there is a limit. Whose they are is for those to see who may see the job.
    static func rows(_ core: ServiceCore, for caller: Caller, limit: Int = -1, start: Int = 0) async throws -> [Row] {
        let jobs = JobService(core: core)
        return try await core.store.jobSummaries(limit: limit, start: start).map { summary in
            let record = summary.record
            let isVisible = jobs.isVisible(record, to: caller.user)
            return Row(
                id: record.id, state: record.state.rawValue, kind: record.state.rawValue.lowercased(),
                boards: summary.boards == 0 ? "" : "\(summary.boards)",
                power: summary.boards == 0 ? "" : summary.poweredBoards == summary.boards ? "on" : "off",
                machine: summary.machine ?? "", created: record.createdAt.onPage,
                keptAlive: record.keepaliveAt.onPage,
                owner: isVisible ? JobPages.owner(record.owner, claimed: summary.claimedOwner) : "",
                isVisible: isVisible)
        }
    }

    /// Where in a long list a page is, and what leads to its neighbours.
    private struct Place {
        var first: Int
        var last: Int
        var count: Int
        var newer: String?
        var older: String?

        /// - Returns: nil: the list is on one page.
        init?(start: Int, rows: Int, count: Int) {
            guard start > 0 || count > JobPages.perPage else { return nil }
            (self.first, self.last, self.count) = (rows == 0 ? start : start + 1, start + rows, count)
            if start > 0 { self.newer = Place.query(max(0, start - JobPages.perPage)) }
            if start + rows < count, rows > 0 { self.older = Place.query(start + rows) }
        }

        private static func query(_ start: Int) -> String { start == 0 ? "" : "?start=\(start)" }
    }

    static let perPage = 100

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        struct Content {
            var jobs: [Row]
            var hasJobs: Bool
            var place: Place?
        }
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        let start = try Query(request).number(SpallocHTTP.start, in: 0...Int(Int32.max), default: 0)
        let rows = try await JobPages.rows(self.core, for: caller, limit: JobPages.perPage, start: start)
        let place = Place(start: start, rows: rows.count, count: try await self.core.store.liveJobCount())
        return self.pages.response(
            .jobs, "Jobs", Content(jobs: rows, hasJobs: !rows.isEmpty, place: place), for: caller, live: "jobs")
    }

    // MARK: - One job

    private struct BoardRow {
        var chip: String
        var address: String
        var name: String
        var physical: String
        var power: String
    }

    private struct Machine {
        var name: String
        var path: String
    }

    private struct Boards {
        var count: Int
        var width: Int
        var height: Int
        var depth: Int
        var chipWidth: Int
        var chipHeight: Int
        var lastX: Int
        var lastY: Int
        var rootAddress: String
        var power: String
        var canSwitch: Bool
        var switchTo: Bool
        var switchLabel: String
        var isReady: Bool
        var map: BoardMap
        var rows: [BoardRow]
        var askedX: String
        var askedY: String
        var processes: Processes?
    }

    private struct Content {
        var id: Int
        var state: String
        var kind: String
        var queue: String?
        var owner: String
        var group: String?
        var created: String
        var finished: String?
        var reason: String?
        var isLive: Bool
        var keptAlive: String
        var keptAliveBy: String?
        var interval: String
        var wish: String
        var machine: Machine?
        var boards: Boards?
    }

    private func job(_ context: SpallocRequestContext) async throws -> JobRecord {
        let caller = try context.requireCaller()
        guard let id = Int(try context.component("id")), id > 0 else { throw APIError.noJob }
        return try await self.jobs.job(id, for: caller)
    }

    @Sendable
    private func describe(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        let job = try await self.job(context)
        let isLive = job.state != .destroyed
        var content = Content(
            id: job.id, state: job.state.rawValue, kind: job.state.rawValue.lowercased(), owner: job.owner,
            created: job.createdAt.onPage, finished: job.finishedAt?.onPage, reason: job.reason,
            isLive: isLive, keptAlive: job.keepaliveAt.onPage, keptAliveBy: job.keepaliveHost,
            interval: "\(job.keepaliveInterval.milliseconds / 1000) s", wish: JobPages.wish(job.request))
        content.owner = JobPages.owner(job.owner, claimed: try await self.core.store.claimedOwner(of: job.id))
        if let group = job.groupID { content.group = try await self.core.store.group(id: group)?.name }
        if job.state == .queued, let place = try await self.core.store.queuePlace(of: job.id, now: self.core.clock()) {
            content.queue =
                "place \(place.position) of \(place.of)"
                + (place.estimate.map { ", in about \(max(1, $0.milliseconds / 1000)) s at the present pace" } ?? "")
        }
        if let boards = try await self.jobs.boards(of: job) {
            content.machine = Machine(name: boards.machine.name, path: Links.escape(boards.machine.name))
            content.boards = try await self.boards(boards, of: job, request, context)
        }
        return self.pages.response(
            .job, "Job \(job.id)", content, for: caller, live: isLive ? "job/\(job.id)" : nil)
    }

    private func boards(
        _ boards: JobService.Boards, of job: JobRecord, _ request: Request, _ context: SpallocRequestContext
    ) async throws -> Boards {
        let topology = boards.machine.topology
        // A job as wide as its machine wraps; else its last triads' boards stick out.
        let single = boards.boards.count == 1
        let (width, height) = (job.allocation?.width ?? 1, job.allocation?.height ?? 1)
        let chipWidth = single ? 8 : width * 12 + (width == topology.width ? 0 : 4)
        let chipHeight = single ? 8 : height * 12 + (height == topology.height ? 0 : 4)
        let query = Query(request)
        var processes: Processes?
        if let x = query.text("x"), let y = query.text("y"), job.state == .ready {
            processes = await self.processes(x: x, y: y, of: job, boards)
        }
        return Boards(
            count: boards.boards.count, width: width, height: height, depth: job.allocation?.depth ?? 3,
            chipWidth: chipWidth, chipHeight: chipHeight, lastX: chipWidth - 1, lastY: chipHeight - 1,
            rootAddress: boards.boards.first { $0.chip == ChipPosition(.origin) }?.address ?? "none",
            power: boards.isOn ? "on" : "off", canSwitch: job.state == .ready, switchTo: !boards.isOn,
            switchLabel: boards.isOn ? "Switch off" : "Switch on", isReady: job.state == .ready,
            map: BoardMap(
                label: "Map of the job's boards; the table below says the same", width: topology.width,
                boards: boards.boards.map { board in
                    BoardMap.Board(
                        coordinates: board.coordinates, kind: "used c\(job.id % 8)\(board.powered ? "" : " off")",
                        mark: board.powered ? "on" : "off",
                        title: "Board \(board.coordinates.short), chip \(board.chip.x),\(board.chip.y), \(board.address)")
                }),
            rows: boards.boards.map { board in
                BoardRow(
                    chip: "\(board.chip.x),\(board.chip.y)", address: board.address, name: board.coordinates.short,
                    physical: board.physical.short, power: board.powered ? "on" : "off")
            }, askedX: query.text("x") ?? "0", askedY: query.text("y") ?? "0", processes: processes)
    }

    /// A request in words.
    static func wish(_ json: String) -> String {
        guard let request = try? JSONDecoder().decode(CreateJobRequest.self, from: Data(json.utf8)) else { return "?" }
        var words: String
        if let boards = request.numBoards {
            words = boards == 1 ? "1 board" : "\(boards) boards"
        } else if let size = request.dimensions {
            words = "\(size.width) × \(size.height) triads"
            if let board = request.board { words += " at \(JobPages.words(board))" }
        } else if let board = request.board {
            words = "board \(JobPages.words(board))"
        } else {
            words = "1 board"
        }
        if let machine = request.machineName { words += " of \(machine)" }
        if let tags = request.tags, !tags.isEmpty { words += " of a machine tagged \(tags.joined(separator: ", "))" }
        if let dead = request.maxDeadBoards, dead > 0 { words += ", of which \(dead) may be dead" }
        return words
    }

    private static func words(_ board: CreateJobRequest.Board) -> String {
        if let x = board.x { return "\(x),\(board.y ?? 0),\(board.z ?? 0)" }
        if let cabinet = board.cabinet { return "\(cabinet)/\(board.frame ?? 0)/\(board.board ?? 0)" }
        return board.address ?? "?"
    }

    // MARK: - Actions

    @Sendable
    private func destroy(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        let reason = context.form?["reason"].flatMap { $0.allSatisfy(\.isWhitespace) ? nil : String($0.prefix(500)) }
        try await self.jobs.destroy(job.id, reason: reason ?? "destroyed on the web page")
        return self.pages.redirect(request, to: "system/job_info/\(job.id)")
    }

    @Sendable
    private func switchPower(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        guard let wanted = context.form?["power"]?.lowercased(), wanted == "true" || wanted == "false" else {
            throw APIError.badRequest("power is to be true or false")
        }
        guard try await self.jobs.switchPower(job.id, on: wanted == "true") else {
            throw APIError(.conflict, "Job \(job.id) has no boards.")
        }
        return self.pages.redirect(request, to: "system/job_info/\(job.id)")
    }

    // MARK: - What runs on a chip

    struct Core: Sendable, Encodable {
        var core: Int
        var physical: Int
        var state: String
        var application: String
        var appID: Int
        var start: String
        var error: String
        var registers: [UInt32]?

        enum CodingKeys: String, CodingKey {
            case core = "virtualId"
            case physical = "physicalId"
            case state, application, start
            case appID = "appId"
            case error = "rteName"
            case registers = "rteRegisters"
        }
    }

    private struct Processes: Sendable {
        var failure: String?
        var cores: [Core]
        /// Stored, as templates see no other properties.
        var hasCores: Bool

        init(failure: String? = nil, cores: [Core] = []) {
            self.failure = failure
            self.cores = cores
            self.hasCores = !cores.isEmpty
        }
    }

    /// As a page has it: what goes wrong is shown where the cores would be.
    private func processes(x: String, y: String, of job: JobRecord, _ boards: JobService.Boards) async -> Processes {
        do {
            return Processes(cores: try await self.cores(x: x, y: y, of: job, boards))
        } catch let error as APIError {
            return Processes(failure: error.message)
        } catch {
            return Processes(failure: "The board cannot be asked.")
        }
    }

    @Sendable
    private func processes(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        guard let boards = try await self.jobs.boards(of: job) else {
            throw APIError(.conflict, "job \(job.id) has no boards")
        }
        let query = Query(request)
        return try .json(try await self.cores(x: query.text("x") ?? "0", y: query.text("y") ?? "0", of: job, boards))
    }

    /// A board that is off says nothing, and the page waits.
    private static let policy = SCPPolicy(timeout: .milliseconds(500), retries: 3)

    private func cores(x: String, y: String, of job: JobRecord, _ boards: JobService.Boards) async throws -> [Core] {
        guard let chipX = Int(x), let chipY = Int(y), (0...65535).contains(chipX), (0...65535).contains(chipY) else {
            throw APIError.badRequest("x and y are to be a chip's coordinates")
        }
        let position = ChipPosition(x: chipX, y: chipY)
        guard let board = boards.board(with: position), let chip = position.chip else {
            throw APIError.notFound("chip (\(chipX), \(chipY)) is not on a board of job \(job.id)")
        }
        let connection = try await self.connections.connection(job: job.id, board: board)
        var bytes: ByteBuffer
        do throws(SCPError) {
            bytes = try await connection.read(
                address: MemoryMap.vcpu, count: VCPU.size * MemoryMap.cores, from: .monitor(of: chip), policy: JobPages.policy)
        } catch {
            switch error.code {
            case .timedOut: throw APIError(.gatewayTimeout, "chip (\(chipX), \(chipY)) does not answer: \(error)")
            default: throw APIError(.badGateway, "chip (\(chipX), \(chipY)): \(error)")
            }
        }
        var cores: [Core] = []
        for number in 0..<MemoryMap.cores {
            guard let vcpu = try? VCPU(from: &bytes) else { break }
            let failed = vcpu.runTimeError != .none
            cores.append(
                Core(
                    core: number, physical: Int(vcpu.physicalCore), state: "\(vcpu.state)", application: vcpu.name,
                    appID: Int(vcpu.application),
                    start: vcpu.time == 0 ? "" : WireInstant(secondsSince1970: Int64(vcpu.time)).description,
                    error: failed ? "\(vcpu.runTimeError)" : "", registers: failed ? vcpu.registers : nil))
        }
        return cores
    }
}
