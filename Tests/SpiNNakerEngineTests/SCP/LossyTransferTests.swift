//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// The pipeline across a network that loses, doubles, delays and reorders, in virtual time.
@Suite struct LossyTransferTests {
    /// Writes `count` words to a board and reads them back, a word per request.
    final class Writer: DatagramEndpoint {
        var pipeline: SCPPipeline<Int>
        let policy: SCPPolicy
        let requests: [SCPPacket]
        private var next = 0
        var results: [Int: Int] = [:]
        var wrong = 0
        var failures: [SCPFailure] = []
        /// Transmissions not answered so far, by sequence: what the board may hold at a time.
        var most = 0

        init(words: Int, window: Int, policy: SCPPolicy) {
            self.pipeline = SCPPipeline(configuration: SCPPipelineConfiguration(window: window, firstSequence: 65_000))
            self.policy = policy
            self.requests = (0..<words).map { index in
                SCPPacket(
                    WriteMemory(address: UInt32(index * 4), data: ByteBuffer(integer: UInt32(index), endianness: .little)),
                    to: CoreID(0, 0, 0), sequence: 0)
            }
        }

        var statistics: SCPStatistics { self.pipeline.statistics }
        var isDone: Bool { self.results.count == self.requests.count }
        var nextDeadline: NIODeadline? { self.pipeline.nextDeadline }

        func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
            switch self.pipeline.received(datagram, now: now) {
            case .complete(let token, let reply, _):
                self.results[token, default: 0] += 1
                if reply.result != .ok { self.wrong += 1 }
            case .fail(let token, let failure):
                self.results[token, default: 0] += 1
                self.failures.append(failure)
            case .retryLater, .drop: break
            }
            self.advance(to: now, send: send)
        }

        func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) {
            while let action = self.pipeline.poll(now: now) {
                switch action {
                case .transmit(let datagram): send(datagram)
                case .fail(let token, let failure):
                    self.results[token, default: 0] += 1
                    self.failures.append(failure)
                }
            }
            while self.next < self.requests.count, self.pipeline.hasRoom {
                let packet = self.requests[self.next]
                let datagram = self.pipeline.start(
                    command: packet.command, arguments: packet.arguments, data: packet.data, to: CoreID(0, 0, 0),
                    policy: self.policy, token: self.next, now: now)
                if let datagram { send(datagram) }
                self.next += 1
            }
            self.most = max(self.most, self.pipeline.inFlight)
        }
    }

    /// A board that executes writes, and counts how often each came.
    final class Board: DatagramEndpoint {
        var memory: [UInt32: UInt32] = [:]
        var executed = 0
        /// One request in so many is refused with "not now".
        var busyEvery = 0
        var nextDeadline: NIODeadline? { nil }
        func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) {}

        func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
            guard let packet = try? SCPPacket(datagram: datagram) else { return }
            self.executed += 1
            var result = SCPResult.ok
            if self.busyEvery > 0, self.executed % self.busyEvery == 0 {
                result = .p2pBusy
            } else {
                var data = packet.data
                self.memory[packet.arguments.arg1] = data.readInteger(endianness: .little)
            }
            var reply = ByteBuffer()
            SCPReply(header: packet.header.reply, result: result, sequence: packet.sequence).writeDatagram(into: &reply)
            send(reply)
        }
    }

    private func run(
        words: Int = 2000, window: Int = 8, seed: UInt64, faults: NetworkFaults, policy: SCPPolicy = .standard,
        busyEvery: Int = 0, limit: TimeAmount
    ) -> (writer: Writer, board: Board, elapsed: TimeAmount) {
        let board = Board()
        board.busyEvery = busyEvery
        let writer = Writer(words: words, window: window, policy: policy)
        let pair = LossyPair(left: writer, right: board, seed: seed, faults: faults)
        let start = pair.now
        pair.withLeft { writer, now, send in writer.advance(to: now, send: send) }
        let isDone = pair.run(atMost: limit) { writer.isDone }
        #expect(isDone, "seed \(seed): \(writer.results.count) of \(words) after \(limit)")
        #expect(writer.failures.isEmpty, "seed \(seed)")
        #expect(writer.wrong == 0)
        #expect(writer.results.values.allSatisfy { $0 == 1 }, "seed \(seed): a request completed twice")
        #expect(writer.most <= window)
        #expect(board.memory.count == words, "seed \(seed)")
        #expect(board.memory.allSatisfy { $0.key / 4 == $0.value }, "seed \(seed): what was written is not there")
        return (writer, board, pair.now - start)
    }

    @Test(arguments: [11, 12, 13])
    func lossDuplicationReorderingAndDelay(_ seed: UInt64) {
        let faults = NetworkFaults(drop: 0.2, duplicate: 0.2, reorder: 0.2, jitter: .microseconds(100))
        let lossy = self.run(seed: seed, faults: faults, limit: .seconds(60))
        #expect(lossy.writer.statistics.resentEarly > 300)
    }

    @Test(arguments: [8, 32])
    func aFifthLostCostsAtMostFourTimesTheTime(_ window: Int) {
        // A board works one request at a time; 50 µs each way is the time that counts here.
        let clean = self.run(words: 5000, window: window, seed: 21, faults: .none, limit: .seconds(60))
        let faults = NetworkFaults(drop: 0.1, duplicate: 0.2, reorder: 0.2, jitter: .zero, reorderDelay: .microseconds(100))
        let lossy = self.run(words: 5000, window: window, seed: 22, faults: faults, limit: .seconds(60))
        let ratio = Double(lossy.elapsed.nanoseconds) / Double(clean.elapsed.nanoseconds)
        #expect(ratio <= 4, "\(ratio)")
    }

    @Test func withoutEarlyResendsItTakesTimeoutsButIsRight() {
        let faults = NetworkFaults(drop: 0.05, duplicate: 0.1, reorder: 0.1)
        let result = self.run(words: 400, seed: 31, faults: faults, policy: .patient, limit: .seconds(120))
        #expect(result.writer.statistics.resentEarly == 0)
        #expect(result.writer.statistics.resent > 20)
    }

    @Test func aBoardThatIsOftenBusy() {
        let result = self.run(words: 500, seed: 41, faults: NetworkFaults(drop: 0.02), busyEvery: 7, limit: .seconds(60))
        #expect(result.writer.statistics.resent > 50)
    }

    @Test func aDeadBoardFailsEveryRequestInTime() {
        let writer = Writer(words: 20, window: 8, policy: SCPPolicy(timeout: .milliseconds(100), retries: 3))
        let pair = LossyPair(left: writer, right: Board(), seed: 1, faults: NetworkFaults(drop: 1))
        let start = pair.now
        pair.withLeft { writer, now, send in writer.advance(to: now, send: send) }
        _ = pair.run(atMost: .seconds(60)) { writer.isDone }
        #expect(writer.failures.count == 20)
        #expect(writer.failures.allSatisfy { $0.cause == .timedOut && $0.timeouts == 4 })
        // 20 requests in windows of 8 are three rounds of 4 × 100 ms.
        #expect(pair.now - start == .milliseconds(1200))
    }
}
