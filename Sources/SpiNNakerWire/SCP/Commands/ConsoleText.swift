//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Text that a core prints to the host's console (CMD_TUBE, 64): SDP without reply through tag 0. There are no argument
/// words: the text follows the sequence number.
///
/// | Offset in the UDP payload | Size | Field |
/// |---|---|---|
/// | 0 | 2 | padding |
/// | 2 | 8 | ``SDPHeader``: source is the core that prints |
/// | 10 | 2 | command 64 |
/// | 12 | 2 | sequence, 0 |
/// | 14 | n | text |
public struct ConsoleText: Hashable, Sendable {
    public var header: SDPHeader
    public var sequence: UInt16
    /// As printed: mostly ASCII, perhaps with a NUL at its end.
    public var text: ByteBuffer

    public init(from core: CoreID, through ethernetChip: ChipID, tag: UInt8 = 0, text: ByteBuffer) {
        self.header = SDPHeader(
            flags: .replyNotExpected, tag: tag, destination: .ethernet, source: SDPAddress(port: 0, cpu: core.p),
            destinationChip: ethernetChip, sourceChip: core.chip)
        self.sequence = 0
        self.text = text
    }

    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        try buffer.skip(SDPHeader.udpPadding, of: "console text")
        self.header = try SDPHeader(from: &buffer)
        let command: UInt16 = try buffer.take(of: "console text")
        guard command == SCPCommand.tube.rawValue else {
            throw .invalid(message: "console text", field: "command", value: UInt64(command))
        }
        self.sequence = try buffer.take(of: "console text")
        self.text = buffer
    }

    public func writeDatagram(into buffer: inout ByteBuffer) {
        buffer.put(UInt16(0))
        self.header.write(into: &buffer)
        buffer.put(SCPCommand.tube.rawValue)
        buffer.put(self.sequence)
        buffer.writeImmutableBuffer(self.text)
    }
}
