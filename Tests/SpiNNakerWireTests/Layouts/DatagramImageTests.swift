//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Whole datagrams, made by hand from the tables: header, words and data together, in both directions.
@Suite struct DatagramImageTests {
    private func buffer(_ hex: String) -> ByteBuffer { ByteBuffer(bytes: GoldenVector.bytes(ofHex: hex.filter(\.isHexDigit))) }

    private func hex(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return Outcome.hex(buffer.readableBytesView)
    }

    /// The request as this datagram, and this datagram as the request.
    private func check<Request: SCPRequest>(
        _ request: Request, to core: CoreID = CoreID(1, 2, 3), _ image: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let packet = SCPPacket(request, to: core, sequence: 0x1234)
        #expect(hex(packet.writeDatagram) == image.filter(\.isHexDigit), sourceLocation: sourceLocation)
        let read = try SCPPacket(datagram: buffer(image))
        #expect(read == packet, sourceLocation: sourceLocation)
        #expect(
            try Request(arguments: read.arguments, data: read.data) == request, sourceLocation: sourceLocation)
    }

    /// padding, flags, tag, destination port and core, source, y x of the destination, of the source.
    private let head = "0000 87 ff 03 ff 0201 0000"

    @Test func memory() throws {
        try check(ReadMemory(address: 0x6000_0010, size: 256), "\(head) 0200 3412 10000060 00010000 02000000")
        try check(ReadMemory(address: 0x6000_0012, size: 2), "\(head) 0200 3412 12000060 02000000 01000000")
        try check(ReadMemory(address: 0x6000_0011, size: 4), "\(head) 0200 3412 11000060 04000000 00000000")
        try check(
            WriteMemory(address: 0xF500_7F00, data: ByteBuffer(bytes: [1, 2, 3])),
            "\(head) 0300 3412 007f00f5 03000000 00000000 010203")
        try check(
            FillMemory(address: 0x6000_0000, word: 0xDEAD_BEEF, size: 64), "\(head) 0500 3412 00000060 efbeadde 40000000")
        try check(ReadLink(address: 0x7000_0000, size: 8, link: .southWest), "\(head) 1100 3412 00000070 08000000 04000000")
        try check(
            WriteLink(address: 0x7000_0000, data: ByteBuffer(bytes: [9, 8, 7, 6]), link: .south),
            "\(head) 1200 3412 00000070 04000000 05000000 09080706")
    }

    @Test func applications() throws {
        let start = ApplicationStart(application: 30, cores: CoreMask(cores: [1, 2, 17]), wait: true)
        try check(GetVersion(), "\(head) 0000 3412 00000000 00000000 00000000")
        try check(RunApplication(start), "\(head) 1300 3412 0600061e 00000000 00000000")
        try check(
            try CopyAndRunApplication(from: .north, size: 0x400, checksum: 0xFFFF_FFFF, start: start),
            "\(head) 1500 3412 faffffff 00040000 0600061e")
        try check(CountCores(application: 30, state: .sync0), "\(head) 0f00 3412 1e000000 08000000 00000000")
        // Type 0 (multicast), mask 0xFF, and the 16 ones of arg3.
        try check(SendSignal(.sync0, application: 30), "\(head) 1600 3412 00000000 1eff0400 ffff0000")
        try check(SetSynchronisation(enabled: true), "\(head) 2000 3412 01000000 00000000 00000000")
        try check(SetLEDs(LEDActions(word: 0x0000_00C1)), "\(head) 1900 3412 c1000000 00000000 00000000")
    }

    @Test func allocations() throws {
        // Flag 4 in the upper half: a repeat is the same request.
        try check(
            AllocateSDRAM(size: 4096, application: 30, tag: 7), "\(head) 1c00 3412 001e0400 00100000 07000000")
        try check(
            AllocateSDRAM(size: 4096, application: 30, tag: nil), "\(head) 1c00 3412 001e0000 00100000 00000000")
        try check(FreeSDRAM(address: 0x6024_0010), "\(head) 1c00 3412 01000000 10002460 00000000")
        try check(FreeSDRAMOfApplication(application: 30), "\(head) 1c00 3412 021e0000 00000000 00000000")
        try check(
            AllocateRouterEntries(count: 100, application: 30), "\(head) 1c00 3412 031e0000 64000000 00000000")
    }

    @Test func routers() throws {
        try check(ClearRouter(), "\(head) 1d00 3412 00000000 00000000 00000000")
        try check(
            try LoadRouter(count: 100, application: 30, table: 0x6780_0000, first: 4),
            "\(head) 1d00 3412 021e6400 00008067 04000000")
        try check(
            SetFixedRoute(RouteWord(links: [.west], cores: CoreMask(cores: [1])), application: 30),
            "\(head) 1d00 3412 031e0000 88000000 00000000")
    }

    @Test func tags() throws {
        try check(
            SetIPTag(tag: 1, address: IPv4Address(192, 168, 0, 9), port: 50000, strip: true),
            "\(head) 1a00 3412 01000110 50c30000 c0a80009")
        try check(
            SetReverseIPTag(tag: 2, port: 12345, core: CoreID(4, 8, 5), sdpPort: 1),
            "\(head) 1a00 3412 02250130 39300804 00000000")
        try check(GetIPTags(tag: 3, count: 2), "\(head) 1a00 3412 03000200 02000000 00000000")
        try check(ClearIPTag(tag: 3), "\(head) 1a00 3412 03000300 00000000 00000000")
        try check(SetIPTagTimeout(code: 9), "\(head) 1a00 3412 00000400 09000000 00000000")
        try check(SetIPTagTimeout(code: nil), "\(head) 1a00 3412 00000400 ff000000 00000000")
    }

    /// The core byte is the number of the board.
    @Test func boards() throws {
        let frame = CoreID(0, 0, 0)
        let first = "0000 87 ff 00 ff 0000 0000"
        try check(
            SetBoardPower(on: true, boards: 0x00FF_0001, delay: 20), to: frame,
            "\(first) 3900 3412 01001400 0100ff00 00000000")
        var leds = LEDActions()
        leds[1] = .on
        leds[7] = .toggle
        try check(SetBoardLEDs(leds, boards: 0b101), to: frame, "\(first) 1900 3412 0c400000 05000000 00000000")
        try check(GetBoardStatus(), to: CoreID(0, 0, 23), "0000 87 ff 17 ff 0000 0000 3000 3412 03000000 00000000 00000000")
        try check(
            WriteFPGARegister(fpga: 2, register: FPGARegister.scrambler, value: 0x0102_0304), to: CoreID(0, 0, 5),
            "0000 87 ff 05 ff 0000 0000 1200 3412 10000400 04000000 02000000 04030201")
    }

    @Test func runningCores() throws {
        // Port 3 of the core; the code in place of a command.
        let packet = SCPPacket(simulation: SetRunTime(end: 1000, now: 500), to: CoreID(1, 2, 3), sequence: 0x1234)
        let image = "0000 87 ff 63 ff 0201 0000 0700 3412 e8030000 00000000 f4010000 00000000"
        #expect(hex(packet.writeDatagram) == image.filter(\.isHexDigit))
        #expect(try SCPPacket(datagram: buffer(image)) == packet)
        // Nothing but a header: it keeps a firewall's door open, and no core gets it.
        #expect(hex(SDPMessage.portTrigger().writeDatagram).count == 20)
        let reprogram = SCPPacket.reprogramTag(5, of: ChipID(4, 8), strip: true, flags: .replyExpectedNoRouting)
        #expect(
            hex(reprogram.writeDatagram)
                == "0000 a7 ff 00 ff 0804 0804 1a00 0000 05000150 00000000 00000000".filter(\.isHexDigit))
    }

    @Test func replies() throws {
        let image = "0000 07 ff ff 03 0000 0201 8000 3412 78563412 ef"
        let reply = try SCPReply(datagram: buffer(image))
        #expect(reply.result == .ok && reply.sequence == 0x1234)
        #expect(reply.header.source == SDPAddress(port: 0, cpu: 3) && reply.header.sourceChip == ChipID(1, 2))
        #expect(reply.header.destination == .ethernet && reply.header.flags == .replyNotExpected)
        #expect(try reply.decode(for: AllocateSDRAM.self).word == 0x1234_5678)
        #expect(Array(try reply.decode(for: ReadMemory.self).bytes.readableBytesView) == [0x78, 0x56, 0x34, 0x12, 0xEF])
        #expect(hex(reply.writeDatagram) == image.filter(\.isHexDigit))
    }

    @Test func versions() throws {
        let scamp = """
            00 01 0201 0001 ffff 00f1536f 5343264d502f5370694e4e616b657200 342e302e3000
            """
        let version = try VersionInfo(payload: buffer(scamp))
        #expect(version.virtualCore == 0 && version.physicalCore == 1 && version.chip == ChipID(1, 2))
        #expect(version.bufferSize == 256 && version.buildDate == 0x6F53_F100)
        #expect(version.name == "SC&MP" && version.hardware == "SpiNNaker" && !version.isOldStyle)
        #expect(version.version == SoftwareVersion(major: 4, minor: 0, patch: 0) && version.versionText == "4.0.0")
        #expect(hex(version.write) == scamp.filter(\.isHexDigit))
        // 133 is 1.33, and no text follows the name.
        let old = try VersionInfo(payload: buffer("00 01 0000 0001 8500 00000000 42432f426f617264 00"))
        #expect(old.isOldStyle && old.versionText == "1.33" && old.name == "BC" && old.hardware == "Board")
        #expect(old.version == SoftwareVersion(major: 1, minor: 33, patch: 0))
        // Without a slash, without a version, and with one that is none.
        for bad in ["0001 0000 0001 ffff 00000000 4142 00", "0001 0000 0001 ffff 00000000 412f42 00 78 00"] {
            #expect(throws: WireError.self) { try VersionInfo(payload: buffer(bad)) }
        }
    }

    @Test func proxyFrames() throws {
        let endpoint = ProxyEndpoint(chip: ChipID(4, 8), port: 17893)
        let payload = ByteBuffer(bytes: [0xAA, 0xBB])
        let requests: [(ProxyRequest, String)] = [
            (.open(correlation: 7, endpoint), "00000000 07000000 04000000 08000000 e5450000"),
            (.close(correlation: 7, channel: 9), "01000000 07000000 09000000"),
            (.message(channel: 9, payload), "02000000 09000000 aabb"),
            (.openUnconnected(correlation: 7), "03000000 07000000"),
            (.messageTo(channel: 9, endpoint, payload), "04000000 09000000 04000000 08000000 e5450000 aabb"),
        ]
        for (request, image) in requests {
            #expect(hex(request.write) == image.filter(\.isHexDigit))
            #expect(try ProxyRequest(frame: buffer(image)) == request)
        }
        let replies: [(ProxyReply, String)] = [
            (.opened(correlation: 7, channel: 9), "00000000 07000000 09000000"),
            (.closed(correlation: 7, channel: 0), "01000000 07000000 00000000"),
            (.message(channel: 9, payload), "02000000 09000000 aabb"),
            (
                .openedUnconnected(correlation: 7, channel: 9, address: IPv4Address(10, 0, 0, 1), port: 50000),
                "03000000 07000000 09000000 0a000001 50c30000"
            ),
            (.error(correlation: 7, message: "no"), "05000000 07000000 6e6f"),
        ]
        for (reply, image) in replies {
            #expect(hex(reply.write) == image.filter(\.isHexDigit))
            #expect(try ProxyReply(frame: buffer(image)) == reply)
        }
        #expect(throws: WireError.trailing(message: "proxy CLOSE", extra: 1)) {
            try ProxyRequest(frame: buffer("01000000 07000000 09000000 00"))
        }
        #expect(throws: WireError.invalid(message: "proxy request", field: "operation", value: 5)) {
            try ProxyRequest(frame: buffer("05000000 07000000"))
        }
        #expect(throws: WireError.invalid(message: "proxy reply", field: "operation", value: 4)) {
            try ProxyReply(frame: buffer("04000000 07000000"))
        }
        // Bad UTF-8 does not hide that there was an error.
        #expect(try ProxyReply(frame: buffer("05000000 07000000 ff")) == .error(correlation: 7, message: "\u{FFFD}"))
    }

    @Test func buffering() throws {
        let commands: [(EIEIOCommand, String)] = [
            (
                .requestBuffers(RequestBuffers(core: CoreID(1, 2, 3), region: 5, sequence: 6, space: 0x100)),
                "0640 0201 18 00 05 06 00010000"
            ),
            (
                .sequencedData(SequencedData(region: 5, sequence: 6, data: buffer("0108 78563412"))),
                "0740 05 06 0108 78563412"
            ),
            (
                .requestReadData(
                    try RequestReadData(
                        core: CoreID(1, 2, 3), sequence: 4,
                        requests: [
                            .init(channel: 1, region: 2, address: 0x6000_0000, size: 16),
                            .init(channel: 3, region: 4, address: 0x6000_0100, size: 32),
                        ])),
                "0840 0201 1a 04 0102 00000060 10000000 0000 0304 00010060 20000000"
            ),
            (
                .dataRead(
                    try DataRead(
                        sequence: 4,
                        regions: [.init(channel: 1, region: 2, size: 16), .init(channel: 3, region: 4, size: 32)])),
                "0940 02 04 0000 01 02 10000000 0000 03 04 20000000"
            ),
            (.dataReadAck(sequence: 9), "0c40 09"), (.startResume, "0b40"), (.stopPause, "0a40"),
            (.database(path: "/a"), "0140 2f61"), (.eventStop, "0340"), (.eventPadding, "0240"),
        ]
        for (command, image) in commands {
            #expect(hex(command.write) == image.filter(\.isHexDigit))
            #expect(try EIEIOCommand(datagram: buffer(image)) == command)
        }
        #expect(throws: WireError.invalid(message: "EIEIO request to read", field: "number of requests", value: 8)) {
            try RequestReadData(
                core: CoreID(0, 0, 1), sequence: 0,
                requests: Array(repeating: .init(channel: 0, region: 0, address: 0, size: 0), count: 8))
        }
    }

    @Test func eventsInTheRoomThatWasHandedOver() throws {
        var buffer = ByteBufferAllocator().buffer(capacity: 300)
        buffer.writeInteger(0xA5 as UInt8)
        let room = buffer.withUnsafeReadableBytes { $0.baseAddress }
        var writer = EIEIODataWriter(EIEIODataHeader(.key32), takingOver: &buffer)
        #expect(buffer.readableBytes == 0)
        #expect(try writer.append(key: 0x1234_5678))
        #expect(try writer.append(key: 1))
        #expect(writer.count == 2 && writer.header.count == 2 && !writer.isEmpty && !writer.isFull)
        let message = writer.finish()
        #expect(Outcome.hex(message.readableBytesView) == "a5" + "0208" + "78563412" + "01000000")
        #expect(message.withUnsafeReadableBytes { $0.baseAddress } == room)
    }
}
