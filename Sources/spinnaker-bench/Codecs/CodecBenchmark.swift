//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CAllocationCounter
import Foundation

/// The hot codecs, one message at a time, beside stock SpiNNMan's in the same run.
enum CodecBenchmark {
    /// - Throws: ``BenchError`` when a codec allocated: encoding into a reserved buffer and decoding a slice need not.
    static func run() throws {
        let peer = Result { try self.peer() }
        let theirs = (try? peer.get()) ?? [:]
        var table = Table(header: ["codec, one message", "ns", "allocations", "SpiNNMan ns", "SpiNNMan ÷ ours"])
        var greedy: [String] = []
        for work in CodecCases.all {
            let result = try work.measure()
            let peer = theirs[work.key]
            table.rows.append([
                work.name, decimals(result.nanoseconds, 1),
                allocation_counter_works() ? self.each(result.allocations, of: result.messages) : "?",
                peer.map { decimals($0) } ?? "–",
                peer.map { decimals($0 / result.nanoseconds) } ?? "–",
            ])
            if result.allocations > 0 { greedy.append("\(work.name): \(result.allocations) for \(result.messages) messages") }
        }
        print("Codecs: CPU time of one thread. Allocations: calls of malloc and its kin, counted, none sampled.")
        table.print()
        if case .failure(let error) = peer { print("(no figures of SpiNNMan: \(error))") }
        print()
        guard greedy.isEmpty else { throw BenchError("allocated: " + greedy.joined(separator: "; ")) }
    }

    /// Exactly 0 or what it is; never a small number rounded to 0.
    private static func each(_ allocations: UInt64, of messages: Int) -> String {
        allocations == 0 ? "0" : String(format: "%.4g", Double(allocations) / Double(messages))
    }

    /// Nanoseconds by key, of the stock Python client.
    private static func peer() throws -> [String: Double] {
        let python = ProcessInfo.processInfo.environment["PYTHON"] ?? ".venv-interop/bin/python"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python, "interop/bench/codecs.py"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("\(python) interop/bench/codecs.py ended with \(process.terminationStatus)")
        }
        return try JSONDecoder().decode([String: Double].self, from: text)
    }
}
