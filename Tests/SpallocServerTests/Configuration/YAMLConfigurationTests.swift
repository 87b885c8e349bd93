//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import SpallocServer

/// The configuration as YAML, and the commented file that we hand out.
@Suite(.timeLimit(.minutes(3))) struct YAMLConfigurationTests {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func load(_ text: String, name: String = "spallocd.yaml", _ files: [String: String] = [:]) throws
        -> SpallocServerConfiguration
    {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        for (name, text) in files.merging([name: text], uniquingKeysWith: { $1 }) {
            try text.write(to: directory.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
        return try SpallocDaemon.configuration(from: directory.appendingPathComponent(name).path)
    }

    private func example() throws -> String {
        try String(contentsOf: Self.repository.appendingPathComponent("packaging/spallocd.yaml"), encoding: .utf8)
    }

    /// The example with the options that it does not set: `#word` becomes `word`, and what they replace goes.
    private func fullExample() throws -> String {
        try self.example().split(separator: "\n", omittingEmptySubsequences: false).filter {
            $0 != "users: []" && $0 != "groups: []"
        }
        .map { line in
            guard line.hasPrefix("#"), let next = line.dropFirst().first, next != " " || line.hasPrefix("#  ") else {
                return line
            }
            return line.dropFirst()
        }.joined(separator: "\n")
    }

    // MARK: - The example

    @Test func theExampleIsTheDefaults() throws {
        let configuration = try self.load(try self.example())
        var expected = SpallocServerConfiguration(databasePath: configuration.databasePath)
        #expect(configuration.databasePath.hasSuffix("/spalloc.sqlite"))
        #expect(configuration == expected)
        expected.port += 1
        #expect(configuration != expected, "the comparison sees differences")
    }

    @Test func theExampleSetsOrShowsEveryOption() throws {
        let text = try self.fullExample()
        let keys: [[String]] = [
            ConfigurationFile.CodingKeys.allCases.map(\.rawValue), ConfigurationFile.TLS.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.User.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.Group.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.Timings.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.Power.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.Lockout.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.Metrics.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.V1.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.OIDC.CodingKeys.allCases.map(\.rawValue),
            ConfigurationFile.OIDC.Login.CodingKeys.allCases.map(\.rawValue),
        ]
        for key in keys.joined() {
            #expect(text.contains(try Regex("(?m)^( *- | *)\(key):")), "\(key) is not in packaging/spallocd.yaml")
        }
    }

    @Test func whatTheExampleShowsUnsetCanBeSet() throws {
        let configuration = try self.load(try self.fullExample(), ["ada.password": "lovelace\n", "oidc.secret": "s3cr:t\n"])
        #expect(
            configuration.users == [
                .init(name: "ada", password: "lovelace", trustLevel: .admin), .init(name: "bob", password: "not-a-good-one"),
            ])
        #expect(configuration.groups == [.init(name: "lab", quota: 1_800_000, members: ["ada", "bob"])])
        #expect(configuration.tls?.privateKeyPath.hasSuffix("/key.pem") == true)
        #expect(configuration.emergencyStopCode == "a-long-word" && configuration.metrics.port == 9464)
        // What the example shows of the issuer are the defaults, but for these.
        var oidc = SpallocServerConfiguration.OIDC(
            issuer: "https://iam.ebrains.eu/auth/realms/hbp", audiences: ["spalloc"],
            jwksURI: "https://iam.ebrains.eu/auth/realms/hbp/protocol/openid-connect/certs")
        oidc.collaboratoryClaim = "roles.team"
        oidc.organisationClaim = "unit"
        oidc.caPath = configuration.oidc?.caPath
        #expect(oidc.caPath?.hasSuffix("/issuer-ca.pem") == true)
        oidc.login = .init(clientID: "spalloc", clientSecret: "s3cr:t")
        #expect(configuration.oidc == oidc)
    }

    @Test func everyKeyOfTheIssuerCounts() throws {
        let oidc = try #require(
            try self.load(
                """
                database: db
                oidc:
                  issuer: http://127.0.0.1:5000
                  audience: [a, b]
                  username-claim: email
                  username-prefix: lab.
                  trust-level: READER
                  leeway: PT1M
                  sessions-outlive-tokens: true
                  collaboratory-board-hours: 2
                  organisation-board-hours: 0.5
                  login: {client-id: c, provider: lab-2, scopes: [openid, a:b], display-name: Lab, session-limit: PT1H}
                """
            ).oidc)
        var login = SpallocServerConfiguration.OIDC.BrowserLogin(clientID: "c", displayName: "Lab")
        (login.provider, login.scopes, login.sessionLimit) = ("lab-2", ["openid", "a:b"], .seconds(3600))
        #expect(oidc.login == login && oidc.caPath == nil)
        #expect(oidc.issuer == "http://127.0.0.1:5000" && oidc.audiences == ["a", "b"] && oidc.jwksURI == nil)
        #expect(oidc.usernameClaim == "email" && oidc.usernamePrefix == "lab." && oidc.trustLevel == .reader)
        #expect(oidc.leeway == .seconds(60) && oidc.sessionsOutliveTokens)
        #expect(oidc.collaboratoryQuota == 7200 && oidc.organisationQuota == 1800)
        #expect(oidc.collaboratoryClaim == nil && oidc.organisationClaim == nil)
    }

    // MARK: - YAML

    @Test func yamlAndJSONAreTheSame() throws {
        let yaml = """
            database: db   # where
            port: 9000
            proxy: no
            timings: {long-poll: PT5S, minimum-keepalive: 1.5}
            power:
              fpga-attempts: 7
            users:
              - {name: "ada", password: 12345}
            """
        let json = #"""
            {"database":"db","port":9000,"proxy":false,"timings":{"long-poll":"PT5S","minimum-keepalive":1.5},
             "power":{"fpga-attempts":7},"users":[{"name":"ada","password":"12345"}]}
            """#
        var fromYAML = try self.load(yaml)
        let fromJSON = try self.load(json, name: "spallocd.json")
        fromYAML.databasePath = fromJSON.databasePath
        #expect(fromYAML == fromJSON)
        #expect(fromJSON.timings.longPoll == .seconds(5) && fromJSON.power.fpgaAttempts == 7 && !fromJSON.proxyEnabled)
    }

    @Test(arguments: [
        ("database: x\nprt: 1", "unknown key \"prt\"; did you mean \"port\"? (line 2)"),
        ("database: x\n\npower:\n  # why\n  atempts: 1", "power: unknown key \"atempts\"; did you mean \"attempts\"? (line 5)"),
        (
            "database: x\nusers:\n  - name: a\n    pasword: p",
            "users[0]: unknown key \"pasword\"; did you mean \"password\"? (line 4)"
        ),
        ("database: x\ntimings:\n  long-poll: soon", "(line 3)"),
        ("database: x\nport: many", "port: this is not a number (line 2)"),
        ("database: x\nport: 1\nport: 2", "\"port\" is given twice"),
        ("database: x\nport: 70000", "port 70000 is not in 0...65535"),
        ("port: 1", "\"database\" is missing"),
        ("database: x\noidc:\n  issuer: https://a.example.org", "\"audience\" is missing"),
        ("database: x\noidc: {issuer: http://a.example.org, audience: a}", "is no https address"),
        ("database: x\noidc: {issuer: https://a.example.org, audience: a, trust-level: ADMIN}", "oidc: trust-level"),
        (Self.login("{display-name: a}"), "\"client-id\" is missing"),
        (Self.login("{client-id: ''}"), "oidc: login: no client-id"),
        (Self.login("{client-id: a, client-secret-file: none}"), "cannot read"),
        (Self.login("{client-id: a, scopes: [profile]}"), "without openid"),
        (Self.login("{client-id: a, scopes: [openid, 'a b']}"), "\"a b\" is no scope"),
        (Self.login("{client-id: a, provider: a/b}"), "the provider \"a/b\""),
        (Self.login("{client-id: a, display-name: ' '}"), "display-name"),
        (Self.login("{client-id: a, session-limit: 0}"), "session-limit must be more than 0"),
        (Self.login("{clientid: a}"), "did you mean \"client-id\"?"),
        ("database: x\noidc:\n  isuer: a", "unknown key \"isuer\"; did you mean \"issuer\"?"),
        ("database: [x", "not YAML: "),
        ("database: x\n\tport: 1", "not YAML: "),
        ("", "spallocd.yaml: "),
    ])
    func everyMistakeIsNamedWithItsLine(_ yaml: String, _ message: String) throws {
        let error = try #require(#expect(throws: SpallocServerError.self) { try self.load(yaml) })
        #expect(error.message.contains("spallocd.yaml: ") && error.message.contains(message), "\(error.message)")
    }

    private static func login(_ settings: String) -> String {
        "database: x\noidc:\n  issuer: https://a.example.org\n  audience: a\n  login: \(settings)"
    }

    @Test func aMistakeInJSONHasItsLineToo() throws {
        let error = try #require(
            #expect(throws: SpallocServerError.self) {
                try self.load("{\"database\": \"x\",\n \"v1\": {\n  \"prot\": 1}}", name: "spallocd.json")
            })
        #expect(error.message.hasSuffix("v1: unknown key \"prot\"; did you mean \"port\"? (line 3)"), "\(error.message)")
    }

    @Test func aFileThatIsNoConfigurationIsNotRead() throws {
        let error = try #require(
            #expect(throws: SpallocServerError.self) { try self.load(String(repeating: "#\n", count: 1 << 20)) })
        #expect(error.message.contains("longer than"), "\(error.message)")
    }
}
