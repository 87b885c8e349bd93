//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocClient

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Tell the versions of this program and, if one is named, of the service.")

    /// Of this program; 1.0.0 comes with the first release.
    static let version = "0.1.0"

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var fields: [(key: String, value: Report.Cell)] = [("client", .text(Self.version))]
        if self.service.url ?? CommandContext.current.environment["SPALLOC_URL"] != nil {
            try await self.service.withClient { client in
                let version = try await client.version()
                fields.append(
                    ("service", .text("\(version.majorVersion).\(version.minorVersion).\(version.revision)")))
            }
        }
        self.output.show(.record(fields))
    }
}

struct LoginCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login-check", abstract: "Check the settings: where each comes from, and whether they let you in.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let resolved = try self.service.resolve()
        let address = try SpallocServiceAddress(resolved.url)
        let err = CommandContext.current.err
        // On standard error, before anything can go wrong.
        err("service: \(address.url) (from \(resolved.urlSource))")
        err("login as: \(address.user.map { "user \($0)" } ?? "\(resolved.credentials)") (from \(resolved.credentialsSource))")
        err("trusting: \(resolved.trust)")
        // Each step by itself, so that it shows which of them fails.
        let probe = ServiceProbe(address, configuration: resolved.configuration)
        err("name: \(address.url.host) is \(try await probe.resolve())")
        let tls = try await probe.connect()
        err("connection: ok, \(tls.map { "\($0), certificate trusted" } ?? "without TLS")")
        try await self.service.withClient { client in
            let version = try await client.version()
            let machines = try await client.machines()
            self.output.show(
                .record([
                    ("login", .text("ok")), ("service", .text("\(client.serviceURL)")),
                    ("version", .text("\(version.majorVersion).\(version.minorVersion).\(version.revision)")),
                    ("machines", .texts(machines.map(\.name))),
                ]))
        }
    }
}
