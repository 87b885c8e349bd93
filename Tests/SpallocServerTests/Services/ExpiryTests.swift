//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import NIOConcurrencyHelpers
import SpallocAPI
import Testing

@testable import SpallocServer

/// The expiry looks when something ends, and is not called for every job that comes.
@Suite(.timeLimit(.minutes(2))) struct ExpiryTests {
    /// A job that ends before the time for which the expiry sleeps calls it.
    @Test func aShortKeepaliveIsNotOversleptForALongOne() async throws {
        try await withService(configure: { $0.timings.minimumKeepalive = .milliseconds(10) }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let long = try await session.create(#"{"num-boards":1,"keepalive-interval":300}"#)
            try await eventually("the expiry to sleep") { harness.core.nextExpiry.withLockedValue { $0 } != nil }
            let short = try await session.create(#"{"num-boards":1,"keepalive-interval":0.2}"#)
            try await eventually("the short one to end") { try await harness.store.job(short)?.state == .destroyed }
            #expect(try await harness.store.job(short)?.reason == Store.keepaliveExpired)
            #expect(try await harness.store.job(long)?.state != .destroyed)
        }
    }

    @Test func itIsLeftAloneWhenItLooksInTime() async throws {
        let clock = TurnedClock()
        let core = try await self.core(clock)
        func isCalled(_ after: Duration) async -> Bool {
            core.expires(at: clock.now() + after)
            guard core.expiryNudge.isSignalled else { return false }
            return await core.expiryNudge.wait()
        }
        #expect(await isCalled(.seconds(100)), "nobody knows when it looks next")
        core.nextExpiry.withLockedValue { $0 = clock.now() + .seconds(30) }
        #expect(await !isCalled(.seconds(100)))
        #expect(await !isCalled(.seconds(30)))
        #expect(await isCalled(.seconds(29)))
        // It should have looked: the clock was put forward.
        clock.advance(.seconds(31))
        #expect(await isCalled(.seconds(100)))
        try core.store.close()
    }

    private func core(_ clock: TurnedClock) async throws -> ServiceCore {
        let directory = try temporaryDirectory()
        let configuration = testConfiguration(in: directory)
        return ServiceCore(
            configuration: configuration, store: try Store(path: configuration.databasePath), clock: clock.now, logger: quiet)
    }
}
