//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Which end of the websocket we are: it decides who has to mask.
package enum WebSocketRole: Sendable {
    /// What comes in is masked, what goes out is not.
    case server
    /// The other way round.
    case client
}

/// What a peer sent, in order.
package enum WebSocketEvent: Hashable, Sendable {
    case binary(ByteBuffer)
    case text(ByteBuffer)
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The last thing a peer says. nil: a close frame without a code.
    case close(WebSocketCloseCode?, reason: String)
    /// The last thing we listen to.
    case violation(WebSocketViolation)
}

/// Bytes in, events out: the receiving half of RFC 6455, for either end.
///
/// A read from a socket holds many small frames. All that are whole are taken apart in one pass (``feed(_:)``) before the
/// first is handed out (``next()``): a server unmasks them behind one another into one buffer of its own, of which the
/// events are slices. So a datagram is copied once, from the read buffer to where the UDP socket takes it from, and a
/// read costs at most one allocation however many frames it held. A client's slices are of the read buffer itself.
package struct WebSocketReader: Sendable {
    private struct Item {
        var opcode: WebSocketOpcode
        /// Into `plain` (server) or `source` (client); of an assembled message, its index.
        var start: Int
        var count: Int
        var isAssembled: Bool
    }

    package let role: WebSocketRole
    package let maximumMessageBytes: Int

    private var items: [Item] = []
    private var nextItem = 0
    private var source = ByteBuffer()
    private var plain = ByteBuffer()
    /// The start of a frame whose end has not come yet.
    private var tail = ByteBuffer()
    private var assembled: [ByteBuffer] = []
    /// The message whose first fragments have come.
    private var fragments: (opcode: WebSocketOpcode, bytes: ByteBuffer)?
    private var violation: WebSocketViolation?
    private var ended = false

    package init(role: WebSocketRole, maximumMessageBytes: Int) {
        self.role = role
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// Takes what one read brought. Every event of the read before must have been taken.
    package mutating func feed(_ bytes: ByteBuffer) {
        guard !self.ended else { return }
        self.items.removeAll(keepingCapacity: true)
        self.assembled.removeAll(keepingCapacity: true)
        self.nextItem = 0
        if self.tail.readableBytes == 0 {
            self.source = bytes
        } else {
            self.tail.writeImmutableBuffer(bytes)
            self.source = self.tail
            self.tail = ByteBuffer()
        }
        let source = self.source
        if self.role == .server { self.plain.clear(minimumCapacity: source.readableBytes) }
        let used = source.withUnsafeReadableBytes { self.scan($0, readerIndex: source.readerIndex) }
        if self.ended || used == source.readableBytes {
            self.tail = ByteBuffer()
        } else if used == 0 {
            // Nothing was whole: the bytes stay where they are, and grow there.
            self.tail = source
            self.source = ByteBuffer()
        } else {
            // A copy of its own: to append to a slice would copy the whole read buffer.
            var rest = source
            rest.moveReaderIndex(forwardBy: used)
            self.tail = ByteBuffer()
            self.tail.reserveCapacity(max(rest.readableBytes, 512))
            self.tail.writeImmutableBuffer(rest)
        }
        if self.role == .server { self.source = ByteBuffer() }
    }

    /// The next event of what was fed, or nil.
    package mutating func next() -> WebSocketEvent? {
        guard self.nextItem < self.items.count else {
            self.source = ByteBuffer()
            guard let violation = self.violation else { return nil }
            self.violation = nil
            return .violation(violation)
        }
        let item = self.items[self.nextItem]
        self.nextItem += 1
        let payload: ByteBuffer?
        if item.isAssembled {
            payload = self.assembled.indices.contains(item.start) ? self.assembled[item.start] : nil
        } else if self.role == .server {
            payload = self.plain.getSlice(at: item.start, length: item.count)
        } else {
            payload = self.source.getSlice(at: item.start, length: item.count)
        }
        guard let payload else { return nil }
        switch item.opcode {
        case .binary: return .binary(payload)
        case .text: return .text(payload)
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close, .continuation: return WebSocketReader.closeEvent(payload)
        }
    }

    /// Goes over the bytes of one read and notes what is whole. Answers how many bytes were used.
    private mutating func scan(_ bytes: UnsafeRawBufferPointer, readerIndex: Int) -> Int {
        var offset = 0
        while !self.ended {
            let rest = bytes.count - offset
            guard rest >= 2 else { return offset }
            let first = bytes[offset]
            let second = bytes[offset + 1]
            let isMasked = second & 0x80 != 0
            guard let opcode = self.check(first, isMasked: isMasked, shortLength: second & 0x7F) else { return offset }

            var headBytes = 2
            var length = Int(second & 0x7F)
            if length == 126 {
                guard rest >= 4 else { return offset }
                length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)))
                headBytes = 4
                guard length >= 126 else {
                    self.end(.protocolError, "a frame's length takes more bytes than it needs")
                    return offset
                }
            } else if length == 127 {
                guard rest >= 10 else { return offset }
                let wide = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt64.self))
                headBytes = 10
                guard wide > 0xFFFF, wide >> 63 == 0 else {
                    self.end(.protocolError, "a frame's length takes more bytes than it needs, or has its top bit set")
                    return offset
                }
                length = Int(wide)
            }
            // Said by the head alone: nothing of a message that is too long is kept.
            let assembledBytes = opcode == .continuation ? self.fragments?.bytes.readableBytes ?? 0 : 0
            guard opcode.isControl || length <= self.maximumMessageBytes - assembledBytes else {
                self.end(.messageTooBig, "a message is longer than \(self.maximumMessageBytes) bytes")
                return offset
            }
            if isMasked { headBytes += 4 }
            guard rest - headBytes >= length else { return offset }

            let payload = UnsafeRawBufferPointer(rebasing: bytes[(offset + headBytes)..<(offset + headBytes + length)])
            if isMasked {
                let key = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + headBytes - 4, as: UInt32.self))
                let start = self.plain.writerIndex
                self.plain.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
                    WebSocketMask.copy(payload, to: target, key: key)
                    return length
                }
                self.note(opcode, isFinal: first & 0x80 != 0, start: start, count: length)
            } else {
                self.note(opcode, isFinal: first & 0x80 != 0, start: readerIndex + offset + headBytes, count: length)
            }
            offset += headBytes + length
        }
        return offset
    }

    /// What the first two bytes can break.
    private mutating func check(_ first: UInt8, isMasked: Bool, shortLength: UInt8) -> WebSocketOpcode? {
        guard first & 0x70 == 0 else {
            self.end(.protocolError, "a reserved bit is set, and no extension was agreed on")
            return nil
        }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else {
            self.end(.protocolError, "there is no opcode \(first & 0x0F)")
            return nil
        }
        guard isMasked == (self.role == .server) else {
            self.end(.protocolError, isMasked ? "a server's frame is masked" : "a client's frame is not masked")
            return nil
        }
        if opcode.isControl {
            guard first & 0x80 != 0, shortLength < 126 else {
                self.end(.protocolError, "a control frame is fragmented or longer than 125 bytes")
                return nil
            }
        } else if (opcode == .continuation) != (self.fragments != nil) {
            self.end(
                .protocolError,
                opcode == .continuation ? "a fragment continues nothing" : "a message starts within another's fragments")
            return nil
        }
        return opcode
    }

    private mutating func note(_ opcode: WebSocketOpcode, isFinal: Bool, start: Int, count: Int) {
        if opcode.isControl || (opcode != .continuation && isFinal) {
            self.items.append(Item(opcode: opcode, start: start, count: count, isAssembled: false))
            if opcode == .close { self.ended = true }
            return
        }
        let slice =
            self.role == .server
            ? self.plain.getSlice(at: start, length: count) : self.source.getSlice(at: start, length: count)
        var message = self.fragments ?? (opcode, ByteBuffer())
        self.fragments = nil
        if let slice { message.bytes.writeImmutableBuffer(slice) }
        if isFinal {
            self.items.append(Item(opcode: message.opcode, start: self.assembled.count, count: 0, isAssembled: true))
            self.assembled.append(message.bytes)
        } else {
            self.fragments = message
        }
    }

    private mutating func end(_ code: WebSocketCloseCode, _ reason: String) {
        self.ended = true
        self.violation = WebSocketViolation(code, reason)
    }

    private static func closeEvent(_ payload: ByteBuffer) -> WebSocketEvent {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(nil, reason: "") }
        guard let number: UInt16 = payload.readInteger() else {
            return .violation(WebSocketViolation(.protocolError, "a close frame of one byte"))
        }
        let code = WebSocketCloseCode(rawValue: number)
        guard code.mayBeSent else {
            return .violation(WebSocketViolation(.protocolError, "no close frame may say \(number)"))
        }
        guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else {
            return .violation(WebSocketViolation(.invalidPayload, "the reason of a close frame is not UTF-8"))
        }
        return .close(code, reason: reason)
    }
}
