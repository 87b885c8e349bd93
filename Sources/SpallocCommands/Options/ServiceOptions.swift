//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SpallocClient

/// Which service, and who we are there.
struct ServiceOptions: ParsableArguments {
    @Option(name: .long, help: "The service, e.g. https://host/spalloc. May hold user:password. Default: SPALLOC_URL.")
    var url: String?

    @Option(name: .long, help: "The user. Default: the URL's, then SPALLOC_USER.")
    var user: String?

    @Option(name: .long, help: "A file with the password on its first line. Default: the URL's, then SPALLOC_PASSWORD.")
    var passwordFile: String?

    @Option(name: .long, help: "A bearer token instead of a password. Default: that of Jupyter, or OIDC_BEARER_TOKEN.")
    var token: String?

    @Option(name: .long, help: "A PEM file with the CA to trust instead of the system's. Default: SPALLOC_CA_FILE.")
    var caFile: String?

    @Flag(name: .shortAndLong, help: "Tell what is sent and answered, without secrets.")
    var verbose = false

    /// Names where each value came from, for `login-check`. No secrets.
    struct Resolved: Sendable {
        var url: String
        var urlSource: String
        var credentials: SpallocCredentials
        var credentialsSource: String
        var configuration: SpallocClientConfiguration
        var trust: String
    }

    func resolve(_ context: CommandContext = .current) throws -> Resolved {
        func environment(_ name: String) -> String? { context.environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let url = self.url ?? environment("SPALLOC_URL") else {
            throw ValidationError("no service named: give --url or set SPALLOC_URL")
        }
        let address = try SpallocServiceAddress(url)
        let caFile = self.caFile ?? environment("SPALLOC_CA_FILE")
        let (credentials, source) = try self.credentials(address, environment: context.environment)
        return Resolved(
            url: url, urlSource: self.url == nil ? "SPALLOC_URL" : "--url", credentials: credentials, credentialsSource: source,
            configuration: .init(trust: caFile.map { .certificateAuthorities(file: $0) } ?? .system),
            trust: caFile.map { "the CA in \($0)" } ?? "the system's CAs")
    }

    /// User and password each come from the first place that has them, as the Python client does it.
    private func credentials(
        _ address: SpallocServiceAddress, environment: [String: String]
    ) throws -> (SpallocCredentials, String) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let token { return (.token(token), "--token") }
        let (user, userSource) =
            self.user.map { ($0, "--user") } ?? address.user.map { ($0, "the URL") }
            ?? value("SPALLOC_USER").map { ($0, "SPALLOC_USER") } ?? ("", "")
        if let passwordFile {
            guard !user.isEmpty else { throw ValidationError("--password-file needs a user: --user or SPALLOC_USER") }
            return (.password(user: user, try Self.password(in: passwordFile)), "user from \(userSource), --password-file")
        }
        if userSource == "the URL", address.hasPassword { return (.inURL, "the URL") }
        if !user.isEmpty, let password = value("SPALLOC_PASSWORD") {
            return (.password(user: user, password), "user from \(userSource), SPALLOC_PASSWORD")
        }
        if self.user == nil, let credentials = SpallocCredentials.fromEnvironment(environment) {
            return (credentials, "the environment")
        }
        throw SpallocError(
            .credentialsMissing,
            user.isEmpty
                ? "no user and password: give --user and --password-file, or set SPALLOC_USER and SPALLOC_PASSWORD"
                : "no password for \(user): give --password-file or set SPALLOC_PASSWORD")
    }

    private static func password(in file: String) throws -> String {
        let path = (file as NSString).expandingTildeInPath
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw SpallocError(.invalidConfiguration, "the password file \(file) is not there or not readable")
        }
        // By character: "\r\n" is one.
        let password = text.prefix { !$0.isNewline }
        guard !password.isEmpty else { throw SpallocError(.invalidConfiguration, "the password file \(file) is empty") }
        return String(password)
    }

    /// Logs in and runs `body`.
    func withClient(_ body: (SpallocClient) async throws -> Void) async throws {
        let resolved = try self.resolve()
        try await withSpallocClient(
            url: resolved.url, credentials: resolved.credentials, configuration: resolved.configuration, logger: self.logger,
            body)
    }

    var logger: Logger? {
        guard self.verbose else { return nil }
        let err = CommandContext.current.err
        return Logger(label: "spalloc") { _ in LineLogHandler(write: err) }
    }
}

/// Log lines on standard error, for `--verbose`.
private struct LineLogHandler: LogHandler {
    let write: @Sendable (String) -> Void
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        self.write("[\(event.level)] \(event.message)\(values)")
    }
}
