//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import SpallocAPI
import SpiNNakerMachine

/// One job.
struct JobController: Sendable {
    let core: ServiceCore
    let tls: Bool
    let seen: SeenRevisions

    private var jobs: JobService { JobService(core: self.core) }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let job = router.group("jobs/:id")
        job.get("", use: self.describe)
        job.delete("", use: self.destroy)
        job.put("keepalive", use: self.keepAlive)
        job.get(RouterPath(SpallocJobPath.queue), use: self.queue)
        job.get("machine", use: self.machine)
        job.get("machine/power", use: self.power)
        job.post("machine/power", use: self.switchPower)
        // The Java client's own idea of where power is.
        job.get("power", use: self.power)
        job.put("power", use: self.switchPowerAndTell)
        job.get("chip", use: self.chip)
        job.post("report-issue", use: self.report)
    }

    private func links(_ request: Request) -> Links {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
    }

    private func job(_ context: SpallocRequestContext) async throws -> JobRecord {
        try await self.recentJob(context).record
    }

    private func recentJob(_ context: SpallocRequestContext) async throws -> RecentRows.Job {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        guard let id = Int(try context.component("id")), id > 0 else { throw APIError.noJob }
        return try await self.jobs.recentJob(id, for: caller)
    }

    // MARK: - State

    /// With `wait`, an answer when the job is not what this session last saw, or what the client says it knows (`If-None-Match`), or
    /// when the time is over. A change between two polls is thus seen at once by the second.
    @Sendable
    private func describe(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let recent = try await self.recentJob(context)
        // What was asked for never changes.
        var job = recent.record
        let caller = try context.requireCaller()
        let session = caller.sessionKey
        if Query(request).flag(SpallocHTTP.wait), job.state != .destroyed {
            let known =
                request.headers[.ifNoneMatch].flatMap(ETag.revision) ?? self.seen.revision(of: job.id, by: session)
                ?? job.revision
            if job.revision == known {
                await self.core.next([(.job(job.id), known)], for: caller)
                guard let again = try await self.core.store.job(job.id) else { throw APIError.gone }
                job = again
            }
        }
        self.seen.saw(job.revision, of: job.id, by: session, over: job.state == .destroyed)
        let links = self.links(request)
        let over = job.state == .destroyed
        let hasProxy = (job.state == .power || job.state == .ready) && self.core.configuration.proxyEnabled
        return try .json(
            JobDescription(
                state: job.state, owner: job.owner, startTime: job.createdAt.wire, finishTime: job.finishedAt?.wire,
                reason: job.reason,
                keepaliveHost: over ? nil : job.keepaliveHost, keepaliveTime: over ? nil : job.keepaliveAt.wire,
                keepaliveRef: links.job(job.id, SpallocJobPath.keepalive),
                machineRef: links.job(job.id, SpallocJobPath.machine),
                powerRef: links.job(job.id, SpallocJobPath.power), chipRef: links.job(job.id, SpallocJobPath.chip),
                proxyRef: hasProxy ? links.proxy(job.id) : nil,
                originalRequest: recent.originalRequest), headers: [.eTag: ETag.text(job.revision)])
    }

    @Sendable
    private func destroy(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        try await self.jobs.destroy(job.id, reason: Query(request).text(SpallocHTTP.reason))
        return Response(status: .noContent)
    }

    @Sendable
    private func keepAlive(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        try await self.jobs.keepAlive(job.id, host: context.remoteAddress)
        return Response.text("ok")
    }

    private struct Place: Encodable {
        var position: Int
        var of: Int
        /// In seconds.
        var estimatedWait: Int64?

        enum CodingKeys: String, CodingKey {
            case position, of
            case estimatedWait = "estimated-wait"
        }
    }

    /// Where the job stands in the queue; 204 once it has boards. A resource of its own: stock clients refuse keys that they do not know.
    @Sendable
    private func queue(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        guard job.state == .queued,
            let place = try await self.core.store.queuePlace(of: job.id, now: self.core.clock())
        else { throw APIError.empty }
        return try .json(
            Place(position: place.position, of: place.of, estimatedWait: place.estimate.map { $0.milliseconds / 1000 }))
    }

    // MARK: - Boards

    /// The job's boards; that they are asked for keeps the job alive.
    private func boards(_ context: SpallocRequestContext) async throws -> (JobRecord, JobService.Boards) {
        let job = try await self.job(context)
        try await self.jobs.keepAlive(job.id, host: context.remoteAddress)
        guard let boards = try await self.jobs.boards(of: job) else { throw APIError.empty }
        return (job, boards)
    }

    @Sendable
    private func machine(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (job, boards) = try await self.boards(context)
        guard let allocation = job.allocation else { throw APIError.empty }
        let links = self.links(request)
        return try .json(
            JobMachine(
                width: allocation.width, height: allocation.height, depth: allocation.depth, machineName: boards.machine.name,
                connections: boards.boards.map { .init(chip: $0.chip, hostname: $0.address) },
                boards: boards.boards.map(\.coordinates), power: links.job(job.id, SpallocJobPath.power),
                machineRef: links.machine(boards.machine.name)))
    }

    @Sendable
    private func power(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (_, boards) = try await self.boards(context)
        return try .json(PowerDescription(power: boards.isOn ? .on : .off))
    }

    @Sendable
    private func switchPower(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        _ = try await self.switched(request, context)
        return Response(status: .accepted)
    }

    @Sendable
    private func switchPowerAndTell(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try .json(PowerDescription(power: try await self.switched(request, context)))
    }

    private func switched(_ request: Request, _ context: SpallocRequestContext) async throws -> PowerState {
        // What is wrong is told whether or not the job has boards.
        let wanted = try await request.decodeJSON(PowerDescription.self)
        let (job, _) = try await self.boards(context)
        guard try await self.jobs.switchPower(job.id, on: wanted.power == .on) else { throw APIError.empty }
        return wanted.power
    }

    /// Which board a chip of the job is on.
    @Sendable
    private func chip(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let chip = try Query(request).chip()
        let (job, boards) = try await self.boards(context)
        let asked = boards.chip(chip)
        guard let board = boards.board(with: asked) else { throw APIError.empty }
        let links = self.links(request)
        return try .json(
            WhereIs(
                machine: boards.machine.name, machineRef: links.machine(boards.machine.name), chip: asked,
                boardChip: board.chip,
                logicalBoardCoordinates: board.coordinates, physicalBoardCoordinates: board.physical, jobID: job.id,
                jobRef: links.job(job.id), jobChip: asked))
    }

    // MARK: - Issues

    @Sendable
    private func report(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let job = try await self.job(context)
        let caller = try context.requireCaller()
        let report = try await request.decodeJSON(IssueReport.self)
        guard let boards = try await self.jobs.boards(of: job) else {
            return try .json(IssueReply(action: "the job has no boards"))
        }
        var ids: [Int64] = []
        for place in report.boards {
            guard let board = boards.board(named: place) else {
                return try .json(IssueReply(action: "a board is not one of the job's: nothing was noted"))
            }
            ids.append(board.id)
        }
        let removed = try await self.core.store.report(
            boards: ids, job: job.id, reporter: caller.user.id, issue: report.issue,
            threshold: self.core.configuration.reports.threshold,
            since: self.core.clock() + (.zero - self.core.configuration.reports.forgetAfter), now: self.core.clock())
        self.core.notify(.issueReport, boards: ids, reason: report.issue, job: job.id, user: caller.user.name)
        guard removed > 0 else { return try .json(IssueReply(action: "report noted")) }
        self.core.notify(
            .boardsOutOfService, boards: try await self.core.store.outOfService(among: ids),
            reason: "reported: \(report.issue)",
            job: job.id)
        self.core.changes.publish(machine: boards.machine.name)
        return try .json(IssueReply(action: "\(removed) boards taken out of service"))
    }
}

