//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

/// Whether the next reply is worth watching for: only when replies come sooner than a thread wakes up.
@Suite struct ReplyWatchTests {
    /// Sends requests one by one, each answered after `roundTrip`, then one more that is not.
    private func bench(roundTrip: TimeAmount, replies: Int) throws -> PipelineBench {
        let bench = PipelineBench()
        for token in 0..<replies {
            bench.start(token)
            bench.advance(roundTrip)
            bench.answer(try bench.take())
        }
        bench.start(replies)
        return bench
    }

    @Test func nobodyKnowsBeforeTheFirstReply() throws {
        #expect(try self.bench(roundTrip: .microseconds(10), replies: 0).watch() == nil)
    }

    @Test func nothingIsWaitedForWhenNothingIsUnderWay() throws {
        let bench = try self.bench(roundTrip: .microseconds(10), replies: 3)
        #expect(bench.watch() != nil)
        bench.answer(try bench.take())
        #expect(bench.watch() == nil)
    }

    @Test(arguments: [
        (TimeAmount.microseconds(99), true), (.microseconds(100), true), (.microseconds(101), false), (.seconds(1), false),
    ])
    func onlyNearPeersAreWatched(_ roundTrip: TimeAmount, _ isWatched: Bool) throws {
        #expect((try self.bench(roundTrip: roundTrip, replies: 30).watch() != nil) == isWatched)
    }

    /// One that is late must not hold the event loop for longer than a near reply takes.
    @Test func notLongerThanANearReplyMayTake() throws {
        let bench = try self.bench(roundTrip: .microseconds(90), replies: 1)
        #expect(bench.watch() == .microseconds(100))
        let steady = try self.bench(roundTrip: .microseconds(20), replies: 200)
        let patience = try #require(steady.watch())
        #expect(patience >= .microseconds(20) && patience < .microseconds(25))
    }

    @Test func aPeerThatBecomesSlowIsNoLongerWatched() throws {
        let bench = try self.bench(roundTrip: .microseconds(20), replies: 50)
        for token in 51..<70 {
            bench.advance(.milliseconds(1))
            bench.answer(try bench.take())
            bench.start(token)
        }
        #expect(bench.watch() == nil)
    }

    // MARK: Watching in vain

    /// Watches for the reply to one request, which comes after `delay`.
    private func watchOnce(_ bench: PipelineBench, token: Int, delay: TimeAmount) throws -> Bool {
        let watched = bench.watch() != nil
        bench.advance(delay)
        bench.answer(try bench.take())
        bench.start(token)
        return watched
    }

    /// Host and board share an event loop: while it watches, the board can not answer. Each reply that was watched for comes
    /// after the watch, all others at once.
    @Test func whereWatchingStandsInTheWayItIsNearlyGivenUp() throws {
        let bench = try self.bench(roundTrip: .microseconds(20), replies: 200)
        var watches = 0
        for token in 0..<20_000 {
            let time = bench.watch()
            if time != nil { watches += 1 }
            bench.advance((time ?? .zero) + .microseconds(20))
            bench.answer(try bench.take())
            bench.start(1000 + token)
        }
        // 16 + 32 + … + 4096 replies go by unwatched after the first nine, then 4096 after each.
        #expect(watches == 12)
    }

    @Test func afterAWatchInVainSixteenRepliesGoByUnwatched() throws {
        let bench = try self.bench(roundTrip: .microseconds(20), replies: 200)
        #expect(try self.watchOnce(bench, token: 300, delay: .microseconds(60)))
        for token in 0..<16 { #expect(try !self.watchOnce(bench, token: 301 + token, delay: .microseconds(20))) }
        #expect(try self.watchOnce(bench, token: 320, delay: .microseconds(20)))
        // It paid, so the next one in vain costs sixteen again, not thirty-two.
        #expect(try self.watchOnce(bench, token: 321, delay: .microseconds(90)))
        for token in 0..<16 { #expect(try !self.watchOnce(bench, token: 322 + token, delay: .microseconds(20))) }
        #expect(try self.watchOnce(bench, token: 340, delay: .microseconds(20)))
    }
}
