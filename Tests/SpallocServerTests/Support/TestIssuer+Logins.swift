//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import SpallocServer

extension TestIssuer {
    /// What the issuer knows of people who log in in a browser, and what of it it gets wrong.
    struct Logins: Sendable {
        struct Grant: Sendable {
            var user: String
            var challenge: String
            var nonce: String
            var callback: String
        }

        static let clientID = "web client"
        static let secret = "the client's secret: 100%"

        /// More of its openid-configuration.
        var document: [String: any Sendable] = [:]
        /// By code.
        var grants: [String: Grant] = [:]
        /// How the client has shown who it is.
        var authorization: [String?] = []
        var secrets: [String?] = []
        /// What is otherwise than it should be in the ID token, its header, and the user's information; nil is taken out.
        var claims: [String: (any Sendable)?] = [:]
        var header: [String: any Sendable] = [:]
        var information: [String: any Sendable] = [:]
        var signedBy: Key?
        /// Instead of a reply.
        var reply: String?
        var now = TurnedClock().now()

        /// Somebody logs in at the address to which the service has sent the browser.
        ///
        /// - Returns: where the browser is sent then.
        mutating func visit(_ location: String, as user: String) throws -> URL {
            guard let request = URLComponents(string: location) else { throw IssuerError("no address: \(location)") }
            let query = Dictionary((request.queryItems ?? []).map { ($0.name, $0.value ?? "") }) { first, _ in first }
            guard location.hasPrefix(TestIssuer.base + "/auth?realm=lab&"), query["response_type"] == "code",
                query["client_id"] == Self.clientID, query["code_challenge_method"] == "S256",
                let challenge = query["code_challenge"], let nonce = query["nonce"], let state = query["state"],
                let callback = query["redirect_uri"], query["scope"]?.split(separator: " ").contains("openid") == true,
                var back = URLComponents(string: callback)
            else { throw IssuerError("it is asked for what it does not do: \(location)") }
            let code = "code \(self.grants.count) & more"
            self.grants[code] = Grant(user: user, challenge: challenge, nonce: nonce, callback: callback)
            back.queryItems = [URLQueryItem(name: "state", value: state), URLQueryItem(name: "code", value: code)]
            guard let url = back.url else { throw IssuerError("no address") }
            return url
        }

        mutating func tokens(for request: IssuerRequest, of issuer: TestIssuer) throws -> Data {
            self.authorization.append(request.authorization)
            self.secrets.append(request.form?["client_secret"])
            if let reply { return Data(reply.utf8) }
            let form = request.form ?? [:]
            guard form["grant_type"] == "authorization_code", let code = form["code"],
                let grant = self.grants.removeValue(forKey: code), form["redirect_uri"] == grant.callback,
                let verifier = form["code_verifier"], (43...128).contains(verifier.utf8.count),
                base64URL(Data(SHA256.hash(data: Data(verifier.utf8)))) == grant.challenge
            else { throw IssuerError("\(request.address) answers with 400 (invalid_grant)") }
            var claims = TestIssuer.claims(grant.user, at: self.now)
            claims["aud"] = Self.clientID
            claims["nonce"] = grant.nonce
            for (name, value) in self.claims { claims[name] = value.map { $0 as Any } }
            let token = try issuer.token(claims, header: self.header, by: self.signedBy)
            return try JSONSerialization.data(
                withJSONObject: ["access_token": "access of \(grant.user)", "token_type": "Bearer", "id_token": token]
                    .mapValues { $0.replacing("access of ", with: "access-of-") })
        }

        func userInfo(for request: IssuerRequest) throws -> Data {
            guard let user = request.authorization?.wholeMatch(of: /Bearer access-of-(.*)/)?.1 else {
                throw IssuerError("\(request.address) answers with 401")
            }
            let known: [String: any Sendable] = ["sub": "id of \(user)", "preferred_username": "\(user)"]
            return try JSONSerialization.data(withJSONObject: known.merging(self.information) { $1 })
        }
    }
}
