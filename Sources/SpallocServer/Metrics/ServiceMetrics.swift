//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CoreMetrics
import NIOConcurrencyHelpers

/// What one service counts as it goes. What it has (jobs, boards) is looked up when the page is asked for: ``MetricsPage``.
package struct ServiceMetrics: Sendable {
    package let registry: PrometheusRegistry
    private let requests = Handles<RequestLabels>()
    private let powerCommands = Handles<PowerLabels>()

    private struct RequestLabels: Hashable, Sendable {
        var method: String
        var route: String
        var status: Int
    }

    private struct PowerLabels: Hashable, Sendable {
        var command: String
        var result: String
    }

    /// What counts and what times something, found once: to find them by their labels costs more than to count, and a job is a dozen
    /// commands. There are as many of them as the registry has metrics.
    private final class Handles<Labels: Hashable & Sendable>: Sendable {
        typealias Pair = (counter: any CounterHandler, timer: any TimerHandler)
        private let known = NIOLockedValueBox<[Labels: Pair]>([:])

        func pair(for labels: Labels, _ find: () -> Pair) -> Pair {
            if let known = self.known.withLockedValue({ $0[labels] }) { return known }
            let found = find()
            self.known.withLockedValue { $0[labels] = found }
            return found
        }
    }

    package init() {
        self.registry = PrometheusRegistry(help: [
            "spalloc_http_requests_total": "HTTP requests answered, by method, route and status.",
            "spalloc_http_request_duration_seconds": "How long HTTP requests took, waiting for a change included.",
            "spalloc_power_commands_total": "Commands to BMPs, by command and what became of them.",
            "spalloc_power_command_duration_seconds": "How long commands to BMPs took, each try by itself.",
            "spalloc_reloads_total": "SIGHUPs, by result.",
            "spalloc_notices_total": "Notices to whoever looks after the machine, by what became of them.",
            "spalloc_fast_data_bytes_total": "Bytes moved by the fast protocols.",
            "spalloc_fast_data_retransmissions_total": "Packets of the fast protocols that had to be sent again.",
            "spalloc_fast_data_failures_total": "Transfers by the fast protocols that failed.",
        ])
    }

    func request(method: String, route: String, status: Int, took: Duration) {
        let (counter, timer) = self.requests.pair(for: .init(method: method, route: route, status: status)) {
            let labels = [("method", method), ("route", route)]
            return (
                self.registry.makeCounter(
                    label: "spalloc_http_requests_total", dimensions: labels + [("status", "\(status)")]),
                self.registry.makeTimer(label: "spalloc_http_request_duration_seconds", dimensions: labels)
            )
        }
        counter.increment(by: 1)
        timer.record(took)
    }

    func powerCommand(_ command: String, result: String, took: Duration) {
        let (counter, timer) = self.powerCommands.pair(for: .init(command: command, result: result)) {
            (
                self.registry.makeCounter(
                    label: "spalloc_power_commands_total", dimensions: [("command", command), ("result", result)]),
                self.registry.makeTimer(
                    label: "spalloc_power_command_duration_seconds", dimensions: [("command", command)])
            )
        }
        counter.increment(by: 1)
        timer.record(took)
    }

    /// - Parameter direction: "to_board" or "from_board".
    func fastData(_ direction: String, bytes: Int, retransmissions: Int) {
        let labels = [("direction", direction)]
        Counter(label: "spalloc_fast_data_bytes_total", dimensions: labels, factory: self.registry).increment(by: Int64(bytes))
        Counter(label: "spalloc_fast_data_retransmissions_total", dimensions: labels, factory: self.registry)
            .increment(by: Int64(retransmissions))
    }

    func fastDataFailed(_ direction: String) {
        Counter(
            label: "spalloc_fast_data_failures_total", dimensions: [("direction", direction)], factory: self.registry
        ).increment()
    }

    func notice(told: Bool) {
        Counter(
            label: "spalloc_notices_total", dimensions: [("result", told ? "told" : "failed")], factory: self.registry
        ).increment()
    }

    func reload(succeeded: Bool) {
        Counter(
            label: "spalloc_reloads_total", dimensions: [("result", succeeded ? "done" : "failed")], factory: self.registry
        ).increment()
    }
}

extension TimerHandler {
    fileprivate func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.recordNanoseconds(overflow ? .max : product &+ attoseconds / 1_000_000_000)
    }
}
