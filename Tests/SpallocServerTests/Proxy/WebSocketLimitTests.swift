//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOHTTP1
import SpallocAPI
import Testing

@testable import SpallocServer

/// How many websockets one user may have.
@Suite(.timeLimit(.minutes(3))) struct WebSocketLimitTests {
    @Test func theRegistryCountsPerUserOverAllJobs() {
        let registry = ProxyRegistry()
        do {
            let held = [registry.admit(job: 1, user: 7, limit: 2), registry.admit(job: 2, user: 7, limit: 2)]
            #expect(held.allSatisfy { $0 != nil } && registry.count(user: 7) == 2)
            #expect(registry.admit(job: 3, user: 7, limit: 2) == nil)
            #expect(registry.count(user: 7) == 2, "one that was refused does not count")
            #expect(registry.admit(job: 1, user: 8, limit: 2) != nil, "another user has a limit of their own")
            // What ends is left twice, by its end and by the last reference.
            held[0]?.detach()
            #expect(registry.count(user: 7) == 1)
        }
        #expect(registry.count(user: 7) == 0 && registry.count(user: 8) == 0)
    }

    @Test func oneMoreIsRefusedWith429AndRoomComesBack() async throws {
        try await withService(configure: { $0.websocketsPerUser = 1 }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let application = harness.application
            let authoriser = ProxyAuthoriser(
                core: harness.core, sessions: application.sessions, logins: application.logins, registry: application.registry)
            let head = HTTPRequestHead(
                version: .http1_1, method: .GET, uri: "/spalloc/proxy/\(job)",
                headers: ["cookie": "JSESSIONID=\(session.cookie)"])
            func status(_ decision: UpgradeDecision) -> UInt? {
                if case .refuse(let status, _, _) = decision { status.code } else { nil }
            }
            do {
                let first = await authoriser.decide(head)
                guard case .accept(let accepted) = first else { throw TimedOut(what: "the first websocket: \(first)") }
                #expect(status(await authoriser.decide(head)) == 429)
                // The administrator's reload gives room at once.
                harness.core.configuration.websocketsPerUser = 2
                if case .refuse = await authoriser.decide(head) { Issue.record("the new limit is not in force") }
                harness.core.configuration.websocketsPerUser = 1
                #expect(accepted.admission.job == job)
            }
            guard case .accept = await authoriser.decide(head) else { throw TimedOut(what: "room for a websocket") }
        }
    }

    /// As `spallocd user disable` does it, in another process: the service finds out by itself.
    @Test func aDisabledUserLosesTheirWebSockets() async throws {
        try await withService { harness, client in
            let registry = harness.application.registry
            var users: [String: Int64] = [:]
            for name in ["alice", "bob"] { users[name] = try await harness.store.user(named: name)?.user.id }
            let (alice, bob) = (try #require(users["alice"]), try #require(users["bob"]))
            let held = [
                registry.admit(job: 1, user: alice, limit: 9), registry.admit(job: 2, user: alice, limit: 9),
                registry.admit(job: 1, user: bob, limit: 9),
            ].compactMap { $0 }
            #expect(registry.users == [alice, bob])
            try await harness.application.closeWebSocketsOfTheDisabled()
            #expect(held.allSatisfy { !$0.isEnded }, "nobody is disabled")
            var configuration = harness.core.configuration
            configuration.users = []
            try await Administration.with(configuration) { try await $0.setEnabled(false, user: "alice") }
            harness.core.expiryNudge.signal()
            try await eventually("the websockets to end") { held[0].isEnded && held[1].isEnded }
            #expect(!held[2].isEnded, "another user's, of the same job, stay")
        }
    }

    /// A refusal for another reason must not use up the limit.
    @Test func whatIsRefusedDoesNotCount() async throws {
        try await withService(configure: { $0.websocketsPerUser = 1 }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let application = harness.application
            let authoriser = ProxyAuthoriser(
                core: harness.core, sessions: application.sessions, logins: application.logins, registry: application.registry)
            for _ in 0..<3 {
                let head = HTTPRequestHead(
                    version: .http1_1, method: .GET, uri: "/spalloc/proxy/99",
                    headers: ["cookie": "JSESSIONID=\(session.cookie)"])
                guard case .refuse(let status, _, _) = await authoriser.decide(head) else {
                    throw TimedOut(what: "a refusal")
                }
                #expect(status == .notFound)
            }
        }
    }
}
