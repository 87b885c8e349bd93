//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import WireFuzz

@Suite struct EIEIOVectorTests {
    @Test func everyVectorOfTheFamilies() throws { try check(eieioFamilies, except: eieioExceptions, count: 91) }
}

@Suite struct EIEIODataTests {
    /// Any header, and elements that fill it.
    private func message(_ random: inout Seeded) throws -> (EIEIODataMessage, [EIEIOElement]) {
        let type = try #require(EIEIOType(rawValue: UInt8(random.below(4))))
        let prefixes: [EIEIOPrefix?] = [nil, .lower(random.value()), .upper(random.value())]
        let base: UInt32? = random.flag() ? random.value(UInt32.self) & type.maximumWord : nil
        let header = try EIEIODataHeader(
            type: type, prefix: prefixes[random.below(3)], payloadBase: base, payloadsAreTimestamps: random.flag(),
            tag: UInt8(random.below(4)))
        var writer = EIEIODataWriter(header)
        var expected: [EIEIOElement] = []
        for _ in 0..<random.below(header.maximumElements + 1) {
            let key = random.value(UInt32.self) & type.maximumWord
            let payload = random.value(UInt32.self) & type.maximumWord
            let room = try type.hasPayload ? writer.append(key: key, payload: payload) : writer.append(key: key)
            #expect(room)
            let whole = type.hasPayload ? payload | (base ?? 0) : base
            expected.append(
                EIEIOElement(
                    key: key | (header.prefix?.mask ?? 0), payload: whole,
                    isTimestamp: whole != nil && header.payloadsAreTimestamps))
        }
        return (try EIEIODataMessage(datagram: writer.finish()), expected)
    }

    @Test func randomMessagesRoundTrip() throws {
        var random = Seeded(21)
        for _ in 0..<500 {
            let (message, expected) = try self.message(&random)
            #expect(Array(try message.elements) == expected)
            #expect(Int(message.header.count) == expected.count)
            try checkCodec(of: message, decode: EIEIODataMessage.init(datagram:)) { $0.write(into: &$1) }
            try checkCodec(of: .data(message), decode: EIEIOMessage.init(datagram:)) { $0.write(into: &$1) }
        }
    }

    @Test func everyTruncationAndCorruption() throws {
        var random = Seeded(22)
        for _ in 0..<40 {
            let (message, expected) = try self.message(&random)
            var buffer = ByteBuffer()
            message.write(into: &buffer)
            let cut = abuse(buffer) { bytes in
                let message = try EIEIODataMessage(datagram: bytes)
                #expect(Array(message.presentElements).count == message.presentElements.count)
                return Array(try message.elements)
            }
            // Every length is too short, header or elements.
            #expect(cut.refusedLengths == Array(0..<buffer.readableBytes))
            _ = abuse(buffer) { try EIEIOMessage(datagram: $0) }
            #expect(message.presentElements.underestimatedCount == expected.count)
        }
    }

    @Test func shortMessagesKeepTheirWholeElements() throws {
        // Two keys of 32 bits announced, one and a half there.
        let message = try EIEIODataMessage(datagram: ByteBuffer(bytes: [2, 0x08, 1, 0, 0, 0, 2, 0]))
        #expect(!message.isComplete)
        #expect(Array(message.presentElements) == [EIEIOElement(key: 1)])
        #expect(throws: WireError.truncated(message: "EIEIO data", needed: 8, available: 6)) { try message.elements }
    }

    @Test func messagesFollowOneAnother() throws {
        var buffer = ByteBuffer(bytes: [1, 0x00, 5, 0, 1, 0x08, 6, 0, 0, 0, 0xFF])
        #expect(Array(try EIEIODataMessage(from: &buffer).elements) == [EIEIOElement(key: 5)])
        #expect(Array(try EIEIODataMessage(from: &buffer).elements) == [EIEIOElement(key: 6)])
        #expect(buffer.readableBytes == 1)
    }

