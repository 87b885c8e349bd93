//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI

/// Server-sent events: tells a page that what it shows has changed, and not what it shows now. The page asks for itself again, and gets what
/// its user may see.
struct LiveEvents: Sendable {
    let pages: Pages
    let streams: LiveStreams

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/events/jobs", use: self.jobs)
        router.get("system/events/job/:id", use: self.job)
        router.get("system/events/machine/:name", use: self.machine)
    }

    private var core: ServiceCore { self.pages.core }

    /// A silent connection is ended by proxies after 60 s; and so long an ended session may still learn that something changed.
    static let heartbeat = Duration.seconds(15)

    /// What to wait for, with what is known of each now.
    typealias Topics = @Sendable () async throws -> [(JobChanges.Topic, Int64)]

    // MARK: - What pages show

    @Sendable
    private func jobs(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        return try self.stream(request, caller, topics: self.topicsOfJobs())
    }

    @Sendable
    private func job(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard let id = Int(try context.component("id")), id > 0 else { throw APIError.noJob }
        _ = try await JobService(core: self.core).job(id, for: caller)
        return try self.stream(request, caller, topics: self.topics(ofJob: id))
    }

    @Sendable
    private func machine(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        let name = try context.component("name")
        guard let machine = self.core.store.catalogue.machine(named: name),
            machine.inService || caller.user.trustLevel.administers
        else { throw APIError.notFound("no machine called \"\(name)\"") }
        return try self.stream(request, caller, topics: self.topics(of: machine))
    }

    /// Which jobs there are, which machine's boards they get, and how each gets on.
    func topicsOfJobs() -> Topics {
        { [core] in
            var topics: [(JobChanges.Topic, Int64)] = [(.jobs, core.changes.current(.jobs))]
            for machine in core.store.catalogue.machines {
                topics.append((.machine(machine.name), core.changes.current(.machine(machine.name))))
            }
            for job in try await core.store.jobSummaries() { topics.append((.job(job.record.id), job.record.revision)) }
            return topics
        }
    }

    /// Its place in the queue changes with other jobs.
    func topics(ofJob id: Int) -> Topics {
        { [core] in
            let queue = (JobChanges.Topic.jobs, core.changes.current(.jobs))
            guard let job = try await core.store.job(id) else { return [] }
            let own = (JobChanges.Topic.job(id), job.revision)
            return job.state == .queued ? [own, queue] : [own]
        }
    }

    /// A job's power is on the map.
    func topics(of machine: MachineCatalogue.Machine) -> Topics {
        { [core] in
            var topics = [(JobChanges.Topic.machine(machine.name), core.changes.current(.machine(machine.name)))]
            for job in Set(try await core.store.boardStatus(machine: machine.id).compactMap(\.job)) {
                guard let record = try await core.store.job(job) else { continue }
                topics.append((.job(job), record.revision))
            }
            return topics
        }
    }

    // MARK: - The stream

    private func stream(_ request: Request, _ caller: Caller, topics: @escaping Topics) throws -> Response {
        guard let place = self.streams.enter(caller.user.id) else {
            throw APIError(.tooManyRequests, "too many pages are open")
        }
        let body = ResponseBody { writer in
            defer { place.leave() }
            // A browser that goes to another page is known to have gone at once, not at the next heartbeat: its place is free.
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                try await self.follow(topics, for: caller, into: &writer)
            }
            try await writer.finish(nil)
        }
        var headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        // nginx would keep the events until a buffer is full.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Writes an event for every change, and something now and then, until the session or the service ends.
    // The writer is of a module where an async function leaves its caller's executor.
    @concurrent
    func follow(_ topics: Topics, for caller: Caller, into writer: inout any ResponseBodyWriter) async throws {
        let changes = self.core.changes
        let authenticator = Authenticator(sessions: self.pages.sessions, logins: self.pages.logins)
        let access = JobChanges.Topic.access(caller.user.id)
        var seen = changes.current(access)
        // Before the page hears that the stream is open and reads itself once more: no change falls between the two.
        var known = try await topics()
        // A page that comes back after the connection was lost waits so long, in milliseconds.
        try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
        while !Task.isCancelled, !changes.hasEnded {
            let awaited = known.map { (topic: $0.0, known: $0.1) } + [(topic: access, known: seen)]
            await changes.next(awaited, within: caller.patience(LiveEvents.heartbeat, now: self.core.clock()))
            seen = changes.current(access)
            // Who is not logged in any more learns nothing more.
            guard try await authenticator.isStillIn(caller) else { break }
            if changes.differs(known) {
                known = try await topics()
                try await writer.write(ByteBuffer(string: "event: changed\ndata:\n\n"))
            } else {
                try await writer.write(ByteBuffer(string: ":\n\n"))
            }
        }
    }
}

/// How many streams each user has open: a browser has one per page.
package final class LiveStreams: Sendable {
    static let perUser = 30

    private let open = NIOLockedValueBox<[Int64: Int]>([:])

    /// One stream's place, until it leaves.
    final class Place: Sendable {
        private let streams: LiveStreams
        private let user: Int64
        private let isIn = NIOLockedValueBox(true)

        fileprivate init(_ streams: LiveStreams, user: Int64) {
            self.streams = streams
            self.user = user
        }

        func leave() {
            let wasIn = self.isIn.withLockedValue { isIn in
                defer { isIn = false }
                return isIn
            }
            if wasIn { self.streams.leave(self.user) }
        }

        /// A response that is never written leaves, too.
        deinit { self.leave() }
    }

    func enter(_ user: Int64) -> Place? {
        let isIn = self.open.withLockedValue { open in
            guard open[user, default: 0] < LiveStreams.perUser else { return false }
            open[user, default: 0] += 1
            return true
        }
        return isIn ? Place(self, user: user) : nil
    }

    private func leave(_ user: Int64) {
        self.open.withLockedValue { open in
            let left = (open[user] ?? 1) - 1
            open[user] = left > 0 ? left : nil
        }
    }

    func count(of user: Int64) -> Int { self.open.withLockedValue { $0[user] ?? 0 } }
}
