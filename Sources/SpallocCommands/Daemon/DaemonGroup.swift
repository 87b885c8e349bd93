//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocServer

/// `spallocd group …`
struct DaemonGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Who shares which quota of board-hours; also while the service runs.",
        discussion: """
            A group's jobs are charged for each board and second from the moment they get their boards. When a group has nothing left, its \
            jobs end with the reason "quota exceeded". Users in no group are not limited, unless the configuration says require-group.
            """,
        subcommands: [Add.self, Member.self, Quota.self, List.self, Account.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a group.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The group's name.") var name: String
        @Option(help: "Board-hours that it begins with; without, there is no limit.") var boardHours: Double?
        @Option(help: "A user who is in it; may be given several times.") var member: [String] = []

        func run() async throws {
            let quota = try self.boardHours.map(BoardHours.seconds)
            try await Administration.with(try self.file.load(), creating: true) {
                try await $0.addGroup(self.name, quota: quota, members: self.member)
            }
            CommandContext.current.out("group \(self.name) was added: \(BoardHours.text(quota))")
        }
    }

    struct Member: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put a user into a group, or take one out.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The user's name.") var user: String
        @Flag(help: "Take the user out. Jobs go on, and are charged to the group.") var remove = false

        func run() async throws {
            try await Administration.with(try self.file.load()) {
                try await $0.setMember(!self.remove, user: self.user, of: self.name)
            }
            CommandContext.current.out("\(self.user) is \(self.remove ? "no longer" : "now") in group \(self.name)")
        }
    }

    struct Quota: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change what a group has left.", usage: "spallocd group quota NAME (--add H | --set H | --unlimited)")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The group's name.") var name: String
        @Option(help: "So many board-hours more; less with a minus: --add=-5.") var add: Double?
        @Option(help: "Exactly so many board-hours.") var set: Double?
        @Flag(help: "No limit.") var unlimited = false
        @Option(help: "Why: it stands in the group's account.") var note: String?

        func validate() throws {
            guard [self.add != nil, self.set != nil, self.unlimited].count(where: { $0 }) == 1 else {
                throw ValidationError("give one of --add, --set and --unlimited")
            }
            if let set, set < 0 { throw ValidationError("a quota is not negative") }
        }

        func run() async throws {
            let change: QuotaChange
            if let add {
                change = .adjust(try BoardHours.seconds(add))
            } else if let set {
                change = .set(try BoardHours.seconds(set))
            } else {
                change = .unlimited
            }
            let left = try await Administration.with(try self.file.load()) {
                try await $0.changeQuota(of: self.name, change, note: self.note)
            }
            CommandContext.current.out("group \(self.name): \(BoardHours.text(left))")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the groups.")
        @OptionGroup var file: DaemonConfiguration
        @Flag(help: "As JSON.") var json = false

        func run() async throws {
            let now = SystemClock.now()
            let rows = try await Administration.with(try self.file.load()) { administration in
                try await administration.groups().map { group -> [Report.Cell] in
                    [
                        .text(group.record.name), .text(BoardHours.text(group.usage?.left(now: now))),
                        .text("\(group.usage?.jobs.count ?? 0)"), .text(group.members.joined(separator: ", ")),
                    ]
                }
            }
            let report = Report.rows(["name", "left", "live jobs", "members"], rows)
            CommandContext.current.out(report.render(self.json ? .json : .table))
        }
    }

    struct Account: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a group was given and what it has used, newest first.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The group's name.") var name: String
        @Option(help: "At most so many lines.") var limit = 100
        @Flag(help: "As JSON.") var json = false

        func run() async throws {
            let rows = try await Administration.with(try self.file.load()) { administration in
                try await administration.quotaEntries(of: self.name, limit: max(1, self.limit)).map { entry -> [Report.Cell] in
                    [
                        .text("\(entry.at.wire)"), .text(entry.amount.map { BoardHours.text($0) } ?? ""),
                        .text(BoardHours.text(entry.balance)), .text(entry.job.map { "\($0)" }), .text(entry.by),
                        .text(entry.note),
                    ]
                }
            }
            let report = Report.rows(["when", "amount", "left then", "job", "by", "why"], rows)
            CommandContext.current.out(report.render(self.json ? .json : .table))
        }
    }
}

extension BoardHours {
    static func seconds(_ hours: Double) throws -> Int64 {
        guard hours.isFinite, abs(hours) <= 1e9 else { throw ValidationError("\(hours) board-hours are out of range") }
        return Int64((hours * 3600).rounded())
    }
}
