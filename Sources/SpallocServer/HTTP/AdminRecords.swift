//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

/// A user, as the administration's resources have it. The names are the reference's.
struct AdminUser: Codable, Sendable {
    var name: String?
    /// Only written.
    var password: String?
    var hasPassword: Bool?
    var enabled: Bool?
    /// Can be taken off, not put on.
    var locked: Bool?
    var trustLevel: TrustLevel?
    var lastSuccess: WireInstant?
    var lastFailure: WireInstant?
    /// The group's name and address.
    var groups: [String: String]?
    /// Whether the user logs in here, with a password.
    var isInternal: Bool?

    enum CodingKeys: String, CodingKey {
        case name = "user-name"
        case password
        case hasPassword = "has-password"
        case enabled, locked
        case trustLevel = "trust-level"
        case lastSuccess = "last-successful-login"
        case lastFailure = "last-failed-login"
        case groups
        case isInternal = "internal"
    }
}

struct AdminGroup: Codable, Sendable {
    var name: String?
    /// Board-seconds; null, or not there: no limit.
    var quota: Int64?
    var type: GroupType?
    /// The user's name and the membership's address.
    var members: [String: String]?

    enum CodingKeys: String, CodingKey {
        case name = "group-name"
        case quota, type, members
    }

    init(name: String?, quota: Int64?, type: GroupType?, members: [String: String]?) {
        self.name = name
        self.quota = quota
        self.type = type
        self.members = members
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encodeIfPresent(self.name, forKey: .name)
        // null is an answer.
        try values.encode(self.quota, forKey: .quota)
        try values.encodeIfPresent(self.type, forKey: .type)
        try values.encodeIfPresent(self.members, forKey: .members)
    }
}

/// That a user is in a group. A membership has the user's number: a user is in a group once.
struct AdminMember: Codable, Sendable {
    var id: Int64?
    var groupID: Int64?
    var groupName: String?
    var groupURL: String?
    var userID: Int64?
    var userName: String?
    var userURL: String?

    enum CodingKeys: String, CodingKey {
        case id
        case groupID = "group-id"
        case groupName = "group-name"
        case groupURL = "group-url"
        case userID = "user-id"
        case userName = "user-name"
        case userURL = "user-url"
    }
}
