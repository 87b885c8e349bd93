//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

/// For the same call the transceiver sends what SpiNNMan sends: the same datagrams in the same order.
@Suite(.timeLimit(.minutes(3))) struct TraceTests {
    /// Where it does not, and why.
    static let exceptions: [String: String] = [
        "trace.flood": "SpiNNMan announces a quarter of the blocks that it sends; see floodFillAnnouncesItsBlocks",
        "trace.ensure-ready.dead":
            "SpiNNMan sleeps two seconds after a boot and asks four times; we ask until the time for booting is over",
        "trace.get-machine.dead-chip": "the vector holds a part of the trace only; see DiscoveryTests",
        "trace.get-routes.app": "the vector holds a part of the trace only; see OperationTests",
        "trace.bmp.no-scamp": "a BMP alone needs no transceiver here",
    ]

    private typealias Call = @Sendable (Transceiver) async throws -> Void

    private static let chip = ChipID(1, 1)

    private static let calls: [String: Call] = [
        "trace.read.600": { _ = try await $0[ChipID(1, 2)].read(at: 0x6000_0000, count: 600) },
        "trace.read.unaligned": { _ = try await $0[ChipID(1, 2)].read(at: 0x6000_0001, count: 259) },
        "trace.read.zero": {
            let found1 = try await $0[ChipID(1, 2)].read(at: 0x6000_0001, count: 0).readableBytes
            #expect(found1 == 0)
        },
        "trace.read.window": {
            let found2 = try await $0[ChipID(1, 2)].read(at: 0x6000_0000, count: 2816).readableBytes
            #expect(found2 == 2816)
        },
        "trace.read-link": { _ = try await $0[ChipID(1, 2)].readNeighbour(over: .west, at: 0x7000_0000, count: 300) },
        "trace.write.sum-bytes": { try await $0[ChipID(1, 2)].write(pattern(8), at: 0x6000_0000) },
        "trace.write.600": { try await $0[ChipID(1, 2)].write(pattern(600), at: 0x6000_0000) },
        "trace.write.sum-slice-bug": {
            var bytes = pattern(600)
            bytes.moveReaderIndex(forwardBy: 8)
            try await $0[ChipID(1, 2)].write(bytes.readSlice(length: 16) ?? bytes, at: 0x6000_0000)
        },
        "trace.write.sum-odd": { try await $0[ChipID(1, 2)].write(pattern(5), at: 0x6000_0000) },
        "trace.set-memory": {
            try await $0.writeWords([(ChipID(0, 0), 0xF100_002C, 0xFFFF_FFFF), (chip, 0xE100_0238, 33_471_729)])
        },
        "trace.get-tags": {
            let tags = try await $0.tags(board: .origin)
            #expect(tags.map(\.number) == [1, 2, 9])
            #expect(tags.first?.entry.address == IPv4Address(10, 1, 2, 3))
            #expect(tags.first?.entry.port == 17896)
            #expect(tags.map(\.isReverse) == [false, true, false])
            #expect(tags.last?.isTransient == true)
        },
        "trace.load-routes": { transceiver in
            let first = try await transceiver[chip].loadRoutes(routes, application: 30)
            #expect(first == 1)
        },
        "trace.load-routes.full": { _ = try await $0[chip].loadRoutes(routes, application: 30) },
        "trace.clear-routes": { transceiver in
            for chip in [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0)] { try await transceiver[chip].clearRoutes() }
        },
        "trace.fixed-route.load": {
            try await $0[chip].setFixedRoute(RouteWord(links: [.east, .west], cores: CoreMask(cores: [1])), application: 30)
        },
        "trace.fixed-route.read": {
            let found3 = try await $0[chip].fixedRoute(application: 30).rawValue
            #expect(found3 == 65)
        },
        "trace.router-diag": {
            let diagnostics = try await $0[chip].routerDiagnostics()
            #expect(diagnostics.monitor == 1)
            #expect(diagnostics.wait1 == 64)
            #expect(diagnostics.errors.rawValue == 2_147_483_651)
            #expect(diagnostics.counters == Array(0..<16))
        },
        "trace.malloc": {
            let found4 = try await $0[chip].allocateSDRAM(100, application: 30, tag: 5)
            #expect(found4 == 1_612_972_040)
        },
        "trace.dealloc": {
            let found5 = try await $0[chip].freeSDRAM(of: 30)
            #expect(found5 == 2)
            try await $0[chip].freeSDRAM(at: 1_612_972_040)
        },
        "trace.heap": {
            let found6 = try await $0[chip].heap()
            #expect(
                found6 == [
                    HeapEntry(address: 1_612_972_048, size: 248, application: 30, tag: 5),
                    HeapEntry(address: 1_612_972_304, size: 123_469_536, application: nil, tag: nil),
                ])
        },
        "trace.iobuf": {
            $0.withState { $0.iobufSize = 16384 }
            let texts = try await $0.text(of: [CoreID(1, 1, 3), CoreID(1, 1, 4)])
            #expect(texts.count == 2)
            #expect(texts.first?.text.hasPrefix("line 0000 of the first buffer\nline 0001") == true)
        },
        "trace.cpu-info": {
            let infos = try await $0.coreInfos(of: [CoreID(0, 0, 0), CoreID(0, 0, 1), CoreID(0, 0, 2)])
            #expect(infos.map(\.state) == [.running, .sync0, .runTimeException])
        },
        "trace.cpu-info.include": {
            let infos = try await $0.coreInfos(
                of: [CoreID(0, 0, 0), CoreID(0, 0, 1), CoreID(0, 0, 2)], in: [.runTimeException])
            #expect(infos.map(\.core) == [CoreID(0, 0, 2)])
        },
        "trace.count.noreply": {
            let found7 = try await $0.countCores(application: 30, in: .running, boards: [.origin])
            #expect(found7 == 7)
        },
        "trace.version": {
            let found8 = try await $0.version().version
            #expect(found8 == SoftwareVersion(major: 4, minor: 0, patch: 0))
        },
        "trace.ensure-ready.booted": { try await $0.ensureReady() },
        "trace.ensure-ready.cold": {
            try await $0.ensureReady(image: BootImage(ByteBuffer(repeating: 0, count: 1536)))
        },
        "trace.ensure-ready.version.old": { try await $0.ensureReady() },
        "trace.ensure-ready.version.minor": { try await $0.ensureReady() },
        "trace.ensure-ready.version.major": { try await $0.ensureReady() },
        "trace.ensure-ready.version.name": { try await $0.ensureReady() },
        "trace.get-machine": {
            let machine = try await $0.discoverMachine()
            #expect(machine.chips.map(\.id) == [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0), ChipID(1, 1)])
            #expect(machine.chips.allSatisfy { $0.workingCores == 18 && $0.freeSDRAM == 123_469_792 && $0.links.count == 6 })
            #expect(machine.chips.map(\.parentLink) == [nil, .south, .west, .southWest])
            #expect(machine[.origin]?.address == IPv4Address(192, 168, 240, 1))
            #expect(machine.notes.isEmpty)
        },
        "trace.txrx.stop-app": { try await $0.stop(application: 30) },
        "trace.txrx.control-sync": { try await $0.setSynchronisation(true) },
        "trace.txrx.read-word": {
            let found9 = try await $0[chip].readWord(at: 0x6000_0000)
            #expect(found9 == 0xCAFE_BABE)
        },
        "trace.txrx.write-int": { try await $0[chip].writeWord(word(of: "trace.txrx.write-int"), at: 0x6000_0000) },
        "trace.txrx.write-bytes-sum": {
            let (count, sum) = try await $0[chip].write(Once(data(of: "trace.txrx.write-bytes-sum")), at: 0x6000_0000)
            #expect(count == 16)
            #expect(sum == 606_084_120)
        },
        "trace.txrx.write-user": { try await $0[CoreID(1, 1, 3)].setUserRegister(3, to: word(of: "trace.txrx.write-user")) },
        "trace.txrx.region-base": {
            let found10 = try await $0[CoreID(1, 1, 3)].userRegister(0)
            #expect(found10 == 11)
        },
        "trace.txrx.clock-drift": {
            let found11 = try await $0[chip].clockDrift()
            #expect(found11 == -1.0)
        },
        "trace.txrx.clear-ip-tag": { try await $0.clearIPTag(3) },
        "trace.txrx.clear-diag": { try await $0[chip].clearRouterCounters() },
        "trace.txrx.set-ip-tag": {
            try await $0.setIPTag(3, address: IPv4Address(10, 1, 2, 3), port: 17896, strip: true)
        },
        "trace.txrx.set-ip-tag.local": {
            try await $0.setIPTag(3, address: IPv4Address(192, 168, 240, 254), port: 17896, strip: false)
        },
        "trace.txrx.set-ip-tag.sender": {
            try await $0.setIPTag(3, address: IPv4Address(10, 1, 2, 3), port: 17896, strip: true, useSender: true)
        },
        "trace.txrx.set-ip-tag.unknown-board": {
            try await $0.setIPTag(3, board: ChipID(8, 4), address: IPv4Address(10, 1, 2, 3), port: 17896, strip: false)
        },
        "trace.txrx.set-reverse-ip-tag": {
            try await $0.setReverseIPTag(4, port: 12345, core: CoreID(1, 1, 3), sdpPort: 1)
        },
        "trace.txrx.set-reverse-ip-tag.scp-port": {
            try await $0.setReverseIPTag(4, port: 17893, core: CoreID(1, 1, 3), sdpPort: 1)
        },
        "trace.txrx.set-reverse-ip-tag.boot-port": {
            try await $0.setReverseIPTag(4, port: 54321, core: CoreID(1, 1, 3), sdpPort: 1)
        },
        "trace.reset-routing": { transceiver in
            transceiver.withState { $0.machine = Machine.spinn3 }
            try await transceiver.resetRouting()
        },
        "trace.bmp.connect": { _ = try await $0.bmps[0].version() },
        "trace.bmp.version": {
            _ = try await $0.bmps[0].version()
            let found12 = try await $0.bmps[0].version(board: 1).version
            #expect(found12 == SoftwareVersion(major: 2, minor: 1, patch: 2))
        },
        "trace.bmp.fpga-read": {
            _ = try await $0.bmps[0].version()
            let found13 = try await $0.bmps[0].readFPGARegister(0x40004, of: 2, board: 1)
            #expect(found13 == 3_405_705_229)
        },
        "trace.bmp.fpga-write": {
            _ = try await $0.bmps[0].version()
            try await $0.bmps[0].writeFPGARegister(0x40004, of: 2, value: word(of: "trace.bmp.fpga-write", send: 1), board: 1)
        },
        "trace.bmp.power-off": {
            _ = try await $0.bmps[0].version()
            try await $0.bmps[0].setPower(on: false, boards: [0, 1])
        },
        "trace.bmp.led": {
            _ = try await $0.bmps[0].version()
            var actions = LEDActions()
            actions[7] = .on
            try await $0.bmps[0].setLEDs(actions, boards: [0, 1])
        },
    ]

    /// Calls that SpiNNMan fails at although the machine did what it was told.
    private static let betterThanSpiNNMan: Set<String> = [
        "trace.write.sum-bytes", "trace.write.sum-odd", "trace.bmp.fpga-write", "trace.bmp.power-off",
    ]

    @Test func everyTraceIsPlayedOrExcused() throws {
        let traces = try Trace.loadAll()
        #expect(traces.count >= 60, "the vectors are missing")
        for trace in traces {
            let isPlayed = TraceTests.calls[trace.id] != nil
            #expect(isPlayed != (TraceTests.exceptions[trace.id] != nil), "\(trace.id)")
        }
    }

    @Test func sendsWhatSpiNNManSends() async throws {
        let traces = try Trace.loadAll().filter { TraceTests.calls[$0.id] != nil }
        // Side by side: a few wait for timeouts.
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for trace in traces { tasks.addTask { try await self.play(trace) } }
            try await tasks.waitForAll()
        }
    }

    private func play(_ trace: Trace) async throws {
        #expect(trace.isWhole, "\(trace.id)")
        guard let call = TraceTests.calls[trace.id] else { return }
        let isBMP = trace.id.hasPrefix("trace.bmp.")
        let scamp = TraceLink(trace.id, answers: isBMP ? [] : trace.answers)
        let bmp = TraceLink(trace.id + " BMP", answers: isBMP ? trace.answers : [])
        let boot = TraceLink(trace.id + " boot")
        var configuration = TransceiverConfiguration()
        configuration.firstSequence = trace.firstSequence
        configuration.timeout = .milliseconds(trace.id == "trace.ensure-ready.cold" ? 30 : 5000)
        configuration.retryDelay = .milliseconds(5)
        configuration.bootPause = .milliseconds(1)
        configuration.resendsEarly = false
        do {
            try await withTransceiver(
                links: [.origin: scamp], boot: boot, bmps: isBMP ? [bmp] : [], configuration: configuration
            ) { try await call($0) }
            #expect(trace.succeeds || TraceTests.betterThanSpiNNMan.contains(trace.id), "\(trace.id) should fail")
        } catch {
            #expect(!trace.succeeds, "\(trace.id): \(error)")
        }
        let sent = try await (isBMP ? bmp : scamp).allSent()
        #expect(
            sent == trace.sends,
            "\(trace.id): \(sent.map { $0.hexDump(format: .compact) }) should be \(trace.sends.map { $0.hexDump(format: .compact) })"
        )
        let booted = try await boot.allSent()
        #expect(booted.map(\.readableBytes) == trace.bootSends.map(\.count), "\(trace.id)")
        #expect(booted.map { $0.getSlice(at: 0, length: 18) } == trace.bootSends.map(\.header), "\(trace.id)")
    }

    @Test func floodFillAnnouncesItsBlocks() async throws {
        let trace = try #require(try Trace.loadAll().first { $0.id == "trace.flood" })
        let link = TraceLink("flood", answers: trace.answers)
        try await withTransceiver(links: [.origin: link]) { transceiver in
            try await transceiver.floodWrite(pattern(600), at: 0x6780_0000)
        }
        let sent = try await link.allSent()
        #expect(sent.dropFirst() == trace.sends.dropFirst())
        // Three blocks, where SpiNNMan says one.
        var first = try SCPPacket(datagram: trace.sends[0])
        #expect(first.arguments.arg1 == 0x0602_0100)
        first.arguments.arg1 = 0x0602_0300
        var datagram = ByteBuffer()
        first.writeDatagram(into: &datagram)
        #expect(sent.first == datagram)
    }

    // MARK: - What the vectors' generator wrote

    private static let routes: [MulticastEntry] = [
        MulticastEntry(key: 4096, mask: 4_294_963_200, route: RouteWord(rawValue: 385)),
        MulticastEntry(key: 8192, mask: 4_294_963_200, route: RouteWord(rawValue: 24)),
    ]

    /// 0, 11, 22 … modulo 256.
    private static func pattern(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 11) })
    }
    private func pattern(_ count: Int) -> ByteBuffer { TraceTests.pattern(count) }

    /// The data of one of a trace's requests.
    private static func data(of id: String, send: Int = 0) throws -> ByteBuffer {
        let trace = try #require(try Trace.loadAll().first { $0.id == id })
        return try SCPPacket(datagram: trace.sends[send]).data
    }

    private static func word(of id: String, send: Int = 0) throws -> UInt32 {
        let data = try self.data(of: id, send: send)
        return try #require(data.getInteger(at: data.readerIndex, endianness: .little))
    }
}

/// One piece.
private struct Once: AsyncSequence, Sendable {
    let piece: ByteBuffer
    init(_ piece: ByteBuffer) { self.piece = piece }
    struct AsyncIterator: AsyncIteratorProtocol {
        var piece: ByteBuffer?
        mutating func next() async -> ByteBuffer? {
            defer { self.piece = nil }
            return self.piece
        }
    }
    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(piece: self.piece) }
}

extension Machine {
    /// Four chips without a fault.
    static var spinn3: Machine {
        Machine(
            shape: MachineShape(board: .spinn3), root: .origin,
            chips: BoardShape.spinn3.chips.map { chip in
                Chip(
                    id: chip, applicationCores: Array(1..<18), workingCores: 18, links: Set(Link.allCases),
                    freeSDRAM: UInt32(MemoryMap.freeSDRAM), freeRoutingEntries: 1023, nearestEthernet: .origin,
                    address: chip == .origin ? IPv4Address(192, 168, 240, 1) : nil)
            })
    }
}
