//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers

/// Wakes one task that waits for there to be something to do. Signals that come while it is busy count as one: a nudge says "look",
/// not what there is to see.
package final class Nudge: Sendable {
    private struct State {
        var signalled = false
        var ended = false
        var gate: WaitGate?
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// Somebody has called, and nobody has looked since.
    var isSignalled: Bool { self.state.withLockedValue { $0.signalled } }

    package func signal() {
        self.state.withLockedValue { state in
            state.signalled = true
            return state.gate
        }?.open()
    }

    /// From now on nobody waits.
    package func end() {
        self.state.withLockedValue { state in
            state.ended = true
            return state.gate
        }?.open()
    }

    /// Returns when there was a signal since the last return, when the time is over, or when all is over.
    ///
    /// - Returns: false when all is over: ``end()``, or the task's cancellation.
    package func wait(_ limit: Duration? = nil) async -> Bool {
        let gate = WaitGate()
        let goOn = self.state.withLockedValue { state in
            if state.signalled || state.ended { return true }
            state.gate = gate
            return false
        }
        if !goOn { await gate.wait(within: limit) }
        let ended = self.state.withLockedValue { state in
            state.gate = nil
            state.signalled = false
            return state.ended
        }
        return !ended && !Task.isCancelled
    }
}
