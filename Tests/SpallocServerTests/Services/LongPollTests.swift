//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct LongPollTests {
    /// A client that polls sees every state that lasts, however the changes fall between its polls.
    @Test func aChangeBetweenTwoPollsIsSeenAtOnce() async throws {
        try await withService(configure: { $0.timings.longPoll = .seconds(600) }) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            let ready = try await session.wait(job, for: [.ready])
            #expect(ready.state == .ready)
            // It ends while nobody waits; the next poll must not wait ten minutes.
            #expect(try await session.execute(.delete, "jobs/\(job)").status == .noContent)
            let end = try await session.get(JobDescription.self, "jobs/\(job)?wait=True")
            #expect(end.state == .destroyed)
            // And those after it neither, as in the reference.
            #expect(try await session.get(JobDescription.self, "jobs/\(job)?wait=true").state == .destroyed)
        }
    }

    @Test func anEntityTagSaysWhatIsKnown() async throws {
        try await withService(configure: { $0.timings.longPoll = .seconds(600) }) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            let ready = try await session.wait(job, for: [.ready])
            #expect(ready.state == .ready)
            let reply = try await session.execute(.get, "jobs/\(job)")
            let tag = try #require(reply.headers[.eTag])
            // An older tag than the present one: at once.
            #expect(
                try await session.execute(.get, "jobs/\(job)?wait=true", headers: [.ifNoneMatch: "\"1\""]).headers[.eTag] == tag
            )
            async let waiting = session.execute(.get, "jobs/\(job)?wait=true", headers: [.ifNoneMatch: tag])
            #expect(
                try await session.execute(.post, "jobs/\(job)/machine/power", body: #"{"power":"OFF"}"#).status == .accepted)
            let changed = try await waiting
            #expect(changed.headers[.eTag] != tag)
        }
    }

    @Test func withoutAChangeTheAnswerComesAfterTheTime() async throws {
        try await withService(configure: { $0.timings.longPoll = .milliseconds(50) }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let reply = try await session.execute(.get, "jobs/\(job)?wait=true")
            #expect(reply.status == .ok)
            #expect(harness.core.changes.waiterCount == 0)
        }
    }

    @Test func theListSeesNewJobs() async throws {
        try await withService(configure: { $0.timings.longPoll = .seconds(600) }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            _ = try await session.create()
            let answered = NIOLockedValueBox(false)
            async let list = {
                defer { answered.withLockedValue { $0 = true } }
                return try await session.get(JobList.self, "jobs?wait=true")
            }()
            // The allocation of the first job may have been news enough.
            try await eventually("somebody to wait, or an answer") {
                harness.core.changes.waiterCount > 0 || answered.withLockedValue { $0 }
            }
            // Allocation or creation, whichever comes first, wakes it.
            _ = try await session.create()
            #expect(try await !list.jobs.isEmpty)
        }
    }

    @Test func aMachineIsWaitedFor() async throws {
        try await withService(configure: { $0.timings.longPoll = .seconds(600) }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            async let detail = session.get(MachineDetail.self, "machines/m1?wait=true")
            try await eventually("somebody to wait") { harness.core.changes.waiterCount > 0 }
            _ = try await session.create()
            #expect(try await detail.name == "m1")
        }
    }
}
