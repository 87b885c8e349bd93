//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// Machines, boards and what was reported of them, for administrators.
struct AdminMachinePages: Sendable {
    let pages: Pages
    let service: AdminService
    let health: BoardHealthController

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("", use: self.menu)
        router.get("machine", use: self.machines)
        router.post("machine", use: self.changeMachine)
        router.get("boards", use: self.board)
        router.post("boards", use: self.changeBoard)
        router.get("reports", use: self.reports)
        router.post("reports", use: self.clearReports)
    }

    private var core: ServiceCore { self.service.core }

    /// How a board is called, and what leads to its page.
    private func name(_ board: Int64) -> (machine: String, name: String, path: String) {
        let catalogue = self.core.store.catalogue
        guard let place = catalogue.place(of: board) else { return ("?", "?", "") }
        let machine = catalogue.machines[place.machine]
        let name = machine.topology.coordinates(of: place.index).short
        return (machine.name, name, "machine=\(Links.escape(machine.name))&where=\(name)")
    }

    // MARK: - Menu

    @Sendable
    private func menu(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        struct OutBoard {
            var machine: String
            var name: String
            var path: String
            var why: String
            var back: String
        }
        struct Content {
            var users: Int
            var disabled: Int
            var locked: Int
            var out: Int
            var reports: Int
            var outBoards: [OutBoard]
            var hasOut: Bool
        }
        let (store, now) = (self.core.store, self.core.clock())
        let users = try await store.users()
        let out = try await store.boardDetailsOutOfService()
        return self.pages.response(
            .admin, "Administration",
            Content(
                users: users.count, disabled: users.count { !$0.enabled },
                locked: users.count { user in user.lockedUntil.map { $0 > now } ?? false }, out: out.count,
                reports: try await store.boardReports().count,
                outBoards: out.map { board in
                    let name = self.name(board.id)
                    return OutBoard(
                        machine: name.machine, name: name.name, path: name.path, why: board.outOfService ?? "",
                        back: board.retryAt?.onPage ?? "when somebody says so")
                }, hasOut: !out.isEmpty), for: try context.requireCaller())
    }

    // MARK: - Machines

    private struct MachineRow {
        var id: Int64
        var name: String
        var path: String
        var boards: Int
        var used: Int
        var out: Int
        var tags: String
        var service: String
        var serviceField: String
        var serviceLabel: String
    }

    private func machines(_ caller: Caller, failure: APIError? = nil, notice: String? = nil) async throws -> Response {
        struct Content {
            var machines: [MachineRow]
            var warning: String?
            var failure: String?
        }
        let rows = try await MachinePages.rows(self.core, for: caller)
        let machines = self.core.store.catalogue.machines
        let defaults = machines.count { $0.inService && $0.tags.contains("default") }
        return self.pages.response(
            .adminMachines, "Machines",
            Content(
                machines: zip(machines, rows).map { machine, row in
                    MachineRow(
                        id: machine.id, name: row.name, path: row.path, boards: row.boards, used: row.used, out: row.out,
                        tags: row.tags, service: machine.inService ? "In service." : "Out of service: takes no new jobs.",
                        serviceField: machine.inService ? "outOfService" : "intoService",
                        serviceLabel: machine.inService ? "Take out of service" : "Take into service")
                },
                warning: defaults == 0
                    ? "No machine in service has the tag \"default\": jobs that name neither machine nor tags are refused."
                    : nil,
                failure: failure?.message), for: caller, notice: notice, status: failure?.status ?? .ok)
    }

    @Sendable
    private func machines(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.machines(try context.requireCaller())
    }

    @Sendable
    private func changeMachine(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        let form = context.form
        do {
            if let machine = form?["outOfService"] {
                try await self.service.setInService(false, machine: machine)
            } else if let machine = form?["intoService"] {
                try await self.service.setInService(true, machine: machine)
            } else if let machine = form?["machine"], let tags = form?["retag"] {
                let wanted = tags.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
                try await self.service.setTags(Set(wanted), machine: machine)
            } else if let definition = form?["definition"] {
                _ = try await self.service.importMachines(Data(definition.utf8))
            } else {
                throw APIError.badRequest("The form says nothing.")
            }
        } catch let error as APIError {
            return try await self.machines(caller, failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/machine")
    }

    // MARK: - Boards

    private struct Fact {
        var name: String
        var value: String
    }

    private struct Health {
        var failure: String?
        var facts: [Fact]
        /// Stored, as templates see no other properties.
        var hasFacts: Bool

        init(failure: String? = nil, facts: [Fact] = []) {
            self.failure = failure
            self.facts = facts
            self.hasFacts = !facts.isEmpty
        }
    }

    private struct BoardContent {
        var machine: String
        var name: String
        var physical: String
        var address: String
        var bmp: String
        var service: String
        var job: Int?
        var power: String
        var lastOn: String
        var lastOff: String
        var enableTo: Bool
        var asksReason: Bool
        var enableLabel: String
        var health: Health?
        var reports: [ReportRow]
        var hasReports: Bool
    }

    @Sendable
    private func board(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let query = Query(request)
        return try await self.board(
            try context.requireCaller(), machine: query.text("machine"), place: query.text("where"),
            withHealth: query.flag("health"))
    }

    private func board(
        _ caller: Caller, machine: String?, place: String?, withHealth: Bool = false, failure: APIError? = nil
    ) async throws -> Response {
        struct Choice {
            var name: String
            var isChosen: Bool
        }
        struct Content {
            var machines: [Choice]
            var `where`: String
            var failure: String?
            var board: BoardContent?
        }
        var failure = failure
        var content: BoardContent?
        if let machine, let place, !place.isEmpty {
            do {
                content = try await self.content(machine: machine, place: place, withHealth: withHealth)
            } catch let error as APIError {
                failure = failure ?? error
            }
        }
        return self.pages.response(
            .adminBoards, "Boards",
            Content(
                machines: self.core.store.catalogue.machines.map { Choice(name: $0.name, isChosen: $0.name == machine) },
                where: place ?? "", failure: failure?.message, board: content), for: caller, status: failure?.status ?? .ok)
    }

    private func content(machine: String, place: String, withHealth: Bool) async throws -> BoardContent {
        let (machine, index) = try self.service.board(place, of: machine)
        guard let board = machine.topology.boards[index],
            let detail = try await self.core.store.boardDetail(machine.boardIDs[index])
        else { throw APIError.notFound("There is no such board.") }
        let bmp = self.core.store.catalogue.bmps.first { $0.id == machine.bmpIDs[index] }
        var health: Health?
        if withHealth {
            do {
                let read = try await self.health.read(machine, index: index)
                health = Health(facts: BoardHealthController.facts(read).map { Fact(name: $0.name, value: $0.value) })
            } catch let error as APIError {
                health = Health(failure: error.message)
            }
        }
        var service = detail.outOfService.map { "out of service: \($0)" } ?? "in service"
        if let back = detail.retryAt { service += "; tried again at \(back.onPage)" }
        let reports = try await self.core.store.boardReports(of: detail.id).map(self.row)
        return BoardContent(
            machine: machine.name, name: board.coordinates.short, physical: board.physical.short, address: board.address,
            bmp: bmp.map { "\($0.address):\($0.port)" } ?? "none", service: service, job: detail.job,
            power: detail.powered ? "on" : "off", lastOn: detail.lastOn?.onPage ?? "never",
            lastOff: detail.lastOff?.onPage ?? "never", enableTo: !detail.functioning,
            asksReason: detail.functioning,
            enableLabel: detail.functioning ? "Take out of service" : "Take into service", health: health,
            reports: reports, hasReports: !reports.isEmpty)
    }

    @Sendable
    private func changeBoard(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let form = context.form
        let (name, place) = (form?["machine"] ?? "", form?["where"] ?? "")
        do {
            let (machine, index) = try self.service.board(place, of: name)
            try await self.service.setFunctioning(
                form?["enabled"] == "true", board: machine.boardIDs[index], of: machine.name, reason: form?["reason"] ?? "")
        } catch let error as APIError {
            return try await self.board(try context.requireCaller(), machine: name, place: place, failure: error)
        }
        return self.pages.redirect(
            request, to: "system/admin/boards?machine=\(Links.escape(name))&where=\(Links.escape(place))")
    }

    // MARK: - Issue reports

    private struct ReportRow {
        var board: String
        var boardID: Int64
        var path: String
        var at: String
        var reporter: String
        var job: Int
        var issue: String
    }

    private func row(_ report: BoardReport) -> ReportRow {
        let name = self.name(report.board)
        return ReportRow(
            board: "\(name.machine) \(name.name)", boardID: report.board, path: name.path, at: report.at.onPage,
            reporter: report.reporter, job: report.job, issue: report.issue)
    }

    @Sendable
    private func reports(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        struct Content {
            var reports: [ReportRow]
            var hasReports: Bool
        }
        let rows = try await self.core.store.boardReports().map(self.row)
        return self.pages.response(
            .adminReports, "Issue reports", Content(reports: rows, hasReports: !rows.isEmpty),
            for: try context.requireCaller())
    }

    @Sendable
    private func clearReports(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        guard let board = context.form?["board"].flatMap({ Int64($0) }) else {
            throw APIError.badRequest("There is no such board.")
        }
        try await self.service.clearReports(of: board)
        return self.pages.redirect(request, to: "system/admin/reports")
    }
}

/// In front of all administration: who does not administer learns only that.
struct AdministratorsOnly: RouterMiddleware {
    typealias Context = SpallocRequestContext

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.administers)
        return try await next(request, context)
    }
}
