//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SpallocServer

/// `spallocd serve`, which is also what `spallocd` alone does.
struct DaemonServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the service. (The default.)",
        discussion: "SIGTERM and Ctrl-C let requests under way come to their end; jobs stay as they are.")

    @OptionGroup var file: DaemonConfiguration

    @Flag(help: "Only read the configuration, say what is wrong with it, and end: as check-config.")
    var check = false

    @Option(help: "What to log: trace, debug, info, notice, warning, error, critical.")
    var logLevel = LogLevel(.info)

    func run() async throws {
        guard !self.check else { return try DaemonCheckConfig.check(self.file.config) }
        var logger = Logger(label: "spallocd", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = self.logLevel.level
        try await SpallocDaemon.run(configurationPath: self.file.config, logger: logger) { [logger] port in
            logger.notice("spallocd is ready", metadata: ["port": "\(port)"])
        }
    }
}

/// `spallocd check-config FILE`
struct DaemonCheckConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Read a configuration, and all files that it names, and say what is wrong.",
        discussion: "Nothing is opened for writing and nothing listens: it may be run beside the service.")

    @Argument(help: ArgumentHelp("The configuration, YAML or JSON.", valueName: "file"))
    var file: String

    func run() async throws { try Self.check(self.file) }

    static func check(_ path: String) throws {
        let configuration = try SpallocDaemon.configuration(from: path)
        try SpallocApplication.check(configuration)
        let boards = configuration.machines.reduce(0) { $0 + $1.boards.count }
        CommandContext.current.out(
            "\(path) is good: \(configuration.machines.count) machines, \(boards) boards, "
                + "\(configuration.users.count) users, \(configuration.host):\(configuration.port)")
    }
}
