//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing

/// `/metrics`: what it says, and to whom.
@Suite(.timeLimit(.minutes(3))) struct MetricsPageTests {
    private static func basic(_ user: String) -> HTTPFields {
        [.authorization: "Basic \(Data("\(user):\(Harness.password(of: user))".utf8).base64EncodedString())"]
    }

    private func page(_ client: any TestClientProtocol) async throws -> Set<String> {
        let reply = try await client.execute(uri: "/metrics", method: .get, headers: Self.basic("root"))
        #expect(reply.status == .ok && reply.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        return Set(reply.text.split(separator: "\n").map(String.init))
    }

    @Test func onlyAdministratorsSeeIt() async throws {
        try await withService { _, client in
            for (headers, status) in [
                (HTTPFields(), HTTPResponse.Status.unauthorized), (Self.basic("alice"), .forbidden),
                (Self.basic("rita"), .forbidden),
                (Self.basic("root"), .ok),
            ] {
                let reply = try await client.execute(uri: "/metrics", method: .get, headers: headers)
                #expect(reply.status == status)
                #expect(reply.text.contains("spalloc_jobs") == (status == .ok), "nothing leaks with \(status)")
            }
        }
    }

    @Test func itCanBeSwitchedOff() async throws {
        try await withService(configure: { $0.metrics.enabled = false }) { _, client in
            let reply = try await client.execute(uri: "/metrics", method: .get, headers: Self.basic("root"))
            #expect(reply.status == .notFound)
        }
    }

    @Test func itFollowsAJob() async throws {
        try await withService(machines: [machineDefinition(deadBoards: [BoardCoordinates(0, 0, 2)])]) { harness, client in
            let before = try await self.page(client)
            for line in [
                "spalloc_jobs{state=\"QUEUED\"} 0", "spalloc_jobs{state=\"READY\"} 0", "spalloc_jobs_created_total 0",
                "spalloc_boards{machine=\"m1\",state=\"free\"} 2", "spalloc_boards{machine=\"m1\",state=\"out_of_service\"} 1",
                "spalloc_boards_powered{machine=\"m1\"} 0", "spalloc_proxy_channels 0", "spalloc_long_polls 0",
            ] { #expect(before.contains(line), "\(line)") }

            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let during = try await self.page(client)
            for line in [
                "spalloc_jobs{state=\"READY\"} 1", "spalloc_jobs_created_total 1",
                "spalloc_boards{machine=\"m1\",state=\"free\"} 1", "spalloc_boards{machine=\"m1\",state=\"allocated\"} 1",
                "spalloc_boards_powered{machine=\"m1\"} 1", "spalloc_power_changes_waiting 0",
                "spalloc_power_commands_total{command=\"power on\",result=\"done\"} 1",
                "spalloc_power_commands_total{command=\"FPGA flag\",result=\"done\"} 3",
                "spalloc_http_requests_total{method=\"POST\",route=\"/spalloc/srv/spalloc/jobs\",status=\"201\"} 1",
            ] { #expect(during.contains(line), "\(line) in\n\(during.sorted().joined(separator: "\n"))") }

            _ = try await session.execute(.delete, "jobs/\(job)?reason=over")
            try await eventually("the board to be free") {
                try await self.page(client).contains("spalloc_boards{machine=\"m1\",state=\"free\"} 2")
            }
            let after = try await self.page(client)
            #expect(after.contains("spalloc_jobs{state=\"READY\"} 0") && after.contains("spalloc_jobs_created_total 1"))
        }
    }

    @Test func commandsThatFailAreCounted() async throws {
        try await withService { harness, client in
            harness.bmp.set { $0.silent = 1 }
            let session = try await Session.logIn(client, as: "alice")
            _ = try await session.wait(try await session.create(), for: [.ready])
            let page = try await self.page(client)
            #expect(page.contains("spalloc_power_commands_total{command=\"power on\",result=\"unreachable\"} 1"))
            #expect(page.contains("spalloc_power_commands_total{command=\"power on\",result=\"done\"} 1"))
        }
    }

    /// Whoever asks for a thousand addresses must not make a thousand metrics.
    @Test func addressesThatAreNoneMakeOneMetric() async throws {
        try await withService { _, client in
            for path in 0..<20 {
                _ = try await client.execute(uri: "/nothing/\(path)", method: .get)
                _ = try await client.execute(
                    uri: "/spalloc/srv/spalloc/jobs/\(path)", method: .get, headers: Self.basic("alice"))
            }
            _ = try await client.execute(uri: "/x", method: .init("BREW") ?? .get)
            let counts = try await self.page(client).filter { $0.hasPrefix("spalloc_http_requests_total") }
            #expect(counts.count <= 4, "\(counts)")
            #expect(
                counts.contains("spalloc_http_requests_total{method=\"GET\",route=\"NotFound\",status=\"404\"} 20"), "\(counts)"
            )
            #expect(counts.contains { $0.contains("method=\"OTHER\"") }, "\(counts)")
        }
    }

    /// Every line is a comment or a sample, and each family is announced once, before its samples.
    @Test func thePageIsWellFormed() async throws {
        try await withService(configure: {
            $0.v1.enabled = true; $0.v1.port = 0
        }) { _, client in
            _ = try await self.page(client)
            let text = try await client.execute(uri: "/metrics", method: .get, headers: Self.basic("root")).text
            var families: [String] = []
            for line in text.split(separator: "\n") {
                if let (_, name) = line.wholeMatch(of: /# TYPE ([a-z_0-9]+) (?:counter|gauge|histogram)/)?.output {
                    #expect(!families.contains(String(name)), "\(name) twice")
                    families.append(String(name))
                } else if !line.hasPrefix("# HELP ") {
                    let sample = try #require(
                        line.wholeMatch(of: /([a-z_0-9]+)(?:\{(?:[a-z_]+="[^"\n]*",?)+\})? [-+.0-9e]+/), "\(line)")
                    let family = try #require(families.last)
                    #expect(sample.output.1.hasPrefix(family), "\(line) in \(family)")
                }
            }
            #expect(families.contains("spalloc_v1_connections") && families.contains("spalloc_http_request_duration_seconds"))
        }
    }

    /// Its own listener has the page without a login, and nothing else.
    @Test func itsOwnListenerHasNothingElse() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let harness = try await buildHarness(in: directory, configure: { $0.metrics.port = 0 })
        try await harness.application.application().test(.router) { _ in
            try await eventually("the metrics to listen") { harness.application.metricsPort != nil }
            let port = try #require(harness.application.metricsPort)
            let client = TestClient(host: "127.0.0.1", port: port)
            client.connect()
            let page = try await client.get("/metrics")
            #expect(page.status == .ok && page.body.map { String(buffer: $0) }?.contains("spalloc_jobs{") == true)
            for path in ["/spalloc/system/health", "/spalloc/srv/spalloc/jobs", "/spalloc/system/login.html", "/"] {
                let other = try await client.get(path)
                #expect(other.status == .notFound, "\(path)")
            }
            try await client.shutdown()
        }
    }
}
