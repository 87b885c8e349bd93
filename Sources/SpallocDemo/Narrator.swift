//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers

/// Tells a person what the demo is doing: a line per step with its time, a bar for a transfer.
///
/// On a terminal a running step is shown and then replaced by its result; elsewhere only results are written, so that a log
/// has a line per step and nothing else.
package final class Narrator: Sendable {
    private let isTerminal: Bool
    private let output: @Sendable (String) -> Void
    private let current = NIOLockedValueBox<String?>(nil)
    private let number = NIOLockedValueBox(0)

    /// - Parameters:
    ///   - isTerminal: whether a line can be drawn over.
    ///   - output: takes text as it is, line ends included.
    package init(isTerminal: Bool, output: @escaping @Sendable (String) -> Void) {
        self.isTerminal = isTerminal
        self.output = output
    }

    /// To standard output.
    package static func standard() -> Narrator {
        Narrator(isTerminal: isatty(STDOUT_FILENO) == 1) { text in
            // Not print: its buffer would hold a bar back until the transfer is over.
            FileHandle.standardOutput.write(Data(text.utf8))
        }
    }

    /// Does one step and says how it went and how long it took.
    ///
    /// - Parameters:
    ///   - title: what is done, for instance `log in`.
    ///   - body: does it; what it returns beside its value is said behind the title.
    /// - Throws: ``StepFailure``, which names the step, around whatever `body` throws.
    ///   - since: when the step really began, if that was before now.
    package func step<Value>(
        _ title: String, since: ContinuousClock.Instant = .now, _ body: () async throws -> (Value, String)
    ) async throws -> Value {
        let index = self.number.withLockedValue { number in
            number += 1
            return number
        }
        let head = "\(index < 10 ? " " : "")\(index)  \(title)"
        self.current.withLockedValue { $0 = head }
        self.draw("   \(head) …")
        let start = since
        do {
            let (value, detail) = try await body()
            self.finish(" ✓ \(head)\(detail.isEmpty ? "" : ": " + detail)", after: .now - start)
            return value
        } catch let failure as StepFailure {
            throw failure
        } catch {
            self.finish(" ✗ \(head)", after: .now - start)
            throw StepFailure(step: title, cause: error)
        }
    }

    /// Redraws the running step with a bar, when there is a terminal to draw on.
    package func progress(done: Int, of total: Int, note: String) {
        guard self.isTerminal, total > 0, let head = self.current.withLockedValue({ $0 }) else { return }
        let width = 30
        let filled = min(width, done * width / total)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        self.draw("   \(head) \(bar) \(done * 100 / total) %  \(note)")
    }

    /// A line of its own, outside any step.
    package func say(_ text: String) { self.output(text + "\n") }

    private func draw(_ line: String) {
        guard self.isTerminal else { return }
        self.output("\r\u{1B}[K" + line)
    }

    private func finish(_ line: String, after duration: Duration) {
        self.current.withLockedValue { $0 = nil }
        let text = "\(line)  (\(Narrator.text(of: duration)))\n"
        self.output(self.isTerminal ? "\r\u{1B}[K" + text : text)
    }

    static func text(of duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        return seconds < 1 ? String(format: "%.0f ms", seconds * 1000) : String(format: "%.2f s", seconds)
    }
}

/// A step that failed, and why.
package struct StepFailure: Error, CustomStringConvertible {
    package let step: String
    package let cause: any Error

    package var description: String { "\(self.step): \(self.cause)" }
}
