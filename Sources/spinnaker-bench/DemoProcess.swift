//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocDemo

/// `spalloc demo --serve` in a process of its own, so that service and boards do not share this one's CPU accounting.
final class DemoProcess {
    let access: DemoHouse.Access
    /// Where `demo.json` is.
    let directory: URL
    private let process: Process

    /// - Throws: ``BenchError`` when it is not ready in a minute.
    init() async throws {
        self.directory = FileManager.default.temporaryDirectory.appending(path: "spinnaker-bench-\(UUID().uuidString)")
        self.process = Process()
        self.process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
            path: "spalloc")
        self.process.arguments = ["demo", "--serve", "--boot-time-scale", "0", "--state", self.directory.path]
        self.process.standardOutput = FileHandle.nullDevice
        try self.process.run()
        let file = self.directory.appending(path: "demo.json")
        let deadline = ContinuousClock.now + .seconds(60)
        while !FileManager.default.fileExists(atPath: file.path) {
            guard self.process.isRunning else { throw BenchError("`spalloc demo --serve` ended before it was ready") }
            guard ContinuousClock.now < deadline else {
                self.process.terminate()
                throw BenchError("`spalloc demo --serve` was not ready in a minute")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        self.access = try JSONDecoder().decode(DemoHouse.Access.self, from: Data(contentsOf: file))
    }

    func end() {
        self.process.interrupt()
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(at: self.directory)
    }
}
