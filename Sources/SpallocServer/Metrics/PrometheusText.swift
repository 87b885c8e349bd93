//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Prometheus' text form, version 0.0.4: families of samples, each with its help and type.
package struct PrometheusText: Sendable {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package enum Kind: String, Sendable { case counter, gauge, histogram, summary }

    package private(set) var text = ""

    package init() {}

    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        let escaped = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        self.text += "# HELP \(name) \(escaped)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: Double) {
        self.text += name
        if !labels.isEmpty {
            let list = labels.map { "\(PrometheusText.name($0.0))=\"\(PrometheusText.escape($0.1))\"" }
            self.text += "{" + list.joined(separator: ",") + "}"
        }
        self.text += " \(PrometheusText.number(value))\n"
    }

    /// A family of one sample.
    package mutating func value(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
        self.family(name, kind, help)
        self.sample(name, [], Double(value))
    }

    /// Letters, digits and underscores, no digit first.
    static func name(_ text: String) -> String {
        let mapped = String(
            text.unicodeScalars.map { scalar -> Character in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": Character(scalar)
                default: "_"
                }
            })
        return mapped.first?.isNumber ?? true ? "_" + mapped : mapped
    }

    /// What others chose (the name of a machine) must not begin a new line or label.
    static func escape(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        // Whole numbers without a fraction, as long as a Double has them exactly.
        if let whole = Int64(exactly: value), abs(whole) < 1 << 53 { return "\(whole)" }
        return "\(value)"
    }
}
