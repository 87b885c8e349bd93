//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

extension SpallocServerConfiguration {
    /// An OpenID Connect issuer whose tokens are taken for logins.
    public struct OIDC: Hashable, Sendable {
        /// As it is in the tokens' `iss`, letter by letter.
        public var issuer: String
        /// One of these must be in a token's `aud`: a token for another service is none for this one.
        public var audiences: [String]
        /// Where the issuer's keys are; nil: where its `.well-known/openid-configuration` says.
        public var jwksURI: String?
        public var usernameClaim = "preferred_username"
        /// Before the claim's value, so that nobody is taken for a local user.
        public var usernamePrefix = "openid."
        /// Of users who are made at their first login.
        public var trustLevel = TrustLevel.user
        /// How far the issuer's clock may be from ours.
        public var leeway: Duration = .seconds(30)
        /// Whether a session that a token began goes on after the token's end, until it idles. Jobs outlive most tokens.
        public var sessionsOutliveTokens = false
        /// Where the token has the user's collaboratories, by a path such as `roles.team`; nil: it has none.
        public var collaboratoryClaim: String?
        /// Where it has the user's organisations.
        public var organisationClaim: String?
        /// What a new group of the kind begins with, in board-seconds; nil: no limit.
        public var collaboratoryQuota: Int64? = 3_600_000
        public var organisationQuota: Int64? = 0
        /// PEM: the authorities of which the issuer's certificate may be; nil: those that this computer trusts.
        public var caPath: String?
        /// nil: nobody logs in there in a browser.
        public var login: BrowserLogin?

        public init(issuer: String, audiences: [String], jwksURI: String? = nil) {
            self.issuer = issuer
            self.audiences = audiences
            self.jwksURI = jwksURI
        }

        /// How people log in at the issuer in a browser, where this service is a registered client.
        public struct BrowserLogin: Hashable, Sendable {
            public var clientID: String
            /// nil: a public client, which has none.
            public var clientSecret: String?
            /// The last part of the addresses that begin and end a login; the issuer has to know the latter. The reference's is this one.
            public var provider = "hbp-ebrains"
            public var scopes = ["openid", "profile", "roles", "email", "team", "group"]
            /// What people know the issuer as.
            public var displayName: String
            /// How long such a session lasts, even if it is used: what the issuer has taken back is learnt at the next login.
            public var sessionLimit: Duration = .seconds(43200)

            public init(clientID: String, clientSecret: String? = nil, displayName: String = "EBRAINS") {
                self.clientID = clientID
                self.clientSecret = clientSecret
                self.displayName = displayName
            }

            func validate() throws(SpallocServerError) {
                func require(_ condition: Bool, _ message: String) throws(SpallocServerError) {
                    guard condition else { throw SpallocServerError(.configuration, "oidc: login: \(message)") }
                }
                try require(!self.clientID.isEmpty, "no client-id")
                try require(self.clientSecret != "", "the client's secret is empty")
                try require(
                    self.provider.wholeMatch(of: /[a-z0-9][a-z0-9-]{0,63}/) != nil,
                    "the provider \"\(self.provider)\" is not of small letters, digits and dashes")
                try require(
                    self.scopes.contains("openid"), "the scopes are without openid, and the issuer would not say who it is")
                for scope in self.scopes {
                    try require(
                        !scope.isEmpty && scope.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C },
                        "\"\(scope)\" is no scope")
                }
                try require(
                    (1...64).contains(self.displayName.count) && !self.displayName.allSatisfy(\.isWhitespace),
                    "the display-name is blank, or has more than 64 characters")
                try require(self.sessionLimit > .zero, "the session-limit must be more than 0")
            }
        }

        func validate() throws(SpallocServerError) {
            func require(_ condition: Bool, _ message: String) throws(SpallocServerError) {
                guard condition else { throw SpallocServerError(.configuration, "oidc: \(message)") }
            }
            for address in [self.issuer, self.jwksURI].compactMap({ $0 }) {
                try require(
                    OIDC.isTrustworthy(address), "\"\(address)\" is no https address (http is for this computer only)")
            }
            try require(!self.audiences.isEmpty && !self.audiences.contains(""), "no audience: anybody's tokens would do")
            try require(!self.usernameClaim.isEmpty, "no username-claim")
            try require(
                self.usernamePrefix.isEmpty || AccountName.isValid(self.usernamePrefix),
                "\"\(self.usernamePrefix)\" cannot begin a user's name")
            try require(
                self.trustLevel != .admin && self.trustLevel != .nmpiExec, "trust-level is more than a stranger may have")
            try require(self.leeway <= .seconds(300), "a leeway of more than 300 s")
            try require((self.collaboratoryQuota ?? 0) >= 0 && (self.organisationQuota ?? 0) >= 0, "a quota is negative")
            try self.login?.validate()
        }

        /// Who could change a reply on its way would choose who may log in.
        static func isTrustworthy(_ address: String) -> Bool {
            guard let url = URL(string: address), let host = url.host(), !host.isEmpty, url.user() == nil else { return false }
            switch url.scheme?.lowercased() {
            case "https": return true
            case "http": return host == "localhost" || host == "::1" || (AddressRange("127.0.0.0/8")?.contains(host) ?? false)
            default: return false
            }
        }
    }
}
