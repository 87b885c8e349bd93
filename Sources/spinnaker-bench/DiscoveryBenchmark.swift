//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOCore
import NIOPosix
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// How long it takes to look at a machine: three boards, beside stock SpiNNMan at the same boards, and 1,728.
///
/// A chip's coordinates are bytes, so no machine has as many boards as 1,728: they are 72 machines of 24, one after the other. Each
/// is looked at twice, and the second time counts: the first time a virtual chip is asked it works out its routes to all others,
/// which takes it longer than the rest and is nothing of the transceiver's.
struct DiscoveryBenchmark {
    static let rounds = 5
    /// Seconds for 82,944 chips on 1,728 boards; connections included.
    static let limit = 30.0
    static let large = (machines: 72, width: 2, height: 4)

    /// Seconds with the links at hand, and of the whole beginning: links, version, links to the other boards, discovery.
    private struct Times: Sendable {
        var chips = 0
        var details: [Double] = []
        var whole: [Double] = []

        /// What came after it.
        mutating func add(_ other: Times) {
            self.chips += other.chips
            self.details = [self.details.reduce(0, +) + other.details.reduce(0, +)]
            self.whole = [self.whole.reduce(0, +) + other.whole.reduce(0, +)]
        }
    }

    static func run() async throws {
        let (ours, stock) = try await withBenchBoards(.triads(width: 1, height: 1)) { host in
            let address = host.boards[0].address.description
            try await boot(address)
            return (try await measure(address, boards: 3, rounds: rounds), try StockDiscovery.measure(address))
        }
        var large = Times()
        let boards = self.large.width * self.large.height * 3
        for _ in 0..<self.large.machines {
            let part = try await withBenchBoards(.triads(width: self.large.width, height: self.large.height)) { host in
                let address = host.boards[0].address.description
                try await boot(address)
                _ = try await measure(address, boards: boards, rounds: 1)
                return try await measure(address, boards: boards, rounds: 1)
            }
            large.add(part)
        }
        report(ours, stock, large)
    }

    private static func boot(_ address: String) async throws {
        var configuration = TransceiverConfiguration()
        configuration.bootPause = .milliseconds(2)
        // What a board that is not booted costs.
        configuration.timeout = .milliseconds(20)
        configuration.retries = 500
        configuration.probeRetries = 0
        try await withTransceiver(to: address, image: .placeholder, configuration: configuration) { _ in }
    }

    private static func measure(_ address: String, boards: Int, rounds: Int) async throws -> Times {
        var times = Times()
        for _ in 0..<rounds {
            let start = ContinuousClock.now
            let (connected, chips) = try await withTransceiver(to: address) { transceiver in
                let connected = ContinuousClock.now
                guard transceiver.connectedChips.count == boards else {
                    throw BenchError("\(transceiver.connectedChips.count) of \(boards) boards have links")
                }
                return (connected, try await transceiver.discoverMachine().chips.count)
            }
            let end = ContinuousClock.now
            times.chips = chips
            times.details.append((end - connected) / .seconds(1))
            times.whole.append((end - start) / .seconds(1))
        }
        guard times.chips == boards * 48 else { throw BenchError("\(times.chips) chips were seen of \(boards * 48)") }
        return times
    }

    private static func report(_ ours: Times, _ stock: StockDiscovery?, _ large: Times) {
        print("\nLooking at a booted virtual machine by UDP; median of \(rounds) rounds (1,728 boards: one)\n")
        var table = Table(header: ["", "chips", "ms, links at hand", "ms, from nothing"])
        func row(_ name: String, _ chips: Int, _ details: [Double], _ whole: [Double]) {
            table.rows.append([
                name, "\(chips)", median(details).map { decimals($0 * 1000, 1) } ?? "-",
                median(whole).map { decimals($0 * 1000, 1) } ?? "-",
            ])
        }
        row("3 boards, ours", ours.chips, ours.details, ours.whole)
        if let stock { row("3 boards, stock SpiNNMan", stock.chips, stock.details, stock.whole) }
        row("1,728 boards, ours", large.chips, large.details, large.whole)
        table.print()
        var targets = Targets()
        if let stock, let theirs = median(stock.details), let mine = median(ours.details) {
            targets.atMost(0.3, mine / theirs, "of SpiNNMan's time, 3 boards, links at hand")
        }
        if let stock, let theirs = median(stock.whole), let mine = median(ours.whole) {
            targets.atMost(0.3, mine / theirs, "of SpiNNMan's time, 3 boards, from nothing")
        }
        if let seconds = large.whole.first { targets.atMost(limit, seconds, "s, 1,728 boards, from nothing") }
        targets.report()
    }
}

/// What `interop/bench/spinnman_discovery.py` measured of stock SpiNNMan.
struct StockDiscovery: Decodable {
    var chips: Int
    var details: [Double]
    var whole: [Double]

    static func measure(_ address: String) throws -> StockDiscovery? {
        let arguments = [address, "\(DiscoveryBenchmark.rounds)"]
        guard let line = try StockPython.run("spinnman_discovery.py", arguments) else { return nil }
        return try JSONDecoder().decode(StockDiscovery.self, from: line)
    }
}

/// Runs `body` with virtual boards that boot at once, on an event loop of their own.
func withBenchBoards<Result: Sendable>(
    _ kind: VirtualMachineDescription.Kind, seed: UInt64 = 1, _ body: (VirtualMachineHost) async throws -> Result
) async throws -> Result {
    var description = VirtualMachineDescription(kind, bootTimeScale: 0, isPoweredAtStart: true, seed: seed)
    // Dead links of the firmware would be notes, not chips.
    description.hasFirmwareLinkQuirks = false
    var logger = Logger(label: "spinnaker-bench")
    logger.logLevel = .error
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let result: Swift.Result<Result, any Error>
    do {
        result = .success(
            try await withVirtualMachineHost(
                description, bases: VirtualMachineHost.candidateBases, group: group, logger: logger
            ) { host, _ in try await body(host) })
    } catch {
        result = .failure(error)
    }
    try await group.shutdownGracefully()
    return try result.get()
}
