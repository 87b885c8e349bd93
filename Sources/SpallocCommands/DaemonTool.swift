//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SpallocServer

/// `spallocd`: the allocation service, and what its operator does beside it.
package struct DaemonTool: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "spallocd",
        abstract: "The Spalloc allocation service: shares SpiNNaker machines between users.",
        discussion: """
            Everything it is told is in one YAML or JSON file: where to listen, the certificate, the database file, machines, users. \
            Jobs, boards and sessions are in the database: a service that is killed goes on where it was.

            EXAMPLES
              spallocd check-config /etc/spallocd/spallocd.yaml
              spallocd user add ada --trust-level ADMIN --config /etc/spallocd/spallocd.yaml
              spallocd machine import lab.json --config /etc/spallocd/spallocd.yaml
              spallocd --config /etc/spallocd/spallocd.yaml
              spallocd backup /backup/spalloc.sqlite --config /etc/spallocd/spallocd.yaml

            EXIT CODES
              0  done    1  it went wrong, standard error says why    2  the command line is wrong
            """,
        version: VersionCommand.version,
        subcommands: [
            DaemonServe.self, DaemonCheckConfig.self, DaemonUser.self, DaemonGroup.self, DaemonMachine.self, DaemonHistory.self,
            DaemonBackup.self,
        ],
        defaultSubcommand: DaemonServe.self)

    package init() {}

    /// Runs a command line and says with which code the process shall exit.
    package static func start(_ arguments: [String]? = nil) async -> Int32 {
        do {
            var command = try Self.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let error as SpallocServerError {
            CommandContext.current.err("spallocd: \(error)")
            return 1
        } catch {
            let code = Self.exitCode(for: error)
            if code == .success {
                CommandContext.current.out(Self.fullMessage(for: error))
                return 0
            }
            let isUsage = code == .validationFailure
            CommandContext.current.err(isUsage ? Self.fullMessage(for: error) : "spallocd: \(SpallocTool.oneLine(error))")
            return isUsage ? 2 : 1
        }
    }
}

/// Which configuration.
struct DaemonConfiguration: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration, YAML or JSON.", valueName: "file"))
    var config: String

    func load() throws -> SpallocServerConfiguration { try SpallocDaemon.configuration(from: self.config) }
}

/// A log level by its name.
struct LogLevel: ExpressibleByArgument {
    var level: Logger.Level
    init(_ level: Logger.Level) { self.level = level }
    init?(argument: String) {
        guard let level = Logger.Level(rawValue: argument.lowercased()) else { return nil }
        self.level = level
    }
    var defaultValueDescription: String { self.level.rawValue }
}

extension TrustLevel: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}
