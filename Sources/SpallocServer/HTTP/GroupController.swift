//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Hummingbird
import SpallocAPI

/// A user's groups and what they have left. Resources of their own: stock clients refuse keys that they do not know in those of the reference.
struct GroupController: Sendable {
    let core: ServiceCore

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("groups", use: self.list)
        router.get("groups/:name/account", use: self.account)
    }

    private struct Group: Encodable {
        var name: String
        var type: GroupType
        /// Board-seconds, those that live jobs have used by now taken off; null: no limit.
        var left: Int64?
        /// Board-seconds that live jobs have used by now.
        var inUse: Int64
        var liveJobs: Int

        enum CodingKeys: String, CodingKey {
            case name, type, left
            case inUse = "in-use"
            case liveJobs = "live-jobs"
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(self.name, forKey: .name)
            try values.encode(self.type, forKey: .type)
            // null is an answer.
            try values.encode(self.left, forKey: .left)
            try values.encode(self.inUse, forKey: .inUse)
            try values.encode(self.liveJobs, forKey: .liveJobs)
        }
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        let groups =
            try await caller.user.trustLevel.administers ? self.core.store.groups() : self.core.store.groups(of: caller.user.id)
        var replies: [Group] = []
        let now = self.core.clock()
        for group in groups {
            guard let usage = try await self.core.store.groupUsage(of: group.id).first else { continue }
            replies.append(
                Group(
                    name: group.name, type: group.type, left: usage.left(now: now), inUse: usage.used(now: now),
                    liveJobs: usage.jobs.count))
        }
        return try .json(["groups": replies])
    }

    private struct Entry: Encodable {
        var at: WireInstant
        var amount: Int64?
        var balance: Int64?
        var job: Int?
        var by: String
        var note: String?
    }

    /// Newest first; `limit` (1 to 1000, 100) and `start` page through it. For members and administrators.
    @Sendable
    private func account(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        let name = try context.component("name")
        guard let group = try await self.core.store.group(named: name) else { throw APIError.notFound("no such group") }
        if !caller.user.trustLevel.administers {
            // A group of others answers as one that is not there.
            guard try await self.core.store.groups(of: caller.user.id).contains(where: { $0.id == group.id }) else {
                throw APIError.notFound("no such group")
            }
        }
        let query = Query(request)
        let entries = try await self.core.store.quotaEntries(
            of: group.id, limit: try query.number("limit", in: 1...1000, default: 100),
            start: try query.number("start", in: 0...Int(Int32.max), default: 0))
        return try .json([
            "entries": entries.map {
                Entry(at: $0.at.wire, amount: $0.amount, balance: $0.balance, job: $0.job, by: $0.by, note: $0.note)
            }
        ])
    }
}
