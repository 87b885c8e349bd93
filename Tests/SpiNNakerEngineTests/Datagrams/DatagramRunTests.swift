//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import Testing

@testable import SpiNNakerEngine

@Suite struct DatagramRunTests {
    private let here: SocketAddress
    private let there: SocketAddress

    init() throws {
        self.here = try SocketAddress(ipAddress: "127.0.0.1", port: 17893)
        self.there = try SocketAddress(ipAddress: "127.0.0.2", port: 17893)
    }

    private func datagram(_ size: Int, _ fill: UInt8) -> ByteBuffer { ByteBuffer(repeating: fill, count: size) }

    /// Everything that the run wants written, in order, for these datagrams.
    private func written(_ datagrams: [(ByteBuffer, SocketAddress)], joins: Bool = true) -> [AddressedEnvelope<ByteBuffer>] {
        var run = DatagramRun(joins: joins)
        var written = datagrams.compactMap { run.append($0.0, to: $0.1) }
        if let last = run.take() { written.append(last) }
        #expect(run.isEmpty)
        #expect(run.take() == nil)
        return written
    }

    /// What a receiver makes of it.
    private func read(_ written: [AddressedEnvelope<ByteBuffer>]) -> [(ByteBuffer, SocketAddress)] {
        var read: [(ByteBuffer, SocketAddress)] = []
        for envelope in written {
            DatagramRun.forEachDatagram(in: envelope) { read.append(($0.data, $0.remoteAddress)) }
        }
        return read
    }

    @Test func datagramsOfOneSizeLeaveAsOne() {
        let written = self.written((0..<5).map { (self.datagram(24, UInt8($0)), self.here) })
        #expect(written.count == 1)
        #expect(written.first?.data.readableBytes == 5 * 24)
        #expect(written.first?.metadata?.segmentSize == 24)
        #expect(written.first?.remoteAddress == self.here)
    }

    @Test func oneAloneIsAPlainDatagram() {
        let written = self.written([(self.datagram(24, 1), self.here)])
        #expect(written == [AddressedEnvelope(remoteAddress: self.here, data: self.datagram(24, 1))])
        #expect(written.first?.metadata == nil)
    }

    @Test func anotherSizeOrAddressEndsARun() {
        let (a, b) = (self.datagram(24, 1), self.datagram(25, 2))
        let written = self.written([
            (a, self.here), (a, self.here), (b, self.here), (b, self.there), (b, self.there), (a, self.there),
        ])
        #expect(written.map(\.data.readableBytes) == [48, 25, 50, 24])
        #expect(written.map { $0.metadata?.segmentSize } == [24, nil, 25, nil])
        #expect(written.map(\.remoteAddress) == [self.here, self.here, self.there, self.there])
    }

    @Test func emptyDatagramsStayByThemselves() {
        let written = self.written([(ByteBuffer(), self.here), (ByteBuffer(), self.here)])
        #expect(written.map(\.data.readableBytes) == [0, 0])
        #expect(written.allSatisfy { $0.metadata == nil })
    }

    @Test func whoDoesNotJoinSendsEach() {
        let written = self.written([(self.datagram(24, 1), self.here), (self.datagram(24, 2), self.here)], joins: false)
        #expect(written.map(\.data) == [self.datagram(24, 1), self.datagram(24, 2)])
        #expect(written.allSatisfy { $0.metadata == nil })
    }

    @Test(arguments: [24, 282, 4096, 4097, 8192, 9000])
    func aRunKeepsTheLimits(size: Int) {
        let written = self.written((0..<100).map { (self.datagram(size, UInt8($0)), self.here) })
        for envelope in written where envelope.metadata != nil {
            #expect(envelope.data.readableBytes <= DatagramRun.mostBytes)
            #expect(envelope.data.readableBytes / size <= DatagramRun.mostDatagrams)
        }
        #expect(self.read(written).map { $0.0 } == (0..<100).map { self.datagram(size, UInt8($0)) })
    }

    /// The memory of a run that somebody still holds is not written over.
    @Test func whatWasTakenStaysAsItWas() throws {
        var run = DatagramRun(joins: true)
        _ = run.append(self.datagram(8, 1), to: self.here)
        _ = run.append(self.datagram(8, 2), to: self.here)
        let firstTaken = run.take()
        _ = run.append(self.datagram(8, 3), to: self.here)
        _ = run.append(self.datagram(8, 4), to: self.here)
        let secondTaken = run.take()
        let (first, second) = (try #require(firstTaken), try #require(secondTaken))
        #expect(self.read([first, second]).map { $0.0 } == (1...4).map { self.datagram(8, $0) })
    }

    /// Any datagrams, in any order, come out as they went in.
    @Test func nothingIsLostOrMixedUp() {
        var random = Seeded(state: 61_474)
        for _ in 0..<50 {
            let datagrams = (0..<60).map { index in
                (
                    self.datagram([0, 24, 24, 24, 282, 1042].randomElement(using: &random) ?? 0, UInt8(index)),
                    Bool.random(using: &random) ? self.here : self.there
                )
            }
            let read = self.read(self.written(datagrams))
            #expect(read.map { $0.0 } == datagrams.map { $0.0 })
            #expect(read.map { $0.1 } == datagrams.map { $0.1 })
        }
    }

    // MARK: - Reading

    private func cut(_ count: Int, into size: Int?) -> [Int] {
        var metadata: AddressedEnvelope<ByteBuffer>.Metadata?
        if let size { metadata = .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: size) }
        return self.read([AddressedEnvelope(remoteAddress: self.here, data: self.datagram(count, 7), metadata: metadata)])
            .map(\.0.readableBytes)
    }

    @Test func theLastDatagramMayBeShorter() {
        #expect(self.cut(100, into: 40) == [40, 40, 20])
        #expect(self.cut(80, into: 40) == [40, 40])
    }

    @Test func withoutASizeItIsOne() {
        #expect(self.cut(100, into: nil) == [100])
        #expect(self.cut(100, into: 100) == [100])
        #expect(self.cut(100, into: 0) == [100])
        #expect(self.cut(0, into: 40) == [0])
    }

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return self.state ^ (self.state >> 29)
        }
    }
}
