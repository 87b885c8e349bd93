//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Random numbers from a seed: a failure can be had again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { self.state = seed }

    // SplitMix64.
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value {
        Value(truncatingIfNeeded: self.next())
    }

    /// Often at an edge, sometimes small, else anything: what length and number fields go wrong at.
    mutating func word() -> UInt32 {
        switch self.next() % 8 {
        case 0: 0
        case 1: .max
        case 2: 1 << UInt32(self.next() % 32)
        case 3, 4: UInt32(self.next() % 8)
        default: self.integer()
        }
    }

    mutating func bytes(_ count: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        for _ in 0..<(count / 8) { buffer.writeInteger(self.next()) }
        for _ in 0..<(count % 8) { buffer.writeInteger(self.integer(UInt8.self)) }
        return buffer
    }

    mutating func bytes(upTo count: Int) -> ByteBuffer { self.bytes(Int(self.next() % UInt64(count + 1))) }

    /// Letters, so that it is text to everyone.
    mutating func text(upTo count: Int) -> String {
        String(
            (0..<Int(self.next() % UInt64(count + 1))).map { _ in
                "abcdefghijklmnopqrstuvwxyz&".randomElement(using: &self) ?? "a"
            })
    }
}

/// A message type with its type forgotten: random values of it, its writer and its reader.
///
/// The reader's closure throws ``WireError`` and nothing else: the compiler sees to that.
struct Codec: Sendable, CustomTestStringConvertible {
    let name: String
    /// Fewer bytes than this are no message.
    let minimum: Int
    /// The bytes of a random value, and whether reading them gives the value again.
    let random: @Sendable (inout Seeded) throws -> (bytes: ByteBuffer, readsBack: Bool)
    /// Reads; writes what it read; reads that. False: the two readings differ.
    let isStable: @Sendable (ByteBuffer) throws(WireError) -> Bool

    var testDescription: String { self.name }

    init<Message: Equatable & Sendable>(
        _ name: String, minimum: Int, random: @escaping @Sendable (inout Seeded) throws -> Message,
        write: @escaping @Sendable (Message, inout ByteBuffer) -> Void,
        read: @escaping @Sendable (ByteBuffer) throws(WireError) -> Message
    ) {
        self.name = name
        self.minimum = minimum
        self.random = { generator in
            let message = try random(&generator)
            var bytes = ByteBuffer()
            write(message, &bytes)
            return (bytes, try read(Codec.slice(bytes)) == message)
        }
        self.isStable = { (bytes) throws(WireError) in
            let message = try read(Codec.slice(bytes))
            var again = ByteBuffer()
            write(message, &again)
            return try read(Codec.slice(again)) == message
        }
    }

    /// The same bytes as a slice out of the middle of others: a reader that counts from 0, or past its end, shows.
    static func slice(_ bytes: ByteBuffer) -> ByteBuffer {
        var whole = ByteBuffer(bytes: [0xA5, 0x5A, 0xA5])
        whole.writeImmutableBuffer(bytes)
        whole.writeBytes([0xC3, 0x3C, 0xC3, 0x3C, 0xC3])
        return whole.getSlice(at: 3, length: bytes.readableBytes) ?? ByteBuffer()
    }

    /// A request of any command, inside its packet.
    init<Request: SCPRequest>(
        _ type: Request.Type, selector: SCPArguments? = nil, mask: SCPArguments = SCPArguments(.max, .max, .max)
    ) {
        self.init(
            "\(Request.self)", minimum: SDPHeader.udpPadding + SCP.requestHeaderSize,
            random: { random in
                var arguments = SCPArguments(random.word() & mask.arg1, random.word() & mask.arg2, random.word() & mask.arg3)
                if let selector {
                    arguments.arg1 |= selector.arg1
                    arguments.arg2 |= selector.arg2
                    arguments.arg3 |= selector.arg3
                }
                // A type without data drops what comes as data.
                return try Request(arguments: arguments, data: random.bytes(upTo: SCP.maximumData))
            },
            write: { request, buffer in
                SCPPacket(request, to: CoreID(1, 2, 3), sequence: 0x1234).writeDatagram(into: &buffer)
            },
            read: { (buffer) throws(WireError) in
                let packet = try SCPPacket(datagram: buffer)
                return try Request(arguments: packet.arguments, data: packet.data)
            })
    }

    /// A reply, as payload; `size` random bytes of it make a value.
    init<Response: SCPResponse>(_ type: Response.Type, minimum: Int, size: Int) {
        self.init(type, minimum: minimum) { random in try Response(payload: random.bytes(size)) }
    }

    init<Response: SCPResponse>(
        _ type: Response.Type, minimum: Int, random: @escaping @Sendable (inout Seeded) throws -> Response
    ) {
        self.init(
            "\(Response.self)", minimum: minimum, random: random, write: { $0.write(into: &$1) },
            read: { (buffer) throws(WireError) in try Response(payload: buffer) })
    }
}
