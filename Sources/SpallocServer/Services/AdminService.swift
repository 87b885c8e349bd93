//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import HTTPTypes
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// What administrators do while the service runs. Whoever is concerned learns of it at once: allocator, power, pages, websockets.
package struct AdminService: Sendable {
    let core: ServiceCore
    let registry: ProxyRegistry

    // MARK: - Users

    /// - Throws: 400 for a name or password that cannot be, 409 for a name that is taken.
    package func createUser(_ name: String, password: String, trustLevel: TrustLevel) async throws {
        guard AccountName.isValid(name) else { throw APIError.badRequest(AccountName.rule) }
        try self.requirePassword(password)
        guard try await self.core.store.user(named: name) == nil else {
            throw APIError(.conflict, "There is a user \"\(name)\" already.")
        }
        try await self.core.store.setUser(
            name: name, password: try await .make(password, rounds: self.core.configuration.passwordRounds),
            trustLevel: trustLevel)
    }

    /// Says beforehand what a user may do who will come with a token: who comes first by that name is the user.
    package func createExternalUser(_ name: String, trustLevel: TrustLevel) async throws {
        guard let oidc = self.core.configuration.oidc else {
            throw APIError.badRequest("There is no issuer of tokens configured, so every user is internal.")
        }
        guard AccountName.isValid(name) else { throw APIError.badRequest(AccountName.rule) }
        guard name.hasPrefix(oidc.usernamePrefix), name.count > oidc.usernamePrefix.count else {
            throw APIError.badRequest("Users of the issuer are called \"\(oidc.usernamePrefix)…\".")
        }
        guard try await self.core.store.addExternalUser(name, trustLevel: trustLevel) else {
            throw APIError(.conflict, "There is a user \"\(name)\" already.")
        }
    }

    package func user(_ id: Int64) async throws -> UserRecord {
        guard let (user, _) = try await self.core.store.user(id: id) else { throw APIError.notFound("There is no such user.") }
        return user
    }

    /// Whether the user's password and trust are the configuration file's business.
    package func isConfigured(_ user: UserRecord) -> Bool {
        self.core.configuration.users.contains { $0.name == user.name }
    }

    package func setPassword(_ password: String, of id: Int64, by caller: Caller) async throws {
        let user = try await self.changeable(id, by: caller)
        guard !user.isExternal else {
            throw APIError(.conflict, "User \"\(user.name)\" logs in with tokens of an issuer, and has no password here.")
        }
        try self.requirePassword(password)
        try await self.core.store.setUser(
            name: user.name, password: try await .make(password, rounds: self.core.configuration.passwordRounds),
            trustLevel: user.trustLevel)
        self.shutOut(id, because: "the password was changed")
    }

    /// The jobs go with the user.
    package func rename(_ id: Int64, to name: String, by caller: Caller) async throws {
        let user = try await self.changeable(id, by: caller)
        guard AccountName.isValid(name) else { throw APIError.badRequest(AccountName.rule) }
        guard try await self.core.store.rename(user: user.id, to: name) else {
            throw APIError(.conflict, "There is a user \"\(name)\" already.")
        }
    }

    package func setTrustLevel(_ trustLevel: TrustLevel, of id: Int64, by caller: Caller) async throws {
        _ = try await self.changeable(id, by: caller)
        try await self.core.store.setTrustLevel(trustLevel, user: id)
        self.shutOut(id, because: "the account's rights were changed")
    }

    package func setEnabled(_ enabled: Bool, user id: Int64, by caller: Caller) async throws {
        let user = try await self.other(id, than: caller)
        try await self.core.store.setEnabled(enabled, user: user.id)
        if enabled {
            try await self.core.store.unlock(user: user.id)
        } else {
            self.shutOut(id, because: "the account is disabled")
        }
    }

    package func unlock(_ id: Int64) async throws {
        try await self.core.store.unlock(user: try await self.user(id).id)
    }

    /// A user who ever had a job stays, for what is known of the job; such an account can be disabled.
    package func deleteUser(_ id: Int64, by caller: Caller) async throws {
        let user = try await self.changeable(id, by: caller)
        guard try await self.core.store.deleteUser(user.id) else {
            throw APIError(.conflict, "User \"\(user.name)\" has had jobs, and can be disabled, not deleted.")
        }
        self.shutOut(id, because: "the account is gone")
    }

    /// Ends what goes on by the user's sessions, which are over.
    private func shutOut(_ id: Int64, because reason: String) {
        self.registry.closeAll(user: id, reason: reason)
        self.core.accessChanged(of: id)
    }

    /// Nobody locks himself out.
    private func other(_ id: Int64, than caller: Caller) async throws -> UserRecord {
        let user = try await self.user(id)
        guard user.id != caller.user.id else { throw APIError(.conflict, "Nobody changes these things of the own account.") }
        return user
    }

    private func changeable(_ id: Int64, by caller: Caller) async throws -> UserRecord {
        let user = try await self.other(id, than: caller)
        guard !self.isConfigured(user) else {
            throw APIError(.conflict, "User \"\(user.name)\" is in the service's configuration file: it is changed there.")
        }
        return user
    }

    private func requirePassword(_ password: String) throws(APIError) {
        guard !password.allSatisfy(\.isWhitespace) else { throw .badRequest("The password is blank.") }
    }

    // MARK: - Groups

    package func group(_ id: Int64) async throws -> GroupRecord {
        guard let group = try await self.core.store.group(id: id) else { throw APIError.notFound("There is no such group.") }
        return group
    }

    /// - Parameter quota: in board-seconds; nil: no limit.
    @discardableResult
    package func createGroup(
        _ name: String, type: GroupType = .internal, quota: Int64?, by caller: Caller
    ) async throws -> GroupRecord {
        guard AccountName.isValid(name) else { throw APIError.badRequest(AccountName.rule) }
        guard quota.map({ $0 >= 0 }) ?? true else { throw APIError.badRequest("A quota is not negative.") }
        guard
            let group = try await self.core.store.addGroup(
                name, type: type, quota: quota, by: caller.user.name, now: self.core.clock())
        else { throw APIError(.conflict, "There is a group \"\(name)\" already.") }
        return group
    }

    package func renameGroup(_ id: Int64, to name: String) async throws {
        let group = try await self.group(id)
        guard AccountName.isValid(name) else { throw APIError.badRequest(AccountName.rule) }
        guard try await self.core.store.rename(group: group.id, to: name) else {
            throw APIError(.conflict, "There is a group \"\(name)\" already.")
        }
    }

    package func deleteGroup(_ id: Int64) async throws {
        let group = try await self.group(id)
        guard try await self.core.store.deleteGroup(group.id) else {
            throw APIError(.conflict, "Group \"\(group.name)\" has had jobs, and stays for the sake of its account.")
        }
    }

    package func setMember(_ isMember: Bool, user name: String, of id: Int64) async throws {
        let group = try await self.group(id)
        guard let (user, _) = try await self.core.store.user(named: name) else {
            throw APIError.notFound("There is no user \"\(name)\".")
        }
        guard try await self.core.store.setMember(isMember, user: user.id, of: group.id) else {
            throw APIError(
                .conflict, "\(user.name) is \(isMember ? "already in" : "not in") group \"\(group.name)\".")
        }
    }

    /// Jobs of a group that has nothing left end at once.
    package func changeQuota(of id: Int64, _ change: QuotaChange, by caller: Caller, note: String?) async throws {
        let group = try await self.group(id)
        if case .set(let quota) = change, quota < 0 { throw APIError.badRequest("A quota is not negative.") }
        try await self.core.store.changeQuota(
            of: group.id, change, by: caller.user.name, note: note.map { String($0.prefix(200)) }, now: self.core.clock())
        self.core.expiryNudge.signal()
    }

    // MARK: - Machines and boards

    /// A board by the name that people give it: `x,y,z`, `cabinet/frame/board`, or its address.
    package func board(_ text: String, of machine: String) throws(APIError) -> (MachineCatalogue.Machine, index: Int) {
        guard let machine = self.core.store.catalogue.machine(named: machine) else {
            throw .notFound("There is no machine called \"\(machine)\".")
        }
        let text = text.filter { !$0.isWhitespace }
        func numbers(_ separator: Character) -> [Int]? {
            let parts = text.split(separator: separator, omittingEmptySubsequences: false).map { Int($0) }
            let known = parts.compactMap { $0 }
            return parts.count == 3 && known.count == 3 && known.allSatisfy { (0...255).contains($0) } ? known : nil
        }
        let index: Int?
        if let triad = numbers(",") {
            index = machine.topology.index(of: BoardCoordinates(triad[0], triad[1], triad[2]))
        } else if let slot = numbers("/") {
            index = machine.topology.index(of: PhysicalCoordinates(cabinet: slot[0], frame: slot[1], board: slot[2]))
        } else if let address = IPv4Address(text) {
            index = machine.topology.index(ofAddress: address.description)
        } else {
            throw .badRequest("\"\(text)\" names no board: it takes x,y,z, or cabinet/frame/board, or an address.")
        }
        guard let index else { throw .notFound("Machine \"\(machine.name)\" has no board \(text).") }
        return (machine, index)
    }

    /// A job that has the board keeps it; no other gets it.
    package func setFunctioning(_ functioning: Bool, board: Int64, of machine: String, reason: String) async throws {
        guard functioning || !reason.allSatisfy(\.isWhitespace) else {
            throw APIError.badRequest("Say why the board goes out of service: whoever repairs it wants to know.")
        }
        try await self.core.store.setFunctioning(functioning, board: board, failure: String(reason.prefix(200)))
        if !functioning { self.core.notify(.boardsOutOfService, boards: [board], reason: reason) }
        self.machineChanged(machine)
    }

    package func setInService(_ inService: Bool, machine: String) async throws {
        guard try await self.core.store.setInService(inService, machine: machine) else {
            throw APIError.notFound("There is no machine called \"\(machine)\".")
        }
        self.machineChanged(machine)
    }

    package func setTags(_ tags: Set<String>, machine: String) async throws {
        for tag in tags where !MachineDefinition.isName(tag) {
            throw APIError.badRequest("The tag \"\(tag)\" has odd characters, or is too long.")
        }
        guard try await self.core.store.setTags(tags, machine: machine) else {
            throw APIError.notFound("There is no machine called \"\(machine)\".")
        }
        self.machineChanged(machine)
    }

    /// Adds the machines of a definition file, all or none. They can be used at once.
    ///
    /// - Returns: the names of the new ones.
    package func importMachines(_ json: Data) async throws -> [String] {
        let definitions: [MachineDefinition]
        do {
            definitions = try MachineDefinitionFile.parse(json, name: "the definition")
        } catch {
            throw APIError.badRequest(error.message)
        }
        for definition in definitions where self.core.store.catalogue.machine(named: definition.name) != nil {
            throw APIError(.conflict, "There is a machine \"\(definition.name)\" already; nothing was imported.")
        }
        let added: [String]
        do {
            added = try await self.core.store.importMachines(definitions)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw APIError(.conflict, "A board or BMP has the address of one of another machine; nothing was imported.")
        }
        for machine in added { self.machineChanged(machine) }
        return added
    }

    private func machineChanged(_ machine: String) {
        self.core.changes.publish(machine: machine)
        self.core.allocatorNudge.signal()
        self.core.powerNudge.signal()
    }

    // MARK: - Issue reports

    package func clearReports(of board: Int64) async throws {
        try await self.core.store.clearReports(of: board)
    }
}

/// What a user or a group may be called.
package enum AccountName {
    static let rule = "A name has 1 to 64 characters, no blanks, no colon, nothing invisible."

    /// A colon would end the name in Basic authentication; blanks at the ends are cut off at login.
    package static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name.count <= 64
            && name.unicodeScalars.allSatisfy {
                $0 != ":" && !$0.properties.isWhitespace && $0.properties.generalCategory != .control
                    && $0.properties.generalCategory != .format
            }
    }
}
