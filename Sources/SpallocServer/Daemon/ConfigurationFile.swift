//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import SpallocAPI

/// What `spallocd` reads: a YAML file (`.yaml`, `.yml`) or a JSON one. A key that is not in the table is an error. Paths are relative to the file's directory; durations
/// are numbers of seconds or ISO-8601 text.
///
/// | key | meaning, default |
/// |---|---|
/// | `host`, `port` | where to listen: 127.0.0.1, 8080 |
/// | `base-path` | /spalloc/ |
/// | `tls` | `certificate-chain` and `private-key`, PEM; without it plain HTTP |
/// | `database` | the SQLite file; needed |
/// | `machine-files` | machine definitions in the reference's format |
/// | `users` | `name`, `password` or `password-file`, `trust-level` (USER) |
/// | `groups` | `name`, `board-hours` (none: no limit) that a new one begins with, `members` (names of users) |
/// | `require-group` | whether who is in no group may have no jobs: false |
/// | `oidc` | an issuer of bearer tokens: `issuer`, `audience` (one or several), `jwks-uri` (found by the issuer's openid-configuration), `username-claim` preferred_username, `username-prefix` openid., `trust-level` USER, `leeway` 30, `sessions-outlive-tokens` false, `collaboratory-claim` none, `organisation-claim` none, `collaboratory-board-hours` 1000, `organisation-board-hours` 0, `ca-file` none (PEM), `login` for browsers: `client-id`, `client-secret-file` none, `provider` hbp-ebrains, `scopes`, `display-name` EBRAINS, `session-limit` 43200 |
/// | `trusted-proxies` | addresses, or ranges like 10.0.0.0/8, of reverse proxies: none |
/// | `proxy` | whether jobs have a websocket: true |
/// | `emergency-stop-code` | none: there is no emergency stop |
/// | `maximum-body` | bytes of one request: 268435456 |
/// | `timings` | `long-poll` 30, `minimum-keepalive` 30, `maximum-keepalive` 300, `shutdown` 10, `session-idle` 1800, `websocket-ping` 30 |
/// | `power` | `off-wait` 30, `settle` 0, `fpga-attempts` 3, `attempts` 2, `retry-interval` 15, `set-aside` 600, `command-timeout` 2, `power-on-timeout` 10 |
/// | `health` | `first-sweep` 60, `sweep-interval` 86400 (0: boards are not asked for their serial numbers) |
/// | `history` | `keep-for` 1209600: jobs that ended so long ago are moved to the history |
/// | `reports` | `threshold` 2 take a board out of service, `forget-after` 2592000 |
/// | `lockout` | `failures` 3, `duration` 86400 |
/// | `websockets-per-user` | 2048 |
/// | `metrics` | `enabled` true, `host` 127.0.0.1, `port` none: no listener of their own |
/// | `v1` | the legacy port: `enabled` false, `host` 127.0.0.1, `port` 22244, `service-user` v1, `maximum-connections` 1024, `maximum-jobs` 2000, `stall` 60 |
struct ConfigurationFile: Decodable {
    struct TLS: Decodable {
        var certificateChain: String
        var privateKey: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case certificateChain = "certificate-chain"
            case privateKey = "private-key"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.certificateChain = try values.decode(String.self, forKey: .certificateChain)
            self.privateKey = try values.decode(String.self, forKey: .privateKey)
        }
    }

    struct User: Decodable {
        var name: String
        var password: String?
        var passwordFile: String?
        var trustLevel: TrustLevel

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, password
            case passwordFile = "password-file"
            case trustLevel = "trust-level"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.name = try values.decode(String.self, forKey: .name)
            self.password = try values.decodeIfPresent(String.self, forKey: .password)
            self.passwordFile = try values.decodeIfPresent(String.self, forKey: .passwordFile)
            self.trustLevel = try values.decodeIfPresent(TrustLevel.self, forKey: .trustLevel) ?? .user
        }
    }

    struct Group: Decodable {
        var value: SpallocServerConfiguration.Group

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name
            case boardHours = "board-hours"
            case members
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.value = .init(
                name: try values.decode(String.self, forKey: .name),
                members: try values.decodeIfPresent([String].self, forKey: .members) ?? [])
            try values.boardHours(.boardHours, into: &self.value.quota)
        }
    }

    struct OIDC: Decodable {
        struct Login: Decodable {
            var value: SpallocServerConfiguration.OIDC.BrowserLogin
            var clientSecretFile: String?

            enum CodingKeys: String, CodingKey, CaseIterable {
                case clientID = "client-id"
                case clientSecretFile = "client-secret-file"
                case provider, scopes
                case displayName = "display-name"
                case sessionLimit = "session-limit"
            }
            init(from decoder: any Decoder) throws {
                let values = try decoder.strictContainer(CodingKeys.self)
                self.value = .init(clientID: try values.decode(String.self, forKey: .clientID))
                self.clientSecretFile = try values.decodeIfPresent(String.self, forKey: .clientSecretFile)
                self.value.provider = try values.decodeIfPresent(String.self, forKey: .provider) ?? self.value.provider
                self.value.scopes = try values.decodeIfPresent([String].self, forKey: .scopes) ?? self.value.scopes
                self.value.displayName =
                    try values.decodeIfPresent(String.self, forKey: .displayName) ?? self.value.displayName
                try values.duration(.sessionLimit, into: &self.value.sessionLimit)
            }
        }

        var value: SpallocServerConfiguration.OIDC
        var login: Login?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case issuer, audience
            case jwksURI = "jwks-uri"
            case usernameClaim = "username-claim"
            case usernamePrefix = "username-prefix"
            case trustLevel = "trust-level"
            case leeway
            case sessionsOutliveTokens = "sessions-outlive-tokens"
            case collaboratoryClaim = "collaboratory-claim"
            case organisationClaim = "organisation-claim"
            case collaboratoryBoardHours = "collaboratory-board-hours"
            case organisationBoardHours = "organisation-board-hours"
            case caFile = "ca-file"
            case login
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            let audiences =
                if let several = try? values.decode([String].self, forKey: .audience) { several } else {
                    [try values.decode(String.self, forKey: .audience)]
                }
            self.value = .init(
                issuer: try values.decode(String.self, forKey: .issuer), audiences: audiences,
                jwksURI: try values.decodeIfPresent(String.self, forKey: .jwksURI))
            self.value.usernameClaim =
                try values.decodeIfPresent(String.self, forKey: .usernameClaim) ?? self.value.usernameClaim
            self.value.usernamePrefix =
                try values.decodeIfPresent(String.self, forKey: .usernamePrefix) ?? self.value.usernamePrefix
            self.value.trustLevel =
                try values.decodeIfPresent(TrustLevel.self, forKey: .trustLevel) ?? self.value.trustLevel
            try values.duration(.leeway, into: &self.value.leeway)
            self.value.sessionsOutliveTokens =
                try values.decodeIfPresent(Bool.self, forKey: .sessionsOutliveTokens) ?? self.value.sessionsOutliveTokens
            self.value.collaboratoryClaim = try values.decodeIfPresent(String.self, forKey: .collaboratoryClaim)
            self.value.organisationClaim = try values.decodeIfPresent(String.self, forKey: .organisationClaim)
            try values.boardHours(.collaboratoryBoardHours, into: &self.value.collaboratoryQuota)
            try values.boardHours(.organisationBoardHours, into: &self.value.organisationQuota)
            self.value.caPath = try values.decodeIfPresent(String.self, forKey: .caFile)
            self.login = try values.decodeIfPresent(Login.self, forKey: .login)
        }
    }

    struct Timings: Decodable {
        var value = SpallocServerConfiguration.Timings()

        enum CodingKeys: String, CodingKey, CaseIterable {
            case longPoll = "long-poll"
            case minimumKeepalive = "minimum-keepalive"
            case maximumKeepalive = "maximum-keepalive"
            case shutdown
            case sessionIdle = "session-idle"
            case websocketPing = "websocket-ping"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            try values.duration(.longPoll, into: &self.value.longPoll)
            try values.duration(.minimumKeepalive, into: &self.value.minimumKeepalive)
            try values.duration(.maximumKeepalive, into: &self.value.maximumKeepalive)
            try values.duration(.shutdown, into: &self.value.shutdown)
            try values.duration(.sessionIdle, into: &self.value.sessionIdle)
            try values.duration(.websocketPing, into: &self.value.websocketPing)
        }
    }

    struct Power: Decodable {
        var value = SpallocServerConfiguration.Power()

        enum CodingKeys: String, CodingKey, CaseIterable {
            case offWait = "off-wait"
            case settle
            case fpgaAttempts = "fpga-attempts"
            case attempts
            case retryInterval = "retry-interval"
            case setAside = "set-aside"
            case commandTimeout = "command-timeout"
            case powerOnTimeout = "power-on-timeout"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            try values.duration(.offWait, into: &self.value.offWait)
            try values.duration(.settle, into: &self.value.settle)
            try values.duration(.retryInterval, into: &self.value.retryInterval)
            try values.duration(.setAside, into: &self.value.setAside)
            try values.duration(.commandTimeout, into: &self.value.commandTimeout)
            try values.duration(.powerOnTimeout, into: &self.value.powerOnTimeout)
            self.value.fpgaAttempts = try values.decodeIfPresent(Int.self, forKey: .fpgaAttempts) ?? self.value.fpgaAttempts
            self.value.attempts = try values.decodeIfPresent(Int.self, forKey: .attempts) ?? self.value.attempts
        }
    }

    struct Lockout: Decodable {
        var value = SpallocServerConfiguration.Lockout()

        enum CodingKeys: String, CodingKey, CaseIterable { case failures, duration }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.value.failures = try values.decodeIfPresent(Int.self, forKey: .failures) ?? self.value.failures
            try values.duration(.duration, into: &self.value.duration)
        }
    }

    struct Health: Decodable {
        var value = SpallocServerConfiguration.Health()

        enum CodingKeys: String, CodingKey, CaseIterable {
            case firstSweep = "first-sweep"
            case sweepInterval = "sweep-interval"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            try values.duration(.firstSweep, into: &self.value.firstSweep)
            try values.duration(.sweepInterval, into: &self.value.sweepInterval)
        }
    }

    struct History: Decodable {
        var value = SpallocServerConfiguration.History()

        enum CodingKeys: String, CodingKey, CaseIterable { case keepFor = "keep-for" }
        init(from decoder: any Decoder) throws {
            try decoder.strictContainer(CodingKeys.self).duration(.keepFor, into: &self.value.keepFor)
        }
    }

    struct Reports: Decodable {
        var value = SpallocServerConfiguration.Reports()

        enum CodingKeys: String, CodingKey, CaseIterable {
            case threshold
            case forgetAfter = "forget-after"
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.value.threshold = try values.decodeIfPresent(Int.self, forKey: .threshold) ?? self.value.threshold
            try values.duration(.forgetAfter, into: &self.value.forgetAfter)
        }
    }

    struct V1: Decodable {
        var value = SpallocServerConfiguration.V1()

        enum CodingKeys: String, CodingKey, CaseIterable {
            case enabled, host, port
            case serviceUser = "service-user"
            case maximumConnections = "maximum-connections"
            case maximumJobs = "maximum-jobs"
            case stall
        }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.value.enabled = try values.decodeIfPresent(Bool.self, forKey: .enabled) ?? self.value.enabled
            self.value.host = try values.decodeIfPresent(String.self, forKey: .host) ?? self.value.host
            self.value.port = try values.decodeIfPresent(Int.self, forKey: .port) ?? self.value.port
            self.value.serviceUser = try values.decodeIfPresent(String.self, forKey: .serviceUser) ?? self.value.serviceUser
            self.value.maximumConnections =
                try values.decodeIfPresent(Int.self, forKey: .maximumConnections) ?? self.value.maximumConnections
            self.value.maximumJobs = try values.decodeIfPresent(Int.self, forKey: .maximumJobs) ?? self.value.maximumJobs
            try values.duration(.stall, into: &self.value.stall)
        }
    }

    struct Metrics: Decodable {
        var value = SpallocServerConfiguration.Metrics()

        enum CodingKeys: String, CodingKey, CaseIterable { case enabled, host, port }
        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            self.value.enabled = try values.decodeIfPresent(Bool.self, forKey: .enabled) ?? self.value.enabled
            self.value.host = try values.decodeIfPresent(String.self, forKey: .host) ?? self.value.host
            self.value.port = try values.decodeIfPresent(Int.self, forKey: .port)
        }
    }

    private var configuration: SpallocServerConfiguration
    private var tls: TLS?
    private var machineFiles: [String]
    private var users: [User]
    private var oidc: OIDC?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port
        case basePath = "base-path"
        case trustedProxies = "trusted-proxies"
        case tls, database
        case machineFiles = "machine-files"
        case users, groups
        case requireGroup = "require-group"
        case oidc
        case proxy
        case emergencyStopCode = "emergency-stop-code"
        case maximumBody = "maximum-body"
        case websocketsPerUser = "websockets-per-user"
        case timings, power, health, history, reports, lockout, metrics, v1
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(CodingKeys.self)
        var configuration = SpallocServerConfiguration(databasePath: try values.decode(String.self, forKey: .database))
        configuration.host = try values.decodeIfPresent(String.self, forKey: .host) ?? configuration.host
        configuration.port = try values.decodeIfPresent(Int.self, forKey: .port) ?? configuration.port
        configuration.basePath = try values.decodeIfPresent(String.self, forKey: .basePath) ?? configuration.basePath
        configuration.trustedProxies = try values.decodeIfPresent([AddressRange].self, forKey: .trustedProxies) ?? []
        configuration.proxyEnabled = try values.decodeIfPresent(Bool.self, forKey: .proxy) ?? configuration.proxyEnabled
        configuration.emergencyStopCode = try values.decodeIfPresent(String.self, forKey: .emergencyStopCode)
        configuration.maximumBody = try values.decodeIfPresent(Int.self, forKey: .maximumBody) ?? configuration.maximumBody
        configuration.websocketsPerUser =
            try values.decodeIfPresent(Int.self, forKey: .websocketsPerUser) ?? configuration.websocketsPerUser
        configuration.groups = try values.decodeIfPresent([Group].self, forKey: .groups)?.map(\.value) ?? []
        configuration.requireGroup =
            try values.decodeIfPresent(Bool.self, forKey: .requireGroup) ?? configuration.requireGroup
        configuration.metrics = try values.decodeIfPresent(Metrics.self, forKey: .metrics)?.value ?? configuration.metrics
        configuration.timings = try values.decodeIfPresent(Timings.self, forKey: .timings)?.value ?? configuration.timings
        configuration.power = try values.decodeIfPresent(Power.self, forKey: .power)?.value ?? configuration.power
        configuration.health = try values.decodeIfPresent(Health.self, forKey: .health)?.value ?? configuration.health
        configuration.history = try values.decodeIfPresent(History.self, forKey: .history)?.value ?? configuration.history
        configuration.reports = try values.decodeIfPresent(Reports.self, forKey: .reports)?.value ?? configuration.reports
        configuration.lockout = try values.decodeIfPresent(Lockout.self, forKey: .lockout)?.value ?? configuration.lockout
        configuration.v1 = try values.decodeIfPresent(V1.self, forKey: .v1)?.value ?? configuration.v1
        self.configuration = configuration
        self.tls = try values.decodeIfPresent(TLS.self, forKey: .tls)
        self.oidc = try values.decodeIfPresent(OIDC.self, forKey: .oidc)
        self.machineFiles = try values.decodeIfPresent([String].self, forKey: .machineFiles) ?? []
        self.users = try values.decodeIfPresent([User].self, forKey: .users) ?? []
    }

    /// Reads the files that the file names.
    private func resolved(in directory: URL) throws(SpallocServerError) -> SpallocServerConfiguration {
        func path(_ text: String) -> String { URL(fileURLWithPath: text, relativeTo: directory).path }
        func secret(_ path: String) throws(SpallocServerError) -> String {
            String(decoding: try readFile(path), as: UTF8.self).trimmingCharacters(in: .newlines)
        }
        var configuration = self.configuration
        configuration.databasePath = path(configuration.databasePath)
        configuration.tls = self.tls.map {
            .init(certificateChainPath: path($0.certificateChain), privateKeyPath: path($0.privateKey))
        }
        for file in self.machineFiles {
            configuration.machines += try MachineDefinitionFile.parse(try readFile(path(file)), name: file)
        }
        if let oidc = self.oidc {
            var value = oidc.value
            value.caPath = value.caPath.map(path)
            value.login = oidc.login?.value
            if let file = oidc.login?.clientSecretFile { value.login?.clientSecret = try secret(path(file)) }
            configuration.oidc = value
        }
        for user in self.users {
            guard (user.password == nil) != (user.passwordFile == nil) else {
                throw SpallocServerError(.configuration, "user \"\(user.name)\" needs either password or password-file")
            }
            let password =
                if let file = user.passwordFile {
                    try secret(path(file))
                } else { user.password ?? "" }
            configuration.users.append(.init(name: user.name, password: password, trustLevel: user.trustLevel))
        }
        try configuration.validate()
        return configuration
    }

    /// - Throws: ``SpallocServerError`` with the file, the place in it, and what is wrong there.
    static func load(_ path: String) throws(SpallocServerError) -> SpallocServerConfiguration {
        let file = try ConfigurationText(path: path, data: try readFile(path)).decode(ConfigurationFile.self)
        do {
            return try file.resolved(in: URL(fileURLWithPath: path).deletingLastPathComponent())
        } catch {
            throw SpallocServerError(error.code, "\(path): \(error.message)")
        }
    }
}

