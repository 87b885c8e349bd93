//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerWire

/// The receiving half of the websocket, for either end. What a peer sends must mean the same however the network cuts it.
let webSocketCodecs: [Codec] = [webSocket("WebSocketReader (client)", .client), webSocket("WebSocketReader (server)", .server)]

private func webSocket(_ name: String, _ role: WebSocketRole) -> Codec {
    Codec(name, minimum: 2) { random in
        var bytes = ByteBuffer()
        for _ in 0...random.next() % 4 {
            let mask: UInt32? = role == .server ? random.integer() : nil
            switch random.next() % 8 {
            case 0: bytes.putWebSocketFrame(.ping, random.bytes(upTo: 125), maskKey: mask)
            case 1: bytes.putWebSocketFrame(.pong, random.bytes(upTo: 125), maskKey: mask)
            case 2: bytes.putWebSocketClose(.goingAway, reason: random.text(upTo: 130), maskKey: mask)
            case 3:
                bytes.putWebSocketFrame(.binary, random.bytes(upTo: 200), maskKey: mask, isFinal: false)
                bytes.putWebSocketFrame(.continuation, random.bytes(upTo: 200), maskKey: mask)
            case 4: bytes.putWebSocketFrame(.text, ByteBuffer(string: random.text(upTo: 40)), maskKey: mask)
            default: bytes.putProxyMessage(channel: random.integer(), random.bytes(upTo: 300), maskKey: mask)
            }
        }
        return bytes
    } isStable: { (bytes) throws(WireError) in
        let whole = events(Codec.slice(bytes), role, piece: Int.max)
        // Nothing came of it: not enough for a frame, or the first was a violation.
        switch whole.first {
        case nil: throw .truncated(message: name, needed: 2, available: bytes.readableBytes)
        case .violation(let violation): throw .badText(message: name, field: violation.reason)
        default: break
        }
        // From one byte at a time on, and not the same for every message.
        return events(bytes, role, piece: 1 + bytes.readableBytes % 7) == whole
    }
}

private func events(_ bytes: ByteBuffer, _ role: WebSocketRole, piece: Int) -> [WebSocketEvent] {
    var reader = WebSocketReader(role: role, maximumMessageBytes: 1024)
    var bytes = bytes
    var events: [WebSocketEvent] = []
    while bytes.readableBytes > 0, let part = bytes.readSlice(length: min(piece, bytes.readableBytes)) {
        reader.feed(part)
        while let event = reader.next() { events.append(event) }
    }
    return events
}
