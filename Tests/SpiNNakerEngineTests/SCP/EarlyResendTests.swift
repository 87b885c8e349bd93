//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Resending before the timeout: only what may be done twice, and only when it looks lost.
@Suite struct EarlyResendTests {
    @Test func aRequestOvertakenByItsOwnChipIsLost() throws {
        let bench = PipelineBench(policy: .standard)
        for token in 0..<8 { bench.start(token) }
        let packets = bench.wire
        bench.answer(packets[1])
        bench.answer(packets[2])
        #expect(bench.sent.count == 8, "two replies ahead may be reordering")
        bench.answer(packets[3])
        #expect(bench.sent.count == 9)
        #expect(bench.sent[8] == bench.sent[0])
        bench.answer(packets[4])
        #expect(bench.sent.count == 9, "sent again once only")
        bench.answer(packets[0])
        #expect(bench.completed == [1, 2, 3, 4, 0])
        #expect(bench.statistics.resentEarly == 1)
    }

    @Test func anotherChipMayBeFaster() {
        let bench = PipelineBench(policy: .standard)
        bench.start(0, to: CoreID(7, 7, 0))
        for token in 1..<8 { bench.start(token, to: CoreID(0, 0, 0)) }
        for packet in bench.wire.dropFirst() { bench.answer(packet) }
        #expect(bench.sent.count == 8)
    }

    @Test func whatMustNotBeDoneTwiceWaitsForItsTimeout() {
        let bench = PipelineBench(policy: .standard)
        bench.start(
            IPTagCommand(operation: .new), token: 0)
        for token in 1..<8 { bench.start(token) }
        for packet in bench.wire.dropFirst() { bench.answer(packet) }
        bench.advance(.milliseconds(999))
        bench.poll()
        #expect(bench.sent.count == 8)
        bench.advance(.milliseconds(1))
        bench.poll()
        #expect(bench.sent.count == 9)
    }

    @Test func theIntervalFollowsTheRoundTripAndDoubles() throws {
        let bench = PipelineBench(
            SCPPipelineConfiguration(window: 1, minimumResendInterval: .milliseconds(1)), policy: .standard)
        // Ten exchanges of 2 ms each: 2 ms is the mean, and the variation dies away.
        for token in 0..<40 {
            bench.start(token)
            bench.advance(.milliseconds(2))
            bench.answer(try bench.take())
        }
        bench.sent = []
        bench.outcomes = []
        bench.start(100)
        let start = bench.now
        var times: [Int64] = []
        while bench.outcomes.isEmpty, let deadline = bench.nextDeadline {
            bench.now = deadline
            let before = bench.sent.count
            bench.poll()
            if bench.sent.count > before { times.append((bench.now - start).nanoseconds / 1_000_000) }
        }
        // Early ones, at intervals of about 2, 4, 8, ... 512 ms; then ten more at one second each, as the policy says.
        #expect(times.prefix(8) == [2, 6, 14, 30, 62, 126, 254, 510], "\(times)")
        #expect(times.count == 9 + 10)
        #expect(bench.outcomes == [.fail(100, SCPFailure(cause: .timedOut, attempts: 20, timeouts: 11))])
    }

    @Test func nothingIsKnownBeforeTheFirstReply() {
        let bench = PipelineBench(policy: .standard)
        bench.start(0)
        #expect(bench.nextDeadline == bench.now + .seconds(1))
    }

    @Test func aRepliedResendTellsNothingOfTheRoundTrip() throws {
        let bench = PipelineBench(
            SCPPipelineConfiguration(window: 1, minimumResendInterval: .milliseconds(1)), policy: .standard)
        bench.start(0)
        bench.advance(.seconds(1))
        bench.poll()
        bench.answer(try bench.take())
        bench.start(1)
        #expect(bench.nextDeadline == bench.now + .seconds(1))
    }
}
