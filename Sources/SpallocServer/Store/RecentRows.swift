//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocAllocator

/// The rows that every request asks for, sessions and jobs, as they were last read: a read of the database is a way through two queues and
/// back, and costs more than all else that a request does.
///
/// No writer needs to know of it. SQLite tells which rows a transaction changed, whichever method did it, and they are forgotten when
/// it is committed, before the method that wrote returns. Jobs are not forgotten but read again there and then, and new ones are read at
/// once: somebody waits for each. Only a change by another process (`spallocd user disable`) is not told:
/// a session is therefore believed for ``sessionLife`` at most. Jobs are changed by the service alone.
final class RecentRows: TransactionObserver, Sendable {
    /// How long after another process has ended a session it may still be used.
    static let sessionLife = TimeAmount.seconds(1)

    /// A job, and its request as clients are told of it: decoded once per change, not once per reply.
    struct Job: Sendable {
        var record: JobRecord
        var originalRequest: OriginalRequest? = nil
    }

    /// The machines with no job on them, as ``Feasibility`` sees them, and what was found possible on them.
    struct Machines: Sendable {
        fileprivate var forgotten: UInt64
        var machines: [AllocatorSnapshot.Machine]
        fileprivate var possible: Set<JobRequest> = []
        fileprivate var until: NIODeadline
    }

    /// What had been forgotten when a read began. What it read may only be kept if nothing was since.
    struct Ticket: Sendable {
        fileprivate var forgotten: UInt64
    }

    private struct State {
        var sessions: [String: (session: SessionRecord, until: NIODeadline)] = [:]
        var jobs: [Int: Job] = [:]
        var v1Jobs: [Int: V1JobView] = [:]
        var machines: Machines?
        /// What was forgotten of machines; jobs come and go much faster.
        var machinesForgotten: UInt64 = 0
        var forgotten: UInt64 = 0
        /// What the transaction under way has changed.
        var changed = Changes()
    }

    private struct Changes {
        var sessions: Set<Int64> = []
        var users: Set<Int64> = []
        var jobs: Set<Int64> = []
        var newJobs: Set<Int64> = []
        var newV1Jobs: Set<Int64> = []
        var boards = false

        var isEmpty: Bool {
            self.sessions.isEmpty && self.users.isEmpty && self.jobs.isEmpty && self.newJobs.isEmpty && self.newV1Jobs.isEmpty
                && !self.boards
        }
    }

