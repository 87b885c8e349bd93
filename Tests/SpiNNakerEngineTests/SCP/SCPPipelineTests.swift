//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite struct SCPPipelineTests {
    @Test func requestAndReply() throws {
        let bench = PipelineBench()
        #expect(bench.start(7, to: CoreID(1, 2, 3)))
        let packet = try bench.take()
        #expect(packet.header.destinationChip == ChipID(1, 2))
        #expect(packet.header.destination.cpu == 3)
        #expect(packet.header.flags == .replyExpected)
        #expect(packet.header.tag == SDPHeader.transientTag)
        #expect(packet.command == .read)
        #expect(packet.sequence == 0)
        bench.answer(packet, payload: [9, 8, 7, 6])
        #expect(bench.outcomes == [.complete(7, payload: [9, 8, 7, 6], attempts: 1)])
        #expect(bench.count == 0)
        #expect(bench.nextDeadline == nil)
    }

    @Test func windowIsNeverExceeded() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 3))
        for token in 0..<3 { #expect(bench.start(token)) }
        #expect(!bench.hasRoom)
        #expect(!bench.start(3), "a fourth request was taken")
        #expect(bench.sent.count == 3)
        bench.answer(try bench.take())
        #expect(bench.start(3))
        #expect(!bench.start(4))
    }

    @Test func repliesInAnyOrder() throws {
        let bench = PipelineBench()
        for token in 0..<8 { bench.start(token) }
        let packets = bench.wire
        for index in [3, 0, 7, 1, 6, 2, 5, 4] { bench.answer(packets[index]) }
        #expect(bench.completed == [3, 0, 7, 1, 6, 2, 5, 4])
        #expect(bench.inFlight == 0)
    }

    @Test func onlyTheOverdueIsSentAgain() throws {
        let bench = PipelineBench()
        bench.start(0)
        bench.advance(.milliseconds(600))
        bench.start(1)
        let first = try bench.take()
        #expect(bench.nextDeadline == bench.now + .milliseconds(400))
        bench.advance(.milliseconds(400))
        bench.poll()
        #expect(bench.sent.count == 3)
        #expect(bench.sent[2] == bench.sent[0], "a retransmission is the same datagram")
        // The second request's own deadline comes next, not the first one's.
        #expect(bench.nextDeadline == bench.now + .milliseconds(600))
        bench.answer(first)
        #expect(bench.outcomes == [.complete(0, payload: [1, 2, 3, 4], attempts: 2)])
    }

    @Test func timesOutAfterAllRetries() throws {
        let bench = PipelineBench(policy: SCPPolicy(timeout: .milliseconds(500), retries: 2, resendsEarly: false))
        bench.start(5)
        for expected in [2, 3, 3] {
            bench.advance(.milliseconds(499))
            bench.poll()
            bench.advance(.milliseconds(1))
            bench.poll()
            #expect(bench.sent.count == expected)
        }
        #expect(bench.outcomes == [.fail(5, SCPFailure(cause: .timedOut, attempts: 3, timeouts: 3))])
        #expect(bench.count == 0)
    }

    @Test func noRetriesMeansOneTransmission() {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 1), policy: SCPPolicy(timeout: .seconds(10), retries: 0))
        bench.start(0)
        bench.advance(.seconds(10))
        bench.poll()
        #expect(bench.sent.count == 1)
        #expect(bench.outcomes == [.fail(0, SCPFailure(cause: .timedOut, attempts: 1, timeouts: 1))])
    }

    @Test func notNowIsRetriedAfterThePause() throws {
        let bench = PipelineBench()
        bench.start(0)
        let packet = try bench.take()
        bench.answer(packet, .p2pBusy)
        #expect(bench.retriesLater == 1)
        #expect(bench.sent.count == 1)
        #expect(bench.inFlight == 0, "a waiting request has no place in the window")
        bench.advance(.milliseconds(99))
        bench.poll()
        #expect(bench.sent.count == 1)
        bench.advance(.milliseconds(1))
        bench.poll()
        #expect(bench.sent.count == 2)
        bench.answer(packet)
        #expect(bench.outcomes == [.complete(0, payload: [1, 2, 3, 4], attempts: 2)])
    }

    @Test func aBusyChipDoesNotStallTheOthers() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 4))
        for token in 0..<4 { bench.start(token, to: CoreID(1, 1, 0)) }
        for _ in 0..<4 { bench.answer(try bench.take(), .p2pBusy) }
        // All four wait; as many others may be under way meanwhile, and no more.
        for token in 4..<8 { #expect(bench.start(token)) }
        #expect(!bench.start(8))
        for _ in 4..<8 { bench.answer(try bench.take()) }
        #expect(bench.completed == [4, 5, 6, 7])
        bench.advance(.milliseconds(100))
        bench.poll()
        #expect(bench.sent.count == 12)
        for _ in 0..<4 { bench.answer(try bench.take()) }
        #expect(bench.completed == [4, 5, 6, 7, 0, 1, 2, 3])
    }

    @Test func aDueRetryWaitsForAPlaceAndGoesBeforeNewRequests() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 2))
        bench.start(0)
        bench.answer(try bench.take(), .timeout)
        bench.start(1)
        bench.start(2)
        bench.advance(.milliseconds(100))
        bench.poll()
        #expect(bench.sent.count == 3, "the window is full")
        bench.answer(bench.wire[0])
        #expect(bench.sent.count == 4)
        #expect(bench.sent[3] == bench.sent[0])
        #expect(!bench.hasRoom)
    }

    @Test func keepsSayingNotNow() throws {
        let bench = PipelineBench(policy: SCPPolicy(retries: 2, resendsEarly: false))
        bench.start(0)
        for _ in 0..<3 {
            bench.answer(try bench.take(), .p2pNoReply)
            bench.advance(.milliseconds(100))
            bench.poll()
        }
        #expect(
            bench.outcomes == [
                .fail(0, SCPFailure(cause: .rejected(.p2pNoReply), attempts: 3, timeouts: 0, lastResult: .p2pNoReply))
            ])
        #expect(bench.sent.count == 3)
    }

    @Test func aFailureWithAReplyIsAnAnswer() throws {
        let bench = PipelineBench(policy: SCPPolicy(retries: 1, resendsEarly: false))
        bench.start(CountCores(application: 17, state: .running), token: 0)
        bench.answer(try bench.take(), .p2pNoReply, payload: [1, 0, 0, 0])
        bench.advance(.milliseconds(100))
        bench.poll()
        bench.answer(try bench.take(), .p2pNoReply, payload: [2, 0, 0, 0])
        #expect(bench.outcomes == [.complete(0, payload: [2, 0, 0, 0], attempts: 2)])

        // One that is for good is an answer at once; to a command that does not have it, it is a refusal.
        let copy = try CopyAndRunApplication(
            from: .west, size: 4, checksum: 0,
            start: ApplicationStart(application: 17, cores: CoreMask(rawValue: 2), wait: false))
        bench.start(copy, token: 1)
        bench.answer(try bench.take(), .badChecksum, payload: [9, 0, 0, 0])
        bench.start(2)
        bench.answer(try bench.take(), .badChecksum)
        #expect(
            bench.outcomes.dropFirst() == [
                .complete(1, payload: [9, 0, 0, 0], attempts: 1),
                .fail(2, SCPFailure(cause: .rejected(.badChecksum), attempts: 1, timeouts: 0)),
            ])
    }

    @Test func aTimeoutAfterNotNowSaysWhatWasHeard() throws {
        let bench = PipelineBench(policy: SCPPolicy(retries: 1, resendsEarly: false))
        bench.start(0)
        bench.answer(try bench.take(), .p2pBusy)
        bench.advance(.milliseconds(100))
        bench.poll()
        bench.advance(.seconds(1))
        bench.poll()
        #expect(
            bench.outcomes == [.fail(0, SCPFailure(cause: .timedOut, attempts: 2, timeouts: 1, lastResult: .p2pBusy))])
    }

    @Test(arguments: [SCPResult.badArgument, .noRoute, SCPResult(rawValue: 0x1234)])
    func otherCodesFailTheirRequestOnly(_ result: SCPResult) throws {
        let bench = PipelineBench()
        bench.start(0)
        bench.start(1)
        bench.answer(try bench.take(), result)
        bench.answer(try bench.take())
        #expect(
            bench.outcomes == [
                .fail(0, SCPFailure(cause: .rejected(result), attempts: 1, timeouts: 0)),
                .complete(1, payload: [1, 2, 3, 4], attempts: 1),
            ])
    }

    @Test func everyKindOfNoiseIsDropped() throws {
        let bench = PipelineBench()
        bench.start(0)
        let packet = try bench.take()
        let good = PipelineBench.reply(to: packet)
        for length in 0..<14 { bench.deliver(good.getSlice(at: 0, length: length) ?? ByteBuffer()) }
        #expect(bench.drops == Array(repeating: .tooShort, count: 14))
        bench.drops = []

        bench.deliver(bench.sent[0])
        #expect(bench.drops == [.notAReply])
        var stranger = packet
        stranger.sequence = 4242
        bench.answer(stranger)
        // Of the same slot, but another round of the numbers.
        stranger.sequence = packet.sequence &+ 32
        bench.answer(stranger)
        #expect(bench.drops == [.notAReply, .unknownSequence, .unknownSequence])
        #expect(bench.outcomes.isEmpty)
        bench.deliver(good)
        #expect(bench.completed == [0])
        bench.deliver(good)
        #expect(bench.completed == [0], "a late duplicate completed it again")
        #expect(bench.drops.last == .unknownSequence)
        #expect(bench.statistics.dropped == 18)
    }

    @Test func aGoodReplyEndsAWait() throws {
        let bench = PipelineBench()
        bench.start(0)
        let packet = try bench.take()
        bench.advance(.seconds(1))
        bench.poll()
        bench.answer(packet, .p2pBusy)
        bench.answer(packet, .p2pBusy)
        #expect(bench.drops == [.alreadyWaiting])
        bench.answer(packet)
        #expect(bench.completed == [0])
        bench.advance(.seconds(1))
        bench.poll()
        #expect(bench.sent.count == 2, "what waited was sent although it is complete")
    }

    @Test func cancelledRequestsLeaveTheOthersAlone() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 4))
        for token in 0..<4 { bench.start(token) }
        let packets = bench.wire
        #expect(bench.cancel { $0 % 2 == 1 }.sorted() == [1, 3])
        #expect(bench.hasRoom)
        for packet in packets { bench.answer(packet) }
        #expect(bench.completed == [0, 2])
        #expect(bench.drops == [.unknownSequence, .unknownSequence])
        #expect(bench.cancel { _ in true }.isEmpty)
    }

    @Test func closingReturnsEveryTokenOnceOldestFirst() throws {
        let bench = PipelineBench(SCPPipelineConfiguration(window: 4, firstSequence: 0xFFFE))
        for token in 0..<4 { bench.start(token) }
        bench.answer(bench.wire[1], .p2pBusy)
        bench.start(4)
        #expect(bench.close() == [0, 1, 2, 3, 4])
        #expect(bench.isClosed)
        #expect(!bench.hasRoom)
        #expect(!bench.start(9))
        #expect(bench.nextDeadline == nil)
        bench.advance(.seconds(100))
        bench.poll()
        for packet in bench.wire { bench.answer(packet) }
        #expect(bench.outcomes.isEmpty)
        #expect(bench.close().isEmpty)
    }

    @Test func failuresNotYetPolledComeOutOnClosing() {
        let bench = PipelineBench(policy: SCPPolicy(retries: 0))
        bench.start(0)
        bench.start(1)
        bench.advance(.seconds(1))
        // One poll finds both overdue and returns one.
        guard case .fail(let first, _) = bench.pipeline.poll(now: bench.now) else {
            Issue.record("nothing failed")
            return
        }
        #expect(first.index == 0)
        #expect(bench.close() == [1])
    }
}
