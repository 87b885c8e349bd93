//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SpallocAPI
import SpallocServer
import Testing

/// The service on a socket of its own.
@Suite(.serialized, .timeLimit(.minutes(3))) struct LiveTests {
    private func running(
        configure: (inout SpallocServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Harness, Int) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let harness = try await buildHarness(in: directory, configure: configure)
        let (ports, announce) = AsyncStream<Int>.makeStream()
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: Running(harness: harness, announce: announce))], logger: quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for await port in ports {
                try await body(harness, port)
                break
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private struct Running: Service {
        let harness: Harness
        let announce: AsyncStream<Int>.Continuation
        func run() async throws {
            defer { self.announce.finish() }
            try await self.harness.application.run { port in self.announce.yield(port) }
        }
    }

    @Test func itAnswersAndShutsDownWhileAPollWaits() async throws {
        let started = ContinuousClock.now
        try await self.running(configure: { $0.timings.longPoll = .seconds(600) }) { harness, port in
            #expect(port > 0)
            let client = TestClient(host: "127.0.0.1", port: port)
            client.connect()
            let reply = try await client.get("/spalloc/system/login.html")
            #expect(reply.status == .ok)
            let health = try await client.get("/spalloc/system/health")
            #expect(health.status == .ok)
            let user = try #require(try await harness.store.user(named: "rita")).user
            let session = try await harness.application.sessions.logIn(user)
            let waiting = TestClient(host: "127.0.0.1", port: port)
            waiting.connect()
            let poll = Task {
                try await waiting.execute(
                    .init(
                        "/spalloc/srv/spalloc/machines/m1?wait=true", method: .get,
                        headers: [.cookie: "JSESSIONID=\(session.cookie)"]))
            }
            try await eventually("the poll to wait") { harness.core.changes.waiterCount == 1 }
            // The service goes down with this poll waiting: it must let it go, not wait ten minutes for it.
            poll.cancel()
        }
        #expect(ContinuousClock.now - started < .seconds(60))
    }

    @Test func aPortInUseIsSaidSo() async throws {
        try await self.running { _, port in
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let second = try await buildHarness(in: directory, configure: { $0.port = port })
            let error = await #expect(throws: SpallocServerError.self) { try await second.application.run { _ in } }
            #expect(error?.code == .cannotListen)
            #expect(error?.message == "cannot listen on 127.0.0.1:\(port): the port is in use")
        }
    }

    @Test(arguments: [("256.0.0.1", SpallocServerError.Code.cannotListen), ("192.0.2.1", .cannotListen)])
    func anAddressThatIsNotOursIsSaidSo(_ host: String, _ code: SpallocServerError.Code) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let harness = try await buildHarness(in: directory, configure: { $0.host = host })
        let error = await #expect(throws: SpallocServerError.self) { try await harness.application.run { _ in } }
        #expect(error?.code == code && error?.message.contains(host) == true)
    }

    @Test func aBadCertificateIsSaidSo() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("x.pem")
        try Data("no certificate".utf8).write(to: file)
        for (path, code) in [(file.path, "cannot be used"), ("/nowhere.pem", "cannot read /nowhere.pem")] {
            let error = await #expect(throws: SpallocServerError.self) {
                try await buildHarness(
                    in: directory, configure: { $0.tls = .init(certificateChainPath: path, privateKeyPath: path) })
            }
            #expect(error?.code == .tls && error?.message.contains(code) == true)
        }
    }
}