    @Test func writersStopWhenFull() throws {
        for type in EIEIOType.allCases {
            let header = EIEIODataHeader(type)
            #expect(header.maximumElements == [127, 63, 63, 31][Int(type.rawValue)])
            var writer = EIEIODataWriter(header)
            func append() throws -> Bool {
                try type.hasPayload ? writer.append(key: 1, payload: 2) : writer.append(key: 1)
            }
            var count = 0
            while try append() { count += 1 }
            #expect(count == header.maximumElements)
            #expect(writer.count == count)
            #expect(writer.isFull)
            let finished = writer.finish()
            #expect(finished.readableBytes <= EIEIODataHeader.maximumMessageSize)
            #expect(finished.readableBytes + type.elementSize > EIEIODataHeader.maximumMessageSize)
        }
        var wide = EIEIODataWriter(EIEIODataHeader(.key16), limit: 1000)
        #expect(wide.limit == 255)
        while try wide.append(key: 9) {}
        #expect(try EIEIODataMessage(datagram: wide.finish()).elements.count == 255)
        var none = EIEIODataWriter(EIEIODataHeader(.key16), limit: -1)
        let room = try none.append(key: 1)
        #expect(!room)
        #expect(none.isEmpty)
    }

    @Test func headersAreChecked() {
        #expect(throws: WireError.self) { try EIEIODataHeader(type: .key16, payloadBase: 0x1_0000) }
        #expect(throws: WireError.self) { try EIEIODataHeader(type: .key32, tag: 4) }
        #expect(throws: Never.self) { try EIEIODataHeader(type: .key32, payloadBase: .max, tag: 3) }
        #expect(throws: WireError.invalid(message: "EIEIO data header", field: "flags", value: 0x7F)) {
            try EIEIODataMessage(datagram: ByteBuffer(bytes: [0xFF, 0x7F]))
        }
    }

    /// The writer reserves all it may need, so that no element moves the bytes; reading makes nothing either.
    @Test func nothingMovesWhileWriting() throws {
        var writer = LiveInput.writer(EIEIODataHeader(.key32), to: CoreID(1, 2, 3))
        let before = writer.finish().capacity
        while try writer.append(key: 7) {}
        #expect(writer.finish().capacity == before)
    }
}

@Suite struct EIEIOCommandTests {
    private func command(_ random: inout Seeded) throws -> EIEIOCommand {
        let core = CoreID(chip: ChipID(p2pAddress: random.value()), p: UInt8(random.below(32)))
        switch random.below(14) {
        case 0: return .database(path: nil)
        case 1: return .database(path: String(repeating: "é/", count: 1 + random.below(300)))
        case 2: return .eventPadding
        case 3: return .eventStop
        case 4: return .stopSendingRequests
        case 5: return .startSendingRequests
        case 6:
            return .requestBuffers(
                RequestBuffers(
                    core: core, region: UInt8(random.below(16)), sequence: random.value(), space: random.value()))
        case 7:
            return .sequencedData(SequencedData(region: random.value(), sequence: random.value(), data: random.bytes(upTo: 90)))
        case 8:
            return .requestReadData(
                try RequestReadData(
                    core: core, sequence: random.value(),
                    requests: (0..<random.below(8)).map { _ in
                        .init(channel: random.value(), region: random.value(), address: random.value(), size: random.value())
                    }))
        case 9:
            return .dataRead(
                try DataRead(
                    sequence: random.value(),
                    regions: (0..<random.below(8)).map { _ in
                        .init(channel: random.value(), region: random.value(), size: random.value())
                    }))
        case 10: return .stopPause
        case 11: return .startResume
        case 12: return .dataReadAck(sequence: random.value())
        default:
            let id = try #require(EIEIOCommandID(rawValue: 13 + UInt16(random.below(0x4000 - 13))))
            return .other(id, body: random.bytes(upTo: 40))
        }
    }

    @Test func randomCommandsRoundTripAndNoneTraps() throws {
        var random = Seeded(31)
        for _ in 0..<400 {
            let command = try self.command(&random)
            try checkCodec(of: command, decode: EIEIOCommand.init(datagram:)) { $0.write(into: &$1) }
            try checkCodec(of: .command(command), decode: EIEIOMessage.init(datagram:)) { $0.write(into: &$1) }
            var buffer = ByteBuffer()
            command.write(into: &buffer)
            _ = abuse(buffer) { try EIEIOCommand(datagram: $0) }
        }
    }

