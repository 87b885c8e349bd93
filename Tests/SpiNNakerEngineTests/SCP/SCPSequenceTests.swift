//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite struct SCPSequenceTests {
    @Test func numbersGoUpAndWrap() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 4, firstSequence: 0xFFFE))
        for token in 0..<4 { bench.start(token) }
        #expect(bench.wire.map(\.sequence) == [0xFFFE, 0xFFFF, 0, 1])
    }

    @Test func aNumberUnderWayIsPassedOver() throws {
        let bench = PipelineBench(
            SCPPipelineConfiguration(window: 2), policy: SCPPolicy(timeout: .hours(1), resendsEarly: false))
        bench.start(70_000)
        _ = try bench.take()
        // A whole round of the numbers, while number 0 stays unanswered.
        var seen: Set<UInt16> = [0]
        for token in 0..<65_535 {
            #expect(bench.start(token))
            let packet = try bench.take()
            if packet.sequence == 0 { Issue.record("number 0 was used twice at once") }
            seen.insert(packet.sequence)
            bench.answer(packet)
            bench.sent.removeAll(keepingCapacity: true)
            bench.outcomes.removeAll(keepingCapacity: true)
        }
        #expect(seen.count > 61_000, "too many numbers are passed over")
    }

    @Test func numbersThatMayStillBeAnsweredRest() throws {
        let configuration = SCPPipelineConfiguration(window: 1, quarantine: .seconds(3))
        let bench = PipelineBench(configuration, policy: SCPPolicy(timeout: .seconds(1), retries: 1, resendsEarly: false))
        // Number 0 is cancelled, 1 is answered at the second try, 2 times out; 3 is answered at once.
        bench.start(0)
        _ = bench.cancel { _ in true }
        bench.start(1)
        bench.advance(.seconds(1))
        bench.poll()
        bench.answer(bench.wire[1])
        bench.start(2)
        bench.advance(.seconds(1))
        bench.poll()
        bench.advance(.seconds(1))
        bench.poll()
        let timedOut = try #require(bench.wire.last)
        bench.start(3)
        bench.answer(try #require(bench.wire.last))
        #expect(bench.completed == [1, 3])
        bench.wire = []

        /// The numbers below 8 that one round of all numbers uses.
        func round() throws -> Set<UInt16> {
            var used: Set<UInt16> = []
            for _ in 0..<65_536 {
                bench.start(1000)
                let packet = try bench.take()
                if packet.sequence < 8 { used.insert(packet.sequence) }
                bench.answer(packet)
                bench.sent.removeAll(keepingCapacity: true)
                bench.outcomes.removeAll(keepingCapacity: true)
            }
            return used
        }
        // Now is 3 s after the cancellation of number 0, 2 s after the answer to 1, and 0 s after the end of 2.
        #expect(try round() == [0, 3, 4, 5, 6, 7])
        // A late reply to the cancelled request, or to one that timed out, hits nobody.
        bench.start(2000)
        bench.answer(timedOut)
        #expect(bench.drops.last == .unknownSequence)
        bench.answer(try bench.take())
        bench.advance(.seconds(3))
        #expect(try round() == [0, 1, 2, 3, 4, 5, 6, 7])
    }

    @Test func numbersNeverRunOut() {
        let bench = PipelineBench(
            SCPPipelineConfiguration(window: 8, quarantine: .hours(1)), policy: SCPPolicy(timeout: .seconds(1), retries: 0))
        for token in 0..<66_000 {
            #expect(bench.start(token))
            _ = bench.cancel { _ in true }
            bench.wire.removeAll(keepingCapacity: true)
            bench.sent.removeAll(keepingCapacity: true)
        }
    }
}
