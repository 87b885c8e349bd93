//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import Testing

/// Where a job stands that waits.
@Suite(.timeLimit(.minutes(3))) struct QueueTests {
    private struct Place: Decodable {
        var position: Int
        var of: Int
        var estimatedWait: Int64?

        enum CodingKeys: String, CodingKey {
            case position, of
            case estimatedWait = "estimated-wait"
        }
    }

    static let three = #"{"num-boards":3,"tags":["default"],"keepalive-interval":"PT120S"}"#

    @Test func aJobThatWaitsHasAPlaceAndMovesUp() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let first = try await session.create(Self.three)
            _ = try await session.wait(first, for: [.ready])
            #expect(try await session.execute(.get, "jobs/\(first)/queue").status == .noContent, "it has boards")
            let second = try await session.create(Self.three)
            let third = try await session.create(Self.three)
            #expect(try await session.get(Place.self, "jobs/\(second)/queue").position == 1)
            let place = try await session.get(Place.self, "jobs/\(third)/queue")
            #expect(place.position == 2 && place.of == 2 && place.estimatedWait == nil, "there is no pace yet")

            _ = try await session.execute(.delete, "jobs/\(second)?reason=over")
            #expect(try await session.get(Place.self, "jobs/\(third)/queue").position == 1)
            _ = try await session.execute(.delete, "jobs/\(first)?reason=over")
            _ = try await session.wait(third, for: [.ready])
            #expect(try await session.execute(.get, "jobs/\(third)/queue").status == .noContent)
        }
    }

    @Test func othersDoNotSeeIt() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            _ = try await alice.create(Self.three)
            let waiting = try await alice.create(Self.three)
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.execute(.get, "jobs/\(waiting)/queue").status == .notFound)
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.execute(.get, "jobs/\(waiting)/queue").status == .ok)
        }
    }

    /// The stock Java client refuses a job with keys that it does not know.
    @Test func theJobsOwnDescriptionHasNoNewKeys() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            _ = try await session.create(Self.three)
            let waiting = try await session.create(Self.three)
            let keys = try await session.execute(.get, "jobs/\(waiting)/").keys
            #expect(!keys.contains { $0.contains("queue") || $0.contains("position") || $0.contains("estimate") }, "\(keys)")
        }
    }

    @Test func theEstimateIsThePaceTimesThePlace() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            // Four jobs, one each ten seconds.
            for _ in 0..<4 {
                let job = try await session.create(Self.three)
                _ = try await session.wait(job, for: [.ready])
                clock.advance(.seconds(10))
                _ = try await session.execute(.delete, "jobs/\(job)?reason=over")
            }
            let holder = try await session.create(Self.three)
            _ = try await session.wait(holder, for: [.ready])
            clock.advance(.seconds(10))
            let next = try await session.create(Self.three)
            let later = try await session.create(Self.three)
            #expect(try await session.get(Place.self, "jobs/\(next)/queue").estimatedWait == 10)
            #expect(try await session.get(Place.self, "jobs/\(later)/queue").estimatedWait == 20)
            // Nothing moves: it looks longer.
            clock.advance(.seconds(50))
            #expect(try await session.get(Place.self, "jobs/\(next)/queue").estimatedWait == 20)
        }
    }
}
