//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

@Suite struct WebSocketReaderTests {
    // MARK: The examples of RFC 6455 §5.7

    @Test func unmaskedTextOfTheRFC() {
        var reader = WebSocketReader(role: .client, maximumMessageBytes: 100)
        #expect(reader.events(of: [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]) == [.text(ByteBuffer(string: "Hello"))])
    }

    @Test func maskedTextOfTheRFC() {
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 100)
        let bytes: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        #expect(reader.events(of: bytes) == [.text(ByteBuffer(string: "Hello"))])
    }

    @Test func fragmentsOfTheRFC() {
        var reader = WebSocketReader(role: .client, maximumMessageBytes: 100)
        #expect(reader.events(of: [0x01, 0x03, 0x48, 0x65, 0x6c]) == [])
        // A control frame may come between fragments, and comes out first.
        #expect(reader.events(of: [0x89, 0x01, 0x2a]) == [.ping(ByteBuffer(bytes: [0x2a]))])
        #expect(reader.events(of: [0x80, 0x02, 0x6c, 0x6f]) == [.text(ByteBuffer(string: "Hello"))])
    }

    // MARK: Lengths, both ways

    @Test(arguments: [0, 1, 7, 8, 125, 126, 127, 1000, 65535, 65536, 70001])
    func everyLengthGoesThroughBothRoles(length: Int) {
        let payload = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) })
        for (role, key) in [(WebSocketRole.server, UInt32(0x9A_3C_51_E7) as UInt32?), (.client, nil)] {
            var wire = ByteBuffer()
            wire.putWebSocketFrame(.binary, payload, maskKey: key)
            wire.putWebSocketFrame(.ping, ByteBuffer(string: "p"), maskKey: key)
            let head = length < 126 ? 2 : length < 65536 ? 4 : 10
            #expect(wire.readableBytes == head + length + 2 + 1 + (key == nil ? 0 : 8))
            var reader = WebSocketReader(role: role, maximumMessageBytes: 80_000)
            #expect(reader.events(of: wire) == [.binary(payload), .ping(ByteBuffer(string: "p"))])
        }
    }

    @Test func maskOfEveryAlignmentIsTheBytewiseXOR() {
        let key: [UInt8] = [0x11, 0x82, 0x43, 0xF4]
        let word = UInt32(0xF443_8211)
        for offset in 0..<9 {
            for length in 0..<27 {
                var bytes = (0..<(offset + length)).map { UInt8(truncatingIfNeeded: $0 * 5) }
                let expected = bytes.enumerated().map { $0 < offset ? $1 : $1 ^ key[($0 - offset) % 4] }
                bytes.withUnsafeMutableBytes {
                    WebSocketMask.apply(word, to: UnsafeMutableRawBufferPointer(rebasing: $0[offset...]))
                }
                #expect(bytes == expected)
            }
        }
    }

    @Test func maskKeysDifferAndDependOnTheSeed() {
        var a = WebSocketMaskKeys(seed: 1)
        var b = WebSocketMaskKeys(seed: 2)
        let first = (0..<1000).map { _ in a.next() }
        #expect(Set(first).count > 995)
        #expect((0..<1000).map { _ in b.next() } != first)
    }

    // MARK: However the bytes come

    /// A conversation with every kind of frame, as a client or as a server writes it.
    private func conversation(masked: Bool, seed: UInt64) -> (ByteBuffer, [WebSocketEvent]) {
        var random = SeededGenerator(seed: seed)
        var keys = WebSocketMaskKeys(seed: seed)
        var wire = ByteBuffer()
        var events: [WebSocketEvent] = []
        func bytes(_ count: Int) -> ByteBuffer {
            ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        for _ in 0..<40 {
            let key = masked ? keys.next() : nil
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                let ping = bytes(Int.random(in: 0...125, using: &random))
                wire.putWebSocketFrame(.ping, ping, maskKey: key)
                events.append(.ping(ping))
            case 1:
                let whole = bytes(Int.random(in: 3...400, using: &random))
                var rest = whole
                let first = rest.readSlice(length: 1) ?? ByteBuffer()
                let second = rest.readSlice(length: rest.readableBytes / 2) ?? ByteBuffer()
                wire.putWebSocketFrame(.binary, first, maskKey: key, isFinal: false)
                wire.putWebSocketFrame(.pong, ByteBuffer(), maskKey: key)
                wire.putWebSocketFrame(.continuation, second, maskKey: key, isFinal: false)
                wire.putWebSocketFrame(.continuation, rest, maskKey: key)
                events += [.pong(ByteBuffer()), .binary(whole)]
            default:
                let datagram = bytes(Int.random(in: 0...300, using: &random))
                wire.putWebSocketFrame(.binary, datagram, maskKey: key)
                events.append(.binary(datagram))
            }
        }
        wire.putWebSocketClose(.goingAway, reason: "Ende", maskKey: masked ? keys.next() : nil)
        events.append(.close(.goingAway, reason: "Ende"))
        return (wire, events)
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func byteByByteIsTheSameAsAtOnce(role: WebSocketRole) {
        let (wire, expected) = self.conversation(masked: role == .server, seed: 3)
        var whole = WebSocketReader(role: role, maximumMessageBytes: 8192)
        #expect(whole.events(of: wire) == expected)
        var dripping = WebSocketReader(role: role, maximumMessageBytes: 8192)
        var events: [WebSocketEvent] = []
        for byte in wire.readableBytesView { events += dripping.events(of: [byte]) }
        #expect(events == expected)
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func anyCutIsTheSameAsNone(role: WebSocketRole) {
        var random = SeededGenerator(seed: 77)
        for seed in 0..<60 as Range<UInt64> {
            let (wire, expected) = self.conversation(masked: role == .server, seed: seed)
            var reader = WebSocketReader(role: role, maximumMessageBytes: 8192)
            var rest = wire
            var events: [WebSocketEvent] = []
            while rest.readableBytes > 0 {
                let count = min(rest.readableBytes, Int.random(in: 1...700, using: &random))
                events += reader.events(of: rest.readSlice(length: count) ?? ByteBuffer())
            }
            #expect(events == expected)
        }
    }

    @Test(arguments: [WebSocketRole.server, .client])
    func eventsKeptByTheirReceiverStayWhatTheyWere(role: WebSocketRole) {
        var reader = WebSocketReader(role: role, maximumMessageBytes: 8192)
        var kept: [WebSocketEvent] = []
        var expected: [WebSocketEvent] = []
        for round in 0..<20 as Range<UInt8> {
            let payload = ByteBuffer(repeating: round, count: 300)
            var wire = ByteBuffer()
            wire.putWebSocketFrame(.binary, payload, maskKey: role == .server ? 0x0102_0304 : nil)
            // In two parts, so that the leftover buffer is used again and again as well.
            let first = wire.readSlice(length: Int(round) + 1) ?? ByteBuffer()
            kept += reader.events(of: first)
            kept += reader.events(of: wire)
            expected.append(.binary(payload))
        }
        #expect(kept == expected)
    }

    @Test func truncationAtEveryLengthWaitsAndNeverInvents() {
        let (wire, expected) = self.conversation(masked: true, seed: 9)
        for length in stride(from: 0, to: wire.readableBytes, by: 1) {
            var reader = WebSocketReader(role: .server, maximumMessageBytes: 8192)
            let events = reader.events(of: wire.getSlice(at: wire.readerIndex, length: length) ?? ByteBuffer())
            #expect(events.count < expected.count && events == Array(expected.prefix(events.count)))
        }
    }

    @Test func anyBytesEndInEventsOrAViolationButNeverInATrap() {
        var random = SeededGenerator(seed: 2024)
        for _ in 0..<4000 {
            var bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if bytes.count > 2, Bool.random(using: &random) {
                bytes[0] = [0x82, 0x02, 0x80, 0x89, 0x88].randomElement(using: &random) ?? 0
            }
            for role in [WebSocketRole.server, .client] {
                var reader = WebSocketReader(role: role, maximumMessageBytes: 64)
                let events = reader.events(of: bytes) + reader.events(of: bytes)
                let ends = events.indices.filter { index in
                    if case .violation = events[index] { true } else { false }
                }
                #expect(ends.isEmpty || ends == [events.count - 1])
            }
        }
    }

    @Test func mutatedFramesNeverTrap() {
        var random = SeededGenerator(seed: 5)
        for seed in 0..<100 as Range<UInt64> {
            var (wire, _) = self.conversation(masked: true, seed: seed)
            for _ in 0..<4 {
                wire.setInteger(
                    UInt8.random(in: 0...255, using: &random), at: Int.random(in: 0..<wire.readableBytes, using: &random))
            }
            var reader = WebSocketReader(role: .server, maximumMessageBytes: 500)
            for case .binary(let payload) in reader.events(of: wire) { #expect(payload.readableBytes <= 500) }
        }
    }

    // MARK: What is refused, and with which code

    private static let key: [UInt8] = [0, 0, 0, 0]

    @Test(
        arguments: [
            ("reserved bit", [0xC2, 0x80], WebSocketCloseCode.protocolError),
            ("unknown data opcode", [0x83, 0x80], .protocolError),
            ("unknown control opcode", [0x8B, 0x80], .protocolError),
            ("not masked", [0x82, 0x00], .protocolError),
            ("fragmented ping", [0x09, 0x80], .protocolError),
            ("long ping", [0x89, 0xFE], .protocolError),
            ("continues nothing", [0x80, 0x80], .protocolError),
            ("16-bit length of 125", [0x82, 0xFE, 0x00, 0x7D], .protocolError),
            ("64-bit length of 65535", [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .protocolError),
            ("negative length", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], .protocolError),
            ("too long by one", [0x82, 0xFE, 0x20, 0x01], .messageTooBig),
            ("exabytes", [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .messageTooBig),
            ("close of one byte", [0x88, 0x81, 0, 0, 0, 0, 3], .protocolError),
            ("close with 1005", [0x88, 0x82, 0, 0, 0, 0, 3, 0xED], .protocolError),
            ("close with bad UTF-8", [0x88, 0x83, 0, 0, 0, 0, 3, 0xE8, 0xFF], .invalidPayload),
        ] as [(String, [UInt8], WebSocketCloseCode)])
    func violation(name: String, bytes: [UInt8], code: WebSocketCloseCode) {
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 8192)
        // What came before is still delivered, and nothing after.
        var wire = ByteBuffer()
        wire.putWebSocketFrame(.binary, ByteBuffer(string: "before"), maskKey: 7)
        wire.writeBytes(bytes)
        let events = reader.events(of: wire)
        #expect(events.first == .binary(ByteBuffer(string: "before")))
        #expect(events.count == 2 && events.last?.violationCode == code)
        #expect(reader.events(of: [0x82, 0x80, 0, 0, 0, 0]) == [])
    }

    @Test func aMessageOfJustTheLimitPasses() {
        var wire = ByteBuffer()
        wire.putWebSocketFrame(.binary, ByteBuffer(repeating: 1, count: 8192), maskKey: 1)
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 8192)
        #expect(reader.events(of: wire) == [.binary(ByteBuffer(repeating: 1, count: 8192))])
    }

    @Test func fragmentsCountTogetherAgainstTheLimit() {
        var wire = ByteBuffer()
        wire.putWebSocketFrame(.binary, ByteBuffer(repeating: 1, count: 60), maskKey: 1, isFinal: false)
        wire.putWebSocketFrame(.continuation, ByteBuffer(repeating: 1, count: 41), maskKey: 1)
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 100)
        #expect(reader.events(of: wire).map(\.violationCode) == [.messageTooBig])
    }

    @Test func aNewMessageInsideFragmentsIsRefused() {
        var wire = ByteBuffer()
        wire.putWebSocketFrame(.binary, ByteBuffer(), maskKey: 1, isFinal: false)
        wire.putWebSocketFrame(.binary, ByteBuffer(), maskKey: 1)
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 100)
        #expect(reader.events(of: wire).map(\.violationCode) == [.protocolError])
    }

    @Test func aMaskedFrameFromAServerIsRefused() {
        var reader = WebSocketReader(role: .client, maximumMessageBytes: 100)
        #expect(reader.events(of: [0x82, 0x80, 1, 2, 3, 4]).map(\.violationCode) == [.protocolError])
    }

    @Test func nothingIsHeardAfterClose() {
        var wire = ByteBuffer()
        wire.putWebSocketClose(nil, reason: "not sent without a code", maskKey: 1)
        wire.putWebSocketFrame(.binary, ByteBuffer(string: "late"), maskKey: 1)
        var reader = WebSocketReader(role: .server, maximumMessageBytes: 100)
        #expect(reader.events(of: wire) == [.close(nil, reason: "")])
    }

    @Test func aLongReasonIsCutBetweenCharacters() {
        var wire = ByteBuffer()
        wire.putWebSocketClose(.jobEnded, reason: String(repeating: "ü", count: 100), maskKey: nil)
        var reader = WebSocketReader(role: .client, maximumMessageBytes: 100)
        #expect(reader.events(of: wire) == [.close(.jobEnded, reason: String(repeating: "ü", count: 61))])
    }
}
