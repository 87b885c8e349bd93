//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import VirtualSpiNNakerHost

/// A UDP socket that asks one question at a time.
private final class UDPAsker: Sendable {
    private let channel: any Channel
    private let replies: Replies

    final class Replies: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let waiting = NIOLockedValueBox<[UInt16: EventLoopPromise<SCPReply>]>([:])
        private let raw = NIOLockedValueBox<[ByteBuffer]>([])

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data).data
            if let reply = try? SCPReply(datagram: bytes),
                let promise = self.waiting.withLockedValue({ $0.removeValue(forKey: reply.sequence) })
            {
                promise.succeed(reply)
            } else {
                self.raw.withLockedValue { $0.append(bytes) }
            }
        }
        func expect(_ sequence: UInt16, _ promise: EventLoopPromise<SCPReply>) {
            self.waiting.withLockedValue { $0[sequence] = promise }
        }
        func giveUp(_ sequence: UInt16) {
            self.waiting.withLockedValue { $0.removeValue(forKey: sequence) }?.fail(ChannelError.connectTimeout(.seconds(1)))
        }
        var others: [ByteBuffer] { self.raw.withLockedValue { $0 } }
    }

    private init(channel: any Channel, replies: Replies) {
        self.channel = channel
        self.replies = replies
    }

    static func open(_ address: String = "127.0.0.1", port: Int = 0) async throws -> UDPAsker {
        let replies = Replies()
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(replies) }
            .bind(host: address, port: port).get()
        return UDPAsker(channel: channel, replies: replies)
    }

    var port: Int { self.channel.localAddress?.port ?? 0 }
    var others: [ByteBuffer] { self.replies.others }
    func close() async { try? await self.channel.close().get() }

    func send(_ bytes: ByteBuffer, to address: IPv4Address, port: Int) async throws {
        let remote = try SocketAddress(ipAddress: address.description, port: port)
        try await self.channel.writeAndFlush(AddressedEnvelope(remoteAddress: remote, data: bytes)).get()
    }

    /// The reply, or nil when none has come in `patience`.
    func ask<Request: SCPRequest>(
        _ request: Request, core: CoreID, at address: IPv4Address, sequence: UInt16, patience: TimeAmount = .seconds(5)
    ) async throws -> SCPReply? {
        var bytes = ByteBuffer()
        SCPPacket(request, to: core, sequence: sequence).writeDatagram(into: &bytes)
        let promise = self.channel.eventLoop.makePromise(of: SCPReply.self)
        self.replies.expect(sequence, promise)
        let replies = self.replies
        let limit = self.channel.eventLoop.scheduleTask(in: patience) { replies.giveUp(sequence) }
        try await self.send(bytes, to: address, port: SCP.port)
        defer { limit.cancel() }
        return try? await promise.futureResult.get()
    }
}

extension Logger {
    fileprivate static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// Of the whole process.
private func residentMiB() -> Int {
    guard let status = try? String(contentsOf: URL(filePath: "/proc/self/status"), encoding: .utf8) else { return 0 }
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return (line?.split(separator: " ").dropFirst().first).flatMap { Int($0) }.map { $0 / 1024 } ?? 0
}

@Suite("Virtual boards on loopback", .serialized, .timeLimit(.minutes(3)))
struct HostTests {
    /// At addresses that nobody has: other checkouts' tests may run beside these.
    private func withHost(_ description: VirtualMachineDescription, _ body: (VirtualMachineHost) async throws -> Void)
        async throws
    {
        try await withVirtualMachineHost(description, bases: VirtualMachineHost.candidateBases, logger: Logger.silent) {
            host, base in
            #expect(
                host.bmps.allSatisfy { $0.address.octets.1 == base } && host.boards.allSatisfy { $0.address.octets.1 == base })
            try await body(host)
        }
    }

