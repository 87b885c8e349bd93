//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Virtual-machine specification §8.1, upper half: framing, version, memory, links, tags.
@Suite("SC&MP: messages, memory and tags", .timeLimit(.minutes(3)))
struct SCAMPCommandTests {
    private let machine: InMemoryMachine
    private let spinn3: InMemoryMachine

    init() throws {
        self.machine = try InMemoryMachine(.spinn5)
        self.spinn3 = try InMemoryMachine(.spinn3)
    }

    private func isMasked(_ reply: SCPReply?) -> Bool { reply?.result == .ok && reply?.payload.readableBytes == 0 }

    // MARK: Framing and routing

    @Test func versionsByDestination() throws {
        let root = try self.machine.ask(GetVersion(), core: CoreID(255, 255, 0))
        #expect(
            root.name == "SC&MP" && root.hardware == "SpiNNaker"
                && root.version == SoftwareVersion(major: 4, minor: 0, patch: 0))
        #expect(root.chip == .origin && root.virtualCore == 0 && root.bufferSize == 256)
        #expect(try self.machine.ask(GetVersion(), core: CoreID(4, 4, 0)).chip == ChipID(4, 4))
        let sark = try self.machine.ask(GetVersion(), core: CoreID(4, 4, 5))
        #expect(sark.name == "SARK" && sark.virtualCore == 5 && sark.physicalCore == 5)
        #expect(self.machine.raw(.version, to: CoreID(0, 0, 18))?.result == .badCPU)
        #expect(self.machine.raw(.version, to: CoreID(3, 3, 17))?.result == .badCPU, "a chip of 17 cores")
        #expect(self.machine.raw(.version, to: CoreID(50, 50, 0))?.result == .noRoute)
        #expect(self.machine.raw(.version, port: 1)?.result == .badPort)
    }

    @Test func repliesEchoAndSwap() throws {
        var bytes = ByteBuffer()
        let packet = SCPPacket(
            header: SDPHeader(
                flags: SDPFlags(rawValue: 0xC7), destination: SDPAddress(port: 0, cpu: 0), source: .ethernet,
                destinationChip: ChipID(1, 1), sourceChip: ChipID(99, 99)),
            command: .version, sequence: 0xBEEF, arguments: SCPArguments(), data: ByteBuffer())
        packet.writeDatagram(into: &bytes)
        let sent = self.machine.send(bytes)
        #expect(sent.count == 1)
        #expect(sent[0].sourcePort == 17893 && sent[0].destination == self.machine.host)
        let reply = try SCPReply(datagram: sent[0].bytes)
        #expect(reply.sequence == 0xBEEF)
        #expect(reply.header.flags.rawValue == 0x47, "bit 7 cleared, the rest kept")
        #expect(reply.header.tag == 8)
        #expect(reply.header.destination == .ethernet && reply.header.destinationChip == .origin)
        #expect(reply.header.source == SDPAddress(port: 0, cpu: 0) && reply.header.sourceChip == ChipID(1, 1))
        #expect(sent[0].bytes.readableBytes == 48)
    }

    @Test func lengthsAtTheirLimits() throws {
        var bytes = ByteBuffer()
        SCPPacket(
            WriteMemory(address: 0x6000_0000, data: ByteBuffer(repeating: 7, count: 256)), to: CoreID(0, 0, 0), sequence: 1
        )
        .writeDatagram(into: &bytes)
        #expect(bytes.readableBytes == 282 && self.machine.send(bytes).count == 1, "280 bytes of SDP")
        bytes.writeInteger(UInt8(0))
        #expect(self.machine.send(bytes).isEmpty, "281")
        for length in 0..<26 {
            let part = try #require(bytes.getSlice(at: 0, length: length))
            let answers = self.machine.send(part)
            #expect(answers.count == (length < 10 ? 0 : 1))
            if length >= 14 { #expect(self.isMasked(try SCPReply(datagram: try #require(answers.first).bytes))) }
        }
        #expect(self.machine.raw(.version) != nil)
    }

    @Test func errorsOfTheMonitorAreMaskedAndThoseOfSARKAreNot() throws {
        let events = Recorder()
        self.machine.machine.observer = { events.append($0) }
        #expect(self.isMasked(self.machine.raw(SCPCommand(rawValue: 99))))
        #expect(events.all == [.refused(board: 0, chip: .origin, result: .badCommand)])
        #expect(self.machine.raw(SCPCommand(rawValue: 99), to: CoreID(0, 0, 1))?.result == .badCommand)
        #expect(self.machine.raw(.info, to: CoreID(0, 0, 1))?.result == .badCommand)
        #expect(self.machine.raw(.read, 0, 257, to: CoreID(0, 0, 1))?.result == .badArgument)
    }

    @Test func aReplyNeedsATagAndARequestWithoutReplyNone() throws {
        #expect(self.machine.raw(.version, tag: 0) == nil, "tag 0 is not set")
        #expect(self.machine.raw(.version, tag: 16) == nil)
        #expect(self.machine.raw(.version, flags: .replyNotExpected, tag: 16) == nil)
        _ = try self.machine.ask(SetIPTag(tag: 0, address: .loopback, port: 4321, strip: false))
        var bytes = ByteBuffer()
        SCPPacket(
            header: SDPHeader(tag: 0, destination: SDPAddress(port: 0, cpu: 0), destinationChip: .origin), command: .version,
            sequence: 5, arguments: SCPArguments(), data: ByteBuffer()
        ).writeDatagram(into: &bytes)
        #expect(self.machine.send(bytes).first?.destination.port == 4321, "the reply leaves by the tag")
        #expect(self.machine.raw(.write, 0x6000_0000, 4, 2, data: [1, 2, 3, 4], flags: .replyNotExpected) == nil)
        #expect(try self.machine.readWord(0x6000_0000) == 0x0403_0201)
    }

    @Test func eightUnansweredRequestsSilenceABoard() throws {
        let lost = SCPPacket(
            header: SDPHeader(destination: SDPAddress(port: 1, cpu: 3), destinationChip: .origin), command: .version,
            sequence: 1, arguments: SCPArguments(), data: ByteBuffer())
        for _ in 0..<8 { #expect(self.machine.reply(to: lost) == nil) }
        #expect(self.machine.raw(.version) == nil)
        self.machine.advance(by: .milliseconds(2550))
        #expect(self.machine.raw(.version) == nil)
        self.machine.advance(by: .milliseconds(50))
        #expect(self.machine.raw(.version)?.result == .ok)
    }

    @Test func withoutRoutingTheReceivingChipAnswers() throws {
        let reply = try #require(self.machine.raw(.version, to: CoreID(1, 1, 0), flags: .replyExpectedNoRouting))
        #expect(reply.header.flags.rawValue == 0x27)
        #expect(try reply.decode(for: GetVersion.self).chip == .origin)
        #expect(reply.header.sourceChip == ChipID(1, 1))
    }

    // MARK: READ, WRITE, FILL

    @Test func readsOfAllLengths() throws {
        let pattern = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
        try self.machine.write(pattern, to: 0x6123_4F80)
        for length in [0, 1, 2, 7, 255, 256] {
            let reply = try #require(self.machine.raw(.read, 0x6123_4F81, UInt32(length), 0))
            #expect(Array(reply.payload.readableBytesView) == Array(pattern[1..<(1 + length)]))
        }
        #expect(self.isMasked(self.machine.raw(.read, 0x6123_4F80, 257, 0)))
        #expect(self.isMasked(self.machine.raw(.read, 0x6123_4F80, 4, 3)))
        // The same cells at the other alias.
        #expect(try self.machine.read(0x7123_4F80, count: 300) == pattern)
    }

    @Test func aResidueBehindWholeUnitsIsTheRequestItself() throws {
        try self.machine.write(Array(repeating: 0xEE, count: 16), to: 0x6000_0000)
        let reply = try #require(self.machine.raw(.read, 0x6000_0000, 7, 2))
        #expect(Array(reply.payload.readableBytesView) == [0xEE, 0xEE, 0xEE, 0xEE, 7, 0, 0])
        _ = self.machine.raw(.write, 0x6000_0100, 7, 2, data: Array(repeating: 0x55, count: 7))
        #expect(try self.machine.read(0x6000_0100, count: 8) == [0x55, 0x55, 0x55, 0x55, 0, 0, 0, 0])
    }

    @Test func everyChipHasItsOwnMemory() throws {
        for chip in BoardShape.spinn5.chips {
            try self.machine.write([chip.x, chip.y, 1, 2], to: 0x6700_0000, core: .monitor(of: chip))
        }
        for chip in BoardShape.spinn5.chips {
            #expect(try self.machine.read(0x6700_0000, count: 4, core: .monitor(of: chip)) == [chip.x, chip.y, 1, 2])
        }
    }

    @Test func coresHaveTheirOwnTightlyCoupledMemory() throws {
        try self.machine.write([1, 2, 3, 4], to: 0x0040_0100, core: CoreID(0, 0, 1))
        try self.machine.write([5, 6, 7, 8], to: 0x0040_0100, core: CoreID(0, 0, 2))
        #expect(try self.machine.read(0x0040_0100, count: 4, core: CoreID(0, 0, 1)) == [1, 2, 3, 4])
        #expect(try self.machine.read(0x0040_0100, count: 4, core: CoreID(0, 0, 2)) == [5, 6, 7, 8])
        #expect(try self.machine.read(0x0040_0100, count: 4, core: CoreID(0, 0, 0)) == [0, 0, 0, 0])
        // What is shared is shared.
        try self.machine.write([9, 9, 9, 9], to: 0x6000_0000, core: CoreID(0, 0, 2))
        #expect(try self.machine.read(0x6000_0000, count: 4) == [9, 9, 9, 9])
    }

    @Test func fillWritesWholeWords() throws {
        try self.machine.write(Array(repeating: 0xFF, count: 32), to: 0x6000_0000)
        _ = try self.machine.ask(FillMemory(address: 0x6000_0000, word: 0x0102_0304, size: 13))
        #expect(try self.machine.read(0x6000_0000, count: 16) == [4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1, 255, 255, 255, 255])
        _ = try self.machine.ask(FillMemory(address: 0x6000_0000, word: 5, size: 0))
        #expect(try self.machine.read(0x6000_0000, count: 4) == [4, 3, 2, 1])
        _ = try self.machine.ask(FillMemory(address: 0x6200_0FFC, word: 0xAABB_CCDD, size: 1 << 20))
        #expect(try self.machine.readWord(0x6200_0FFC) == 0xAABB_CCDD)
        #expect(try self.machine.readWord(0x6210_0FF8) == 0xAABB_CCDD)
        #expect(try self.machine.readWord(0x6210_0FFC) == 0)
        let before = self.machine.machine.residentMemory
        _ = try self.machine.ask(FillMemory(address: 0x6400_0000, word: 0, size: 32 << 20))
        #expect(self.machine.machine.residentMemory == before, "zeroes where zeroes were need no memory")
    }

    @Test func clocksRunAndAWriteToThemDoesNotStay() throws {
        let before = try self.machine.readWord(0xF500_7F10)
        try self.machine.writeWord(77, to: 0xF500_7F10)
        self.machine.advance(by: .milliseconds(1500))
        #expect(try self.machine.readWord(0xF500_7F10) == before + 1500)
        #expect(try self.machine.readWord(0xF500_7F1C) == 1)
    }

    @Test func addressesWithoutMemory() throws {
        #expect(try self.machine.readWord(0x5000_0000) == 0)
        try self.machine.writeWord(1, to: 0xDEAD_BEE0)
        #expect(self.machine.raw(.fill, 0x67FF_FFF0, 1, 0xFFFF_FFFC)?.result == .ok)
        #expect(self.machine.raw(.read, 0x67FF_FFFE, 256, 0)?.payload.readableBytes == 256)
        #expect(self.machine.raw(.version)?.result == .ok, "lenient: nothing has happened")

        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true)
        description.addressFaults = .strict
        let strict = try InMemoryMachine(description)
        strict.boot()
        #expect(strict.raw(.read, 0x5000_0000, 4, 2, to: CoreID(1, 0, 0)) == nil)
        #expect(strict.raw(.version, to: CoreID(1, 0, 0))?.result == .p2pNoReply)
        // Hardware goes on answering over the link, and shows how the monitor has ended.
        let vcpu = try strict.ask(ReadLink(address: 0xE500_7000, size: 128, link: .east))
        #expect(vcpu.bytes.getInteger(at: vcpu.bytes.readerIndex + 46, as: UInt8.self) == 2)
        // An unaligned word sent to an application core only stops that one.
        #expect(strict.raw(.read, 0x6000_0002, 4, 2, to: CoreID(0, 0, 4)) == nil)
        #expect(try strict.state(4) == .runTimeException)
        #expect(try strict.read(0xE500_7000 + 4 * 128 + 44, count: 1) == [5])
    }

    // MARK: Links

    @Test func eachLinkReachesTheRightNeighbour() throws {
        let centre = ChipID(3, 3)
        for link in Link.allCases {
            let (dx, dy) = link.delta
            let reply = try self.machine.ask(ReadLink(address: 0xF500_7F00, size: 4, link: link), core: .monitor(of: centre))
            #expect(Array(reply.bytes.readableBytesView.prefix(2)) == [UInt8(3 + dy), UInt8(3 + dx)])
        }
    }

    @Test func linkWritesAndWhatTheyRefuse() throws {
        _ = try self.machine.ask(WriteLink(address: 0x6000_0000, data: ByteBuffer(string: "linkdata"), link: .northEast))
        #expect(try self.machine.read(0x6000_0000, count: 8, core: CoreID(1, 1, 0)) == Array("linkdata".utf8))
        #expect(self.isMasked(self.machine.raw(.linkRead, 0xF500_7F00, 16, 3)), "off the board")
        #expect(self.isMasked(self.machine.raw(.linkRead, 0xF500_7F00, 16, 6)))
        #expect(self.isMasked(self.machine.raw(.linkRead, 0xF500_7F00, 260, 0)))
        #expect(self.isMasked(self.machine.raw(.linkRead, 0x0040_0000, 4, 0)), "no core's memory over a link")
        #expect(self.machine.raw(.linkRead, 0xF500_7F00, 0, 3)?.result == .ok)
    }

    // MARK: INFO

    @Test func infoOfAFreshMachine() throws {
        let root = try self.machine.ask(GetChipInfo())
        #expect(root.workingCores == 18 && root.workingLinks == 0b111 && root.isEthernetUp)
        #expect(root.parentLink == nil && root.parent == 7)
        #expect(root.address == IPv4Address(127, 1, 0, 9) && root.nearestEthernet == .origin)
        #expect(root.coreStates == [.running] + Array(repeating: .idle, count: 17))
        let other = try self.machine.ask(GetChipInfo(), core: CoreID(3, 3, 0))
        #expect(other.workingCores == 17 && other.workingLinks == 0x3F && !other.isEthernetUp && other.address == nil)
        #expect(other.coreStates[17] == .dead && other.parentLink == .southWest)
        #expect(self.machine.machine.residentMemory < 64 << 10, "asking costs no memory")
    }

    @Test func linkBitmapsAgreeFromBothEnds() throws {
        var links: [ChipID: UInt8] = [:]
        for chip in BoardShape.spinn5.chips {
            links[chip] = try self.machine.ask(GetChipInfo(), core: .monitor(of: chip)).workingLinks
        }
        var count = 0
        for (chip, mask) in links {
            for link in Link.allCases where mask >> link.rawValue & 1 == 1 {
                let (dx, dy) = link.delta
                let there = ChipID(UInt8(Int(chip.x) + dx), UInt8(Int(chip.y) + dy))
                #expect(try #require(links[there]) >> link.opposite.rawValue & 1 == 1)
                count += 1
            }
        }
        #expect(count == 240, "120 links")
    }

    // MARK: IPTAG

    @Test func tagOperations() throws {
        let info = try self.machine.ask(SetIPTagTimeout(code: 9))
        #expect(info.timeoutCode == 9 && info.entrySize == 32 && info.poolSize == 8 && info.fixedSize == 8)
        #expect(self.isMasked(self.machine.raw(.ipTag, 2 << 16, 9)))
        #expect(self.isMasked(self.machine.raw(.ipTag, 5 << 16)))
        #expect(self.isMasked(self.machine.raw(.ipTag, 1 << 16 | 16)))
        let new = try #require(self.machine.raw(.ipTag, 0, 5555, IPv4Address.loopback.wireWord))
        #expect(new.payload.getInteger(at: new.payload.readerIndex, endianness: .little, as: UInt32.self) == 9)
        #expect(try self.machine.ask(GetIPTags(tag: 0, count: 8)).entries.count == 8)
    }

    @Test func tagsTimeOut() throws {
        // Code 3: 40 ms.
        _ = self.machine.raw(.ipTag, 3 << 24 | 1 << 16 | 4, 5555, IPv4Address.loopback.wireWord)
        self.machine.advance(by: .milliseconds(35))
        #expect(try self.machine.ask(GetIPTags(tag: 4)).entries[0].flags.contains(.valid))
        self.machine.advance(by: .milliseconds(10))
        #expect(try self.machine.ask(GetIPTags(tag: 4)).entries[0].flags == [])
        _ = try self.machine.ask(SetIPTag(tag: 4, address: .loopback, port: 5555, strip: false))
        self.machine.advance(by: .seconds(3600))
        #expect(try self.machine.ask(GetIPTags(tag: 4)).entries[0].flags.contains(.valid), "permanent")
    }

    @Test func theSendersAddressAndPort() throws {
        self.machine.host = HostAddress(ip: IPv4Address(127, 0, 0, 77), port: 6001)
        _ = try self.machine.ask(SetIPTag(tag: 1, address: nil, port: 1, strip: true, useSender: true))
        _ = try self.machine.ask(SetIPTag(tag: 2, address: nil, port: 7002, strip: true))
        let entries = try self.machine.ask(GetIPTags(tag: 1, count: 2)).entries
        #expect(entries[0].address == IPv4Address(127, 0, 0, 77) && entries[0].port == 6001)
        #expect(entries[1].address == IPv4Address(127, 0, 0, 77) && entries[1].port == 7002)
        #expect(entries[0].flags.isSuperset(of: [.valid, .strip, .useSender]))
    }

    @Test func plainAndStrippedMessages() throws {
        _ = try self.machine.ask(SetIPTag(tag: 1, address: .loopback, port: 6001, strip: false))
        _ = try self.machine.ask(SetIPTag(tag: 2, address: .loopback, port: 6002, strip: true))
        func send(tag: UInt8) -> [OutgoingDatagram] {
            var bytes = ByteBuffer()
            SDPMessage(
                header: SDPHeader(flags: .replyNotExpected, tag: tag, destination: .ethernet, destinationChip: .origin),
                data: ByteBuffer(string: "text")
            ).writeDatagram(into: &bytes)
            return self.machine.send(bytes)
        }
        #expect(send(tag: 1).first?.bytes.readableBytes == 14)
        #expect(send(tag: 2).first?.bytes == ByteBuffer(string: "text"))
        #expect(send(tag: 3).isEmpty, "a tag that is not set swallows")
        #expect(try self.machine.ask(GetIPTags(tag: 1)).entries[0].count == 1)
        _ = try self.machine.ask(ClearIPTag(tag: 1))
        #expect(send(tag: 1).isEmpty)
    }

    @Test func reverseTagsDeliverAndLearnTheWayBack() throws {
        try self.machine.start(.sdpEcho, cores: [5])
        _ = try self.machine.ask(SetReverseIPTag(tag: 3, port: 12345, core: CoreID(0, 0, 5), sdpPort: 1))
        #expect(self.machine.openPorts[0] == [12345])
        let visitor = HostAddress(ip: IPv4Address(127, 0, 0, 9), port: 3333)
        let answers = self.machine.send(ByteBuffer(string: "spikes"), port: 12345, from: visitor)
        // The echo comes back through the same tag, from its port, stripped as the tag is.
        #expect(
            answers == [
                OutgoingDatagram(
                    endpoint: .board(0), sourcePort: 12345, destination: visitor, bytes: ByteBuffer(string: "spikes"))
            ])
        #expect(self.machine.send(ByteBuffer(repeating: 1, count: 273), port: 12345, from: visitor).isEmpty)
        #expect(self.machine.send(ByteBuffer(string: "nobody"), port: 12346, from: visitor).isEmpty)
        _ = try self.machine.ask(ClearIPTag(tag: 3))
        #expect(self.machine.openPorts[0] == [])
        #expect(self.machine.send(ByteBuffer(string: "spikes"), port: 12345, from: visitor).isEmpty)
    }

    @Test func theTimeBeaconIsSwitched() throws {
        for isOn in [0, 1] as [UInt32] {
            #expect(self.isMasked(self.machine.raw(.sync, isOn)), "nothing but OK")
            self.machine.advance(by: .seconds(4))
            #expect(try self.machine.readWord(0xF500_7F38) == 0, "a clock of the model has no drift to follow")
        }
    }

    @Test func ledsAndSerialROM() throws {
        _ = self.spinn3.raw(.led, 0b1111)
        #expect(self.spinn3.machine.leds(ofBoard: 0).chip == 0b11)
        _ = self.spinn3.raw(.led, 0b0110)
        #expect(self.spinn3.machine.leds(ofBoard: 0).chip == 0b00)
        _ = self.machine.raw(.led, 0b1111)
        #expect(self.machine.machine.leds(ofBoard: 0).chip == 1, "a SpiNN-5 has one")
        let rom = try #require(self.machine.raw(.serialROM, 32 << 16 | 32, 3 << 24))
        var bytes = rom.payload
        let block = try SerialROMBlock(from: &bytes)
        #expect(block.address == IPv4Address(127, 1, 0, 9) && block.port == 17893 && block.hardwareVersion == 5)
        let blank = try #require(self.machine.raw(.serialROM, 8 << 16 | 32, 3 << 24, to: CoreID(1, 1, 0)))
        #expect(blank.payload == ByteBuffer(repeating: 0xFF, count: 8))
        #expect(self.machine.raw(.serialROM, 257 << 16 | 32, 3 << 24) == nil)
    }
}

/// What an observer has heard.
final class Recorder {
    private(set) var all: [MachineEvent] = []
    func append(_ event: MachineEvent) { self.all.append(event) }
}
