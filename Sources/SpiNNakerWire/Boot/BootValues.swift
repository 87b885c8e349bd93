//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The first 128 bytes of SC&MP's system variables (`sv`), which a host writes into the boot image: how the machine is to
/// come up. Little-endian. Source: `spinnaker_tools` `sark.struct`; SpiNNMan `SystemVariableDefinition`, vectors
/// `struct.sv-boot-defaults` and `boot.synth.*`.
///
/// | Offset | Type | Field | SpiNNMan's value |
/// |---|---|---|---|
/// | 0x0A | u8 | hardware version | 3 or 5 |
/// | 0x0C | u8 | repeats of P2P broadcasts | 4 |
/// | 0x0D | u8 | log2 of the P2P window | 4 |
/// | 0x0E | u8 | clock divisors | 0x33 |
/// | 0x1C | u32 | Unix time | now |
/// | 0x24 | u16 | CPU clock, MHz | 200 |
/// | 0x26 | u16 | SDRAM clock, MHz | 130 |
/// | 0x28 | u8 | nearest-neighbour forward links | 0x3F |
/// | 0x29 | u8 | nearest-neighbour retries | 0 |
/// | 0x2A | u8 | link read timeout, µs | 200 |
/// | 0x2B | u8 | LED half-period, 10 ms (1: show the load) | 1 |
/// | 0x2C | u8 | wait of the net's initialisation, 10 ms | 50 |
/// | 0x30 | u32 | LED definitions | 0x502 (SpiNN-3), 1 (SpiNN-5) |
/// | 0x34 | u32 | more LED definitions | 0 |
/// | 0x3C | u32 | random seed | 0 |
/// | 0x40 | u8 | this is the root chip | 1 |
/// | 0x41 | u8 | shared message buffers | 7 |
/// | 0x42 | u8 | pause between boot packets of the net, µs | 20 |
/// | 0x43 | u8 | software watchdog count (0: off) | 0 |
/// | 0x48 | u32 | System RAM reserved, words | 1024 |
/// | 0x4C | u32 | SDRAM reserved below the heap, words | 0 |
/// | 0x50 | u32 | IOBUF size, bytes | 16384 |
/// | 0x54 | u32 | system SDRAM, bytes | 8388608 |
/// | 0x58 | u32 | system buffer of a core, words | 32768 |
/// | 0x5C | u32 | boot signature | the Unix time |
/// | 0x65 | u8 | enabled links | 0x3F |
/// | 0x67 | u8 | board test flags | 0 |
///
/// All other bytes are zero: SC&MP fills them.
public struct BootValues: Hashable, Sendable {
    public static let size = 128

    public var hardwareVersion: UInt8 = 0
    public var broadcastRepeats: UInt8 = 4
    public var log2WindowOfP2P: UInt8 = 4
    public var clockDivisors: UInt8 = 0x33
    public var unixTime: UInt32 = 0
    public var cpuClock: UInt16 = 200
    public var memoryClock: UInt16 = 130
    public var forwardLinks: UInt8 = 0x3F
    public var retries: UInt8 = 0
    public var linkReadTimeout: UInt8 = 200
    public var ledPeriod: UInt8 = 1
    public var netInitialisationWait: UInt8 = 50
    public var led0: UInt32 = 1
    public var led1: UInt32 = 0
    public var randomSeed: UInt32 = 0
    public var rootChip: UInt8 = 0
    public var sharedBuffers: UInt8 = 7
    public var bootDelay: UInt8 = 20
    public var watchdogCount: UInt8 = 0
    public var reservedSystemRAM: UInt32 = 1024
    public var reservedSDRAM: UInt32 = 0
    public var iobufSize: UInt32 = 16384
    public var systemSDRAM: UInt32 = 8_388_608
    public var systemBufferSize: UInt32 = 32768
    public var bootSignature: UInt32 = 0
    public var enabledLinks: UInt8 = 0x3F
    public var boardTestFlags: UInt8 = 0

    /// SpiNNMan's defaults for no board in particular: no version, no time, and not marked as the root.
    public init() {}

