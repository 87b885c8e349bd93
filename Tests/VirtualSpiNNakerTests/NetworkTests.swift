//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

@Suite("Networks that misbehave", .timeLimit(.minutes(3)))
struct NetworkTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func arrivals(_ path: inout DatagramPath, count: Int) -> [UInt32] {
        for index in 0..<count { path.send(ByteBuffer(integer: UInt32(index)), at: self.start + .microseconds(Int64(index))) }
        var order: [UInt32] = []
        while let next = path.nextArrival {
            while let datagram = path.receive(at: next) { order.append(datagram.getInteger(at: 0) ?? .max) }
        }
        return order
    }

    @Test func withoutFaultsAllComeInOrder() {
        var path = DatagramPath(seed: 1)
        #expect(self.arrivals(&path, count: 500) == Array(0..<500))
        #expect(path.sent == 500 && path.delivered == 500 && path.dropped == 0)
    }

    @Test func aSeedRepeatsAndAnotherDiffers() {
        let faults = NetworkFaults(drop: 0.1, duplicate: 0.1, reorder: 0.1, jitter: .microseconds(300))
        func run(_ seed: UInt64) -> [UInt32] {
            var path = DatagramPath(seed: seed, faults: faults)
            return self.arrivals(&path, count: 400)
        }
        #expect(run(7) == run(7))
        #expect(run(7) != run(8))
    }

    @Test func ratesAreAbout() {
        var lossy = DatagramPath(seed: 3, faults: NetworkFaults(drop: 0.25))
        let left = self.arrivals(&lossy, count: 4000)
        #expect((2850...3150).contains(left.count) && left == left.sorted())
        var doubling = DatagramPath(seed: 3, faults: NetworkFaults(duplicate: 0.5))
        #expect((5800...6200).contains(self.arrivals(&doubling, count: 4000).count))
        var shuffling = DatagramPath(seed: 3, faults: NetworkFaults(reorder: 0.2))
        let order = self.arrivals(&shuffling, count: 1000)
        #expect(order != order.sorted() && Set(order) == Set(0..<1000))
        var corrupting = DatagramPath(seed: 3, faults: NetworkFaults(corrupt: 1))
        let wrong = self.arrivals(&corrupting, count: 100)
        for (index, value) in wrong.enumerated() { #expect((value ^ UInt32(index)).nonzeroBitCount == 1) }
    }

    @Test func everyThirdIsLost() {
        var path = DatagramPath(seed: 1, faults: NetworkFaults(dropEvery: 3))
        #expect(self.arrivals(&path, count: 9) == [0, 1, 3, 4, 6, 7])
    }

    /// A client that asks until it is answered, and then for the next.
    private final class Asker: DatagramEndpoint {
        let total: UInt16
        private(set) var answered: UInt16 = 0
        private(set) var sent = 0
        private(set) var wrong = 0
        private(set) var nextDeadline: NIODeadline?

        init(total: UInt16) { self.total = total }

        func ask(now: NIODeadline, send: (ByteBuffer) -> Void) {
            guard self.answered < self.total else {
                self.nextDeadline = nil
                return
            }
            var bytes = ByteBuffer()
            SCPPacket(
                ReadMemory(address: 0x6000_0000 + UInt32(self.answered) * 4, size: 4), to: CoreID(1, 1, 0),
                sequence: self.answered
            )
            .writeDatagram(into: &bytes)
            self.sent += 1
            self.nextDeadline = now + .milliseconds(500)
            send(bytes)
        }

        func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
            guard let reply = try? SCPReply(datagram: datagram), reply.sequence == self.answered, reply.result == .ok else {
                return
            }
            if reply.payload.getInteger(at: reply.payload.readerIndex, endianness: .little) != UInt32(self.answered) {
                self.wrong += 1
            }
            self.answered += 1
            self.ask(now: now, send: send)
        }

        func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) { self.ask(now: now, send: send) }
    }

    @Test(arguments: [UInt64(11), 12, 13]) func aPairGetsThroughALossyNetwork(seed: UInt64) throws {
        let board = try InMemoryMachine(.spinn5)
        for index in UInt32(0)..<100 { try board.writeWord(index, to: 0x6000_0000 + 4 * index, core: CoreID(1, 1, 0)) }
        let pair = LossyPair(
            left: Asker(total: 100), right: VirtualBoardEndpoint(board.machine), seed: seed,
            faults: NetworkFaults(drop: 0.2, duplicate: 0.1, reorder: 0.2, jitter: .milliseconds(1)), start: board.now)
        pair.withLeft { $0.ask(now: $1, send: $2) }
        #expect(pair.run(atMost: .seconds(600)) { pair.left.answered == 100 })
        #expect(pair.left.wrong == 0 && pair.left.sent > 110)
        #expect(pair.outward.dropped > 0 && pair.homeward.dropped > 0)
        // What is still on its way (the copies) arrives, and then nothing happens any more.
        while pair.step() {}
        #expect(pair.nextEvent == nil)
    }

    @Test func timePassesOnlyForEvents() throws {
        let board = try InMemoryMachine(.spinn5)
        let pair = LossyPair(left: Asker(total: 1), right: VirtualBoardEndpoint(board.machine), seed: 1, start: board.now)
        #expect(!pair.step(), "nobody has anything to do")
        pair.advance(by: .seconds(5))
        #expect(pair.now == board.now + .seconds(5))
        #expect(!pair.run(atMost: .seconds(1)) { pair.left.answered == 1 })
    }

    @Test func aMachineOfItsOwnAccord() throws {
        let machine = try InMemoryMachine(.spinn5)
        machine.machine.outgoing = NetworkFaults(dropEvery: 2, latency: .zero)
        #expect(machine.raw(.version) != nil)
        #expect(machine.raw(.version) == nil)
        #expect(machine.raw(.version) != nil)
        machine.machine.outgoing = NetworkFaults(latency: .milliseconds(30))
        #expect(machine.raw(.version) == nil)
        machine.advance(by: .milliseconds(30))
        #expect(machine.takeOutgoing().count == 1)
        machine.machine.outgoing = nil
        machine.machine.incoming = NetworkFaults(duplicate: 1, latency: .zero)
        var bytes = ByteBuffer()
        SCPPacket(GetVersion(), to: CoreID(0, 0, 0), sequence: 1).writeDatagram(into: &bytes)
        #expect(machine.send(bytes).count == 2)
        machine.machine.incoming = NetworkFaults(drop: 1)
        #expect(machine.send(bytes).isEmpty)
    }

    @Test func timersRunByTimeAndThenByOrder() {
        var timers = TimerQueue()
        var fired: [Int] = []
        for (index, at) in [5, 1, 3, 1, 4, 1, 2].enumerated() {
            timers.schedule(at: self.start + .milliseconds(Int64(at))) { _ in fired.append(index) }
        }
        #expect(timers.nextDeadline == self.start + .milliseconds(1))
        while let (_, action) = timers.popDue(at: self.start + .milliseconds(4)) { action(self.start) }
        #expect(fired == [1, 3, 5, 6, 2, 4])
        #expect(timers.count == 1 && timers.popDue(at: self.start) == nil)
    }
}

