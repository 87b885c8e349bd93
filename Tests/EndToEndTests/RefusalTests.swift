//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import SpallocClient
import SpallocDemo
import SpallocServer
import SpiNNakerMachine
import Testing

extension EndToEnd {
    /// What can not be had is refused, in words that say why and keep secrets.
    @Suite struct RefusalTests {
        private func logIn(
            _ url: String, _ user: String, _ password: String, _ configuration: SpallocClientConfiguration
        ) async throws {
            try await withSpallocClient(
                url: url, credentials: .password(user: user, password), configuration: configuration
            ) { _ in }
        }

        @Test func aWrongPassword() async throws {
            try await House.run { house in
                for user in [house.access.user, "nobody"] {
                    let error = await #expect(throws: SpallocError.self) {
                        try await self.logIn(house.access.url, user, "xyzzy-17", house.clientConfiguration)
                    }
                    #expect(error?.code == .loginRefused)
                    #expect(error?.description.contains("xyzzy-17") == false)
                    #expect(error?.description.contains("\n") == false)
                }
                // One wrong password locks nobody out.
                try await house.asClient { _ = try await $0.version() }
            }
        }

        /// TLS is refused before anything is sent: the service, which locks at the first wrong password, never hears of it.
        @Test func anUnknownCertificateAuthorityGetsNoPassword() async throws {
            try await House.run(.quick { $0.lockout.failures = 1 }) { house in
                try await House.run { stranger in
                    for trust in [
                        SpallocClientConfiguration.Trust.system, .certificateAuthorities(file: stranger.access.caFile),
                    ] {
                        let error = await #expect(throws: SpallocError.self) {
                            try await self.logIn(house.access.url, house.access.user, "xyzzy-17", .init(trust: trust))
                        }
                        #expect(error?.code == .untrustedServer)
                        #expect(error?.description.contains("certificate") == true, "\(String(describing: error))")
                        #expect(error?.description.contains("xyzzy-17") == false)
                    }
                }
                try await house.asClient { _ = try await $0.version() }
            }
        }

        @Test func aCAFileThatIsNone() async throws {
            for path in ["/nowhere/ca.pem", #filePath] {
                let error = await #expect(throws: SpallocError.self) {
                    try await self.logIn(
                        "https://localhost:1/spalloc/", "demo", "xyzzy-17", .init(trust: .certificateAuthorities(file: path)))
                }
                #expect(error?.code == .invalidConfiguration)
                #expect(error?.description.contains(path) == true)
            }
        }

        @Test func aServiceThatIsDown() async throws {
            try await withTemporaryDirectory { directory in
                let was = NIOLockedValueBox<DemoHouse.Access?>(nil)
                try await House.run(.quick(stateDirectory: directory.path)) { house in
                    was.withLockedValue { $0 = house.access }
                }
                let access = try #require(was.withLockedValue { $0 })
                let error = await #expect(throws: SpallocError.self) {
                    try await self.logIn(
                        access.url, access.user, access.password, .init(trust: .certificateAuthorities(file: access.caFile)))
                }
                #expect(error?.code == .connectionRefused)
                let port = try #require(URL(string: access.url)?.port)
                #expect(error?.description.contains("localhost:\(port)") == true, "\(String(describing: error))")
            }
        }

        @Test func aJobThatCanNeverBe() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let requests: [(SpallocJobRequest, SpallocError.Code, String)] = [
                        (.boards(4), .requestRefused, "board"),
                        (.rectangle(width: 2, height: 1), .requestRefused, "2"),
                        (.board(.triad(BoardCoordinates(5, 5, 0))), .boardUnavailable, "board"),
                        (.boards(1).on(.named("enigma")), .requestRefused, "enigma"),
                        (.boards(1).on(.tagged(["blue"])), .requestRefused, "blue"),
                    ]
                    for (request, code, word) in requests {
                        let error = await #expect(throws: SpallocError.self) { _ = try await client.createJob(request) }
                        #expect(error?.code == code, "\(request): \(String(describing: error))")
                        // The service says why, not only that.
                        #expect(error?.serverMessage?.contains(word) == true, "\(request): \(String(describing: error))")
                    }
                    // Refused means: there is no such job, not even one that waits for ever.
                    for try await job in client.jobs(includingDestroyed: true) { Issue.record("\(job) was made") }
                }
            }
        }

        @Test func malformedJSON() async throws {
            try await House.run { house in
                try await RawService.with(house) { service in
                    let bodies = [
                        "", "{", "{\"num-boards\":", "[]", "\"three\"", "\u{0}\u{1}", "{\"num-boards\":\"three\"}",
                        "{\"num-boards\":1e99,\"keepalive-interval\":\"PT60S\"}",
                        "{\"num-boards\":1,\"keepalive-interval\":\"soon\"}",
                        "{\"num-boards\":1,\"keepalive-interval\":\"PT60S\",\"no-such-key\":1}",
                        String(repeating: "[", count: 100_000),
                    ]
                    for body in bodies {
                        let answer = try await service.call(.POST, "jobs/", body: body)
                        #expect(answer.status == 400, "\(body.prefix(60)): \(answer)")
                        #expect(answer.type.hasPrefix("text/plain"), "\(body.prefix(60)): \(answer)")
                        #expect(!answer.text.isEmpty && answer.text.utf8.count < 1000, "\(answer)")
                    }
                    let good = try await service.call(
                        .POST, "jobs/", body: "{\"num-boards\":1,\"keepalive-interval\":\"PT60S\",\"tags\":[\"default\"]}")
                    #expect(good.status == 201, "\(good)")
                    let power = try await service.call(.POST, "jobs/1/machine/power", body: "{\"power\":\"SIDEWAYS\"}")
                    // 204 while it has no boards yet.
                    #expect([400, 204].contains(power.status), "\(power)")
                    #expect(try await service.call(.GET, "jobs/").status == 200)
                }
            }
        }
    }
}
