//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The number of an SCP command. Any 16-bit number is a value: an unknown one is answered (or masked) by the far side,
/// not refused by the codec. Source: `spinnaker_tools` `spinnaker.h` (`CMD_…`).
public struct SCPCommand: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt16
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let version = SCPCommand(rawValue: 0)
    public static let run = SCPCommand(rawValue: 1)
    public static let read = SCPCommand(rawValue: 2)
    public static let write = SCPCommand(rawValue: 3)
    public static let aplx = SCPCommand(rawValue: 4)
    public static let fill = SCPCommand(rawValue: 5)
    public static let count = SCPCommand(rawValue: 15)
    public static let remap = SCPCommand(rawValue: 16)
    /// On a BMP: read FPGA registers.
    public static let linkRead = SCPCommand(rawValue: 17)
    /// On a BMP: write FPGA registers.
    public static let linkWrite = SCPCommand(rawValue: 18)
    public static let applicationRun = SCPCommand(rawValue: 19)
    public static let nearestNeighbourPacket = SCPCommand(rawValue: 20)
    public static let applicationCopyRun = SCPCommand(rawValue: 21)
    public static let signal = SCPCommand(rawValue: 22)
    public static let floodFillData = SCPCommand(rawValue: 23)
    public static let applicationStart = SCPCommand(rawValue: 24)
    public static let led = SCPCommand(rawValue: 25)
    public static let ipTag = SCPCommand(rawValue: 26)
    public static let serialROM = SCPCommand(rawValue: 27)
    public static let allocate = SCPCommand(rawValue: 28)
    public static let router = SCPCommand(rawValue: 29)
    public static let droppedPacketReinjection = SCPCommand(rawValue: 30)
    public static let info = SCPCommand(rawValue: 31)
    public static let sync = SCPCommand(rawValue: 32)
    public static let bmpInfo = SCPCommand(rawValue: 48)
    public static let flashCopy = SCPCommand(rawValue: 49)
    public static let flashErase = SCPCommand(rawValue: 50)
    public static let flashWrite = SCPCommand(rawValue: 51)
    public static let bmpSerialFlash = SCPCommand(rawValue: 53)
    public static let bmpEEPROM = SCPCommand(rawValue: 54)
    public static let reset = SCPCommand(rawValue: 55)
    public static let xilinx = SCPCommand(rawValue: 56)
    public static let bmpPower = SCPCommand(rawValue: 57)
    public static let i2c = SCPCommand(rawValue: 61)
    public static let pwm = SCPCommand(rawValue: 62)
    public static let tube = SCPCommand(rawValue: 64)
}
