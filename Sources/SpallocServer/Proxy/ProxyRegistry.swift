//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import Synchronization

/// Which websockets belong to which job, so that they end with it.
///
/// A job may end between the moment in which its owner is let in and the moment in which the websocket is there. So whoever
/// authorises **admits first and looks at the job afterwards**: an end that comes later than the admission reaches the
/// websocket however far it has got, and one that came earlier is seen in the job.
package final class ProxyRegistry: Sendable {
    /// By what somebody was let in, and with which the websocket ends.
    package struct Access: Hashable, Sendable {
        /// What the session's cookie is stored as.
        package var session: String?
        /// When it ends in any case.
        package var until: Timestamp?

        package init(session: String? = nil, until: Timestamp? = nil) {
            self.session = session
            self.until = until
        }
    }

    private struct Weak {
        weak var admission: ProxyAdmission?
        var user: Int64?
        var access = Access()
    }

    private struct State {
        var admissions: [Int: [ObjectIdentifier: Weak]] = [:]
        /// How many websockets each user has, or is about to have.
        var perUser: [Int64: Int] = [:]
    }

    private let state = Mutex(State())
    package let totals = ProxyTotals()

    package init() {}

    /// Enters a websocket-to-be of a job.
    package func admit(job: Int) -> ProxyAdmission {
        let admission = ProxyAdmission(job: job, registry: self)
        self.state.withLock { $0.admissions[job, default: [:]][ObjectIdentifier(admission)] = Weak(admission: admission) }
        return admission
    }

    /// The same, unless the user has so many already, over all jobs: each holds sockets of this host.
    ///
    /// - Returns: nil if the user has.
    package func admit(job: Int, user: Int64, limit: Int, access: Access = Access()) -> ProxyAdmission? {
        let isAllowed = self.state.withLock { state in
            let count = state.perUser[user, default: 0]
            guard count < limit else { return false }
            state.perUser[user] = count + 1
            return true
        }
        guard isAllowed else { return nil }
        let admission = ProxyAdmission(job: job, registry: self)
        self.state.withLock {
            $0.admissions[job, default: [:]][ObjectIdentifier(admission)] = Weak(
                admission: admission, user: user, access: access)
        }
        return admission
    }

    /// How many websockets a user has, or is about to have.
    package func count(user: Int64) -> Int { self.state.withLock { $0.perUser[user] ?? 0 } }

    /// Ends every websocket of a job: it is over, or has got other boards. Takes effect soon after.
    package func closeAll(job: Int, code: WebSocketCloseCode = .jobEnded, reason: String = "the job is over") {
        for admission in self.take(job) { admission.close(code, reason: reason) }
    }

    /// Ends every websocket that a user has, of whatever job.
    package func closeAll(user: Int64, code: WebSocketCloseCode = .policyViolation, reason: String) {
        let admissions = self.state.withLock { state in
            state.admissions.values.flatMap { $0.values.filter { $0.user == user }.compactMap(\.admission) }
        }
        for admission in admissions { admission.close(code, reason: reason) }
    }

    /// The sessions by which websockets are open.
    package var sessions: Set<String> {
        self.state.withLock { state in Set(state.admissions.values.flatMap { $0.values.compactMap(\.access.session) }) }
    }

    /// Ends every websocket that was opened by a session.
    package func closeAll(session: String) {
        self.close(reason: "the session has ended") { $0.session == session }
    }

    /// Ends the websockets whose time is over.
    ///
    /// - Returns: when the next one's is.
    package func closeEnded(now: Timestamp) -> Timestamp? {
        self.close(reason: "the session or token has ended") { $0.until.map { $0 <= now } ?? false }
        return self.state.withLock { state in
            state.admissions.values.flatMap { $0.values.compactMap(\.access.until).filter { $0 > now } }.min()
        }
    }

    private func close(reason: String, _ isOver: (Access) -> Bool) {
        let admissions = self.state.withLock { state in
            state.admissions.values.flatMap { $0.values.filter { isOver($0.access) }.compactMap(\.admission) }
        }
        for admission in admissions { admission.close(.accessEnded, reason: reason) }
    }

    /// The users who have websockets.
    package var users: Set<Int64> { self.state.withLock { Set($0.perUser.keys) } }

    /// The same, and comes back when no datagram of theirs reaches a board any more: the boards can be given to others.
    package func closeAllAndWait(
        job: Int, code: WebSocketCloseCode = .jobEnded, reason: String = "the job is over"
    ) async throws {
        for closed in self.take(job).compactMap({ $0.close(code, reason: reason) }) { try await closed.get() }
    }

    /// The job has these boards now. A websocket with a channel to a board that is not among them ends. Comes back when
    /// nothing else can be reached any more.
    package func updateBoards(job: Int, _ boards: [ChipID: IPv4Address]) async throws {
        for updated in self.take(job).compactMap({ $0.updateBoards(boards) }) { try await updated.get() }
    }

    /// How many websockets a job has.
    package func sessionCount(job: Int) -> Int { self.take(job).count { $0.session != nil } }

    private func take(_ job: Int) -> [ProxyAdmission] {
        self.state.withLock { $0.admissions[job]?.values.compactMap(\.admission) ?? [] }
    }

    fileprivate func leave(job: Int, _ id: ObjectIdentifier) {
        self.state.withLock { state in
            // It is left twice, by the websocket's end and by the last reference; it counts once.
            guard let left = state.admissions[job]?.removeValue(forKey: id) else { return }
            if state.admissions[job]?.isEmpty == true { state.admissions.removeValue(forKey: job) }
            guard let user = left.user, let count = state.perUser[user] else { return }
            state.perUser[user] = count > 1 ? count - 1 : nil
        }
    }
}