    @Test func powerBootAndReadOverUDP() async throws {
        let description = VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0)
        try await self.withHost(description) { host in
            let base = host.boards[0].address.octets.1
            #expect(host.boards.map(\.address.description) == [9, 17, 25].map { "127.\(base).0.\($0)" })
            #expect(host.bmps.map(\.address.description) == ["127.\(base).0.8"])
            let asker = try await UDPAsker.open()
            let board = host.boards[0].address
            let bmp = host.bmps[0].address
            // Not powered: silence.
            #expect(
                try await asker.ask(GetVersion(), core: CoreID(0, 0, 0), at: board, sequence: 1, patience: .milliseconds(50))
                    == nil)
            let version = try #require(try await asker.ask(GetVersion(), core: CoreID(0, 0, 2), at: bmp, sequence: 2))
            #expect(try version.decode(for: GetVersion.self).name == "BC&MP")
            let on = try #require(
                try await asker.ask(SetBoardPower(on: true, boards: 7), core: CoreID(0, 0, 0), at: bmp, sequence: 3))
            #expect(on.result == .ok)
            #expect(try await host.isPowered(board: 2))
            for datagram in try InMemoryMachine.bootDatagrams() { try await asker.send(datagram, to: board, port: 54321) }
            let ready = try #require(try await asker.ask(GetVersion(), core: CoreID(255, 255, 0), at: board, sequence: 4))
            #expect(try ready.decode(for: GetVersion.self).name == "SC&MP")
            let far = try #require(
                try await asker.ask(GetChipInfo(), core: CoreID(8, 4, 0), at: host.boards[1].address, sequence: 5))
            #expect(try far.decode(for: GetChipInfo.self).address == host.boards[1].address)
            let traffic = try await host.traffic(ofBoard: 1)
            #expect(traffic.received == 1 && traffic.sent == 1)
            await asker.close()
        }
    }

    @Test func aReverseTagOpensAPortAndATagLeadsOut() async throws {
        let description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        try await self.withHost(description) { host in
            let board = host.boards[0].address
            let asker = try await UDPAsker.open()
            for datagram in try InMemoryMachine.bootDatagrams() { try await asker.send(datagram, to: board, port: 54321) }
            // Nothing says that it is booted but an answer: the boot datagrams went to another socket.
            var set: SCPReply?
            for attempt in 0..<50 where set == nil {
                set = try await asker.ask(
                    SetIPTag(tag: 1, address: .loopback, port: UInt16(asker.port), strip: true), core: CoreID(0, 0, 0),
                    at: board, sequence: UInt16(100 + attempt), patience: .milliseconds(200))
            }
            #expect(set?.result == .ok)
            // A message for the Ethernet leaves by the tag, without its headers.
            var bytes = ByteBuffer()
            SDPMessage(
                header: SDPHeader(flags: .replyNotExpected, tag: 1, destination: .ethernet, destinationChip: .origin),
                data: ByteBuffer(string: "hello")
            ).writeDatagram(into: &bytes)
            try await asker.send(bytes, to: board, port: SCP.port)
            _ = try await asker.ask(GetVersion(), core: CoreID(0, 0, 0), at: board, sequence: 11)
            #expect(asker.others == [ByteBuffer(string: "hello")])

            let reverse = try await asker.ask(
                SetReverseIPTag(tag: 2, port: 12345, core: CoreID(0, 0, 3), sdpPort: 1), core: CoreID(0, 0, 0), at: board,
                sequence: 12)
            #expect(reverse?.result == .ok)
            try await asker.send(ByteBuffer(string: "events"), to: board, port: 12345)
            // The tag learns who has sent. The port opens a moment after the reply, so ask until it has.
            var learned = HostAddress(ip: .any, port: 0)
            for sequence in UInt16(20)..<120 where learned.port == 0 {
                try await asker.send(ByteBuffer(string: "events"), to: board, port: 12345)
                let entries = try await asker.ask(GetIPTags(tag: 2), core: CoreID(0, 0, 0), at: board, sequence: sequence)
                let entry = try #require(try entries?.decode(for: GetIPTags.self).entries.first)
                learned = HostAddress(ip: entry.address, port: entry.port)
            }
            #expect(learned == HostAddress(ip: .loopback, port: UInt16(asker.port)))
            await asker.close()
        }
    }

    @Test func anAddressInUseIsSaidAndNothingIsLeftOpen() async throws {
        let description = VirtualMachineDescription(.triads(width: 1, height: 1))
        var base: UInt8 = 0
        try await self.withHost(description) { host in
            let taken = host.boards[0].address.octets.1
            base = taken
            _ = await #expect {
                _ = try await withVirtualMachineHost(description, base: taken, logger: Logger.silent) { _ in }
            } throws: { error in
                guard let error = error as? VirtualMachineHostError, case .addressInUse(_, let address, let port) = error else {
                    return false
                }
                return address.octets.1 == taken && (port == 17893 || port == 54321)
            }
        }
        // All sockets are free again.
        try await withVirtualMachineHost(description, base: base, logger: Logger.silent) { host in
            #expect(host.socketCount == 7)
        }
    }

    /// 3,528 sockets. In a release build this takes a second; the limit here is for a debug build on a busy machine.
    @Test(.timeLimit(.minutes(1))) func aMachineOf1728BoardsStarts() async throws {
        let description = VirtualMachineDescription(.triads(width: 24, height: 24), bootTimeScale: 0)
        let before = ContinuousClock.now
        try await self.withHost(description) { host in
            print("1728 boards listen after \(ContinuousClock.now - before), \(residentMiB()) MiB resident")
            #expect(host.boards.count == 1728 && host.bmps.count == 72 && host.socketCount == 3528)
            #expect(host.bmps.last?.cabinet == 14 && host.bmps.last?.frame == 1)
            let asker = try await UDPAsker.open()
            // The last board of the last frame: on, booted alone, and asked.
            let board = try #require(host.boards.last)
            let bmp = try #require(host.bmps.last)
            let on = try await asker.ask(
                SetBoardPower(on: true, boards: 1 << 23), core: CoreID(0, 0, 0), at: bmp.address, sequence: 1)
            #expect(on?.result == .ok)
            let deadline = ContinuousClock.now + .seconds(20)
            while try await !host.isPowered(board: board.number), ContinuousClock.now < deadline { await Task.yield() }
            for datagram in try InMemoryMachine.bootDatagrams() {
                try await asker.send(datagram, to: board.address, port: 54321)
            }
            let version = try #require(
                try await asker.ask(GetVersion(), core: CoreID(255, 255, 0), at: board.address, sequence: 2))
            #expect(try version.decode(for: GetVersion.self).name == "SC&MP")
            await asker.close()
        }
    }

    @Test func anImpossibleMachineIsRefused() async throws {
        await #expect(throws: VirtualMachineError.badSize(width: 0, height: 3)) {
            try await withVirtualMachineHost(
                VirtualMachineDescription(.triads(width: 0, height: 3)), logger: Logger.silent
            ) { _ in }
        }
        #expect(throws: VirtualMachineHostError.self) { try FileDescriptorLimit.require(1 << 40) }
    }

    @Test func aReaderThatHasGoneAwayDoesNotCloseABoard() async throws {
        let description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        try await self.withHost(description) { host in
            let board = host.boards[0].address
            let first = try await UDPAsker.open()
            for datagram in try InMemoryMachine.bootDatagrams() { try await first.send(datagram, to: board, port: 54321) }
            var bytes = ByteBuffer()
            SCPPacket(GetVersion(), to: CoreID(0, 0, 0), sequence: 1).writeDatagram(into: &bytes)
            for _ in 0..<8 { try await first.send(bytes, to: board, port: SCP.port) }
            await first.close()
            let second = try await UDPAsker.open()
            #expect(try await second.ask(GetVersion(), core: CoreID(0, 0, 0), at: board, sequence: 2)?.result == .ok)
            await second.close()
        }
    }

    @Test func timersRunWithoutDatagrams() async throws {
        let description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        try await self.withHost(description) { host in
            let asker = try await UDPAsker.open()
            let board = host.boards[0].address
            for datagram in try InMemoryMachine.bootDatagrams() { try await asker.send(datagram, to: board, port: 54321) }
            // A count is answered 10 ms later, by a timer.
            let reply = try #require(
                try await asker.ask(CountCores(application: 0, state: .idle), core: CoreID(0, 0, 0), at: board, sequence: 1))
            #expect(try reply.decode(for: CountCores.self).count == 808)
            // Spikes leave by themselves.
            _ = try await asker.ask(
                SetIPTag(tag: 1, address: .loopback, port: UInt16(asker.port), strip: true), core: CoreID(0, 0, 0), at: board,
                sequence: 2)
            let source = VirtualApplication.spikeSource(
                tag: 1, intervalMicroseconds: 1000, perPacket: 1, packets: 3, firstKey: 7)
            _ = try await asker.ask(
                WriteMemory(address: 0x6780_0000, data: ByteBuffer(bytes: source.image)), core: CoreID(0, 0, 0), at: board,
                sequence: 3)
            _ = try await asker.ask(
                RunApplication(ApplicationStart(application: 20, cores: CoreMask(cores: [1]))), core: CoreID(0, 0, 0),
                at: board, sequence: 4)
            let deadline = ContinuousClock.now + .seconds(20)
            while asker.others.count < 3, ContinuousClock.now < deadline { await Task.yield() }
            let keys = try asker.others.flatMap { try EIEIODataMessage(datagram: $0).elements.map(\.key) }
            #expect(keys == [7, 8, 9])
            await asker.close()
        }
    }

    @Test func helloReachesWhoeverListensOnLoopback() async throws {
        var description = VirtualMachineDescription(.spinn3, bootTimeScale: 0, isPoweredAtStart: true)
        description.sendsHello = true
        // Loopback's broadcast address, which no board has: the port is a board's own.
        let listener = try await UDPAsker.open("127.255.255.255", port: BootMessage.port)
        try await self.withHost(description) { host in
            let deadline = ContinuousClock.now + .seconds(20)
            while listener.others.isEmpty, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        }
        await listener.close()
        let hello = try BootMessage(datagram: try #require(listener.others.first))
        #expect(hello.opcode == .hello)
    }

    @Test func faultsAndObserversFromOutside() async throws {
        let description = VirtualMachineDescription(.spinn3, bootTimeScale: 0)
        try await self.withHost(description) { host in
            let asker = try await UDPAsker.open()
            let board = host.boards[0].address
            try await host.setPower(true, board: 0)
            #expect(try await host.isPowered(board: 0))
            for datagram in try InMemoryMachine.bootDatagrams() { try await asker.send(datagram, to: board, port: 54321) }
            #expect(try await asker.ask(GetVersion(), core: CoreID(1, 1, 0), at: board, sequence: 1)?.result == .ok)
            #expect(try await host.isBooted(board: 0))
            try await host.withMachine { machine, now in
                try machine.inject(.p2pResult(BoardChip(local: ChipID(1, 1)), .p2pReject), now: now)
            }
            #expect(try await asker.ask(GetVersion(), core: CoreID(1, 1, 0), at: board, sequence: 2)?.result == .p2pReject)
            await #expect(throws: VirtualMachineError.unknownChip(BoardChip(local: ChipID(5, 5)))) {
                try await host.withMachine { machine, now in
                    try machine.inject(.deadChip(BoardChip(local: ChipID(5, 5))), now: now)
                }
            }
            await asker.close()
        }
    }
}
