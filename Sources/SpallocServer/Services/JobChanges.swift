//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI

/// Tells those who wait that something has changed.
///
/// Everything that can be waited for has a number that grows. Who waits says which number is known, and returns at once if the present
/// one is higher: a change that comes between reading and waiting is not missed. A job's number is its revision in the
/// database; the list of jobs and each machine have one of their own.
package final class JobChanges: Sendable {
    package enum Topic: Hashable, Sendable {
        case job(Int)
        /// Which jobs there are.
        case jobs
        /// Which boards of a machine work and who has them.
        case machine(String)
        /// Whether a user may still be here, by this session or that.
        case access(Int64)
    }

    private struct State {
        var latest: [Topic: Int64] = [:]
        var waiters: [Topic: [ObjectIdentifier: WaitGate]] = [:]
        /// Jobs that have ended, oldest first: their numbers are forgotten in time.
        var endedJobs = CircularBuffer<Int>()
        var ended = false

        mutating func wake(_ topic: Topic, into gates: inout [WaitGate]) {
            if let waiting = self.waiters.removeValue(forKey: topic) { gates.append(contentsOf: waiting.values) }
        }
    }

    private let state = NIOLockedValueBox(State())
    /// Told of every change of a machine.
    private let machineObservers = NIOLockedValueBox<[@Sendable (String) -> Void]>([])

    /// Nobody can have read a job before so many others ended and only now come to wait.
    private static let rememberedEnds = 10_000

    package init() {}

    /// To be called after the transaction that made the changes.
    package func publish(_ changes: [JobChange]) {
        guard !changes.isEmpty else { return }
        let gates = self.state.withLockedValue { state in
            var gates: [WaitGate] = []
            for change in changes {
                let topic = Topic.job(change.job)
                state.latest[topic] = max(state.latest[topic] ?? 0, change.revision)
                state.wake(topic, into: &gates)
                if change.state == .destroyed {
                    state.endedJobs.append(change.job)
                    if state.endedJobs.count > JobChanges.rememberedEnds {
                        state.latest[.job(state.endedJobs.removeFirst())] = nil
                    }
                }
            }
            if changes.contains(where: { $0.state == .destroyed || $0.revision == 1 }) {
                state.latest[.jobs, default: 0] += 1
                state.wake(.jobs, into: &gates)
            }
            return gates
        }
        for gate in gates { gate.open() }
    }

    package func publish(machine: String) {
        self.publish(.machine(machine))
        for observer in self.machineObservers.withLockedValue({ $0 }) { observer(machine) }
    }

    package func publish(accessOf user: Int64) { self.publish(.access(user)) }

    private func publish(_ topic: Topic) {
        let gates = self.state.withLockedValue { state in
            var gates: [WaitGate] = []
            state.latest[topic, default: 0] += 1
            state.wake(topic, into: &gates)
            return gates
        }
        for gate in gates { gate.open() }
    }

    package func observeMachines(_ observer: @escaping @Sendable (String) -> Void) {
        self.machineObservers.withLockedValue { $0.append(observer) }
    }

    /// The number of a topic that has none in the database. It is to be read before what it stands for.
    package func current(_ topic: Topic) -> Int64 { self.state.withLockedValue { $0.latest[topic] ?? 0 } }

    /// How many wait, each for however many topics.
    package var waiterCount: Int {
        self.state.withLockedValue { state in Set(state.waiters.values.flatMap(\.keys)).count }
    }

    /// Returns once the topic's number is above `known`, or the time is over, or the task is cancelled.
    package func next(_ topic: Topic, after known: Int64, within limit: Duration) async {
        await self.next([(topic, known)], within: limit)
    }

    /// The same for whichever of several comes first.
    package func next(_ topics: [(topic: Topic, known: Int64)], within limit: Duration) async {
        guard !topics.isEmpty, limit > .zero else { return }
        let gate = WaitGate()
        let id = ObjectIdentifier(gate)
        let changed = self.state.withLockedValue { state in
            if state.ended || topics.contains(where: { (state.latest[$0.topic] ?? 0) > $0.known }) { return true }
            for (topic, _) in topics { state.waiters[topic, default: [:]][id] = gate }
            return false
        }
        if changed { return }
        await gate.wait(within: limit)
        self.state.withLockedValue { state in
            for (topic, _) in topics {
                state.waiters[topic]?[id] = nil
                if state.waiters[topic]?.isEmpty == true { state.waiters[topic] = nil }
            }
        }
    }

    /// Nobody waits any more: the service is about to stop.
    package var hasEnded: Bool { self.state.withLockedValue { $0.ended } }

    /// Whether any of these is above what is known of it.
    package func differs(_ topics: [(Topic, Int64)]) -> Bool {
        self.state.withLockedValue { state in topics.contains { (state.latest[$0.0] ?? 0) > $0.1 } }
    }

    /// Lets all who wait go, and nobody wait any more: the service is about to stop.
    package func end() {
        let gates = self.state.withLockedValue { state in
            state.ended = true
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap(\.values)
        }
        for gate in gates { gate.open() }
    }
}
