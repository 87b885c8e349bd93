//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB

/// What an operator does to a service's database from the command line, whether the service runs or not: SQLite keeps the two apart.
package struct Administration: Sendable {
    /// What became of one machine of a definition file.
    package enum Imported: Hashable, Sendable {
        case added(String, boards: Int)
        case unchanged(String)
    }

    private let configuration: SpallocServerConfiguration
    private let store: Store

    /// Opens the configuration's database.
    ///
    /// - Parameter creating: makes the file if it is not there; otherwise that is an error, for it is then most likely the wrong file.
    package init(_ configuration: SpallocServerConfiguration, creating: Bool) throws(SpallocServerError) {
        let path = configuration.databasePath
        guard creating || FileManager.default.fileExists(atPath: path) else {
            throw SpallocServerError(.database, "there is no database \(path) yet: start the service, or add a user, first")
        }
        self.configuration = configuration
        self.store = try Store(path: path)
    }

    /// Runs `body` on a database that is closed afterwards.
    package static func with<Value: Sendable>(
        _ configuration: SpallocServerConfiguration, creating: Bool = false, _ body: (Administration) async throws -> Value
    ) async throws -> Value {
        let administration = try Administration(configuration, creating: creating)
        do {
            let value = try await body(administration)
            try administration.store.close()
            return value
        } catch let error as DatabaseError {
            try? administration.store.close()
            throw SpallocServerError(
                .database, "\(configuration.databasePath): \(error.message ?? "\(error.resultCode)")")
        } catch {
            try? administration.store.close()
            throw error
        }
    }

    // MARK: - History

    package func history(_ filter: HistoryFilter, limit: Int, start: Int) async throws -> [EndedJob] {
        try await self.store.history(filter, limit: limit, start: start)
    }

    // MARK: - Users

    package func users() async throws -> [UserRecord] { try await self.store.users() }

    /// Whether the user's password and trust are the configuration file's business.
    package func isConfigured(_ name: String) -> Bool { self.configuration.users.contains { $0.name == name } }

    package func addUser(_ name: String, password: String, trustLevel: TrustLevel) async throws {
        try await self.requireFree(name)
        try Administration.requirePassword(password)
        try await self.store.setUser(
            name: name, password: try await .make(password, rounds: self.configuration.passwordRounds), trustLevel: trustLevel)
    }

    /// That ``addUser(_:password:trustLevel:)`` may add a user of this name: asked before the password is.
    package func requireFree(_ name: String) async throws {
        guard AccountName.isValid(name) else {
            throw SpallocServerError(
                .administration, "\"\(name)\" is no user name: 1 to 64 characters, no blanks, no colon, nothing invisible")
        }
        try self.requireUnconfigured(name)
        guard try await self.store.user(named: name) == nil else {
            throw SpallocServerError(
                .administration, "there is a user \"\(name)\" already; \"user password\" changes the password")
        }
    }

    /// A new password ends all sessions of the user, and unlocks the account.
    package func setPassword(_ password: String, of name: String) async throws {
        let user = try await self.requireChangeable(name)
        try Administration.requirePassword(password)
        try await self.store.setUser(
            name: name, password: try await .make(password, rounds: self.configuration.passwordRounds),
            trustLevel: user.trustLevel)
    }

    /// That ``setPassword(_:of:)`` may be used for this user: asked before the password is.
    @discardableResult
    package func requireChangeable(_ name: String) async throws -> UserRecord {
        try self.requireUnconfigured(name)
        let user = try await self.requireUser(name)
        guard user.name != self.configuration.v1.serviceUser || user.hasPassword else {
            throw SpallocServerError(.administration, "\"\(name)\" owns the jobs of the v1 port and never logs in")
        }
        guard !user.isExternal else {
            throw SpallocServerError(.administration, "\"\(name)\" logs in with tokens of an issuer, and has no password here")
        }
        return user
    }

    /// A disabled user's sessions end at once; jobs live as long as something else keeps them alive.
    package func setEnabled(_ enabled: Bool, user name: String) async throws {
        let user = try await self.requireUser(name)
        try await self.store.setEnabled(enabled, user: user.id)
        if enabled { try await self.store.unlock(user: user.id) }
    }

    private func requireUser(_ name: String) async throws -> UserRecord {
        if let (user, _) = try await self.store.user(named: name) { return user }
        let names = try await self.store.users().map(\.name)
        let nearest = names.first { $0.lowercased() == name.lowercased() }
        throw SpallocServerError(
            .administration, "there is no user \"\(name)\"" + (nearest.map { "; did you mean \"\($0)\"?" } ?? ""))
    }

    /// The service would set it back at its next start.
    private func requireUnconfigured(_ name: String) throws {
        guard !self.isConfigured(name) else {
            throw SpallocServerError(.administration, "user \"\(name)\" is in the configuration file: change it there")
        }
    }

    private static func requirePassword(_ password: String) throws {
        guard !password.allSatisfy(\.isWhitespace) else { throw SpallocServerError(.administration, "the password is blank") }
    }

    // MARK: - Groups

    package struct Group: Sendable {
        package var record: GroupRecord
        package var members: [String]
        package var usage: GroupUsage?
    }

    package func groups() async throws -> [Group] {
        var groups: [Group] = []
        for record in try await self.store.groups() {
            groups.append(
                Group(
                    record: record, members: try await self.store.members(of: record.id).map(\.name),
                    usage: try await self.store.groupUsage(of: record.id).first))
        }
        return groups
    }

    /// - Parameter quota: in board-seconds; nil: no limit.
    package func addGroup(_ name: String, quota: Int64?, members: [String]) async throws {
        guard AccountName.isValid(name) else {
            throw SpallocServerError(.administration, "\"\(name)\" is no name of a group: \(AccountName.rule)")
        }
        for member in members { _ = try await self.requireUser(member) }
        guard
            let group = try await self.store.addGroup(name, quota: quota, by: "spallocd group add", now: SystemClock.now())
        else { throw SpallocServerError(.administration, "there is a group \"\(name)\" already") }
        for member in members { try await self.setMember(true, user: member, of: group.name) }
    }

    package func setMember(_ isMember: Bool, user: String, of group: String) async throws {
        let (record, user) = (try await self.requireGroup(group), try await self.requireUser(user))
        guard try await self.store.setMember(isMember, user: user.id, of: record.id) else {
            throw SpallocServerError(
                .administration, "\(user.name) is \(isMember ? "already in" : "not in") group \"\(record.name)\"")
        }
    }

    /// A running service sees what is left within 30 seconds.
    ///
    /// - Returns: board-seconds left; nil: no limit.
    package func changeQuota(of group: String, _ change: QuotaChange, note: String?) async throws -> Int64? {
        let record = try await self.requireGroup(group)
        if case .adjust = change, record.quota == nil {
            throw SpallocServerError(
                .administration, "group \"\(record.name)\" has no limit that could be changed; set one")
        }
        return try await self.store.changeQuota(
            of: record.id, change, by: "spallocd group quota", note: note, now: SystemClock.now())
    }

    package func quotaEntries(of group: String, limit: Int) async throws -> [QuotaEntry] {
        try await self.store.quotaEntries(of: try await self.requireGroup(group).id, limit: limit)
    }

    private func requireGroup(_ name: String) async throws -> GroupRecord {
        if let group = try await self.store.group(named: name) { return group }
        let nearest = try await self.store.groups().map(\.name).first { $0.lowercased() == name.lowercased() }
        throw SpallocServerError(
            .administration, "there is no group \"\(name)\"" + (nearest.map { "; did you mean \"\($0)\"?" } ?? ""))
    }

    // MARK: - Machines

    /// Adds the machines that are not there yet, all or none. A machine that is there must be the same, but for what is changed
    /// while it runs: tags, boards out of service, dead links.
    package func importMachines(_ definitions: [MachineDefinition]) async throws -> [Imported] {
        for definition in definitions {
            guard let difference = try await self.store.difference(from: definition) else { continue }
            throw SpallocServerError(
                .administration,
                "machine \"\(definition.name)\" is there already, with \(difference); nothing was imported")
        }
        let added: Set<String>
        do {
            added = Set(try await self.store.importMachines(definitions))
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw SpallocServerError(
                .administration, "a board or BMP has the address of one of another machine; nothing was imported")
        }
        return definitions.map { added.contains($0.name) ? .added($0.name, boards: $0.boards.count) : .unchanged($0.name) }
    }

    // MARK: - Backup

    /// Copies the database, as it is at one moment, to a file that must not exist. The copy is checked before it gets its name, and only
    /// its owner can read it: it holds password hashes.
    ///
    /// - Returns: its size in bytes.
    package func backUp(to path: String) throws -> Int {
        let files = FileManager.default
        func fail(_ message: String) -> SpallocServerError { SpallocServerError(.administration, message) }
        guard !files.fileExists(atPath: path) else { throw fail("\(path) exists already") }
        let partial = path + ".partial-\(ProcessInfo.processInfo.processIdentifier)"
        guard files.createFile(atPath: partial, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw fail("cannot write \(partial)")
        }
        defer {
            for suffix in ["", "-wal", "-shm", "-journal"] { try? files.removeItem(atPath: partial + suffix) }
        }
        try self.store.backUp(to: partial)
        // A hard link fails if somebody has made the file meanwhile; a rename would replace it.
        do { try files.linkItem(atPath: partial, toPath: path) } catch { throw fail("cannot write \(path): \(error)") }
        return (try files.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }
}
