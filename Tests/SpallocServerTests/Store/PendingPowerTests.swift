//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import Testing
import VirtualSpiNNaker

@testable import SpallocServer

/// What waits for a BMP is in memory as it is in the database, whatever is done.
@Suite(.timeLimit(.minutes(3))) struct PendingPowerTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    /// Two frames: 36 boards.
    private func withStore(_ body: (Store, Int64, String) async throws -> Void) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("s.sqlite").path
        let store = try Store(path: path)
        try await store.importMachines([machineDefinition(4, 3)])
        try await store.setUser(name: "alice", password: nil, trustLevel: .user)
        try await body(store, try #require(try await store.user(named: "alice")).user.id, path)
        try store.close()
    }

    private func create(_ store: Store, _ user: Int64, boards: Int, keepalive: Int = 60, now: Timestamp) async throws -> Int {
        let request = CreateJobRequest(keepaliveInterval: WireDuration(seconds: Double(keepalive)), numBoards: boards)
        return try await store.createJob(
            owner: user, request: request, wanted: try JobRequest(request), keepalive: .seconds(keepalive), host: nil, now: now
        ).job
    }

    /// Reads everything as a store would that has just been opened.
    private func compare(_ store: Store, _ what: String) async throws {
        let fresh = PendingPower()
        let (rows, jobs, views) = try await store.pool.read { db in
            try fresh.load(db)
            let rows = try db.rows("SELECT \(PendingPower.Command.columns) FROM \(PendingPower.Command.tables)").map(
                PendingPower.Command.init(row:))
            let ids = try db.integers("SELECT id FROM job").map { Int($0) }
            return (rows, try ids.map { try db.job($0) }, try ids.map { try db.v1Job($0) })
        }
        let bmps = store.catalogue.bmps.map(\.id)
        var found: [PendingPower.Command] = []
        for bmp in bmps {
            let (known, right) = (try #require(store.power.commands(bmp: bmp)), try #require(fresh.commands(bmp: bmp)))
            #expect(known.map(\.command) == right.map(\.command), "\(what)")
            #expect(known.map { Set($0.job) } == right.map { Set($0.job) }, "\(what)")
            #expect(known.map(\.command.change) == known.map(\.command.change).sorted(), "\(what)")
            found += known.map(\.command)
        }
        #expect(Set(found) == Set(rows), "\(what)")
        #expect(Set(try #require(store.power.bmps)) == Set(rows.map(\.bmp)), "\(what)")
        // And jobs, as they are kept for who asks.
        for job in jobs.compactMap({ $0 }) {
            guard let kept = store.recent.job(job.id) else { continue }
            #expect("\(kept.record)" == "\(job)", "\(what)")
        }
        for view in views.compactMap({ $0 }) {
            guard let kept = store.recent.v1Job(view.record.id) else { continue }
            #expect("\(kept)" == "\(view)", "\(what)")
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func itIsAlwaysAsTheDatabase(seed: UInt64) async throws {
        try await self.withStore { store, user, _ in
            var random = SeededGenerator(seed: seed)
            var now = self.start
            var jobs: [Int] = []
            // Tasks that a worker has read and not yet done: by then others may have replaced them.
            var held: [PowerTask] = []
            for round in 0..<120 {
                now = now + .milliseconds(Int.random(in: 0..<3000, using: &random))
                let choice = Int.random(in: 0..<10, using: &random)
                switch choice {
                case 0, 1:
                    jobs.append(
                        try await self.create(
                            store, user, boards: Int.random(in: 1...7, using: &random),
                            keepalive: Int.random(in: 5...90, using: &random), now: now))
                case 2, 3: _ = try await store.allocate(now: now)
                case 4:
                    if let job = jobs.randomElement(using: &random) { _ = try await store.destroy(job, reason: nil, now: now) }
                case 5:
                    guard let job = jobs.randomElement(using: &random) else { break }
                    // Looked at by both ports, so that both keep it.
                    _ = try await store.job(job)
                    _ = try await store.v1Job(job)
                    _ = try await store.switchPower(of: job, on: Bool.random(using: &random), now: now)
                case 6: _ = try await store.expire(now: now)
                case 7: _ = try await store.retryBoards(now: now)
                default:
                    let bmp = try #require(store.catalogue.bmps.randomElement(using: &random)).id
                    if choice == 8 { held += try await store.powerTasks(bmp: bmp) }
                    let tasks = choice == 8 ? [] : held.isEmpty ? try await store.powerTasks(bmp: bmp) : held
                    held = choice == 8 ? held : []
                    let outcomes = tasks.map { task in
                        switch Int.random(in: 0..<12, using: &random) {
                        case 0: PowerOutcome(task: task, result: .boardFailed("it smokes"))
                        case 1: PowerOutcome(task: task, result: .unreachable("silence", retryAt: now + .seconds(4)))
                        default: PowerOutcome(task: task, result: .done)
                        }
                    }
                    if !outcomes.isEmpty { _ = try await store.recordPower(outcomes, now: now) }
                }
                try await self.compare(store, "seed \(seed), round \(round), choice \(choice)")
            }
        }
    }

    /// How long a board has been off is known when it is, also to the command that waits for it.
    @Test func aBoardWantedOnWhileItGoesOff() async throws {
        try await self.withStore { store, user, _ in
            let job = try await self.create(store, user, boards: 1, now: self.start)
            _ = try await store.allocate(now: self.start)
            let bmp = try #require(try await store.bmpsWithPowerTasks().first)
            func tasks() async throws -> [PowerTask] { try await store.powerTasks(bmp: bmp) }
            _ = try await store.recordPower(
                try await tasks().map { PowerOutcome(task: $0, result: .done) }, now: self.start + .seconds(1))
            _ = try await store.switchPower(of: job, on: false, now: self.start + .seconds(2))
            let off = try await tasks()
            #expect(off.map(\.on) == [false])
            _ = try await store.switchPower(of: job, on: true, now: self.start + .seconds(3))
            #expect(try await tasks().map(\.offSince) == [nil], "it is still on")
            _ = try await store.recordPower(off.map { PowerOutcome(task: $0, result: .done) }, now: self.start + .seconds(4))
            let on = try await tasks()
            #expect(on.map(\.on) == [true] && on.map(\.offSince) == [self.start + .seconds(4)])
            // All sides of a single board are a border.
            #expect(on.first?.border.count == 6)
        }
    }

    @Test func whatIsUndoneWasNot() async throws {
        try await self.withStore { store, user, _ in
            let job = try await self.create(store, user, boards: 2, now: self.start)
            _ = try await store.allocate(now: self.start)
            let bmp = try #require(try await store.bmpsWithPowerTasks().first)
            let before = try #require(store.power.commands(bmp: bmp)).map(\.command)
            #expect(before.count == 2)
            await #expect(throws: CancellationError.self) {
                try await store.writes.write { db in
                    _ = try db.destroy(job, reason: nil, now: self.start)
                    throw CancellationError()
                }
            }
            #expect(try #require(store.power.commands(bmp: bmp)).map(\.command) == before)
            try await self.compare(store, "undone")
        }
    }

    /// Each BMP's worker is called, and only for what is new.
    @Test func whoWaitsIsTold() async throws {
        try await self.withStore { store, user, _ in
            let told = NIOLockedValueBox<[Set<Int64>]>([])
            store.power.observe { bmps in told.withLockedValue { $0.append(bmps) } }
            let job = try await self.create(store, user, boards: 1, now: self.start)
            #expect(told.withLockedValue { $0 }.isEmpty)
            _ = try await store.allocate(now: self.start)
            let bmps = Set(try await store.bmpsWithPowerTasks())
            #expect(told.withLockedValue { $0 } == [bmps] && bmps.count == 1)
            for bmp in bmps {
                _ = try await store.recordPower(
                    try await store.powerTasks(bmp: bmp).map { PowerOutcome(task: $0, result: .done) }, now: self.start)
            }
            #expect(told.withLockedValue { $0 }.count == 1, "that something is done is no work")
            store.power.observe(nil)
            _ = try await store.destroy(job, reason: nil, now: self.start)
            #expect(told.withLockedValue { $0 }.count == 1)
            #expect(try await store.bmpsWithPowerTasks() == Array(bmps))
        }
    }

    /// After a crash: what waited is there.
    @Test func itIsThereAfterReopening() async throws {
        try await self.withStore { store, user, path in
            _ = try await self.create(store, user, boards: 5, now: self.start)
            _ = try await store.allocate(now: self.start)
            let again = try Store(path: path)
            let bmps = store.catalogue.bmps.map(\.id)
            for bmp in bmps { #expect(try await again.powerTasks(bmp: bmp) == (try await store.powerTasks(bmp: bmp))) }
            #expect(Set(try await again.bmpsWithPowerTasks()) == Set(try await store.bmpsWithPowerTasks()))
            try again.close()
        }
    }
}
