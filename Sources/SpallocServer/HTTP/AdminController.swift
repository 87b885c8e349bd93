//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import Logging
import SpallocAPI

/// `srv/spalloc/admin`: machines, boards, users and groups, for administrators. As the reference has it, without what is broken there: addresses lead
/// where they say, a duplicate is 409 and not a failure of the server, and what is changed counts at once.
struct AdminController: Sendable {
    let service: AdminService
    let tls: Bool

    private var core: ServiceCore { self.service.core }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let admin = router.group("admin").add(middleware: AdministratorsOnly())
        admin.get("", use: self.describe)
        admin.get("import", use: self.explainImport)
        admin.post("import", use: self.importMachines)
        admin.get("board", use: self.board)
        admin.put("board", use: self.setBoard)
        admin.get("users", use: self.users)
        admin.post("users", use: self.createUser)
        admin.get("users/:id", use: self.user)
        admin.put("users/:id", use: self.updateUser)
        admin.delete("users/:id", use: self.deleteUser)
        admin.get("groups", use: self.groups)
        admin.post("groups", use: self.createGroup)
        admin.get("groups/:id", use: self.group)
        admin.put("groups/:id", use: self.updateGroup)
        admin.delete("groups/:id", use: self.deleteGroup)
        admin.post("groups/:id/members", use: self.addMember)
        admin.get("groups/:id/members/:member", use: self.member)
        admin.delete("groups/:id/members/:member", use: self.removeMember)
    }

    private func url(_ path: String, _ request: Request) -> String {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath).url("\(SpallocPath.admin)\(path)")
    }

    // MARK: - Machines and boards

    @Sendable
    private func describe(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try .json([
            "import-machines": self.url("/import", request), "set-board-enabled": self.url("/board", request),
        ])
    }

    @Sendable
    private func explainImport(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        Response.text("POST a machine definition file (application/json) here: its machines can be used at once\n")
    }

    @Sendable
    private func importMachines(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let body = try await request.body.collect(upTo: self.core.configuration.maximumBody)
        let added = try await self.service.importMachines(Data(body.readableBytesView))
        context.logger.notice("machines imported", metadata: ["machines": "\(added.joined(separator: ", "))"])
        return Response(status: .noContent)
    }

    /// The board that `machine` and one of x, y, z; cabinet, frame, board; address name.
    private func place(_ request: Request) throws -> (machine: MachineCatalogue.Machine, index: Int) {
        let query = Query(request)
        guard let machine = query.text("machine") else { throw APIError.badRequest("the parameter machine is missing") }
        let name: String
        if let address = query.text("address") {
            name = address
        } else if query.text("x") != nil {
            let (x, y) = (try query.number("x", in: 0...255), try query.number("y", in: 0...255))
            name = "\(x),\(y),\(try query.number("z", in: 0...2, default: 0))"
        } else if query.text("board") != nil {
            let cabinet = try query.number("cabinet", in: 0...255, default: 0)
            let frame = try query.number("frame", in: 0...255, default: 0)
            name = "\(cabinet)/\(frame)/\(try query.number("board", in: 0...255))"
        } else {
            throw APIError.badRequest("name the board: x, y, z, or cabinet, frame, board, or address")
        }
        let (found, index) = try self.service.board(name, of: machine)
        return (found, index)
    }

    @Sendable
    private func board(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (machine, index) = try self.place(request)
        return Response.text("\(try await self.core.store.isFunctioning(board: machine.boardIDs[index]))")
    }

    @Sendable
    private func setBoard(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (machine, index) = try self.place(request)
        let body = String(buffer: try await request.body.collect(upTo: 1024)).filter { !$0.isWhitespace }.lowercased()
        guard body == "true" || body == "false" else { throw APIError.badRequest("the body is to be true or false") }
        let caller = try context.requireCaller()
        try await self.service.setFunctioning(
            body == "true", board: machine.boardIDs[index], of: machine.name,
            reason: Query(request).text(SpallocHTTP.reason) ?? "by \(caller.user.name)")
        return Response.text(body)
    }

    // MARK: - Users

    private func record(_ user: UserRecord, _ request: Request) async throws -> AdminUser {
        var groups: [String: String] = [:]
        for group in try await self.core.store.groups(of: user.id) {
            groups[group.name] = self.url("/groups/\(group.id)", request)
        }
        return AdminUser(
            name: user.name, hasPassword: user.hasPassword, enabled: user.enabled,
            locked: user.lockedUntil.map { $0 > self.core.clock() } ?? false, trustLevel: user.trustLevel,
            lastSuccess: user.lastSuccess?.wire, lastFailure: user.lastFailure?.wire, groups: groups,
            subject: user.subject, isInternal: !user.isExternal)
    }

    @Sendable
    private func users(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        var users: [String: String] = [:]
        for user in try await self.core.store.users() { users[user.name] = self.url("/users/\(user.id)", request) }
        return try .json(users)
    }

    /// 304 if there is a user of that name, as clients of the reference expect.
    @Sendable
    private func createUser(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let wanted = try await request.decodeJSON(AdminUser.self)
        let isInternal = wanted.isInternal ?? true
        guard let name = wanted.name, (wanted.password != nil) == isInternal else {
            throw APIError.badRequest("a user needs user-name and password; one who is not internal has no password here")
        }
        if try await self.core.store.user(named: name) != nil { return Response(status: .notModified) }
        if let password = wanted.password {
            try await self.service.createUser(name, password: password, trustLevel: wanted.trustLevel ?? .user)
        } else {
            try await self.service.createExternalUser(name, trustLevel: wanted.trustLevel ?? .user)
        }
        guard let (user, _) = try await self.core.store.user(named: name) else { throw APIError.gone }
        if wanted.enabled == false {
            try await self.service.setEnabled(false, user: user.id, by: try context.requireCaller())
        }
        return try .json(
            try await self.record(try await self.service.user(user.id), request), status: .created,
            headers: [.location: self.url("/users/\(user.id)", request)])
    }

    @Sendable
    private func user(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try .json(try await self.record(try await self.service.user(try context.row("id", missing: "nothing here")), request))
    }

    /// What is not said stays as it is.
    @Sendable
    private func updateUser(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (id, caller) = (try context.row("id", missing: "nothing here"), try context.requireCaller())
        let user = try await self.service.user(id)
        let wanted = try await request.decodeJSON(AdminUser.self)
        guard wanted.isInternal != false || wanted.password == nil else {
            throw APIError.badRequest("a user who is not internal has no password here")
        }
        if let name = wanted.name, name != user.name { try await self.service.rename(id, to: name, by: caller) }
        if let trust = wanted.trustLevel, trust != user.trustLevel {
            try await self.service.setTrustLevel(trust, of: id, by: caller)
        }
        if let password = wanted.password { try await self.service.setPassword(password, of: id, by: caller) }
        if wanted.locked == false { try await self.service.unlock(id) }
        if let enabled = wanted.enabled, enabled != user.enabled {
            try await self.service.setEnabled(enabled, user: id, by: caller)
        }
        return try .json(try await self.record(try await self.service.user(id), request))
    }

    @Sendable
    private func deleteUser(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let id = try context.row("id", missing: "nothing here")
        let user = try await self.service.user(id)
        try await self.service.deleteUser(id, by: try context.requireCaller())
        return Response.text("deleted user \(user.name)")
    }

    // MARK: - Groups

    private func record(_ group: GroupRecord, _ request: Request) async throws -> AdminGroup {
        var members: [String: String] = [:]
        for member in try await self.core.store.members(of: group.id) {
            members[member.name] = self.url("/groups/\(group.id)/members/\(member.id)", request)
        }
        return AdminGroup(name: group.name, quota: group.quota, type: group.type, members: members)
    }

    @Sendable
    private func groups(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        var groups: [String: String] = [:]
        for group in try await self.core.store.groups() { groups[group.name] = self.url("/groups/\(group.id)", request) }
        return try .json(groups)
    }

    @Sendable
    private func createGroup(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let wanted = try await request.decodeJSON(AdminGroup.self)
        guard let name = wanted.name else { throw APIError.badRequest("a group needs group-name") }
        let group = try await self.service.createGroup(
            name, type: wanted.type ?? .internal, quota: wanted.quota, by: try context.requireCaller())
        return try .json(
            try await self.record(group, request), status: .created,
            headers: [.location: self.url("/groups/\(group.id)", request)])
    }

    @Sendable
    private func group(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        try .json(try await self.record(try await self.service.group(try context.row("id", missing: "nothing here")), request))
    }

    /// No name keeps the name; no quota is no limit.
    @Sendable
    private func updateGroup(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (id, caller) = (try context.row("id", missing: "nothing here"), try context.requireCaller())
        let group = try await self.service.group(id)
        let wanted = try await request.decodeJSON(AdminGroup.self)
        if let name = wanted.name, name != group.name { try await self.service.renameGroup(id, to: name) }
        if wanted.quota != group.quota {
            try await self.service.changeQuota(
                of: id, wanted.quota.map(QuotaChange.set) ?? .unlimited, by: caller, note: nil)
        }
        return try .json(try await self.record(try await self.service.group(id), request))
    }

    @Sendable
    private func deleteGroup(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let id = try context.row("id", missing: "nothing here")
        let group = try await self.service.group(id)
        try await self.service.deleteGroup(id)
        return Response.text("deleted group \(group.name)")
    }

    // MARK: - Members

    private func record(_ user: UserRecord, in group: GroupRecord, _ request: Request) -> AdminMember {
        AdminMember(
            id: user.id, groupID: group.id, groupName: group.name, groupURL: self.url("/groups/\(group.id)", request),
            userID: user.id, userName: user.name, userURL: self.url("/users/\(user.id)", request))
    }

    @Sendable
    private func addMember(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let group = try await self.service.group(try context.row("id", missing: "nothing here"))
        guard let name = try await request.decodeJSON(AdminMember.self).userName else {
            throw APIError.badRequest("a member needs user-name")
        }
        do {
            try await self.service.setMember(true, user: name, of: group.id)
        } catch let error as APIError where error.status == .conflict || error.status == .notFound {
            throw APIError.badRequest(error.message)
        }
        guard let (user, _) = try await self.core.store.user(named: name) else { throw APIError.gone }
        return try .json(
            self.record(user, in: group, request), status: .created,
            headers: [.location: self.url("/groups/\(group.id)/members/\(user.id)", request)])
    }

    private func found(_ context: SpallocRequestContext) async throws -> (GroupRecord, UserRecord) {
        let group = try await self.service.group(try context.row("id", missing: "nothing here"))
        let id = try context.row("member", missing: "nothing here")
        guard let user = try await self.core.store.members(of: group.id).first(where: { $0.id == id }) else {
            throw APIError.notFound("There is no such member.")
        }
        return (group, user)
    }

    @Sendable
    private func member(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (group, user) = try await self.found(context)
        return try .json(self.record(user, in: group, request))
    }

    @Sendable
    private func removeMember(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (group, user) = try await self.found(context)
        try await self.service.setMember(false, user: user.name, of: group.id)
        return Response(status: .noContent)
    }
}
