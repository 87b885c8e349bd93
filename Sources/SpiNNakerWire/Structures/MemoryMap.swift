//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Addresses of a SpiNNaker-1 chip, as its monitor sees them. Sources: `spinnaker.h`, SC&MP 4.0.0.
///
/// Memories and devices exist twice: writes to a *buffered* alias may still be on their way when they seem done.
public enum MemoryMap {
    /// Instruction memory of the core that is asked, 32 KiB.
    public static let itcm: UInt32 = 0x0000_0000
    public static let itcmSize = 0x8000
    /// Data memory of the core that is asked, 64 KiB.
    public static let dtcm: UInt32 = 0x0040_0000
    public static let dtcmSize = 0x1_0000

    /// SDRAM, 128 MiB, buffered.
    public static let sdram: UInt32 = 0x6000_0000
    public static let sdramUnbuffered: UInt32 = 0x7000_0000
    public static let sdramSize = 0x800_0000
    /// System buffers: 18 × 128 KiB, first of the SDRAM.
    public static let systemBuffers: UInt32 = 0x6000_0000
    public static let systemBufferSize = 0x2_0000
    /// Where the heap of user SDRAM begins when booted as SpiNNMan does: behind the system buffers.
    public static let userSDRAM: UInt32 = 0x6024_0000
    /// Where the system's 8 MiB of SDRAM begin: APLX images and router tables are put here to be loaded.
    public static let systemSDRAM: UInt32 = 0x6780_0000
    public static let systemSDRAMSize = 0x80_0000
    /// The heap of system SDRAM: behind 256 KiB for the image.
    public static let systemHeap: UInt32 = 0x6784_0000
    /// What an application may have of a freshly booted chip, in bytes.
    public static let freeSDRAM = 123_469_792

    /// System RAM, 32 KiB, buffered.
    public static let systemRAM: UInt32 = 0xE500_0000
    public static let systemRAMUnbuffered: UInt32 = 0xF500_0000
    public static let systemRAMSize = 0x8000
    public static let userSystemRAM: UInt32 = 0xE500_0100
    public static let systemRAMHeap: UInt32 = 0xE500_1100
    /// ``VCPU`` blocks, one per virtual core. Hosts use this buffered alias.
    public static let vcpu: UInt32 = 0xE500_7000
    /// A copy of the ``Blacklist``, where the board has one.
    public static let boardInfo: UInt32 = 0xE500_7900
    /// ``SystemVariables``, 256 bytes, unbuffered.
    public static let systemVariables: UInt32 = 0xF500_7F00
    /// The ``SerialROMBlock`` as the boot ROM left it; ``SystemVariables`` overwrite it later.
    public static let serialROMCopy: UInt32 = 0xF500_7FE0

    /// The router, buffered: see ``RouterRegister``.
    public static let router: UInt32 = 0xE100_0000
    public static let routerUnbuffered: UInt32 = 0xF100_0000
    public static let routerSize = 0x2_0000
    /// Multicast route, key and mask memories: 1024 words each. Key and mask can not be read.
    public static let routerRoutes: UInt32 = 0xE100_4000
    public static let routerKeys: UInt32 = 0xE100_8000
    public static let routerMasks: UInt32 = 0xE100_C000
    /// ``P2PTable``
    public static let p2pTable: UInt32 = 0xE101_0000

    /// The system controller.
    public static let systemController: UInt32 = 0xE200_0000
    public static let systemControllerUnbuffered: UInt32 = 0xF200_0000
    public static let systemControllerSize = 0x100
    /// The word at the start of the system controller: which chip this is.
    public static let chipIdentity: UInt32 = 0x5911_1012

    public static let bootROM: UInt32 = 0xF600_0000
    public static let bootROMSize = 0x8000

    /// Virtual cores of a chip.
    public static let cores = 18
}
