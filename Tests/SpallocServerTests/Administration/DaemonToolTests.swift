//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import HTTPTypes
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct DaemonToolTests {
    // MARK: - Help and usage

    @Test(arguments: [
        ["--help"], ["serve", "--help"], ["check-config", "--help"], ["user", "--help"], ["user", "add", "--help"],
        ["machine", "import", "--help"], ["backup", "--help"],
    ])
    func everyCommandHasHelp(_ arguments: [String]) async throws {
        try await withDaemonTool { tool in
            let outcome = await tool.run(arguments, secret: nil)
            #expect(outcome.code == 0 && outcome.out.contains("USAGE: spallocd") && outcome.err == "", "\(outcome)")
        }
    }

    @Test(arguments: [
        ["nonsense"], ["serve"], ["history", "--from", "soon", "--config", "x"], ["check-config"], ["user", "add"],
        ["machine", "import"], ["backup", "x"], ["--nonsense"],
    ])
    func aWrongCommandLineIsCode2(_ arguments: [String]) async throws {
        try await withDaemonTool { tool in
            let outcome = await tool.run(arguments, secret: nil)
            #expect(outcome.code == 2 && outcome.err.contains("Usage: spallocd") && outcome.out == "", "\(outcome)")
        }
    }

    // MARK: - history

    @Test func historyIsCSV() async throws {
        try await withDaemonTool(configuration: #"{"database":"spalloc.sqlite"}"#) { tool in
            let none = await tool.configured("history")
            #expect(none.code == 1 && none.err.contains("there is no database"), "\(none)")
            let store = try Store(path: tool.databasePath)
            try await store.ensureUser(.init(name: "ada", password: "secret"), rounds: 2)
            let ada = try #require(try await store.user(named: "ada")?.0.id)
            let now = Timestamp(milliseconds: 1_700_000_000_000)
            let job = try await store.createJob(
                owner: ada, request: CreateJobRequest(), wanted: try JobRequest(CreateJobRequest()), keepalive: .seconds(60),
                host: nil,
                now: now)
            _ = try await store.destroy(job.job, reason: "no, \"really\"", now: now + .seconds(5))
            for archived in [0, 1] {
                #expect(try await store.archive(endedBefore: now + .seconds(5 + archived * 10)) == archived)
                let all = await tool.configured("history", "--owner", "ada")
                #expect(
                    all.out
                        == "job,owner,group,machine,boards,created,allocated,finished,reason\n"
                        + #"1,ada,,,0,2023-11-14T22:13:20Z,,2023-11-14T22:13:25Z,"no, ""really""""#, "\(all)")
            }
            let later = await tool.configured("history", "--from", "2023-11-15")
            #expect(
                later.code == 0 && later.out == "job,owner,group,machine,boards,created,allocated,finished,reason", "\(later)")
            try store.close()
        }
    }

    // MARK: - check-config

    @Test func aGoodConfigurationIsDescribedAndNothingIsMade() async throws {
        try await withDaemonTool(configuration: #"{"database":"spalloc.sqlite","machine-files":["lab.json"],"port":9000}"#) {
            tool in
            let outcome = await tool.spallocd("check-config", tool.path("spallocd.json"))
            #expect(
                outcome.code == 0 && outcome.out.hasSuffix("is good: 1 machines, 3 boards, 0 users, 127.0.0.1:9000"),
                "\(outcome)")
            let old = await tool.spallocd("--config", tool.path("spallocd.json"), "--check")
            #expect(old.code == 0 && old.out == outcome.out, "\(old)")
            #expect(!FileManager.default.fileExists(atPath: tool.databasePath))
        }
    }

    @Test(arguments: [
        (#"{"database":"x","prt":1}"#, "unknown key \"prt\"; did you mean \"port\"?"),
        (#"{"database":"nowhere/x"}"#, "there is no directory"),
        (#"{"database":"."}"#, "is a directory"),
        (#"{"database":"x","machine-files":["absent.json"]}"#, "cannot read"),
        (#"{"database":"x","tls":{"certificate-chain":"a.pem","private-key":"b.pem"}}"#, "a.pem"),
        (#"{"database":"x","tls":{"certificate-chain":"lab.json","private-key":"lab.json"}}"#, "cannot be used"),
    ])
    func whatIsWrongIsSaidWithCode1(_ json: String, _ message: String) async throws {
        try await withDaemonTool(configuration: json) { tool in
            let outcome = await tool.spallocd("check-config", tool.path("spallocd.json"))
            #expect(outcome.code == 1 && outcome.out == "" && outcome.err.contains(message), "\(outcome)")
        }
    }

    // MARK: - machine import

    @Test func machinesAreImportedOnce() async throws {
        try await withDaemonTool { tool in
            let first = await tool.configured("machine", "import", tool.path("lab.json"))
            #expect(first.code == 0 && first.out == "machine lab was added: 3 boards", "\(first)")
            let again = await tool.configured("machine", "import", tool.path("lab.json"))
            #expect(again.code == 0 && again.out == "machine lab is there already", "\(again)")
            let store = try Store(path: tool.databasePath)
            #expect(store.catalogue.machines.map(\.name) == ["lab"])
            try store.close()
        }
    }

    @Test func whatIsChangedWhileAMachineRunsIsNoDifference() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("machine", "import", tool.path("lab.json"))
            let store = try Store(path: tool.databasePath)
            _ = try await store.setTags(["new"], machine: "lab")
            try store.close()
            #expect(await tool.configured("machine", "import", tool.path("lab.json")).code == 0)
            let after = try Store(path: tool.databasePath)
            #expect(after.catalogue.machines.first?.tags == ["new"], "the operator's tags stay")
            try after.close()
        }
    }

    @Test(arguments: [
        ("\"10.9.0.12\"", "\"10.9.0.13\"", "board [x:0,y:0,z:2] in [c:0,f:0,b:2] at 10.9.0.12"),
        ("[0,0,2]", "[0,0,5]", "board [x:0,y:0,z:2] in [c:0,f:0,b:2]"),
        ("\"10.9.0.1\"", "\"10.9.0.2\"", "the BMP of cabinet 0, frame 0 at 10.9.0.1:17893"),
        ("\"width\":1", "\"width\":2", "1 x 1 triads"),
    ])
    func aMachineThatDiffersIsNotTouched(_ right: String, _ other: String, _ difference: String) async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("machine", "import", tool.path("lab.json"))
            try tool.write(DaemonToolHarness.machines.replacingOccurrences(of: right, with: other), to: "other.json")
            let outcome = await tool.configured("machine", "import", tool.path("other.json"))
            #expect(outcome.code == 1, "\(outcome)")
            #expect(outcome.err.contains("machine \"lab\" is there already, with \(difference)"), "\(outcome.err)")
        }
    }

    @Test func allMachinesOfAFileOrNone() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("machine", "import", tool.path("lab.json"))
            // Another name, another BMP, but the first machine's boards.
            try tool.write(
                DaemonToolHarness.machines.replacingOccurrences(of: "\"lab\"", with: "\"twin\"")
                    .replacingOccurrences(of: "\"10.9.0.1\"", with: "\"10.9.1.1\""), to: "twin.json")
            let outcome = await tool.configured("machine", "import", tool.path("twin.json"))
            #expect(outcome.code == 1 && outcome.err.contains("has the address of one of another machine"), "\(outcome)")
            let store = try Store(path: tool.databasePath)
            #expect(store.catalogue.machines.map(\.name) == ["lab"])
            try store.close()
        }
    }

    @Test func aBrokenDefinitionIsNamed() async throws {
        try await withDaemonTool { tool in
            try tool.write("{}", to: "empty.json")
            let outcome = await tool.configured("machine", "import", tool.path("empty.json"))
            #expect(outcome.code == 1 && outcome.err.contains("empty.json: \"machines\" is missing"), "\(outcome)")
            #expect(!FileManager.default.fileExists(atPath: tool.databasePath))
        }
    }

    // MARK: - backup

    /// Beside a service that has a job: the copy has it too, and a service goes on with the copy.
    @Test func aBackupOfARunningServiceCanBeGoneBackTo() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let copy = harness.directory.appendingPathComponent("copy.sqlite").path
            let configuration = testConfiguration(in: harness.directory)
            let size = try await Administration.with(configuration) { try $0.backUp(to: copy) }
            let attributes = try FileManager.default.attributesOfItem(atPath: copy)
            #expect(attributes[.size] as? Int == size && size > 0)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "it holds password hashes")
            let beside = try FileManager.default.contentsOfDirectory(atPath: harness.directory.path)
            #expect(!beside.contains { $0.contains("partial") }, "\(beside)")

            // What happens later is not in it.
            _ = try await session.execute(.delete, "jobs/\(job)?reason=over")
            let store = try Store(path: copy)
            #expect(try await store.liveJobs().map(\.id) == [job])
            #expect(store.catalogue.machines.map(\.name) == ["m1"])
            try store.close()
        }
    }

    @Test func aBackupReplacesNothing() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("user", "add", "ada", secret: "p")
            try tool.write("precious", to: "copy")
            let outcome = await tool.configured("backup", tool.path("copy"))
            #expect(outcome.code == 1 && outcome.err.contains("exists already"), "\(outcome)")
            #expect(try String(contentsOfFile: tool.path("copy"), encoding: .utf8) == "precious")
            let nowhere = await tool.configured("backup", tool.path("nowhere/copy"))
            #expect(nowhere.code == 1 && nowhere.err.contains("cannot write"), "\(nowhere)")
            let good = await tool.configured("backup", tool.path("copy-2"))
            #expect(good.code == 0 && good.out.hasSuffix(" bytes"), "\(good)")
        }
    }

    @Test func aDamagedDatabaseGivesNoBackup() async throws {
        try await withDaemonTool { tool in
            _ = await tool.configured("user", "add", "ada", secret: "p")
            let database = try DatabaseQueue(path: tool.databasePath)
            try await database.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
            }
            let page = try await database.read { db in
                try UInt64.fetchOne(db, sql: "SELECT rootpage FROM sqlite_schema WHERE name = 'job_owner'")
            }
            try database.close()
            // The page of an index that nobody needs for a backup, as a bad disk leaves it.
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: tool.databasePath))
            try file.seek(toOffset: (try #require(page) - 1) * 4096)
            try file.write(contentsOf: Data(repeating: 0xFF, count: 4096))
            try file.close()
            let outcome = await tool.configured("backup", tool.path("copy"))
            #expect(outcome.code == 1 && outcome.err.contains("damaged"), "\(outcome)")
            #expect(!FileManager.default.fileExists(atPath: tool.path("copy")))
        }
    }
}
