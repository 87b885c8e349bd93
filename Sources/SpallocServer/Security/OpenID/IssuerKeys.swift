//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The issuer's keys. They are fetched when the first token comes, and when a token names a key that is not known.
package final class IssuerKeys: Sendable {
    private let value: IssuerValue<IssuerKeySet>

    package init(
        _ configuration: SpallocServerConfiguration.OIDC, clock: @escaping WallClock, fetch: @escaping IssuerFetch
    ) {
        self.value = IssuerValue("its keys", clock: clock) {
            let address: String
            if let given = configuration.jwksURI {
                address = given
            } else {
                guard let found = try await IssuerPlaces.fetch(issuer: configuration.issuer, by: fetch).keys else {
                    throw IssuerError("its openid-configuration has no jwks_uri that can be trusted")
                }
                address = found
            }
            let keys = try await IssuerKeySet(json: try await fetch(IssuerRequest(address)))
            guard !keys.isEmpty else { throw IssuerError("it has no key that can be used here") }
            return keys
        }
    }

    /// Keys among which the one is, if the issuer has it.
    ///
    /// - Throws: what kept the keys from being fetched, when there are none from before.
    package func keys(for kid: String?) async throws -> IssuerKeySet {
        try await self.value.value { $0.has(kid) }
    }
}