@Suite("Memory of a chip", .timeLimit(.minutes(3)))
struct SparseMemoryTests {
    @Test func pagesComeWhenWritten() {
        let memory = SparseMemory(size: 128 << 20)
        var bytes = ByteBuffer()
        memory.read(5000, count: 300, into: &bytes)
        #expect(bytes == ByteBuffer(repeating: 0, count: 300) && memory.residentPages == 0)
        withUnsafeBytes(of: UInt64(0x0807_0605_0403_0201).littleEndian) { memory.write(4092, $0) }
        #expect(memory.residentPages == 2)
        #expect(memory.read32(4092) == 0x0403_0201 && memory.read32(4096) == 0x0807_0605)
        #expect(memory.read16(4094) == 0x0403 && memory.read8(4099) == 8)
        memory.removeAll()
        #expect(memory.residentPages == 0 && memory.read32(4092) == 0)
    }

    @Test func offsetsWrapAndWordsAlign() {
        let memory = SparseMemory(size: 8192)
        memory.write32(8192 + 7, 0xAABB_CCDD)
        #expect(memory.read32(4) == 0xAABB_CCDD)
        memory.write32(-4, 9)
        #expect(memory.read32(8188) == 9)
        var bytes = ByteBuffer()
        memory.read(8188, count: 12, into: &bytes)
        #expect(bytes == ByteBuffer(bytes: [9, 0, 0, 0, 0, 0, 0, 0, 0xDD, 0xCC, 0xBB, 0xAA]))
        memory.fill(8184, word: 1, count: 15)
        #expect([8184, 8188, 0, 4].map { memory.read32($0) } == [1, 1, 1, 0xAABB_CCDD])
    }

    @Test func windows() {
        let expected: [(address: UInt32, count: Int, window: MemoryWindow?)] = [
            (0x6000_0000, 256, .sdram(0)), (0x7800_0000 - 256, 256, .sdram(0x7FF_FF00)), (0xF500_7F00, 256, .systemRAM(0x7F00)),
            (0xFFFF_0010, 4, .systemRAM(0x10)), (0x0040_0004, 4, .dtcm(4)), (0xE101_0000, 4, .router(0x10000)),
            (0xF200_0000, 4, .systemController(0)), (0x1000_0000, 4, .silent), (0xFFFF_F030, 4, .silent),
            // Nothing is there, or the access runs off its end.
            (0x67FF_FFFF, 2, nil), (0x0000_8000, 4, nil), (0x0041_0000, 4, nil), (0x5000_0000, 4, nil), (0xE500_8000, 1, nil),
            (0xFFFF_FFFF, 256, nil), (0xE102_0000, 4, nil),
        ]
        for (address, count, window) in expected {
            #expect(MemoryWindow.decode(address, count: count, isOwnCore: true) == window, "\(String(address, radix: 16))")
        }
        // Over a link there are no cores.
        #expect(MemoryWindow.decode(0x0040_0004, count: 4, isOwnCore: false) == nil)
        #expect(MemoryWindow.decode(0x6000_0000, count: 4, isOwnCore: false) == .sdram(0))
    }

    @Test func coresAreNumberedFromTheMonitor() throws {
        let map = try #require(CoreMap(working: 0b1_0111, elected: 1))
        #expect(map.count == 4 && map.monitor == 1)
        #expect((0..<5).map { map.physical($0) } == [1, 0, 2, 4, nil])
        #expect((0..<5).map { map.virtual($0) } == [1, 0, 2, nil, 3])
        #expect(map.physicalMask(0b1001) == 0b1_0010)
        #expect(CoreMap(working: 0b101, elected: 1)?.monitor == 2)
        #expect(CoreMap(working: 0, elected: 0) == nil)
    }
}