    private let state = NIOLockedValueBox(State())
    /// Of each kind. When there are more, all are forgotten: they come back as they are asked for.
    private let capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
    }

    // MARK: - Reading

    func session(_ id: String, now: NIODeadline) -> SessionRecord? {
        self.state.withLockedValue { state in
            guard let known = state.sessions[id], known.until > now else { return nil }
            return known.session
        }
    }

    func job(_ id: Int) -> Job? { self.state.withLockedValue { $0.jobs[id] } }

    /// As the legacy port tells of it. What it has of other tables changes only with the job's own row: see ``V1JobView``.
    func v1Job(_ id: Int) -> V1JobView? { self.state.withLockedValue { $0.v1Jobs[id] } }

    /// Which boards are out of service another process may change, as it may sessions.
    func machines(now: NIODeadline) -> Machines? {
        self.state.withLockedValue { state in state.machines.flatMap { $0.until > now ? $0 : nil } }
    }

    /// Reads the machines and keeps them, unless they are forgotten meanwhile.
    func readMachines(now: NIODeadline, _ read: () async throws -> [AllocatorSnapshot.Machine]) async rethrows -> Machines {
        let forgotten = self.state.withLockedValue { $0.machinesForgotten }
        let machines = Machines(forgotten: forgotten, machines: try await read(), until: now + RecentRows.sessionLife)
        self.state.withLockedValue { if $0.machinesForgotten == forgotten { $0.machines = machines } }
        return machines
    }

    /// The machines have changed, or are others.
    func forgetMachines() {
        self.state.withLockedValue { state in
            state.machinesForgotten &+= 1
            state.machines = nil
        }
    }

    /// Most jobs ask for what another has asked for: what was found possible is, as long as the machines are the same.
    func feasibility(of request: JobRequest, on machines: Machines) -> Feasibility {
        if machines.possible.contains(request) { return .possible }
        let found = Feasibility.check(request, on: machines.machines)
        guard found == .possible else { return found }
        self.state.withLockedValue { state in
            guard state.machines?.forgotten == machines.forgotten, state.machines?.until == machines.until else { return }
            if (state.machines?.possible.count ?? 0) >= self.capacity { state.machines?.possible = [] }
            state.machines?.possible.insert(request)
        }
        return found
    }

    /// To be taken before the read.
    func ticket() -> Ticket { Ticket(forgotten: self.state.withLockedValue { $0.forgotten }) }

    func keep(_ session: SessionRecord, id: String, ticket: Ticket, now: NIODeadline) {
        self.state.withLockedValue { state in
            guard state.forgotten == ticket.forgotten else { return }
            if state.sessions.count >= self.capacity { state.sessions = [:] }
            state.sessions[id] = (session, now + RecentRows.sessionLife)
        }
    }

    func keep(_ job: Job, ticket: Ticket) {
        self.state.withLockedValue { state in
            guard state.forgotten == ticket.forgotten else { return }
            if state.jobs.count >= self.capacity { state.jobs = [:] }
            state.jobs[job.record.id] = job
        }
    }

    func keep(_ job: V1JobView, ticket: Ticket) {
        self.state.withLockedValue { state in
            guard state.forgotten == ticket.forgotten else { return }
            if state.v1Jobs.count >= self.capacity { state.v1Jobs = [:] }
            state.v1Jobs[job.record.id] = job
        }
    }

    /// What a new job asked for, as its creator knows it.
    func keep(_ request: OriginalRequest, of job: Int) {
        self.state.withLockedValue { $0.jobs[job]?.originalRequest = request }
    }

    // MARK: - Being told, on the writer's queue

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        switch kind {
        // Each use of a session is written down now and then; what is kept here does not change by it.
        case .update(tableName: "session", let columns): columns != ["used_at"]
        case .update(tableName: "board", let columns): columns.contains("functioning") || columns.contains("blacklisted")
        case .update(let table, _), .delete(let table): table == "session" || table == "user" || table == "job"
        case .insert(let table): table == "job" || table == "v1_job"
        }
    }

    func databaseDidChange(with event: DatabaseEvent) {
        let (table, row, isNew) = (event.tableName, event.rowID, event.kind == .insert)
        self.state.withLockedValue { state in
            switch table {
            case "session": _ = state.changed.sessions.insert(row)
            case "user": _ = state.changed.users.insert(row)
            case "board": state.changed.boards = true
            case "v1_job": _ = state.changed.newV1Jobs.insert(row)
            default: _ = isNew ? state.changed.newJobs.insert(row) : state.changed.jobs.insert(row)
            }
        }
    }

    func databaseDidCommit(_ db: Database) {
        let (jobs, v1Jobs) = self.state.withLockedValue { state in
            let changed = state.changed
            guard !changed.isEmpty else { return (Set<Int64>(), Set<Int64>()) }
            state.changed = Changes()
            // From here on nobody keeps what was read before.
            state.forgotten &+= 1
            if changed.boards {
                state.machinesForgotten &+= 1
                state.machines = nil
            }
            if !changed.users.isEmpty {
                // An owner's name is in the job's record.
                state.jobs = state.jobs.filter { !changed.users.contains($0.value.record.ownerID) }
                state.v1Jobs = state.v1Jobs.filter { !changed.users.contains($0.value.record.ownerID) }
            }
            if !changed.sessions.isEmpty || !changed.users.isEmpty {
                state.sessions = state.sessions.filter { _, known in
                    !changed.sessions.contains(known.session.row) && !changed.users.contains(known.session.user.id)
                }
            }
            let jobs = changed.jobs.filter { state.jobs[Int($0)] != nil }
            let v1Jobs = changed.jobs.filter { state.v1Jobs[Int($0)] != nil }
            return (
                jobs.union(changed.newJobs.subtracting(changed.newV1Jobs)), v1Jobs.union(changed.newV1Jobs)
            )
        }
        guard !jobs.isEmpty || !v1Jobs.isEmpty else { return }
        self.readAgain(jobs, v1Jobs, db)
    }

    /// So many jobs are read at a commit; of what changes more at once, little is asked for.
    static let mostReadAgain = 128

    /// While nobody else can write.
    private func readAgain(_ jobs: Set<Int64>, _ v1Jobs: Set<Int64>, _ db: Database) {
        let isFew = jobs.count + v1Jobs.count <= RecentRows.mostReadAgain
        let read = isFew ? jobs.map { (id: Int($0), record: try? db.job(Int($0))) } : []
        let readV1 = isFew ? v1Jobs.map { (id: Int($0), view: try? db.v1Job(Int($0))) } : []
        self.state.withLockedValue { state in
            if !isFew {
                for job in jobs { state.jobs[Int(job)] = nil }
                for job in v1Jobs { state.v1Jobs[Int(job)] = nil }
            }
            if state.jobs.count + read.count > self.capacity { state.jobs = [:] }
            for (id, record) in read {
                // What was asked for never changes.
                let request = state.jobs[id]?.originalRequest
                state.jobs[id] = (record ?? nil).map { Job(record: $0, originalRequest: request) }
            }
            if state.v1Jobs.count + readV1.count > self.capacity { state.v1Jobs = [:] }
            for (id, view) in readV1 { state.v1Jobs[id] = view ?? nil }
        }
    }

    func databaseDidRollback(_ db: Database) {
        self.state.withLockedValue { $0.changed = Changes() }
    }
}
