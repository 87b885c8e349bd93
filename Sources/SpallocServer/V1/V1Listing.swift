//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// The list of jobs. Monitors ask for it over and over, and most of it is as it was: each job's entry is kept as the bytes that
/// are sent, for as long as the job does not change.
final class V1Listing: Sendable {
    private struct Entry {
        var revision: Int64
        var host: String?
        var bytes: ByteBuffer
    }

    /// Who has what is not for everybody to know; the name is the Java service's.
    static let hidden = "<Hidden>"

    private let core: ServiceCore
    private let user: Int64
    private let entries = NIOLockedValueBox<[Int: Entry]>([:])

    init(core: ServiceCore, user: Int64) {
        self.core = core
        self.user = user
        core.observe { [entries] change in
            if change.state == .destroyed { entries.withLockedValue { $0[change.job] = nil } }
        }
    }

    /// Writes the reply to `list_jobs`: all live jobs, oldest first.
    func write(into line: inout ByteBuffer) async throws {
        let known = self.entries.withLockedValue { $0 }
        let jobs = try await self.core.store.v1LiveJobs { job, revision, host in
            known[job].map { $0.revision == revision && $0.host == host } ?? false
        }
        line.reserveCapacity(minimumWritableBytes: jobs.count * 340 + 32)
        line.writeStaticString(#"{"return": ["#)
        var fresh: [Int: Entry] = [:]
        var isFirst = true
        for (id, changed) in jobs {
            let bytes: ByteBuffer
            if let changed {
                bytes = self.entry(changed.view, boards: changed.boards)
                fresh[id] = Entry(
                    revision: changed.view.record.revision, host: changed.view.record.keepaliveHost, bytes: bytes)
            } else if let kept = known[id] {
                bytes = kept.bytes
            } else {
                // It has ended between two looks at it.
                continue
            }
            if !isFirst { line.writeStaticString(", ") }
            isFirst = false
            line.writeImmutableBuffer(bytes)
        }
        line.writeStaticString("]}\n")
        self.keep(fresh)
    }

    private func keep(_ fresh: [Int: Entry]) {
        self.entries.withLockedValue { entries in
            for (id, entry) in fresh where entries[id].map({ $0.revision <= entry.revision }) ?? true { entries[id] = entry }
        }
    }

    private func entry(_ job: V1JobView, boards: [Int64]) -> ByteBuffer {
        let record = job.record
        let isOurs = record.ownerID == self.user
        let catalogue = self.core.store.catalogue
        let machine = record.allocation.flatMap { catalogue.machine(id: $0.machine) }
        let places = boards.compactMap { board in
            catalogue.place(of: board).map { catalogue.machines[$0.machine].topology.coordinates(of: $0.index) }
        }
        var bytes = ByteBuffer()
        V1Job(
            id: record.id, owner: isOurs ? job.owner ?? record.owner : V1Listing.hidden, startTime: record.createdAt.v1,
            keepalive: record.v1Keepalive, state: V1State(rawValue: record.state.number), power: job.power,
            args: isOurs ? V1Listing.json(job.args)?.arrayValue ?? [] : [],
            kwargs: isOurs ? V1Listing.json(job.kwargs)?.objectValue ?? [:] : [:], machineName: machine?.name,
            boards: machine == nil ? nil : places.sorted(), keepaliveHost: isOurs ? record.keepaliveHost ?? "" : ""
        ).json.write(into: &bytes)
        return bytes
    }

    private static func json(_ text: String?) -> V1JSON? {
        text.flatMap { try? V1JSON(line: ByteBuffer(string: $0)) }
    }
}
