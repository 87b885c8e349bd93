//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import SpiNNakerWire

/// What one connection watches, and the changes that it has not been told of yet. Changes come from any thread; they are told on
/// the connection's event loop, together.
///
/// A change is noted at once but told only when the connection has no request under way and its peer reads. Until then it waits
/// here, once however often it happened, so a reader that stalls costs no more than the jobs there are.
package final class V1Subscriber: Sendable {
    private struct State {
        var jobs = V1Watch<Int>()
        var machines = V1Watch<String>()
        var changedJobs = V1Changes<Int>()
        var changedMachines = V1Changes<String>()
        /// The event loop knows that there is something to tell.
        var isCalled = false
    }

    /// More than this means a peer that has not read for very long.
    package static let limit = 65536

    /// No machine has a longer name.
    private static let longestName = 50

    private let state = NIOLockedValueBox(State())

    package init() {}

    // MARK: - Watching

    /// - Returns: false when the connection watches too many already.
    package func watch(job: Int?) -> Bool { self.state.withLockedValue { $0.jobs.add(job) } }
    package func watch(machine: String?) -> Bool {
        // What cannot change need not be remembered.
        if let machine, machine.utf8.count > V1Subscriber.longestName { return true }
        return self.state.withLockedValue { $0.machines.add(machine) }
    }

    /// What is no longer watched is not told, even if it has changed already.
    package func unwatch(job: Int?) {
        self.state.withLockedValue { state in
            state.jobs.drop(job)
            let watch = state.jobs
            state.changedJobs.keep(where: watch.covers)
        }
    }

    package func unwatch(machine: String?) {
        self.state.withLockedValue { state in
            state.machines.drop(machine)
            let watch = state.machines
            state.changedMachines.keep(where: watch.covers)
        }
    }

    // MARK: - Changes

    /// - Returns: whether the event loop is to be called, which it has not been since it last looked.
    package func note(job: Int) -> Bool {
        self.state.withLockedValue { state in
            guard state.jobs.covers(job) else { return false }
            state.changedJobs.note(job)
            defer { state.isCalled = true }
            return !state.isCalled
        }
    }

    package func note(machine: String) -> Bool {
        self.state.withLockedValue { state in
            guard state.machines.covers(machine) else { return false }
            state.changedMachines.note(machine)
            defer { state.isCalled = true }
            return !state.isCalled
        }
    }

    /// The event loop has heard the call; the next change calls again.
    ///
    /// - Returns: false when more waits than a peer can be forgiven.
    package func heard() -> Bool {
        self.state.withLockedValue { state in
            state.isCalled = false
            return state.changedJobs.count <= V1Subscriber.limit
        }
    }

    /// The notifications that are due; they do not wait any more.
    package func take() -> [V1Reply] {
        self.state.withLockedValue { state in
            var replies: [V1Reply] = []
            if !state.changedJobs.isEmpty { replies.append(.jobsChanged(state.changedJobs.take())) }
            if !state.changedMachines.isEmpty { replies.append(.machinesChanged(state.changedMachines.take())) }
            return replies
        }
    }
}
