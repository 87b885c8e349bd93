//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// The codecs that every packet of a run passes: into a buffer whose room is there, and from a slice of what came.
///
/// No two messages in a row are the same, so that the optimizer has nothing to lift out of the loop.
enum CodecCases {
    static let all = [
        readRequest, writeRequest, readReply, proxyEncode, proxyDecode, webSocketEncode, webSocketDecode, webSocketServerDecode,
        eventsBuild, eventsIterate,
    ]
}

private let core = CoreID(1, 2, 3)
private let channel: UInt32 = 7
/// Other than a power of two, and few enough for the nearest cache.
private let variants = 13

private func reserved(_ capacity: Int) -> ByteBuffer { ByteBufferAllocator().buffer(capacity: capacity) }

/// Slices out of the middle of one buffer each, of what `write` makes.
private func slices(_ write: (Int, inout ByteBuffer) -> Void) -> [ByteBuffer] {
    (0..<variants).map { number in
        var whole = reserved(1024)
        whole.writeInteger(UInt16(0))
        write(number, &whole)
        whole.writeInteger(UInt16(0))
        return whole.getSlice(at: 2, length: whole.readableBytes - 4) ?? ByteBuffer()
    }
}

/// The last word of what was written: whatever it is, it had to be.
@inline(__always)
private func last(_ buffer: ByteBuffer) -> UInt64 {
    UInt64(buffer.getInteger(at: buffer.writerIndex - 4, endianness: .little, as: UInt32.self) ?? 0)
}

private let readRequest = CodecCase(name: "SCP READ request, encode", key: "scp.read.encode") { meter, count in
    var buffer = reserved(512)
    meter.loop(count) { index in
        buffer.clear()
        let request = ReadMemory(address: 0x6000_0000 &+ UInt32(truncatingIfNeeded: index) &* 256, size: 256)
        SCPPacket(request, to: core, sequence: UInt16(truncatingIfNeeded: index)).writeDatagram(into: &buffer)
        return last(buffer)
    }
}

private let writeRequest = CodecCase(name: "SCP WRITE request, 256 B, encode", key: "scp.write.encode") {
    meter, count in
    var buffer = reserved(512)
    let data = slices { number, buffer in buffer.writeRepeatingByte(UInt8(number), count: 256) }
    meter.loop(count) { index in
        buffer.clear()
        let request = WriteMemory(
            address: 0x6000_0000 &+ UInt32(truncatingIfNeeded: index) &* 256, data: data[index % variants])
        SCPPacket(request, to: core, sequence: UInt16(truncatingIfNeeded: index)).writeDatagram(into: &buffer)
        return last(buffer)
    }
}

private let readReply = CodecCase(name: "SCP READ reply, 256 B, decode", key: "scp.read.decode") { meter, count in
    let replies = slices { number, buffer in reply(number).writeDatagram(into: &buffer) }
    try meter.loop(count) { index in
        let reply = try SCPReply(datagram: replies[index % variants])
        let bytes = try reply.decode(for: ReadMemory.self).bytes
        return UInt64(reply.sequence) &+ UInt64(reply.result.rawValue) &+ last(bytes)
    }
}

private func reply(_ number: Int) -> SCPReply {
    SCPReply(
        header: SDPHeader(
            flags: .replyNotExpected, destination: .ethernet, source: SDPAddress(port: 0, cpu: 3),
            destinationChip: .origin, sourceChip: ChipID(1, 2)),
        result: .ok, sequence: UInt16(number), payload: ByteBuffer(repeating: UInt8(number), count: 256))
}

/// A reply as it comes back through the proxy.
private func replyDatagram(_ number: Int) -> ByteBuffer {
    var datagram = ByteBuffer()
    reply(number).writeDatagram(into: &datagram)
    return datagram
}

