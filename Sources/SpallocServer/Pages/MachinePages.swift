//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// The start page, the list of machines, and each machine with its map.
struct MachinePages: Sendable {
    let pages: Pages

    private var core: ServiceCore { self.pages.core }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system", use: self.index)
        router.get("system/list_machines", use: self.list)
        router.get("system/machine_info/:name", use: self.machine)
    }

    // MARK: - Lists

    struct Row: Sendable {
        var name: String
        var path: String
        var isOut: Bool
        var boards: Int
        var used: Int
        var percent: String
        var out: Int
        var jobs: Int
        var tags: String
    }

    /// The machines that the caller may see.
    static func rows(_ core: ServiceCore, for caller: Caller) async throws -> [Row] {
        var rows: [Row] = []
        for machine in core.store.catalogue.machines where machine.inService || caller.user.trustLevel.administers {
            let boards = try await core.store.boardStatus(machine: machine.id)
            let used = boards.count { $0.job != nil }
            rows.append(
                Row(
                    name: machine.name, path: Links.escape(machine.name), isOut: !machine.inService, boards: boards.count,
                    used: used, percent: boards.isEmpty ? "" : "\(used * 100 / boards.count) %",
                    out: boards.count { !$0.functioning }, jobs: Set(boards.compactMap(\.job)).count,
                    tags: machine.tags.joined(separator: ", ")))
        }
        return rows
    }

    @Sendable
    private func index(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        struct Content {
            var name: String
            var role: String
            var reads: Bool
            var machines: [Row]
            var hasMachines: Bool
            var jobs: [JobPages.Row]
            var hasJobs: Bool
            /// Whether there are others than those here.
            var hasMore: Bool
        }
        let caller = try context.requireCaller()
        let reads = caller.user.trustLevel.mayRead
        let machines = reads ? try await MachinePages.rows(self.core, for: caller) : []
        let jobs = reads ? try await JobPages.rows(self.core, for: caller).filter(\.isVisible) : []
        return self.pages.response(
            .index, "Overview",
            Content(
                name: caller.user.name, role: caller.user.trustLevel.words, reads: reads, machines: machines,
                hasMachines: !machines.isEmpty, jobs: Array(jobs.prefix(JobPages.perPage)), hasJobs: !jobs.isEmpty,
                hasMore: jobs.count > JobPages.perPage),
            for: caller, live: reads ? "jobs" : nil)
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        struct Content {
            var machines: [Row]
            var hasMachines: Bool
        }
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        let rows = try await MachinePages.rows(self.core, for: caller)
        return self.pages.response(
            .machines, "Machines", Content(machines: rows, hasMachines: !rows.isEmpty), for: caller, live: "jobs")
    }

    // MARK: - One machine

    private struct BoardRow {
        var name: String
        var physical: String
        var state: String
        var job: String
        /// The job's number, if the caller may see it.
        var jobLink: String?
        var power: String
        var address: String
        /// For administrators: what leads to the board's own page.
        var adminPath: String?
    }

    private struct MachineContent {
        var width: Int
        var height: Int
        var boards: Int
        var used: Int
        var jobs: Int
        var out: Int
        var tags: String
        var isOut: Bool
        var map: BoardMap
        var showsAddresses: Bool
        var rows: [BoardRow]
    }

    @Sendable
    private func machine(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        let administers = caller.user.trustLevel.administers
        let name = try context.component("name")
        guard let machine = self.core.store.catalogue.machine(named: name), machine.inService || administers else {
            throw APIError.notFound("There is no machine called \"\(name)\".")
        }
        let statuses = try await self.core.store.boardStatus(machine: machine.id)
        var own: Set<Int> = []
        for job in Set(statuses.compactMap(\.job)) {
            guard let record = try await self.core.store.job(job) else { continue }
            if JobService(core: self.core).isVisible(record, to: caller.user) { own.insert(job) }
        }
        var shown: [BoardMap.Board] = []
        var rows: [BoardRow] = []
        for status in statuses {
            guard let place = self.core.store.catalogue.place(of: status.board),
                let board = machine.topology.boards[place.index]
            else { continue }
            let look = MachinePages.look(status)
            shown.append(
                BoardMap.Board(
                    coordinates: board.coordinates, kind: look.kind, mark: look.mark,
                    title: "Board \(board.coordinates.short), slot \(board.physical.short): \(look.words)"))
            let isOwn = status.job.map(own.contains) ?? false
            rows.append(
                BoardRow(
                    name: board.coordinates.short, physical: board.physical.short,
                    state: status.functioning ? (status.job == nil ? "free" : "in use") : "out of service",
                    job: status.job.map(String.init) ?? "", jobLink: isOwn ? status.job.map(String.init) : nil,
                    power: status.powered ? "on" : "off", address: administers || isOwn ? board.address : "",
                    adminPath: administers
                        ? "machine=\(Links.escape(machine.name))&where=\(board.coordinates.short)" : nil))
        }
        return self.pages.response(
            .machine, machine.name,
            MachineContent(
                width: machine.topology.width, height: machine.topology.height, boards: statuses.count,
                used: statuses.count { $0.job != nil }, jobs: Set(statuses.compactMap(\.job)).count,
                out: statuses.count { !$0.functioning }, tags: machine.tags.joined(separator: ", "),
                isOut: !machine.inService,
                map: BoardMap(
                    label: "Map of the boards; the table below says the same", width: machine.topology.width, boards: shown),
                showsAddresses: administers || !own.isEmpty, rows: rows),
            for: caller, live: "machine/\(Links.escape(machine.name))")
    }

    /// A board in style, in a word, and in words. Jobs of neighbouring numbers differ in colour.
    static func look(_ status: Store.BoardStatus) -> (kind: String, mark: String, words: String) {
        let power = status.powered ? "on" : "off"
        let out = status.functioning ? "" : ", out of service"
        if let job = status.job {
            return (
                "used c\(job % 8)\(status.powered ? "" : " off")", status.powered ? "#\(job)" : "#\(job) off",
                "of job \(job), \(power)\(out)"
            )
        }
        if !status.functioning { return ("out", "out", "out of service") }
        return ("free", "free", "free, \(power)")
    }
}

extension TrustLevel {
    /// What somebody of this trust may do.
    var words: String {
        switch self {
        case .basic: "may log in only"
        case .reader: "may look at machines and jobs"
        case .user: "may have jobs"
        case .admin: "administrator"
        case .nmpiExec: "may have jobs for others"
        }
    }
}
