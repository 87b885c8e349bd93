//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpallocServer

/// What is answered on the event loop, and what has to go to the database.
@Suite(.timeLimit(.minutes(2))) struct V1DeskTests {
    @Test func aStateInMemoryIsAnsweredAtOnce() async throws {
        let clock = TurnedClock()
        try await withV1(clock: clock.now) { harness, http, client async throws in
            let job = try await client.create([], ["owner": "me", "keepalive": 30])
            let state = try await client.wait(job, for: .ready)
            let desk = try await V1Desk(core: harness.core)
            func answer(_ job: Int, host: String = "127.0.0.1") -> V1Reply? {
                desk.answerAtOnce(.getJobState(job: job), host: host)
            }
            #expect(answer(job) == .returned(state.json))
            // From elsewhere, and after a while, the question keeps the job alive: that is to be written down.
            #expect(answer(job, host: "127.0.0.2") == nil)
            clock.advance(.seconds(1))
            #expect(answer(job) == nil)
            #expect(try await client.state(job) == state)
            #expect(answer(job) == .returned(state.json))
            #expect(answer(job + 1) == nil, "whether there is one, only the database knows")

            // What is over stays over, at any time.
            try await client.call("destroy_job", [.integer(job)], ["reason": "enough"])
            clock.advance(.seconds(3600))
            #expect(answer(job) == .returned(V1JobState(state: .destroyed, reason: "enough").json))
        }
    }

    /// Jobs of users of the service are none of this port's.
    @Test func othersJobsAreUnknownHere() async throws {
        try await withV1 { harness, http, client async throws in
            let session = try await Session.logIn(http, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            #expect(try await client.state(job).state == .unknown)
            let desk = try await V1Desk(core: harness.core)
            #expect(desk.answerAtOnce(.getJobState(job: job), host: "127.0.0.1") == nil)
        }
    }

    @Test func whatDoesNotChangeIsAnsweredAtOnce() async throws {
        try await withV1 { harness, _, _ async throws in
            let desk = try await V1Desk(core: harness.core)
            #expect(desk.answerAtOnce(.version, host: nil) == .returned("1.0.0"))
            #expect(
                desk.answerAtOnce(.getBoardPosition(machine: "m1", BoardCoordinates(0, 0, 2)), host: nil)
                    == .returned([0, 0, 2]))
            #expect(desk.answerAtOnce(.listMachines, host: nil) == nil)
        }
    }
}
