//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocClient

struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List jobs, newest first.",
        discussion: """
            Listing keeps no job alive. The service numbers everybody's jobs but tells only about your own.

            EXAMPLES
              spalloc jobs                 yours that live
              spalloc jobs --everybody     all numbers
              spalloc jobs --destroyed --limit 200
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions
    @Flag(name: .long, help: "Those of other users too; only their numbers are known.") var everybody = false
    @Flag(name: .long, help: "Those that are over too.") var destroyed = false
    @Option(name: .long, help: "Look at so many at most.") var limit = 100

    func validate() throws {
        guard self.limit > 0 else { throw ValidationError("--limit must be at least 1") }
    }

    func run() async throws {
        try await self.service.withClient { client in
            var jobs: [SpallocJob] = []
            for try await job in client.jobs(includingDestroyed: self.destroyed) {
                jobs.append(job)
                if jobs.count == self.limit { break }
            }
            let details = try await Self.details(of: jobs)
            let rows = jobs.compactMap { job -> [Report.Cell]? in
                guard let details = details[job.id] else {
                    return self.everybody ? [.number(job.id), .none, .none, .none, .none, .none] : nil
                }
                return [
                    .number(job.id), .text(details.state.rawValue), .text(details.owner), .instant(details.startTime),
                    .instant(details.keepaliveTime), .text(details.reason),
                ]
            }
            self.output.show(.rows(["id", "state", "owner", "started", "kept-alive", "reason"], rows))
        }
    }

    /// Of those that are ours: others' are "not found". A few requests at a time.
    private static func details(of jobs: [SpallocJob]) async throws -> [Int: JobDescription] {
        try await withThrowingTaskGroup(of: Look.self) { group in
            var waiting = jobs.makeIterator()
            func addNext() {
                guard let job = waiting.next() else { return }
                group.addTask { try await Look(at: job) }
            }
            for _ in 0..<8 { addNext() }
            var found: [Int: JobDescription] = [:]
            while let look = try await group.next() {
                found[look.id] = look.details
                addNext()
            }
            return found
        }
    }

    /// What the service told about a job; nothing if it is another's. A struct with an initialiser, not a tuple made in a
    /// task's closure, which Swift 6.3.1's optimiser builds wrongly around a typed throw.
    private struct Look: Sendable {
        let id: Int
        let details: JobDescription?

        init(at job: SpallocJob) async throws(SpallocError) {
            self.id = job.id
            do {
                self.details = try await job.details()
            } catch {
                guard error.code == .notFound || error.code == .forbidden else { throw error }
                self.details = nil
            }
        }
    }
}
