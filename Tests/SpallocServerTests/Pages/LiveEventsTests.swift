//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import Testing

@testable import SpallocServer

/// Server-sent events, as they are written.
@Suite(.timeLimit(.minutes(3))) struct LiveEventsTests {
    fileprivate final class Written: Sendable {
        private let box = NIOLockedValueBox("")
        func write(_ buffer: ByteBuffer) { self.box.withLockedValue { $0 += String(buffer: buffer) } }
        var text: String { self.box.withLockedValue { $0 } }
        var changes: Int { self.text.components(separatedBy: "event: changed\ndata:\n\n").count - 1 }
    }

    /// A response's body, as far as it was written.
    fileprivate struct Writer: ResponseBodyWriter {
        let written: Written
        mutating func write(_ buffer: ByteBuffer) async throws { self.written.write(buffer) }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    private func live(_ harness: Harness) throws -> LiveEvents {
        let application = harness.application
        let pages = Pages(
            core: harness.core, sessions: application.sessions, logins: application.logins, tls: false,
            templates: try PageTemplates())
        return LiveEvents(pages: pages, streams: application.liveStreams)
    }

    /// Follows something for a user while `body` runs.
    ///
    /// - Returns: whether the stream had ended by itself.
    private func following(
        _ topics: @escaping LiveEvents.Topics, _ harness: Harness, _ session: Session,
        _ body: @escaping @Sendable (Written) async throws -> Void
    ) async throws {
        let (live, written) = (try self.live(harness), Written())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await live.follow(topics, session: session.cookie, into: written) }
            try await eventually("the stream to begin") { written.text.hasPrefix("retry: 3000\n\n") }
            try await body(written)
            group.cancelAll()
        }
    }

    @Test func theListHearsOfEveryJob() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let rita = try await Session.logIn(client, as: "rita")
            try await self.following(try self.live(harness).topicsOfJobs(), harness, rita) { written in
                let job = try await alice.create()
                try await eventually("news of the job") { written.changes >= 1 }
                _ = try await alice.wait(job, for: [.ready])
                // READY may come with what came before; the next change is one of its own.
                let before = written.changes
                _ = try await alice.execute(.delete, "jobs/\(job)/")
                try await eventually("news of its end") { written.changes > before }
                #expect(!written.text.contains("\(job)"))
            }
        }
    }

    @Test func aJobsPageHearsOfItsPower() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            try await self.following(try self.live(harness).topics(ofJob: job), harness, alice) { written in
                #expect(written.changes == 0)
                #expect(try await alice.submit("power_job/\(job)", ["power": "false"]).status == .seeOther)
                try await eventually("news") { written.changes >= 1 }
            }
        }
    }

    @Test func aMachinesMapHearsOfItsBoards() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let machine = try #require(harness.store.catalogue.machine(named: "m1"))
            try await self.following(try self.live(harness).topics(of: machine), harness, root) { written in
                #expect(written.changes == 0)
                let form = ["machine": "m1", "where": "0,0,2", "enabled": "false", "reason": "dust"]
                #expect(try await root.submit("admin/boards", form).status == .seeOther)
                try await eventually("news of the board") { written.changes >= 1 }
                let before = written.changes
                _ = try await root.create()
                try await eventually("news of the job") { written.changes > before }
            }
        }
    }

    /// Who has logged out, or was disabled, learns nothing more: the stream ends with the next change.
    @Test(arguments: ["log out", "disable"])
    func anEndedSessionHearsNothing(how: String) async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let bob = try await Session.logIn(client, as: "bob")
            let (live, written) = (try self.live(harness), Written())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await live.follow(live.topicsOfJobs(), session: bob.cookie, into: written) }
                try await eventually("the stream to begin") { !written.text.isEmpty }
                switch how {
                case "log out": _ = try await bob.submit("perform_logout")
                default:
                    try await harness.store.setEnabled(
                        false, user: try #require(try await harness.store.user(named: "bob")).user.id)
                }
                if how == "log out" {
                    // At once: nothing else has to happen.
                    try await group.waitForAll()
                    #expect(!written.text.contains(":\n\n"), "not by a heartbeat")
                }
                _ = try await alice.create()
                // It ends by itself.
                try await group.waitForAll()
            }
            #expect(written.changes == 0)
        }
    }

    /// A page that is left open is no use of its session: it idles out, and the stream with it.
    @Test func anOpenPageDoesNotKeepItsSession() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let bob = try await Session.logIn(client, as: "bob")
            let sessions = harness.application.sessions
            // One that came with a token ends with it, however much it is used.
            let user = try #require(try await harness.store.user(named: "bob")).user
            let token = try await sessions.logIn(user, expiry: clock.now() + .seconds(900)).cookie
            #expect(try await sessions.isAlive(token))
            clock.advance(.seconds(1000))
            #expect(try await !sessions.isAlive(token))
            #expect(try await sessions.isAlive(bob.cookie))
            clock.advance(.seconds(801))
            #expect(try await !sessions.isAlive(bob.cookie))
            #expect(try await sessions.find(bob.cookie) == nil)
            let (live, written) = (try self.live(harness), Written())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await live.follow(live.topicsOfJobs(), session: bob.cookie, into: written) }
                try await eventually("the stream to begin") { !written.text.isEmpty }
                _ = try await Session.logIn(client, as: "alice").create()
                try await group.waitForAll()
            }
            #expect(written.changes == 0)
        }
    }

    /// Of a token without a session.
    @Test func aStreamEndsWithItsToken() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            _ = client
            let (live, written) = (try self.live(harness), Written())
            try await withThrowingTaskGroup(of: Void.self) { group in
                let until = clock.now() + .milliseconds(50)
                group.addTask { try await live.follow(live.topicsOfJobs(), session: nil, until: until, into: written) }
                try await eventually("the stream to begin") { !written.text.isEmpty }
                // The wait ends after 50 ms of whatever clock, long before the heartbeat; by then the token is over.
                clock.advance(.milliseconds(50))
                try await group.waitForAll()
            }
            #expect(!written.text.contains("event"))
        }
    }

    @Test func theServicesEndEndsStreams() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let (live, written) = (try self.live(harness), Written())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await live.follow(live.topicsOfJobs(), session: alice.cookie, into: written) }
                try await eventually("the stream to begin") { !written.text.isEmpty }
                harness.core.changes.end()
                try await group.waitForAll()
            }
            #expect(written.changes == 0)
        }
    }

    // MARK: - How many

    @Test func aUserHasSoManyStreamsAndNoMore() {
        let streams = LiveStreams()
        var places = (0..<LiveStreams.perUser).compactMap { _ in streams.enter(1) }
        #expect(places.count == LiveStreams.perUser)
        #expect(streams.enter(1) == nil)
        #expect(streams.enter(2) != nil)
        places[0].leave()
        places[0].leave()
        #expect(streams.count(of: 1) == LiveStreams.perUser - 1)
        places.append(contentsOf: [streams.enter(1)].compactMap { $0 })
        #expect(streams.enter(1) == nil)
        // A response that nobody ever wrote.
        places.removeAll()
        #expect(streams.count(of: 1) == 0 && streams.count(of: 2) == 0)
    }

    @Test func streamsAreForThoseWhoMay() async throws {
        try await withService { _, client in
            _ = try await Session.logIn(client, as: "alice").create()
            for (user, path, status) in [
                ("basil", "jobs", 403), ("basil", "machine/m1", 403), ("bob", "job/1", 404), ("rita", "job/1", 403),
                ("rita", "machine/none", 404), ("alice", "job/x", 404),
            ] {
                let reply = try await Session.logIn(client, as: user).page("events/\(path)")
                #expect(reply.status.code == status, "\(user) \(path)")
            }
        }
    }
}

extension LiveEvents {
    @concurrent
    fileprivate func follow(
        _ topics: Topics, session: String?, until: Timestamp? = nil, into written: LiveEventsTests.Written
    ) async throws {
        var writer: any ResponseBodyWriter = LiveEventsTests.Writer(written: written)
        // One whose session is over was somebody all the same.
        let user = try await self.pages.core.store.user(named: "bob")
        var known: SessionRecord?
        if let session { known = try await self.pages.core.store.session(id: Sessions.key(session)) }
        guard let user = known?.user ?? user?.user else { return }
        try await self.follow(
            topics, for: Caller(user: user, session: session, until: until ?? known?.expiresAt), into: &writer)
    }
}
