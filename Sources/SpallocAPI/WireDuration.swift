//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A length of time as the service reads it: an ISO-8601 string (`"PT120S"`, the Python client) or a number of seconds
/// (`60.000000000`, the Java client). It is written as a number of seconds.
public struct WireDuration: Hashable, Sendable, Comparable {
    public var seconds: Double

    public init(seconds: Double) { self.seconds = seconds }
    public init(_ duration: Duration) {
        self.seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    public static func < (a: WireDuration, b: WireDuration) -> Bool { a.seconds < b.seconds }

    /// nil unless it is `PnDTnHnMn.nS` with at least one part. A sign may stand before any number, as in Java.
    public init?(iso8601 text: some StringProtocol) {
        var rest = Substring(text.uppercased())
        var sign = 1.0
        if rest.hasPrefix("-") {
            sign = -1
            rest = rest.dropFirst()
        }
        guard rest.hasPrefix("P") else { return nil }
        rest = rest.dropFirst()
        var inTime = false
        var total = 0.0
        // Units come in this order, each at most once.
        var remaining: [(unit: Character, scale: Double, time: Bool)] = [
            ("D", 86400, false), ("H", 3600, true), ("M", 60, true), ("S", 1, true),
        ]
        var found = false
        while !rest.isEmpty {
            if rest.hasPrefix("T") {
                guard !inTime, rest.count > 1 else { return nil }
                inTime = true
                rest = rest.dropFirst()
                continue
            }
            let digits = rest.prefix(while: { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-" || $0 == "+") })
            guard let number = Double(digits), number.isFinite, let unit = rest.dropFirst(digits.count).first,
                let index = remaining.firstIndex(where: { $0.unit == unit && $0.time == inTime }),
                unit == "S" || !digits.contains(".")
            else { return nil }
            total += number * remaining[index].scale
            remaining.removeSubrange(...index)
            rest = rest.dropFirst(digits.count + 1)
            found = true
        }
        guard found else { return nil }
        self.seconds = sign * total
    }
}

extension WireDuration: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let seconds = try? container.decode(Double.self) {
            self.seconds = seconds
            return
        }
        let text = try container.decode(String.self)
        guard let duration = WireDuration(iso8601: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is neither an ISO-8601 duration nor a number of seconds")
        }
        self = duration
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.seconds)
    }
}
