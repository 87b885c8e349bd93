//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocAPI
import Testing

@Suite(.timeLimit(.minutes(3))) struct WireValueTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2021-10-11T12:13:14Z", 1_633_954_394), ("2000-02-29T23:59:59Z", 951_868_799),
            ("2100-03-01T00:00:00Z", 4_107_542_400), ("1969-12-31T23:59:59Z", -1), ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] as [(String, Int64)])
    func instantsBothWays(_ text: String, _ seconds: Int64) {
        #expect(WireInstant(text)?.secondsSince1970 == seconds)
        #expect(WireInstant(secondsSince1970: seconds).description == text)
    }

    /// Foundation is the judge, day by day over four centuries.
    @Test func instantsAgreeWithFoundation() {
        let formatter = ISO8601DateFormatter()
        for day in stride(from: Int64(-40_000), to: 110_000, by: 97) {
            let seconds = day * 86400 + day % 86400
            let date = Date(timeIntervalSince1970: TimeInterval(seconds))
            #expect(WireInstant(secondsSince1970: seconds).description == formatter.string(from: date))
        }
    }

    /// Every day that a month of 31 would have: a date is one exactly if the calendar has it.
    @Test func daysThatNoMonthHasAreRefused() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        for (year, isLeap) in [(1900, false), (2000, true), (2023, false), (2024, true), (2100, false)] {
            for month in 0...13 {
                for day in 0...32 {
                    let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T06:07:08Z"
                    let length = (1...12).contains(month) ? lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) : 0
                    #expect(WireInstant(text)?.description == (day >= 1 && day <= length ? text : nil), "\(text)")
                }
            }
        }
    }

    /// The database may hold any number: none may trap, and the time of day is one.
    @Test func instantsOfAnyNumber() {
        for seconds: Int64 in [.min, .min + 1, -86_401, -86_400, -1, 86_399, 86_400, (1 << 53) + 1, .max - 1, .max] {
            let text = WireInstant(secondsSince1970: seconds).description
            let inDay = ((seconds % 86_400) + 86_400) % 86_400
            let clock = text.suffix(9).dropLast().split(separator: ":").compactMap { Int64($0) }
            #expect(clock.count == 3 && clock[0] * 3600 + clock[1] * 60 + clock[2] == inDay, "\(text)")
        }
    }

    @Test func instantsLeniently() {
        #expect(WireInstant("2021-10-11T12:13:14.999Z")?.secondsSince1970 == 1_633_954_394)
        #expect(WireInstant("2021-10-11T14:13:14+02:00")?.secondsSince1970 == 1_633_954_394)
        #expect(WireInstant("2021-10-11T10:13:14-02:00")?.secondsSince1970 == 1_633_954_394)
        for bad in [
            "", "2021-10-11", "2021-13-11T12:13:14Z", "2021-10-11T24:13:14Z", "2021-10-11T12:13:14", "2021-10-11T12:13:14Zx",
            "é021-10-11T12:13:14Z",
        ] {
            #expect(WireInstant(bad) == nil, "\(bad)")
        }
    }

    @Test(
        arguments: [
            ("PT120S", 120), ("PT2M", 120), ("PT1H1M1.5S", 3661.5), ("P1D", 86400), ("P1DT1S", 86401), ("-PT5S", -5),
            ("pt5s", 5),
        ] as [(String, Double)])
    func durations(_ text: String, _ seconds: Double) {
        #expect(WireDuration(iso8601: text)?.seconds == seconds)
    }

    @Test(arguments: [
        "", "P", "PT", "120S", "PT1", "PTS", "PT1S1M", "PT1M1M", "P1H", "PT1.5M", "PTnanS", "PT1e9S", "P1DT", "PTTs",
    ])
    func noDurations(_ text: String) {
        #expect(WireDuration(iso8601: text) == nil)
    }

    @Test func durationsInJSON() throws {
        let decoder = JSONDecoder()
        for (json, seconds) in [("60.000000000", 60.0), ("60", 60), ("\"PT1M\"", 60)] {
            #expect(try decoder.decode(WireDuration.self, from: Data(json.utf8)).seconds == seconds)
        }
        #expect(throws: DecodingError.self) { try decoder.decode(WireDuration.self, from: Data("\"soon\"".utf8)) }
    }

    @Test func statesAndSides() {
        #expect(JobState.allCases.map(\.number) == [0, 1, 2, 3, 4])
        #expect(JobState(number: 3) == .ready && JobState(number: 5) == nil)
        for side in BoardSide.allCases { #expect(BoardSide(side.link) == side) }
    }

    @Test func anAbsentPowerIsOff() throws {
        for json in ["{}", #"{"power":null}"#, #"{"power":"OFF"}"#] {
            #expect(try JSONDecoder().decode(PowerDescription.self, from: Data(json.utf8)).power == .off)
        }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(PowerDescription.self, from: Data(#"{"power":"MAYBE"}"#.utf8))
        }
    }

    @Test func theOriginalRequestShowsItsNulls() throws {
        let request = CreateJobRequest(owner: "a", keepaliveInterval: WireDuration(seconds: 60), numBoards: 2)
        let bare = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
        #expect(!bare.contains("null"))
        let shown = String(decoding: try JSONEncoder().encode(OriginalRequest(request)), as: UTF8.self)
        #expect(shown.components(separatedBy: "null").count == 9)
        #expect(try JSONDecoder().decode(OriginalRequest.self, from: Data(shown.utf8)).request == request)
    }
}
