//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import Testing

/// What a reverse proxy says counts if the proxy is trusted, and only then.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ForwardedTests {
    private static let headers: HTTPFields = [.forwardedProto: "https", .forwardedFor: "6.6.6.6, 192.0.2.7"]

    /// The service on a socket: all requests come from 127.0.0.1.
    private func withSocket(
        trusting: [String], _ body: @escaping @Sendable (Session, Harness) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let harness = try await buildHarness(
            in: directory, configure: { $0.trustedProxies = trusting.compactMap { AddressRange($0) } })
        try await harness.application.application().test(.live) { client in
            try await body(try await Session.logIn(client, as: "alice"), harness)
        }
    }

    private func create(_ session: Session) async throws -> Int {
        var headers = Self.headers
        headers[.contentType] = "application/json"
        let reply = try await session.execute(.post, "jobs", body: #"{"keepalive-interval":60}"#, headers: headers)
        return try #require(Int(reply.headers[.location]?.split(separator: "/").last ?? ""))
    }

    @Test func aTrustedProxyIsBelieved() async throws {
        try await self.withSocket(trusting: ["10.0.0.0/8", "127.0.0.1"]) { session, _ in
            let root = try await session.execute(.get, "", headers: Self.headers)
            #expect(root.text.contains(#""jobs-ref":"https://"#))
            let job = try await self.create(session)
            _ = try await session.wait(job, for: [.ready])
            let state = try await session.execute(.get, "jobs/\(job)", headers: Self.headers)
            #expect(state.text.contains(#""proxy-ref":"wss://"#) && state.text.contains(#""machine-ref":"https://"#))
            #expect(state.text.contains(#""keepalive-host":"192.0.2.7""#), "what stands before that was written by strangers")
            let plain = try await session.execute(.get, "jobs/\(job)")
            #expect(plain.text.contains(#""proxy-ref":"ws://"#))
        }
    }

    @Test(arguments: [[], ["10.0.0.0/8"]]) func everybodyElseIsNot(trusted: [String]) async throws {
        try await self.withSocket(trusting: trusted) { session, harness in
            let root = try await session.execute(.get, "", headers: Self.headers)
            #expect(root.text.contains(#""jobs-ref":"http://"#))
            let job = try await self.create(session)
            let host = try await session.get(JobDescription.self, "jobs/\(job)").keepaliveHost
            #expect(host == "127.0.0.1")
            // From now on it is.
            var changed = harness.core.configuration
            changed.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap { $0 }
            try await harness.application.reload(changed)
            let again = try await session.execute(.get, "", headers: Self.headers)
            #expect(again.text.contains(#""jobs-ref":"https://"#))
        }
    }

    @Test func theClientIsTheLastThatIsNoProxy() {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) }
        func client(_ values: String...) -> String { Forwarded.client(values, peer: "127.0.0.1", trusted: trusted) }
        #expect(client() == "127.0.0.1")
        #expect(client("192.0.2.7") == "192.0.2.7")
        #expect(client("6.6.6.6, 192.0.2.7") == "192.0.2.7")
        #expect(client("6.6.6.6,192.0.2.7 , 10.1.2.3", "fd00::1") == "192.0.2.7", "two proxies of ours, two fields")
        #expect(client("10.1.2.3, 10.1.2.4") == "10.1.2.3", "within the house")
        #expect(client("192.0.2.7, unknown") == "127.0.0.1", "what is no address ends it")
        #expect(client("") == "127.0.0.1")
        #expect(client("<script>, 2001:db8::1") == "2001:db8::1")
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false), ("127.0.0.1", "::ffff:127.0.0.1", true),
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.128/25", "192.0.2.200", true), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fc00::1", false), ("::1", "0:0:0:0:0:0:0:1", true),
        ("127.0.0.1", "localhost", false),
    ])
    func ranges(range: String, address: String, isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isInside)
    }

    @Test(arguments: [
        "", "localhost", "127.0.0.1/33", "127.0.0.1/", "127.0.0.1/-1", "127.0.0.1/+8", "::1/129", "127.0.0.1/8/8",
    ])
    func whatIsNoRange(text: String) {
        #expect(AddressRange(text) == nil)
    }
}

extension HTTPField.Name {
    static var forwardedProto: Self { Self("X-Forwarded-Proto") ?? .accept }
    static var forwardedFor: Self { Self("X-Forwarded-For") ?? .accept }
}
