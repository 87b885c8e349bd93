//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocAPI

/// A moment in milliseconds since 1970, as the database keeps it.
package struct Timestamp: Hashable, Sendable, Comparable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
    package static func + (a: Timestamp, b: Duration) -> Timestamp {
        Timestamp(milliseconds: a.milliseconds &+ b.milliseconds)
    }
    package static func - (a: Timestamp, b: Timestamp) -> Duration {
        .milliseconds(a.milliseconds &- b.milliseconds)
    }

    package var wire: WireInstant { WireInstant(secondsSince1970: self.milliseconds / 1000) }
}

/// What time it is. The store never looks itself, so that a test can say.
package typealias WallClock = @Sendable () -> Timestamp

package enum SystemClock {
    package static let now: WallClock = {
        // Not by `timespec`: which module its members are of depends on what else the module imports, and in what order.
        Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }
}

extension Duration {
    /// Whole milliseconds; what does not fit is the largest that does.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? .min : .max) / 2 : product &+ attoseconds / 1_000_000_000_000_000
    }
}
