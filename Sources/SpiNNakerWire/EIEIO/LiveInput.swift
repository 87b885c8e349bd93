//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Events for a core that takes live input: EIEIO data in one-way SDP messages to UDP port 17893 of its board.
///
/// | Offset | Bytes | Field |
/// |---|---|---|
/// | 0 | 2 | padding |
/// | 2 | 8 | SDP header: flags 0x07, tag 0, port and core of the receiver, its chip; the source is all zero |
/// | 10 | … | an EIEIO data message |
///
/// The receiver takes any port but 0. Source: SpiNNMan `LiveEventConnection`, vectors `eieio.live-input.*`, `live.send.*`.
public enum LiveInput {
    /// The SDP port that the toolchain uses.
    public static let port: UInt8 = 1
    /// Messages that the toolchain sends before it pauses (``pause``), so that the receiver's buffer holds.
    public static let burst = 6
    /// 0.1 s
    public static let pause: Duration = .milliseconds(100)

    public static func header(to core: CoreID, port: UInt8 = LiveInput.port) -> SDPHeader {
        SDPHeader(
            flags: .replyNotExpected, tag: 0, destination: SDPAddress(port: port, cpu: core.p),
            source: SDPAddress(byte: 0), destinationChip: core.chip, sourceChip: .origin)
    }

    /// A writer whose message is a whole datagram for `core`.
    public static func writer(
        _ header: EIEIODataHeader, to core: CoreID, port: UInt8 = LiveInput.port
    ) -> EIEIODataWriter {
        var buffer = ByteBufferAllocator().buffer(
            capacity: SDPHeader.udpPadding + SDPHeader.size + EIEIODataHeader.maximumMessageSize)
        buffer.put(UInt16(0))
        LiveInput.header(to: core, port: port).write(into: &buffer)
        return EIEIODataWriter(header, takingOver: &buffer)
    }

    /// As many datagrams as the keys need, each as full as the toolchain fills it.
    ///
    /// - Throws: ``WireError/invalid(message:field:value:)`` when a key is too wide for the type, or the type has payloads.
    public static func datagrams(
        keys: some Sequence<UInt32>, type: EIEIOType, to core: CoreID, port: UInt8 = LiveInput.port
    ) throws(WireError) -> [ByteBuffer] {
        var finished: [ByteBuffer] = []
        var writer = LiveInput.writer(EIEIODataHeader(type), to: core, port: port)
        for key in keys {
            if writer.isFull {
                finished.append(writer.finish())
                writer = LiveInput.writer(EIEIODataHeader(type), to: core, port: port)
            }
            _ = try writer.append(key: key)
        }
        if !writer.isEmpty { finished.append(writer.finish()) }
        return finished
    }

    /// The same for keys with payloads: types 1 and 3.
    public static func datagrams(
        events: some Sequence<(key: UInt32, payload: UInt32)>, type: EIEIOType = .keyPayload32, to core: CoreID,
        port: UInt8 = LiveInput.port
    ) throws(WireError) -> [ByteBuffer] {
        var finished: [ByteBuffer] = []
        var writer = LiveInput.writer(EIEIODataHeader(type), to: core, port: port)
        for event in events {
            if writer.isFull {
                finished.append(writer.finish())
                writer = LiveInput.writer(EIEIODataHeader(type), to: core, port: port)
            }
            _ = try writer.append(key: event.key, payload: event.payload)
        }
        if !writer.isEmpty { finished.append(writer.finish()) }
        return finished
    }
}
