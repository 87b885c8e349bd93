//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// What has to happen later, by time and then by order of asking. No clock: somebody says what time it is.
///
/// For the rare things (power, counts, applications); nothing on the path of a packet uses it. A timer is not cancelled:
/// its action looks whether it still applies.
package struct TimerQueue {
    package typealias Action = (NIODeadline) -> Void
    private struct Entry {
        let deadline: NIODeadline
        let order: UInt64
        let action: Action

        func precedes(_ other: Entry) -> Bool {
            self.deadline < other.deadline || (self.deadline == other.deadline && self.order < other.order)
        }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var order: UInt64 = 0

    package init() {}

    package var count: Int { self.entries.count }
    package var nextDeadline: NIODeadline? { self.entries.first?.deadline }

    package mutating func schedule(at deadline: NIODeadline, _ action: @escaping Action) {
        self.order += 1
        self.entries.append(Entry(deadline: deadline, order: self.order, action: action))
        var child = self.entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.entries[child].precedes(self.entries[parent]) else { break }
            self.entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the first timer that is due.
    package mutating func popDue(at now: NIODeadline) -> (deadline: NIODeadline, action: Action)? {
        guard let first = self.entries.first, first.deadline <= now else { return nil }
        let last = self.entries.removeLast()
        if !self.entries.isEmpty {
            self.entries[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < self.entries.count && self.entries[child].precedes(self.entries[least]) {
                    least = child
                }
                guard least != parent else { break }
                self.entries.swapAt(parent, least)
                parent = least
            }
        }
        return (first.deadline, first.action)
    }
}
