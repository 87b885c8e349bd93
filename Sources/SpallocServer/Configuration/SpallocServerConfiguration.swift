//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Everything that one service is told. Values that are not given are the reference's defaults.
public struct SpallocServerConfiguration: Hashable, Sendable {
    public struct TLS: Hashable, Sendable {
        /// PEM, the server's certificate first.
        public var certificateChainPath: String
        /// PEM.
        public var privateKeyPath: String

        public init(certificateChainPath: String, privateKeyPath: String) {
            self.certificateChainPath = certificateChainPath
            self.privateKeyPath = privateKeyPath
        }
    }

    /// A user who is to exist. The password is set when the user is first seen, and again whenever it has changed here.
    public struct User: Hashable, Sendable {
        public var name: String
        public var password: String
        public var trustLevel: TrustLevel

        public init(name: String, password: String, trustLevel: TrustLevel = .user) {
            self.name = name
            self.password = password
            self.trustLevel = trustLevel
        }
    }

    /// People who share a quota.
    public struct Group: Hashable, Sendable {
        public var name: String
        /// Board-seconds that it begins with; nil: no limit. Later it is changed by `spallocd group quota` or on the web pages.
        public var quota: Int64?
        /// Who is in it, besides those whom administrators put there.
        public var members: [String]

        public init(name: String, quota: Int64? = nil, members: [String] = []) {
            self.name = name
            self.quota = quota
            self.members = members
        }
    }

    public struct Timings: Hashable, Sendable {
        /// How long a request with `wait=true` waits for a change.
        public var longPoll: Duration = .seconds(30)
        /// The shortest and longest keepalive interval that a job may have.
        public var minimumKeepalive: Duration = .seconds(30)
        public var maximumKeepalive: Duration = .seconds(300)
        /// After a SIGTERM, how long requests and power commands under way may take.
        public var shutdown: Duration = .seconds(10)
        /// A session that is not used for so long is forgotten. Must exceed the longest keepalive.
        public var sessionIdle: Duration = .seconds(1800)
        /// How long a job's websocket may be silent before it is pinged. Must be less than what a reverse proxy before the service allows.
        public var websocketPing: Duration = .seconds(30)

        public init() {}
    }

    public struct Power: Hashable, Sendable {
        /// A board stays off at least this long before it is switched on again: its supply must discharge.
        public var offWait: Duration = .seconds(30)
        /// Between "on" and the first look at a board's FPGAs.
        public var settle: Duration = .zero
        /// How often boards whose FPGAs come up wrong are switched on anew.
        public var fpgaAttempts = 3
        /// How often a command that gets no answer is tried.
        public var attempts = 2
        /// Between two tries.
        public var retryInterval: Duration = .seconds(15)
        /// How long boards of a BMP that does not answer are set aside before they are tried again.
        public var setAside: Duration = .seconds(600)
        public var commandTimeout: Duration = .seconds(2)
        /// Power-on answers only when the FPGAs are loaded.
        public var powerOnTimeout: Duration = .seconds(10)

        public init() {}
    }

    public struct Lockout: Hashable, Sendable {
        /// So many wrong passwords in a row lock the account.
        public var failures = 3
        public var duration: Duration = .seconds(86400)

        public init() {}
    }

    /// The port of the original `spalloc_server`, for clients of that time. It knows no login: whoever can reach it can have, see and
    /// end jobs, all of which belong to one user of this service.
    public struct V1: Hashable, Sendable {
        public var enabled = false
        public var host = "127.0.0.1"
        /// 0: any free port.
        public var port = 22244
        /// Made, without a password, if it is not there.
        public var serviceUser = "v1"
        /// One more closes the one that has been silent for longest.
        public var maximumConnections = 1024
        /// So many may live at a time.
        public var maximumJobs = 2000
        /// How long a client may leave unread what it was sent.
        public var stall: Duration = .seconds(60)

        public init() {}
    }

