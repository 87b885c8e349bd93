//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import Logging
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// `spinnaker-sim`: virtual SpiNNaker boards on this computer's loopback interface.
package struct SimTool: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "spinnaker-sim",
        abstract: "Virtual SpiNNaker boards on this computer: SCP, boot and BMP over UDP, as hardware has them.",
        usage: """
            spinnaker-sim [<machine>] [<options>]
            spinnaker-sim tell <socket> <command> …
            """,
        discussion: """
            Each board and each frame's BMP has an address of its own in 127.BASE.0.0/16. Boards are off at first: switch them \
            on by their BMP, or begin with --powered.

            EXAMPLES
              spinnaker-sim                           a triad: boards 127.1.0.9, .17, .25, BMP 127.1.0.8
              spinnaker-sim spinn5 --powered          one board, ready to be booted
              spinnaker-sim 24x24 --status 5          1,728 boards, and every 5 s what they do
              spinnaker-sim 2x2 --dead-link 0,0,1/4,7/NE --control ./sim.sock
              spinnaker-sim tell ./sim.sock power cycle 0,0,1

            EXIT CODES
              0 told to quit, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C
            """)

    @OptionGroup var machine: MachineOptions

    @Option(help: ArgumentHelp("Write addresses and process id here once the machine is up.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Tell every so often what the machine does.", valueName: "seconds"))
    var status: Double?

    @Option(help: ArgumentHelp("Listen for commands at this Unix socket (spinnaker-sim tell).", valueName: "path"))
    var control: String?

    @Flag(name: .shortAndLong, help: "Take commands at standard input; \"help\" lists them.")
    var interactive = false

    @Flag(name: .shortAndLong, help: "Do not list the addresses.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Tell on standard error what goes on inside.")
    var verbose = false

    package init() {}

    package func validate() throws {
        if let status, !(status >= 0.1 && status <= 86400) {
            throw ValidationError("--status is a number of seconds in 0.1...86400")
        }
    }

    package func run() async throws {
        var logger = Logger(label: "spinnaker-sim", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = self.verbose ? .info : .warning
        try await runSimulator(
            try self.machine.machine(), isBaseFree: self.machine.base == .free,
            options: SimulatorOptions(
                readyFile: self.json, status: self.status.map { .milliseconds(Int64($0 * 1000)) }, controlPath: self.control,
                isInteractive: self.interactive, isQuiet: self.quiet), logger: logger)
    }

    /// Runs a command line and says with which code the process shall exit. Ctrl-C is heard from the first moment.
    /// - Parameter signals: those that stop it. A test has its own.
    package static func run(_ arguments: [String]? = nil, signals: [Int32] = [SIGINT, SIGTERM]) async -> Int32 {
        do {
            try await withSignals(signals) {
                let arguments = arguments ?? Array(CommandLine.arguments.dropFirst())
                // By hand: a sub-command would take the place of the machine.
                var command =
                    arguments.first == TellCommand.word
                    ? try TellCommand.parseAsRoot(Array(arguments.dropFirst())) : try SimTool.parseAsRoot(arguments)
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            }
            return 0
        } catch let stopped as StoppedBySignal {
            return stopped.exitCode
        } catch {
            return Self.explain(error)
        }
    }

    /// One clear line on standard error, and the exit code.
    private static func explain(_ error: any Error) -> Int32 {
        let context = CommandContext.current
        switch Self.exitCode(for: error) {
        case .success:
            context.out(Self.fullMessage(for: error))
            return 0
        case .validationFailure:
            context.err(Self.fullMessage(for: error))
            return 2
        default:
            context.err("spinnaker-sim: \(error)")
            return 1
        }
    }
}

struct TellCommand: AsyncParsableCommand {
    static let word = "tell"

    static let configuration = CommandConfiguration(
        commandName: "spinnaker-sim \(TellCommand.word)", abstract: "Tell a running simulator a command.",
        discussion: """
            COMMANDS
            \(ControlCommand.helpText)
            """)

    @Argument(help: ArgumentHelp("The control socket.", valueName: "socket"))
    var path: String

    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("The command.", valueName: "word"))
    var words: [String] = []

    func validate() throws {
        if self.words.isEmpty { throw ValidationError("which command? \"help\" lists them") }
    }

    func run() async throws {
        let reply = try await ControlSocket.tell(path: self.path, line: self.words.joined(separator: " "))
        if !reply.text.isEmpty { CommandContext.current.out(reply.text) }
        if let error = reply.error { throw error }
    }
}
