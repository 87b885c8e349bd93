//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocServer
import Testing

/// The arithmetic of quotas, exactly.
@Suite struct GroupUsageTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func at(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: self.start.milliseconds + Int64(seconds * 1000)) }

    private func usage(quota: Int64?, _ jobs: [(boards: Int, since: Double)]) -> GroupUsage {
        GroupUsage(
            group: 1, quota: quota,
            jobs: jobs.enumerated().map { .init(id: $0.offset, boards: $0.element.boards, since: self.at($0.element.since)) })
    }

    @Test func aBoardForASecondIsOne() {
        #expect(self.usage(quota: nil, [(1, 0)]).used(now: self.at(1)) == 1)
        #expect(self.usage(quota: nil, [(3, 0)]).used(now: self.at(10)) == 30)
        #expect(self.usage(quota: nil, [(3, 0), (2, 5)]).used(now: self.at(10)) == 40)
        #expect(self.usage(quota: nil, []).used(now: self.at(10)) == 0)
    }

    /// A clock that was set back does not give anything back.
    @Test func timeBeforeTheJobIsNone() {
        #expect(self.usage(quota: 10, [(3, 5)]).used(now: self.at(0)) == 0)
        #expect(self.usage(quota: 10, [(3, 5)]).left(now: self.at(0)) == 10)
    }

    @Test func whatIsLeftIsTheGroupsAsAWhole() {
        let usage = self.usage(quota: 100, [(3, 0), (2, 0)])
        #expect(usage.left(now: self.at(10)) == 50)
        #expect(usage.left(now: self.at(20)) == 0)
        #expect(usage.left(now: self.at(30)) == 0)
        #expect(self.usage(quota: nil, [(3, 0)]).left(now: self.at(1e6)) == nil)
    }

    @Test func theEndComesToTheMillisecond() {
        let usage = self.usage(quota: 100, [(3, 0)])
        #expect(usage.exhaustion(now: self.at(0)) == Timestamp(milliseconds: self.start.milliseconds + 33_334))
        #expect(!usage.isExhausted(now: Timestamp(milliseconds: self.start.milliseconds + 33_333)))
        #expect(usage.isExhausted(now: Timestamp(milliseconds: self.start.milliseconds + 33_334)))
        // Seen from later it is the same moment.
        #expect(usage.exhaustion(now: self.at(20)) == Timestamp(milliseconds: self.start.milliseconds + 33_334))
    }

    @Test func withoutBoardsOrLimitItNeverEnds() {
        #expect(self.usage(quota: 100, []).exhaustion(now: self.start) == nil)
        #expect(self.usage(quota: nil, [(3, 0)]).exhaustion(now: self.start) == nil)
        #expect(!self.usage(quota: nil, [(3, 0)]).isExhausted(now: self.at(1e9)))
    }

    @Test func nothingIsTooLarge() {
        let usage = self.usage(quota: .max, [(.max, -1e9), (.max, -1e9)])
        #expect(usage.used(now: self.start) > 0)
        #expect((usage.left(now: self.start) ?? -1) >= 0)
        _ = usage.exhaustion(now: self.start)
        #expect(self.usage(quota: .max, [(1, 0)]).exhaustion(now: Timestamp(milliseconds: .max - 5)) == nil)
    }

    @Test(
        arguments: [
            (nil, "no limit"), (0, "0.00 board-hours"), (3600, "1.00 board-hours"), (1800, "0.50 board-hours"),
            (-5400, "-1.50 board-hours"), (36, "0.01 board-hours"), (35, "0.00 board-hours"), (-35, "0.00 board-hours"),
        ] as [(Int64?, String)])
    func hoursAreForPeople(seconds: Int64?, text: String) {
        #expect(BoardHours.text(seconds) == text)
    }
}
