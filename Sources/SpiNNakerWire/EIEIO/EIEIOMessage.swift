//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Any EIEIO message.
///
/// The first two bytes are a little-endian word whose bits 15...14 tell: 01 is a command, all else is data.
public enum EIEIOMessage: Hashable, Sendable {
    case data(EIEIODataMessage)
    case command(EIEIOCommand)

    @inlinable
    public init(datagram: ByteBuffer) throws(WireError) {
        guard let word = datagram.getInteger(at: datagram.readerIndex, endianness: .little, as: UInt16.self) else {
            throw .truncated(message: "EIEIO message", needed: 2, available: datagram.readableBytes)
        }
        if EIEIOMessage.isCommand(word) {
            self = .command(try EIEIOCommand(datagram: datagram))
        } else {
            self = .data(try EIEIODataMessage(datagram: datagram))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .data(let message): message.write(into: &buffer)
        case .command(let command): command.write(into: &buffer)
        }
    }

    /// By the first two bytes of a message.
    @inlinable
    public static func isCommand(_ word: UInt16) -> Bool { word & 0xC000 == 0x4000 }
}
