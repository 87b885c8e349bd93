//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What the host has patched into the boot image: the first 128 bytes of `sv` as SC&MP finds them when it starts.
package struct BootParameters: Hashable, Sendable {
    /// As patched; the fields that SC&MP replaces by its own are in here too.
    package let bytes: ByteBuffer

    package init(image: ROMImage, shape: BoardShape) {
        // An image of our own (a demo's, a test's) may have no patch area, or an empty one.
        if let patch = image.parameters, patch.readableBytesView.contains(where: { $0 != 0 }) {
            self.bytes = patch
        } else {
            self.bytes = BootParameters.standard(shape: shape)
        }
    }

    /// What SpiNNMan patches.
    static func standard(shape: BoardShape) -> ByteBuffer {
        var bytes = ByteBuffer(repeating: 0, count: ROMImage.parametersSize)
        func set<T: FixedWidthInteger>(_ offset: Int, _ value: T) { bytes.setInteger(value, at: offset, endianness: .little) }
        set(SVOffset.hardwareVersion, UInt8(shape == .spinn3 ? 3 : 5))
        set(SVOffset.p2pRepeats, UInt8(4))
        set(SVOffset.p2pSequence, UInt8(4))
        set(SVOffset.clockDivisors, UInt8(0x33))
        set(SVOffset.cpuClock, UInt16(200))
        set(SVOffset.memoryClock, UInt16(130))
        set(SVOffset.forward, UInt8(0x3F))
        set(SVOffset.peekTime, UInt8(200))
        set(SVOffset.ledPeriod, UInt8(1))
        set(SVOffset.netInitWait, UInt8(50))
        set(SVOffset.led0, UInt32(shape == .spinn3 ? 0x502 : 1))
        set(SVOffset.isRoot, UInt8(1))
        set(SVOffset.bufferCount, UInt8(7))
        set(SVOffset.bootDelay, UInt8(20))
        set(SVOffset.systemRAMHeap, UInt32(1024))
        set(SVOffset.iobufSize, UInt32(16384))
        set(SVOffset.sdramBuffers, UInt32(8_388_608))
        set(SVOffset.systemBufferSize, UInt32(32768))
        set(SVOffset.linkEnable, UInt8(0x3F))
        return bytes
    }

    private func value<T: FixedWidthInteger>(_ offset: Int, _: T.Type = T.self) -> T {
        self.bytes.getInteger(at: self.bytes.readerIndex + offset, endianness: .little) ?? 0
    }

    package var unixTime: UInt32 { self.value(SVOffset.unixTime) }
    package var p2pRepeats: UInt8 { self.value(SVOffset.p2pRepeats) }
    package var netInitWait: UInt8 { self.value(SVOffset.netInitWait) }
    package var softWatchdog: UInt8 { self.value(SVOffset.softWatchdog) }
    package var led0: UInt32 { self.value(SVOffset.led0) }
    package var iobufSize: UInt32 { self.value(SVOffset.iobufSize) }

    /// Message buffers in shared memory.
    package var bufferCount: UInt32 {
        let count = UInt32(self.value(SVOffset.bufferCount, UInt8.self))
        return count * 292 + 40 <= SVOffset.vcpuAddress - self.systemRAMHeap ? count : 7
    }

    // The layout of memory. A patch that would leave no room for SC&MP's own tables is replaced by the usual figures: on
    // silicon such an image does not come up at all.

    /// Bytes at the top of SDRAM that are SC&MP's.
    private var systemBytes: UInt32 {
        let bytes: UInt32 = self.value(SVOffset.sdramBuffers)
        return bytes >= 2 << 20 && bytes <= 64 << 20 && bytes % 4096 == 0 ? bytes : 8_388_608
    }
    private var buffersBytes: UInt32 {
        let words: UInt32 = self.value(SVOffset.systemBufferSize)
        return words <= 262_144 ? words * 4 * 18 : 32768 * 4 * 18
    }
    /// First byte that belongs to applications; below are the cores' system buffers.
    package var sdramBase: UInt32 { 0x6000_0000 + self.buffersBytes }
    /// Root of the heap of applications.
    package var sdramHeap: UInt32 {
        let words: UInt32 = self.value(SVOffset.sdramHeap)
        let base = self.sdramBase
        return words <= 8 << 20 && base + words * 4 + 4096 < self.sdramSystem ? base + words * 4 : base
    }
    /// Where images are staged.
    package var sdramSystem: UInt32 { 0x6800_0000 - self.systemBytes }
    /// Root of SC&MP's own heap.
    package var systemHeap: UInt32 { self.sdramSystem + 262_144 }
    package var systemRAMHeap: UInt32 {
        let words: UInt32 = self.value(SVOffset.systemRAMHeap)
        return words <= 5120 ? 0xE500_0100 + words * 4 : 0xE500_1100
    }
}
