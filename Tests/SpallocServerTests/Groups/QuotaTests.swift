//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocAllocator
import SpallocServer
import Testing

/// What groups pay for, at times that the test says.
@Suite(.timeLimit(.minutes(3))) struct QuotaTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func at(_ seconds: Int) -> Timestamp { self.start + .seconds(seconds) }

    private struct Lab: Sendable {
        let store: Store
        let path: String
        let user: Int64
        let group: Int64
    }

    private func withLab(quota: Int64?, _ body: (Lab) async throws -> Void) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("s.sqlite").path
        let store = try Store(path: path)
        try await store.importMachines([machineDefinition(2, 2)])
        let user = try #require(try await store.setUser(name: "alice", password: nil, trustLevel: .user)).id
        let group = try #require(try await store.addGroup("lab", quota: quota, by: "test", now: self.start)).id
        try await store.setMember(true, user: user, of: group)
        try await body(Lab(store: store, path: path, user: user, group: group))
        try? store.close()
    }

    private func create(_ lab: Lab, boards: Int, keepalive: Int = 100_000, inGroup: Bool = true) async throws -> Int {
        let request = CreateJobRequest(keepaliveInterval: WireDuration(seconds: 60), numBoards: boards)
        let payer = inGroup ? lab.group : nil
        let job = try await lab.store.createJob(
            owner: lab.user, request: request, wanted: try JobRequest(request), keepalive: .seconds(keepalive), host: nil,
            now: self.start, payer: { _ in payer }
        ).job
        _ = try await lab.store.allocate(now: self.start)
        return job
    }

    private func quota(_ lab: Lab) async throws -> Int64? { try await lab.store.group(id: lab.group)?.quota }

    // MARK: - Charging

    @Test func aJobIsChargedWhenItEnds() async throws {
        try await self.withLab(quota: 1000) { lab in
            let job = try await self.create(lab, boards: 3)
            #expect(try await self.quota(lab) == 1000, "nothing is written down while it lives")
            #expect(try await lab.store.groupUsage(of: lab.group).first?.left(now: self.at(100)) == 700)
            _ = try await lab.store.destroy(job, reason: nil, now: self.at(100))
            #expect(try await self.quota(lab) == 700)
            let entry = try #require(try await lab.store.quotaEntries(of: lab.group, limit: 1).first)
            #expect(entry.amount == -300 && entry.balance == 700 && entry.job == job && entry.by == "alice")
            #expect(entry.note == "3 boards for 100 s" && entry.at == self.at(100))
        }
    }

    /// Destroyed twice, by two requests at once: paid once.
    @Test func aJobIsChargedOnce() async throws {
        try await self.withLab(quota: 1000) { lab in
            let job = try await self.create(lab, boards: 1)
            let now = self.at(10)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try await lab.store.destroy(job, reason: nil, now: now) } }
                try await group.waitForAll()
            }
            #expect(try await self.quota(lab) == 990)
            #expect(try await lab.store.quotaEntries(of: lab.group, limit: 10).count == 2)
        }
    }

    /// What was not ended by the service that was killed is charged by the next, for the whole time.
    @Test func aRestartLosesNothing() async throws {
        try await self.withLab(quota: 1000) { lab in
            let job = try await self.create(lab, boards: 2)
            try lab.store.close()
            let store = try Store(path: lab.path)
            _ = try await store.destroy(job, reason: nil, now: self.at(50))
            #expect(try await store.group(id: lab.group)?.quota == 900)
            try store.close()
        }
    }

    @Test func whoNeverHadBoardsPaysNothing() async throws {
        try await self.withLab(quota: 1000) { lab in
            let first = try await self.create(lab, boards: 12)
            let waiting = try await self.create(lab, boards: 12)
            #expect(try await lab.store.job(waiting)?.state == .queued)
            _ = try await lab.store.destroy(waiting, reason: nil, now: self.at(10))
            #expect(try await self.quota(lab) == 1000)
            _ = try await lab.store.destroy(first, reason: nil, now: self.at(10))
            #expect(try await self.quota(lab) == 880)
        }
    }

    @Test func whoIsInNoGroupPaysNothing() async throws {
        try await self.withLab(quota: 1000) { lab in
            let job = try await self.create(lab, boards: 3, inGroup: false)
            _ = try await lab.store.destroy(job, reason: nil, now: self.at(100))
            #expect(try await self.quota(lab) == 1000)
        }
    }

    @Test func aGroupWithoutLimitHasAnAccountAllTheSame() async throws {
        try await self.withLab(quota: nil) { lab in
            let job = try await self.create(lab, boards: 3)
            _ = try await lab.store.destroy(job, reason: nil, now: self.at(100))
            #expect(try await self.quota(lab) == nil)
            let entry = try #require(try await lab.store.quotaEntries(of: lab.group, limit: 1).first)
            #expect(entry.amount == -300 && entry.balance == nil)
        }
    }

    // MARK: - Running out

    /// The reference compares each job alone with the quota, and lets the balance go below zero.
    @Test func theGroupAsAWholeRunsOut() async throws {
        try await self.withLab(quota: 100) { lab in
            let jobs = [
                try await self.create(lab, boards: 3), try await self.create(lab, boards: 1),
                try await self.create(lab, boards: 1),
            ]
            let before = try await lab.store.expire(now: self.at(19))
            #expect(before.changes.isEmpty)
            #expect(before.next == self.at(20), "and it knows when to look again")
            let after = try await lab.store.expire(now: self.at(21))
            #expect(Set(after.changes.map(\.job)) == Set(jobs) && after.changes.allSatisfy { $0.state == .destroyed })
            for job in jobs { #expect(try await lab.store.job(job)?.reason == "quota exceeded") }
            #expect(try await self.quota(lab) == 0)
            let entries = try await lab.store.quotaEntries(of: lab.group, limit: 10)
            #expect(entries.compactMap(\.amount).reduce(0, +) == 0, "what was given was taken, and no more")
            #expect(entries.allSatisfy { ($0.balance ?? 0) >= 0 })
        }
    }

    @Test func whoWaitsWithNothingLeftNeedNotWait() async throws {
        try await self.withLab(quota: 10) { lab in
            let first = try await self.create(lab, boards: 12)
            let waiting = try await self.create(lab, boards: 12)
            let other = try await self.create(lab, boards: 12, inGroup: false)
            _ = try await lab.store.expire(now: self.at(5))
            _ = try await lab.store.expire(now: self.at(6))
            #expect(try await lab.store.job(first)?.reason == "quota exceeded")
            #expect(try await lab.store.job(waiting)?.reason == "quota exceeded")
            #expect(try await lab.store.job(other)?.state == .queued)
        }
    }

    @Test func moreQuotaLetsJobsLive() async throws {
        try await self.withLab(quota: 100) { lab in
            let job = try await self.create(lab, boards: 1)
            #expect(
                try await lab.store.changeQuota(of: lab.group, .adjust(50), by: "root", note: "please", now: self.at(90)) == 150
            )
            #expect(try await lab.store.expire(now: self.at(149)).changes.isEmpty)
            #expect(try await lab.store.expire(now: self.at(150)).changes.map(\.job) == [job])
        }
    }

    @Test func quotasAreChangedAndWrittenDown() async throws {
        try await self.withLab(quota: 100) { lab in
            func change(_ change: QuotaChange) async throws -> Int64? {
                try await lab.store.changeQuota(of: lab.group, change, by: "root", note: "n", now: self.start)
            }
            #expect(try await change(.adjust(-30)) == 70)
            #expect(try await change(.adjust(-300)) == 0)
            #expect(try await change(.set(500)) == 500)
            #expect(try await change(.adjust(.max)) == .max)
            #expect(try await change(.unlimited) == nil)
            #expect(try await change(.adjust(5)) == nil, "to no limit nothing can be added")
            #expect(try await change(.set(5)) == 5)
            let entries = try await lab.store.quotaEntries(of: lab.group, limit: 10)
            #expect(entries.map(\.balance) == [5, nil, .max, 500, 0, 70, 100])
            #expect(entries.map(\.amount) == [5, nil, .max - 500, 500, -70, -30, 100])
            #expect(try await lab.store.quotaEntries(of: lab.group, limit: 2, start: 1).map(\.balance) == [nil, .max])
        }
    }

    @Test func aGroupWithJobsStays() async throws {
        try await self.withLab(quota: 100) { lab in
            let job = try await self.create(lab, boards: 1)
            _ = try await lab.store.destroy(job, reason: nil, now: self.start)
            #expect(try await lab.store.deleteGroup(lab.group) == false)
            let other = try #require(try await lab.store.addGroup("other", quota: nil, by: "t", now: self.start)).id
            try await lab.store.setMember(true, user: lab.user, of: other)
            #expect(try await lab.store.addGroup("other", quota: 5, by: "t", now: self.start) == nil)
            #expect(try await lab.store.deleteGroup(other))
            #expect(try await lab.store.groups(of: lab.user).map(\.name) == ["lab"])
        }
    }
}
