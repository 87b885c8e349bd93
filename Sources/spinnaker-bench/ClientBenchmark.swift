//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation
import NIOCore
import SpallocClient
import SpallocDemo
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// The job client beside stock SpiNNMan at the same windows, through the same TLS proxy, in the same run: rate, latency and CPU
/// of SCP, three boards on one websocket, state reads over HTTP, and the memory of a process that holds 100 jobs.
struct ClientBenchmark {
    static let windows = [1, 8, 32]
    static let rounds = 3

    private typealias Direction = ProxyBenchmark.Direction
    private var one: [Int: [Figures]] = [:]
    private var bare: [Figures] = []
    private var three: [Figures] = []
    private var stateMilliseconds: [Double] = []

    static func run() async throws {
        var benchmark = ClientBenchmark()
        let demo = try await DemoProcess()
        defer { demo.end() }
        try await benchmark.measure(demo)
        let stock = try StockClient.measure(demo)
        let resident = try JobHolding.measure(demo)
        benchmark.report(stock, resident: resident)
    }

    private mutating func measure(_ demo: DemoProcess) async throws {
        let pair = try BarePair(replySize: Direction.read.reply)
        defer { pair.end() }
        let turns = try await demo.withClient { client in
            try await client.withJob(.boards(3)) { job in
                try await job.waitUntilReady(timeout: .seconds(60))
                var configuration = TransceiverConfiguration()
                configuration.bootPause = .milliseconds(2)
                let chips = try await job.withTransceiver(configuration: configuration) {
                    _ = try await $0.ensureReady(image: .placeholder)
                    return $0.connectedChips
                }
                return try await job.withProxy { proxy in
                    var turns: [Turn] = []
                    for round in 0...ClientBenchmark.rounds {
                        // The first round only warms up.
                        let scale = round == 0 ? 10 : 1
                        var turn = Turn()
                        for window in ClientBenchmark.windows {
                            let count = (window == 1 ? 8_000 : 60_000) / scale
                            turn.one[window] = try await ClientBenchmark.read(proxy, [.origin], window: window, count: count)
                        }
                        turn.bare = try pair.measure(window: 32, count: 60_000 / scale, requestSize: Direction.read.request)
                        turn.three = try await ClientBenchmark.read(proxy, chips, window: 8, count: 60_000 / scale)
                        let start = ContinuousClock.now
                        let reads = 200 / scale
                        for _ in 0..<reads { _ = try await job.state() }
                        turn.stateMilliseconds = (ContinuousClock.now - start) / .milliseconds(1) / Double(reads)
                        if round > 0 { turns.append(turn) }
                    }
                    return turns
                }
            }
        }
        for turn in turns {
            for (window, figures) in turn.one { self.one[window, default: []].append(figures) }
            if let bare = turn.bare { self.bare.append(bare) }
            if let three = turn.three { self.three.append(three) }
            self.stateMilliseconds.append(turn.stateMilliseconds)
        }
    }

    /// What one round showed.
    private struct Turn: Sendable {
        var one: [Int: Figures] = [:]
        var bare: Figures?
        var three: Figures?
        var stateMilliseconds = 0.0
    }

