//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocServer
import Testing

/// When the issuer is asked for its keys.
@Suite(.timeLimit(.minutes(1))) struct IssuerKeysTests {
    private static let configuration = SpallocServerConfiguration.OIDC(issuer: TestIssuer.address, audiences: ["spalloc"])
    private static let discovery = TestIssuer.address + "/.well-known/openid-configuration"
    private static let place = "https://id.example.org/keys"

    private func keys(
        _ issuer: TestIssuer, _ clock: TurnedClock, _ configuration: SpallocServerConfiguration.OIDC = Self.configuration
    ) -> IssuerKeys {
        IssuerKeys(configuration, clock: clock.now, fetch: issuer.fetch)
    }

    @Test func theyAreFoundAndKept() async throws {
        let (issuer, clock) = (try TestIssuer(), TurnedClock())
        let keys = self.keys(issuer, clock)
        for _ in 0..<3 { #expect(try await keys.keys(for: "k1").has("k1")) }
        #expect(issuer.requests == [Self.discovery, Self.place])
        clock.advance(.seconds(3599))
        _ = try await keys.keys(for: "k1")
        #expect(issuer.requests.count == 2)
        clock.advance(.seconds(1))
        _ = try await keys.keys(for: "k1")
        #expect(issuer.requests.count == 4, "a withdrawn key is not believed for ever")
    }

    @Test func anAddressThatIsGivenIsNotLookedFor() async throws {
        let issuer = try TestIssuer()
        var configuration = Self.configuration
        configuration.jwksURI = Self.place
        _ = try await self.keys(issuer, TurnedClock(), configuration).keys(for: "k1")
        #expect(issuer.requests == [Self.place])
    }

    @Test func aNewKeyIsFetchedButNotMoreThanOnceAMinute() async throws {
        let (issuer, clock) = (try TestIssuer(), TurnedClock())
        let keys = self.keys(issuer, clock)
        _ = try await keys.keys(for: "k1")
        clock.advance(.seconds(59))
        for index in 0..<100 { #expect(try await !keys.keys(for: "made up \(index)").has("made up \(index)")) }
        #expect(issuer.requests.count == 2, "anybody can name a key")
        issuer.publish([try issuer.key.jwk("k2")])
        clock.advance(.seconds(1))
        #expect(try await keys.keys(for: "k2").has("k2"))
        #expect(try await !keys.keys(for: "k1").has("k1"), "it is withdrawn")
        #expect(issuer.requests.count == 4)
    }

    @Test func whileTheIssuerIsDownTheOldOnesStay() async throws {
        let (issuer, clock) = (try TestIssuer(), TurnedClock())
        let keys = self.keys(issuer, clock)
        _ = try await keys.keys(for: "k1")
        issuer.set(down: true)
        clock.advance(.seconds(86_400))
        for _ in 0..<5 { #expect(try await keys.keys(for: "k1").has("k1")) }
        #expect(issuer.requests.count == 3, "and it is not asked by every request")
        issuer.set(down: false)
        clock.advance(.seconds(60))
        _ = try await keys.keys(for: "k1")
        #expect(issuer.requests.count == 5)
    }

    @Test func withoutAnyTheReasonIsTold() async throws {
        let (issuer, clock) = (try TestIssuer(), TurnedClock())
        issuer.set(down: true)
        let keys = self.keys(issuer, clock)
        for _ in 0..<3 { await #expect(throws: IssuerError.self) { try await keys.keys(for: "k1") } }
        #expect(issuer.requests.count == 1)
        issuer.set(down: false)
        clock.advance(.seconds(60))
        #expect(try await keys.keys(for: "k1").has("k1"))
        // A set without any key that is of use does not take the place of one that has some.
        issuer.publish([])
        clock.advance(.seconds(60))
        #expect(try await keys.keys(for: "k2").has("k1"))
    }

    @Test func manyAtOnceAskOnce() async throws {
        let issuer = try TestIssuer()
        let keys = self.keys(issuer, TurnedClock())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let found = try await keys.keys(for: "k1")
                    #expect(found.has("k1"))
                }
            }
            try await group.waitForAll()
        }
        #expect(issuer.requests.count == 2)
    }

    @Test(arguments: [
        #"{"issuer":"https://eve.example.org","jwks_uri":"https://id.example.org/keys"}"#,
        #"{"issuer":"https://id.example.org/realms/lab","jwks_uri":"http://id.example.org/keys"}"#,
        #"{"issuer":"https://id.example.org/realms/lab"}"#, "[]", "",
    ])
    func aConfigurationThatCannotBeTrustedIsNot(document: String) async throws {
        let keys = IssuerKeys(Self.configuration, clock: TurnedClock().now) { request in
            #expect(request == IssuerRequest(Self.discovery))
            return Data(document.utf8)
        }
        await #expect(throws: IssuerError.self) { try await keys.keys(for: "k1") }
    }
}
