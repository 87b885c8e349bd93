//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Who logs in, and how. Its description never shows the secrets.
public struct SpallocCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    indirect enum Kind: Sendable {
        case inURL
        case password(user: String, Secret)
        case token(any SpallocTokenProvider)
        case restored(SpallocStoredSession, renewal: Kind?)
    }

    let kind: Kind

    /// Those of the service URL, `https://user:password@host/spalloc/`.
    public static let inURL = SpallocCredentials(kind: .inURL)

    /// Form login. Whoever has a user name has it without blanks around.
    public static func password(user: String, _ password: String) -> SpallocCredentials {
        SpallocCredentials(kind: .password(user: user.trimmingBlanks(), Secret(password)))
    }

    /// One bearer token, that cannot be refreshed.
    public static func token(_ token: String) -> SpallocCredentials {
        SpallocCredentials(kind: .token(FixedToken(token: Secret(token))))
    }

    /// Bearer tokens, fetched when a login needs one.
    public static func tokens(from provider: any SpallocTokenProvider) -> SpallocCredentials {
        SpallocCredentials(kind: .token(provider))
    }

    /// A session that another process opened, from the notification database.
    /// - Parameter renewal: how to log in when that session has ended; without it, its end is an error.
    public static func restored(_ session: SpallocStoredSession, renewal: SpallocCredentials? = nil) -> SpallocCredentials {
        SpallocCredentials(kind: .restored(session, renewal: renewal?.kind))
    }

    /// By what the Python client looks at, first match: `SPALLOC_USER` and `SPALLOC_PASSWORD`; the Jupyter token service;
    /// `OIDC_BEARER_TOKEN`. nil: none of them is set.
    /// - Parameter environment: usually `ProcessInfo.processInfo.environment`.
    public static func fromEnvironment(_ environment: [String: String]) -> SpallocCredentials? {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let user = value("SPALLOC_USER"), let password = value("SPALLOC_PASSWORD") {
            return .password(user: user, password)
        }
        if let token = value("JUPYTERHUB_API_TOKEN"), let host = value("JUPYTERHUB_SERVICE_HOST"),
            let port = value("JUPYTERHUB_SERVICE_PORT").flatMap({ Int($0) }), (1...65535).contains(port)
        {
            return .tokens(from: JupyterTokenProvider(host: host, port: port, apiToken: token))
        }
        return value("OIDC_BEARER_TOKEN").map { .token($0) }
    }

    public var description: String { SpallocCredentials.describe(self.kind) }
    public var customMirror: Mirror { Mirror(self, children: []) }

    private static func describe(_ kind: Kind) -> String {
        switch kind {
        case .inURL: "the credentials in the URL"
        case .password(let user, _): "user \(user)"
        case .token: "a bearer token"
        case .restored(_, let renewal): renewal.map { "a stored session, then \(describe($0))" } ?? "a stored session"
        }
    }
}

/// Where bearer tokens come from. Asked at each login, so that a token may be short-lived.
public protocol SpallocTokenProvider: Sendable {
    /// - Parameter refused: the token that the service just refused; give another one, or throw.
    func token(replacing refused: String?) async throws -> String
}

struct FixedToken: SpallocTokenProvider {
    let token: Secret

    func token(replacing refused: String?) async throws -> String {
        guard refused != self.token.text else {
            throw SpallocError(.tokenUnavailable, "the bearer token was refused, and it cannot be refreshed")
        }
        return self.token.text
    }
}

/// A session that outlives its process: the cookies and headers that make it up. They are as good as a password.
public struct SpallocStoredSession: Sendable, CustomStringConvertible, CustomReflectable {
    public var cookies: [String: String]
    /// Usually one, the CSRF header.
    public var headers: [String: String]

    public init(cookies: [String: String], headers: [String: String]) {
        self.cookies = cookies
        self.headers = headers
    }

    public var description: String {
        "a session of cookies \(self.cookies.keys.sorted()) and headers \(self.headers.keys.sorted())"
    }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
