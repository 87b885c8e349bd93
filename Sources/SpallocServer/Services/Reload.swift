//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What of a configuration may be changed while the service runs.
package struct ReloadableSetting: Sendable {
    /// As in the file.
    package let name: String
    /// false: a change waits for the next start.
    package let isReloadable: Bool
    let differs: @Sendable (SpallocServerConfiguration, SpallocServerConfiguration) -> Bool
    let take: @Sendable (inout SpallocServerConfiguration, SpallocServerConfiguration) -> Void

    private init<Value: Hashable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<SpallocServerConfiguration, Value> & Sendable, reloadable: Bool
    ) {
        self.name = name
        self.isReloadable = reloadable
        self.differs = { $0[keyPath: path] != $1[keyPath: path] }
        self.take = { $0[keyPath: path] = $1[keyPath: path] }
    }

    /// Every key of the file, in its order; `timings` key by key. A test holds this to the file's keys.
    package static let all: [ReloadableSetting] = [
        .init("database", \.databasePath, reloadable: false),
        .init("host", \.host, reloadable: false),
        .init("port", \.port, reloadable: false),
        .init("base-path", \.basePath, reloadable: false),
        .init("tls", \.tls, reloadable: false),
        .init("machine-files", \.machines, reloadable: true),
        .init("users", \.users, reloadable: true),
        .init("groups", \.groups, reloadable: true),
        .init("require-group", \.requireGroup, reloadable: true),
        .init("oidc", \.oidc, reloadable: false),
        .init("trusted-proxies", \.trustedProxies, reloadable: true),
        .init("proxy", \.proxyEnabled, reloadable: true),
        .init("websockets-per-user", \.websocketsPerUser, reloadable: true),
        .init("emergency-stop-code", \.emergencyStopCode, reloadable: true),
        .init("maximum-body", \.maximumBody, reloadable: true),
        .init("timings.long-poll", \.timings.longPoll, reloadable: true),
        .init("timings.minimum-keepalive", \.timings.minimumKeepalive, reloadable: true),
        .init("timings.maximum-keepalive", \.timings.maximumKeepalive, reloadable: true),
        .init("timings.shutdown", \.timings.shutdown, reloadable: false),
        .init("timings.session-idle", \.timings.sessionIdle, reloadable: false),
        .init("timings.websocket-ping", \.timings.websocketPing, reloadable: true),
        .init("health", \.health, reloadable: true),
        .init("history", \.history, reloadable: true),
        .init("reports", \.reports, reloadable: true),
        .init("notify", \.notify, reloadable: true),
        .init("power", \.power, reloadable: true),
        .init("lockout", \.lockout, reloadable: true),
        .init("metrics", \.metrics, reloadable: false),
        .init("v1", \.v1, reloadable: false),
    ]
}

/// What came of a reload, by the names of settings.
package struct Reloaded: Hashable, Sendable {
    /// Changed, and in force.
    package var changed: [String] = []
    /// Changed in the file, and in force after a restart.
    package var waiting: [String] = []
    package var machinesAdded: [String] = []
    /// Machines of the file that differ from the database's, which were left as they are.
    package var machinesThatDiffer: [String] = []
}

extension SpallocApplication {
    /// Takes over what may be changed while the service runs. Jobs, sessions and connections go on.
    ///
    /// Machines that `spallocd machine import` has added meanwhile are taken up, too. A user who is no longer in the file stays, as one of
    /// the database.
    ///
    /// - Throws: ``SpallocServerError``, and then nothing of the configuration was taken over.
    @discardableResult
    package func reload(_ new: SpallocServerConfiguration) async throws -> Reloaded {
        try SpallocApplication.check(new)
        let old = self.core.configuration
        var merged = old
        var result = Reloaded()
        for setting in ReloadableSetting.all where setting.differs(old, new) {
            if setting.isReloadable {
                setting.take(&merged, new)
                result.changed.append(setting.name)
            } else {
                result.waiting.append(setting.name)
            }
        }
        // A mixture of two valid configurations need not be one.
        try merged.validate()
        let store = self.core.store
        for machine in new.machines where try await store.difference(from: machine) != nil {
            result.machinesThatDiffer.append(machine.name)
        }
        let known = Set(store.catalogue.machines.map(\.name))
        try await store.importMachines(new.machines)
        try await store.reloadCatalogue()
        result.machinesAdded = store.catalogue.machines.map(\.name).filter { !known.contains($0) }.sorted()
        for user in new.users { try await store.ensureUser(user, rounds: old.passwordRounds) }
        for group in new.groups { try await store.ensureGroup(group, now: self.core.clock()) }
        self.core.configuration = merged
        try await self.closeWebSocketsOfTheDisabled()
        // What waited for a board or for a power setting may go on.
        self.core.allocatorNudge.signal()
        self.core.powerNudge.signal()
        // A new password has ended sessions, and with them what they began.
        self.core.expiryNudge.signal()
        for machine in result.machinesAdded { self.core.changes.publish(machine: machine) }
        return result
    }
}
