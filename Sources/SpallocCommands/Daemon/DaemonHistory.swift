//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocServer

/// `spallocd history`
struct DaemonHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Print the jobs that have ended, as CSV; also while the service runs.",
        discussion: "Moments are like 2026-01-31T12:00:00Z, or days like 2026-01-31.")

    @OptionGroup var file: DaemonConfiguration
    @Option(help: ArgumentHelp("Jobs that ended then or later.", valueName: "moment"))
    var from: String?
    @Option(help: ArgumentHelp("Jobs that ended before.", valueName: "moment"))
    var to: String?
    @Option(help: ArgumentHelp("Jobs of one user.", valueName: "name"))
    var owner: String?
    @Option(help: ArgumentHelp("Jobs on one machine.", valueName: "name"))
    var machine: String?

    private func moment(_ text: String?) throws -> Timestamp? {
        guard let text else { return nil }
        guard let instant = WireInstant(text) ?? WireInstant("\(text)T00:00:00Z") else {
            throw ValidationError("\"\(text)\" is no moment like 2026-01-31T12:00:00Z, nor a day")
        }
        return Timestamp(milliseconds: instant.secondsSince1970 &* 1000)
    }

    func run() async throws {
        let filter = HistoryFilter(
            from: try self.moment(self.from), before: try self.moment(self.to), owner: self.owner, machine: self.machine)
        let configuration = try self.file.load()
        try await Administration.with(configuration) { administration in
            CommandContext.current.out(HistoryText.header)
            var start = 0
            while true {
                let jobs = try await administration.history(filter, limit: 1000, start: start)
                for line in HistoryText.csv(jobs).split(separator: "\r\n").dropFirst() {
                    CommandContext.current.out(String(line))
                }
                guard jobs.count == 1000 else { return }
                start += 1000
            }
        }
    }
}
