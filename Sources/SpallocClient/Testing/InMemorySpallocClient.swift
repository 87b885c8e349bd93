//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpiNNakerMachine

/// A Spalloc service in memory, for the tests of programs that use one: no network, no time.
///
/// Boards are handed out in order and come back when their job is destroyed; a job that finds too few waits in the queue, as
/// in life. Memory is what was written to it. ``setState(_:of:reason:)`` brings about the rest.
public final class InMemorySpallocClient: SpallocClientProtocol {
    struct Record: Sendable {
        var request: SpallocJobRequest
        var state: JobState = .queued
        var reason: String?
        var boards: [BoardCoordinates] = []
        var power = PowerState.on
        var memory: [UInt64: UInt8] = [:]
        var keepalives = 0
        var issues: [IssueReport] = []
    }

    struct State: Sendable {
        var free: [BoardCoordinates]
        var jobs: [Int: Record] = [:]
        var lastID = 0
        var waiters: [(id: UInt64, job: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var nextWaiter: UInt64 = 0
    }

    public let machineName: String
    /// In triads.
    public let width: Int
    /// In triads.
    public let height: Int
    let state: NIOLockedValueBox<State>

    /// - Parameters: of the one machine it has, in triads.
    public init(machine: String = "virtual", width: Int = 1, height: Int = 1) {
        self.machineName = machine
        self.width = max(1, width)
        self.height = max(1, height)
        var free: [BoardCoordinates] = []
        for x in 0..<self.width {
            for y in 0..<self.height {
                for z in 0..<3 { free.append(BoardCoordinates(x, y, z)) }
            }
        }
        self.state = NIOLockedValueBox(State(free: free))
    }

    public func version() async throws(SpallocError) -> ServiceDescription.Version {
        ServiceDescription.Version(majorVersion: 7, minorVersion: 4, revision: 2)
    }

    public func machineBriefs() async throws(SpallocError) -> [MachineBrief] {
        [
            MachineBrief(
                name: self.machineName, tags: ["default"], uri: "memory:\(self.machineName)", width: self.width,
                height: self.height, deadBoards: [], deadLinks: [])
        ]
    }

    public func job(_ id: Int) -> InMemorySpallocJob { InMemorySpallocJob(id: id, client: self) }

    public func createJob(_ request: SpallocJobRequest) async throws(SpallocError) -> InMemorySpallocJob {
        try request.validate(keepalive: request.keepaliveInterval ?? .seconds(120))
        let wanted = self.boardCount(request)
        guard wanted <= self.width * self.height * 3 else {
            throw SpallocError(
                .requestRefused, "the service will not make a job of \(request.size)",
                serverMessage: "\(self.machineName) has \(self.width * self.height * 3) boards", status: 400)
        }
        let id = self.state.withLockedValue { state in
            state.lastID += 1
            state.jobs[state.lastID] = Record(request: request)
            return state.lastID
        }
        self.allocate()
        return self.job(id)
    }

    public func withJob<Result>(
        _ request: SpallocJobRequest, _ body: (InMemorySpallocJob) async throws -> Result
    ) async throws -> Result {
        let job = try await self.createJob(request)
        do {
            let result = try await body(job)
            try await job.destroy(reason: "finished")
            return result
        } catch {
            try await job.destroy(reason: "failed: \(error)")
            throw error
        }
    }

    // MARK: - For the test

    /// The state and the reason of a job, over or not; nil: there was none.
    public func outcome(of job: Int) -> (state: JobState, reason: String?)? {
        self.state.withLockedValue { state in state.jobs[job].map { ($0.state, $0.reason) } }
    }

    public func issues(of job: Int) -> [IssueReport] { self.state.withLockedValue { $0.jobs[job]?.issues ?? [] } }
    public func keepalives(of job: Int) -> Int { self.state.withLockedValue { $0.jobs[job]?.keepalives ?? 0 } }

    /// Brings a job into a state, as the service would by itself: expired, re-queued, powering.
    public func setState(_ new: JobState, of job: Int, reason: String? = nil) {
        self.change(job) { record, free in
            record.state = new
            record.reason = reason ?? record.reason
            if new == .destroyed || new == .queued {
                free += record.boards
                free.sort()
                record.boards = []
            }
        }
        if new == .destroyed { self.allocate() }
    }

    // MARK: - Inside

    private func boardCount(_ request: SpallocJobRequest) -> Int {
        switch request.size {
        case .boards(let count): count
        case .rectangle(let width, let height), .rectangleAt(_, let width, let height): width * height * 3
        case .board: 1
        }
    }

    /// First come, first served.
    private func allocate() {
        let waiting = self.state.withLockedValue { state in
            state.jobs.filter { $0.value.state == .queued && $0.value.boards.isEmpty }.keys.sorted()
        }
        for job in waiting {
            self.change(job) { record, free in
                let wanted = self.boardCount(record.request)
                guard free.count >= wanted else { return }
                record.boards = Array(free.prefix(wanted))
                free.removeFirst(wanted)
                record.state = .ready
            }
        }
    }

    func change(_ job: Int, _ body: (inout Record, inout [BoardCoordinates]) -> Void) {
        let woken = self.state.withLockedValue { state -> [CheckedContinuation<Void, Never>] in
            guard var record = state.jobs[job] else { return [] }
            let before = record.state
            body(&record, &state.free)
            state.jobs[job] = record
            guard record.state != before else { return [] }
            let woken = state.waiters.filter { $0.job == job }.map(\.continuation)
            state.waiters.removeAll { $0.job == job }
            return woken
        }
        for continuation in woken { continuation.resume() }
    }

    func record(_ job: Int) throws(SpallocError) -> Record {
        guard let record = self.state.withLockedValue({ $0.jobs[job] }) else {
            throw SpallocError(.notFound, "there is no such job", status: 404, job: job)
        }
        return record
    }

    /// Until the job leaves `old`, or the task is cancelled, or somebody calls ``wake(_:)``.
    func sleep(_ job: Int, whileIn old: JobState, id: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = self.state.withLockedValue { state in
                    guard state.jobs[job]?.state == old, !Task.isCancelled else { return false }
                    state.waiters.append((id, job, continuation))
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            self.wake(id)
        }
    }

    func nextWaiter() -> UInt64 {
        self.state.withLockedValue { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
    }

    private func wake(_ id: UInt64) {
        let continuation = self.state.withLockedValue { state in
            state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
        }
        continuation?.resume()
    }
}
