//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAPI

/// Users by the word of an issuer. They are told apart by its `sub`, not by their names: a name may be given to somebody else.
extension Store {
    package enum ExternalUser: Sendable {
        /// Left out: groups that are claimed and have the name of one of another kind.
        case user(UserRecord, leftOut: [String])
        /// The name is a local user's, or another external one's, who keeps it.
        case nameTaken
    }

    /// Finds the user of an identity, or makes one; the groups are as the identity has them afterwards. Nothing is written when all is so already.
    package func externalUser(
        _ identity: ExternalIdentity, trustLevel: TrustLevel, now: Timestamp
    ) async throws -> ExternalUser {
        let known = try await self.pool.read { db -> ExternalUser? in
            guard let user = try db.externalUser(identity.subject) else { return nil }
            guard let claimed = identity.groups else { return .user(user, leftOut: []) }
            let change = try db.membershipChange(of: user.id, claimed)
            return change.isEmpty ? .user(user, leftOut: change.leftOut) : nil
        }
        if let known { return known }
        return try await self.pool.write { db in
            var user = try db.externalUser(identity.subject)
            if user == nil {
                if let (id, isExternal) = try db.row("SELECT * FROM user WHERE name = ?", [identity.name]).map({ row in
                    (row["id"] as Int64, (row["external"] as Bool) && (row["subject"] as String?) == nil)
                }) {
                    // An administrator has said beforehand that there will be such a user.
                    guard isExternal else { return .nameTaken }
                    try db.run("UPDATE user SET subject = ? WHERE id = ?", [identity.subject, id])
                } else {
                    try db.run(
                        "INSERT INTO user (name, trust, external, subject) VALUES (?, ?, 1, ?)",
                        [identity.name, trustLevel.rawValue, identity.subject])
                }
                user = try db.externalUser(identity.subject)
            }
            guard let user else { return .nameTaken }
            guard let claimed = identity.groups else { return .user(user, leftOut: []) }
            let change = try db.membershipChange(of: user.id, claimed)
            for group in change.left {
                try db.run("DELETE FROM group_member WHERE group_id = ? AND user_id = ?", [group, user.id])
            }
            for group in change.joined {
                let id =
                    try db.row("SELECT id FROM user_group WHERE name = ?", [group.name])?["id"]
                    ?? db.makeGroup(group.name, type: group.type, quota: group.quota, by: "the issuer of tokens", now: now)
                try db.run("INSERT INTO group_member (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING", [id, user.id])
            }
            return .user(user, leftOut: change.leftOut)
        }
    }
}

extension Database {
    fileprivate struct MembershipChange {
        var joined: [ExternalIdentity.Group] = []
        var left: [Int64] = []
        var leftOut: [String] = []

        var isEmpty: Bool { self.joined.isEmpty && self.left.isEmpty }
    }

    fileprivate func externalUser(_ subject: String) throws -> UserRecord? {
        try self.row("SELECT * FROM user WHERE subject = ?", [subject]).map(UserRecord.init(row:))
    }

    /// Groups of this service's own administrators are none of the issuer's business.
    fileprivate func membershipChange(of user: Int64, _ claimed: Set<ExternalIdentity.Group>) throws -> MembershipChange {
        var change = MembershipChange()
        let present = try self.groups(of: user).filter { $0.type != .internal }
        for group in claimed.sorted(by: { $0.name < $1.name })
        where !present.contains(where: { $0.name == group.name && $0.type == group.type }) {
            if let other = try self.row("SELECT type FROM user_group WHERE name = ?", [group.name]),
                other["type"] as String != group.type.rawValue
            {
                change.leftOut.append(group.name)
            } else {
                change.joined.append(group)
            }
        }
        change.left = present.filter { group in !claimed.contains { $0.name == group.name && $0.type == group.type } }.map(\.id)
        return change
    }
}
