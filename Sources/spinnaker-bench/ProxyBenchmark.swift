//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation
import NIOCore
import SpallocClient
import SpallocDemo
import SpiNNaker
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// SCP through the TLS websocket proxy to a virtual board, beside a bare UDP pair in C with packets of the same sizes, and the
/// stock SpiNNMan client through the same proxy: all in one run, in turns.
struct ProxyBenchmark {
    static let windows = [1, 8, 32]
    static let rounds = 3

    enum Direction: String, CaseIterable {
        case read, write
        /// Bytes of the datagrams.
        var request: Int { self == .read ? 26 : 26 + SCP.maximumData }
        var reply: Int { self == .read ? 14 + SCP.maximumData : 14 }
    }

    private struct Key: Hashable {
        var direction: Direction
        var window: Int
    }

    private var ours: [Key: [Figures]] = [:]
    private var bare: [Key: [Figures]] = [:]

    static func run() async throws {
        var benchmark = ProxyBenchmark()
        let demo = try await DemoProcess()
        defer { demo.end() }
        try await benchmark.measure(demo)
        let stock = try StockClient.measure(demo)
        benchmark.report(stock)
    }

    private mutating func measure(_ demo: DemoProcess) async throws {
        var pairs: [Direction: BarePair] = [:]
        for direction in Direction.allCases { pairs[direction] = try BarePair(replySize: direction.reply) }
        defer { for pair in pairs.values { pair.end() } }
        let client = SpallocClientConfiguration(trust: .certificateAuthorities(file: demo.access.caFile))
        let results = try await withSpallocClient(
            url: demo.access.url, credentials: .password(user: demo.access.user, demo.access.password), configuration: client
        ) { client in
            try await client.withJob(SpallocJobRequest(.boards(1))) { job in
                try await job.waitUntilReady(timeout: .seconds(60))
                var configuration = TransceiverConfiguration()
                configuration.bootPause = .milliseconds(2)
                configuration.timeout = .milliseconds(200)
                try await job.withTransceiver(configuration: configuration) {
                    _ = try await $0.ensureReady(image: .placeholder)
                }
                return try await job.withProxy { proxy in
                    var results: [(Key, bare: Figures, ours: Figures)] = []
                    for round in 0...ProxyBenchmark.rounds {
                        for window in ProxyBenchmark.windows {
                            for direction in Direction.allCases {
                                let count = round == 0 ? 2_000 : (window == 1 ? 8_000 : 60_000)
                                let ours = try await ProxyBenchmark.measure(
                                    proxy, window: window, direction: direction, count: count)
                                guard let pair = pairs[direction] else { continue }
                                let bare = try pair.measure(window: window, count: count, requestSize: direction.request)
                                // The first round only warms up.
                                if round > 0 { results.append((Key(direction: direction, window: window), bare, ours)) }
                            }
                        }
                    }
                    return results
                }
            }
        }
        for (key, bare, ours) in results {
            self.bare[key, default: []].append(bare)
            self.ours[key, default: []].append(ours)
        }
    }

    private static func measure(
        _ proxy: SpallocProxy, window: Int, direction: Direction, count: Int
    ) async throws -> Figures {
        let link = TimedLink(try await proxy.link(to: .origin))
        let connection = SCPConnection(link: link, configuration: .init(window: window))
        connection.start()
        let core = CoreID.monitor(of: .origin)
        let bytes = count * SCP.maximumData
        let cpu = process_cpu_nanoseconds()
        let start = NIODeadline.now()
        switch direction {
        case .read:
            let data = try await connection.read(address: 0x6024_0000, count: bytes, from: core)
            guard data.readableBytes == bytes else { throw BenchError("a read came short") }
        case .write:
            try await connection.write(ByteBuffer(repeating: 0x5A, count: bytes), address: 0x6024_0000, to: core)
        }
        let elapsed = (NIODeadline.now() - start).nanoseconds
        let used = process_cpu_nanoseconds() - cpu
        let latencies = try await link.drain()
        let statistics = await connection.statistics()
        if statistics.resent > count / 100 { print("note: \(statistics.resent) of \(count) requests were sent again") }
        await connection.closeAndWait()
        return Figures(
            count: count, elapsedNanoseconds: UInt64(max(1, elapsed)), latencies: latencies, cpuNanoseconds: used)
    }

