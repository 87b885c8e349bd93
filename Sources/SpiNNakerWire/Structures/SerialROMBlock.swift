//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// How a board's Ethernet chip is to appear on the network: 32 bytes that the BMP hands to the chip at reset. BMPs tell
/// their own and their board's in this form too.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u16 | flags: 0x8000 valid; 7...4 hardware version; 8 initialise PHY; 4 reset PHY; 2 wait for link; 1 has Ethernet |
/// | 2 | 6 bytes | MAC |
/// | 8 | 4 bytes | IPv4 |
/// | 12 | 4 bytes | gateway |
/// | 16 | 4 bytes | netmask |
/// | 20 | u16 | UDP port, 17893 |
/// | 22 | 10 bytes | padding |
public struct SerialROMBlock: Hashable, Sendable {
    public static let size = 32
    public static let isValid: UInt16 = 0x8000
    public static let hasEthernet: UInt16 = 1

    public var flags: UInt16
    /// The 48-bit MAC, first octet most significant.
    public var mac: UInt64
    public var address: IPv4Address
    public var gateway: IPv4Address
    public var netmask: IPv4Address
    public var port: UInt16

    public init(
        flags: UInt16 = isValid | hasEthernet | 5 << 4, mac: UInt64, address: IPv4Address, gateway: IPv4Address,
        netmask: IPv4Address, port: UInt16 = UInt16(SCP.port)
    ) {
        self.flags = flags
        self.mac = mac
        self.address = address
        self.gateway = gateway
        self.netmask = netmask
        self.port = port
    }

    public var hardwareVersion: UInt8 { UInt8(self.flags >> 4 & 0xF) }

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(SerialROMBlock.size, of: "serial ROM block")
        self.flags = try buffer.take(of: "serial ROM block")
        self.mac = try buffer.takeMAC(of: "serial ROM block")
        self.address = IPv4Address(wireWord: try buffer.take(of: "serial ROM block"))
        self.gateway = IPv4Address(wireWord: try buffer.take(of: "serial ROM block"))
        self.netmask = IPv4Address(wireWord: try buffer.take(of: "serial ROM block"))
        self.port = try buffer.take(of: "serial ROM block")
        try buffer.skip(10, of: "serial ROM block")
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.flags)
        buffer.putMAC(self.mac)
        buffer.put(self.address.wireWord)
        buffer.put(self.gateway.wireWord)
        buffer.put(self.netmask.wireWord)
        buffer.put(self.port)
        buffer.writeRepeatingByte(0, count: 10)
    }
}
