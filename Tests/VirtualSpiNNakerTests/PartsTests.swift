//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

@testable import VirtualSpiNNaker

@Suite("Parts of the model, one by one", .timeLimit(.minutes(3)))
struct PartsTests {
    private let now = NIODeadline.uptimeNanoseconds(5_000_000_000)
    private let host = HostAddress(ip: .loopback, port: 1234)

    // MARK: Tags

    @Test func thePoolHandsOutTheLowestFreeTag() {
        var tags = TagTable()
        #expect((0..<9).map { _ in tags.takeTransient(for: self.host, now: self.now) } == [8, 9, 10, 11, 12, 13, 14, 15, nil])
        #expect(tags.use(11, at: self.now)?.host == self.host)
        #expect(tags.use(11, at: self.now) == nil, "one reply frees it")
        #expect(tags.takeTransient(for: self.host, now: self.now) == 11)
        #expect(tags.transientsInUse == 8)
    }

    @Test func aTransientTimeoutCanBeShorterOrNone() {
        var tags = TagTable()
        tags.transientTimeout = 1
        _ = tags.takeTransient(for: self.host, now: self.now)
        #expect(tags.isInUse(8, at: self.now + .milliseconds(9)))
        #expect(!tags.isInUse(8, at: self.now + .milliseconds(10)))
        tags.transientTimeout = 0
        #expect(tags.takeTransient(for: self.host, now: self.now + .seconds(1)) == 8)
        #expect(tags.isInUse(8, at: self.now + .seconds(100_000)))
    }

    @Test func ticksAreCountedDown() {
        var tags = TagTable()
        _ = tags.takeTransient(for: self.host, now: self.now)
        #expect(tags.entry(8, at: self.now).timeout == 256)
        #expect(tags.entry(8, at: self.now + .milliseconds(1001)).timeout == 156)
        #expect(tags.entry(8, at: self.now + .seconds(3)).flags == [])
        #expect(tags.entry(8, at: self.now).flags.rawValue == 0xC009)
        #expect(tags.entry(3, at: self.now) == IPTagEntry() && tags.entry(99, at: self.now) == IPTagEntry())
    }

    @Test func onlyFixedTagsHearReverseTraffic() {
        var tags = TagTable()
        var entry = TagTable.Tag()
        entry.flags = [.valid, .reverse]
        entry.receivePort = 500
        tags.set(9, to: entry)
        #expect(tags.receive(port: 500, from: self.host, now: self.now) == nil && tags.reversePorts.isEmpty)
        tags.set(6, to: entry)
        tags.set(2, to: entry)
        #expect(tags.receive(port: 500, from: self.host, now: self.now)?.tag == 2, "the first")
        #expect(tags.entry(2, at: self.now).port == 1234 && tags.entry(6, at: self.now).port == 0)
        #expect(tags.reversePorts == [500])
    }

    // MARK: FPGAs

    @Test func stopRegistersByFPGAAndBank() {
        for side in Link.allCases {
            var fpgas = FPGARegisters()
            let place = FPGALinkBank(side: side)
            let register = FPGARegister.stop(bank: UInt32(place.bank))
            fpgas.write(fpga: place.fpga, address: register, value: 3)
            #expect(Link.allCases.filter { fpgas.isStopped($0) } == [side])
            #expect(fpgas.read(fpga: place.fpga, address: register) { _ in false } == 1)
            fpgas.write(fpga: place.fpga, address: register, value: 2)
            #expect(!fpgas.isStopped(side), "bit 0 decides")
            fpgas.write(fpga: place.fpga, address: register, value: 1)
            fpgas.reset()
            #expect(fpgas.stoppedSides == 0)
        }
    }

    @Test func registersThatCanNotBeWritten() {
        var fpgas = FPGARegisters()
        for address in [FPGARegister.flag, 0x40000, 0x20000, 0] as [UInt32] {
            fpgas.write(fpga: 1, address: address, value: 99)
        }
        #expect(fpgas.read(fpga: 1, address: FPGARegister.flag) { _ in false } == 1)
        #expect(fpgas.read(fpga: 1, address: 0x40000) { _ in false } == FPGARegisters.version)
        #expect(fpgas.read(fpga: 1, address: 0) { _ in false } == FPGARegisters.version)
        #expect(fpgas.read(fpga: 0, address: FPGARegisters.handshake) { $0 == .east } == 1)
        #expect(fpgas.read(fpga: 0, address: 0x10000 + FPGARegisters.handshake) { $0 == .east } == 0)
    }

    // MARK: Flash

    @Test func flashReadsAsOnes() {
        var flash = FlashMemory(size: 0x10000)
        #expect(flash.read(0, count: 3) == [255, 255, 255])
        flash.write(0xFFE, [1, 2, 3, 4])
        #expect(flash.read(0xFFD, count: 6) == [255, 1, 2, 3, 4, 255])
        flash.erase(0x1000..<0x2000)
        #expect(flash.read(0xFFD, count: 6) == [255, 1, 2, 255, 255, 255])
        flash.write(0xFFFF, [7, 8])
        #expect(flash.read(0xFFFF, count: 2) == [7, 255], "nothing beyond the end")
        flash.write(-1, [9])
        #expect(flash.read8(-1) == 255)
        #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(CRC32.of([]) == 0)
    }

