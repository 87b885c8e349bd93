//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import Testing

@Suite struct WebSocketHandshakeTests {
    @Test func acceptOfTheRFC() {
        // RFC 6455 §1.3.
        #expect(WebSocketHandshake.accept(key: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func keysAreSixteenBytesAndNeverTheSame() {
        let keys = (0..<50).map { _ in WebSocketHandshake.makeKey() }
        #expect(Set(keys).count == 50)
        #expect(keys.allSatisfy(WebSocketHandshake.isKey))
    }

    @Test(arguments: ["", "short==", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ!=", "dGhlIHNhbXBsZSBub25jZQ==a"])
    func whatIsNoKey(text: String) {
        #expect(!WebSocketHandshake.isKey(text))
    }

    @Test func acceptOfEveryLengthStaysTwentyBytes() {
        // Lengths around the padding's edges at 55, 56 and 64 bytes, the fixed text being 36.
        for length in 0..<70 {
            let accept = WebSocketHandshake.accept(key: String(repeating: "a", count: length))
            #expect(accept.utf8.count == 28 && accept.hasSuffix("="))
        }
        // sha1("a" * 20 + GUID) and sha1("a" * 28 + GUID), by hashlib.
        #expect(WebSocketHandshake.accept(key: String(repeating: "a", count: 20)) == "dUYRM7bOMwDmbriNIPr11x+r3E0=")
        #expect(WebSocketHandshake.accept(key: String(repeating: "a", count: 28)) == "xMWmCBqYJY4uXzUs8PNU1t+Pzro=")
    }
}

@Suite struct WebSocketLivenessTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test func pingsWhenNothingWasHeardAndDiesWithoutAnAnswer() {
        var liveness = WebSocketLiveness(pingInterval: .seconds(30), pongDeadline: .seconds(10), now: self.start)
        #expect(liveness.check(now: self.start + .seconds(29)) == .wait(until: self.start + .seconds(30)))
        #expect(liveness.check(now: self.start + .seconds(30)) == .ping(thenWaitUntil: self.start + .seconds(40)))
        #expect(liveness.check(now: self.start + .seconds(39)) == .wait(until: self.start + .seconds(40)))
        #expect(liveness.check(now: self.start + .seconds(40)) == .dead)
    }

    @Test func anySignOfLifeIsAnAnswer() {
        var liveness = WebSocketLiveness(pingInterval: .seconds(30), pongDeadline: .seconds(10), now: self.start)
        #expect(liveness.check(now: self.start + .seconds(31)) == .ping(thenWaitUntil: self.start + .seconds(41)))
        liveness.heard(now: self.start + .seconds(35))
        #expect(liveness.check(now: self.start + .seconds(41)) == .wait(until: self.start + .seconds(65)))
        #expect(liveness.check(now: self.start + .seconds(65)) == .ping(thenWaitUntil: self.start + .seconds(75)))
    }

    @Test func aBusyConnectionIsNotPinged() {
        var liveness = WebSocketLiveness(pingInterval: .seconds(30), pongDeadline: .seconds(10), now: self.start)
        for second in 1..<100 as Range<Int64> {
            liveness.heard(now: self.start + .seconds(second))
            #expect(liveness.check(now: self.start + .seconds(second)) == .wait(until: self.start + .seconds(second + 30)))
        }
    }
}
