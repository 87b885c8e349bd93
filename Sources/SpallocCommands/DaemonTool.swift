//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SpallocServer

/// `spallocd`: the allocation service.
package struct DaemonTool: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "spallocd",
        abstract: "The Spalloc allocation service: shares SpiNNaker machines between users.",
        discussion: """
            Everything it is told is in one JSON file: where to listen, the certificate, the database file, machines, users. \
            Jobs, boards and sessions are in the database: a service that is killed goes on where it was.

            EXAMPLES
              spallocd --config /etc/spallocd.json --check
              spallocd --config /etc/spallocd.json

            SIGTERM and Ctrl-C let requests under way come to their end; jobs stay as they are.
            """,
        version: VersionCommand.version)

    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration.", valueName: "file"))
    var config: String

    @Flag(help: "Only read the configuration, say what is wrong with it, and end.")
    var check = false

    @Option(help: "What to log: trace, debug, info, notice, warning, error, critical.")
    var logLevel = LogLevel(.info)

    package init() {}

    package func run() async throws {
        if self.check {
            let configuration = try SpallocDaemon.configuration(from: self.config)
            let boards = configuration.machines.reduce(0) { $0 + $1.boards.count }
            CommandContext.current.out(
                "\(self.config) is good: \(configuration.machines.count) machines, \(boards) boards, "
                    + "\(configuration.users.count) users, \(configuration.host):\(configuration.port)")
            return
        }
        var logger = Logger(label: "spallocd", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = self.logLevel.level
        try await SpallocDaemon.run(configurationPath: self.config, logger: logger) { [logger] port in
            logger.notice("spallocd is ready", metadata: ["port": "\(port)"])
        }
    }

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
