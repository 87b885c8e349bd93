//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

/// Specification §1.2: the boot ROM's flood-fill engine, datagram by datagram.
@Suite("Boot ROM, datagram by datagram", .timeLimit(.minutes(3)))
struct BootROMTests {
    private func datagram(
        _ opcode: UInt32, _ operand1: UInt32 = 0, _ operand3: UInt32 = 0, data: [UInt8] = [], version: UInt16 = 1
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(version)
        for word in [opcode, operand1, 0, operand3] { bytes.writeInteger(word) }
        bytes.writeBytes(data)
        return bytes
    }
    private func start(blocks: UInt32) -> ByteBuffer { self.datagram(1, 0, blocks - 1) }
    /// `words` words, each `value`, as they are in memory.
    private func block(_ number: UInt32, words: UInt32 = 1, value: UInt8) -> ByteBuffer {
        self.datagram(3, (words - 1) << 8 | number, data: Array(repeating: value, count: Int(words) * 4))
    }
    private var execute: ByteBuffer { self.datagram(5, 1) }

    private func image(_ datagrams: [ByteBuffer]) -> [UInt8]? {
        var rom = BootROM()
        var image: ROMImage?
        for datagram in datagrams { image = rom.receive(datagram).image ?? image }
        return image.map { Array($0.bytes.readableBytesView) }
    }

    @Test func onlyTheLowHalvesOfOpcodesCount() {
        #expect(
            self.image([
                self.datagram(0xABCD_0001, 0, 0), self.datagram(0x0001_0003, 0, data: [4, 3, 2, 1]), self.datagram(0x5_0005, 1),
            ]) == [1, 2, 3, 4])
        var rom = BootROM()
        for opcode in [0, 2, 4, 6, 0x41] as [UInt32] { #expect(!rom.receive(self.datagram(opcode)).isValid) }
        #expect(!rom.receive(self.datagram(1, version: 2)).isValid)
        #expect(rom.receive(self.datagram(1)).isValid)
    }

    @Test func aStartForOtherCoresThanTheMonitorOpensNothing() {
        let rest = [self.block(0, value: 1), self.execute]
        #expect(self.image([self.datagram(1, 1, 0)] + rest) == nil)
        #expect(self.image([self.datagram(1, 0x100, 0)] + rest) == [1, 1, 1, 1], "the low byte names the target")
    }

