//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The words that turn an HTTP/1.1 request into a websocket (RFC 6455 §4).
package enum WebSocketHandshake {
    package static let version = "13"

    /// A fresh `Sec-WebSocket-Key`: 16 random bytes in base64.
    package static func makeKey() -> String {
        var system = SystemRandomNumberGenerator()
        let words = [system.next(), system.next()] as [UInt64]
        return WebSocketHandshake.base64(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })
    }

    /// A key as a client has to send it: base64 of 16 bytes.
    package static func isKey(_ text: String) -> Bool {
        let characters = Array(text.utf8)
        guard characters.count == 24, characters[22] == 0x3D, characters[23] == 0x3D else { return false }
        return characters[..<22].allSatisfy { WebSocketHandshake.alphabet.contains($0) }
    }

    /// The `Sec-WebSocket-Accept` that answers a key.
    package static func accept(key: String) -> String {
        WebSocketHandshake.base64(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for index in 0..<3 { word = word << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
            for index in 0..<4 {
                let sixBits = Int(word >> UInt32(18 - 6 * index) & 0x3F)
                text.append(index <= group.count ? WebSocketHandshake.alphabet[sixBits] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// SHA-1 (FIPS 180-4), which the websocket handshake asks for as a check against confusion, not as a secret. It is the
/// only use.
enum SHA1 {
    static func hash(_ message: [UInt8]) -> [UInt8] {
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) &* 8
        for shift in stride(from: 56, through: 0, by: -8) { padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }

        var h: (UInt32, UInt32, UInt32, UInt32, UInt32) = (
            0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0
        )
        var w = [UInt32](repeating: 0, count: 80)
        for block in stride(from: 0, to: padded.count, by: 64) {
            for i in 0..<16 {
                w[i] = padded[(block + 4 * i)..<(block + 4 * i + 4)].reduce(0) { $0 << 8 | UInt32($1) }
            }
            for i in 16..<80 { w[i] = SHA1.rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1) }
            var (a, b, c, d, e) = h
            for i in 0..<80 {
                let f: UInt32
                let k: UInt32
                switch i {
                case ..<20: (f, k) = (b & c | ~b & d, 0x5A82_7999)
                case ..<40: (f, k) = (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: (f, k) = (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (f, k) = (b ^ c ^ d, 0xCA62_C1D6)
                }
                let next = SHA1.rotate(a, 5) &+ f &+ e &+ k &+ w[i]
                (a, b, c, d, e) = (next, a, SHA1.rotate(b, 30), c, d)
            }
            h = (h.0 &+ a, h.1 &+ b, h.2 &+ c, h.3 &+ d, h.4 &+ e)
        }
        return [h.0, h.1, h.2, h.3, h.4].flatMap { word in
            stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
    }

    private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
}
