//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Where the issuer has what, by its `.well-known/openid-configuration` (OpenID Connect Discovery 1.0).
package struct IssuerPlaces: Hashable, Sendable {
    package var keys: String?
    package var authorization: String?
    package var token: String?
    package var userInfo: String?
    /// Whether a client's secret goes into the form, as the issuer takes it no other way.
    package var takesSecretInForm: Bool
    /// Whether the issuer says who it is when it sends a browser back (RFC 9207).
    package var namesItself: Bool

    /// - Throws: ``IssuerError``
    package static func fetch(issuer: String, by fetch: IssuerFetch) async throws -> IssuerPlaces {
        let root = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        return try IssuerPlaces(
            json: try await fetch(IssuerRequest(root + "/.well-known/openid-configuration")), issuer: issuer)
    }

    /// An address that is not to be trusted counts as one that is not there.
    init(json: Data, issuer: String) throws(IssuerError) {
        guard let document = try? JSONSerialization.jsonObject(with: json) as? [String: Any],
            document["issuer"] as? String == issuer
        else { throw IssuerError("its openid-configuration is of another issuer") }
        func address(_ name: String) -> String? {
            (document[name] as? String).flatMap { SpallocServerConfiguration.OIDC.isTrustworthy($0) ? $0 : nil }
        }
        self.keys = address("jwks_uri")
        self.authorization = address("authorization_endpoint")
        self.token = address("token_endpoint")
        self.userInfo = address("userinfo_endpoint")
        let methods = document["token_endpoint_auth_methods_supported"] as? [String] ?? ["client_secret_basic"]
        self.takesSecretInForm = !methods.contains("client_secret_basic") && methods.contains("client_secret_post")
        self.namesItself = document["authorization_response_iss_parameter_supported"] as? Bool ?? false
    }
}
