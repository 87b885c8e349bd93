//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Figures of the suite, as ratios against peers in the same run: `spinnaker-bench [NAME…]`, all of them unless named.
@main
enum Benchmarks {
    /// In the order in which they run. Each prints its table, and throws when a budget of it is broken.
    private static let all: [(name: String, run: @Sendable () async throws -> Void)] = [
        ("codecs", { try CodecBenchmark.run() }),
        ("proxy", { try await ProxyBenchmark.run() }),
        ("client", { try await ClientBenchmark.run() }),
        ("memory", { try await MemoryBenchmark.run() }),
        ("discovery", { try await DiscoveryBenchmark.run() }),
        ("faults", { try await FaultBenchmark.run() }),
        ("service", { try await ServiceBenchmark.run() }),
        ("proxies", { try await ProxiesBenchmark.run() }),
    ]

    /// Names of several at once.
    private static let groups = ["transceiver": ["memory", "discovery", "faults"]]

    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        if words.first == BarePair.argument {
            exit(BarePair.respond(replySize: words.dropFirst().first.flatMap { Int($0) } ?? 64))
        }
        if words.first == MemoryPair.argument { exit(MemoryPair.respond()) }
        if words.first == ProxiesBenchmark.argument { exit(ProxiesBenchmark.respond()) }
        let becomes = [JobHolding.argument: JobHolding.hold, BenchService.argument: BenchService.serve]
        if let become = words.first.flatMap({ becomes[$0] }) {
            do {
                try await become(Array(words.dropFirst()))
                exit(0)
            } catch {
                complain("\(error)")
                exit(1)
            }
        }
        let known = self.all.map(\.name) + self.groups.keys.sorted()
        if let stranger = words.first(where: { $0 != "all" && !known.contains($0) }) {
            complain("there is no benchmark \(stranger); there are: \(known.joined(separator: ", ")), all")
            exit(64)
        }
        var failed = false
        let wanted = words.flatMap { self.groups[$0] ?? [$0] }
        for (name, run) in self.all where wanted.isEmpty || wanted.contains("all") || wanted.contains(name) {
            do {
                try await run()
            } catch {
                complain("\(name): \(error)")
                failed = true
            }
        }
        exit(failed ? 1 : 0)
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data("spinnaker-bench: \(text)\n".utf8))
    }
}
