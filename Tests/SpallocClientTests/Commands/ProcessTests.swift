//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import SpallocCommands

@Suite(.timeLimit(.minutes(3))) struct ProcessTests {
    @Test(arguments: [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)])
    func theExitCodeIsTheCommands(script: String, code: Int32) async throws {
        let child = ChildProcess(arguments: ["/bin/sh", "-c", script], environment: ["PATH": "/bin:/usr/bin"])
        #expect(try await child.run() == code)
    }

    @Test func aCancelledCommandIsEndedBySIGTERM() async throws {
        let child = ChildProcess(
            arguments: ["/bin/sh", "-c", "exec sleep 60"], environment: ["PATH": "/bin:/usr/bin"], grace: .milliseconds(50))
        let task = Task { try await child.run() }
        task.cancel()
        #expect(try await task.value == 143)
    }

    @Test func aCommandThatIgnoresThatIsKilled() async throws {
        let child = ChildProcess(
            arguments: ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], environment: ["PATH": "/bin:/usr/bin"],
            grace: .milliseconds(100))
        let task = Task { try await child.run() }
        task.cancel()
        let code = try await task.value
        #expect(code == 137 || code == 143)
    }

    /// SIGUSR1 stands for Ctrl-C here: the test runner needs the real one.
    @Test func aSignalCancelsLetsCleanUpAndGivesItsCode() async throws {
        let cleanedUp = NIOLockedValueBox(false)
        let error = try await #require(throws: StoppedBySignal.self) {
            try await withSignals([SIGUSR1]) {
                kill(getpid(), SIGUSR1)
                do {
                    try await Task.sleep(for: .seconds(30))
                } catch {
                    cleanedUp.withLockedValue { $0 = true }
                    throw error
                }
            }
        }
        #expect(cleanedUp.withLockedValue { $0 })
        #expect(error.number == SIGUSR1 && error.exitCode == 128 + SIGUSR1)
    }

    @Test func withoutASignalTheResultIsTheBodys() async throws {
        #expect(try await withSignals([SIGUSR2]) { 5 } == 5)
        await #expect(throws: CancellationError.self) { try await withSignals([SIGUSR2]) { throw CancellationError() } }
    }
}