extension Query {
    /// `x` and `y` of a chip.
    func chip() throws(APIError) -> ChipPosition {
        ChipPosition(x: try self.number("x", in: 0...65535, default: 0), y: try self.number("y", in: 0...65535, default: 0))
    }
}

extension JobService.Boards {
    /// A chip of the job as it was asked for: (255, 255) is SC&MP's name of the root chip, unless the job is so large that it has such a
    /// chip.
    func chip(_ asked: ChipPosition) -> ChipPosition {
        asked == ChipPosition(.root) && self.board(with: asked) == nil ? ChipPosition(.origin) : asked
    }

    /// A board of the job by one of its names: chip of the job, triad, slot, address, whichever is there first.
    func board(named place: IssueReport.Board) -> Board? {
        if let chip = place.chip { return chip.x >= 0 && chip.y >= 0 ? self.board(with: chip) : nil }
        if let x = place.x {
            return self.boards.first { $0.coordinates == BoardCoordinates(x, place.y ?? 0, place.z ?? 0) }
        }
        if let cabinet = place.cabinet {
            let slot = PhysicalCoordinates(cabinet: cabinet, frame: place.frame ?? 0, board: place.board ?? 0)
            return self.boards.first { $0.physical == slot }
        }
        return self.boards.first { $0.address == place.address }
    }
}

/// A job's revision as an entity tag.
enum ETag {
    static func text(_ revision: Int64) -> String { "\"\(revision)\"" }
    static func revision(_ text: String) -> Int64? {
        Int64(text.split(separator: ",").first.map { $0.filter { $0.isNumber } } ?? "")
    }
}
