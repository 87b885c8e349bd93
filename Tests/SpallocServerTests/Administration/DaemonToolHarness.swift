//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import SpallocCommands
import SpallocServer

/// `spallocd` run in this process, with files in a directory of its own.
struct DaemonToolHarness: Sendable {
    struct Outcome {
        let code: Int32
        let out: String
        let err: String
        /// What was asked for, in order.
        let asked: [String]
    }

    let directory: URL

    func path(_ name: String) -> String { self.directory.appendingPathComponent(name).path }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: self.path(name), atomically: true, encoding: .utf8)
    }

    var databasePath: String { self.path("spalloc.sqlite") }

    /// `arguments` as on a command line; `secret` is what is typed when a password is asked for.
    func run(_ arguments: [String], secret: String?) async -> Outcome {
        let out = NIOLockedValueBox<[String]>([])
        let err = NIOLockedValueBox<[String]>([])
        let asked = NIOLockedValueBox<[String]>([])
        var context = CommandContext(
            environment: [:], isTerminal: false, out: { line in out.withLockedValue { $0.append(line) } },
            err: { line in err.withLockedValue { $0.append(line) } })
        context.secret = { prompt, _ in
            asked.withLockedValue { $0.append(prompt) }
            guard let secret else { throw NoSecret(description: "no password was typed") }
            return secret
        }
        let code = await CommandContext.$current.withValue(context) { await DaemonTool.start(arguments) }
        return Outcome(
            code: code, out: out.withLockedValue { $0.joined(separator: "\n") },
            err: err.withLockedValue { $0.joined(separator: "\n") }, asked: asked.withLockedValue { $0 })
    }

    func spallocd(_ arguments: String..., secret: String? = nil) async -> Outcome {
        await self.run(arguments, secret: secret)
    }

    /// The same with `--config`.
    func configured(_ arguments: String..., secret: String? = nil) async -> Outcome {
        await self.run(arguments + ["--config", self.path("spallocd.json")], secret: secret)
    }

    static let machines = #"""
        { "machines":[ { "name":"lab", "tags":["default"], "width":1, "height":1,
            "board-locations":{ "[x:0,y:0,z:0]":[0,0,0], "[x:0,y:0,z:1]":[0,0,1], "[x:0,y:0,z:2]":[0,0,2] },
            "bmp-ips":{ "[c:0,f:0]":"10.9.0.1" },
            "spinnaker-ips":{ "[x:0,y:0,z:0]":"10.9.0.10", "[x:0,y:0,z:1]":"10.9.0.11", "[x:0,y:0,z:2]":"10.9.0.12" } } ] }
        """#
}

func withDaemonTool(
    configuration: String = #"{"database":"spalloc.sqlite"}"#,
    _ body: (DaemonToolHarness) async throws -> Void
) async throws {
    let directory = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let harness = DaemonToolHarness(directory: directory)
    try harness.write(configuration, to: "spallocd.json")
    try harness.write(DaemonToolHarness.machines, to: "lab.json")
    try await body(harness)
}
