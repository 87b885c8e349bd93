//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a toolchain leaves in the `proxy_configuration` table of its notification database, so that a viewer in another
/// process can join the job: rows of kind, name and value.
///
/// | kind | name | value |
/// |---|---|---|
/// | `SPALLOC` | `service uri` | the service |
/// | `SPALLOC` | `job uri` | the job |
/// | `COOKIE` | a cookie's name | its value |
/// | `HEADER` | a header's name | its value; never `Authorization` |
///
/// Cookies and headers are as good as a password, and lie in that file in clear: they are there only if the writer asks for it.
public struct SpallocProxyConfiguration: Sendable, CustomStringConvertible {
    public struct Row: Hashable, Sendable, CustomStringConvertible {
        public var kind: String
        public var name: String
        public var value: String

        public init(kind: String, name: String, value: String) {
            self.kind = kind
            self.name = name
            self.value = value
        }

        /// Without the value of a secret.
        public var description: String {
            self.kind == SpallocProxyConfiguration.place
                ? "\(self.kind) \(self.name) \(self.value)" : "\(self.kind) \(self.name) (secret)"
        }
    }

    /// SQL of the reference toolchain's table.
    public static let createTable = "CREATE TABLE IF NOT EXISTS proxy_configuration(kind TEXT, name TEXT, value TEXT)"
    fileprivate static let place = "SPALLOC"
    private static let cookie = "COOKIE"
    private static let header = "HEADER"

    public var serviceURL: String
    public var jobURL: String
    public var session: SpallocStoredSession

    public init(serviceURL: String, jobURL: String, session: SpallocStoredSession) {
        self.serviceURL = serviceURL
        self.jobURL = jobURL
        self.session = session
    }

    /// - Throws: ``SpallocError/Code/invalidConfiguration`` when service or job are missing. Rows of other kinds are passed over.
    public init(rows: [Row]) throws(SpallocError) {
        var places: [String: String] = [:]
        var session = SpallocStoredSession(cookies: [:], headers: [:])
        for row in rows {
            switch row.kind {
            case Self.place: places[row.name] = row.value
            case Self.cookie: session.cookies[row.name] = row.value
            case Self.header where row.name.lowercased() != "authorization": session.headers[row.name] = row.value
            default: break
            }
        }
        guard let service = places["service uri"], let job = places["job uri"] else {
            throw SpallocError(.invalidConfiguration, "the database does not name a Spalloc service and job")
        }
        self.init(serviceURL: service, jobURL: job, session: session)
    }

    public var rows: [Row] {
        [
            Row(kind: Self.place, name: "service uri", value: self.serviceURL),
            Row(kind: Self.place, name: "job uri", value: self.jobURL),
        ]
            + self.session.cookies.sorted { $0.key < $1.key }.map { Row(kind: Self.cookie, name: $0.key, value: $0.value) }
            + self.session.headers.filter { $0.key.lowercased() != "authorization" }.sorted { $0.key < $1.key }
            .map { Row(kind: Self.header, name: $0.key, value: $0.value) }
    }

    public var description: String { self.rows.map(\.description).joined(separator: ", ") }
}

extension SpallocJob {
    /// What another process needs to join this job.
    /// - Parameter secrets: whether it may act in our session. Without them it has to log in by itself.
    public func proxyConfiguration(withSecrets secrets: Bool) async throws(SpallocError) -> SpallocProxyConfiguration {
        SpallocProxyConfiguration(
            serviceURL: self.session.serviceURL.string, jobURL: self.url.string,
            session: secrets ? try await self.session.storedSession() : SpallocStoredSession(cookies: [:], headers: [:]))
    }
}

/// Joins a job that another process runs, as its notification database tells. It is not kept alive by this.
/// - Parameter renewal: who to log in as when the database holds no session, or one that has ended.
public func withSpallocJob<Result>(
    _ stored: SpallocProxyConfiguration, renewal: SpallocCredentials? = nil,
    configuration: SpallocClientConfiguration = .init(), _ body: (SpallocJob) async throws -> Result
) async throws -> Result {
    let credentials: SpallocCredentials
    if stored.session.cookies.isEmpty {
        guard let renewal else {
            throw SpallocError(
                .credentialsMissing, "the database holds no session, and nothing was given to log in with")
        }
        credentials = renewal
    } else {
        credentials = .restored(stored.session, renewal: renewal)
    }
    return try await withSpallocClient(
        url: stored.serviceURL, credentials: credentials, configuration: configuration
    ) { client in
        try await body(client.job(at: stored.jobURL))
    }
}
