//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Whether the peer of a websocket is still there: a ping when nothing was heard for a while, and a deadline for its answer.
///
/// Anything that arrives counts as a sign of life. The pings also keep a load balancer between the ends from dropping an
/// idle connection, which they commonly do after 60 s.
package struct WebSocketLiveness: Sendable {
    package enum Action: Hashable, Sendable {
        case wait(until: NIODeadline)
        case ping(thenWaitUntil: NIODeadline)
        case dead
    }

    package let pingInterval: TimeAmount
    package let pongDeadline: TimeAmount
    private var lastHeard: NIODeadline
    private var pingSent: NIODeadline?

    package init(pingInterval: TimeAmount, pongDeadline: TimeAmount, now: NIODeadline) {
        self.pingInterval = pingInterval
        self.pongDeadline = pongDeadline
        self.lastHeard = now
    }

    package mutating func heard(now: NIODeadline) {
        self.lastHeard = now
        self.pingSent = nil
    }

    /// What is to be done at `now`: called when a deadline it gave has come.
    package mutating func check(now: NIODeadline) -> Action {
        if let pingSent = self.pingSent {
            let deadline = pingSent + self.pongDeadline
            return now >= deadline ? .dead : .wait(until: deadline)
        }
        let due = self.lastHeard + self.pingInterval
        guard now >= due else { return .wait(until: due) }
        self.pingSent = now
        // A pong comes soon, most often: then the next ping is due before this one would be overdue.
        return .ping(thenWaitUntil: now + min(self.pingInterval, self.pongDeadline))
    }
}
