//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocClient

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Tell about a job of yours. Looking does not keep it alive.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The job's number.") var id: Int

    func run() async throws {
        try await self.service.withClient { client in
            let job = client.job(self.id)
            let details = try await job.details()
            // Asking what boards a job has counts as a keepalive at the service; a job that is over has none anyway.
            let isLive = details.state == .power || details.state == .ready
            self.output.show(
                .job(
                    job, details, isLive ? try await job.machine() : nil, power: isLive ? try await job.power() : nil))
        }
    }
}

struct PowerCommand: AsyncParsableCommand {
    enum Order: String, ExpressibleByArgument, CaseIterable {
        case on, off, show
    }

    static let configuration = CommandConfiguration(
        commandName: "power", abstract: "Switch the boards of a job on or off, or show which they are.",
        discussion: """
            EXAMPLES
              spalloc power show 12
              spalloc power off 12
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "on, off or show.") var order: Order
    @Argument(help: "The job's number.") var id: Int
    @Option(name: .long, help: "Wait so many seconds at most until it is done.") var timeout = 120

    func run() async throws {
        try await self.service.withClient { client in
            let job = client.job(self.id)
            if self.order != .show {
                try await job.setPower(self.order == .on ? .on : .off)
                try await job.waitUntilReady(timeout: .seconds(self.timeout))
            }
            let power = try await job.power()
            self.output.show(.record([("power", .text(power?.rawValue)), ("id", .number(job.id))]))
        }
    }
}

struct DestroyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "End jobs and give their boards back.",
        discussion: """
            EXAMPLES
              spalloc destroy 12 13 --reason "wrong boards"
            """)

    @OptionGroup var service: ServiceOptions
    @Argument(help: "The jobs' numbers.") var ids: [Int]
    @Option(name: .long, help: "Why; kept by the service.") var reason = "destroyed by its user"

    func run() async throws {
        try await self.service.withClient { client in
            for id in self.ids {
                let job = client.job(id)
                // The service's answer to a destruction does not tell whether there was such a job; this does.
                _ = try await job.state()
                try await job.destroy(reason: self.reason)
            }
        }
    }
}

struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep a job of yours alive until Ctrl-C, without destroying it.",
        discussion: """
            For a job that `create --no-wait`, or a process that has died, left behind.
            """)

    @OptionGroup var service: ServiceOptions
    @Argument(help: "The job's number.") var id: Int

    func run() async throws {
        try await self.service.withClient { client in
            let job = client.job(self.id)
            let state = try await job.state()
            CommandContext.current.err("job \(job.id) is \(state); kept alive until Ctrl-C")
            try await JobHolder(job: job).hold()
        }
    }
}
