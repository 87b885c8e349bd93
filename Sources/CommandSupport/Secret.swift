//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// No secret could be read.
package struct NoSecret: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
}

/// A password from a terminal, without echo, or else the first line of standard input: never an argument, which everybody on the
/// computer can see.
package func readSecret(prompt: String, twice: Bool) throws -> String {
    guard isatty(STDIN_FILENO) == 1 else {
        guard let line = readLine(strippingNewline: true), !line.isEmpty else {
            throw NoSecret(description: "standard input has no password in its first line")
        }
        return line
    }
    let first = try askWithoutEcho("\(prompt): ")
    guard twice else { return first }
    guard try askWithoutEcho("\(prompt), again: ") == first else { throw NoSecret(description: "the two passwords differ") }
    return first
}

private func askWithoutEcho(_ prompt: String) throws -> String {
    var before = termios()
    guard tcgetattr(STDIN_FILENO, &before) == 0 else {
        throw NoSecret(description: "the terminal cannot hide what is typed")
    }
    var silent = before
    // Nor signals: a Ctrl-C would leave the terminal without an echo. Ctrl-D ends the question.
    silent.c_lflag &= ~(tcflag_t(ECHO) | tcflag_t(ISIG))
    guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else {
        throw NoSecret(description: "the terminal cannot hide what is typed")
    }
    defer { _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) }
    // To standard error: standard output may be a file.
    say(prompt)
    let line = readLine(strippingNewline: true)
    say("\n")
    guard let line, !line.isEmpty, !line.contains("\u{3}") else { throw NoSecret(description: "no password was typed") }
    return line
}

private func say(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
