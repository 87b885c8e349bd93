//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import SpallocAPI

/// Where a job stands that waits for boards.
package struct QueuePlace: Hashable, Sendable {
    /// 1: it is tried first.
    package var position: Int
    package var of: Int
    /// How long at the pace of the last allocations, whatever their sizes; nil until there were enough of them.
    package var estimate: Duration?
}

extension Store {
    /// So many allocations make a pace.
    private static let paceSamples = 16

    /// nil for a job that does not wait.
    package func queuePlace(of job: Int, now: Timestamp) async throws -> QueuePlace? {
        let order = try await self.queueOrder()
        guard let index = order.firstIndex(of: job) else { return nil }
        let moments = try await self.pool.read { db in
            try db.integers(
                "SELECT allocated_at FROM job WHERE allocated_at IS NOT NULL ORDER BY id DESC LIMIT ?", [Store.paceSamples])
        }
        var estimate: Duration?
        // The time since the last counts, too: a queue that has come to a stand looks longer and longer.
        if moments.count >= 4, let first = moments.min() {
            let pace = max(0, now.milliseconds - first) / Int64(moments.count)
            let (product, overflow) = pace.multipliedReportingOverflow(by: Int64(index + 1))
            estimate = overflow ? nil : .milliseconds(product)
        }
        return QueuePlace(position: index + 1, of: order.count, estimate: estimate)
    }
}
