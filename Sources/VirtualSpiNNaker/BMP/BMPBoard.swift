//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// What one board's management processor holds.
///
/// | Address | Bytes | Memory |
/// |---|---|---|
/// | 0x00000000 | 512 Ki | flash; the configuration sector is 0x1000...0x1FFF |
/// | 0x10000000 | 32 Ki | RAM; the first 4 KiB are the buffer for what goes into the flash |
/// | 0x2007C000 | 32 Ki | RAM |
package final class BMPBoard {
    static let flashSize = 512 << 10
    static let ramSize = 32 << 10
    static let bufferAddress: UInt32 = 0x1000_0000
    static let bufferSize = 4096
    static let upperRAM: UInt32 = 0x2007_C000
    static let configuration = 0x1000..<0x2000

    package let slot: Int
    /// Bit n: LED n is lit.
    package var leds: UInt8 = 0
    /// What every command to this board ends in: an injected fault.
    package var injectedResult: SCPResult?
    /// By CMD_PWM: fan settings, as written.
    var pwm: UInt32 = 0

    private let frame: Int
    private let fabric: MachineFabric
    private(set) lazy var flash = self.makeFlash()
    let ram = SparseMemory(size: BMPBoard.ramSize)
    private let upperRAM = SparseMemory(size: BMPBoard.ramSize)

    init(slot: Int, frame: Int, fabric: MachineFabric) {
        self.slot = slot
        self.frame = frame
        self.fabric = fabric
    }

    /// The CAN slot of a board number on a backplane of hardware version 0: six boards, then two slots free.
    static func canID(ofSlot slot: Int) -> UInt8 { UInt8(truncatingIfNeeded: slot / 6 * 8 + slot % 6) }

    // MARK: Addresses

    private static let gateway = IPv4Address(192, 168, 240, 254)
    private static let netmask = IPv4Address(255, 255, 0, 0)

    /// The board's number in the whole machine.
    private var number: Int { self.frame * BMPFrame.slots + self.slot }

    /// The BMP's own place on the network.
    var bmpBlock: SerialROMBlock {
        let address = self.fabric.topology.address(ofFrame: self.frame, base: self.fabric.description.base)
        return SerialROMBlock(
            mac: 0x0000_6C00_0000 | UInt64(self.number) << 8 | 0x01,
            address: IPv4Address(value: address.value &+ UInt32(8 * self.slot)),
            gateway: BMPBoard.gateway, netmask: BMPBoard.netmask)
    }

    var spinnakerBlock: SerialROMBlock { self.fabric.serialROMBlock(ofBoard: self.number) }

    // MARK: Flash

    /// The configuration sector as a factory leaves it: a directory of 128-byte entries whose first two hold the addresses, a
    /// copy of the blacklist at 0xE00, and a sum over everything before it in the last word.
    private func makeFlash() -> FlashMemory {
        var sector = [UInt8](repeating: 0xFF, count: BMPBoard.configuration.count)
        func put(_ offset: Int, _ write: (inout ByteBuffer) -> Void) {
            var bytes = ByteBuffer()
            write(&bytes)
            for (index, byte) in bytes.readableBytesView.enumerated() { sector[offset + index] = byte }
        }
        put(0x20) { self.bmpBlock.write(into: &$0) }
        put(0xA0) { self.spinnakerBlock.write(into: &$0) }
        let list = self.fabric.boards.indices.contains(self.number) ? self.fabric.factoryBlacklist(ofBoard: self.number) : nil
        put(0xE00) { (list ?? Blacklist(entries: [])).write(into: &$0) }
        let sum = CRC32.of(sector[..<0xFFC])
        put(0xFFC) { $0.put(~sum) }
        var flash = FlashMemory(size: BMPBoard.flashSize)
        flash.write(BMPBoard.configuration.lowerBound, sector)
        return flash
    }

    /// Erases whole sectors: 4 KiB ones below 64 KiB, 32 KiB ones above. The first holds the boot loader, and stays.
    /// - Returns: false when the range is none of sectors that may be erased.
    func eraseFlash(_ start: UInt32, _ end: UInt32) -> Bool {
        guard start >= 0x1000, start < end, end <= UInt32(BMPBoard.flashSize), BMPBoard.isSectorEdge(start),
            BMPBoard.isSectorEdge(end)
        else { return false }
        self.flash.erase(Int(start)..<Int(end))
        return true
    }

    private static func isSectorEdge(_ address: UInt32) -> Bool {
        address <= 0x10000 ? address % 0x1000 == 0 : address % 0x8000 == 0
    }

    /// Programs what is in the buffer.
    func programFlash(_ address: UInt32, size: UInt32, isErasedFirst: Bool) -> Bool {
        guard [256, 512, 1024, 4096].contains(size), address >= 0x1000, address % 256 == 0,
            Int(address) + Int(size) <= BMPBoard.flashSize
        else { return false }
        if isErasedFirst {
            let sector = address < 0x10000 ? 0x1000 : 0x8000
            let start = Int(address) / sector * sector
            self.flash.erase(start..<(start + sector))
        }
        var bytes = ByteBuffer()
        self.ram.read(0, count: Int(size), into: &bytes)
        self.flash.write(Int(address), bytes.readableBytesView)
        return true
    }

    // MARK: Memory

    func read(_ address: UInt32, count: Int, into buffer: inout ByteBuffer) {
        let end = UInt64(address) + UInt64(count)
        if end <= UInt64(BMPBoard.flashSize) {
            buffer.writeBytes(self.flash.read(Int(address), count: count))
        } else if let (ram, offset) = self.ram(at: address, end: end) {
            ram.read(offset, count: count, into: &buffer)
        } else {
            buffer.writeRepeatingByte(0, count: count)
        }
    }

    /// Flash can not be written so, and nothing else is there.
    func write(_ address: UInt32, _ bytes: UnsafeRawBufferPointer) {
        guard let (ram, offset) = self.ram(at: address, end: UInt64(address) + UInt64(bytes.count)) else { return }
        ram.write(offset, bytes)
    }

    func fill(_ address: UInt32, word: UInt32, count: Int) {
        guard let (ram, offset) = self.ram(at: address, end: UInt64(address) + UInt64(count)) else { return }
        ram.fill(offset, word: word, count: count)
    }

    private func ram(at address: UInt32, end: UInt64) -> (SparseMemory, Int)? {
        for (base, memory) in [(BMPBoard.bufferAddress, self.ram), (BMPBoard.upperRAM, self.upperRAM)]
        where address >= base && end <= UInt64(base) + UInt64(BMPBoard.ramSize) {
            return (memory, Int(address - base))
        }
        return nil
    }

    // MARK: Sensors

    /// As on a board at 28 °C whose supplies are right; without power only the 12 V input is.
    func status(isOn: Bool) -> BoardStatus {
        let missing: UInt16 = 0xFFFF
        return BoardStatus(
            converters: isOn
                ? [missing, 1966, 1966, 1966, 2949, missing, 3604, 3277] : [missing, 0, 0, 0, 0, missing, 3604, 3277],
            internalTemperatures: [0x1C00, 0x1C00, Int16.min, Int16.min],
            externalTemperatures: Array(repeating: Int16.min, count: 4), fans: Array(repeating: -1, count: 4))
    }
}
