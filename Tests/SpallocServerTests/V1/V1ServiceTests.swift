//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNakerWire
import Testing

/// The port: bytes as they come, peers as they are.
@Suite(.timeLimit(.minutes(3))) struct V1ServiceTests {
    @Test func itIsOffUnlessItIsOn() async throws {
        try await withService { harness, _ in
            #expect(harness.application.v1 == nil && harness.application.v1Port == nil)
        }
    }

    @Test func piecesAndPipelines() async throws {
        try await withV1 { _, _, client async throws in
            for byte in #"{"command":"version"}"# { try await client.send(String(byte)) }
            try await client.send("\r\n")
            #expect(try await client.reply() == "1.0.0")
            // A hundred at once, answered in their order.
            let job = try await client.create()
            var text = ""
            for number in 0..<50 {
                text += #"{"command":"get_job_state","args":[\#(number.isMultiple(of: 2) ? job : 999)]}"# + "\n\n"
                text += #"{"command":"version","kwargs":{"client":3},"more":[]}"# + "\n"
            }
            try await client.send(text)
            for number in 0..<50 {
                let state = try V1JobState(try await client.reply())
                #expect((state.state == .unknown) == !number.isMultiple(of: 2))
                #expect(try await client.reply() == "1.0.0")
            }
        }
    }

    @Test func badLinesCloseTheirConnectionOnly() async throws {
        try await withV1 { harness, _, client async throws in
            for line in ["what?", "{}", #"{"command":"make_tea"}"#, "\u{0}\u{1}", String(repeating: "[", count: 5000)] {
                let bad = try await harness.v1Client()
                try await bad.send(#"{"command":"version"}"# + "\n" + line + "\n" + #"{"command":"version"}"# + "\n")
                #expect(try await bad.reply() == "1.0.0")
                await #expect(throws: V1TestClient.Closed.self) { try await bad.reply() }
                try await bad.close()
            }
            #expect(try await client.call("version") == "1.0.0")
        }
    }

    @Test func endlessLinesAreClosed() async throws {
        try await withV1 { harness, _, client async throws in
            let bad = try await harness.v1Client()
            // Whether all of it can be sent depends on when it is closed.
            try? await bad.send(String(repeating: "x", count: 1 << 20))
            try await bad.closed()
            #expect(try await client.call("version") == "1.0.0")
        }
    }

    @Test func halfAConnectionIsAnswered() async throws {
        try await withV1 { harness, _, _ async throws in
            let half = try await harness.v1Client()
            try await half.send(
                #"{"command":"create_job","kwargs":{"owner":"me"}}"# + "\n" + #"{"command":"version"}"# + "\nand half a line")
            try await half.channel.close(mode: .output)
            #expect(try await half.reply() == 1)
            #expect(try await half.reply() == "1.0.0")
            try await half.closed()
        }
    }

    /// The original's server thread ends at this (v1-protocol.md §11.1).
    @Test func twoCommandsAndGone() async throws {
        try await withV1 { harness, _, client async throws in
            for _ in 0..<30 {
                let rude = try await harness.v1Client()
                try await rude.send(#"{"command":"list_jobs"}"# + "\n" + #"{"command":"list_machines"}"# + "\n")
                try await rude.close()
            }
            #expect(try await client.call("version") == "1.0.0")
            try await eventually("the connections to be forgotten") { harness.application.v1?.connectionCount == 1 }
        }
    }

    /// One that asks and does not read: it alone waits, what it costs is bounded, and its time is limited.
    @Test func aStalledReaderHindersNobody() async throws {
        try await withV1(machines: [machineDefinition(8, 8)], configure: { $0.v1.stall = .milliseconds(300) }) {
            harness, _, client async throws in
            let job = try await client.create([8, 8])
            _ = try await client.wait(job, for: .ready)
            let stalled = try await harness.v1Client(reads: false)
            let line = #"{"command":"get_job_machine_info","args":[\#(job)]}"# + "\n"
            // Some 10 kB each: more than the sockets' buffers take.
            try? await stalled.send(String(repeating: line, count: 2000))
            for _ in 0..<20 { #expect(try await client.call("version") == "1.0.0") }
            try await eventually("the stalled reader to be closed") { harness.application.v1?.connectionCount == 1 }
            #expect(try await client.state(job).state == .ready)
            try? await stalled.close()
        }
    }

    @Test func manyConnections() async throws {
        try await withV1 { harness, _, client async throws in
            var others: [V1TestClient] = []
            for _ in 0..<150 { others.append(try await harness.v1Client()) }
            for other in others { try await other.send(#"{"command":"notify_job"}"# + "\n") }
            for other in others { #expect(try await other.reply() == nil) }
            let job = try await client.create()
            for other in others { #expect(try await other.notification() == .jobsChanged([job])) }
            for other in others { try await other.close() }
            try await eventually("the connections to be forgotten") { harness.application.v1?.connectionCount == 1 }
        }
    }

    /// Whoever opens connections and leaves them keeps nobody out.
    @Test func theLongestSilentMakesPlace() async throws {
        try await withV1(configure: { $0.v1.maximumConnections = 3 }) { harness, _, first async throws in
            let second = try await harness.v1Client()
            #expect(try await second.call("version") == "1.0.0")
            let third = try await harness.v1Client()
            #expect(try await third.call("version") == "1.0.0")
            #expect(try await first.call("version") == "1.0.0")
            let fourth = try await harness.v1Client()
            #expect(try await fourth.call("version") == "1.0.0")
            try await second.closed()
            for one in [first, third, fourth] { #expect(try await one.call("version") == "1.0.0") }
            for one in [third, fourth] { try await one.close() }
        }
    }

    /// Thirty-two clients, each with jobs of its own, at once.
    @Test func manyJobsAtOnce() async throws {
        try await withV1(machines: [machineDefinition(6, 6)]) { harness, _, client async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        let client = try await harness.v1Client()
                        for _ in 0..<3 {
                            let job = try await client.create()
                            _ = try await client.wait(job, for: .ready)
                            try await client.call("destroy_job", [.integer(job)])
                            try await client.call("no_notify_job", [.integer(job)])
                        }
                        try await client.close()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await client.list().isEmpty)
            #expect(try await client.create() == 97)
        }
    }

    // MARK: - Start and stop

    @Test func jobsOutliveTheService() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let bmp = FakeBMP()
        let machines = [machineDefinition(4, 4)]
        func run(_ body: @escaping @Sendable (V1TestClient) async throws -> Void) async throws {
            let harness = try await buildHarness(
                in: directory, machines: machines, bmp: bmp,
                configure: {
                    $0.v1.enabled = true
                    $0.v1.port = 0
                })
            try await harness.application.application().test(.router) { _ in
                await harness.application.v1?.waitUntilListening()
                let client = try await harness.v1Client()
                try await body(client)
                try await client.close()
            }
            try harness.store.close()
        }
        try await run { client in
            let whole = try await client.create([4, 4], ["owner": "a", "keepalive": nil])
            _ = try await client.wait(whole, for: .ready)
            // Queued, with a rule that only this port knows.
            _ = try await client.create([24], ["owner": "b", "min_ratio": 1.0])
        }
        try await run { client in
            let list = try await client.list()
            #expect(list.map(\.owner) == ["a", "b"] && list.map(\.state) == [.ready, .queued])
            #expect(list.map(\.keepalive) == [nil, 60] && list[1].kwargs == ["min_ratio": 1.0] && list[1].args == [24])
            try await client.call("destroy_job", [1])
            _ = try await client.wait(2, for: .ready)
            let info = try await client.info(2)
            #expect(info.width == 40 && info.height == 40)
        }
    }

    @Test func aPortInUseIsNamed() async throws {
        try await withV1 { harness, _, _ async throws in
            let port = try #require(harness.application.v1Port)
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let second = try await buildHarness(
                in: directory,
                configure: {
                    $0.v1.enabled = true; $0.v1.port = port
                })
            let error = await #expect(throws: SpallocServerError.self) { try await second.application.run() }
            #expect(
                error?.code == .cannotListen && error?.message.contains("127.0.0.1:\(port) for v1: the port is in use") == true)
        }
    }

    /// The whole service, with its HTTP port: it is ready when both listen, and a shutdown does not wait for clients.
    @Test func readyMeansBoth() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let harness = try await buildHarness(
            in: directory,
            configure: {
                $0.v1.enabled = true; $0.v1.port = 0
            })
        let (ready, announce) = AsyncStream<Int>.makeStream()
        let application = harness.application
        let run = Task { try await application.run { announce.yield($0) } }
        var iterator = ready.makeAsyncIterator()
        _ = await iterator.next()
        #expect(application.v1Port != nil)
        let client = try await harness.v1Client()
        #expect(try await client.call("version") == "1.0.0")
        run.cancel()
        try? await run.value
        try await client.closed()
        await #expect(throws: (any Error).self) { try await harness.v1Client() }
    }

    /// The service's user is made without a password, or is one that is there.
    @Test func theServiceUser() async throws {
        try await withV1 { harness, http, client async throws in
            let user = try #require(try await harness.store.user(named: "v1"))
            #expect(user.password == nil && user.user.trustLevel == .user)
            await #expect(throws: LoginRefused.self) { try await Session.logIn(http, as: "v1", password: "") }
            let job = try await client.create()
            #expect(try await harness.store.job(job)?.owner == "v1")
        }
        try await withV1(configure: { $0.v1.serviceUser = "alice" }) { harness, http, client async throws in
            let job = try await client.create()
            // It can see its jobs by HTTP, and the port has those that were made there.
            let session = try await Session.logIn(http, as: "alice")
            _ = try await session.wait(job, for: [.ready])
            let other = try await session.create()
            #expect(try await client.list().map(\.owner) == ["someone", "alice"])
            #expect(try await client.wait(other, for: .ready).keepalive == 120)
        }
    }

    @Test func settingsAreChecked() async throws {
        for change in [
            { $0.v1.port = 70000 }, { $0.v1.serviceUser = " " }, { $0.v1.maximumConnections = 0 }, { $0.v1.maximumJobs = 0 },
            { $0.v1.stall = .zero },
        ] as [(inout SpallocServerConfiguration) -> Void] {
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            await #expect(throws: SpallocServerError.self) { try await buildHarness(in: directory, configure: change) }
        }
    }

    @Test func theConfigurationFile() throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("spallocd.json")
        func load(_ v1: String) throws -> SpallocServerConfiguration.V1 {
            try Data(#"{"database":"x.sqlite"\#(v1)}"#.utf8).write(to: file)
            return try SpallocDaemon.configuration(from: file.path).v1
        }
        #expect(try load("") == SpallocServerConfiguration.V1())
        let v1 = try load(
            #","v1":{"enabled":true,"host":"0.0.0.0","port":1,"service-user":"x","maximum-connections":2,"maximum-jobs":3,"stall":4}"#
        )
        #expect(v1.enabled && v1.host == "0.0.0.0" && v1.port == 1 && v1.serviceUser == "x")
        #expect(v1.maximumConnections == 2 && v1.maximumJobs == 3 && v1.stall == .seconds(4))
        let error = #expect(throws: SpallocServerError.self) { try load(#","v1":{"enable":true}"#) }
        #expect(error?.message.contains("did you mean \"enabled\"") == true)
    }
}
