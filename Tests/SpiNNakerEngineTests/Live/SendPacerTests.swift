//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

@Suite struct SendPacerTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    func at(_ milliseconds: Int64) -> NIODeadline { self.start + .milliseconds(milliseconds) }

    @Test func aBurstThenAPause() {
        var pacer = SendPacer(burst: 6, pause: .milliseconds(100))
        #expect(pacer.reserve(8, now: self.start) == (6, self.at(0)))
        #expect(pacer.reserve(2, now: self.start) == (2, self.at(100)))
        // The rest of that burst goes with it.
        #expect(pacer.reserve(9, now: self.at(1)) == (4, self.at(100)))
        #expect(pacer.reserve(5, now: self.at(1)) == (5, self.at(200)))
    }

    @Test func manySendersShareThePace() {
        var pacer = SendPacer(burst: 2, pause: .milliseconds(10))
        let times = (0..<6).map { _ in pacer.reserve(1, now: self.start).at }
        #expect(times == [0, 0, 10, 10, 20, 20].map(self.at))
    }

    @Test func whoeverHasWaitedLongEnoughBeginsAnew() {
        var pacer = SendPacer(burst: 6, pause: .milliseconds(100))
        _ = pacer.reserve(5, now: self.start)
        #expect(pacer.reserve(6, now: self.at(99)) == (1, self.at(99)))
        #expect(pacer.reserve(6, now: self.at(99)) == (6, self.at(199)))
        #expect(pacer.reserve(6, now: self.at(400)) == (6, self.at(400)))
    }

    @Test func anythingGoesWithoutALimit() {
        var pacer = SendPacer(burst: .max, pause: .zero)
        #expect(pacer.reserve(1_000_000, now: self.start) == (1_000_000, self.at(0)))
        var least = SendPacer(burst: 0, pause: .milliseconds(1))
        #expect(least.reserve(0, now: self.start) == (1, self.at(0)))
        #expect(least.reserve(5, now: self.start) == (1, self.at(1)))
    }
}
