//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// A JSON Web Token as it comes: taken apart, and nothing of it believed yet.
package struct BearerToken: Sendable {
    package enum Refusal: Error, Hashable, Sendable {
        case malformed
        /// `none`, an HMAC, or anything else that is not a public-key signature that we check.
        case algorithm
        /// It says that there is something in it that must be understood, and is not.
        case critical
        case unknownKey
        case signature
        case issuer
        case audience
        case expired
        case notYet
        /// Of a login: it answers another one.
        case nonce
        /// A claim that is needed is missing, or cannot be a name.
        case claims
    }

    package let algorithm: String
    package let kid: String?
    private let signed: Data
    private let signature: Data
    private let payload: Data

    /// More than any token has.
    private static let maximumLength = 16 * 1024

    package init(_ text: String) throws(Refusal) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.maximumLength, parts.count == 3, let header = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            let fields = try? JSONSerialization.jsonObject(with: header) as? [String: Any],
            let algorithm = fields["alg"] as? String
        else { throw .malformed }
        guard IssuerKeySet.algorithmNames.contains(algorithm) else { throw .algorithm }
        guard fields["crit"] == nil else { throw .critical }
        if let kid = fields["kid"] {
            guard let kid = kid as? String else { throw .malformed }
            self.kid = kid
        } else {
            self.kid = nil
        }
        self.algorithm = algorithm
        self.signed = Data("\(parts[0]).\(parts[1])".utf8)
        self.signature = signature
        self.payload = payload
    }

    /// Whom the token is of, if everything about it is right.
    package func verify(
        _ keys: IssuerKeySet, for configuration: SpallocServerConfiguration.OIDC, now: Timestamp
    ) throws(Refusal) -> ExternalIdentity {
        let claims = try self.claims(keys, for: configuration, audiences: configuration.audiences, now: now)
        guard let identity = ExternalIdentity(claims.fields, expiry: claims.expiry, configuration) else { throw .claims }
        return identity
    }

    /// What the token says, if it is the issuer's, for one of the audiences, and for now.
    func claims(
        _ keys: IssuerKeySet, for configuration: SpallocServerConfiguration.OIDC, audiences: [String], now: Timestamp
    ) throws(Refusal) -> Claims {
        guard keys.has(self.kid) else { throw .unknownKey }
        guard keys.isSignature(self.signature, of: self.signed, kid: self.kid, algorithm: self.algorithm) else {
            throw .signature
        }
        guard let claims = try? JSONSerialization.jsonObject(with: self.payload) as? [String: Any] else { throw .malformed }
        guard claims["iss"] as? String == configuration.issuer else { throw .issuer }
        let named = claims["aud"] as? [String] ?? (claims["aud"] as? String).map { [$0] } ?? []
        guard !Set(named).isDisjoint(with: audiences) else { throw .audience }
        guard let expiry = Self.instant(claims["exp"]) else { throw .claims }
        guard now < expiry + configuration.leeway else { throw .expired }
        if let start = claims["nbf"] {
            guard let start = Self.instant(start) else { throw .claims }
            guard start - configuration.leeway <= now else { throw .notYet }
        }
        return Claims(fields: claims, audiences: named, expiry: expiry)
    }

    struct Claims {
        var fields: [String: Any]
        var audiences: [String]
        var expiry: Timestamp
    }

    /// Seconds since 1970; nil for what is no moment of this world.
    private static func instant(_ value: Any?) -> Timestamp? {
        guard let seconds = (value as? NSNumber)?.doubleValue, seconds > 0, seconds < 1e11 else { return nil }
        return Timestamp(milliseconds: Int64(seconds * 1000))
    }
}

/// Who somebody is by the word of an issuer.
package struct ExternalIdentity: Hashable, Sendable {
    package struct Group: Hashable, Sendable {
        package var name: String
        package var type: GroupType
        /// What it begins with if it is new, in board-seconds; nil: no limit.
        package var quota: Int64?
    }

    /// What the issuer calls the account, for good; names may change hands.
    package var subject: String
    /// Here, prefix included.
    package var name: String
    package var expiry: Timestamp
    /// nil: nothing is said of groups, and they stay as they are.
    package var groups: Set<Group>?

    package init(subject: String, name: String, expiry: Timestamp, groups: Set<Group>? = nil) {
        self.subject = subject
        self.name = name
        self.expiry = expiry
        self.groups = groups
    }

    init?(_ claims: [String: Any], expiry: Timestamp, _ configuration: SpallocServerConfiguration.OIDC) {
        guard let subject = claims["sub"] as? String, (1...255).contains(subject.utf8.count),
            let given = Self.value(claims, at: configuration.usernameClaim) as? String, !given.isEmpty
        else { return nil }
        self.init(subject: subject, name: configuration.usernamePrefix + given, expiry: expiry)
        guard AccountName.isValid(self.name) else { return nil }
        self.groups = Self.groups(claims, user: given, configuration)
    }

    /// `collab-NAME-(administrator|editor|viewer)` is of collaboratory NAME; any other text is a name by itself. Who is in one has one of
    /// the own besides.
    private static func groups(
        _ claims: [String: Any], user: String, _ configuration: SpallocServerConfiguration.OIDC
    ) -> Set<Group>? {
        func texts(_ path: String?) -> [String] {
            path.flatMap { self.value(claims, at: $0) as? [Any] }?.compactMap { $0 as? String } ?? []
        }
        let collaboratories = texts(configuration.collaboratoryClaim).map { text in
            text.wholeMatch(of: /collab-(.+)-(?:administrator|editor|viewer)/).map { String($0.1) } ?? text
        }
        let organisations = texts(configuration.organisationClaim)
        guard !collaboratories.isEmpty || !organisations.isEmpty else { return nil }
        let own = configuration.collaboratoryClaim == nil ? [] : [self.ownGroup(of: user)]
        // A token is short, but not so short that it could not name more groups than anybody is in.
        return Set(
            (collaboratories + own).prefix(500).map {
                Group(name: $0, type: .collaboratory, quota: configuration.collaboratoryQuota)
            } + organisations.prefix(500).map { Group(name: $0, type: .organisation, quota: configuration.organisationQuota) }
        ).filter { AccountName.isValid($0.name) }
    }

    /// Pays when its user does not say which group does.
    static func ownGroup(of user: String) -> String { "private-\(user)" }

    /// By a path of names with dots between; a name that has dots itself is found, too.
    static func value(_ claims: [String: Any], at path: String) -> Any? {
        if let value = claims[path] { return value }
        var here: Any? = claims
        for name in path.split(separator: ".") { here = (here as? [String: Any])?[String(name)] }
        return here
    }
}
