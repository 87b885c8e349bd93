//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import SpallocAPI
import Testing

@testable import SpallocServer

/// How notices are told.
@Suite(.timeLimit(.minutes(3))) struct NotifyServiceTests {
    /// A program that writes what it gets, and its arguments, to files beside it.
    private func withProgram(
        _ script: String =
            "printf '%s\\n' \"$0\" \"$@\" > \"$D/arguments\"; cat > \"$D/input.part\"; mv \"$D/input.part\" \"$D/input\"",
        _ body: @escaping @Sendable (URL, String) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let program = directory.appendingPathComponent("tell").path
        try "#!/bin/sh\nD='\(directory.path)'\n\(script)\n".write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
        try await body(directory, program)
    }

    private func read(_ directory: URL, _ name: String) -> String? {
        try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
    }

    private func metrics(_ harness: Harness) -> String {
        var text = PrometheusText()
        harness.core.metrics.registry.write(to: &text)
        return text.text
    }

    private static let notice = Notice(
        .boardsOutOfService, at: TurnedClock().now(), machine: "m1", boards: ["0,0,1"], reason: "dust")

    // MARK: - The command

    @Test func theCommandGetsJSON() async throws {
        try await self.withProgram { directory, program in
            let input = try Self.notice.json
            try await NoticeCommand(arguments: [program, "a b", "$HOME;`id`"], deadline: .seconds(20)).run(input: input)
            #expect(self.read(directory, "input").map { Data($0.utf8) } == input)
            #expect(self.read(directory, "arguments") == "\(program)\na b\n$HOME;`id`\n", "no shell has seen them")
        }
    }

    @Test func itHasNothingOfTheServicesEnvironment() async throws {
        try await self.withProgram("env > \"$D/environment\"") { directory, program in
            try await NoticeCommand(arguments: [program], deadline: .seconds(20)).run(input: Data("unread".utf8))
            let names = (self.read(directory, "environment") ?? "").split(separator: "\n").map { $0.prefix { $0 != "=" } }
            #expect(Set(names).isSubset(of: ["PATH", "LANG", "PWD", "_", "SHLVL", "OLDPWD"]), "\(names)")
        }
    }

    @Test func aFailureIsTold() async throws {
        try await self.withProgram("exit 3") { _, program in
            await #expect(throws: NoticeCommand.Failure(description: "\(program) has failed: status 3")) {
                try await NoticeCommand(arguments: [program], deadline: .seconds(20)).run(input: Data())
            }
            await #expect(throws: NoticeCommand.Failure.self) {
                try await NoticeCommand(arguments: [program + ".none"], deadline: .seconds(20)).run(input: Data())
            }
        }
    }

    /// It does not obey a SIGTERM either.
    @Test func aCommandThatDoesNotEndIsEnded() async throws {
        try await self.withProgram(
            "trap '' TERM; echo $$ > \"$D/pid.part\"; mv \"$D/pid.part\" \"$D/pid\"; read forever < \"$D/fifo\""
        ) {
            directory, program in
            #expect(mkfifo(directory.appendingPathComponent("fifo").path, 0o600) == 0)
            await #expect(throws: NoticeCommand.Failure(description: "\(program) did not end within 1 s")) {
                try await NoticeCommand(arguments: [program], deadline: .seconds(1)).run(input: Data())
            }
            let pid = try #require(self.read(directory, "pid").flatMap { Int32($0.trimmingCharacters(in: .newlines)) })
            try await eventually("the program to be gone") { kill(pid, 0) != 0 }
        }
    }

    // MARK: - The queue

    @Test func ofTooManyTheOldestAreLost() {
        let queue = NoticeQueue()
        for index in 0..<(NoticeQueue.maximum + 5) {
            queue.put(Notice(.issueReport, at: TurnedClock().now(), machine: "m1", boards: [], reason: "\(index)"))
        }
        #expect(queue.count == NoticeQueue.maximum)
        let first = queue.take()
        #expect(first?.notice.reason == "5" && first?.lost == 5)
        #expect(queue.take()?.lost == 0)
        while queue.take() != nil {}
        #expect(queue.count == 0)
    }

    // MARK: - In the service

    @Test func reportsAndBoardsThatGoAreTold() async throws {
        try await self.withProgram("cat >> \"$D/all\"") { directory, program in
            try await withService(configure: { $0.notify.command = [program] }) { harness, client in
                let alice = try await Session.logIn(client, as: "alice")
                let job = try await alice.create()
                _ = try await alice.wait(job, for: [.ready])
                let root = try await Session.logIn(client, as: "root")
                let body = #"{"issue":"does\nnot boot","boards":[{"chip":[0,0]}]}"#
                #expect(try await alice.execute(.post, "jobs/\(job)/report-issue", body: body).status == .ok)
                let form = ["machine": "m1", "where": "0,0,2", "enabled": "false", "reason": "dust"]
                #expect(try await root.submit("admin/boards", form).status == .seeOther)
                // Back in service is nothing to tell.
                let back = ["machine": "m1", "where": "0,0,2", "enabled": "true", "reason": ""]
                #expect(try await root.submit("admin/boards", back).status == .seeOther)
                try await eventually("both to be told") {
                    self.read(directory, "all")?.split(separator: "\n").count == 2 && harness.core.notices.count == 0
                }
                let lines = (self.read(directory, "all") ?? "").split(separator: "\n")
                let fields = try lines.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:] }
                #expect(fields[0]["kind"] as? String == "issue-report" && fields[0]["user"] as? String == "alice")
                #expect(fields[0]["reason"] as? String == "does\nnot boot" && fields[0]["job"] as? Int == job)
                #expect((fields[0]["boards"] as? [String])?.count == 1 && fields[0]["machine"] as? String == "m1")
                #expect(
                    fields[1]["kind"] as? String == "boards-out-of-service" && fields[1]["boards"] as? [String] == ["0,0,2"])
                #expect(fields[1]["reason"] as? String == "dust" && fields[1]["user"] == nil)
            }
        }
    }

    @Test func boardsThatFailAreTold() async throws {
        try await self.withProgram("cat >> \"$D/all\"") { directory, program in
            try await withService(configure: {
                $0.notify.command = [program]
                $0.reports.threshold = 1
            }) { harness, client in
                let alice = try await Session.logIn(client, as: "alice")
                let board = #""board":{"x":0,"y":0,"z":1},"machine-name":"m1""#
                // One whose FPGAs never come up, and one of which somebody complains.
                harness.bmp.set { $0.badFPGAs = [1: 100] }
                _ = try await alice.create(#"{"keepalive-interval":"PT120S",\#(board)}"#)
                try await eventually("the first to be told") { self.read(directory, "all")?.hasSuffix("\n") == true }
                let job = try await alice.create()
                _ = try await alice.wait(job, for: [.ready])
                let report = #"{"issue":"hot","boards":[{"chip":[0,0]}]}"#
                #expect(try await alice.execute(.post, "jobs/\(job)/report-issue", body: report).status == .ok)
                try await eventually("all to be told") { self.read(directory, "all")?.split(separator: "\n").count == 3 }
                let fields = try (self.read(directory, "all") ?? "").split(separator: "\n")
                    .map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:] }
                #expect(
                    fields.map { $0["kind"] as? String } == ["boards-out-of-service", "issue-report", "boards-out-of-service"])
                #expect(fields[0]["boards"] as? [String] == ["0,0,1"] && (fields[0]["reason"] as? String)?.isEmpty == false)
                #expect(fields[2]["reason"] as? String == "reported: hot" && fields[2]["job"] as? Int == job)
                #expect(fields[2]["boards"] as? [String] == fields[1]["boards"] as? [String])
            }
        }
    }

    @Test func mailGoesToSendmail() async throws {
        try await self.withProgram { directory, program in
            try await withService(configure: {
                $0.notify.mailTo = ["lab@example.org", "b@example.org"]
                $0.notify.mailFrom = "spalloc@example.org"
                $0.notify.sendmail = program
            }) { harness, _ in
                await NotifyService(core: harness.core).tell(Self.notice)
                #expect(
                    self.read(directory, "arguments")
                        == "\(program)\n-i\n-f\nspalloc@example.org\n--\nlab@example.org\nb@example.org\n")
                let mail = try #require(self.read(directory, "input"))
                // As a sendmail wants its input: lines end as this system's do.
                #expect(mail.hasPrefix("From: Spalloc <spalloc@example.org>\nTo: lab@example.org,\n b@example.org\n"))
                #expect(!mail.contains("\r") && mail.contains("\nSubject: Out of service: board 0,0,1 of m1\n"))
                #expect(self.metrics(harness).contains(#"spalloc_notices_total{result="told"} 1"#))
            }
        }
    }

    /// A command that fails, or is not there any more, is logged; the service goes on.
    @Test func whatCannotBeToldIsLogged() async throws {
        let log = LogRecorder()
        try await withIssuer({ $0.notify.command = ["/nonexistent/program"] }, logger: log.logger) { stage in
            await NotifyService(core: stage.harness.core).tell(Self.notice)
            #expect(log.text.contains("a notice could not be told") && log.text.contains("/nonexistent/program"))
            #expect(self.metrics(stage.harness).contains(#"spalloc_notices_total{result="failed"} 1"#))
            #expect(throws: SpallocServerError.self) { try SpallocApplication.check(stage.harness.core.configuration) }
        }
    }

    @Test func nothingIsKeptForNobody() async throws {
        try await withService { harness, _ in
            let board = try #require(harness.store.catalogue.machines.first?.boardIDs.first)
            harness.core.notify(.boardsOutOfService, boards: [board], reason: "dust")
            #expect(harness.core.notices.count == 0)
        }
    }
}
