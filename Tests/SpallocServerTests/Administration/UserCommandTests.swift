//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocServer
import Testing

/// `spallocd user …`, and what a service that runs on the same database makes of it.
@Suite(.timeLimit(.minutes(3))) struct UserCommandTests {
    /// The store as the commands left it.
    private func user(_ name: String, _ tool: DaemonToolHarness) async throws -> (user: UserRecord, password: PasswordHash?)? {
        let store = try Store(path: tool.databasePath)
        let found = try await store.user(named: name)
        try store.close()
        return found
    }

    @Test func aUserIsAddedWithAPasswordThatIsAskedFor() async throws {
        try await withDaemonTool { tool in
            let added = await tool.configured("user", "add", "ada", "--trust-level", "admin", secret: "correct horse")
            #expect(added.code == 0 && added.out == "user ada was added: ADMIN" && added.err == "", "\(added)")
            #expect(added.asked == ["Password of ada"])
            let (user, hash) = try #require(try await self.user("ada", tool))
            #expect(user.trustLevel == .admin && user.enabled)
            #expect(try await hash?.matches("correct horse") == true)
            #expect(try await hash?.matches("wrong horse") == false)

            let again = await tool.configured("user", "add", "ada", secret: "other")
            #expect(again.code == 1 && again.err.contains("there is a user \"ada\" already"), "\(again)")
            #expect(again.asked == [], "a password must not be asked for in vain")
            let after = try await self.user("ada", tool)
            #expect(after?.password == hash, "the user is as it was")
        }
    }

    @Test(arguments: ["", "a b", "a:b", "a\u{7}", String(repeating: "a", count: 65)])
    func aNameThatCouldNotLogInIsRefused(_ name: String) async throws {
        try await withDaemonTool { tool in
            let outcome = await tool.configured("user", "add", name, secret: "p")
            #expect(outcome.code == 1 && outcome.err.contains("is no user name"), "\(outcome)")
        }
    }

    @Test func aBlankPasswordIsRefusedAndNothingIsMade() async throws {
        try await withDaemonTool { tool in
            let blank = await tool.configured("user", "add", "ada", secret: "   ")
            #expect(blank.code == 1 && blank.err == "spallocd: the password is blank")
            let none = await tool.configured("user", "add", "ada")
            #expect(none.code == 1 && none.err.contains("no password was typed"))
            let made = try await self.user("ada", tool)
            #expect(made == nil)
        }
    }

    @Test func aPasswordIsNeverAnArgument() async throws {
        try await withDaemonTool { tool in
            let outcome = await tool.configured("user", "add", "ada", "secret", secret: "p")
            #expect(outcome.code == 2, "\(outcome)")
            #expect(!FileManager.default.fileExists(atPath: tool.databasePath))
        }
    }

    @Test func aTrustLevelThatIsNoneIsAUsageError() async throws {
        try await withDaemonTool { tool in
            let outcome = await tool.configured("user", "add", "ada", "--trust-level", "KING", secret: "p")
            #expect(outcome.code == 2 && outcome.err.contains("KING"), "\(outcome)")
        }
    }

    @Test func withoutADatabaseOnlyAddMakesOne() async throws {
        try await withDaemonTool { tool in
            for command in [["user", "list"], ["user", "disable", "ada"], ["user", "password", "ada"], ["backup", "copy"]] {
                let outcome = await tool.run(command + ["--config", tool.path("spallocd.json")], secret: "p")
                #expect(outcome.code == 1 && outcome.err.contains("there is no database"), "\(command): \(outcome)")
                #expect(!FileManager.default.fileExists(atPath: tool.databasePath), "\(command)")
            }
        }
    }

    @Test func aConfiguredUserIsChangedInTheFile() async throws {
        let file = #"{"database":"spalloc.sqlite","users":[{"name":"bob","password":"p"}]}"#
        try await withDaemonTool(configuration: file) { tool in
            _ = await tool.configured("user", "add", "ada", secret: "p")
            for command in ["add", "password"] {
                let outcome = await tool.configured("user", command, "bob", secret: "q")
                #expect(outcome.code == 1 && outcome.err.contains("user \"bob\" is in the configuration file"), "\(outcome)")
            }
        }
    }

    @Test func anUnknownUserIsNamedAndOneOfOtherCaseSuggested() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("user", "add", "Ada", secret: "p")
            let outcome = await tool.configured("user", "disable", "ada")
            #expect(
                outcome.code == 1 && outcome.err == "spallocd: there is no user \"ada\"; did you mean \"Ada\"?", "\(outcome)")
        }
    }

    @Test func theListSaysWhoMayLogIn() async throws {
        try await withDaemonTool { tool in
            for name in ["ada", "bob", "eve"] { _ = await tool.configured("user", "add", name, secret: "p") }
            #expect(await tool.configured("user", "disable", "bob").out == "user bob is disabled")
            let store = try Store(path: tool.databasePath)
            let eve = try #require(try await store.user(named: "eve")).user
            try await store.recordLogin(
                user: eve.id, succeeded: false,
                lockout: {
                    var l = SpallocServerConfiguration.Lockout(); l.failures = 1; return l
                }(),
                now: SystemClock.now())
            try store.close()

            let list = await tool.configured("user", "list")
            let lines = list.out.split(separator: "\n").map(String.init)
            #expect(list.code == 0 && lines.count == 4, "\(list)")
            #expect(lines[1].contains("ada") && lines[1].contains("enabled"))
            #expect(lines[2].contains("bob") && lines[2].contains("disabled"))
            #expect(lines[3].contains("eve") && lines[3].contains("locked until 20"))
            #expect(await tool.configured("user", "enable", "eve").code == 0)
            let json = await tool.configured("user", "list", "--json")
            #expect(
                json.out.contains(#"{"name":"eve","trust":"USER","state":"enabled","from":"database","last login":null}"#),
                "\(json)")
            #expect(!json.out.contains("scrypt"), "no hash is shown")
        }
    }

    /// The service keeps passwords that were right for a while: a new one must count at once.
    @Test func aNewPasswordCountsAtOnceInARunningService() async throws {
        try await withService { harness, client in
            func status(_ password: String) async throws -> HTTPResponse.Status {
                let basic = Data("carol:\(password)".utf8).base64EncodedString()
                return try await client.execute(
                    uri: Session.api + "machines", method: .get, headers: [.authorization: "Basic \(basic)"]
                ).status
            }
            var configuration = testConfiguration(in: harness.directory)
            configuration.users = []
            try await Administration.with(configuration) { administration in
                try await administration.addUser("carol", password: "first", trustLevel: .user)
            }
            #expect(try await status("first") == .ok)
            let session = try await Session.logIn(client, as: "carol", password: "first")
            try await Administration.with(configuration) { try await $0.setPassword("second", of: "carol") }
            #expect(try await status("first") == .unauthorized)
            #expect(try await status("second") == .ok)
            #expect(try await session.execute(.get, "machines").status == .unauthorized, "sessions of the old password end")

            try await Administration.with(configuration) { try await $0.setEnabled(false, user: "carol") }
            #expect(try await status("second") == .unauthorized)
            try await Administration.with(configuration) { try await $0.setEnabled(true, user: "carol") }
            #expect(try await status("second") == .ok)
        }
    }
}
