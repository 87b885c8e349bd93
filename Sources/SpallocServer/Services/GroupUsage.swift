//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

/// What a group's live jobs use, by arithmetic: nothing is written down until a job ends. The unit is the reference's: board-seconds, one
/// board for one second from the moment it was given to a job, whether it is on or off.
package struct GroupUsage: Hashable, Sendable {
    package struct Job: Hashable, Sendable {
        package var id: Int
        package var boards: Int
        /// When it got them.
        package var since: Timestamp

        package init(id: Int, boards: Int, since: Timestamp) {
            self.id = id
            self.boards = boards
            self.since = since
        }
    }

    package var group: Int64
    /// Board-seconds left when the last job ended; nil: no limit.
    package var quota: Int64?
    package var jobs: [Job]

    package init(group: Int64, quota: Int64?, jobs: [Job]) {
        self.group = group
        self.quota = quota
        self.jobs = jobs
    }

    /// In board-milliseconds.
    package static func used(boards: Int, since: Timestamp, until now: Timestamp) -> Int64 {
        let time = max(0, now.milliseconds &- since.milliseconds)
        let (product, overflow) = time.multipliedReportingOverflow(by: Int64(max(0, boards)))
        return overflow ? .max : product
    }

    /// Board-seconds that the live jobs have used.
    package func used(now: Timestamp) -> Int64 { self.usedMilliseconds(now) / 1000 }

    private func usedMilliseconds(_ now: Timestamp) -> Int64 {
        self.jobs.reduce(0) { sum, job in
            let (total, overflow) = sum.addingReportingOverflow(
                GroupUsage.used(boards: job.boards, since: job.since, until: now))
            return overflow ? .max : total
        }
    }

    /// Board-seconds left now, not below 0; nil: no limit.
    package func left(now: Timestamp) -> Int64? { self.leftMilliseconds(now).map { $0 / 1000 } }

    private func leftMilliseconds(_ now: Timestamp) -> Int64? {
        guard let quota else { return nil }
        let (milliseconds, overflow) = quota.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : max(0, milliseconds - min(milliseconds, self.usedMilliseconds(now)))
    }

    /// Whether the group, as a whole, has used what it had.
    package func isExhausted(now: Timestamp) -> Bool { self.leftMilliseconds(now) == 0 }

    /// When it will have, if all goes on as it is; nil: never.
    package func exhaustion(now: Timestamp) -> Timestamp? {
        let boards = self.jobs.reduce(Int64(0)) { $0 + Int64(min(max(0, $1.boards), 1 << 30)) }
        guard boards > 0, let left = self.leftMilliseconds(now), left < .max - boards else { return nil }
        let (at, overflow) = now.milliseconds.addingReportingOverflow((left + boards - 1) / boards)
        return overflow ? nil : Timestamp(milliseconds: at)
    }
}

/// Board-seconds as people count them.
package enum BoardHours {
    /// `12.50 board-hours`; nil: `no limit`.
    package static func text(_ boardSeconds: Int64?) -> String {
        guard let boardSeconds else { return "no limit" }
        let hundredths = boardSeconds.magnitude / 36
        let fraction = hundredths % 100
        return
            "\(boardSeconds < 0 && hundredths > 0 ? "-" : "")\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) board-hours"
    }
}
