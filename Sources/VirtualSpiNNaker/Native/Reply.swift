//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// A reply in the making: padding, SDP header, result and sequence are in their places, the payload is appended. What is
/// finished is the datagram; nothing is copied again.
package struct Reply {
    /// Padding, SDP header, result, sequence.
    package static let headerSize = 14

    package let header: SDPHeader
    package var bytes: ByteBuffer

    @inline(__always)
    package init(to request: SDPHeader, sequence: UInt16, capacity: Int = 40) {
        self.header = request.reply
        self.bytes = ByteBufferAllocator().buffer(capacity: Reply.headerSize + capacity)
        self.bytes.writeInteger(UInt16(0))
        self.header.write(into: &self.bytes)
        self.bytes.put(UInt32(SCPResult.ok.rawValue) | UInt32(sequence) << 16)
    }

    /// An answer to a message whose body may be no whole request, without a payload.
    init(to message: SDPMessage, result: SCPResult) {
        self.init(
            to: message.header,
            sequence: message.data.getInteger(at: message.data.readerIndex + 2, endianness: .little) ?? 0)
        self.setResult(result)
    }

    package mutating func setResult(_ result: SCPResult) {
        self.bytes.setInteger(result.rawValue, at: 2 + SDPHeader.size, endianness: .little)
    }

    package mutating func dropPayload() { self.bytes.moveWriterIndex(to: Reply.headerSize) }

    /// What follows the SDP header.
    package var data: ByteBuffer {
        self.bytes.getSlice(at: 2 + SDPHeader.size, length: self.bytes.readableBytes - 2 - SDPHeader.size) ?? ByteBuffer()
    }
}

/// How a command ended, as the firmware means it. SC&MP 4.0.0 then sends RC_OK whatever it meant: see
/// ``NativeSystem/finish(_:_:_:of:at:now:)``.
package enum Outcome: Hashable, Sendable {
    case ok
    /// An error code; the payload is dropped.
    case refused(SCPResult)
    /// An error code, with the payload that comes with it.
    case refusedWithPayload(SCPResult)
    /// The reply comes later.
    case deferred
    /// There is never one.
    case silent
}
