//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// What a command gets from the outside, in one place, so that a test can hand it something else.
package struct CommandContext: Sendable {
    package var environment: [String: String]
    package var isTerminal: Bool
    /// Results: whole lines.
    package var out: @Sendable (String) -> Void
    /// Everything else: progress and errors.
    package var err: @Sendable (String) -> Void
    /// Asks for what must not be seen: ``readSecret(prompt:twice:)``. `twice`: a person types it again.
    package var secret: @Sendable (_ prompt: String, _ twice: Bool) throws -> String = readSecret

    package init(
        environment: [String: String], isTerminal: Bool, out: @escaping @Sendable (String) -> Void,
        err: @escaping @Sendable (String) -> Void
    ) {
        self.environment = environment
        self.isTerminal = isTerminal
        self.out = out
        self.err = err
    }

    @TaskLocal package static var current = CommandContext(
        environment: ProcessInfo.processInfo.environment, isTerminal: isatty(STDOUT_FILENO) == 1,
        // Not print: its buffer would hold back what a pipe's reader waits for.
        out: { FileHandle.standardOutput.write(Data(($0 + "\n").utf8)) },
        err: { FileHandle.standardError.write(Data(($0 + "\n").utf8)) })
}