    // MARK: Boot

    @Test func aScheduleScales() {
        let parameters = BootParameters(image: ROMImage(bytes: ByteBuffer()), shape: .spinn5)
        func schedule(_ scale: Double, hops: Int = 7, size: Int = 8) -> BootSchedule {
            BootSchedule(control: self.now, hops: hops, width: size, height: size, parameters: parameters, scale: scale)
        }
        let real = schedule(1)
        let length = (real.ready - self.now).nanoseconds
        #expect((4_300_000_000...4_800_000_000).contains(length))
        #expect(schedule(0).ready == self.now && schedule(0).start(hops: 7) == self.now)
        #expect(abs((schedule(0.1).ready - self.now).nanoseconds - length / 10) < 10)
        #expect(real.phases.map(\.phase) == [0, 1, 2, 3, 4, 0xFF])
        #expect(real.phase(at: real.ready) == 0xFF && real.phase(at: real.start) == 0)
        #expect(real.start(hops: 7) > real.start(hops: 1))
        #expect((schedule(1, hops: 200, size: 252).ready - self.now).nanoseconds <= 7_500_000_001, "hosts do not wait longer")
    }

    @Test func anImageIsPutTogether() throws {
        var rom = BootROM()
        let image = (0..<2500).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var finished: ROMImage?
        for datagram in try InMemoryMachine.bootDatagrams(image: image) {
            let (isValid, result) = rom.receive(datagram)
            #expect(isValid && finished == nil)
            finished = result
        }
        let bytes = try #require(finished).bytes
        #expect(bytes.readableBytes == 3072)
        #expect(Array(bytes.readableBytesView.prefix(2500)) == image)
        #expect(rom.receivedBlocks == 0)
        #expect(try #require(finished).parameters?.readableBytes == 128)
        #expect(ROMImage(bytes: ByteBuffer(repeating: 1, count: 511)).parameters == nil)
    }

    @Test func parametersMakeTheMemoryLayout() {
        let standard = BootParameters(image: ROMImage(bytes: ByteBuffer(repeating: 0, count: 1024)), shape: .spinn3)
        #expect(standard.sdramBase == 0x6024_0000 && standard.sdramHeap == 0x6024_0000)
        #expect(
            standard.sdramSystem == 0x6780_0000 && standard.systemHeap == 0x6784_0000 && standard.systemRAMHeap == 0xE500_1100)
        #expect(standard.led0 == 0x502 && standard.bufferCount == 7 && standard.iobufSize == 16384)
        let layout = SystemHeapLayout(heap: standard.systemHeap)
        #expect(layout.hopTable == 0x6784_0018 && layout.routerCopy == 0x6788_0020)
        #expect(
            layout.allocationTags == 0x6788_4038 && layout.applicationTable == 0x678C_4040 && layout.firstFree == 0x678C_CC50)
        var patch = ByteBuffer(repeating: 0xFF, count: 1024)
        patch.setInteger(UInt8(200), at: 384 + SVOffset.bufferCount)
        let wild = BootParameters(image: ROMImage(bytes: patch), shape: .spinn5)
        #expect(wild.sdramHeap < wild.sdramSystem && wild.sdramSystem == 0x6780_0000)
        #expect(wild.systemRAMHeap + 40 + wild.bufferCount * 292 <= SVOffset.vcpuAddress)
    }

    // MARK: LEDs

    @Test func ledActions() {
        #expect(LEDs.applied(0b11_10_01_00, to: 0b0110, count: 4) == 0b1000)
        #expect(LEDs.applied(0xFFFF_FFFF, to: 0, count: 3) == 0b111)
        #expect(LEDs.applied(0, to: 0b1010, count: 8) == 0b1010)
        #expect(LEDs.applied(0xFFFF_FFFF, to: 0, count: 15) == 0xFF)
    }

    // MARK: Built-in images

    @Test(arguments: [
        VirtualApplication.sdpEcho, .spikeSource(tag: 3, intervalMicroseconds: 10, perPacket: 4, packets: 5, firstKey: 6),
        .spikeSink,
        .barrierTest(barriers: 9), .runTimeError(code: 8), .hang, .memoryWriter(size: 7, tag: 6, word: 5), .succeed(result: 4),
    ]) func anImageIsRecognised(application: VirtualApplication) {
        let image = application.image
        #expect(image.count % 4 == 0)
        let words = stride(from: 24, to: 44, by: 4).map { at in
            at + 4 <= image.count ? image[at..<(at + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : 0
        }
        let name = String(decoding: image[8..<24].prefix { $0 != 0 }, as: UTF8.self)
        #expect(VirtualApplication(name: name, words: words) == application)
        #expect(VirtualApplication(name: "no such program", words: words) == nil)
    }
}
