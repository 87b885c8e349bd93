//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers

/// Something of the issuer's, as it was last fetched. It is fetched when it is first needed, when it is not enough for what is needed now
/// (but not more often than once a minute: anybody can need anything), and when it is old. While the issuer is down the old one stays.
final class IssuerValue<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var fetchedAt: Timestamp?
        var triedAt: Timestamp?
        var fetch: Task<Value, any Error>?
    }

    private let name: String
    private let clock: WallClock
    private let fetch: @Sendable () async throws -> Value
    private let state = NIOLockedValueBox(State())

    static var retryInterval: Duration { .seconds(60) }
    /// What the issuer has withdrawn is believed no longer than this.
    static var maximumAge: Duration { .seconds(3600) }

    /// - Parameter name: what it is, for errors: "its keys".
    init(_ name: String, clock: @escaping WallClock, fetch: @escaping @Sendable () async throws -> Value) {
        self.name = name
        self.clock = clock
        self.fetch = fetch
    }

    /// - Throws: what kept it from being fetched, when there is none from before.
    func value(isEnough: (Value) -> Bool = { _ in true }) async throws -> Value {
        let now = self.clock()
        let (known, fetch) = self.state.withLockedValue { state -> (Value?, Task<Value, any Error>?) in
            let isOld = state.fetchedAt.map { $0 + Self.maximumAge <= now } ?? true
            if let value = state.value, isEnough(value), !isOld { return (value, nil) }
            if let fetch = state.fetch { return (state.value, fetch) }
            if let tried = state.triedAt, tried + Self.retryInterval > now { return (state.value, nil) }
            state.triedAt = now
            // Unstructured: many requests wait for it, and none of them may end it for the others. It has a deadline of its own.
            let fetch = Task { try await self.fetchNow() }
            state.fetch = fetch
            return (state.value, fetch)
        }
        guard let fetch else {
            guard let known else { throw IssuerError("\(self.name) could not be fetched less than a minute ago") }
            return known
        }
        do {
            return try await fetch.value
        } catch {
            guard let known else { throw error }
            return known
        }
    }

    private func fetchNow() async throws -> Value {
        do {
            let value = try await self.fetch()
            let now = self.clock()
            self.state.withLockedValue { state in
                state.value = value
                state.fetchedAt = now
                state.fetch = nil
            }
            return value
        } catch {
            self.state.withLockedValue { $0.fetch = nil }
            throw error
        }
    }
}
