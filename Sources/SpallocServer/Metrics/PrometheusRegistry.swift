//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CoreMetrics
import Synchronization

/// A backend of swift-metrics that keeps everything in memory, to be written out in Prometheus' text form.
///
/// One per service rather than the process's one, so that two services in a process (tests, the demonstration) do not add up. Labels of
/// metrics are Prometheus names already; timers become histograms in seconds.
package final class PrometheusRegistry: MetricsFactory {
    private struct Key: Hashable {
        var label: String
        var dimensions: [String]
    }

    private struct Entry {
        var labels: [(String, String)]
        var value: any PrometheusSample
    }

    private let entries = Mutex<[Key: Entry]>([:])
    private let help: [String: String]

    /// - Parameter help: what each metric is, by its label.
    package init(help: [String: String] = [:]) { self.help = help }

    private func make<Value: PrometheusSample>(
        _ label: String, _ dimensions: [(String, String)], _ new: () -> Value
    ) -> Value {
        let key = Key(label: label, dimensions: dimensions.flatMap { [$0.0, $0.1] })
        return self.entries.withLock { entries in
            if let known = entries[key]?.value as? Value { return known }
            let value = new()
            entries[key] = Entry(labels: dimensions, value: value)
            return value
        }
    }

    private func remove(_ handler: AnyObject) {
        self.entries.withLock { entries in entries = entries.filter { $0.value.value !== handler } }
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.make(label, dimensions) { PrometheusCounter() }
    }
    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.make(label, dimensions) { PrometheusCounter() }
    }
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.make(label, dimensions) { PrometheusGauge() }
    }
    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate
            ? self.make(label, dimensions) { PrometheusHistogram() } as any RecorderHandler
            : self.make(label, dimensions) { PrometheusGauge() }
    }
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.make(label, dimensions) { PrometheusHistogram() }
    }
    package func destroyCounter(_ handler: any CounterHandler) { self.remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { self.remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { self.remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { self.remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { self.remove(handler) }

    /// All metrics, by name and then by labels, so that two pages can be compared.
    package func write(to text: inout PrometheusText) {
        let entries = self.entries.withLock { Array($0) }
            .sorted {
                ($0.key.label, $0.key.dimensions.joined(separator: "\u{0}")) < (
                    $1.key.label, $1.key.dimensions.joined(separator: "\u{0}")
                )
            }
        var family: String?
        for (key, entry) in entries {
            let name = PrometheusText.name(key.label)
            if family != name { text.family(name, entry.value.kind, self.help[key.label] ?? key.label) }
            family = name
            entry.value.write(name, entry.labels, to: &text)
        }
    }
}

private protocol PrometheusSample: AnyObject, Sendable {
    var kind: PrometheusText.Kind { get }
    func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText)
}

private final class PrometheusCounter: PrometheusSample, CounterHandler, FloatingPointCounterHandler {
    private let value = Mutex(0.0)
    let kind = PrometheusText.Kind.counter

    // A counter only goes up.
    func increment(by amount: Int64) { self.increment(by: Double(amount)) }
    func increment(by amount: Double) { self.value.withLock { $0 += max(0, amount.isFinite ? amount : 0) } }
    func reset() { self.value.withLock { $0 = 0 } }
    func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText) {
        text.sample(name, labels, self.value.withLock { $0 })
    }
}

private final class PrometheusGauge: PrometheusSample, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)
    let kind = PrometheusText.Kind.gauge

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { self.value.withLock { $0 += amount } }
    func decrement(by amount: Double) { self.value.withLock { $0 -= amount } }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }
    func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText) {
        text.sample(name, labels, self.value.withLock { $0 })
    }
}

private final class PrometheusHistogram: PrometheusSample, TimerHandler, RecorderHandler {
    /// Seconds: from a reply out of memory to a long-poll.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

    private struct State {
        /// The last is for what is longer than all bounds.
        var counts = [Int](repeating: 0, count: bounds.count + 1)
        var sum = 0.0
    }

    private let state = Mutex(State())
    let kind = PrometheusText.Kind.histogram

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }
    func record(_ value: Int64) { self.record(Double(value)) }
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let index = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        self.state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }
    func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText) {
        let state = self.state.withLock { $0 }
        var total = 0
        for (bound, count) in zip(Self.bounds + [.infinity], state.counts) {
            total += count
            text.sample(name + "_bucket", labels + [("le", PrometheusText.number(bound))], Double(total))
        }
        text.sample(name + "_sum", labels, state.sum)
        text.sample(name + "_count", labels, Double(total))
    }
}
