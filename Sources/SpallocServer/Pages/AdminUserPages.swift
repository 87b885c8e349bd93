//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// Users, for administrators.
struct AdminUserPages: Sendable {
    let pages: Pages
    let service: AdminService

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("users", use: self.list)
        router.post("create-user", use: self.create)
        router.get("users/:id", use: self.show)
        router.post("users/:id/enable", use: self.enable)
        router.post("users/:id/unlock", use: self.unlock)
        router.post("users/:id/trust", use: self.setTrust)
        router.post("users/:id/password", use: self.setPassword)
        router.post("users/:id/delete", use: self.delete)
    }

    private struct Level {
        var value: String
        var label: String
        var isChosen: Bool

        static func all(chosen: TrustLevel) -> [Level] {
            TrustLevel.allCases.map { Level(value: $0.rawValue, label: $0.words, isChosen: $0 == chosen) }
        }
    }

    private struct Row {
        var id: Int64
        var name: String
        var trust: String
        var state: String
        var lastLogin: String
        var lastFailure: String
    }

    private func row(_ user: UserRecord) -> Row {
        Row(
            id: user.id, name: user.name, trust: user.trustLevel.words, state: self.state(user),
            lastLogin: user.lastSuccess?.onPage ?? "never",
            lastFailure: user.lastFailure?.onPage ?? "never")
    }

    private func isLocked(_ user: UserRecord) -> Bool { user.lockedUntil.map { $0 > self.service.core.clock() } ?? false }

    private func state(_ user: UserRecord) -> String {
        if !user.enabled { return "disabled" }
        if let until = user.lockedUntil, self.isLocked(user) { return "locked until \(until.onPage)" }
        return user.hasPassword || user.isExternal ? "enabled" : "never logs in"
    }

    private func level(_ context: SpallocRequestContext) throws(APIError) -> TrustLevel {
        guard let level = context.form?["trust"].flatMap(TrustLevel.init(rawValue:)) else {
            throw .badRequest("There are no such rights.")
        }
        return level
    }

    private func id(_ context: SpallocRequestContext) throws(APIError) -> Int64 {
        try context.row("id", missing: "There is no such user.")
    }

    // MARK: - List

    private func list(_ caller: Caller, failure: APIError? = nil) async throws -> Response {
        struct Content {
            var users: [Row]
            var levels: [Level]
            var failure: String?
        }
        let users = try await self.service.core.store.users()
        return self.pages.response(
            .adminUsers, "Users",
            Content(users: users.map(self.row), levels: Level.all(chosen: .user), failure: failure?.message), for: caller,
            status: failure?.status ?? .ok)
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.list(try context.requireCaller())
    }

    @Sendable
    private func create(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        do {
            try await self.service.createUser(
                context.form?["username"] ?? "", password: context.form?["password"] ?? "",
                trustLevel: try self.level(context))
        } catch let error as APIError {
            return try await self.list(try context.requireCaller(), failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/users")
    }

    // MARK: - One user

    private func show(_ id: Int64, _ caller: Caller, failure: APIError? = nil) async throws -> Response {
        struct Content {
            var id: Int64
            var name: String
            var trust: String
            var state: String
            var lastLogin: String
            var lastFailure: String
            var jobs: Int
            var failure: String?
            var note: String?
            var isOther: Bool
            var isOurs: Bool
            var isLocked: Bool
            var canDelete: Bool
            var enableTo: Bool
            var enableLabel: String
            var levels: [Level]
        }
        let user = try await self.service.user(id)
        let row = self.row(user)
        let isOther = user.id != caller.user.id
        let isConfigured = self.service.isConfigured(user)
        return self.pages.response(
            .adminUser, user.name,
            Content(
                id: user.id, name: user.name, trust: row.trust, state: row.state, lastLogin: row.lastLogin,
                lastFailure: row.lastFailure, jobs: try await self.service.core.store.liveJobCount(of: user.id),
                failure: failure?.message,
                note: !isOther
                    ? "This is your own account."
                    : isConfigured ? "Rights and password are in the service's configuration file." : nil,
                isOther: isOther, isOurs: !isConfigured, isLocked: self.isLocked(user), canDelete: !isConfigured,
                enableTo: !user.enabled, enableLabel: user.enabled ? "Disable" : "Enable",
                levels: Level.all(chosen: user.trustLevel)), for: caller, status: failure?.status ?? .ok)
    }

    @Sendable
    private func show(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.show(try self.id(context), try context.requireCaller())
    }

    /// Does something with a user and shows the user again, with the reason if it cannot be done.
    private func act(
        _ request: Request, _ context: SpallocRequestContext, _ action: (Int64, Caller) async throws -> Void
    ) async throws -> Response {
        let (id, caller) = (try self.id(context), try context.requireCaller())
        do {
            try await action(id, caller)
        } catch let error as APIError where error.status != .notFound {
            return try await self.show(id, caller, failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/users/\(id)")
    }

    @Sendable
    private func enable(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, caller in
            try await self.service.setEnabled(context.form?["enabled"] == "true", user: id, by: caller)
        }
    }

    @Sendable
    private func unlock(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, _ in try await self.service.unlock(id) }
    }

    @Sendable
    private func setTrust(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, caller in
            try await self.service.setTrustLevel(try self.level(context), of: id, by: caller)
        }
    }

    @Sendable
    private func setPassword(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.act(request, context) { id, caller in
            try await self.service.setPassword(context.form?["password"] ?? "", of: id, by: caller)
        }
    }

    @Sendable
    private func delete(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (id, caller) = (try self.id(context), try context.requireCaller())
        do {
            try await self.service.deleteUser(id, by: caller)
        } catch let error as APIError where error.status != .notFound {
            return try await self.show(id, caller, failure: error)
        }
        return self.pages.redirect(request, to: "system/admin/users")
    }
}