/// One websocket of a job, from before its upgrade until its end.
package final class ProxyAdmission: Sendable {
    private enum State {
        case admitted
        case open(ProxySession)
        case ended(WebSocketCloseCode, reason: String)
    }

    package let job: Int
    private let registry: ProxyRegistry
    private let state = Mutex<(State, boards: [ChipID: IPv4Address]?)>((.admitted, nil))

    fileprivate init(job: Int, registry: ProxyRegistry) {
        self.job = job
        self.registry = registry
    }

    deinit { self.registry.leave(job: self.job, ObjectIdentifier(self)) }

    package var totals: ProxyTotals { self.registry.totals }

    package var isEnded: Bool {
        self.state.withLock { if case .ended = $0.0 { true } else { false } }
    }

    var session: ProxySession? {
        self.state.withLock { if case .open(let session) = $0.0 { session } else { nil } }
    }

    /// The websocket is there: what happened since the admission is made up for.
    func attach(_ session: ProxySession) {
        let missed: (end: (WebSocketCloseCode, String)?, boards: [ChipID: IPv4Address]?) = self.state.withLock { state in
            if case .ended(let code, let reason) = state.0 { return ((code, reason), nil) }
            state.0 = .open(session)
            return (nil, state.boards)
        }
        if let (code, reason) = missed.end { session.close(code, reason: reason) }
        if let boards = missed.boards { session.updateBoards(boards) }
    }

    func detach() {
        self.state.withLock { $0.0 = .ended(.normal, reason: "") }
        self.registry.leave(job: self.job, ObjectIdentifier(self))
    }

    @discardableResult
    fileprivate func close(_ code: WebSocketCloseCode, reason: String) -> EventLoopFuture<Void>? {
        let session: ProxySession? = self.state.withLock { state in
            defer { state.0 = .ended(code, reason: reason) }
            if case .open(let session) = state.0 { return session }
            return nil
        }
        return session?.close(code, reason: reason)
    }

    fileprivate func updateBoards(_ boards: [ChipID: IPv4Address]) -> EventLoopFuture<Void>? {
        let session: ProxySession? = self.state.withLock { state in
            state.boards = boards
            if case .open(let session) = state.0 { return session }
            return nil
        }
        return session?.updateBoards(boards)
    }
}
