//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A moment as the service writes it: ISO-8601, UTC, whole seconds: `2021-10-11T12:13:14Z`.
public struct WireInstant: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var secondsSince1970: Int64

    public init(secondsSince1970: Int64) { self.secondsSince1970 = secondsSince1970 }

    public static func < (a: WireInstant, b: WireInstant) -> Bool { a.secondsSince1970 < b.secondsSince1970 }

    /// nil unless it is `YYYY-MM-DDThh:mm:ss`, an optional fraction (dropped), and `Z` or an offset `±hh:mm`.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        func number(_ at: Int, _ count: Int) -> Int64? {
            guard at + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[at..<(at + count)] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        func has(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0, 4), has("-", at: 4), let month = number(5, 2), has("-", at: 7), let day = number(8, 2),
            has("T", at: 10), let hour = number(11, 2), has(":", at: 13), let minute = number(14, 2), has(":", at: 16),
            let second = number(17, 2), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var end = 19
        if has(".", at: end) {
            end += 1
            while end < bytes.count, bytes[end] >= 0x30, bytes[end] <= 0x39 { end += 1 }
        }
        var offset: Int64 = 0
        if has("Z", at: end) {
            guard end + 1 == bytes.count else { return nil }
        } else {
            guard has("+", at: end) || has("-", at: end), let hours = number(end + 1, 2), has(":", at: end + 3),
                let minutes = number(end + 4, 2), end + 6 == bytes.count
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (has("-", at: end) ? -1 : 1)
        }
        let days = WireInstant.days(year: year, month: month, day: day)
        // 31 February is not 3 March.
        guard WireInstant.civil(days: days).day == day else { return nil }
        self.secondsSince1970 = days * 86400 + hour * 3600 + minute * 60 + second - offset
    }

    public var description: String {
        let (quotient, remainder) = self.secondsSince1970.quotientAndRemainder(dividingBy: 86400)
        let days = remainder < 0 ? quotient - 1 : quotient
        let inDay = remainder < 0 ? remainder + 86400 : remainder
        let (year, month, day) = WireInstant.civil(days: days)
        func padded(_ value: Int64, _ width: Int = 2) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month))-\(padded(day))T"
            + "\(padded(inDay / 3600)):\(padded(inDay / 60 % 60)):\(padded(inDay % 60))Z"
    }

    // The proleptic Gregorian calendar, in eras of 400 years that begin in March, so that the leap day comes last.

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let m = (5 * dayOfYear + 2) / 153
        let month = m < 10 ? m + 3 : m - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * m + 2) / 5 + 1)
    }
}

extension WireInstant: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let instant = WireInstant(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not an ISO-8601 instant")
        }
        self = instant
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
