//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import CryptoExtras
import Foundation
import NIOConcurrencyHelpers
import SpallocServer

/// An OpenID Connect issuer that signs by hand, apart from the library by which the service checks.
final class TestIssuer: Sendable {
    static let base = "https://id.example.org"
    static let address = base + "/realms/lab"

    enum Key: Sendable {
        case es256(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey, pss: Bool)
        case ed25519(Curve25519.Signing.PrivateKey)

        var algorithm: String {
            switch self {
            case .es256: "ES256"
            case .rsa(_, let pss): pss ? "PS256" : "RS256"
            case .ed25519: "EdDSA"
            }
        }

        func jwk(_ kid: String?, named: Bool = true) throws -> [String: String] {
            var jwk: [String: String]
            switch self {
            case .es256(let key):
                let point = key.publicKey.rawRepresentation
                jwk = ["kty": "EC", "crv": "P-256", "x": base64URL(point.prefix(32)), "y": base64URL(point.suffix(32))]
            case .rsa(let key, _):
                let numbers = try key.publicKey.getKeyPrimitives()
                jwk = ["kty": "RSA", "n": base64URL(numbers.modulus), "e": base64URL(numbers.publicExponent)]
            case .ed25519(let key):
                jwk = ["kty": "OKP", "crv": "Ed25519", "x": base64URL(key.publicKey.rawRepresentation)]
            }
            jwk["kid"] = kid
            if named { jwk["alg"] = self.algorithm }
            return jwk
        }

        func sign(_ text: String) throws -> Data {
            switch self {
            case .es256(let key): try key.signature(for: Data(text.utf8)).rawRepresentation
            case .rsa(let key, let pss):
                try key.signature(for: Data(text.utf8), padding: pss ? .PSS : .insecurePKCS1v1_5).rawRepresentation
            case .ed25519(let key): try key.signature(for: Data(text.utf8))
            }
        }
    }

    private struct State {
        var keys: [[String: String]] = []
        var isDown = false
        var requests: [String] = []
        var logins = Logins()
    }

    let key: Key
    private let state = NIOLockedValueBox(State())

    init(_ key: Key = .es256(.init()), kid: String? = "k1") throws {
        self.key = key
        try self.publish([key.jwk(kid)])
    }

    func publish(_ keys: [[String: String]]) { self.state.withLockedValue { $0.keys = keys } }
    func set(down: Bool) { self.state.withLockedValue { $0.isDown = down } }
    var requests: [String] { self.state.withLockedValue { $0.requests } }
    var keySet: Data { get throws { try JSONEncoder().encode(["keys": self.state.withLockedValue { $0.keys }]) } }

    var fetch: IssuerFetch {
        { request in
            let isDown = self.state.withLockedValue { state in
                state.requests.append(request.address)
                return state.isDown
            }
            if isDown { throw IssuerError("down") }
            switch request.address {
            case Self.address + "/.well-known/openid-configuration":
                return try JSONSerialization.data(withJSONObject: self.document)
            case Self.base + "/keys": return try self.keySet
            case Self.base + "/token": return try self.withLogins { try $0.tokens(for: request, of: self) }
            case Self.base + "/userinfo": return try self.withLogins { try $0.userInfo(for: request) }
            default: throw IssuerError("nothing at \(request.address)")
            }
        }
    }

    private var document: [String: Any] {
        var document: [String: Any] = [
            "issuer": Self.address, "jwks_uri": Self.base + "/keys", "authorization_endpoint": Self.base + "/auth?realm=lab",
            "token_endpoint": Self.base + "/token", "userinfo_endpoint": Self.base + "/userinfo",
        ]
        for (name, value) in self.withLogins({ $0.document }) { document[name] = value }
        return document
    }

    func withLogins<Value>(_ body: (inout Logins) throws -> Value) rethrows -> Value {
        try self.state.withLockedValue { try body(&$0.logins) }
    }

    /// Claims that are as they should be.
    static func claims(
        _ name: String = "ada", subject: String? = nil, at now: Timestamp, life: Duration = .seconds(300)
    ) -> [String: Any] {
        [
            "iss": self.address, "aud": "spalloc", "sub": subject ?? "id of \(name)", "preferred_username": name,
            "exp": (now + life).milliseconds / 1000, "iat": now.milliseconds / 1000,
        ]
    }

    func token(_ claims: [String: Any], header: [String: Any] = [:], kid: String? = "k1", by key: Key? = nil) throws -> String {
        let key = key ?? self.key
        var fields: [String: Any] = ["alg": key.algorithm, "typ": "JWT"]
        fields["kid"] = kid
        fields.merge(header) { $1 }
        let text = try [fields, claims].map { base64URL(try JSONSerialization.data(withJSONObject: $0)) }
            .joined(separator: ".")
        return "\(text).\(base64URL(try key.sign(text)))"
    }
}

func base64URL(_ bytes: some DataProtocol) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}
