//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import SpiNNakerMachine
import Testing

@testable import SpallocClient
@testable import SpallocCommands

/// A command line run in this process against a scripted service.
@Suite(.timeLimit(.minutes(3))) struct CommandTests {
    struct Outcome {
        let code: Int32
        let out: String
        let err: String
    }

    /// - Parameter arguments: what follows `spalloc`.
    func spalloc(
        _ arguments: [String], service: FakeService, environment: [String: String] = [:]
    ) async throws -> Outcome {
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            defer { service.setJob(service.now.jobState) }
            var environment = environment
            environment["SPALLOC_URL"] = "http://127.0.0.1:\(peer.port)/spalloc"
            if environment["SPALLOC_USER"] == nil { environment["SPALLOC_USER"] = "alice" }
            if environment["SPALLOC_PASSWORD"] == nil { environment["SPALLOC_PASSWORD"] = "s3cret pass&word" }
            return await self.run(arguments, environment: environment)
        }
    }

    func run(_ arguments: [String], environment: [String: String] = [:]) async -> Outcome {
        let out = NIOLockedValueBox<[String]>([])
        let err = NIOLockedValueBox<[String]>([])
        let context = CommandContext(
            environment: environment, isTerminal: false, out: { line in out.withLockedValue { $0.append(line) } },
            err: { line in err.withLockedValue { $0.append(line) } })
        let code = await CommandContext.$current.withValue(context) { await SpallocTool.run(arguments, signals: []) }
        return Outcome(
            code: code, out: out.withLockedValue { $0.joined(separator: "\n") },
            err: err.withLockedValue { $0.joined(separator: "\n") })
    }

    // MARK: - Reports

    @Test func machinesAreATableNamesOrJSON() async throws {
        let table = try await self.spalloc(["machines"], service: FakeService())
        #expect(table.out == "NAME  WIDTH  HEIGHT  BOARDS  DEAD  TAGS\nM         2       1       6     1  default")
        #expect(table.code == 0 && table.err == "")
        let names = try await self.spalloc(["machines", "-q"], service: FakeService())
        #expect(names.out == "M")
        let json = try await self.spalloc(["machines", "--json"], service: FakeService())
        #expect(json.out == #"[{"name":"M","width":2,"height":1,"boards":6,"dead":1,"tags":["default"]}]"#)
    }

    @Test func reportsAreSafeToPrintAndValidJSON() throws {
        let report = Report.record([
            ("name", .text("a\u{1B}[2J\"\\\n")), ("none", .none), ("n", .number(-3)),
            ("list", .list([.text("x"), .record([("k", .none)])])),
        ])
        #expect(!report.render(.table).contains("\u{1B}"))
        let object = try JSONSerialization.jsonObject(with: Data(report.render(.json).utf8)) as? NSDictionary
        #expect(object == ["name": "a\u{1B}[2J\"\\\n", "none": NSNull(), "n": -3, "list": ["x", ["k": NSNull()]] as [Any]])
        #expect(report.render(.table) == "name  a [2J\"\\ \nn     -3\nlist  x\n      k=-")
    }

    @Test func jobsShowsOursAndKeepsNoneAlive() async throws {
        let service = FakeService(
            { $0.jobState = "READY" },
            special: { request in
                request.call == "GET /spalloc/srv/spalloc/jobs/"
                    ? .json(#"{"jobs":["https://x/spalloc/srv/spalloc/jobs/43","https://x/spalloc/srv/spalloc/jobs/42"]}"#)
                    : nil
            })
        let ours = try await self.spalloc(["jobs"], service: service)
        #expect(
            ours.out
                == "ID  STATE  OWNER  STARTED               KEPT-ALIVE  REASON\n42  READY  alice  2026-01-02T03:04:05Z           -       -"
        )
        let all = try await self.spalloc(["jobs", "--everybody", "--quiet"], service: service)
        #expect(all.out == "43\n42")
        #expect(service.now.keepalives == 0)
    }

    @Test func aJobIsShownWithItsBoards() async throws {
        let service = FakeService(
            { $0.jobState = "READY" }, special: { $0.path.hasSuffix("/power") ? .json(#"{"power":"ON"}"#) : nil })
        let job = try await self.spalloc(["job", "42", "--json"], service: service)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(job.out.utf8)) as? [String: Any])
        #expect(object["state"] as? String == "READY")
        #expect(object["power"] as? String == "ON")
        #expect(object["boards"] as? [String] == ["0,0,0", "0,0,2"])
        #expect(
            object["connections"] as? [[String: String]] == [
                ["chip": "0,0", "host": "10.0.0.1"], ["chip": "4,8", "host": "10.0.0.9"],
            ])
    }

    @Test func destroyingSaysWhenThereIsNoSuchJob() async throws {
        let service = FakeService { $0.jobState = "READY" }
        let gone = try await self.spalloc(["destroy", "42", "--reason", "enough"], service: service)
        #expect(gone.code == 0)
        #expect(service.now.destroyReasons == ["enough"])
        let none = try await self.spalloc(["destroy", "7"], service: service)
        #expect(none.code == 1)
        #expect(none.err == "spalloc: job 7: /spalloc/srv/spalloc/jobs/7/ is not there, or not this user's: no such thing")
    }

    @Test func versionsAreTold() async throws {
        let both = try await self.spalloc(["version"], service: FakeService())
        #expect(both.out == "client   \(VersionCommand.version)\nservice  7.4.2")
        let one = await self.run(["version", "-q"])
        #expect(one.out == VersionCommand.version)
    }

    @Test func theLoginCheckShowsWhereThingsComeFromAndNoSecret() async throws {
        let check = try await self.spalloc(["login-check"], service: FakeService())
        #expect(check.code == 0)
        #expect(check.err.contains("(from SPALLOC_URL)"))
        #expect(check.err.contains("user alice"))
        #expect(!(check.out + check.err).contains("s3cret"))
        let refused = try await self.spalloc(
            ["login-check", "-v"], service: FakeService(), environment: ["SPALLOC_PASSWORD": "hunter2"])
        #expect(refused.code == 1)
        #expect(refused.err.hasSuffix("spalloc: the service refuses the password of alice: bad user"))
        #expect(!refused.err.contains("hunter2"))
    }

    @Test func theLoginCheckGoesStepByStep() async throws {
        let good = try await self.spalloc(["login-check", "--json"], service: FakeService())
        #expect(good.err.contains("\nname: 127.0.0.1 is 127.0.0.1:"), "\(good.err)")
        #expect(good.err.hasSuffix("\nconnection: ok, without TLS"), "\(good.err)")
        let service = FakeService()
        try await ScriptedPeer.run(tls: TestCertificates.serverContext(.good), { await service.answer($0) }) { peer in
            try await TestCertificates.withFile(TestCertificates.authority) { file in
                var environment = ["SPALLOC_USER": "alice", "SPALLOC_PASSWORD": "s3cret pass&word"]
                environment["SPALLOC_URL"] = "https://localhost:\(peer.port)/spalloc"
                let untrusted = await self.run(["login-check"], environment: environment)
                #expect(untrusted.code == 1 && untrusted.err.contains("\nname: localhost is "))
                #expect(untrusted.err.contains("not signed by a CA we trust"), "\(untrusted.err)")
                #expect(!untrusted.err.contains("connection: ok") && peer.requests.isEmpty)
                environment["SPALLOC_CA_FILE"] = file
                let trusted = await self.run(["login-check"], environment: environment)
                #expect(trusted.code == 0 && trusted.err.hasSuffix("\nconnection: ok, TLS v1.3, certificate trusted"))
            }
        }
        let nowhere = await self.run(["login-check", "--url", "https://u:p@no-such-host.invalid/"])
        #expect(nowhere.code == 1 && nowhere.err.contains("no-such-host.invalid is unknown"))
    }

    // MARK: - Holding

    @Test func holdingKeepsAliveUntilTheJobIsLost() async throws {
        let service = FakeService { $0.jobState = "READY" }
        let ending = FakeService(special: { request in
            let answer = await service.answer(request)
            if request.method == .PUT { service.setJob("DESTROYED", reason: "expired") }
            return answer
        })
        let lost = try await self.spalloc(["hold", "42"], service: ending)
        #expect(lost.code == 1)
        #expect(lost.err == "job 42 is READY; kept alive until Ctrl-C\nspalloc: job 42: the job is over: expired")
        #expect(service.now.keepalives == 1 && service.now.destroyReasons == [])
    }

    @Test func holdingEndsWithASignalAndLeavesTheJob() async throws {
        let service = FakeService({ $0.jobState = "READY" })
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            let environment = [
                "SPALLOC_URL": "http://127.0.0.1:\(peer.port)/spalloc", "SPALLOC_USER": "alice",
                "SPALLOC_PASSWORD": "s3cret pass&word",
            ]
            let task = Task { await self.run(["hold", "42"], environment: environment) }
            try await eventually { service.now.keepalives == 1 }
            task.cancel()
            let outcome = await task.value
            #expect(outcome.code != 0)
            // It is someone else's: only watched over.
            #expect(service.now.destroyReasons == [])
        }
    }

    @Test func holdingWhatIsNotThereIsAnError() async throws {
        let none = try await self.spalloc(["hold", "7"], service: FakeService())
        #expect(none.code == 1 && none.err.hasPrefix("spalloc: job 7:"))
    }

    // MARK: - Usage

    @Test(arguments: [
        ["machines"], ["bogus"], ["create", "0"], ["create", "2x"], ["create", "3", "--board", "0,0,0"],
        ["create", "--board", "0,0"], ["create", "--machine", "M", "--tag", "t"], ["create", "--keepalive", "29"],
        ["where-is", "--chip", "0,0"], ["power", "up", "1"], ["jobs", "--json", "--quiet"], ["jobs", "--limit", "0"],
    ])
    func wrongUsageIsCode2WithOneReason(arguments: [String]) async {
        let outcome = await self.run(arguments)
        #expect(outcome.code == 2)
        #expect(outcome.out == "" && !outcome.err.isEmpty)
    }

    @Test func helpIsNoError() async {
        let help = await self.run(["create", "--help"])
        #expect(help.code == 0)
        #expect(help.out.contains("EXAMPLES"))
    }

    @Test func missingCredentialsAreNamed() async {
        let none = await self.run(["machines", "--url", "https://127.0.0.1:1/spalloc"])
        #expect(none.code == 2 && none.err.contains("--password-file"))
        let half = await self.run(["machines", "--url", "https://127.0.0.1:1/spalloc", "--user", "bob"])
        #expect(half.err.contains("no password for bob"))
        let file = await self.run(["machines", "--url", "https://127.0.0.1:1/", "--user", "bob", "--password-file", "/none"])
        #expect(file.code == 1 && file.err == "spalloc: the password file /none is not there or not readable")
    }

    @Test func thePasswordFilesFirstLineCounts() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "spalloc-password-\(UUID().uuidString)")
        try "s3cret pass&word\r\nsecond line\n".write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let outcome = try await self.spalloc(
            ["machines", "-q", "--user", "alice", "--password-file", file.path], service: FakeService(),
            environment: ["SPALLOC_USER": "other", "SPALLOC_PASSWORD": "other"])
        #expect(outcome.out == "M")
    }

    @Test func requestsAreWhatWasAsked() throws {
        func request(_ arguments: String...) throws -> SpallocJobRequest { try CreateCommand.parse(arguments).request() }
        #expect(try request().size == .boards(1))
        #expect(try request("2x3").size == .rectangle(width: 2, height: 3))
        #expect(try request("--ip", "10.0.0.1").size == .board(.address(.init(10, 0, 0, 1))))
        #expect(try request("1x2", "--board", "4,4,0").size == .rectangleAt(.triad(.init(4, 4, 0)), width: 1, height: 2))
        #expect(try request("--physical", "1,2,3").size == .board(.physical(.init(cabinet: 1, frame: 2, board: 3))))
        #expect(try request("--nmpi-job", "7", "--nmpi-user", "bob").account == .nmpiJob(7, user: "bob"))
        #expect(try request("--tag", "a", "--tag", "b").machine == .tagged(["a", "b"]))
        #expect(try request("--max-dead-boards", "2", "--keepalive", "60").keepaliveInterval == .seconds(60))
    }

    // MARK: - Creating

    /// Moves the job on as soon as it is created, as a service with free boards would.
    func readyService(_ change: (inout FakeService.State) -> Void = { _ in }) -> FakeService {
        FakeService {
            $0.jobState = "READY"
            change(&$0)
        }
    }

    @Test func aCommandRunsWhileTheJobLivesAndGivesItsCode() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "spalloc-env-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let service = self.readyService()
        let script = "echo \"$SPALLOC_JOB|$SPALLOC_HOST|$SPALLOC_CONNECTIONS|$SPALLOC_MACHINE\" > '\(file.path)'; exit 7"
        let outcome = try await self.spalloc(
            ["create", "2", "--command", "sh", "-c", script], service: service,
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/bin:/usr/bin"])
        #expect(outcome.code == 7)
        #expect(try String(contentsOf: file, encoding: .utf8) == "42|10.0.0.1|0,0=10.0.0.1 4,8=10.0.0.9|M\n")
        #expect(service.now.destroyReasons.count == 1)
        #expect(outcome.err.contains("job 42: READY after"))
    }

    @Test func aCommandThatCannotBeRunIsNamedAndTheJobGoes() async throws {
        let service = self.readyService()
        let outcome = try await self.spalloc(["create", "--command", "/no/such/program"], service: service)
        #expect(outcome.code == 1)
        #expect(outcome.err.contains("the command /no/such/program cannot be run"))
        #expect(service.now.destroyReasons.count == 1)
    }

    @Test func noWaitLeavesTheJobAndSaysSo() async throws {
        let service = self.readyService()
        let outcome = try await self.spalloc(["create", "--no-wait", "--quiet"], service: service)
        #expect(outcome.out == "42")
        #expect(outcome.err.contains("spalloc hold 42"))
        #expect(service.now.destroyReasons == [])
    }

    @Test func aFullMachineIsCode3() async throws {
        let service = FakeService()
        let outcome = try await self.spalloc(["create", "1", "--queue-timeout", "0"], service: service)
        #expect(outcome.code == 3)
        #expect(outcome.err.contains("no boards came free"))
        #expect(service.now.destroyReasons.count == 1)
    }

    @Test func aRefusedJobSaysWhy() async throws {
        let service = FakeService(special: {
            $0.method == .POST && $0.path.hasSuffix("jobs/") ? .text(400, "only 3 boards here") : nil
        })
        let outcome = try await self.spalloc(["create", "5"], service: service)
        #expect(outcome.code == 1)
        #expect(outcome.err == "spalloc: the service will not make a job of 5 boards: only 3 boards here")
    }
}
