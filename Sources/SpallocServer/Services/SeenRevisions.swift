//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers

/// What each session was last told of each job. The wire has no word for "since", so this is how a plain `wait=true` misses nothing.
package final class SeenRevisions: Sendable {
    private struct Key: Hashable {
        var session: String
        var job: Int
    }

    private let seen = NIOLockedValueBox<[Key: Int64]>([:])
    private static let maximum = 50_000

    package init() {}

    package func revision(of job: Int, by session: String) -> Int64? {
        self.seen.withLockedValue { $0[Key(session: session, job: job)] }
    }

    package func saw(_ revision: Int64, of job: Int, by session: String, over: Bool) {
        self.seen.withLockedValue { seen in
            let key = Key(session: session, job: job)
            if over {
                seen[key] = nil
                return
            }
            // Forgetting costs a poll its memory, nothing more.
            if seen.count >= SeenRevisions.maximum { seen.removeAll() }
            seen[key] = revision
        }
    }
}
