//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import NIOCore
import VirtualSpiNNaker

// Faults of the network in front of the machine: `drop=0.01 latency=2ms` on a command line, an object in a description.
//
// | name | value | meaning |
// |---|---|---|
// | `drop`, `duplicate`, `reorder`, `corrupt` | probability, 0...1 | per datagram |
// | `drop-every` | whole number | loses every so-manieth |
// | `latency`, `jitter`, `reorder-delay` | duration: `2ms`, `500us`, `0.1s` | see ``NetworkFaults`` |
extension NetworkFaults {
    /// - Returns: nil for `none`.
    static func parse(words: [String]) throws(SimError) -> NetworkFaults? {
        if words == ["none"] { return nil }
        guard !words.isEmpty else { throw SimError("network is told none, or what is wrong, like drop=0.01 latency=2ms") }
        var faults = NetworkFaults(latency: .zero)
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw SimError("\"\(word)\" is not NAME=VALUE") }
            try faults.set(parts[0], to: parts[1])
        }
        return faults
    }

    private mutating func set(_ name: String, to text: String) throws(SimError) {
        if let path = NetworkFaults.probabilities[name] {
            guard let value = Double(text), value >= 0, value <= 1 else {
                throw SimError("\(name) is a probability in 0...1, not \"\(text)\"")
            }
            self[keyPath: path] = value
        } else if let path = NetworkFaults.durations[name] {
            guard let value = TimeAmount(text: text) else {
                throw SimError("\(name) is a duration like 2ms, 500us or 0.1s, not \"\(text)\"")
            }
            self[keyPath: path] = value
        } else if name == "drop-every" {
            guard let value = Int(text), value >= 0 else { throw SimError("drop-every is a whole number, not \"\(text)\"") }
            self.dropEvery = value
        } else {
            throw SimError("the network has no \"\(name)\": \(NetworkFaults.names.joined(separator: ", "))")
        }
    }

    private static var probabilities: [String: WritableKeyPath<NetworkFaults, Double>] {
        ["drop": \.drop, "duplicate": \.duplicate, "reorder": \.reorder, "corrupt": \.corrupt]
    }
    private static var durations: [String: WritableKeyPath<NetworkFaults, TimeAmount>] {
        ["latency": \.latency, "jitter": \.jitter, "reorder-delay": \.reorderDelay]
    }
    static var names: [String] {
        (Array(NetworkFaults.probabilities.keys) + Array(NetworkFaults.durations.keys) + ["drop-every"]).sorted()
    }
}

extension TimeAmount {
    /// `2ms`, `500us`, `0.1s`.
    init?(text: String) {
        let units: [(String, Double)] = [("us", 1e3), ("ms", 1e6), ("s", 1e9)]
        guard let (unit, scale) = units.first(where: { text.hasSuffix($0.0) }), let number = Double(text.dropLast(unit.count)),
            number >= 0, number <= 3600
        else { return nil }
        self = .nanoseconds(Int64(number * scale))
    }
}

/// The same in a description: `{"drop": 0.01, "latency": "2ms"}`.
struct NetworkFaultsFile: Decodable {
    let faults: NetworkFaults?

    init(from decoder: any Decoder) throws {
        try decoder.suggestForUnknownKeys(NetworkFaults.names)
        let container = try decoder.singleValueContainer()
        let words = try container.decode([String: Scalar].self).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }
        do {
            self.faults = words.isEmpty ? nil : try NetworkFaults.parse(words: words)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
        }
    }

    /// A number or a text.
    private struct Scalar: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else if let number = try? container.decode(Int.self) {
                self.text = "\(number)"
            } else {
                self.text = "\(try container.decode(Double.self))"
            }
        }
    }
}
