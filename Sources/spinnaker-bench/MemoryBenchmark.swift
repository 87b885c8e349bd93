//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation
import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// 10 MiB written and read over UDP at a window of 8: our transceiver, stock SpiNNMan, rig, and a client in plain C, all of them
/// against the same board in plain C, in the same run.
struct MemoryBenchmark {
    static let window = 8
    static let rounds = 5
    static let bytes = 10 << 20
    static let address = MemoryMap.userSDRAM

    enum Way: String, CaseIterable { case write, read }

    /// Seconds, by round.
    private var ours: [Way: [Double]] = [:]
    private var bare: [Way: [Double]] = [:]
    /// CPU microseconds of ours per packet.
    private var cpu: [Way: [Double]] = [:]

    static func run() async throws {
        var benchmark = MemoryBenchmark()
        let pair = try MemoryPair()
        defer { pair.end() }
        let data = (0..<MemoryBenchmark.bytes).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        try await benchmark.measure(pair, data)
        let stock = try StockMemory.measure(port: pair.port)
        benchmark.report(stock)
    }

    private mutating func measure(_ pair: MemoryPair, _ data: [UInt8]) async throws {
        let packets = Double(MemoryBenchmark.bytes / SCP.maximumData)
        let link = try await UDPLink.connect(to: .loopback, port: Int(pair.port))
        let turns = try await withTransceiver(links: [.origin: link]) { transceiver in
            let bytes = ByteBuffer(bytes: data)
            var turns: [[Way: (ours: Double, cpu: Double, bare: Double)]] = []
            for round in 0...MemoryBenchmark.rounds {
                var turn: [Way: (ours: Double, cpu: Double, bare: Double)] = [:]
                for way in Way.allCases {
                    let cpu = process_cpu_nanoseconds()
                    let start = ContinuousClock.now
                    switch way {
                    case .write: try await transceiver[.origin].write(bytes, at: MemoryBenchmark.address)
                    case .read:
                        let back = try await transceiver[.origin].read(
                            at: MemoryBenchmark.address, count: MemoryBenchmark.bytes)
                        guard back == bytes else { throw BenchError("we read something else than we wrote") }
                    }
                    let seconds = (ContinuousClock.now - start) / .seconds(1)
                    let used = Double(process_cpu_nanoseconds() - cpu) / 1000 / packets
                    let bare: Double
                    switch way {
                    case .write:
                        bare = try pair.write(data, at: MemoryBenchmark.address, window: MemoryBenchmark.window)
                    case .read:
                        let back = try pair.read(
                            MemoryBenchmark.bytes, at: MemoryBenchmark.address, window: MemoryBenchmark.window)
                        guard back.bytes == data else { throw BenchError("the C client read something else") }
                        bare = back.seconds
                    }
                    turn[way] = (seconds, used, bare)
                }
                // The first round only warms up.
                if round > 0 { turns.append(turn) }
            }
            return turns
        }
        for (way, figures) in turns.joined() {
            self.ours[way, default: []].append(figures.ours)
            self.cpu[way, default: []].append(figures.cpu)
            self.bare[way, default: []].append(figures.bare)
        }
    }

    private func report(_ stock: StockMemory?) {
        print(
            "\n\(MemoryBenchmark.bytes >> 20) MiB over UDP to one board in C, window \(MemoryBenchmark.window); "
                + "median of \(MemoryBenchmark.rounds) rounds\n")
        var table = Table(header: ["", "MiB/s", "packets/s", "CPU µs", "ours is"])
        var targets = Targets()
        func row(_ name: String, _ seconds: Double, cpu: Double?, ours: Double) {
            table.rows.append([
                name, decimals(Double(MemoryBenchmark.bytes) / 1_048_576 / seconds, 1),
                decimals(Double(MemoryBenchmark.bytes / SCP.maximumData) / seconds), cpu.map { decimals($0, 2) } ?? "-",
                "\(decimals(seconds / ours, 2)) ×",
            ])
        }
        for way in Way.allCases {
            guard let ours = median(self.ours[way] ?? []), let bare = median(self.bare[way] ?? []) else { continue }
            row("\(way.rawValue), ours", ours, cpu: median(self.cpu[way] ?? []), ours: ours)
            row("  plain C", bare, cpu: nil, ours: ours)
            targets.atLeast(0.6, bare / ours, "of a plain C client, \(way.rawValue)")
            guard let stock else { continue }
            for (name, library, target) in [("SpiNNMan", stock.spinnman, 3.0), ("rig", stock.rig, 2.0)] {
                let side = way == .write ? library.write : library.read
                guard let seconds = median(side.seconds) else { continue }
                row("  stock \(name)", seconds, cpu: median(side.cpu), ours: ours)
                targets.atLeast(target, seconds / ours, "× \(name), \(way.rawValue)")
            }
        }
        table.print()
        targets.report()
    }
}

/// What `interop/bench/scp_memory.py` measured of the Python clients.
struct StockMemory: Decodable {
    struct Side: Decodable {
        var seconds: [Double]
        var cpu: [Double]
        enum CodingKeys: String, CodingKey {
            case seconds
            case cpu = "cpu_us"
        }
    }
    struct Library: Decodable {
        var write: Side
        var read: Side
    }
    var spinnman: Library
    var rig: Library

    static func measure(port: UInt16) throws -> StockMemory? {
        let arguments = ["\(port)", "\(MemoryBenchmark.bytes)", "3"]
        guard let line = try StockPython.run("scp_memory.py", arguments) else { return nil }
        return try JSONDecoder().decode(StockMemory.self, from: line)
    }
}

func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    return sorted.isEmpty ? nil : sorted[sorted.count / 2]
}