    @Test func blocksWithoutAStartAndBeyondTheCountAreLost() {
        #expect(self.image([self.block(0, value: 1), self.start(blocks: 1), self.execute]) == nil)
        #expect(self.image([self.start(blocks: 2), self.block(0, value: 1), self.block(2, value: 2), self.execute]) == nil)
        #expect(
            self.image([self.start(blocks: 1), self.block(1, value: 2), self.block(0, value: 1), self.execute]) == [1, 1, 1, 1])
    }

    @Test func theFirstArrivalOfABlockWins() {
        #expect(
            self.image([self.start(blocks: 1), self.block(0, value: 1), self.block(0, value: 2), self.execute]) == [1, 1, 1, 1])
    }

    @Test func executionIsBitZero() {
        for operand in [0, 2, 0xFFFE] as [UInt32] {
            #expect(self.image([self.start(blocks: 1), self.block(0, value: 1), self.datagram(5, operand)]) == nil)
        }
        #expect(self.image([self.start(blocks: 1), self.block(0, value: 1), self.datagram(5, 3)]) != nil)
        var rom = BootROM()
        for datagram in [self.start(blocks: 1), self.block(0, value: 1)] { _ = rom.receive(datagram) }
        #expect(rom.receive(self.execute).image != nil)
        #expect(rom.receive(self.execute).image == nil, "an image is executed once")
    }

    /// 256 blocks are the most: the map has a bit for each.
    @Test func allBlocksOfTheMapAreToldApart() throws {
        let blocks = (UInt32(0)..<256).map { self.block($0, words: 2, value: UInt8($0)) }
        let image = try #require(self.image([self.start(blocks: 256)] + blocks.reversed() + [self.execute]))
        #expect(image == (0..<256).flatMap { Array(repeating: UInt8($0), count: 8) })
        for missing in [0, 63, 64, 127, 128, 191, 192, 255] {
            var some = blocks
            some.remove(at: missing)
            #expect(self.image([self.start(blocks: 256)] + some + [self.execute]) == nil, "\(missing)")
        }
    }

    @Test func aShortBlockAndAnImageLargerThanTheMemory() throws {
        // Two words announced, one and a half sent.
        let short = self.datagram(3, 1 << 8, data: [4, 3, 2, 1, 9, 9])
        #expect(self.image([self.start(blocks: 1), short, self.execute]) == [1, 2, 3, 4, 0, 0, 0, 0])
        let large = [self.start(blocks: 40)] + (UInt32(0)..<40).map { self.block($0, words: 256, value: 7) }
        #expect(try #require(self.image(large + [self.execute])).count == 32 * 1024)
    }

    // MARK: What SC&MP makes of the patch

    private func parameters(_ fields: [Int: [UInt8]], shape: BoardShape = .spinn5) -> BootParameters {
        var bytes = [UInt8](repeating: 0, count: 512)
        // A patch of nothing but zeroes would be none.
        bytes[384 + 0x0A] = 5
        for (offset, field) in fields { bytes.replaceSubrange((384 + offset)..<(384 + offset + field.count), with: field) }
        return BootParameters(image: ROMImage(bytes: ByteBuffer(bytes: bytes)), shape: shape)
    }
    private func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    private static let usual: UInt32 = 0x6780_0000
    /// sdram_bufs at 0x54 are the system's bytes at the top of SDRAM. Too few, too many, or no whole pages: the usual figure.
    private static let systemBytes: [(bytes: UInt32, base: UInt32)] = [
        (0x0020_0000, 0x67E0_0000), (0x0400_0000, 0x6400_0000), (0x0080_0000, 0x6780_0000), (0x001F_F000, Self.usual),
        (0x0400_1000, Self.usual), (0x0070_0004, Self.usual), (.max, Self.usual),
    ]

    @Test(arguments: Self.systemBytes) func systemMemoryAsAskedFor(bytes: UInt32, base: UInt32) {
        let parameters = self.parameters([0x54: self.word(bytes)])
        #expect(parameters.sdramSystem == base && parameters.systemHeap == base + 0x4_0000)
    }

    /// §1.6: 155 - ((500·n + 900·⌊n/8⌋) >> 10) µs.
    @Test(arguments: [(0, UInt32(155)), (1, 155), (3, 154), (7, 152), (8, 151), (16, 146), (1000, 0)])
    func chipsWaitByTheirDistance(hops: Int, microseconds: UInt32) {
        #expect(SystemRAMPages.syncAlignment(hops: hops) == microseconds)
    }

    @Test func heapsAsAskedFor() {
        #expect(self.parameters([0x48: self.word(2048)]).systemRAMHeap == 0xE500_2100)
        #expect(self.parameters([0x48: self.word(5120)]).systemRAMHeap == 0xE500_5100)
        #expect(self.parameters([0x48: self.word(5121)]).systemRAMHeap == 0xE500_1100)
        // 18 cores' system buffers, and a gap below the heap.
        #expect(self.parameters([0x58: self.word(0x1000)]).sdramBase == 0x6000_0000 + 18 * 0x4000)
        #expect(self.parameters([0x58: self.word(0x1000), 0x4C: self.word(0x100)]).sdramHeap == 0x6000_0400 + 18 * 0x4000)
        #expect(self.parameters([0x58: self.word(262_145)]).sdramBase == 0x6024_0000)
        // Seven buffers where more would not fit.
        for (asked, made) in [(40, 40), (83, 83), (84, 7), (255, 7)] as [(UInt8, UInt32)] {
            #expect(self.parameters([0x41: [asked], 0x48: self.word(1024)]).bufferCount == made)
        }
    }

    /// Seconds from CONTROL until ready, by what the host patched: netinit_bc_wait at 0x2C, p2pb_repeats at 0x0C.
    private static let boots: [(wait: UInt8, repeats: UInt8, size: Int, seconds: Double)] = [
        (50, 4, 2, 3.83), (100, 4, 2, 4.83), (50, 9, 2, 4.13), (50, 4, 36, 5.33),
    ]

    @Test(arguments: Self.boots) func phasesLastAsTheHostWants(wait: UInt8, repeats: UInt8, size: Int, seconds: Double) {
        let control = NIODeadline.uptimeNanoseconds(1)
        let schedule = BootSchedule(
            control: control, hops: 2, width: size, height: size,
            parameters: self.parameters([0x2C: [wait], 0x0C: [repeats]]), scale: 1)
        let took = Double((schedule.ready - control).nanoseconds) / 1e9
        #expect(abs(took - seconds) < 1e-6)
        #expect((schedule.start(hops: 2) - schedule.start).nanoseconds == 310_000_000)
    }
}
