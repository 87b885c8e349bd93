//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CoreMetrics
import SpallocServer
import Testing

/// The text form, and the backend of swift-metrics that writes it.
@Suite(.timeLimit(.minutes(1))) struct PrometheusTests {
    private func page(_ registry: PrometheusRegistry) -> [String] {
        var text = PrometheusText()
        registry.write(to: &text)
        return text.text.split(separator: "\n").map(String.init)
    }

    @Test func aCounterCountsPerLabels() {
        let registry = PrometheusRegistry(help: ["requests_total": "Requests."])
        for status in ["200", "404", "200"] {
            Counter(label: "requests_total", dimensions: [("status", status)], factory: registry).increment(by: 2)
        }
        #expect(
            self.page(registry) == [
                "# HELP requests_total Requests.", "# TYPE requests_total counter", "requests_total{status=\"200\"} 4",
                "requests_total{status=\"404\"} 2",
            ])
    }

    @Test func aCounterNeverGoesDown() {
        let registry = PrometheusRegistry()
        let counter = FloatingPointCounter(label: "c", factory: registry)
        counter.increment(by: 1.5)
        counter.increment(by: -1)
        counter.increment(by: Double.nan)
        counter.increment(by: Double.infinity)
        #expect(self.page(registry).last == "c 1.5")
        counter.reset()
        #expect(self.page(registry).last == "c 0")
    }

    @Test func aGaugeIsWhatItWasSetToLast() {
        let registry = PrometheusRegistry()
        let meter = Meter(label: "g", factory: registry)
        meter.set(7)
        meter.increment(by: 2)
        meter.decrement(by: 0.5)
        #expect(self.page(registry) == ["# HELP g g", "# TYPE g gauge", "g 8.5"])
        Gauge(label: "g", factory: registry).record(3)
        #expect(self.page(registry).last == "g 3")
    }

    @Test func aTimerIsAHistogramOfSeconds() {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "t", dimensions: [("a", "b")], factory: registry)
        timer.recordMilliseconds(1)
        timer.recordMilliseconds(2)
        timer.recordSeconds(60)
        let lines = self.page(registry)
        #expect(lines[1] == "# TYPE t histogram")
        #expect(lines.contains("t_bucket{a=\"b\",le=\"0.001\"} 1"), "a bound belongs to its bucket")
        #expect(lines.contains("t_bucket{a=\"b\",le=\"0.0025\"} 2") && lines.contains("t_bucket{a=\"b\",le=\"30\"} 2"))
        #expect(lines.suffix(3) == ["t_bucket{a=\"b\",le=\"+Inf\"} 3", "t_sum{a=\"b\"} 60.003", "t_count{a=\"b\"} 3"])
    }

    @Test func whatIsDestroyedIsGone() {
        let registry = PrometheusRegistry()
        let (a, b) = (Counter(label: "a", factory: registry), Counter(label: "b", factory: registry))
        a.destroy()
        b.increment()
        #expect(self.page(registry) == ["# HELP b b", "# TYPE b counter", "b 1"])
    }

    /// A machine may have any name: it must not make lines of its own.
    @Test func labelsAreEscaped() {
        var text = PrometheusText()
        text.family("x", .gauge, "two\nlines \\")
        text.sample("x", [("na-me", "a\"b\\c\nd")], 1)
        #expect(text.text == "# HELP x two\\nlines \\\\\n# TYPE x gauge\nx{na_me=\"a\\\"b\\\\c\\nd\"} 1\n")
    }

    @Test(arguments: [
        (0.0, "0"), (1e15, "1000000000000000"), (0.25, "0.25"), (-3, "-3"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
        (.nan, "NaN"),
    ])
    func numbersAreAsPrometheusReadsThem(_ number: Double, _ text: String) {
        var page = PrometheusText()
        page.sample("x", [], number)
        #expect(page.text == "x \(text)\n")
    }
}
