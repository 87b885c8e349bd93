//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers

/// Rounds of the allocator in the very transaction in which a job came or boards came free, so that a job that can have boards at once
/// costs no trip to the writer of its own, and one round does for all that came together.
///
/// A write that makes a round due says so (``ask()``); at the end of its batch the round is made. One that fails undoes itself alone: what
/// was written before is kept, and ``AllocatorService`` tries again.
final class AllocationRounds: Sendable {
    struct Rounds: Sendable {
        var round: @Sendable (Database) throws -> [JobChange]
        /// Once the round is safe.
        var told: @Sendable (Result<[JobChange], any Error>) -> Void
    }

    private struct State {
        var isDue = false
        var rounds: Rounds?
    }

    private let state = NIOLockedValueBox(State())

    /// From now on rounds are made.
    func begin(_ rounds: Rounds) { self.state.withLockedValue { $0.rounds = rounds } }

    func end() { self.state.withLockedValue { $0.rounds = nil } }

    /// To be called by a write, while it is under way. That it fails in the end does no harm: then a round finds nothing new.
    func ask() { self.state.withLockedValue { $0.isDue = true } }

    /// The end of a batch of writes.
    @Sendable func close(_ db: Database) -> (@Sendable () -> Void)? {
        let due = self.state.withLockedValue { state -> Rounds? in
            guard state.isDue else { return nil }
            state.isDue = false
            return state.rounds
        }
        guard let due else { return nil }
        let result = Result { try db.atomically { try due.round(db) } }
        if case .success(let changes) = result, changes.isEmpty { return nil }
        return { due.told(result) }
    }
}
