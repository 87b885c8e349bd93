//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import SpallocClient

/// `spalloc`: the command line of a Spalloc service's user.
package struct SpallocTool: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "spalloc",
        abstract: "Allocate and use SpiNNaker boards through a Spalloc service.",
        discussion: """
            The service is named by --url or SPALLOC_URL; who you are, by the URL itself, --user and a password file, \
            SPALLOC_USER and SPALLOC_PASSWORD, or a token.

            EXAMPLES
              export SPALLOC_URL=https://spinnaker.cs.man.ac.uk/spalloc SPALLOC_USER=me
              spalloc machines --password-file ~/.spalloc-password
              spalloc create 3                        three boards, until Ctrl-C
              spalloc create 2x1 --command ./run.sh   6 boards while run.sh runs
              spalloc jobs --json

            EXIT CODES
              0 done, 1 failed, 2 wrong usage, 3 no boards to be had now, 130 stopped by Ctrl-C
            """,
        subcommands: [
            DemoCommand.self, CreateCommand.self, JobsCommand.self, JobCommand.self, HoldCommand.self, PowerCommand.self,
            DestroyCommand.self,
            WhereIsCommand.self, MachinesCommand.self, LoginCheckCommand.self, VersionCommand.self,
        ])

    package init() {}

    /// Runs a command line and says with which code the process shall exit. Ctrl-C is heard from the first moment.
    /// - Parameter signals: those that stop it. A test has its own.
    package static func run(_ arguments: [String]? = nil, signals: [Int32] = [SIGINT, SIGTERM]) async -> Int32 {
        do {
            try await withSignals(signals) { try await SpallocTool.perform(arguments) }
            return 0
        } catch {
            return Self.explain(error)
        }
    }

    private static func perform(_ arguments: [String]?) async throws {
        var command = try Self.parseAsRoot(arguments)
        if var command = command as? any AsyncParsableCommand {
            try await command.run()
        } else {
            try command.run()
        }
    }

    /// One clear line on standard error, and the exit code.
    private static func explain(_ error: any Error) -> Int32 {
        let context = CommandContext.current
        switch error {
        case let stopped as StoppedBySignal:
            return stopped.exitCode
        case let error as ExitCode:
            return error.rawValue
        case let error as SpallocError:
            context.err("spalloc: \(error)")
            return Self.exitCode(for: error.code)
        default:
            let code = Self.exitCode(for: error)
            if code == .success {
                context.out(Self.fullMessage(for: error))
                return 0
            }
            if code == .validationFailure {
                context.err(Self.fullMessage(for: error))
                return 2
            }
            context.err("spalloc: \(SpallocTool.oneLine(error))")
            return 1
        }
    }

    private static func exitCode(for code: SpallocError.Code) -> Int32 {
        switch code {
        // A script may want to come back later rather than give up.
        case .boardUnavailable, .queueTimeout: 3
        case .invalidURL, .credentialsMissing, .insecureURL: 2
        default: 1
        }
    }

    static func oneLine(_ error: any Error) -> String {
        "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
