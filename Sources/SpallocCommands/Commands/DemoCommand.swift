//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import Foundation
import Logging
import SpallocDemo

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show the whole system at work on this machine: virtual boards, the service, a client.",
        discussion: """
            Everything stays on loopback. Without --serve it runs through what a user does and ends; with it, the virtual \
            machine and the service stay up until Ctrl-C, for any client.

            EXAMPLES
              spalloc demo
              spalloc demo --serve --state ./state
              spalloc demo --serve --machine 24x24
            """)

    @Flag(help: "Keep the virtual machine and the service up until Ctrl-C, and say how to reach them.")
    var serve = false

    @Option(help: ArgumentHelp("Keep database, certificates and demo.json here.", valueName: "directory"))
    var state: String?

    @Option(help: ArgumentHelp("The size of the virtual machine, in triads of 3 boards.", valueName: "WxH"))
    var machine = DemoSize(width: 1, height: 1)

    @Option(help: "The HTTPS port; 0 takes any free one.")
    var port = 0

    @Flag(help: "Also listen for clients of the original spalloc_server (its TCP protocol, without login).")
    var v1 = false

    @Option(help: "The port for those clients; 0 takes any free one.")
    var v1Port = 0

    @Option(help: "How long the virtual firmware takes to boot: 1 is as on hardware, 0 at once.")
    var bootTimeScale = 1.0

    @Flag(name: .shortAndLong, help: "Tell on standard error what the service does.")
    var verbose = false

    func validate() throws {
        do { try self.options.validate() } catch { throw ValidationError("\(error)") }
    }

    private var options: DemoOptions {
        DemoOptions(
            width: self.machine.width, height: self.machine.height, stateDirectory: self.state, port: self.port,
            v1Port: self.v1 ? self.v1Port : nil, bootTimeScale: self.bootTimeScale)
    }

    func run() async throws {
        var logger = Logger(label: "spalloc", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = self.verbose ? .info : .error
        let narrator = Narrator.standard()
        if self.serve {
            try await serveDemo(self.options, logger: logger, narrator: narrator)
        } else {
            try await runDemo(self.options, logger: logger, narrator: narrator)
        }
    }
}

/// `3x2`: a width and a height in triads.
struct DemoSize: ExpressibleByArgument, CustomStringConvertible {
    var width: Int
    var height: Int

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    init?(argument: String) {
        let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]) else { return nil }
        self.init(width: width, height: height)
    }

    var description: String { "\(self.width)x\(self.height)" }
    var defaultValueDescription: String { self.description }
}
