//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import SpallocAPI
import SpallocServer

/// `spallocd user …`
struct DaemonUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Who may use the service; also while it runs.",
        discussion: """
            Passwords are asked for without an echo; without a terminal, the first line of standard input is the password. \
            Users that stand in the configuration file are changed there.
            """,
        subcommands: [Add.self, Password.self, Disable.self, Enable.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a user.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The user's name.") var name: String
        @Option(help: "BASIC, READER (sees machines), USER (has jobs), ADMIN, NMPI_EXEC (acts for others).")
        var trustLevel = TrustLevel.user

        func run() async throws {
            let configuration = try self.file.load()
            try await Administration.with(configuration, creating: true) { administration in
                try await administration.requireFree(self.name)
                let password = try CommandContext.current.secret("Password of \(self.name)", true)
                try await administration.addUser(self.name, password: password, trustLevel: self.trustLevel)
            }
            CommandContext.current.out("user \(self.name) was added: \(self.trustLevel.rawValue)")
        }
    }

    struct Password: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user a new password. All sessions of the user end; a locked account is unlocked.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            let configuration = try self.file.load()
            try await Administration.with(configuration) { administration in
                try await administration.requireChangeable(self.name)
                let password = try CommandContext.current.secret("New password of \(self.name)", true)
                try await administration.setPassword(password, of: self.name)
            }
            CommandContext.current.out("user \(self.name) has a new password")
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lock a user out, at once. Jobs are not ended.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            try await Administration.with(try self.file.load()) { try await $0.setEnabled(false, user: self.name) }
            CommandContext.current.out("user \(self.name) is disabled")
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a user in again, also after too many wrong passwords.")
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            try await Administration.with(try self.file.load()) { try await $0.setEnabled(true, user: self.name) }
            CommandContext.current.out("user \(self.name) is enabled")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users.")
        @OptionGroup var file: DaemonConfiguration
        @Flag(help: "As JSON.") var json = false

        func run() async throws {
            let now = SystemClock.now()
            let rows = try await Administration.with(try self.file.load()) { administration in
                try await administration.users().map { user -> [Report.Cell] in
                    let state =
                        if !user.enabled {
                            "disabled"
                        } else if !user.hasPassword {
                            "no login"
                        } else if let until = user.lockedUntil, until > now {
                            "locked until \(until.wire)"
                        } else {
                            "enabled"
                        }
                    return [
                        .text(user.name), .text(user.trustLevel.rawValue), .text(state),
                        .text(administration.isConfigured(user.name) ? "configuration" : "database"),
                        .text(user.lastSuccess.map { "\($0.wire)" }),
                    ]
                }
            }
            let report = Report.rows(["name", "trust", "state", "from", "last login"], rows)
            CommandContext.current.out(report.render(self.json ? .json : .table))
        }
    }
}