    /// Figures for Prometheus, at `/metrics`.
    public struct Metrics: Hashable, Sendable {
        /// Whether administrators can read them at the service's own address.
        public var enabled = true
        /// nil: no listener of their own. 0: any free port. It asks for no login: who can reach it can read them.
        public var port: Int?
        public var host = "127.0.0.1"

        public init() {}
    }

    /// How the boards themselves are looked after.
    public struct Health: Hashable, Sendable {
        /// After the start, until all boards are first asked for their serial numbers.
        public var firstSweep: Duration = .seconds(60)
        /// Between two such rounds. Zero: they are not asked.
        public var sweepInterval: Duration = .seconds(86400)

        public init() {}
    }

    public struct History: Hashable, Sendable {
        /// Jobs that ended so long ago are moved to the history.
        public var keepFor: Duration = .seconds(14 * 86400)

        public init() {}
    }

    /// What users report of boards.
    public struct Reports: Hashable, Sendable {
        /// So many reports take a board out of service.
        public var threshold = 2
        /// Older ones do not count.
        public var forgetAfter: Duration = .seconds(30 * 86400)

        public init() {}
    }

    /// How whoever looks after the machine learns of issue reports and of boards that go out of service.
    public struct Notify: Hashable, Sendable {
        /// A program and its arguments, which gets the notice as JSON on its standard input. Empty: none.
        public var command: [String] = []
        /// Whom to write to. Empty: nobody.
        public var mailTo: [String] = []
        public var mailFrom = ""
        /// What takes mail as `sendmail` does.
        public var sendmail = "/usr/sbin/sendmail"
        /// How long each of the two may take.
        public var deadline: Duration = .seconds(30)

        public init() {}

        package var isOn: Bool { !self.command.isEmpty || !self.mailTo.isEmpty }

        /// What is run, by the path.
        var programs: [String] { self.command.prefix(1) + (self.mailTo.isEmpty ? [] : [self.sendmail]) }

        func validate() throws(SpallocServerError) {
            func require(_ condition: Bool, _ message: String) throws(SpallocServerError) {
                guard condition else { throw SpallocServerError(.configuration, "notify: \(message)") }
            }
            for text in self.command + [self.sendmail] {
                try require(!text.isEmpty && !text.utf8.contains(0), "the command has an empty word, or one with a zero byte")
            }
            for address in self.mailTo { try require(NoticeMail.isAddress(address), "\"\(address)\" is no mail address") }
            try require(
                self.mailTo.isEmpty || NoticeMail.isAddress(self.mailFrom), "mail-from is to be the address that mail is from")
            try require(self.deadline > .zero && self.deadline <= .seconds(3600), "the deadline is not in 0...3600 s")
        }
    }

    /// The address to listen on.
    public var host: String
    /// 0: any free port; which one it is, the service says when it is ready.
    public var port: Int
    /// Begins and ends with a slash.
    public var basePath: String
    /// nil: plain HTTP, for use behind a reverse proxy that adds TLS.
    public var tls: TLS?
    /// The SQLite file; made when it is not there.
    public var databasePath: String
    /// Machines that are to exist. One that the database has already is left as it is there.
    public var machines: [MachineDefinition]
    public var users: [User]
    /// Groups that are to exist.
    public var groups: [Group] = []
    /// Whether who is in no group is refused, rather than not limited.
    public var requireGroup = false
    /// Whose tokens are taken for logins; nil: nobody's.
    public var oidc: OIDC?
    /// Whether jobs have a websocket proxy.
    public var proxyEnabled: Bool
    public var timings: Timings
    public var power: Power
    public var lockout: Lockout
    /// The legacy port. Off by default.
    public var v1 = V1()
    public var metrics = Metrics()
    public var health = Health()
    public var history = History()
    public var reports = Reports()
    public var notify = Notify()
    /// Reverse proxies whose word counts on who asks and whether by TLS (`X-Forwarded-For`, `X-Forwarded-Proto`). From all others these
    /// are ignored.
    public var trustedProxies: [AddressRange] = []
    /// One more websocket of one user, over all jobs, is refused.
    public var websocketsPerUser = 2048
    /// The longest body of a request, in bytes: what can be written to a board's memory at once.
    public var maximumBody: Int
    /// nil: there is no emergency stop.
    public var emergencyStopCode: String?
    /// How dear a password is to guess, and to check: scrypt's N, a power of 2.
    package var passwordRounds = PasswordHash.defaultRounds