    @Test func lengthsOfTheTable() throws {
        // (command, its length): every shorter length is refused, from the header on.
        let core = CoreID(1, 2, 3)
        let read = RequestReadData.Request(channel: 1, region: 2, address: 3, size: 4)
        let region = DataRead.Region(channel: 1, region: 2, size: 3)
        let cases: [(EIEIOCommand, Int)] = [
            (.eventPadding, 2), (.requestBuffers(RequestBuffers(core: core, region: 1, sequence: 2, space: 3)), 12),
            (.requestReadData(try RequestReadData(core: core, sequence: 1, requests: [read])), 16),
            (.requestReadData(try RequestReadData(core: core, sequence: 1, requests: [read, read])), 28),
            (.dataRead(try DataRead(sequence: 1, regions: [region, region])), 20), (.dataReadAck(sequence: 1), 3),
        ]
        for (command, length) in cases {
            var buffer = ByteBuffer()
            command.write(into: &buffer)
            #expect(buffer.readableBytes == length)
            #expect(abuse(buffer) { try EIEIOCommand(datagram: $0) }.refusedLengths == Array(0..<length))
            // Padding behind is no harm.
            buffer.writeRepeatingByte(0, count: 3)
            #expect(try EIEIOCommand(datagram: buffer) == command)
        }
    }

    @Test func refusals() {
        let many = [RequestReadData.Request](repeating: .init(channel: 0, region: 0, address: 0, size: 0), count: 8)
        #expect(throws: WireError.self) { try RequestReadData(core: CoreID(0, 0, 1), sequence: 0, requests: many) }
        #expect(throws: WireError.self) { try RequestReadData(core: CoreID(0, 0, 32), sequence: 0, requests: []) }
        #expect(throws: WireError.self) {
            try DataRead(sequence: 0, regions: [DataRead.Region](repeating: .init(channel: 0, region: 0, size: 0), count: 8))
        }
        #expect(throws: WireError.badText(message: "EIEIO database command", field: "path")) {
            try EIEIOCommand(datagram: ByteBuffer(bytes: [1, 0x40, 0xFF, 0xFE]))
        }
        #expect(throws: WireError.invalid(message: "EIEIO command", field: "flags", value: 0x80)) {
            try EIEIOCommand(datagram: ByteBuffer(bytes: [1, 0x80]))
        }
        #expect(EIEIOCommandID(rawValue: 0x4000) == nil)
        #expect(EIEIOCommandID(rawValue: 0x3FFF)?.rawValue == 0x3FFF)
    }

    /// What is inside of sequenced data is found at byte 4, where SpiNNMan looks two bytes too early.
    @Test func sequencedDataHoldsAMessage() throws {
        var writer = EIEIODataWriter(EIEIODataHeader(.key32))
        for key in UInt32(1)...3 { _ = try writer.append(key: key) }
        let inner = try EIEIODataMessage(datagram: writer.finish())
        let sent = SequencedData(region: 4, sequence: 5, message: inner)
        var buffer = ByteBuffer()
        EIEIOCommand.sequencedData(sent).write(into: &buffer)
        #expect(buffer.getInteger(at: 4, as: UInt8.self) == 3)
        guard case .sequencedData(let received) = try EIEIOCommand(datagram: buffer) else {
            Issue.record("not sequenced data")
            return
        }
        #expect(try received.message == inner)
        #expect(try received.message.elements.map(\.key) == [1, 2, 3])
    }

    @Test func liveInputRefusesWhatTheTypeCanNotHold() {
        let core = CoreID(0, 0, 1)
        #expect(throws: WireError.self) { try LiveInput.datagrams(keys: [65536], type: .key16, to: core) }
        #expect(throws: WireError.self) { try LiveInput.datagrams(keys: [1], type: .keyPayload32, to: core) }
        #expect(throws: WireError.self) {
            try LiveInput.datagrams(events: [(key: 1, payload: 2)], type: .key32, to: core)
        }
        #expect(throws: Never.self) { try LiveInput.datagrams(keys: [], type: .key16, to: core) }
    }
}
