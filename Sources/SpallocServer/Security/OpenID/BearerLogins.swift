//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Logging

/// Lets in who brings a token of the configured issuer.
package struct BearerLogins: Sendable {
    package struct Login: Sendable {
        package var user: UserRecord
        /// When the token ends.
        package var expiry: Timestamp
    }

    let configuration: SpallocServerConfiguration.OIDC
    let store: Store
    let clock: WallClock
    let keys: IssuerKeys
    let logger: Logger

    /// - Returns: nil: the token is not good, or its user may not be here.
    /// - Throws: 503 when there is no way to know, as the issuer has not told its keys.
    package func logIn(_ text: String) async throws -> Login? {
        let identity: ExternalIdentity
        do {
            identity = try await self.identity(BearerToken(text))
        } catch let error as BearerToken.Refusal {
            // Whose it claims to be, nobody knows; and the token itself stays out of the log.
            self.logger.notice("a token is refused", metadata: ["reason": "\(error)"])
            return nil
        }
        return try await self.user(of: identity).map { Login(user: $0, expiry: identity.expiry) }
    }

    /// The account that an identity has here, made if it is new.
    ///
    /// - Returns: nil: it may not be here.
    func user(of identity: ExternalIdentity) async throws -> UserRecord? {
        switch try await self.store.externalUser(identity, trustLevel: self.configuration.trustLevel, now: self.clock()) {
        case .user(let user, let leftOut):
            for group in leftOut {
                self.logger.debug(
                    "a group of the token has the name of a local one", metadata: ["user": "\(user.name)", "group": "\(group)"])
            }
            return user.enabled ? user : nil
        case .nameTaken:
            self.logger.notice("a token's user has the name of another", metadata: ["user": "\(identity.name)"])
            return nil
        }
    }

    private func identity(_ token: BearerToken) async throws -> ExternalIdentity {
        let keys: IssuerKeySet
        do {
            keys = try await self.keys.keys(for: token.kid)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            self.logger.error(
                "no keys of the issuer", metadata: ["issuer": "\(self.configuration.issuer)", "error": "\(error)"])
            throw APIError(.serviceUnavailable, "tokens cannot be checked now: their issuer does not answer")
        }
        return try token.verify(keys, for: self.configuration, now: self.clock())
    }
}
