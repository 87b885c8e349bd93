//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Specification §2.9.
@Suite("IP tags", .timeLimit(.minutes(3)))
struct TagTests {
    private let machine: InMemoryMachine

    init() throws { self.machine = try InMemoryMachine(.spinn5) }

    // MARK: The table, against a simple one

    /// What a tag is, as a list of when it ends and whose it is.
    private struct Model {
        struct Entry {
            var host: HostAddress
            var end: NIODeadline?
            var isTransient: Bool
            var port: UInt16?
            var messages: UInt32 = 0
        }
        var entries: [Int: Entry] = [:]

        mutating func drop(at now: NIODeadline) {
            self.entries = self.entries.filter { _, entry in entry.end.map { now < $0 } ?? true }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func aRandomSequenceIsAsOnAList(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var tags = TagTable()
        var model = Model()
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func host() -> HostAddress { HostAddress(ip: .loopback, port: UInt16.random(in: 1...50, using: &random)) }
        for _ in 0..<1500 {
            now = now + .milliseconds(Int64.random(in: 0...30, using: &random))
            model.drop(at: now)
            let number = Int.random(in: 0..<18, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0:
                let host = host()
                let free = (8..<16).first { model.entries[$0] == nil }
                #expect(tags.takeTransient(for: host, now: now) == free.map { UInt8($0) })
                let milliseconds = Int64(10) << Int64(tags.transientTimeout - 1)
                if let free {
                    model.entries[free] = Model.Entry(host: host, end: now + .milliseconds(milliseconds), isTransient: true)
                }
            case 1:
                let used = tags.use(UInt8(number), at: now)
                #expect(used?.host == model.entries[number]?.host)
                model.entries[number]?.messages += 1
                #expect(used?.messages == model.entries[number]?.messages)
                if model.entries[number]?.isTransient == true { model.entries[number] = nil }
            case 2 where number < 16:
                var tag = TagTable.Tag()
                let isReverse = random.chance(0.5)
                tag.flags = isReverse ? [.valid, .reverse] : [.valid]
                tag.host = host()
                tag.receivePort = isReverse ? UInt16.random(in: 1...4, using: &random) : 0
                if random.chance(0.5) { tag.expiry = now + .milliseconds(Int64.random(in: 1...200, using: &random)) }
                tags.set(UInt8(number), to: tag)
                model.entries[number] = Model.Entry(
                    host: tag.host, end: tag.expiry, isTransient: false, port: isReverse ? tag.receivePort : nil)
            case 3:
                tags.clear(UInt8(number))
                model.entries[number] = nil
            case 4:
                let (port, sender) = (UInt16.random(in: 1...4, using: &random), host())
                let expected = (0..<8).first { model.entries[$0]?.port == port }
                let heard = tags.receive(port: port, from: sender, now: now)
                #expect(heard?.tag == expected.map { UInt8($0) })
                if let expected {
                    model.entries[expected]?.host = sender
                    model.entries[expected]?.messages += 1
                }
            case 5: tags.transientTimeout = UInt8.random(in: 1...5, using: &random)
            default:
                let entry = tags.entry(number, at: now)
                let expected = model.entries[number]
                #expect(tags.isInUse(UInt8(number), at: now) == (expected != nil))
                #expect(entry.flags.contains(.valid) == (expected != nil))
                guard let expected else { break }
                #expect(entry.port == expected.host.port && entry.count == expected.messages)
                #expect(entry.receivePort == expected.port ?? 0)
                // A started tick of 10 ms counts.
                let left = expected.end.map { ($0 - now).nanoseconds } ?? 0
                #expect(Int64(entry.timeout) == (left + 9_999_999) / 10_000_000)
            }
        }
    }

    @Test(arguments: [(UInt8(1), Int64(10)), (2, 20), (9, 2560), (14, 81920), (15, 163_840)])
    func timeoutsByTheirCode(code: UInt8, milliseconds: Int64) {
        #expect(TagTable.duration(ofCode: code) == .milliseconds(milliseconds))
        #expect(TagTable.duration(ofCode: 0) == nil)
    }

    /// A reply that comes later than its tag's timeout: the tag waits for it, and no longer.
    @Test func aTagIsHeldForALateReply() {
        let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let host = HostAddress(ip: .loopback, port: 5)
        for (until, end) in [(Int64(1000), Int64(2560)), (2559, 2560), (2560, 2570), (5000, 5010)] {
            var tags = TagTable()
            _ = tags.takeTransient(for: host, now: now)
            tags.hold(8, until: now + .milliseconds(until))
            #expect(tags.isInUse(8, at: now + .milliseconds(end - 1)) && !tags.isInUse(8, at: now + .milliseconds(end)))
        }
        var permanent = TagTable()
        permanent.transientTimeout = 0
        _ = permanent.takeTransient(for: host, now: now)
        permanent.hold(8, until: now + .seconds(9))
        #expect(permanent.isInUse(8, at: now + .seconds(100)))
    }

    /// A transient tag has nothing of the entry that was there before.
    @Test func aPoolTagForgetsItsEarlierLife() {
        let now = NIODeadline.uptimeNanoseconds(0)
        var tags = TagTable()
        var old = TagTable.Tag()
        old.flags = [.valid, .reverse, .strip]
        old.receivePort = 77
        old.messages = 5
        old.destinationChip = ChipID(3, 3)
        old.destination = SDPAddress(byte: 9)
        tags.set(8, to: old)
        tags.clear(8)
        #expect(tags.takeTransient(for: HostAddress(ip: .loopback, port: 1), now: now) == 8)
        let tag = tags.tag(8, at: now)
        #expect(tag?.receivePort == 0 && tag?.messages == 0 && tag?.flags.contains(.strip) == false)
        #expect(tag?.destinationChip == .origin && tag?.destination == SDPAddress(byte: 0))
    }

    // MARK: The command

    private func tag(_ a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0, to core: CoreID = CoreID(0, 0, 0)) -> UInt32? {
        let payload = self.machine.raw(.ipTag, a, b, c, to: core)?.payload
        return payload?.getInteger(at: payload?.readerIndex ?? 0, endianness: .little)
    }
    private func entry(_ number: UInt8) throws -> IPTagEntry {
        try #require(try self.machine.ask(GetIPTags(tag: number)).entries.first)
    }
    private let loopback = IPv4Address.loopback.wireWord

    @Test func newTagsComeFromThePoolUntilItIsFull() {
        // The request itself holds tag 8.
        #expect((0..<7).map { _ in self.tag(0, 5000, self.loopback) } == [9, 10, 11, 12, 13, 14, 15])
        #expect(self.tag(0, 5000, self.loopback) == 255)
    }

    @Test func getCountsAndRanges() {
        func entries(_ first: UInt32, _ count: UInt32) -> Int? {
            self.machine.raw(.ipTag, 2 << 16 | first, count)?.payload.readableBytes
        }
        #expect(entries(0, 0) == 0 && entries(0, 1) == 32 && entries(0, 8) == 256)
        #expect(entries(0, 9) == 0, "refused, and masked")
        #expect(entries(15, 8) == 256, "behind the last tag are empty ones")
        #expect(entries(16, 1) == 0)
    }

    @Test func theTimeoutOfTransientTagsIsSetByFourBits() {
        func old(_ code: UInt32) -> UInt32? { self.tag(4 << 16, code).map { $0 & 0xFF } }
        #expect(old(15) == 9 && old(16) == 15 && old(255) == 15 && old(3) == 15 && old(1) == 3)
        #expect(self.tag(4 << 16, 99) == 0x0808_2001)
    }

    /// What the number of ticks does among the flags: code 9 makes a tag that strips, 10 a reverse one.
    @Test(arguments: [(UInt32(3), UInt16(0x8004)), (9, 0x8100), (10, 0x8200), (0, 0x8000)])
    func ticksAmongTheFlags(code: UInt32, flags: UInt16) throws {
        _ = self.tag(code << 24 | 1 << 16 | 3, 5000, self.loopback)
        #expect(try self.entry(3).flags.rawValue == flags)
    }

    @Test func reverseTagsKeepWhereTheyLead() throws {
        let entry = 1 << 29 | 1 << 16 | 0x45 << 8 | 2 as UInt32
        _ = self.tag(entry, 0x0304 << 16 | 12345)
        var shown = try self.entry(2)
        #expect(shown.receivePort == 12345 && shown.destinationChip == ChipID(3, 4) && shown.destination.byte == 0x45)
        #expect(shown.address == .any && shown.port == 0 && shown.mac == 0, "nobody has sent yet")
        #expect(self.machine.openPorts[0] == [12345])
        // Over it another port, and over that a tag that leads out.
        _ = self.tag(entry, 12346)
        #expect(self.machine.openPorts[0] == [12346])
        _ = self.tag(1 << 16 | 2, 0x0304 << 16 | 5000, self.loopback)
        shown = try self.entry(2)
        #expect(self.machine.openPorts[0] == [])
        #expect(shown.receivePort == 0 && shown.destinationChip == .origin && shown.port == 5000 && shown.mac != 0)
    }

    @Test func twoReverseTagsOfOnePort() throws {
        for number in UInt32(1)...2 { _ = self.tag(1 << 29 | 1 << 16 | number, 12345) }
        _ = try self.machine.ask(ClearIPTag(tag: 1))
        #expect(self.machine.openPorts[0] == [12345], "the other one still listens")
        _ = try self.machine.ask(ClearIPTag(tag: 2))
        #expect(self.machine.openPorts[0] == [])
    }

    /// Of a chip without a network tags can be set, but nobody listens.
    @Test func tagsOfOtherChips() throws {
        let far = CoreID(3, 3, 0)
        #expect(self.tag(1 << 29 | 1 << 16 | 2, 12345, to: far) == 2)
        #expect(self.machine.openPorts[0, default: []].isEmpty)
        // Where the request came by a tag of another chip there is no socket to know: neither address nor port.
        #expect(self.tag(1 << 30 | 1 << 16 | 3, 7, to: far) == 3)
        let entry = try #require(try self.machine.ask(GetIPTags(tag: 3), core: far).entries.first)
        #expect(entry.address == .any && entry.port == 0)
        #expect(self.tag(1 << 16 | 4, 7, to: far) == 4)
        #expect(try #require(try self.machine.ask(GetIPTags(tag: 4), core: far).entries.first).address == .any)
    }

    /// "Sender" is whose tag the request's reply leaves by: here another host's.
    @Test func theSenderIsTheOwnerOfTheReplysTag() throws {
        let owner = HostAddress(ip: IPv4Address(127, 0, 0, 50), port: 4000)
        self.machine.host = owner
        _ = try self.machine.ask(SetIPTag(tag: 0, address: owner.ip, port: owner.port, strip: false))
        let other = HostAddress(ip: IPv4Address(127, 0, 0, 60), port: 5000)
        self.machine.host = other
        var bytes = ByteBuffer()
        SCPPacket(
            header: SDPHeader(tag: 0, destination: SDPAddress(port: 0, cpu: 0), destinationChip: .origin), command: .ipTag,
            sequence: 1, arguments: SCPArguments(1 << 30 | 1 << 16 | 5, 9, 0), data: ByteBuffer()
        ).writeDatagram(into: &bytes)
        #expect(self.machine.send(bytes).first?.destination == owner)
        let entry = try self.entry(5)
        #expect(HostAddress(ip: entry.address, port: entry.port) == owner)
        #expect(entry.flags.contains(.useSender))
    }

    @Test func reverseTrafficIsCountedTimedOutAndLimited() throws {
        try self.machine.start(.sdpEcho, cores: [5])
        // 40 ms, to port 1 of core 5.
        _ = self.tag(1 << 29 | 3 << 24 | 1 << 16 | 0x25 << 8 | 4, 12345)
        func answers(_ size: Int) -> [OutgoingDatagram] {
            self.machine.send(ByteBuffer(repeating: 1, count: size), port: 12345)
        }
        #expect(answers(272).first?.bytes.readableBytes == 282, "this tag does not strip")
        #expect(answers(0).count == 1)
        #expect(answers(273).isEmpty)
        #expect(try self.entry(4).count == 4, "two in, two out")
        self.machine.advance(by: .milliseconds(40))
        #expect(answers(1).isEmpty)
    }
}
