//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Logging
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// What users do with jobs: who may, what is refused, and who is woken.
package struct JobService: Sendable {
    let core: ServiceCore

    /// A job that the caller may see. To all others it does not exist.
    package func job(_ id: Int, for caller: Caller) async throws -> JobRecord {
        try await self.recentJob(id, for: caller).record
    }

    /// The same with the request as clients are told of it.
    func recentJob(_ id: Int, for caller: Caller) async throws -> RecentRows.Job {
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        guard let job = try await self.core.store.recentJob(id), self.isVisible(job.record, to: caller.user) else {
            throw APIError.noJob
        }
        return job
    }

    package func isVisible(_ job: JobRecord, to user: UserRecord) -> Bool {
        user.trustLevel.mayHaveJobs && (job.ownerID == user.id || user.trustLevel.actsForOthers)
    }

    package func create(_ request: CreateJobRequest, caller: Caller, host: String?) async throws -> Int {
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        guard !self.core.isStopped else { throw APIError(.serviceUnavailable, "the emergency stop is in force") }
        var request = request
        let owner = try await self.owner(&request, caller)
        let keepalive = try self.keepalive(request)
        let wanted = try JobRequest(request)
        if case .impossible(let reason) = try await self.core.store.feasibility(of: wanted) {
            throw APIError.badRequest(reason)
        }
        let now = self.core.clock()
        let (complete, charged) = (request, owner)
        let change = try await self.core.store.createJob(
            owner: owner.id, request: request, wanted: wanted, keepalive: keepalive, host: host, now: now
        ) { accounts in
            try self.group(of: charged, complete, accounts)?.id
        }
        self.core.publish([change])
        self.core.expires(at: now + keepalive)
        return change.job
    }

    /// Which group pays. One that is named must be the owner's; who is in one only need not say. Who is in none is not limited, unless the
    /// service requires a group.
    ///
    /// - Throws: 400 that says what is wrong with the group, also when it has too little left to keep the boards for even one keepalive
    ///   interval.
    private func group(of owner: UserRecord, _ request: CreateJobRequest, _ accounts: Accounts) throws -> GroupRecord? {
        let groups = try accounts.groups(of: owner.id)
        // Whom an EBRAINS client would have pay does not matter where nobody pays.
        if request.nmpiJobID != nil || request.nmpiCollab != nil, groups.isEmpty, !self.core.configuration.requireGroup {
            return nil
        }
        guard request.nmpiJobID == nil else {
            throw APIError.badRequest("nmpi-job-id: this service knows no NMPI; name a group")
        }
        let chosen: GroupRecord
        if let name = request.group ?? request.nmpiCollab {
            guard let group = groups.first(where: { $0.name == name }),
                request.nmpiCollab == nil || group.type == .collaboratory
            else {
                throw APIError.badRequest(
                    "\(owner.name) is in no \(request.group == nil ? "collaboratory" : "group") \"\(name)\"")
            }
            chosen = group
        } else if groups.count > 1, let own = groups.first(where: { self.isOwn($0, of: owner) }) {
            chosen = own
        } else if groups.count > 1 {
            let names = groups.map { "\"\($0.name)\"" }.joined(separator: ", ")
            throw APIError.badRequest("\(owner.name) is in several groups: name one of \(names)")
        } else if let group = groups.first {
            chosen = group
        } else {
            guard !self.core.configuration.requireGroup else {
                throw APIError.badRequest("\(owner.name) is in no group, and this service requires one")
            }
            return nil
        }
        guard let usage = try accounts.usage(of: chosen.id), let left = usage.left(now: self.core.clock())
        else { return chosen }
        let interval = Int64((request.keepaliveInterval?.seconds ?? 0).rounded(.up))
        let least = max(1, Int64(JobService.leastBoards(request)) * max(1, min(interval, 86_400)))
        guard left >= least else {
            throw APIError.badRequest(
                "group \"\(chosen.name)\" has \(left) board-seconds left, and the job needs \(least) for one keepalive interval"
            )
        }
        return chosen
    }

    /// Whether it is the one that an issuer's user is in besides the collaboratories that the token names.
    private func isOwn(_ group: GroupRecord, of owner: UserRecord) -> Bool {
        guard owner.isExternal, group.type == .collaboratory, let oidc = self.core.configuration.oidc else { return false }
        return group.name == ExternalIdentity.ownGroup(of: String(owner.name.dropFirst(oidc.usernamePrefix.count)))
    }

    /// As many as the request says, and at least one.
    private static func leastBoards(_ request: CreateJobRequest) -> Int {
        if let size = request.dimensions {
            let (triads, overflow) = size.width.multipliedReportingOverflow(by: size.height)
            return overflow ? 1 << 20 : max(1, min(triads, 1 << 20) * 3 - max(0, min(request.maxDeadBoards ?? 0, 1 << 20)))
        }
        return max(1, min(request.numBoards ?? 1, 1 << 20))
    }

    private func owner(_ request: inout CreateJobRequest, _ caller: Caller) async throws -> UserRecord {
        let accounts = [request.group, request.nmpiCollab, request.nmpiJobID.map { "\($0)" }].compactMap { $0 }
        guard accounts.count <= 1 else { throw APIError.badRequest("group, nmpi-collab and nmpi-job-id exclude each other") }
        guard let name = request.owner, !name.allSatisfy(\.isWhitespace) else {
            request.owner = caller.user.name
            return caller.user
        }
        if name == caller.user.name { return caller.user }
        guard caller.user.trustLevel.actsForOthers else { throw APIError.badRequest("you may not create jobs for others") }
        guard let (owner, _) = try await self.core.store.user(named: name) else {
            throw APIError.badRequest("there is no user \"\(name)\"")
        }
        return owner
    }

    private func keepalive(_ request: CreateJobRequest) throws(APIError) -> Duration {
        guard let interval = request.keepaliveInterval else { throw .badRequest("keepalive-interval is missing") }
        let timings = self.core.configuration.timings
        guard interval.seconds.isFinite, interval.seconds >= WireDuration(timings.minimumKeepalive).seconds,
            interval.seconds <= WireDuration(timings.maximumKeepalive).seconds
        else {
            throw .badRequest(
                "keepalive-interval is to be \(WireDuration(timings.minimumKeepalive).seconds) to "
                    + "\(WireDuration(timings.maximumKeepalive).seconds) s")
        }
        // In range, so it fits.
        return .milliseconds(Int64(interval.seconds * 1000))
    }

    package func destroy(_ job: Int, reason: String?) async throws {
        guard let change = try await self.core.store.destroy(job, reason: reason, now: self.core.clock()) else { return }
        self.core.publish([change])
    }

    /// - Returns: false when the job has no boards.
    package func switchPower(_ job: Int, on: Bool) async throws -> Bool {
        guard let change = try await self.core.store.switchPower(of: job, on: on, now: self.core.clock()) else { return false }
        self.core.publish([change])
        return true
    }

    package func keepAlive(_ job: Int, host: String?) async throws {
        try await self.core.store.keepAlive(job, host: host, now: self.core.clock())
    }

    // MARK: - Where the job's boards are

    /// The boards of a job, as the job sees them.
    package struct Boards: Sendable {
        package struct Board: Sendable {
            package var id: Int64
            package var coordinates: BoardCoordinates
            package var physical: PhysicalCoordinates
            package var address: String
            /// Of the Ethernet chip, relative to the job's root.
            package var chip: ChipPosition
            package var powered: Bool
        }

        package var machine: MachineCatalogue.Machine
        package var root: BoardCoordinates
        /// By x, y, z in the machine.
        package var boards: [Board]

        package var isOn: Bool { !self.boards.isEmpty && self.boards.allSatisfy(\.powered) }

        /// The job's board with a chip of the job on it.
        package func board(with chip: ChipPosition) -> Board? {
            let geometry = self.machine.topology.geometry
            guard chip.x < geometry.widthInChips, chip.y < geometry.heightInChips else { return nil }
            let place = geometry.board(at: geometry.absolute(chip, from: self.root)).board
            return self.boards.first { $0.coordinates == place }
        }
    }

    /// nil when the job has no boards now.
    package func boards(of job: JobRecord) async throws -> Boards? {
        guard let allocation = job.allocation else { return nil }
        let catalogue = self.core.store.catalogue
        guard let machine = catalogue.machine(id: allocation.machine), let root = catalogue.place(of: allocation.root) else {
            return nil
        }
        let rootCoordinates = machine.topology.coordinates(of: root.index)
        let boards = try await self.core.store.boards(of: job.id).compactMap { board -> Boards.Board? in
            guard let place = catalogue.place(of: board.id), let known = machine.topology.boards[place.index] else {
                return nil
            }
            let chip = machine.topology.geometry.ethernetChip(of: known.coordinates)
            return Boards.Board(
                id: board.id, coordinates: known.coordinates, physical: known.physical, address: known.address,
                chip: machine.topology.geometry.relative(chip, to: rootCoordinates), powered: board.powered)
        }
        // Between the two reads the job may have lost them.
        guard !boards.isEmpty else { return nil }
        return Boards(machine: machine, root: rootCoordinates, boards: boards)
    }
}
