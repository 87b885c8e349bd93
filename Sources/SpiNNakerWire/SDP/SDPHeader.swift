//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The flags byte of an SDP header.
///
/// | Bit | Meaning to SC&MP |
/// |---|---|
/// | 7 (0x80) | a reply is wanted |
/// | 6 (0x40) | checksum present; set inside the machine, ignored and cleared on arrival |
/// | 5 (0x20) | do not P2P-route: handle on the receiving chip |
/// | 2...0 (0x07) | always set by hosts; no meaning |
///
/// Any byte is valid: a reply's flags are the request's with bit 7 cleared, whatever the others were.
public struct SDPFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let replyWanted = SDPFlags(rawValue: 0x80)
    public static let checksum = SDPFlags(rawValue: 0x40)
    public static let noRouting = SDPFlags(rawValue: 0x20)

    /// 0x07: one-way; also the flags of every SCP reply.
    public static let replyNotExpected = SDPFlags(rawValue: 0x07)
    /// 0x87
    public static let replyExpected = SDPFlags(rawValue: 0x87)
    /// 0x27
    public static let replyNotExpectedNoRouting = SDPFlags(rawValue: 0x27)
    /// 0xA7
    public static let replyExpectedNoRouting = SDPFlags(rawValue: 0xA7)
}

/// A port and a core of one chip: one byte, `port << 5 | cpu`.
///
/// Port 0 is the kernel (SCP); 1...7 go to the application. 0xFF (port 7, core 31) is "the Ethernet".
public struct SDPAddress: Hashable, Sendable {
    public var byte: UInt8
    @inlinable
    public init(byte: UInt8) { self.byte = byte }
    /// `port` 0...7 and `cpu` 0...31; higher bits of either are dropped.
    @inlinable
    public init(port: UInt8, cpu: UInt8) { self.byte = (port & 7) << 5 | (cpu & 31) }
    @inlinable
    public var port: UInt8 { self.byte >> 5 }
    @inlinable
    public var cpu: UInt8 { self.byte & 31 }
    /// 0xFF: the host's side of an Ethernet link.
    public static let ethernet = SDPAddress(byte: 0xFF)
}

/// The 8-byte header of every SDP message. Source: `spinnaker_tools` `spinnaker.h`, `sdp_hdr`.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 1 | flags |
/// | 1 | 1 | tag |
/// | 2 | 1 | destination port:3, cpu:5 |
/// | 3 | 1 | source port:3, cpu:5 |
/// | 4 | 2 | destination chip: y, x |
/// | 6 | 2 | source chip: y, x |
///
/// On UDP port 17893 two bytes of padding (``udpPadding``) come before it, in both directions.
public struct SDPHeader: Hashable, Sendable {
    public static let size = 8
    /// Bytes before the SDP header in a UDP datagram on port 17893.
    public static let udpPadding = 2
    /// 0xFF: "take a transient tag of the board for my reply".
    public static let transientTag: UInt8 = 0xFF

    public var flags: SDPFlags
    public var tag: UInt8
    public var destination: SDPAddress
    public var source: SDPAddress
    public var destinationChip: ChipID
    public var sourceChip: ChipID

    @inlinable
    public init(
        flags: SDPFlags = .replyExpected,
        tag: UInt8 = SDPHeader.transientTag,
        destination: SDPAddress,
        source: SDPAddress = .ethernet,
        destinationChip: ChipID,
        sourceChip: ChipID = .origin
    ) {
        self.flags = flags
        self.tag = tag
        self.destination = destination
        self.source = source
        self.destinationChip = destinationChip
        self.sourceChip = sourceChip
    }

    @inlinable
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let word: UInt64 = try buffer.take(of: "SDP header")
        self.flags = SDPFlags(rawValue: UInt8(truncatingIfNeeded: word))
        self.tag = UInt8(truncatingIfNeeded: word >> 8)
        self.destination = SDPAddress(byte: UInt8(truncatingIfNeeded: word >> 16))
        self.source = SDPAddress(byte: UInt8(truncatingIfNeeded: word >> 24))
        self.destinationChip = ChipID(p2pAddress: UInt16(truncatingIfNeeded: word >> 32))
        self.sourceChip = ChipID(p2pAddress: UInt16(truncatingIfNeeded: word >> 48))
    }

    @inlinable
    public func write(into buffer: inout ByteBuffer) {
        // One 64-bit store instead of eight bytes: this is on the path of every packet.
        buffer.put(
            UInt64(self.flags.rawValue)
                | UInt64(self.tag) << 8
                | UInt64(self.destination.byte) << 16
                | UInt64(self.source.byte) << 24
                | UInt64(self.destinationChip.p2pAddress) << 32
                | UInt64(self.sourceChip.p2pAddress) << 48)
    }

    /// The header of a reply: bit 7 cleared, tag kept, source and destination swapped.
    @inlinable
    public var reply: SDPHeader {
        SDPHeader(
            flags: self.flags.subtracting(.replyWanted), tag: self.tag, destination: self.source, source: self.destination,
            destinationChip: self.sourceChip, sourceChip: self.destinationChip)
    }
}

/// An SDP message: header and up to 272 bytes of data.
public struct SDPMessage: Hashable, Sendable {
    public var header: SDPHeader
    public var data: ByteBuffer

    @inlinable
    public init(header: SDPHeader, data: ByteBuffer = ByteBuffer()) {
        self.header = header
        self.data = data
    }

    /// From a UDP payload of port 17893: two pad bytes, header, data to the end.
    @inlinable
    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        try buffer.skip(SDPHeader.udpPadding, of: "SDP datagram")
        self.header = try SDPHeader(from: &buffer)
        self.data = buffer
    }

    /// As a UDP payload of port 17893.
    @inlinable
    public func writeDatagram(into buffer: inout ByteBuffer) {
        buffer.put(UInt16(0))
        self.header.write(into: &buffer)
        buffer.writeImmutableBuffer(self.data)
    }
}