    /// Reads from boards side by side, `count` packets of 256 bytes in all, each board with its own window.
    private static func read(_ proxy: SpallocProxy, _ chips: [ChipID], window: Int, count: Int) async throws -> Figures {
        var boards: [(chip: ChipID, link: TimedLink, connection: SCPConnection)] = []
        for chip in chips {
            let link = TimedLink(try await proxy.link(to: chip))
            let connection = SCPConnection(link: link, configuration: .init(window: window))
            connection.start()
            boards.append((chip, link, connection))
        }
        let bytes = count / chips.count * SCP.maximumData
        let cpu = process_cpu_nanoseconds()
        let start = NIODeadline.now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for board in boards {
                let (chip, connection) = (board.chip, board.connection)
                group.addTask {
                    let data = try await connection.read(address: 0x6024_0000, count: bytes, from: .monitor(of: chip))
                    guard data.readableBytes == bytes else { throw BenchError("a read came short") }
                }
            }
            try await group.waitForAll()
        }
        let elapsed = (NIODeadline.now() - start).nanoseconds
        let used = process_cpu_nanoseconds() - cpu
        var latencies: [UInt64] = []
        for board in boards {
            latencies += try await board.link.drain()
            await board.connection.closeAndWait()
        }
        return Figures(
            count: count, elapsedNanoseconds: UInt64(max(1, elapsed)), latencies: latencies, cpuNanoseconds: used)
    }

    // MARK: - Report

    private func report(_ stock: StockClient?, resident: Double) {
        print("\nThe client through the TLS proxy, reads of 256 bytes by SCP; median of \(ClientBenchmark.rounds) rounds\n")
        let one = self.one.compactMapValues { Figures.median($0) }
        let states = self.stateMilliseconds.sorted()
        guard let three = Figures.median(self.three), let bare = Figures.median(self.bare), !states.isEmpty else { return }
        let state = states[states.count / 2]
        var table = Table(header: ["", "ours", "stock SpiNNMan"])
        for window in ClientBenchmark.windows {
            let theirs = stock?.read(window: window)
            guard let ours = one[window] else { continue }
            table.rows.append(["packets/s, window \(window)", decimals(ours.rate), theirs.map { decimals($0.rate) } ?? "-"])
            table.rows.append([
                "CPU µs a packet, window \(window)", decimals(ours.cpu ?? 0, 2), theirs.map { decimals($0.cpu, 2) } ?? "-",
            ])
        }
        table.rows.append([
            "p50 µs, window 1", decimals(one[1]?.p50 ?? 0), stock?.latencyMicroseconds.map { decimals($0) } ?? "-",
        ])
        table.rows.append(["packets/s, three boards, window 8 each", decimals(three.rate), "-"])
        table.rows.append([
            "ms a state read over HTTP", decimals(state, 2), stock.map { decimals($0.stateMilliseconds, 2) } ?? "-",
        ])
        table.rows.append(["MiB resident, 100 jobs held", decimals(resident, 1), "-"])
        table.print()

        var targets = Targets()
        if let one8 = one[8], let one32 = one[32] {
            targets.atLeast(0.5, one32.rate / bare.rate, "of a bare UDP pair in C, window 32")
            targets.atLeast(1, three.rate / one8.rate, "of one board's rate, three boards on one websocket")
            if let stock {
                if let theirs = stock.read(window: 8) {
                    targets.atLeast(2.5, one8.rate / theirs.rate, "× SpiNNMan's packets/s, window 8")
                    targets.atMost(0.1, (one8.cpu ?? 0) / theirs.cpu, "× SpiNNMan's CPU a packet, window 8")
                }
                if let theirs = stock.read(window: 32) {
                    targets.atLeast(4, one32.rate / theirs.rate, "× SpiNNMan's packets/s, window 32")
                    targets.atMost(0.1, (one32.cpu ?? 0) / theirs.cpu, "× SpiNNMan's CPU a packet, window 32")
                }
                if let theirs = stock.latencyMicroseconds, let ours = one[1] {
                    targets.atMost(0.5, ours.p50 / theirs, "× SpiNNMan's p50, window 1")
                }
                targets.atMost(0.2, state / stock.stateMilliseconds, "× SpiNNMan's time a state read")
            }
        }
        targets.atMost(60, resident, "MiB for 100 jobs")
        targets.report()
    }
}

/// A process that holds many jobs: created, kept alive, their states followed. This program becomes it.
enum JobHolding {
    /// The hidden argument with which it does; then the path of `demo.json` and the number of jobs.
    static let argument = "--hold-jobs"
    static let jobs = 100

    /// MiB resident while all jobs are held.
    static func measure(_ demo: DemoProcess) throws -> Double {
        let process = Process()
        process.executableURL = URL(filePath: CommandLine.arguments[0])
        process.arguments = [
            JobHolding.argument, demo.directory.appending(path: "demo.json").path, String(JobHolding.jobs),
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0,
            let kibibytes = Double(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        else { throw BenchError("the process that holds jobs failed (exit \(process.terminationStatus))") }
        return kibibytes / 1024
    }

    /// What that process runs: prints its resident KiB once every job was told alive and its state is followed.
    static func hold(_ arguments: [String]) async throws {
        guard arguments.count == 2, let count = Int(arguments[1]) else { throw BenchError("usage: demo.json JOBS") }
        let access = try JSONDecoder().decode(DemoHouse.Access.self, from: Data(contentsOf: URL(filePath: arguments[0])))
        try await DemoProcess.withClient(access) { client in
            let (held, isHeld) = AsyncStream.makeStream(of: Void.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        try await client.withJob(.boards(1)) { job in
                            var isFirst = true
                            for try await _ in job.states {
                                if isFirst { isHeld.yield() }
                                isFirst = false
                            }
                        }
                    }
                }
                var waiting = count
                for await _ in held {
                    waiting -= 1
                    if waiting == 0 { break }
                }
                print(try JobHolding.residentKibibytes())
                group.cancelAll()
            }
        }
    }

    private static func residentKibibytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { throw BenchError("there is no VmRSS in /proc/self/status") }
        return number
    }
}

extension DemoProcess {
    /// Logged in at the demo's service.
    func withClient<Result: Sendable>(_ body: (SpallocClient) async throws -> Result) async throws -> Result {
        try await DemoProcess.withClient(self.access, body)
    }

    static func withClient<Result: Sendable>(
        _ access: DemoHouse.Access, _ body: (SpallocClient) async throws -> Result
    ) async throws -> Result {
        try await withSpallocClient(
            url: access.url, credentials: .password(user: access.user, access.password),
            configuration: SpallocClientConfiguration(trust: .certificateAuthorities(file: access.caFile)), body)
    }
}
