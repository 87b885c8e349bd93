//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOConcurrencyHelpers
import SpallocAPI
import Testing

@testable import SpallocServer

/// A configuration taken over while the service runs.
@Suite(.timeLimit(.minutes(3))) struct ReloadTests {
    /// Each key of the file is known to the reload, and the page for operators marks the same ones.
    @Test func everySettingIsEitherReloadableOrNot() throws {
        let names = Set(ReloadableSetting.all.map(\.name))
        let timings = ConfigurationFile.Timings.CodingKeys.allCases.map { "timings.\($0.rawValue)" }
        let keys = ConfigurationFile.CodingKeys.allCases.map(\.rawValue).filter { $0 != "timings" } + timings
        #expect(names == Set(keys))
        #expect(ReloadableSetting.all.count == names.count)

        let page = try String(
            contentsOf: YAMLConfigurationTests.repository.appendingPathComponent("packaging/spallocd.yaml"), encoding: .utf8)
        var comment = ""
        var marked: [String: Bool] = [:]
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty { comment = "" }
            if line.drop(while: { $0 == " " }).hasPrefix("# ") {
                comment += line
            } else if let (_, indent, key) = line.wholeMatch(of: /#?( *)([a-z0-9-]+):.*/)?.output {
                let name = indent.isEmpty ? String(key) : "timings.\(key)"
                if names.contains(name), marked[name] == nil { marked[name] = comment.contains("[reload]") }
                // A comment over a section is of the section.
                if !indent.isEmpty, !["minimum-keepalive"].contains(key) { comment = "" }
            }
        }
        for setting in ReloadableSetting.all {
            #expect(marked[setting.name] == setting.isReloadable, "\(setting.name) in packaging/spallocd.yaml")
        }
    }

    @Test func whatMayChangeIsInForceAndJobsGoOn() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])

            var new = harness.core.configuration
            new.timings.maximumKeepalive = .seconds(60)
            new.timings.longPoll = .milliseconds(1)
            new.lockout.failures = 1
            new.proxyEnabled = false
            new.users.append(.init(name: "newcomer", password: "newcomer's secret"))
            new.machines.append(machineDefinition(name: "m2", network: 20))
            new.port = 1
            new.basePath = "/elsewhere/"
            let result = try await harness.application.reload(new)
            #expect(
                result.changed == [
                    "machine-files", "users", "proxy", "timings.long-poll", "timings.maximum-keepalive", "lockout",
                ])
            #expect(result.waiting == ["port", "base-path"] && result.machinesAdded == ["m2"])

            let state = try await session.get(JobDescription.self, "jobs/\(job)/?wait=true")
            #expect(state.state == .ready && state.proxyRef == nil, "the job is as it was, and the new poll time short")
            let tooLong = try await session.execute(
                .post, "jobs/", body: #"{"num-boards":1,"tags":["default"],"keepalive-interval":"PT120S"}"#)
            #expect(tooLong.status == .badRequest)
            _ = try await Session.logIn(client, as: "newcomer")
            // One wrong password locks now.
            await #expect(throws: LoginRefused.self) { try await Session.logIn(client, as: "bob", password: "wrong") }
            await #expect(throws: LoginRefused.self) { try await Session.logIn(client, as: "bob") }
            // The new machine has power, too.
            let other = try await session.create(#"{"num-boards":1,"machine-name":"m2","keepalive-interval":"PT30S"}"#)
            _ = try await session.wait(other, for: [.ready])
            #expect(harness.core.configuration.port == 0 && harness.core.configuration.basePath == "/spalloc/")
        }
    }

    @Test func whatIsWrongChangesNothing() async throws {
        try await withService { harness, _ in
            let before = harness.core.configuration
            var broken = before
            broken.lockout.failures = 1
            broken.power.attempts = 0
            let error = await #expect(throws: SpallocServerError.self) { try await harness.application.reload(broken) }
            #expect(error?.message == "power attempts must be at least 1")
            #expect(harness.core.configuration == before)
            // Right by itself, but not together with the session idle time that waits for a restart.
            var mixed = before
            mixed.timings.maximumKeepalive = .seconds(3600)
            mixed.timings.sessionIdle = .seconds(7200)
            await #expect(throws: SpallocServerError.self) { try await harness.application.reload(mixed) }
            #expect(harness.core.configuration == before)
        }
    }

    @Test func aMachineThatDiffersIsNamedAndStays() async throws {
        try await withService { harness, _ in
            var new = harness.core.configuration
            new.machines = [machineDefinition(2, 1)]
            let result = try await harness.application.reload(new)
            #expect(result.machinesThatDiffer == ["m1"] && result.machinesAdded == [])
            #expect(harness.store.catalogue.machines.first?.boardIDs.count == 3)
        }
    }

    /// `spallocd machine import` beside the service, then SIGHUP.
    @Test func anotherProcessesMachinesAreTakenUp() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let configuration = harness.core.configuration
            try await Administration.with(configuration) {
                _ = try await $0.importMachines([machineDefinition(name: "m3", network: 30)])
            }
            #expect(harness.store.catalogue.machines.map(\.name) == ["m1"])
            let result = try await harness.application.reload(configuration)
            #expect(result.machinesAdded == ["m3"] && result.changed == [])
            let job = try await session.create(#"{"num-boards":1,"machine-name":"m3","keepalive-interval":"PT120S"}"#)
            _ = try await session.wait(job, for: [.ready])
        }
    }

    /// The program as a whole: a SIGHUP of this process reaches it. One test only, as the signal is the process's.
    @Test func aSignalReloadsTheFile() async throws {
        try await withDaemonTool(configuration: #"{"database":"spalloc.sqlite","port":0}"#) { tool in
            let (ports, announce) = AsyncStream<Int>.makeStream()
            let path = tool.path("spallocd.json")
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    try await SpallocDaemon.run(configurationPath: path, logger: quiet) { announce.yield($0) }
                }
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                let client = TestClient(host: "127.0.0.1", port: port)
                client.connect()
                @Sendable func logIn() async throws -> HTTPResponse.Status {
                    let basic = Data("ada:lovelace".utf8).base64EncodedString()
                    return try await client.execute(
                        .init("/spalloc/srv/spalloc/machines", method: .get, headers: [.authorization: "Basic \(basic)"])
                    ).status
                }
                #expect(try await logIn() == .unauthorized)
                try tool.write(
                    #"{"database":"spalloc.sqlite","port":0,"users":[{"name":"ada","password":"lovelace"}]}"#,
                    to: "spallocd.json")
                kill(getpid(), SIGHUP)
                try await eventually("ada to be let in") { try await logIn() == .ok }
                // A broken file is no reason to stop.
                try tool.write("{", to: "spallocd.json")
                kill(getpid(), SIGHUP)
                #expect(try await logIn() == .ok)
                try await client.shutdown()
                tasks.cancelAll()
                while (try? await tasks.next()) != nil {}
            }
        }
    }

    // MARK: - systemd

    /// The unit that we hand out, read by systemd itself where there is one.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")))
    func systemdFindsNothingWrongWithTheUnit() throws {
        let unit = try String(
            contentsOf: YAMLConfigurationTests.repository.appendingPathComponent("packaging/spallocd.service"), encoding: .utf8)
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("spallocd.service").path
        // Our program is not installed here.
        try unit.replacingOccurrences(of: "/usr/local/bin/spallocd", with: "/bin/true").write(
            toFile: file, atomically: true, encoding: .utf8)
        #expect(try self.analyze(["verify", "--man=no", file]) == "", "systemd-analyze verify has nothing to say")
        let exposure = try self.analyze(["security", "--offline=true", "--no-pager", "--threshold=20", file])
        #expect(exposure.contains("Overall exposure level"), "\(exposure)")

        // And it would have: a misspelt option is found.
        try unit.replacingOccurrences(of: "ProtectSystem=", with: "ProtectSytem=").write(
            toFile: file, atomically: true, encoding: .utf8)
        #expect(try self.analyze(["verify", "--man=no", file]).contains("ProtectSytem"))
    }

    @Test func theUnitIsSandboxed() throws {
        let unit = try String(
            contentsOf: YAMLConfigurationTests.repository.appendingPathComponent("packaging/spallocd.service"), encoding: .utf8)
        let lines = Set(unit.split(separator: "\n").map(String.init))
        for line in [
            "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
            "CapabilityBoundingSet=", "UMask=0077", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
            "SystemCallFilter=@system-service", "ExecReload=/bin/kill -HUP $MAINPID", "User=spallocd",
        ] { #expect(lines.contains(line), "\(line)") }
    }

    /// What systemd-analyze prints. It ends by itself in well under a second.
    private func analyze(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
