//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation

/// What one run of one path showed.
struct Figures: Sendable {
    /// Requests answered per second.
    var rate: Double
    /// Microseconds from a request's write to its reply's arrival.
    var p50: Double
    var p99: Double
    /// CPU microseconds that this process spent per packet; nil where it is not this process that worked.
    var cpu: Double?

    init(count: Int, elapsedNanoseconds: UInt64, latencies: [UInt64], cpuNanoseconds: UInt64? = nil) {
        self.rate = elapsedNanoseconds == 0 ? 0 : Double(count) * 1e9 / Double(elapsedNanoseconds)
        let sorted = latencies.sorted()
        func percentile(_ p: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * p))]) / 1000
        }
        self.p50 = percentile(0.5)
        self.p99 = percentile(0.99)
        self.cpu = cpuNanoseconds.map { Double($0) / 1000 / Double(max(1, count)) }
    }

    /// The run whose rate is the middle one: a machine with neighbours has bad seconds, and good ones.
    static func median(_ runs: [Figures]) -> Figures? {
        let sorted = runs.sorted { $0.rate < $1.rate }
        return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }
}

/// A table of text: columns as wide as they need be, numbers to the right.
struct Table {
    var header: [String]
    var rows: [[String]] = []

    func print() {
        let all = [self.header] + self.rows
        let widths = self.header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for (number, row) in all.enumerated() {
            let cells = row.enumerated().map { column, text in
                let space = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + space : space + text
            }
            Swift.print(cells.joined(separator: "  "))
            if number == 0 { Swift.print(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")) }
        }
    }
}

func decimals(_ value: Double, _ places: Int = 0) -> String {
    String(format: "%.\(places)f", value)
}

/// What was promised, and what came of it.
struct Targets {
    private var lines: [String] = []
    private var missed = 0

    mutating func atLeast(_ target: Double, _ value: Double, _ what: String) {
        self.add("≥", target, value, what, value >= target)
    }
    mutating func atMost(_ target: Double, _ value: Double, _ what: String) {
        self.add("≤", target, value, what, value <= target)
    }

    private mutating func add(_ sign: String, _ target: Double, _ value: Double, _ what: String, _ isMet: Bool) {
        let places = target >= 10 ? 1 : 2
        self.lines.append(
            "\(isMet ? "met   " : "MISSED") \(decimals(value, places)) (\(sign) \(decimals(target, places))) \(what)")
        if !isMet { self.missed += 1 }
    }

    func report() {
        print("\ntargets:\n  " + self.lines.joined(separator: "\n  "))
        #if DEBUG
        print("  (a debug build: these say nothing)")
        #else
        // Figures are reported, not enforced: a machine with neighbours has bad minutes.
        if self.missed > 0 { print("  \(self.missed) of \(self.lines.count) targets missed") }
        #endif
    }
}
