//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// The low four bits of a frame's first byte (RFC 6455 §5.2).
package enum WebSocketOpcode: UInt8, Sendable, CaseIterable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    package var isControl: Bool { self.rawValue & 0x8 != 0 }
}

/// Frames written where they will leave from: many behind one another in one buffer, so that a burst of datagrams costs one
/// write and one TLS record.
///
/// | Offset | Size | |
/// |---|---|---|
/// | 0 | 1 | FIN 0x80, RSV 0x70, opcode 0x0F |
/// | 1 | 1 | MASK 0x80, length 0...125, or 126, or 127 |
/// | 2 | 0, 2 or 8 | the length if it did not fit, big-endian |
/// | then | 0 or 4 | the mask key |
extension ByteBuffer {
    /// The head of a frame of `length` payload bytes, which the caller writes next. Answers where the payload starts, as
    /// an offset from the reader index, for ``maskWebSocketPayload(from:key:)``.
    package mutating func putWebSocketHead(
        _ opcode: WebSocketOpcode, length: Int, maskKey: UInt32?, isFinal: Bool = true
    ) -> Int {
        let first = opcode.rawValue | (isFinal ? 0x80 : 0)
        let maskBit: UInt8 = maskKey == nil ? 0 : 0x80
        if length < 126 {
            self.writeInteger(UInt16(first) << 8 | UInt16(UInt8(truncatingIfNeeded: length) | maskBit))
        } else if length <= 0xFFFF {
            self.writeInteger(
                UInt32(first) << 24 | UInt32(126 | maskBit) << 16 | UInt32(UInt16(truncatingIfNeeded: length)))
        } else {
            self.writeInteger(UInt16(first) << 8 | UInt16(127 | maskBit))
            self.writeInteger(UInt64(truncatingIfNeeded: length))
        }
        if let maskKey { self.writeInteger(maskKey, endianness: .little) }
        return self.readableBytes
    }

    /// Masks what was written since `start` in place: it was just written, so it lies in the nearest cache.
    package mutating func maskWebSocketPayload(from start: Int, key: UInt32?) {
        guard let key, start <= self.readableBytes else { return }
        self.withUnsafeMutableReadableBytes { bytes in
            WebSocketMask.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    /// A whole frame.
    package mutating func putWebSocketFrame(
        _ opcode: WebSocketOpcode, _ payload: ByteBuffer, maskKey: UInt32?, isFinal: Bool = true
    ) {
        let start = self.putWebSocketHead(opcode, length: payload.readableBytes, maskKey: maskKey, isFinal: isFinal)
        self.writeImmutableBuffer(payload)
        self.maskWebSocketPayload(from: start, key: maskKey)
    }

    /// A close frame: code and reason, cut to what a control frame holds without breaking a character.
    package mutating func putWebSocketClose(_ code: WebSocketCloseCode?, reason: String, maskKey: UInt32?) {
        var payload = ByteBuffer()
        if let code, code.mayBeSent {
            payload.writeInteger(code.rawValue)
            var room = 123
            for character in reason.unicodeScalars {
                let width = UTF8.width(character)
                guard width <= room else { break }
                room -= width
                payload.writeString(String(character))
            }
        }
        self.putWebSocketFrame(.close, payload, maskKey: maskKey)
    }
}

extension ByteBuffer {
    /// A datagram of a proxy channel as one binary frame: what both ends write most.
    package mutating func putProxyMessage(channel: UInt32, _ datagram: ByteBuffer, maskKey: UInt32?) {
        let start = self.putWebSocketHead(.binary, length: 8 &+ datagram.readableBytes, maskKey: maskKey)
        ProxyRequest.writeMessageHead(channel: channel, into: &self)
        self.writeImmutableBuffer(datagram)
        self.maskWebSocketPayload(from: start, key: maskKey)
    }
}
