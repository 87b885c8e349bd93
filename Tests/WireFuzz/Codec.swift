//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A message type with its type forgotten: random values of it, its writer and its reader.
///
/// The reader's closure throws ``WireError`` and nothing else: the compiler sees to that.
package struct Codec: Sendable, CustomStringConvertible {
    package let name: String
    /// Fewer bytes than this are no message.
    package let minimum: Int
    /// A text: noise of any byte would end its reading at the first.
    package var isText = false
    /// The bytes of a random value, and whether reading them gives the value again.
    package let random: @Sendable (inout Seeded) throws -> (bytes: ByteBuffer, readsBack: Bool)
    /// Reads; writes what it read; reads that. False: the two readings differ, or there is no second. Throws when the
    /// bytes are refused.
    package let isStable: @Sendable (ByteBuffer) throws(WireError) -> Bool

    package var description: String { self.name }

    func text() -> Codec {
        var copy = self
        copy.isText = true
        return copy
    }

    package init<Message: Equatable & Sendable>(
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
            // A message whose own writing is refused is not a refusal of these bytes: it is the failure looked for.
            guard let second = try? read(Codec.slice(again)) else { return false }
            return second == message
        }
    }

    /// A decoder that does not fit the others' shape: `random` makes bytes that are a message, or are likely to be one.
    init(
        _ name: String, minimum: Int, random: @escaping @Sendable (inout Seeded) -> ByteBuffer,
        isStable: @escaping @Sendable (ByteBuffer) throws(WireError) -> Bool
    ) {
        self.name = name
        self.minimum = minimum
        self.random = { (random(&$0), true) }
        self.isStable = isStable
    }

    /// The same bytes as a slice out of the middle of others: a reader that counts from 0, or past its end, shows.
    static func slice(_ bytes: ByteBuffer) -> ByteBuffer {
        var whole = ByteBufferAllocator().buffer(capacity: bytes.readableBytes + 8)
        whole.writeRepeatingByte(0xA5, count: 3)
        whole.writeImmutableBuffer(bytes)
        whole.writeRepeatingByte(0xC3, count: 5)
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
