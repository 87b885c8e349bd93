//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// Answers the commands of the legacy port, as the original server answered them.
///
/// What is not there is not an error: an unknown job is in state 0, an unknown place is null. The jobs of other users of this
/// service are shown in lists, so that a machine's map is whole, but without their owners; to all else they are unknown.
final class V1Desk: Sendable {
    /// A command that can not be done; the text is for the client.
    struct Refusal: Error {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    let core: ServiceCore
    /// Who has all jobs of this port.
    let user: Int64
    private let listing: V1Listing

    init(core: ServiceCore) async throws {
        self.core = core
        self.user = try await core.store.v1User(named: core.configuration.v1.serviceUser)
        try await core.store.restoreV1Rules()
        self.listing = V1Listing(core: core, user: self.user)
    }

    /// Answers on the event loop what needs no database: what does not change, and the state of a job that is in memory and was kept alive a
    /// moment ago. Clients ask for it over and over, and a task's way there and back would cost more than the answer.
    func answerAtOnce(_ request: V1Request, host: String?) -> V1Reply? {
        switch request {
        case .getJobState(let id):
            guard let job = self.core.store.recent.v1Job(id), job.record.ownerID == self.user,
                !self.needsTouch(job.record, host: host, now: self.core.clock())
            else { return nil }
            return .returned(self.state(of: job, host: host).json)
        case .version: return .returned(.string(V1Version.acceptedByAll.description))
        case .getBoardPosition(let machine, let board): return .returned(self.position(of: board, in: machine))
        case .getBoardAtPosition(let machine, let place): return .returned(self.board(at: place, in: machine))
        default: return nil
        }
    }

    /// The reply as a line.
    func answer(_ question: V1Question, host: String?) async -> ByteBuffer {
        var line = ByteBuffer()
        do {
            if case .listJobs = question.request {
                try await self.listing.write(into: &line)
            } else {
                V1Reply.returned(try await self.value(of: question, host: host)).writeLine(into: &line)
            }
        } catch let refusal as Refusal {
            V1Reply.exception(refusal.reason).writeLine(into: &line)
        } catch {
            self.core.logger.error(
                "v1 command failed", metadata: ["command": "\(question.call.command)", "error": "\(error)"])
            V1Reply.exception("the service could not do this").writeLine(into: &line)
        }
        return line
    }

    private func value(of question: V1Question, host: String?) async throws -> V1JSON {
        switch question.request {
        case .createJob(let request):
            return .integer(try await self.create(request, call: question.call, host: host))
        case .jobKeepalive(let job):
            try await self.core.store.keepAliveV1(job, user: self.user, host: host, now: self.core.clock())
            return .null
        case .getJobState(let job): return try await self.state(of: job, host: host).json
        case .getJobMachineInfo(let job): return try await self.machineInfo(of: job, host: host).json
        case .powerOnJobBoards(let job):
            try await self.switchPower(of: job, on: true, host: host)
            return .null
        case .powerOffJobBoards(let job):
            try await self.switchPower(of: job, on: false, host: host)
            return .null
        case .destroyJob(let job, let reason):
            if try await self.job(job) != nil { try await self.jobs.destroy(job, reason: reason) }
            return .null
        case .listMachines: return try await self.machines()
        case .whereIs(let question): return try await self.place(question)?.json ?? .null
        case .version, .getBoardPosition, .getBoardAtPosition, .notifyJob, .noNotifyJob, .notifyMachine, .noNotifyMachine,
            .listJobs:
            // Answered elsewhere: at once, by the connection, or as a list.
            return .null
        }
    }

    var jobs: JobService { JobService(core: self.core) }

    /// A job of this port; nil for all others.
    func job(_ id: Int) async throws -> V1JobView? {
        guard let job = try await self.core.store.v1Job(id), job.record.ownerID == self.user else { return nil }
        return job
    }

    // MARK: - Life

    /// Whoever asks for a job keeps it alive. Several questions in a row are one: the time is exact to a hundredth of the interval.
    private func touch(_ job: JobRecord, host: String?) async throws {
        let now = self.core.clock()
        guard self.needsTouch(job, host: host, now: now) else { return }
        try await self.core.store.keepAliveV1(job.id, user: self.user, host: host, now: now)
    }

