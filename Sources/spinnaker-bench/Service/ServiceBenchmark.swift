//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOPosix
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine

/// The allocation service with 1,728 boards and BMPs that cost no time: jobs a second beside the original `spalloc_server`, how long
/// a job takes to be ready, lists, memory; and the allocator by itself.
struct ServiceBenchmark {
    static let clients = 32
    static let seconds = 3.0
    static let queued = 500
    static let polls = 1000

    /// How fast lives of jobs went by.
    struct Pace: Sendable {
        /// Jobs a second.
        var jobs = 0.0
        /// Microseconds of CPU that the service spent on each: it says the same whoever else is at work on the machine.
        var cpu = 0.0
    }

    static func run() async throws {
        let service = try ServiceProcess()
        defer { service.end() }
        let port = (rest: service.ports.rest, v1: service.ports.v1)
        let idle = try service.resident()
        let rest = try await self.pace(of: service) {
            let client = try RESTClient(port: port.rest)
            return {
                let job = try client.create()
                try client.waitUntilReady(job)
                try client.destroy(job)
            }
        }
        let v1 = try await self.pace(ofV1: service)
        let ready = try self.readiness(port.rest)
        let lists = try self.lists(port)
        let waiting = try self.longPolls(service)
        let original = try await self.original()
        self.report(idle: idle, waiting: waiting, rest: rest, v1: v1, original: original, ready: ready, lists: lists)
    }

    // MARK: - Jobs a second