    private func report(_ stock: StockClient?) {
        print("\nSCP of 256 bytes through the TLS proxy to one virtual board; median of \(ProxyBenchmark.rounds) rounds\n")
        var table = Table(header: [
            "path", "packets/s", "p50 µs", "p99 µs", "CPU µs", "of bare UDP", "of SpiNNMan",
        ])
        for direction in Direction.allCases {
            for window in ProxyBenchmark.windows {
                let key = Key(direction: direction, window: window)
                guard let ours = Figures.median(self.ours[key] ?? []), let bare = Figures.median(self.bare[key] ?? []) else {
                    continue
                }
                let theirs = direction == .read ? stock?.read : stock?.write
                table.rows.append([
                    "\(direction.rawValue), window \(window)", decimals(ours.rate), decimals(ours.p50), decimals(ours.p99),
                    decimals(ours.cpu ?? 0, 2), decimals(ours.rate / bare.rate, 2),
                    theirs.map { decimals(ours.rate / $0.rate, 1) } ?? "-",
                ])
                table.rows.append([
                    "  bare UDP pair in C", decimals(bare.rate), decimals(bare.p50), decimals(bare.p99),
                    decimals(bare.cpu ?? 0, 2), "1.00", "-",
                ])
            }
            if let theirs = direction == .read ? stock?.read : stock?.write {
                table.rows.append([
                    "\(direction.rawValue), stock SpiNNMan (window 8)", decimals(theirs.rate), "-", "-",
                    decimals(theirs.cpu, 2), "-", "1.0",
                ])
            }
        }
        table.print()
        guard let read32 = self.ratio(.read, 32), let write32 = self.ratio(.write, 32) else { return }
        print(
            "\ntarget: at least 0.40 of the bare pair at window 32: read \(decimals(read32, 2)), write \(decimals(write32, 2))")
        if let stock, let read8 = Figures.median(self.ours[Key(direction: .read, window: 8)] ?? []),
            let write8 = Figures.median(self.ours[Key(direction: .write, window: 8)] ?? [])
        {
            print(
                "target: at least 2.0 of SpiNNMan at window 8: read \(decimals(read8.rate / stock.read.rate, 1)), "
                    + "write \(decimals(write8.rate / stock.write.rate, 1))")
        }
    }

    private func ratio(_ direction: Direction, _ window: Int) -> Double? {
        let key = Key(direction: direction, window: window)
        guard let ours = Figures.median(self.ours[key] ?? []), let bare = Figures.median(self.bare[key] ?? []) else {
            return nil
        }
        return ours.rate / bare.rate
    }
}

/// What `interop/bench/spinnman_client.py` measured of the stock client.
struct StockClient: Decodable {
    struct Side: Decodable {
        var rate: Double
        var cpu: Double
        enum CodingKeys: String, CodingKey {
            case rate
            case cpu = "cpu_us"
        }
    }
    var read: Side
    var write: Side
    /// Reads by window, where it was told to use another than its own 8.
    var windows: [String: Side]?
    /// Microseconds from a request's send to its reply's arrival, the middle one of many, one at a time.
    var latencyMicroseconds: Double?
    /// Milliseconds of one state read over HTTP.
    var stateMilliseconds: Double

    enum CodingKeys: String, CodingKey {
        case read, write, windows
        case latencyMicroseconds = "latency_us"
        case stateMilliseconds = "state_ms"
    }

    func read(window: Int) -> Side? { window == 8 ? self.read : self.windows?["\(window)"] }

    /// nil: there is no stock client here.
    static func measure(_ demo: DemoProcess) throws -> StockClient? {
        let file = demo.directory.appending(path: "demo.json").path
        guard let line = try StockPython.run("spinnman_client.py", [file, "20000"]) else { return nil }
        return try JSONDecoder().decode(StockClient.self, from: line)
    }
}
