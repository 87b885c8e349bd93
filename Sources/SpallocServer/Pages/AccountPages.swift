//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// A user's own account: password and sessions.
struct AccountPages: Sendable {
    let pages: Pages

    private var core: ServiceCore { self.pages.core }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/change_password", use: self.show)
        router.post("system/change_password", use: self.change)
        router.post("system/end_sessions", use: self.endSessions)
    }

    private struct Content {
        var name: String
        var role: String
        var lastLogin: String?
        var lastFailure: String?
        var sessions: String
        var canChange: Bool
        var whyNot: String
        var failure: String?
        var groups: [Group]
    }

    private struct Group {
        var name: String
        var left: String
    }

    private func page(
        _ caller: Caller, failure: String? = nil, notice: String? = nil, status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        guard let (user, hash) = try await self.core.store.user(id: caller.user.id) else { throw APIError.unauthorized }
        let sessions = try await self.core.store.sessionCount(of: user.id)
        var groups: [Group] = []
        for group in try await self.core.store.groups(of: user.id) {
            let usage = try await self.core.store.groupUsage(of: group.id).first
            groups.append(Group(name: group.name, left: BoardHours.text(usage?.left(now: self.core.clock()))))
        }
        let isConfigured = self.core.configuration.users.contains { $0.name == user.name }
        return self.pages.response(
            .account, user.name,
            Content(
                name: user.name, role: user.trustLevel.words, lastLogin: user.lastSuccess?.onPage,
                lastFailure: user.lastFailure?.onPage, sessions: sessions == 1 ? "this one" : "\(sessions)",
                canChange: hash != nil && !isConfigured,
                whyNot: isConfigured
                    ? "It is in the service's configuration file: ask the operator." : "This account has no password here.",
                failure: failure, groups: groups), for: caller, notice: notice, status: status)
    }

    @Sendable
    private func show(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try await self.page(try context.requireCaller())
    }

    @Sendable
    private func change(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        func refuse(_ reason: String) async throws -> Response {
            try await self.page(caller, failure: reason, status: .badRequest)
        }
        guard !self.core.configuration.users.contains(where: { $0.name == caller.user.name }) else {
            return try await refuse("The password is in the service's configuration file.")
        }
        let (old, new) = (context.form?["oldPassword"] ?? "", context.form?["newPassword"] ?? "")
        guard new == context.form?["newPassword2"] else { return try await refuse("The two new passwords differ.") }
        guard !new.allSatisfy(\.isWhitespace) else { return try await refuse("The new password is blank.") }
        guard new != old else { return try await refuse("The new password is the old one.") }
        // Counts as a login: who guesses here is locked out as at the form.
        guard case .success(let user) = try await self.pages.logins.logIn(name: caller.user.name, password: old) else {
            return try await refuse("The present password is wrong, or the account is locked.")
        }
        try await self.core.store.setUser(
            name: user.name, password: try await .make(new, rounds: self.core.configuration.passwordRounds),
            trustLevel: user.trustLevel)
        // All sessions are over, this one with them.
        self.core.accessChanged(of: user.id)
        let session = try await self.pages.sessions.logIn(user)
        let links = self.pages.links(request)
        var response = self.pages.redirect(request, to: "system/change_password")
        response.headers[.setCookie] = sessionCookieHeader(
            session.cookie, path: self.core.configuration.basePath, secure: links.scheme == "https")
        return response
    }

    @Sendable
    private func endSessions(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try await self.core.store.removeSessions(of: caller.user.id, except: caller.session.map(Sessions.key))
        self.core.accessChanged(of: caller.user.id)
        return self.pages.redirect(request, to: "system/change_password")
    }
}
