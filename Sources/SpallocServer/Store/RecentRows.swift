//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI

/// The rows that every request asks for, sessions and jobs, as they were last read: a read of the database is a way through two queues and
/// back, and costs more than all else that a request does.
///
/// No writer needs to know of it. SQLite tells which rows a transaction changed, whichever method did it, and they are forgotten when
/// it is committed, before the method that wrote returns. Only a change by another process (`spallocd user disable`) is not told:
/// a session is therefore believed for ``sessionLife`` at most. Jobs are changed by the service alone.
final class RecentRows: TransactionObserver, Sendable {
    /// How long after another process has ended a session it may still be used.
    static let sessionLife = TimeAmount.seconds(1)

    /// A job, and its request as clients are told of it: decoded once per change, not once per reply.
    struct Job: Sendable {
        var record: JobRecord
        var originalRequest: OriginalRequest? = nil
    }

    /// What had been forgotten when a read began. What it read may only be kept if nothing was since.
    struct Ticket: Sendable {
        fileprivate var forgotten: UInt64
    }

    private struct State {
        var sessions: [String: (session: SessionRecord, until: NIODeadline)] = [:]
        var jobs: [Int: Job] = [:]
        var v1Jobs: [Int: V1JobView] = [:]
        var outOfService: (boards: [Int64], until: NIODeadline)?
        var forgotten: UInt64 = 0
        /// What the transaction under way has changed.
        var changed = Changes()
    }

    private struct Changes {
        var sessions: Set<Int64> = []
        var users: Set<Int64> = []
        var jobs: Set<Int64> = []
        var boards = false

        var isEmpty: Bool { self.sessions.isEmpty && self.users.isEmpty && self.jobs.isEmpty && !self.boards }
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

    /// The boards that are out of service; like sessions, another process may change them.
    func outOfService(now: NIODeadline) -> [Int64]? {
        self.state.withLockedValue { state in state.outOfService.flatMap { $0.until > now ? $0.boards : nil } }
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

    func keep(outOfService boards: [Int64], ticket: Ticket, now: NIODeadline) {
        self.state.withLockedValue { state in
            guard state.forgotten == ticket.forgotten else { return }
            state.outOfService = (boards, now + RecentRows.sessionLife)
        }
    }

    // MARK: - Being told, on the writer's queue

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        switch kind {
        // Each use of a session is written down now and then; what is kept here does not change by it.
        case .update(tableName: "session", let columns): columns != ["used_at"]
        case .update(tableName: "board", let columns): columns.contains("functioning") || columns.contains("blacklisted")
        case .update(let table, _), .delete(let table): table == "session" || table == "user" || table == "job"
        case .insert: false
        }
    }

    func databaseDidChange(with event: DatabaseEvent) {
        let (table, row) = (event.tableName, event.rowID)
        self.state.withLockedValue { state in
            switch table {
            case "session": _ = state.changed.sessions.insert(row)
            case "user": _ = state.changed.users.insert(row)
            case "board": state.changed.boards = true
            default: _ = state.changed.jobs.insert(row)
            }
        }
    }

    func databaseDidCommit(_ db: Database) {
        self.state.withLockedValue { state in
            let changed = state.changed
            guard !changed.isEmpty else { return }
            state.changed = Changes()
            state.forgotten &+= 1
            if changed.boards { state.outOfService = nil }
            for job in changed.jobs {
                state.jobs[Int(job)] = nil
                state.v1Jobs[Int(job)] = nil
            }
            if !changed.users.isEmpty {
                // An owner's name is in the job's record.
                state.jobs = state.jobs.filter { !changed.users.contains($0.value.record.ownerID) }
                state.v1Jobs = state.v1Jobs.filter { !changed.users.contains($0.value.record.ownerID) }
            }
            guard !changed.sessions.isEmpty || !changed.users.isEmpty else { return }
            state.sessions = state.sessions.filter { _, known in
                !changed.sessions.contains(known.session.row) && !changed.users.contains(known.session.user.id)
            }
        }
    }

    func databaseDidRollback(_ db: Database) {
        self.state.withLockedValue { $0.changed = Changes() }
    }
}
