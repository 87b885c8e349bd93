//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// Gets what is at an address.
package typealias IssuerFetch = @Sendable (_ address: String) async throws -> Data

/// The issuer's keys, as they were last fetched. They are fetched when the first token comes, when a token names a key that is not known
/// (but not more often than once a minute: anybody can name one), and when they are old. While the issuer is down the old ones stay.
package final class IssuerKeys: Sendable {
    private struct State {
        var keys: IssuerKeySet?
        var fetchedAt: Timestamp?
        var triedAt: Timestamp?
        var fetch: Task<IssuerKeySet, any Error>?
    }

    private let configuration: SpallocServerConfiguration.OIDC
    private let clock: WallClock
    private let fetch: IssuerFetch
    private let state = NIOLockedValueBox(State())

    static let retryInterval = Duration.seconds(60)
    /// A key that the issuer has withdrawn is believed no longer than this.
    static let maximumAge = Duration.seconds(3600)

    package init(
        _ configuration: SpallocServerConfiguration.OIDC, clock: @escaping WallClock, fetch: @escaping IssuerFetch
    ) {
        self.configuration = configuration
        self.clock = clock
        self.fetch = fetch
    }

    /// Keys among which the one is, if the issuer has it.
    ///
    /// - Throws: what kept the keys from being fetched, when there are none from before.
    package func keys(for kid: String?) async throws -> IssuerKeySet {
        let now = self.clock()
        let (known, fetch) = self.state.withLockedValue { state -> (IssuerKeySet?, Task<IssuerKeySet, any Error>?) in
            let isOld = state.fetchedAt.map { $0 + IssuerKeys.maximumAge <= now } ?? true
            if let keys = state.keys, keys.has(kid), !isOld { return (keys, nil) }
            if let fetch = state.fetch { return (state.keys, fetch) }
            if let tried = state.triedAt, tried + IssuerKeys.retryInterval > now { return (state.keys, nil) }
            state.triedAt = now
            // Unstructured: many requests wait for it, and none of them may end it for the others. It has a deadline of its own.
            let fetch = Task { try await self.fetchKeys() }
            state.fetch = fetch
            return (state.keys, fetch)
        }
        guard let fetch else {
            guard let known else { throw IssuerError("its keys could not be fetched less than a minute ago") }
            return known
        }
        do {
            return try await fetch.value
        } catch {
            guard let known else { throw error }
            return known
        }
    }

    private func fetchKeys() async throws -> IssuerKeySet {
        do {
            let keys = try await IssuerKeySet(json: try await self.fetch(try await self.address()))
            guard !keys.isEmpty else { throw IssuerError("it has no key that can be used here") }
            let now = self.clock()
            self.state.withLockedValue { state in
                state.keys = keys
                state.fetchedAt = now
                state.fetch = nil
            }
            return keys
        } catch {
            self.state.withLockedValue { $0.fetch = nil }
            throw error
        }
    }

    private func address() async throws -> String {
        if let address = self.configuration.jwksURI { return address }
        let issuer = self.configuration.issuer
        let bytes = try await self.fetch(
            (issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer) + "/.well-known/openid-configuration")
        guard let document = try? JSONSerialization.jsonObject(with: bytes) as? [String: Any],
            document["issuer"] as? String == issuer
        else { throw IssuerError("its openid-configuration is of another issuer") }
        guard let address = document["jwks_uri"] as? String, SpallocServerConfiguration.OIDC.isTrustworthy(address) else {
            throw IssuerError("its openid-configuration has no jwks_uri that can be trusted")
        }
        return address
    }

    /// By HTTP, following no redirect: it could lead to anywhere.
    package static let overHTTP: IssuerFetch = { address in
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: HTTPClient.Configuration(redirectConfiguration: .disallow))
        do {
            let request = try HTTPClient.Request(url: address)
            let task = client.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: 1 << 20),
                deadline: .now() + .seconds(10))
            let response = try await task.get()
            guard response.status == .ok, let body = response.body else {
                throw IssuerError("\(address) answers with \(response.status.code)")
            }
            try await client.shutdown()
            return Data(body.readableBytesView)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
