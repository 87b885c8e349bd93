//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import SpallocAPI

extension APIOperation {
    private static let user = "\(SpallocPath.admin)/users/{id}"
    private static let group = "\(SpallocPath.admin)/groups/{id}"
    private static let number = Parameter.path("id", .integer(from: 1))
    private static let noSuch = Reply.text(404, "There is no such thing")
    private static let conflict = Reply.text(
        409, "Taken, or the administrator's own account, or the configuration file's business")

    private static let place: [Parameter] = [
        .query("machine", .string, required: true), .query("x", .integer(0...255)), .query("y", .integer(0...255)),
        .query("z", .integer(0...2)), .query("cabinet", .integer(0...255)), .query("frame", .integer(0...255)),
        .query("board", .integer(0...255)), .query("address", .string),
    ]

    static let administration: [APIOperation] = [
        .init(
            .get, SpallocPath.admin, "administration", "What administrators can do", access: .from(.admin),
            [.ok(.addresses, "Where")]),
        .init(
            .get, "\(SpallocPath.admin)/import", "administration", "What an import takes", access: .from(.admin),
            [.text(200, "In words")]),
        .init(
            .post, "\(SpallocPath.admin)/import", "administration", "Adds the machines of a definition file", body: .anyText,
            access: .from(.admin), [.done(204, "They can be used"), .badRequest, conflict, .tooLong]),
        .init(
            .get, "\(SpallocPath.admin)/board", "administration", "Whether a board is in service", place,
            access: .from(.admin), [.text(200, "true or false"), .badRequest, noSuch]),
        .init(
            .put, "\(SpallocPath.admin)/board", "administration", "Takes a board out of service, or back",
            place + [.query(SpallocHTTP.reason, .string, "Why it goes")], body: .anyText, access: .from(.admin),
            [.text(200, "true or false"), .badRequest, noSuch, .tooLong]),
        .init(
            .get, "\(SpallocPath.admin)/users", "administration", "All users", access: .from(.admin), [.ok(.addresses)]),
        .init(
            .post, "\(SpallocPath.admin)/users", "administration", "A new user", body: .json(.adminUser),
            access: .from(.admin),
            [
                Reply(status: 201, text: "The user is there", content: .json(.adminUser), headers: ["Location": "The user"]),
                .done(304, "There is a user of that name"), .badRequest, conflict,
            ]),
        .init(.get, user, "administration", "One user", [number], access: .from(.admin), [.ok(.adminUser), noSuch]),
        .init(
            .put, user, "administration", "Changes a user: what is not said stays", [number], body: .json(.adminUser),
            access: .from(.admin), [.ok(.adminUser), .badRequest, noSuch, conflict]),
        .init(
            .delete, user, "administration", "Deletes a user who never had a job", [number], access: .from(.admin),
            [.text(200, "Who is gone"), noSuch, conflict]),
        .init(
            .get, "\(SpallocPath.admin)/groups", "administration", "All groups", access: .from(.admin), [.ok(.addresses)]),
        .init(
            .post, "\(SpallocPath.admin)/groups", "administration", "A new group", body: .json(.adminGroup),
            access: .from(.admin),
            [
                Reply(status: 201, text: "The group is there", content: .json(.adminGroup), headers: ["Location": "The group"]),
                .badRequest, conflict,
            ]),
        .init(.get, group, "administration", "One group", [number], access: .from(.admin), [.ok(.adminGroup), noSuch]),
        .init(
            .put, group, "administration", "Changes a group: no quota is no limit", [number], body: .json(.adminGroup),
            access: .from(.admin), [.ok(.adminGroup), .badRequest, noSuch, conflict]),
        .init(
            .delete, group, "administration", "Deletes a group that never had a job", [number], access: .from(.admin),
            [.text(200, "What is gone"), noSuch, conflict]),
        .init(
            .post, "\(group)/members", "administration", "Puts a user into a group", [number], body: .json(.adminMember),
            access: .from(.admin),
            [
                Reply(
                    status: 201, text: "The user is in it", content: .json(.adminMember),
                    headers: ["Location": "The membership"]),
                .badRequest, noSuch,
            ]),
        .init(
            .get, "\(group)/members/{member}", "administration", "One member", [number, .path("member", .integer(from: 1))],
            access: .from(.admin), [.ok(.adminMember), noSuch]),
        .init(
            .delete, "\(group)/members/{member}", "administration", "Takes a user out of a group",
            [number, .path("member", .integer(from: 1))], access: .from(.admin), [.done(204, "No longer in it"), noSuch]),
    ]
}
