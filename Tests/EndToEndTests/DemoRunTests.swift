//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import SpallocClient
import SpallocDemo
import SpallocServer
import Testing

extension EndToEnd {
    /// `spalloc demo` from its first step to its last.
    @Suite struct DemoRunTests {
        @Test func theWholeRun() async throws {
            let audience = Audience()
            try await runDemo(.quick(), logger: quiet, narrator: audience.narrator(isTerminal: false))
            let lines = audience.heard.split(separator: "\n").map(String.init)
            let steps = [
                "virtual machine: 3 boards, 144 chips at 127.", "service: https://localhost:", "log in: demo, to version ",
                "list machines: virtual, 1 x 1 triads, tags default", "create a job of 3 boards: job 1,",
                "wait for the boards: ", "open the websocket proxy: one websocket",
                "boot the boards: SC&MP ", "discover the machine: 144 chips, ",
                "version of each board: ", "write 8 MiB: ", "read 8 MiB back: ",
                "compare every byte: 8388608 bytes are equal", "destroy the job: no job is left",
                "boards are off again: all 3",
            ]
            try #require(lines.count == steps.count + 1, "\(audience.heard)")
            for (number, (line, step)) in zip(lines, steps).enumerated() {
                #expect(line.hasPrefix(" ✓ \(number < 9 ? " " : "")\(number + 1)  \(step)"), "\(line)")
                #expect(line.hasSuffix(" ms)") || line.hasSuffix(" s)"), "\(line)")
            }
            #expect(lines.last?.hasPrefix("Done in ") == true)
            // QUEUED and POWER may pass between two looks of the client, the end may not.
            #expect(lines[5].contains("READY, 127."))
            #expect(lines[8].contains(" application cores, 12 x 12"))
        }

        /// Ctrl-C cancels the task; here in the very moment in which the step begins, or is half done.
        @Test(arguments: [
            "list machines", "create a job", "wait for the boards", "boot the boards", "discover the machine", "write 8 MiB",
            "write 8 MiB \u{2588}", "read 8 MiB back",
        ])
        func cancelledAtAStepItLeavesNothing(_ step: String) async throws {
            try await House.run { house in
                let visit = Visit(cutAt: step) { narrator in try await SpallocDemo.visit(house, narrator: narrator) }
                await visit.expectCancelled()
                try await house.asClient { client in
                    for try await job in client.jobs() { Issue.record("\(job) is left") }
                }
                try await house.waitUntilBoardsAreOff()
                try await eventually("all boards free") { try Database.heldBoards(in: house.directory) == 0 }
                #expect(!visit.heard.contains("✓ 14"), "it went on: \(visit.heard)")
            }
        }

        /// The same with the service in the run: it must outlive the client that has a job to destroy.
        @Test(arguments: ["virtual machine", "service", "wait for the boards", "write 8 MiB"])
        func cancelledAsAWholeItLeavesNothing(_ step: String) async throws {
            try await withTemporaryDirectory { directory in
                let options = DemoOptions.quick(stateDirectory: directory.path)
                let run = Visit(cutAt: step) { narrator in try await runDemo(options, logger: quiet, narrator: narrator) }
                await run.expectCancelled()
                if FileManager.default.fileExists(atPath: directory.appending(path: "spalloc.sqlite").path) {
                    #expect(try Database.liveJobs(in: directory) == 0)
                }
                // Ports and addresses are free, and the database is good.
                try await House.run(options) { house in
                    try await house.asClient { client in
                        for try await job in client.jobs() { Issue.record("\(job) is left") }
                    }
                    try await house.waitUntilBoardsAreOff()
                }
            }
        }

        /// A run that is cancelled as soon as its narrator says something.
        private final class Visit: Sendable {
            private struct State {
                var task: Task<Void, any Error>?
                var isCut = false
            }
            private let state = NIOLockedValueBox(State())
            private let text = NIOLockedValueBox("")
            private let step: String

            init(cutAt step: String, _ body: @escaping @Sendable (Narrator) async throws -> Void) {
                self.step = step
                let audience = Audience { [state] text in
                    guard text.contains(step) else { return }
                    let task = state.withLockedValue { state in
                        state.isCut = true
                        return state.task
                    }
                    task?.cancel()
                }
                let text = self.text
                let task = Task {
                    defer { text.withLockedValue { $0 = audience.heard } }
                    try await body(audience.narrator(isTerminal: true))
                }
                let isCut = self.state.withLockedValue { state in
                    state.task = task
                    return state.isCut
                }
                if isCut { task.cancel() }
            }

            var heard: String { self.text.withLockedValue { $0 } }

            func expectCancelled() async {
                guard let task = self.state.withLockedValue({ $0.task }) else { return }
                let result = await task.result
                #expect(self.state.withLockedValue { $0.isCut }, "\"\(self.step)\" was never said: \(self.heard)")
                #expect(throws: (any Error).self, "it ended as if nothing had happened: \(self.heard)") { try result.get() }
            }
        }
    }
}