    /// What SpiNNMan writes to boot a machine from this board.
    ///
    /// - Parameters:
    ///   - unixTime: now, in seconds: SC&MP's clock, and its mark of this boot.
    ///   - led0: where the LEDs are; nil for the board's own.
    public init(board: BoardShape, unixTime: UInt32, led0: UInt32? = nil) {
        self.hardwareVersion = board.version
        self.unixTime = unixTime
        self.bootSignature = unixTime
        self.rootChip = 1
        switch board {
        case .spinn3: self.led0 = led0 ?? 0x0000_0502
        case .spinn5: self.led0 = led0 ?? 0x0000_0001
        }
    }

    /// From the patch of an image, or from `sv` in memory. Bytes that no field names are not looked at.
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let what = "boot values"
        try buffer.require(BootValues.size, of: what)
        try buffer.skip(0x0A, of: what)
        self.hardwareVersion = try buffer.take(of: what)
        try buffer.skip(1, of: what)
        self.broadcastRepeats = try buffer.take(of: what)
        self.log2WindowOfP2P = try buffer.take(of: what)
        self.clockDivisors = try buffer.take(of: what)
        try buffer.skip(0x1C - 0x0F, of: what)
        self.unixTime = try buffer.take(of: what)
        try buffer.skip(4, of: what)
        self.cpuClock = try buffer.take(of: what)
        self.memoryClock = try buffer.take(of: what)
        self.forwardLinks = try buffer.take(of: what)
        self.retries = try buffer.take(of: what)
        self.linkReadTimeout = try buffer.take(of: what)
        self.ledPeriod = try buffer.take(of: what)
        self.netInitialisationWait = try buffer.take(of: what)
        try buffer.skip(0x30 - 0x2D, of: what)
        self.led0 = try buffer.take(of: what)
        self.led1 = try buffer.take(of: what)
        try buffer.skip(4, of: what)
        self.randomSeed = try buffer.take(of: what)
        self.rootChip = try buffer.take(of: what)
        self.sharedBuffers = try buffer.take(of: what)
        self.bootDelay = try buffer.take(of: what)
        self.watchdogCount = try buffer.take(of: what)
        try buffer.skip(4, of: what)
        self.reservedSystemRAM = try buffer.take(of: what)
        self.reservedSDRAM = try buffer.take(of: what)
        self.iobufSize = try buffer.take(of: what)
        self.systemSDRAM = try buffer.take(of: what)
        self.systemBufferSize = try buffer.take(of: what)
        self.bootSignature = try buffer.take(of: what)
        try buffer.skip(0x65 - 0x60, of: what)
        self.enabledLinks = try buffer.take(of: what)
        try buffer.skip(1, of: what)
        self.boardTestFlags = try buffer.take(of: what)
        try buffer.skip(BootValues.size - 0x68, of: what)
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.writeRepeatingByte(0, count: 0x0A)
        buffer.put(self.hardwareVersion)
        buffer.put(UInt8(0))
        buffer.put(self.broadcastRepeats)
        buffer.put(self.log2WindowOfP2P)
        buffer.put(self.clockDivisors)
        buffer.writeRepeatingByte(0, count: 0x1C - 0x0F)
        buffer.put(self.unixTime)
        buffer.put(UInt32(0))
        buffer.put(self.cpuClock)
        buffer.put(self.memoryClock)
        buffer.put(self.forwardLinks)
        buffer.put(self.retries)
        buffer.put(self.linkReadTimeout)
        buffer.put(self.ledPeriod)
        buffer.put(self.netInitialisationWait)
        buffer.writeRepeatingByte(0, count: 0x30 - 0x2D)
        buffer.put(self.led0)
        buffer.put(self.led1)
        buffer.put(UInt32(0))
        buffer.put(self.randomSeed)
        buffer.put(self.rootChip)
        buffer.put(self.sharedBuffers)
        buffer.put(self.bootDelay)
        buffer.put(self.watchdogCount)
        buffer.put(UInt32(0))
        buffer.put(self.reservedSystemRAM)
        buffer.put(self.reservedSDRAM)
        buffer.put(self.iobufSize)
        buffer.put(self.systemSDRAM)
        buffer.put(self.systemBufferSize)
        buffer.put(self.bootSignature)
        buffer.writeRepeatingByte(0, count: 0x65 - 0x60)
        buffer.put(self.enabledLinks)
        buffer.put(UInt8(0))
        buffer.put(self.boardTestFlags)
        buffer.writeRepeatingByte(0, count: BootValues.size - 0x68)
    }
}
