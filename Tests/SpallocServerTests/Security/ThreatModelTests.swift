//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocServer
import Testing

/// Threats of docs/threat-model.md that no other suite is about, and the page itself.
@Suite(.timeLimit(.minutes(3))) struct ThreatModelTests {
    /// Each threat names its tests, and they are there.
    @Test func everyTestThatThePageNamesExists() throws {
        let page = try String(
            contentsOf: YAMLConfigurationTests.repository.appendingPathComponent("docs/threat-model.md"), encoding: .utf8)
        let tests = YAMLConfigurationTests.repository.appendingPathComponent("Tests")
        let files = Self.files(under: tests)
        var named = 0
        for line in page.split(separator: "\n") where line.hasPrefix("| T") {
            let references = line.matches(of: /`([A-Za-z0-9]+Tests)\/([A-Za-z0-9]+)`/)
            #expect(!references.isEmpty, "no test: \(line)")
            for reference in references {
                let (_, suite, function) = reference.output
                let isThere = files.contains { $0.contains("struct \(suite) ") && $0.contains("func \(function)(") }
                #expect(isThere, "no test \(suite)/\(function)")
                named += 1
            }
        }
        #expect(named >= 25, "\(named) tests are named")
    }

    private static func files(under directory: URL) -> [String] {
        var files: [String] = []
        let all = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        while let url = all?.nextObject() as? URL {
            guard url.pathExtension == "swift", let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            files.append(text)
        }
        return files
    }

    // MARK: - Secrets

    @Test func noSecretIsLogged() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let log = LogRecorder()
        let bmp = FakeBMP()
        let application = try await SpallocApplication.build(
            configuration: testConfiguration(in: directory), logger: log.logger, clock: SystemClock.now,
            bmps: { _ in FakeBMPController(bmp: bmp) })
        try await application.application().test(.router) { client in
            let session = try await Session.logIn(client, as: "root")
            await #expect(throws: LoginRefused.self) {
                try await Session.logIn(client, as: "alice", password: "a wrong secret")
            }
            for password in ["bob's secret", "another wrong secret"] {
                let basic = Data("bob:\(password)".utf8).base64EncodedString()
                _ = try await client.execute(
                    uri: Session.api + "machines", method: .get, headers: [.authorization: "Basic \(basic)"])
            }
            _ = try await session.wait(try await session.create(), for: [.ready])
            _ = try await session.execute(.get, "emergencyStop?commandCode=red")
            let log = log.text
            #expect(log.contains("login refused") && log.contains("emergency stop"), "it was recorded: \(log)")
            for secret in ["secret", session.cookie, session.csrf, "commandCode=red", "scrypt"] {
                #expect(!log.contains(secret), "\(secret) in\n\(log)")
            }
        }
        try application.core.store.close()
    }

    @Test func theDatabaseIsItsOwnersAlone() async throws {
        try await withService { harness, client in
            _ = try await Session.logIn(client, as: "alice")
            let files = try FileManager.default.contentsOfDirectory(atPath: harness.directory.path)
            #expect(files.contains("spalloc.sqlite-wal"))
            for file in files {
                let path = harness.directory.appendingPathComponent(file).path
                let permissions = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(permissions == 0o600, "\(file)")
            }
        }
    }

    // MARK: - Guessing

    /// Whether a name exists cannot be told from the answer.
    @Test func anUnknownUserIsAnsweredAsAWrongPassword() async throws {
        try await withService { _, client in
            func answer(_ user: String) async throws -> (HTTPResponse.Status, String) {
                let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
                let cookie = try #require(page.sessionCookie)
                let token = try #require(page.text.firstMatch(of: /name="_csrf" value="([^"]*)"/)).1
                let reply = try await client.execute(
                    uri: "/spalloc/system/perform_login", method: .post,
                    headers: [.cookie: "JSESSIONID=\(cookie)", .contentType: "application/x-www-form-urlencoded"],
                    body: .init(string: "_csrf=\(token)&username=\(user)&password=wrong&submit=submit"))
                return (reply.status, reply.text.replacing(/"timestamp":"[^"]*"/, with: ""))
            }
            let (known, unknown) = (try await answer("alice"), try await answer("nobody"))
            #expect(known == unknown && known.0 == .unauthorized)
        }
    }

    /// The code alone stops nothing, and a wrong one says nothing.
    @Test func theEmergencyStopNeedsALoginAndTheCode() async throws {
        try await withService { harness, client in
            let anybody = try await client.execute(uri: Session.api + "emergencyStop?commandCode=red", method: .get)
            #expect(anybody.status == .unauthorized)
            let session = try await Session.logIn(client, as: "alice")
            for code in ["", "?commandCode=", "?commandCode=re", "?commandCode=RED"] {
                #expect(try await session.execute(.get, "emergencyStop\(code)").status == .forbidden, "\(code)")
            }
            #expect(!harness.core.isStopped)
        }
        try await withService(configure: { $0.emergencyStopCode = nil }) { harness, client in
            let session = try await Session.logIn(client, as: "root")
            #expect(try await session.execute(.get, "emergencyStop").status == .forbidden, "without a code there is none")
            #expect(!harness.core.isStopped)
        }
    }

    // MARK: - Input

    @Test(arguments: ["m1'%20OR%20'1'='1", "%22;DROP%20TABLE%20job;--", "m1%00", "..%2F..%2Fetc"])
    func namesAreNeverSQLOrPaths(_ name: String) async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let reply = try await session.execute(.get, "machines/\(name)")
            #expect(reply.status == .notFound || reply.status == .badRequest, "\(reply.status)")
            #expect(try await harness.store.liveJobs().isEmpty, "the tables are there")
        }
    }

    @Test func aBodyThatIsTooLongIsRefused() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let long =
                #"{"num-boards":1,"keepalive-interval":"PT60S","tags":[""# + String(repeating: "a", count: 2 << 20) + #""]}"#
            #expect(try await session.execute(.post, "jobs/", body: long).status == .contentTooLarge)
            let deep = String(repeating: "[", count: 100_000)
            #expect(try await session.execute(.post, "jobs/", body: deep).status == .badRequest)
        }
    }

    /// Fast data names an address in the reference's protocol, which there lets a user send anywhere. Here a board is named by its chip.
    @Test func memoryReachesNoBoardOfAnother() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            // The job has one board, of chips 0...7.
            for place in ["x=8&y=4", "x=4&y=8", "x=200&y=200"] {
                let reply = try await alice.execute(.get, "jobs/\(job)/memory?\(place)&address=0&size=4")
                #expect(reply.status == .badRequest || reply.status == .notFound, "\(place): \(reply.status)")
            }
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.execute(.get, "jobs/\(job)/memory?address=0&size=4").status == .notFound)
        }
    }
}