    private func needsTouch(_ job: JobRecord, host: String?, now: Timestamp) -> Bool {
        guard job.state != .destroyed else { return false }
        let isRecent = now - job.keepaliveAt < min(.milliseconds(100), job.keepaliveInterval / 100)
        return !isRecent || job.keepaliveHost != host
    }

    private func state(of id: Int, host: String?) async throws -> V1JobState {
        guard let job = try await self.job(id) else { return V1JobState(state: .unknown) }
        try await self.touch(job.record, host: host)
        return self.state(of: job, host: host)
    }

    private func state(of job: V1JobView, host: String?) -> V1JobState {
        let record = job.record
        guard record.state != .destroyed else { return V1JobState(state: .destroyed, reason: V1Text.reason(of: job)) }
        return V1JobState(
            state: V1State(rawValue: record.state.number), power: job.power, keepalive: record.v1Keepalive,
            startTime: record.createdAt.v1, keepaliveHost: host)
    }

    private func switchPower(of id: Int, on: Bool, host: String?) async throws {
        guard let job = try await self.job(id) else { return }
        try await self.touch(job.record, host: host)
        // Without boards there is nothing to switch.
        _ = try await self.jobs.switchPower(id, on: on)
    }

    private func machineInfo(of id: Int, host: String?) async throws -> V1MachineInfo {
        guard let job = try await self.job(id) else { return V1MachineInfo() }
        try await self.touch(job.record, host: host)
        guard let boards = try await self.jobs.boards(of: job.record) else { return V1MachineInfo() }
        let size = boards.v1Size
        return V1MachineInfo(
            width: size.width, height: size.height,
            connections: boards.boards.map { .init(chip: $0.chip, host: $0.address) },
            machineName: boards.machine.name, boards: boards.boards.map(\.coordinates))
    }

    // MARK: - Creation

    /// Also a job that no machine can ever serve gets an id; it is over at once, and says why.
    private func create(_ request: V1JobRequest, call: V1Call, host: String?) async throws -> Int {
        guard !self.core.isStopped else { throw Refusal("the emergency stop is in force") }
        let machines = try await self.core.store.machineSnapshots()
        let wish = try V1Wish(request, machines: machines)
        var wanted = wish.wanted
        if let some = wanted, case .impossible = try await self.core.store.feasibility(of: some) { wanted = nil }
        var kwargs = call.kwargs
        kwargs["owner"] = nil
        kwargs["keepalive"] = nil
        let job = V1NewJob(
            user: self.user, request: wish.request, wanted: wanted, keepalive: Duration(v1: request.keepalive), host: host,
            owner: request.owner, args: V1JSON.array(call.args).description, kwargs: V1JSON.object(kwargs).description)
        // The list of jobs shows them to everybody, so they are not to be of any length.
        guard job.owner.utf8.count <= 1024, job.args.utf8.count + job.kwargs.utf8.count <= 8192 else {
            throw Refusal("owner or arguments are too long")
        }
        let maximum = self.core.configuration.v1.maximumJobs
        let now = self.core.clock()
        guard let changes = try await self.core.store.createV1Job(job, maximum: maximum, now: now), let created = changes.first
        else { throw Refusal("there are \(maximum) jobs already, the most that there may be") }
        self.core.publish(changes)
        if wanted != nil { self.core.expires(at: now + job.keepalive) }
        return created.job
    }
}

// MARK: - Time

extension Duration {
    /// What never comes: some 140,000 years. The sum with any present moment is far from overflowing.
    static let v1Never = Duration.milliseconds(Int64(1) << 52)

    /// At least a millisecond, as the database wants it: the original, too, ends a job of no time at the next occasion.
    init(v1 keepalive: V1JobRequest.Keepalive) {
        guard let seconds = keepalive.seconds else {
            self = .v1Never
            return
        }
        // The bounds keep the conversion from trapping; NaN is not JSON.
        self = .milliseconds(Int64(max(1, min(seconds * 1000, Double(Int64(1) << 52)))))
    }
}

extension JobRecord {
    /// Seconds; nil for ever.
    var v1Keepalive: Double? {
        self.keepaliveInterval >= .v1Never ? nil : Double(self.keepaliveInterval.milliseconds) / 1000
    }
}

extension Timestamp {
    /// Unix seconds.
    var v1: Double { Double(self.milliseconds) / 1000 }
}