    /// A job's life over and over, by each of the clients: created, ready, ended.
    private static func pace(
        of service: ServiceProcess, _ makeLife: @escaping @Sendable () throws -> (() throws -> Void)
    ) async throws -> Pace {
        let cpu = try service.cpuSeconds()
        let pool = NIOThreadPool(numberOfThreads: self.clients)
        pool.start()
        defer { pool.shutdownGracefully { _ in } }
        let start = ContinuousClock.now
        let end = start + .seconds(self.seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<self.clients {
                group.addTask {
                    try await pool.runIfActive {
                        let life = try makeLife()
                        var count = 0
                        while ContinuousClock.now < end {
                            try life()
                            count += 1
                        }
                        return count
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        return Pace(
            jobs: Double(count) / (start.duration(to: .now) / .seconds(1)),
            cpu: (try service.cpuSeconds() - cpu) * 1e6 / Double(max(1, count)))
    }

    private static func pace(ofV1 service: ServiceProcess) async throws -> Pace {
        let port = service.ports.v1
        return try await self.pace(of: service) {
            let client = try V1Client(port: port)
            return {
                let job = try client.create()
                try client.waitUntilReady(job)
                try client.destroy(job)
            }
        }
    }

    /// nil: there is no interpreter that has the original.
    private static func original() async throws -> (pace: Pace, list: Double)? {
        guard let python = ProcessInfo.processInfo.environment["SPALLOC_SERVER_PYTHON"] else {
            print("note: SPALLOC_SERVER_PYTHON is not set (`make bench` sets it): the original spalloc_server is left out")
            return nil
        }
        let service = try ServiceProcess(original: python)
        defer { service.end() }
        let port = service.ports.v1
        let pace = try await self.pace(ofV1: service)
        let client = try V1Client(port: port)
        _ = try client.create("\(BenchService.width), \(BenchService.height)")
        for _ in 0..<self.queued { _ = try client.create("3") }
        return (pace, try self.milliseconds(10) { _ = try client.ask("list_jobs") })
    }

    // MARK: - One at a time

    private static func milliseconds(_ rounds: Int, _ body: () throws -> Void) rethrows -> Double {
        var times: [Double] = []
        for _ in 0..<rounds {
            let start = ContinuousClock.now
            try body()
            times.append(start.duration(to: .now) / .milliseconds(1))
        }
        return median(times) ?? 0
    }

    /// Milliseconds from a job's creation to its being ready, as the client sees it.
    private static func readiness(_ port: Int) throws -> Double {
        let client = try RESTClient(port: port)
        var times: [Double] = []
        for _ in 0..<300 {
            let start = ContinuousClock.now
            let job = try client.create()
            try client.waitUntilReady(job)
            times.append(start.duration(to: .now) / .milliseconds(1))
            try client.destroy(job)
        }
        return median(times) ?? 0
    }

    /// Milliseconds for the list of a running job and 500 that wait for all boards.
    private static func lists(_ port: (rest: Int, v1: Int)) throws -> (rest: Double, v1: Double) {
        let (rest, v1) = (try RESTClient(port: port.rest), try V1Client(port: port.v1))
        let first = try rest.create("\"dimensions\":{\"width\":\(BenchService.width),\"height\":\(BenchService.height)}")
        try rest.waitUntilReady(first)
        let jobs = try (0..<self.queued).map { _ in try v1.create("3") }
        let times = (
            rest: try self.milliseconds(50) { _ = try rest.ask("GET", "jobs?limit=200") },
            v1: try self.milliseconds(50) { _ = try v1.ask("list_jobs") }
        )
        for job in jobs { try v1.destroy(job) }
        try rest.destroy(first)
        return times
    }

    /// MiB with 1,000 clients that wait for a change.
    private static func longPolls(_ service: ServiceProcess) throws -> (before: Double, during: Double) {
        let client = try RESTClient(port: service.ports.rest)
        let job = try client.create()
        try client.waitUntilReady(job)
        let before = try service.resident().all
        let clients = try (0..<self.polls).map { _ in try RESTClient(port: service.ports.rest) }
        for client in clients {
            _ = try client.ask("GET", "jobs/\(job)")
            try client.send("GET", "jobs/\(job)?wait=true")
        }
        // One more on another connection has been answered after all of these were taken up.
        for _ in 0..<100 { _ = try client.ask("GET", "jobs/\(job)") }
        let during = try service.resident().all
        try client.destroy(job)
        return (before, during)
    }

    // MARK: - The figures

    private static func report(
        idle: ServiceProcess.Memory, waiting: (before: Double, during: Double), rest: Pace, v1: Pace,
        original: (pace: Pace, list: Double)?,
        ready: Double, lists: (rest: Double, v1: Double)
    ) {
        let allocator = AllocatorFigures.measure()
        print(
            "\nThe service with 1,728 boards, BMPs that cost no time; \(self.clients) clients for \(decimals(self.seconds)) s\n"
        )
        var table = Table(header: ["", "jobs/s", "CPU µs a job", "ms, \(self.queued) queued jobs listed"])
        func row(_ name: String, _ pace: Pace, _ list: Double) {
            table.rows.append([name, decimals(pace.jobs), decimals(pace.cpu), decimals(list, 2)])
        }
        row("ours, REST (a page of 200)", rest, lists.rest)
        row("ours, legacy protocol", v1, lists.v1)
        if let original {
            row("spalloc_server, legacy protocol", original.pace, original.list)
        }
        table.print()
        print(
            "\nresident: \(decimals(idle.all, 1)) MiB idle, \(decimals(idle.own, 1)) of it memory and the rest pages of the program and "
                + "of libraries, \(decimals(waiting.before, 1)) after the jobs, "
                + "\(decimals(waiting.during, 1)) with \(self.polls) clients waiting")
        var targets = Targets()
        if let original {
            targets.atLeast(5, rest.jobs / original.pace.jobs, "times spalloc_server's jobs/s, by REST")
            targets.atLeast(5, v1.jobs / original.pace.jobs, "times spalloc_server's jobs/s, by the legacy protocol")
        }
        targets.atMost(1, ready, "ms from created to ready, median")
        targets.atMost(1, lists.v1, "ms, \(self.queued) queued jobs listed by the legacy protocol")
        targets.atMost(1, lists.rest, "ms, a page of 200 of them by REST")
        targets.atMost(0.5, allocator.whole, "ms, 24 × 24 allocated")
        targets.atMost(0.05, allocator.half, "ms, mixed sizes at 50 % occupancy, 95th percentile")
        targets.atMost(0.05, allocator.full, "ms, mixed sizes at 92 % occupancy, 95th percentile")
        targets.atMost(40, idle.all, "MiB resident, idle")
        targets.atMost(30, waiting.during - waiting.before, "MiB more with \(self.polls) clients waiting")
        targets.report()
    }
}

/// Milliseconds that the allocator takes for a decision on 24 × 24 triads.
struct AllocatorFigures {
    var whole = 0.0
    /// At the 95th percentile.
    var half = 0.0
    var full = 0.0

    static func measure() -> AllocatorFigures {
        let definition = BenchService.machine
        let topology = MachineTopology(
            name: definition.name, tags: Set(definition.tags), width: definition.width, height: definition.height,
            boards: definition.boards.map { .init(coordinates: $0.coordinates, physical: $0.physical, address: $0.address) })
        var figures = AllocatorFigures()
        figures.whole =
            median((0..<50).map { _ in self.decide(.rectangle(width: 24, height: 24), topology, topology.existing).time }) ?? 0
        figures.half = self.percentile(topology, occupied: 0.5)
        figures.full = self.percentile(topology, occupied: 0.92)
        return figures
    }

    private static func decide(
        _ size: JobRequest.Size, _ topology: MachineTopology, _ usable: BoardSet
    ) -> (time: Double, placement: Placement?) {
        let snapshot = AllocatorSnapshot(
            machines: [.init(topology: topology, functioning: topology.existing, usable: usable)],
            queue: [.init(id: 1, request: JobRequest(size: size, machine: .tagged(["default"])), since: 0)])
        let start = ContinuousClock.now
        let decisions = Allocator.decide(snapshot)
        return (start.duration(to: .now) / .milliseconds(1), decisions.first?.placement)
    }

    /// Jobs of mixed sizes come until so much is taken; from then on each that comes ends those that came first.
    private static func percentile(_ topology: MachineTopology, occupied: Double) -> Double {
        let sizes: [JobRequest.Size] = [
            .boards(1), .boards(1), .boards(2), .boards(3), .boards(3), .boards(6), .boards(12),
            .rectangle(width: 2, height: 2),
            .rectangle(width: 3, height: 2), .boards(24),
        ]
        var usable = topology.existing
        var held: [BoardSet] = []
        var taken = 0
        var times: [Double] = []
        var random = UInt64(61474)
        let limit = Int(Double(topology.existing.count) * occupied)
        for round in 0..<4000 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let (time, placement) = self.decide(sizes[Int(random >> 33) % sizes.count], topology, usable)
            if round > 1000 { times.append(time) }
            if let boards = placement?.boards {
                usable.subtract(boards)
                held.append(boards)
                taken += boards.count
            }
            while taken > limit, !held.isEmpty {
                // Not in their order, so that what is free is scattered.
                let ended = held.remove(at: Int(random >> 20) % held.count)
                usable.formUnion(ended)
                taken -= ended.count
            }
        }
        times.sort()
        return times.isEmpty ? 0 : times[times.count * 95 / 100]
    }
}
