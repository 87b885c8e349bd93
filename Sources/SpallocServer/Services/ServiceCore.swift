//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers

/// What the services and the HTTP side share: the store, the hub, and who is to be woken.
package final class ServiceCore: Sendable {
    /// Asked for many times a request: an object is handed out more cheaply than thirty values.
    private final class Settings: Sendable {
        let configuration: SpallocServerConfiguration
        init(_ configuration: SpallocServerConfiguration) { self.configuration = configuration }
    }

    private let settings: NIOLockedValueBox<Settings>
    package let metrics = ServiceMetrics()
    package let store: Store
    package let changes: JobChanges
    package let clock: WallClock
    package let logger: Logger
    package let allocatorNudge = Nudge()
    package let powerNudge = Nudge()
    package let expiryNudge = Nudge()
    package let notices = NoticeQueue()
    /// When ``ExpiryService`` looks next; nil while it looks.
    let nextExpiry = NIOLockedValueBox<Timestamp?>(nil)
    /// Told of every change of a job: how the proxy learns that a job has ended.
    private let observers = NIOLockedValueBox<[@Sendable (JobChange) -> Void]>([])
    /// After the emergency stop no job is created.
    private let stopped = NIOLockedValueBox(false)

    package init(
        configuration: SpallocServerConfiguration, store: Store, clock: @escaping WallClock = SystemClock.now, logger: Logger
    ) {
        self.settings = NIOLockedValueBox(Settings(configuration))
        self.store = store
        self.changes = JobChanges()
        self.clock = clock
        self.logger = logger
    }

    /// As it is now: some of it changes when the service is told to read it anew.
    package var configuration: SpallocServerConfiguration {
        get { self.settings.withLockedValue { $0 }.configuration }
        set {
            let settings = Settings(newValue)
            self.settings.withLockedValue { $0 = settings }
        }
    }

    package func observe(_ observer: @escaping @Sendable (JobChange) -> Void) {
        self.observers.withLockedValue { $0.append(observer) }
    }

    /// To be called after the transaction that made the changes.
    package func publish(_ changes: [JobChange]) {
        guard !changes.isEmpty else { return }
        self.changes.publish(changes)
        // Who has which board is a matter of the machine, too.
        let machines = Set(changes.compactMap(\.machine))
        if !machines.isEmpty {
            let catalogue = self.store.catalogue
            for machine in machines.compactMap(catalogue.machine(id:)) { self.changes.publish(machine: machine.name) }
        }
        let observers = self.observers.withLockedValue { $0 }
        for change in changes {
            self.logger.debug("job changed", metadata: ["job": "\(change.job)", "state": "\(change.state)"])
            for observer in observers { observer(change) }
        }
    }

    /// Sessions of the user have ended, or the user may not be here any more: who waits by them, waits no longer.
    package func accessChanged(of user: Int64) {
        self.changes.publish(accessOf: user)
        self.expiryNudge.signal()
    }

    /// Waits for a change of any of these: as long as a long-poll does, and no longer than who asks may be told.
    package func next(_ topics: [(topic: JobChanges.Topic, known: Int64)], for caller: Caller) async {
        let access = JobChanges.Topic.access(caller.user.id)
        let limit = caller.patience(self.configuration.timings.longPoll, now: self.clock())
        await self.changes.next(topics + [(access, self.changes.current(access))], within: limit)
    }

    /// Something may end then: the expiry is to look in time, and is left alone when it will anyway.
    package func expires(at time: Timestamp) {
        let now = self.clock()
        let isLate = self.nextExpiry.withLockedValue { next in next.map { $0 > time || $0 <= now } ?? true }
        if isLate { self.expiryNudge.signal() }
    }

    package var isStopped: Bool {
        get { self.stopped.withLockedValue { $0 } }
        set { self.stopped.withLockedValue { $0 = newValue } }
    }
}
