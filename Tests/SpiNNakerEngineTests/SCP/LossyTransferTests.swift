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
    ) -> (writer: Requester, board: Board, elapsed: TimeAmount) {
        let board = Board()
        board.busyEvery = busyEvery
        let writer = Requester(Requester.words(words), window: window, policy: policy)
        let pair = LossyPair(left: writer, right: board, seed: seed, faults: faults)
        let start = pair.now
        pair.withLeft { writer, now, send in writer.advance(to: now, send: send) }
        let isDone = pair.run(atMost: limit) { writer.isDone }
        #expect(isDone, "seed \(seed): \(writer.results.count) of \(words) after \(limit)")
        #expect(writer.failures.isEmpty, "seed \(seed)")
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
        let writer = Requester(Requester.words(20), window: 8, policy: SCPPolicy(timeout: .milliseconds(100), retries: 3))
        let pair = LossyPair(left: writer, right: Board(), seed: 1, faults: NetworkFaults(drop: 1))
        let start = pair.now
        pair.withLeft { writer, now, send in writer.advance(to: now, send: send) }
        _ = pair.run(atMost: .seconds(60)) { writer.isDone }
        #expect(writer.failures.count == 20)
        #expect(writer.failures.allSatisfy { $0.cause == .timedOut && $0.timeouts == 4 })
        // 20 requests in windows of 8 are three rounds of 4 × 100 ms.
        #expect(pair.now - start == .milliseconds(1200))
    }

    /// A virtual board: transient tags that run out, forwarding between chips, SC&MP's own replies.
    @Test(arguments: [51, 52])
    func aVirtualBoardUnderFaults(_ seed: UInt64) throws {
        let machine = try VirtualMachine(
            VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true))
        let board = VirtualBoardEndpoint(machine)
        for datagram in try InMemoryMachine.bootDatagrams() {
            machine.receive(
                datagram, at: .board(0), port: UInt16(BootMessage.port), from: board.host,
                now: .uptimeNanoseconds(1_000_000_000))
        }
        let chips = [ChipID(0, 0), ChipID(7, 7), ChipID(3, 4), ChipID(0, 3)]
        var requests: [Requester.Request] = []
        func data(_ index: Int) -> ByteBuffer {
            ByteBuffer(bytes: (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 5 &+ index) })
        }
        for index in 0..<400 {
            let address = MemoryMap.userSDRAM + UInt32(index / 4) * 256
            requests.append(
                .init(WriteMemory(address: address, data: data(index)), to: .monitor(of: chips[index % 4])))
        }
        let faults = NetworkFaults(drop: 0.15, duplicate: 0.15, reorder: 0.15, jitter: .microseconds(50))
        let writer = Requester(requests, window: 8, policy: .standard)
        var pair = LossyPair(left: writer, right: board, seed: seed, faults: faults)
        pair.withLeft { writer, now, send in writer.advance(to: now, send: send) }
        #expect(pair.run(atMost: .seconds(60)) { writer.isDone }, "seed \(seed)")
        #expect(writer.failures.isEmpty, "seed \(seed)")

        requests = (0..<400).map { index in
            .init(
                ReadMemory(address: MemoryMap.userSDRAM + UInt32(index / 4) * 256, size: 256),
                to: .monitor(of: chips[index % 4]))
        }
        let reader = Requester(requests, window: 8, policy: .standard)
        // What is still on its way from the writes must not disturb the reads.
        pair = LossyPair(left: reader, right: board, seed: seed &+ 1000, faults: faults, start: pair.now)
        pair.withLeft { reader, now, send in reader.advance(to: now, send: send) }
        #expect(pair.run(atMost: .seconds(60)) { reader.isDone }, "seed \(seed)")
        #expect(reader.failures.isEmpty, "seed \(seed)")
        #expect(reader.results.values.allSatisfy { $0 == 1 })
        for index in 0..<400 where reader.payloads[index] != data(index) {
            Issue.record("seed \(seed): block \(index) is not what was written")
        }
    }
}