private let proxyEncode = CodecCase(name: "proxy MESSAGE, 270 B, encode", key: "proxy.encode") { meter, count in
    var buffer = reserved(512)
    let datagrams = slices { number, buffer in reply(number).writeDatagram(into: &buffer) }
    meter.loop(count) { index in
        buffer.clear()
        ProxyRequest.message(channel: channel, datagrams[index % variants]).write(into: &buffer)
        return last(buffer)
    }
}

private let proxyDecode = CodecCase(name: "proxy MESSAGE, 270 B, decode", key: "proxy.decode") { meter, count in
    let frames = slices { number, buffer in
        ProxyReply.message(channel: UInt32(number), replyDatagram(number)).write(into: &buffer)
    }
    try meter.loop(count) { index in
        guard case .message(let channel, let datagram) = try ProxyReply(frame: frames[index % variants]) else {
            return 0
        }
        return UInt64(channel) &+ last(datagram)
    }
}

/// What a client sends for a datagram, in one piece: the frame's head, the proxy's words, the datagram, masked.
private let webSocketEncode = CodecCase(name: "websocket frame, 278 B, encode masked", key: "websocket.encode") {
    meter, count in
    var buffer = reserved(512)
    var keys = WebSocketMaskKeys(seed: 1)
    let datagrams = slices { number, buffer in reply(number).writeDatagram(into: &buffer) }
    meter.loop(count) { index in
        buffer.clear()
        buffer.putProxyMessage(channel: channel, datagrams[index % variants], maskKey: keys.next())
        return last(buffer)
    }
}

private let webSocketDecode = CodecCase(name: "websocket frame, 278 B, decode", key: "websocket.decode") {
    meter, count in
    let frames = slices { number, buffer in
        buffer.putProxyMessage(channel: channel, replyDatagram(number), maskKey: nil)
    }
    try read(frames, as: .client, &meter, count)
}

private let webSocketServerDecode = CodecCase(
    name: "websocket frame, 278 B, decode masked", key: "websocket.decode.masked"
) { meter, count in
    let frames = slices { number, buffer in
        buffer.putProxyMessage(channel: channel, replyDatagram(number), maskKey: 0x1234_5678 ^ UInt32(number))
    }
    try read(frames, as: .server, &meter, count)
}

private func read(_ frames: [ByteBuffer], as role: WebSocketRole, _ meter: inout Meter, _ count: Int) throws {
    var reader = WebSocketReader(role: role, maximumMessageBytes: 65536)
    // The first makes the room that the others use again.
    reader.feed(frames[0])
    while reader.next() != nil {}
    try meter.loop(count) { index in
        reader.feed(frames[index % variants])
        guard case .binary(let payload)? = reader.next() else { throw BenchError("a frame that is no message") }
        return last(payload)
    }
}

/// Keys and payloads of 32 bits: 31 fill a message.
private let header = EIEIODataHeader(.keyPayload32)

private let eventsBuild = CodecCase(name: "EIEIO data, 31 keys + payloads, build", key: "eieio.build") {
    meter, count in
    var buffer = reserved(512)
    try meter.loop(count) { index in
        buffer.clear()
        var writer = EIEIODataWriter(header, takingOver: &buffer)
        var key = UInt32(truncatingIfNeeded: index)
        while try writer.append(key: key, payload: ~key) { key &+= 1 }
        buffer = writer.finish()
        return last(buffer)
    }
}

private let eventsIterate = CodecCase(name: "EIEIO data, 31 keys + payloads, iterate", key: "eieio.iterate") {
    meter, count in
    let messages = try (0..<variants).map { number in
        var writer = EIEIODataWriter(header)
        var key = UInt32(number)
        while try writer.append(key: key, payload: ~key) { key &+= 1 }
        return writer.finish()
    }
    try meter.loop(count) { index in
        var sum: UInt64 = 0
        for event in try EIEIODataMessage(datagram: messages[index % variants]).elements {
            sum &+= UInt64(event.key) &+ UInt64(event.payload ?? 0)
        }
        return sum
    }
}