    public init(
        host: String = "127.0.0.1", port: Int = 8080, basePath: String = "/spalloc/", tls: TLS? = nil, databasePath: String,
        machines: [MachineDefinition] = [], users: [User] = [], proxyEnabled: Bool = true, timings: Timings = Timings(),
        power: Power = Power(), lockout: Lockout = Lockout(), maximumBody: Int = 256 * 1024 * 1024,
        emergencyStopCode: String? = nil
    ) {
        self.host = host
        self.port = port
        self.basePath = basePath
        self.tls = tls
        self.databasePath = databasePath
        self.machines = machines
        self.users = users
        self.proxyEnabled = proxyEnabled
        self.timings = timings
        self.power = power
        self.lockout = lockout
        self.maximumBody = maximumBody
        self.emergencyStopCode = emergencyStopCode
    }

    /// - Throws: ``SpallocServerError`` that names the first setting that is out of range.
    package func validate() throws(SpallocServerError) {
        func require(_ condition: Bool, _ message: String) throws(SpallocServerError) {
            guard condition else { throw SpallocServerError(.configuration, message) }
        }
        try require((0...65535).contains(self.port), "port \(self.port) is not in 0...65535")
        try require(
            self.basePath.hasPrefix("/") && self.basePath.hasSuffix("/") && !self.basePath.contains("//"),
            "base path \"\(self.basePath)\" does not begin and end with a single \"/\"")
        try require(!self.databasePath.isEmpty, "no database path")
        try require(
            self.timings.minimumKeepalive > .zero && self.timings.minimumKeepalive <= self.timings.maximumKeepalive,
            "the minimum keepalive is not between 0 and the maximum")
        try require(
            self.timings.sessionIdle > self.timings.maximumKeepalive,
            "the session idle time does not exceed the maximum keepalive")
        try require(self.timings.websocketPing > .zero, "the websocket ping interval must be more than 0")
        try require(self.power.fpgaAttempts > 0 && self.power.attempts > 0, "power attempts must be at least 1")
        try require((0...65535).contains(self.v1.port), "v1 port \(self.v1.port) is not in 0...65535")
        try require((0...65535).contains(self.metrics.port ?? 0), "metrics port \(self.metrics.port ?? 0) is not in 0...65535")
        try require(self.websocketsPerUser > 0, "the number of websockets per user must be at least 1")
        try require(!self.v1.serviceUser.allSatisfy(\.isWhitespace), "the v1 service user has no name")
        try require(self.v1.maximumConnections > 0, "the number of v1 connections must be at least 1")
        try require(self.v1.maximumJobs > 0, "the number of v1 jobs must be at least 1")
        try require(self.v1.stall > .zero, "the v1 stall time must be more than 0")
        try require(self.reports.threshold > 0, "the number of reports that take a board out of service must be at least 1")
        try require(self.lockout.failures > 0, "the number of failures that lock an account must be at least 1")
        for user in self.users {
            try require(!user.name.allSatisfy(\.isWhitespace), "a user has no name")
            try require(!user.password.isEmpty, "user \"\(user.name)\" has no password")
        }
        let names = self.users.map(\.name)
        try require(Set(names).count == names.count, "two users have the same name")
        for group in self.groups {
            try require(AccountName.isValid(group.name), "\"\(group.name)\" is no name of a group")
            try require(group.quota.map { $0 >= 0 } ?? true, "group \"\(group.name)\" has a negative quota")
        }
        try require(Set(self.groups.map(\.name)).count == self.groups.count, "two groups have the same name")
        try self.oidc?.validate()
        try self.notify.validate()
        try MachineDefinition.validate(self.machines)
    }
}
