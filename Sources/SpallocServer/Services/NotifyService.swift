//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SpallocAllocator

/// Notices that wait to be told. Whoever has one goes on at once; of too many the oldest are lost, and counted.
package final class NoticeQueue: Sendable {
    private struct State {
        var waiting: [Notice] = []
        var lost = 0
    }

    static let maximum = 100

    private let state = NIOLockedValueBox(State())
    let nudge = Nudge()

    package init() {}

    package func put(_ notice: Notice) {
        self.state.withLockedValue { state in
            if state.waiting.count >= NoticeQueue.maximum {
                state.waiting.removeFirst()
                state.lost += 1
            }
            state.waiting.append(notice)
        }
        self.nudge.signal()
    }

    /// - Returns: the oldest one, and how many were lost before it since the last time.
    func take() -> (notice: Notice, lost: Int)? {
        self.state.withLockedValue { state in
            guard !state.waiting.isEmpty else { return nil }
            defer { state.lost = 0 }
            return (state.waiting.removeFirst(), state.lost)
        }
    }

    package var count: Int { self.state.withLockedValue { $0.waiting.count } }
}

/// Tells whoever looks after the machine, by the configured command and by mail: one notice after the other.
struct NotifyService: Service {
    let core: ServiceCore

    func run() async throws {
        await withGracefulShutdownHandler {
            repeat {
                while !Task.isCancelled, let (notice, lost) = self.core.notices.take() {
                    if lost > 0 {
                        self.core.logger.warning("notices were lost: there were too many", metadata: ["lost": "\(lost)"])
                    }
                    await self.tell(notice)
                }
            } while await self.core.notices.nudge.wait()
        } onGracefulShutdown: {
            self.core.notices.nudge.end()
        }
    }

    /// What fails is logged, and not tried again: the log, the pages and the database have it all the same.
    func tell(_ notice: Notice) async {
        let settings = self.core.configuration.notify
        if !settings.command.isEmpty {
            await self.run(settings.command, notice) { try notice.json }
        }
        guard !settings.mailTo.isEmpty else { return }
        let mail = NoticeMail(
            from: settings.mailFrom, to: settings.mailTo, notice: notice, now: Date(), id: UUID().uuidString.lowercased())
        // A line with a dot alone is no end (-i); what follows the dashes are addresses.
        await self.run([settings.sendmail, "-i", "-f", settings.mailFrom, "--"] + settings.mailTo, notice) {
            Data(mail.text.replacing("\r\n", with: "\n").utf8)
        }
    }

    private func run(_ arguments: [String], _ notice: Notice, _ input: () throws -> Data) async {
        do {
            let command = NoticeCommand(arguments: arguments, deadline: self.core.configuration.notify.deadline)
            try await command.run(input: try input())
            self.core.metrics.notice(told: true)
        } catch {
            self.core.metrics.notice(told: false)
            self.core.logger.error(
                "a notice could not be told", metadata: ["notice": "\(notice.title)", "error": "\(error)"])
        }
    }
}

extension ServiceCore {
    /// Says so to whoever looks after the machine, if that is configured: one notice for each machine of the boards. Takes no time.
    func notify(_ kind: Notice.Kind, boards: [Int64], reason: String, job: Int? = nil, user: String? = nil) {
        guard self.configuration.notify.isOn else { return }
        let wanted = Set(boards)
        for machine in self.store.catalogue.machines {
            let names = machine.topology.boards.indices.compactMap { index in
                wanted.contains(machine.boardIDs[index]) ? machine.topology.boards[index]?.coordinates.short : nil
            }
            guard !names.isEmpty else { continue }
            self.notices.put(
                Notice(kind, at: self.clock(), machine: machine.name, boards: names, reason: reason, job: job, user: user))
        }
    }
}
