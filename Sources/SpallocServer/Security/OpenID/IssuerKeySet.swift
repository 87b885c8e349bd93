//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import JWTKit

/// The public keys of an issuer: a JWK set (RFC 7517), of which only what may sign tokens counts.
package struct IssuerKeySet: Sendable {
    private struct Key: Sendable {
        /// By the name of the algorithm in a token's header.
        var verifiers: [String: any JWTAlgorithm]
    }

    /// By `kid`; "" for a key without.
    private var keys: [String: Key] = [:]

    /// Public-key signatures only. With an HMAC the public key itself would be the secret; with `none` there is nothing to check.
    private static let algorithms: [(type: JWK.KeyType, curve: String?, algorithm: JWK.Algorithm)] = [
        (.rsa, nil, .rs256), (.rsa, nil, .ps256), (.ecdsa, "P-256", .es256), (.octetKeyPair, "Ed25519", .eddsa),
    ]
    package static let algorithmNames = Set(Self.algorithms.map(\.algorithm.rawValue))
    private static let maximumKeys = 100

    package var isEmpty: Bool { self.keys.isEmpty }

    /// Keys that are of no use here (to encrypt, of other algorithms, too short, private) are left out.
    ///
    /// - Throws: ``IssuerError`` for what is no key set.
    package init(json: Data) async throws {
        guard let set = try? JSONSerialization.jsonObject(with: json) as? [String: Any],
            let entries = set["keys"] as? [[String: Any]]
        else { throw IssuerError("what it has for its keys is no JWK set") }
        for entry in entries.prefix(Self.maximumKeys) {
            guard entry["use"] as? String ?? "sig" == "sig", entry["d"] == nil, Self.isLongEnough(entry),
                let bytes = try? JSONSerialization.data(withJSONObject: entry),
                let jwk = try? JSONDecoder().decode(JWK.self, from: bytes)
            else { continue }
            let id = entry["kid"] as? String ?? ""
            let verifiers = await Self.verifiers(jwk)
            if !verifiers.isEmpty { self.keys[id] = Key(verifiers: verifiers) }
        }
    }

    private static func verifiers(_ jwk: JWK) async -> [String: any JWTAlgorithm] {
        var verifiers: [String: any JWTAlgorithm] = [:]
        for (type, curve, algorithm) in Self.algorithms
        where jwk.keyType == type && (jwk.algorithm ?? algorithm) == algorithm
            && (curve ?? jwk.curve?.rawValue) == jwk.curve?.rawValue
        {
            var jwk = jwk
            jwk.algorithm = algorithm
            jwk.keyIdentifier = "key"
            let keys = JWTKeyCollection()
            guard (try? await keys.add(jwk: jwk)) != nil, let verifier = try? await keys.getKey(for: "key") else { continue }
            verifiers[algorithm.rawValue] = verifier
        }
        return verifiers
    }

    /// RSA from 2048 bits (RFC 7518 3.3), and not so long that checking costs the service dearly.
    private static func isLongEnough(_ entry: [String: Any]) -> Bool {
        guard entry["kty"] as? String == "RSA" else { return true }
        guard let text = entry["n"] as? String, let modulus = Base64URL.decode(text) else { return false }
        return (256...1024).contains(modulus.drop(while: { $0 == 0 }).count)
    }

    /// Whether there is a key of that name; a token that names none needs that there is only one.
    package func has(_ kid: String?) -> Bool { self.key(kid) != nil }

    private func key(_ kid: String?) -> Key? {
        guard let kid else { return self.keys.count == 1 ? self.keys.first?.value : nil }
        return self.keys[kid]
    }

    package func isSignature(_ signature: Data, of bytes: Data, kid: String?, algorithm: String) -> Bool {
        guard let verifier = self.key(kid)?.verifiers[algorithm] else { return false }
        return (try? verifier.verify(signature, signs: bytes)) ?? false
    }
}

/// What is wrong with an issuer.
package struct IssuerError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

enum Base64URL {
    static func encode(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Without padding, as tokens have it.
    static func decode(_ text: some StringProtocol) -> Data? {
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") }) else {
            return nil
        }
        let standard = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return Data(base64Encoded: standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4))
    }
}