func readFile(_ path: String) throws(SpallocServerError) -> Data {
    do {
        return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
        throw SpallocServerError(.configuration, "cannot read \(path)")
    }
}

extension Decoder {
    fileprivate func strictContainer<Keys: CodingKey & CaseIterable>(_: Keys.Type) throws -> KeyedDecodingContainer<Keys> {
        try self.suggestForUnknownKeys(Keys.allCases.map(\.stringValue))
        return try self.container(keyedBy: Keys.self)
    }
}

extension KeyedDecodingContainer {
    /// A quota in board-seconds, if it is there.
    fileprivate func boardHours(_ key: Key, into quota: inout Int64?) throws {
        guard let hours = try self.decodeIfPresent(Double.self, forKey: key) else { return }
        guard hours >= 0, hours <= 1e12 else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "\(key.stringValue) is out of range")
        }
        quota = Int64(hours * 3600)
    }

    /// A duration, if it is there; it must not be negative, and less than a century.
    fileprivate func duration(_ key: Key, into duration: inout Duration) throws {
        guard let wire = try self.decodeIfPresent(WireDuration.self, forKey: key) else { return }
        guard wire.seconds >= 0, wire.seconds < 3_155_760_000 else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "\(wire.seconds) s is out of range")
        }
        duration = .milliseconds(Int64(wire.seconds * 1000))
    }
}
