//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// Groups and their accounts, for administrators.
struct AdminGroupPages: Sendable {
    let pages: Pages
    let service: AdminService

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("groups", use: self.list)
        router.post("create-group", use: self.create)
        router.get("groups/:id", use: self.show)
        router.post("groups/:id/add-user", use: self.addMember)
        router.post("groups/:id/remove-user", use: self.removeMember)
        router.post("groups/:id/adjust-quota", use: self.adjust)
        router.post("groups/:id/delete", use: self.delete)
    }

    /// Board-hours as people write them; nil for nothing.
    ///
    /// - Throws: 400 for what is no number, or too large to be meant.
    static func seconds(_ boardHours: String?) throws(APIError) -> Int64? {
        let text = (boardHours ?? "").filter { !$0.isWhitespace }
        guard !text.isEmpty else { return nil }
        guard let hours = Double(text), hours.isFinite, abs(hours) <= 1e9 else {
            throw .badRequest("\"\(text)\" is no number of board-hours.")
        }
        return Int64((hours * 3600).rounded())
    }

    private func id(_ context: SpallocRequestContext) throws(APIError) -> Int64 {
        try context.row("id", missing: "There is no such group.")
    }

    // MARK: - List

    private struct Row {
        var id: Int64
        var name: String
        var type: String
        var members: Int
        var left: String
        var jobs: Int
    }

    private func list(_ caller: Caller, failure: APIError? = nil) async throws -> Response {
        struct Content {
            var groups: [Row]
            var hasGroups: Bool
            var failure: String?
        }
        let (store, now) = (self.service.core.store, self.service.core.clock())
        var rows: [Row] = []
        for group in try await store.groups() {
            let usage = try await store.groupUsage(of: group.id).first
            rows.append(
                Row(
                    id: group.id, name: group.name, type: group.type.rawValue.lowercased(),
                    members: try await store.members(of: group.id).count,
                    left: BoardHours.text(usage?.left(now: now)), jobs: usage?.jobs.count ?? 0))
        }
        return self.pages.response(
            .adminGroups, "Groups", Content(groups: rows, hasGroups: !rows.isEmpty, failure: failure?.message), for: caller,
            status: failure?.status ?? .ok)
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.list(try context.requireCaller())
    }

    @Sendable
    private func create(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        do {
            let group = try await self.service.createGroup(
                context.form?["name"] ?? "", quota: try AdminGroupPages.seconds(context.form?["quota"]), by: caller)
            return self.pages.redirect(request, to: "system/admin/groups/\(group.id)")
        } catch let error as APIError {
            return try await self.list(caller, failure: error)
        }
    }

    // MARK: - One group

    private struct Member {
        var groupID: Int64
        var name: String
    }

    private struct Entry {
        var at: String
        var amount: String
        var balance: String
        var job: Int?
        var by: String
        var note: String
    }

    private struct Content {
        var id: Int64
        var name: String
        var type: String
        var left: String
        var inUse: String
        var jobs: Int
        var failure: String?
        var members: [Member]
        var hasMembers: Bool
        var entries: [Entry]
        var hasEntries: Bool
    }

    private func show(_ id: Int64, _ caller: Caller, failure: APIError? = nil) async throws -> Response {
        let (store, now) = (self.service.core.store, self.service.core.clock())
        let group = try await self.service.group(id)
        let usage = try await store.groupUsage(of: id).first
        let members = try await store.members(of: id).map { Member(groupID: id, name: $0.name) }
        let entries = try await store.quotaEntries(of: id, limit: 100).map { entry in
            Entry(
                at: entry.at.onPage, amount: entry.amount.map(BoardHours.text) ?? "",
                balance: BoardHours.text(entry.balance), job: entry.job, by: entry.by, note: entry.note ?? "")
        }
        return self.pages.response(
            .adminGroup, group.name,
            Content(
                id: id, name: group.name, type: group.type.rawValue.lowercased(),
                left: BoardHours.text(usage?.left(now: now)),
                inUse: BoardHours.text(usage?.used(now: now) ?? 0), jobs: usage?.jobs.count ?? 0,
                failure: failure?.message, members: members, hasMembers: !members.isEmpty, entries: entries,
                hasEntries: !entries.isEmpty), for: caller, status: failure?.status ?? .ok)
    }

    @Sendable
    private func show(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.show(try self.id(context), try context.requireCaller())
    }

    /// Does something with a group and shows the group again, with the reason if it cannot be done.
    private func act(
        _ request: Request, _ context: SpallocRequestContext, _ action: (Int64, Caller) async throws -> Void
    ) async throws -> Response {
        let (id, caller) = (try self.id(context), try context.requireCaller())
        _ = try await self.service.group(id)
        do {
            try await action(id, caller)
        } catch let error as APIError {
            return try await self.show(id, caller, failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/groups/\(id)")
    }

    @Sendable
    private func addMember(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, _ in
            try await self.service.setMember(true, user: context.form?["user"] ?? "", of: id)
        }
    }

    @Sendable
    private func removeMember(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, _ in
            try await self.service.setMember(false, user: context.form?["user"] ?? "", of: id)
        }
    }

    /// By so many board-hours, or to so many, or to no limit.
    @Sendable
    private func adjust(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, caller in
            let change: QuotaChange
            if let delta = try AdminGroupPages.seconds(context.form?["delta"]) {
                change = .adjust(delta)
            } else if let quota = try AdminGroupPages.seconds(context.form?["quota"]) {
                change = .set(quota)
            } else if context.form?["unlimited"] == "true" {
                change = .unlimited
            } else {
                throw APIError.badRequest("Say by how many board-hours.")
            }
            try await self.service.changeQuota(of: id, change, by: caller, note: context.form?["note"])
        }
    }

    @Sendable
    private func delete(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (id, caller) = (try self.id(context), try context.requireCaller())
        _ = try await self.service.group(id)
        do {
            try await self.service.deleteGroup(id)
        } catch let error as APIError {
            return try await self.show(id, caller, failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/groups")
    }
}
