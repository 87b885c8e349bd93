//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine

/// Small deterministic randomness for tests that want many cases of one kind.
struct SeededGenerator: RandomNumberGenerator {
    var keys: UInt64
    init(seed: UInt64) { self.keys = seed }
    mutating func next() -> UInt64 {
        self.keys = self.keys &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var z = self.keys
        z = (z ^ (z >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        return z ^ (z >> 33)
    }
}

extension WebSocketReader {
    /// Feeds and takes everything out.
    mutating func events(of bytes: ByteBuffer) -> [WebSocketEvent] {
        self.feed(bytes)
        var events: [WebSocketEvent] = []
        while let event = self.next() { events.append(event) }
        return events
    }
    mutating func events(of bytes: [UInt8]) -> [WebSocketEvent] { self.events(of: ByteBuffer(bytes: bytes)) }
}

extension WebSocketEvent {
    var violationCode: WebSocketCloseCode? {
        if case .violation(let violation) = self { violation.code } else { nil }
    }
}
