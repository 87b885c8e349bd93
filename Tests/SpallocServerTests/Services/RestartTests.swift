//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct RestartTests {
    /// The service is gone from one moment to the next; on the same database, all is as it was.
    @Test func aReadyJobSurvives() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let bmp = FakeBMP()
        let before = try await buildHarness(in: directory, bmp: bmp)
        let (cookie, csrf, machine) = try await before.application.application().test(.router) { client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            return (session.cookie, session.csrf, try await session.get(JobMachine.self, "jobs/\(job)/machine"))
        }
        try before.store.close()
        let commands = bmp.log.count

        let after = try await buildHarness(in: directory, bmp: bmp)
        try await after.application.application().test(.router) { client in
            // The session too: cookie and token go on.
            let session = Session(client: client, cookie: cookie, csrf: csrf)
            #expect(try await session.get(JobDescription.self, "jobs/1").state == .ready)
            #expect(try await session.get(JobMachine.self, "jobs/1/machine") == machine)
            #expect(try await session.get(PowerDescription.self, "jobs/1/machine/power").power == .on)
            // Nobody touched the boards.
            #expect(bmp.log.count == commands && bmp.on == [0, 1, 2])
            #expect(try await session.execute(.delete, "jobs/1").status == .noContent)
            try await eventually("the boards to be off") { bmp.on.isEmpty }
        }
        try after.store.close()
    }

    /// The power of a job was being switched when the service died: it is switched by the next.
    @Test func powerWorkGoesOn() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let bmp = FakeBMP()
        let before = try await buildHarness(in: directory, bmp: bmp)
        // Created and placed, but no worker has run.
        let user = try #require(try await before.store.user(named: "alice")).user
        let request = CreateJobRequest(owner: "alice", keepaliveInterval: WireDuration(seconds: 60), numBoards: 3)
        let job = try await before.store.createJob(
            owner: user.id, request: request, wanted: try .init(request), keepalive: .seconds(60), host: nil,
            now: SystemClock.now()
        ).job
        #expect(try await before.store.allocate(now: SystemClock.now()).map(\.state) == [.power])
        try before.store.close()

        let after = try await buildHarness(in: directory, bmp: bmp)
        try await after.application.application().test(.router) { client in
            let session = try await Session.logIn(client, as: "alice")
            _ = try await session.wait(job, for: [.ready])
            #expect(bmp.on == [0, 1, 2])
        }
        try after.store.close()
    }

    @Test func aChangedPasswordOfTheConfigurationIsTaken() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try await buildHarness(in: directory).store.close()
        let after = try await buildHarness(in: directory, configure: { $0.users[0].password = "another" })
        try await after.application.application().test(.router) { client in
            await #expect(throws: LoginRefused.self) { try await Session.logIn(client, as: "alice") }
            _ = try await Session.logIn(client, as: "alice", password: "another")
        }
        try after.store.close()
    }
}
