//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire
import Testing

@Suite struct NotificationTests {
    @Test func everyVectorOfTheFamilies() throws {
        try check(notificationFamilies, except: notificationExceptions, count: 2)
    }

    @Test func wordsOfTheTable() {
        let messages: [(NotificationMessage, String)] = [
            (.acknowledgement, "0140"), (.database(path: "/a"), "01402f61"), (.startResume, "0b40"), (.stopPause, "0a40"),
        ]
        for (message, hex) in messages {
            var buffer = ByteBuffer()
            message.write(into: &buffer)
            #expect(Outcome.hex(buffer.readableBytesView) == hex)
            #expect(throws: Never.self) { try #require(try NotificationMessage(datagram: buffer) == message) }
        }
    }

    @Test func longPathsOfAnyScript() throws {
        for path in ["/tmp/é.db", String(repeating: "x", count: NotificationMessage.maximumPathLength), "/データ/神経.sqlite3"] {
            try checkCodec(of: .database(path: path), decode: NotificationMessage.init(datagram:)) { $0.write(into: &$1) }
        }
    }

    @Test func othersAreRefused() throws {
        // A padding command, an unknown one, data, and text that is none.
        for bytes: [UInt8] in [[2, 0x40], [0x63, 0x40], [1, 0x00, 5, 0], [1, 0x40, 0xC3], [1], []] {
            #expect(throws: WireError.self) { try NotificationMessage(datagram: ByteBuffer(bytes: bytes)) }
        }
        var buffer = ByteBuffer()
        NotificationMessage.database(path: "/tmp/é.db").write(into: &buffer)
        #expect(abuse(buffer) { try NotificationMessage(datagram: $0) }.refusedLengths == [0, 1, 8])
    }
}
