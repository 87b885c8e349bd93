//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import CryptoExtras
import Foundation
import SpallocServer
import Testing

/// Which tokens are good, and whom they are of. No service, no clock.
@Suite struct BearerTokenTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let configuration = SpallocServerConfiguration.OIDC(issuer: TestIssuer.address, audiences: ["spalloc"])

    private func verify(
        _ token: String, _ issuer: TestIssuer, now: Timestamp = Self.now,
        _ configure: (inout SpallocServerConfiguration.OIDC) -> Void = { _ in }
    ) async throws -> ExternalIdentity {
        var configuration = Self.configuration
        configure(&configuration)
        return try BearerToken(token).verify(try await IssuerKeySet(json: issuer.keySet), for: configuration, now: now)
    }

    private func refusal(_ body: () async throws -> ExternalIdentity) async -> BearerToken.Refusal? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error as? BearerToken.Refusal
        }
    }

    // MARK: - Signatures

    @Test func everyAlgorithmOfTheListIsChecked() async throws {
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let keys: [TestIssuer.Key] = [.es256(.init()), .rsa(rsa, pss: false), .rsa(rsa, pss: true), .ed25519(.init())]
        for key in keys {
            for named in [true, false] {
                let issuer = try TestIssuer(key)
                issuer.publish([try key.jwk("k1", named: named)])
                let token = try issuer.token(TestIssuer.claims(at: Self.now))
                let identity = try await self.verify(token, issuer)
                #expect(identity.name == "openid.ada" && identity.subject == "id of ada")
                #expect(identity.expiry == Self.now + .seconds(300) && identity.groups == nil)

                // Another claim under the same signature; another signature.
                let parts = token.split(separator: ".")
                let other = try JSONSerialization.data(withJSONObject: TestIssuer.claims("eve", at: Self.now))
                #expect(
                    await self.refusal { try await self.verify("\(parts[0]).\(base64URL(other)).\(parts[2])", issuer) }
                        == .signature)
                #expect(await self.refusal { try await self.verify("\(parts[0]).\(parts[1]).", issuer) } == .signature)
            }
        }
    }

    /// The classic: what is public taken for a shared secret, and a token that says that it needs no signature.
    @Test func noneAndHMACAreNoSignatures() async throws {
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let issuer = try TestIssuer(.rsa(rsa, pss: false))
        for algorithm in ["none", "None", "HS256", "RS512", "ES384", ""] {
            let token = try issuer.token(TestIssuer.claims(at: Self.now), header: ["alg": algorithm])
            #expect(await self.refusal { try await self.verify(token, issuer) } == .algorithm, "\(algorithm)")
        }
        let fields = try JSONSerialization.data(withJSONObject: ["alg": "HS256", "kid": "k1"])
        let text =
            "\(base64URL(fields)).\(base64URL(try JSONSerialization.data(withJSONObject: TestIssuer.claims(at: Self.now))))"
        let mac = HMAC<SHA256>.authenticationCode(
            for: Data(text.utf8), using: SymmetricKey(data: Data(rsa.publicKey.pemRepresentation.utf8)))
        #expect(await self.refusal { try await self.verify("\(text).\(base64URL(Data(mac)))", issuer) } == .algorithm)
    }

    /// A key is for its algorithm: RS256 by a key that is for PS256 is none.
    @Test func aKeyIsForItsAlgorithm() async throws {
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let issuer = try TestIssuer(.rsa(rsa, pss: true))
        let token = try issuer.token(TestIssuer.claims(at: Self.now), by: .rsa(rsa, pss: false))
        #expect(await self.refusal { try await self.verify(token, issuer) } == .signature)
    }

    @Test func whichKey() async throws {
        let (issuer, other) = (try TestIssuer(), TestIssuer.Key.es256(.init()))
        let claims = TestIssuer.claims(at: Self.now)
        #expect(await self.refusal { try await self.verify(try issuer.token(claims, kid: "k2"), issuer) } == .unknownKey)
        #expect(await self.refusal { try await self.verify(try issuer.token(claims, by: other), issuer) } == .signature)
        // Without a name, the only one.
        _ = try await self.verify(try issuer.token(claims, kid: nil), issuer)
        issuer.publish([try issuer.key.jwk("k1"), try other.jwk("k2")])
        #expect(await self.refusal { try await self.verify(try issuer.token(claims, kid: nil), issuer) } == .unknownKey)
        _ = try await self.verify(try issuer.token(claims, kid: "k2", by: other), issuer)
    }

    @Test func keysThatAreNoneAreLeftOut() async throws {
        let key = TestIssuer.Key.es256(.init())
        let good = try key.jwk("k1")
        let short = try TestIssuer.Key.rsa(_RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024)), pss: false).jwk("k1")
        for bad in [
            good.merging(["use": "enc"]) { $1 }, good.merging(["d": "AAAA"]) { $1 }, good.merging(["crv": "P-384"]) { $1 },
            good.merging(["x": "AAAA"]) { $1 }, good.merging(["alg": "ES384"]) { $1 }, short,
            ["kty": "oct", "kid": "k1", "k": "AAAA", "alg": "HS256"], ["kty": "new", "kid": "k1"], ["kid": "k1"], [:],
        ] {
            let json = try JSONEncoder().encode(["keys": [bad]])
            #expect(try await IssuerKeySet(json: json).isEmpty, "\(bad)")
        }
        #expect(try await !IssuerKeySet(json: JSONEncoder().encode(["keys": [["kty": "oct"], good]])).isEmpty)
        for text in ["", "[]", "{}", #"{"keys":5}"#, #"{"keys":[1]}"#] {
            await #expect(throws: IssuerError.self) { try await IssuerKeySet(json: Data(text.utf8)) }
        }
    }

    // MARK: - Claims

    @Test func everyClaimMustBeRight() async throws {
        let issuer = try TestIssuer()
        func refusal(_ change: [String: Any]) async throws -> BearerToken.Refusal? {
            let claims = TestIssuer.claims(at: Self.now).merging(change) { $1 }.filter { !($0.value is NSNull) }
            let token = try issuer.token(claims)
            return await self.refusal { try await self.verify(token, issuer) }
        }
        let second = Self.now.milliseconds / 1000
        #expect(try await refusal([:]) == nil)
        for issuer in [TestIssuer.address + "/", "https://eve.example.org", NSNull(), 5] as [Any] {
            #expect(try await refusal(["iss": issuer]) == .issuer)
        }
        for audience in ["other", ["other"], [], NSNull(), ["spalloc": 1]] as [Any] {
            #expect(try await refusal(["aud": audience]) == .audience)
        }
        #expect(try await refusal(["aud": ["account", "spalloc"]]) == nil)
        // 30 s of leeway, to the second.
        #expect(try await refusal(["exp": second - 29]) == nil)
        #expect(try await refusal(["exp": second - 30]) == .expired)
        for expiry in [NSNull(), "soon", 1e300, -1, 0] as [Any] { #expect(try await refusal(["exp": expiry]) == .claims) }
        #expect(try await refusal(["nbf": second + 30]) == nil)
        #expect(try await refusal(["nbf": second + 31]) == .notYet)
        #expect(try await refusal(["nbf": "later"]) == .claims)
        for subject in [NSNull(), "", 5, String(repeating: "s", count: 256)] as [Any] {
            #expect(try await refusal(["sub": subject]) == .claims)
        }
        for name in [NSNull(), "", "a b", "a:b", "\u{202E}a", String(repeating: "n", count: 60), ["a"]] as [Any] {
            #expect(try await refusal(["preferred_username": name]) == .claims, "\(name)")
        }
    }

    @Test func headersThatMustNotBe() async throws {
        let issuer = try TestIssuer()
        for (header, expected) in [
            (["crit": ["exp"]], .critical), (["kid": 5], .malformed), (["alg": 5], .malformed),
        ] as [([String: Any], BearerToken.Refusal)] {
            let token = try issuer.token(TestIssuer.claims(at: Self.now), header: header)
            #expect(await self.refusal { try await self.verify(token, issuer) } == expected)
        }
    }

    @Test(arguments: [
        "", ".", "..", "...", "a.b.c", "e30.e30.e30", "bnVsbA.bnVsbA.", "e30=.e30.", "ey+J.e30.",
        "\u{1F600}.\u{1F600}.\u{1F600}",
        String(repeating: "a", count: 20_000),
    ])
    func whatIsNoTokenIsRefused(text: String) {
        #expect(throws: BearerToken.Refusal.malformed) { try BearerToken(text) }
    }

    /// Whatever byte is wrong in a token, it is refused, and nothing traps.
    @Test func noByteCanBeChanged() async throws {
        let issuer = try TestIssuer()
        let token = Array(try issuer.token(TestIssuer.claims(at: Self.now)).utf8)
        let keys = try await IssuerKeySet(json: issuer.keySet)
        for index in token.indices.dropLast() where token[index] != UInt8(ascii: ".") {
            var other = token
            // Both alphabets' neighbours differ in a bit that counts.
            other[index] = token[index] == UInt8(ascii: "A") ? UInt8(ascii: "Q") : UInt8(ascii: "A")
            #expect(throws: (any Error).self) {
                try BearerToken(String(decoding: other, as: UTF8.self)).verify(keys, for: Self.configuration, now: Self.now)
            }
        }
    }

    // MARK: - Groups

    @Test func groupsAreOfTheClaims() async throws {
        let issuer = try TestIssuer()
        var claims = TestIssuer.claims(at: Self.now)
        claims["roles"] = ["team": ["collab-brain-viewer", "collab-a-b-administrator", "collab-x-owner", "plain", "a b", 5]]
        claims["unit"] = ["/all/uni"]
        let token = try issuer.token(claims)
        #expect(try await self.verify(token, issuer).groups == nil, "nothing is configured")
        let groups = try #require(
            try await self.verify(token, issuer) {
                $0.collaboratoryClaim = "roles.team"
                $0.organisationClaim = "unit"
            }.groups)
        #expect(
            groups.filter { $0.type == .collaboratory && $0.quota == 3_600_000 }.map(\.name).sorted()
                == ["a-b", "brain", "collab-x-owner", "plain", "private-ada"])
        #expect(groups.filter { $0.type == .organisation && $0.quota == 0 }.map(\.name) == ["/all/uni"])
        #expect(groups.count == 6)
        let none = try issuer.token(TestIssuer.claims(at: Self.now))
        #expect(try await self.verify(none, issuer) { $0.collaboratoryClaim = "roles.team" }.groups == nil)
    }

    // MARK: - Configuration

    @Test(arguments: [
        ("https://id.example.org", true), ("http://127.0.0.1:5000/x", true), ("http://localhost/", true),
        ("http://[::1]/", true),
        ("http://id.example.org", false), ("http://127.0.0.1.example.org", false), ("http://10.0.0.1", false),
        ("ftp://127.0.0.1", false), ("https://", false), ("", false), ("https://a:b@id.example.org", false),
        ("file:///etc/passwd", false),
    ])
    func issuersAreReachedByTLS(address: String, isGood: Bool) {
        var configuration = SpallocServerConfiguration(databasePath: "x")
        configuration.oidc = .init(issuer: address, audiences: ["a"])
        if isGood {
            #expect(throws: Never.self) { try configuration.validate() }
        } else {
            #expect(throws: SpallocServerError.self) { try configuration.validate() }
        }
    }

    @Test func settingsThatAreUnsafeAreRefused() {
        let changes: [(inout SpallocServerConfiguration.OIDC) -> Void] = [
            { $0.audiences = [] }, { $0.audiences = [""] }, { $0.trustLevel = .admin }, { $0.trustLevel = .nmpiExec },
            { $0.leeway = .seconds(301) }, { $0.usernamePrefix = "a b" }, { $0.usernameClaim = "" },
            { $0.jwksURI = "http://id.example.org" }, { $0.organisationQuota = -1 },
        ]
        for change in changes {
            var configuration = SpallocServerConfiguration(databasePath: "x")
            var oidc = Self.configuration
            change(&oidc)
            configuration.oidc = oidc
            #expect(throws: SpallocServerError.self) { try configuration.validate() }
        }
    }
}
