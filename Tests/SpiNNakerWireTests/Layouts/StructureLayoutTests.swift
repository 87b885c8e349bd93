//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Images made by hand from the specification's tables, for structures without a golden vector: what is written must be
/// these bytes, and these bytes must read as the value. A round trip alone does not see two fields changed over.
@Suite struct StructureLayoutTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return Outcome.hex(buffer.readableBytesView)
    }
    private func buffer(_ hex: String) -> ByteBuffer { ByteBuffer(bytes: GoldenVector.bytes(ofHex: hex)) }

    @Test func serialROMBlock() throws {
        let block = SerialROMBlock(
            mac: 0x0201_0203_0405, address: IPv4Address(192, 168, 240, 1), gateway: IPv4Address(192, 168, 240, 254),
            netmask: IPv4Address(255, 255, 255, 0))
        let image = "5180 020102030405 c0a8f001 c0a8f0fe ffffff00 e545 00000000000000000000"
        #expect(written(block.write) == image.filter { $0 != " " })
        var bytes = buffer(image)
        #expect(try SerialROMBlock(from: &bytes) == block)
        #expect(block.hardwareVersion == 5 && block.port == 17893)
    }

    @Test func boardSerialAndStatusOfCAN() throws {
        let serial = BoardSerial(
            hardwareVersion: 5, serial: [1, 2, 3, 4], flashBuffer: 0x1000_0000, boardStatus: 0x2007_C000, vectors: 0x1000_1000)
        let image = "05000000 01000000 02000000 03000000 04000000 00000010 00c00720 00100010"
        #expect(written(serial.write) == image.filter { $0 != " " })
        #expect(try BoardSerial(payload: buffer(image)) == serial)

        let can = CANStatus(boards: [1, 0, 1])
        #expect(written(can.write) == "010001" + String(repeating: "00", count: 21))
        #expect(try CANStatus(payload: buffer(written(can.write))).boards.count == 24)
        #expect(throws: WireError.truncated(message: "CAN status", needed: 24, available: 3)) {
            try CANStatus(payload: ByteBuffer(bytes: [1, 2, 3]))
        }
    }

    @Test func addressesOfABoard() throws {
        let bmp = SerialROMBlock(mac: 1, address: IPv4Address(10, 0, 0, 0), gateway: .any, netmask: .any)
        let chip = SerialROMBlock(mac: 2, address: IPv4Address(10, 0, 0, 1), gateway: .any, netmask: .any)
        let addresses = BoardAddresses(bmp: bmp, spinnaker: chip)
        var bytes = ByteBuffer()
        addresses.write(into: &bytes)
        #expect(bytes.readableBytes == BoardAddresses.size)
        // The chip's address, 8 into the second block.
        #expect(bytes.getBytes(at: 32 + 8, length: 4) == [10, 0, 0, 1])
        #expect(try BoardAddresses(payload: bytes) == addresses)
    }

    @Test func tagsOfABMP() throws {
        let entry = BMPIPTagEntry(
            address: IPv4Address(10, 11, 12, 13), mac: 0x0102_0304_0506, port: 0x3039, timeout: 256,
            flags: [.valid, .transient],
            count: 42)
        let image = "0a0b0c0d 010203040506 3930 0001 00c0 2a000000 00000000"
        #expect(written(entry.write) == image.filter { $0 != " " })
        var bytes = buffer(image)
        #expect(try BMPIPTagEntry(from: &bytes) == entry)
    }

    @Test func blacklist() throws {
        let entry = Blacklist.Entry(chip: ChipID(7, 3), deadPhysicalCores: 1 << 17 | 1, deadLinks: [.east, .south])
        // Type 0, x 7, y 3, links 100001, cores 10...01.
        #expect(entry.word == 7 << 27 | 3 << 24 | 0b100001 << 18 | 0x20001)
        #expect(entry.chip == ChipID(7, 3) && entry.deadLinks == [.east, .south] && entry.deadPhysicalCores == 0x20001)
        #expect(!entry.isChipDead && Blacklist.Entry(chip: .origin, deadPhysicalCores: 0x3FFFF).isChipDead)

        var bytes = ByteBuffer()
        Blacklist(entries: [entry]).write(into: &bytes)
        #expect(bytes.readableBytes == 256)
        #expect(bytes.getInteger(at: 0, endianness: .little, as: UInt32.self) == 1)
        #expect(bytes.getInteger(at: 4, endianness: .little, as: UInt32.self) == entry.word)
        #expect(try Blacklist(from: &bytes).entries == [entry])
    }

    @Test func erasedFlashIsNoBlacklist() throws {
        var erased = ByteBuffer(repeating: 0xFF, count: 256)
        #expect(try Blacklist(from: &erased).entries.isEmpty)
        var full = ByteBuffer()
        Blacklist(entries: [Blacklist.Entry](repeating: Blacklist.Entry(word: 5), count: 70)).write(into: &full)
        #expect(full.readableBytes == 256)
        #expect(try Blacklist(from: &full).entries.count == 63)
        var lying = ByteBuffer(bytes: [9, 0, 0, 0, 1, 2])
        #expect(throws: WireError.truncated(message: "blacklist", needed: 36, available: 2)) { try Blacklist(from: &lying) }
    }

    @Test func routerTableImage() throws {
        let table = RouterTableImage(entries: [
            MulticastEntry(key: 0x1234_0000, mask: 0xFFFF_0000, route: RouteWord(links: [.north], cores: CoreMask(cores: [2]))),
            MulticastEntry(key: 5, mask: 0xFF, route: RouteWord(rawValue: 1)),
        ])
        let image = """
            0000 0000 04010000 00003412 0000ffff
            0100 0000 01000000 05000000 ff000000
            ffff ffff ffffffff ffffffff ffffffff
            """
        #expect(written(table.write) == image.filter { $0.isHexDigit })
        #expect(table.size == 48)
        var bytes = buffer(image)
        #expect(try RouterTableImage(from: &bytes) == table)
        var unordered = buffer("0100 0000 01000000 05000000 ff000000 ffffffff ffffffff ffffffff ffffffff")
        #expect(throws: WireError.invalid(message: "router table", field: "index", value: 1)) {
            try RouterTableImage(from: &unordered)
        }
    }

    @Test func routerCopy() throws {
        let image = "0004 1e90 07010000 55000000 ff000000"
        var bytes = buffer(image)
        let entry = try RouterCopyEntry(from: &bytes)
        #expect(entry.next == 1024 && entry.application == 0x1E && entry.core == 16)
        #expect(entry.isInUse && entry.entry == MulticastEntry(key: 0x55, mask: 0xFF, route: RouteWord(rawValue: 0x107)))
        #expect(written(entry.write) == image.filter { $0 != " " })
        #expect(!RouterCopyEntry.cleared.isInUse && RouterCopyEntry.cleared.entry == nil)
        #expect(written(RouterCopyEntry.cleared.write) == "00000000" + "000000ff" + "ffffffff" + "00000000")
    }

    @Test func keysMatchUnderTheMask() {
        let entry = MulticastEntry(key: 0x1200, mask: 0xFF00, route: RouteWord())
        #expect(entry.matches(0x1234) && !entry.matches(0x1334) && entry.isMatchable)
        #expect(!MulticastEntry(key: 1, mask: 0, route: RouteWord()).isMatchable)
    }

    @Test func heaps() throws {
        let root = HeapRoot(firstFree: 0x6024_0010, first: 0x6024_0010, last: 0x677F_FFF8, freeBytes: 123_469_792)
        let image = "10002460 10002460 f8ff7f67 e0ff5b07"
        #expect(written(root.write) == image.filter { $0 != " " })
        var bytes = buffer(image)
        #expect(try HeapRoot(from: &bytes) == root)

        let block = HeapBlock(next: 0x1000, application: 0x1E, tag: 3)
        #expect(written(block.write) == "00100000" + "031effff")
        #expect(block.application == 0x1E && block.tag == 3 && block.nextFree == nil && !block.isFree)
        #expect(block.payloadSize(at: 0xF00) == 0xF8)
        // Garbage: a chain that goes backwards, or blocks that overlap.
        #expect(block.payloadSize(at: 0x2000) == 0 && block.payloadSize(at: 0xFFC) == 0)
        #expect(HeapBlock(next: 0, word: 0).isLast)
    }

    @Test func iobufBlocks() throws {
        let image = "00010067 01000000 02000000 05000000 68656c6c6f ffffff"
        var bytes = buffer(image)
        let block = try IOBUFBlock(from: &bytes)
        #expect(block.next == 0x6700_0100 && block.time == 1 && block.millisecond == 2)
        #expect(String(buffer: block.text) == "hello")
        #expect(bytes.readableBytes == 3)
        var tooLong = buffer("00000000 00000000 00000000 ffffffff 68656c6c6f")
        #expect(throws: WireError.truncated(message: "IOBUF block", needed: 0xFFFF_FFFF, available: 5)) {
            try IOBUFBlock(from: &tooLong)
        }
    }

    @Test func applicationTable() throws {
        let entry = ApplicationTableEntry(cores: 3, clean: 1, semaphore: 2, lead: 4, mask: 0x70)
        #expect(written(entry.write) == "03010204" + "70000000")
        var bytes = buffer("0301020470000000")
        #expect(try ApplicationTableEntry(from: &bytes) == entry)
    }

    @Test func p2pColumns() throws {
        // Eight routes, three bits each: 7, 0...5, 6.
        var word: UInt32 = P2PTable.emptyWord
        let routes: [P2PRoute] = [.monitor, .east, .northEast, .north, .west, .southWest, .south, .none]
        for (y, route) in routes.enumerated() { P2PTable.setRoute(route, in: &word, y: UInt8(y)) }
        let expected: UInt32 = 7 | 1 << 6 | 2 << 9 | 3 << 12 | 4 << 15 | 5 << 18 | 6 << 21
        #expect(word == expected)
        #expect((0..<8).map { P2PTable.route(in: word, y: $0) } == routes)
        #expect((0..<8).allSatisfy { P2PTable.route(in: P2PTable.emptyWord, y: $0) == .none })

        let column = P2PColumn(routes: routes + [.north])
        var bytes = ByteBuffer()
        column.write(into: &bytes)
        #expect(bytes.readableBytes == 8)
        #expect(bytes.getInteger(at: 4, endianness: .little) == P2PTable.emptyWord & ~7 | 2)
        #expect(try P2PColumn(from: &bytes, height: 9) == column)
        #expect(P2PTable.word(of: ChipID(1, 9)) == 33)
        #expect(
            P2PTable.columnSize(height: 256) == 128 && P2PTable.columnSize(height: -1) == 0
                && P2PTable.columnSize(height: 9999) == 128)
        #expect(Link.allCases.allSatisfy { P2PRoute($0).link == $0 && P2PRoute($0).rawValue == $0.rawValue })
        #expect(P2PRoute.none.link == nil && P2PRoute.monitor.link == nil)
    }

    @Test func systemVariablesByField() throws {
        var variables = SystemVariables()
        variables[SV.p2pAddress] = ChipID(4, 8).p2pAddress
        variables[SV.p2pDimensions] = 16 << 8 | 12
        variables[SV.ethernetAddress] = ChipID(4, 8).p2pAddress
        variables[SV.clock] = 0x0102_0304_0506_0708
        variables[SV.clockDrift] = -131_072
        variables[SV.ipAddress] = IPv4Address(10, 11, 12, 13).wireWord
        variables[SV.virtualToPhysical] = [3, 1, 2]
        #expect(variables.chip == ChipID(4, 8) && variables.dimensions == (16, 12) && variables.nearestEthernet == ChipID(4, 8))
        #expect(variables.clockDrift == -1 && variables.address == IPv4Address(10, 11, 12, 13))
        #expect(variables[SV.virtualToPhysical] == [3, 1, 2] + [UInt8](repeating: 0, count: 17))
        var bytes = ByteBuffer()
        variables.write(into: &bytes)
        // y before x, little-endian, first octet first.
        #expect(bytes.getBytes(at: 0, length: 4) == [8, 4, 12, 16])
        #expect(bytes.getBytes(at: 0x10, length: 8) == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(bytes.getBytes(at: 0xF0, length: 4) == [10, 11, 12, 13])
        #expect(try SystemVariables(from: &bytes) == variables)
        #expect(SV.iobufSize.address == 0xF500_7F50 && SV.virtualToPhysical.address == 0xF500_7FA8)
    }

    /// Two types know the first 128 bytes: what a host writes there at boot must be the same to both.
    @Test func bootValuesAndSystemVariablesAgree() throws {
        var values = ByteBuffer()
        BootValues().write(into: &values)
        let image = SystemVariables.bootDefaults.image
        #expect(values == image.getSlice(at: image.readerIndex, length: SV.bootSize))
    }

    @Test func everyByteOfTheSystemVariablesIsInOneField() {
        var owners = [Int](repeating: 0, count: SV.size)
        for field in systemVariableFields {
            for byte in field.offset..<(field.offset + field.size) { owners[byte] += 1 }
        }
        #expect(owners.allSatisfy { $0 == 1 })
        #expect(Set(systemVariableFields.map(\.name)).count == systemVariableFields.count)
    }

    @Test func writersHoldTheirLayoutWhateverTheArrays() throws {
        var core = VCPU(state: .running, application: 30, physicalCore: 4, name: "a name of more than sixteen bytes")
        core.registers = [1]
        core.user = [1, 2, 3, 4, 5, 6]
        core.spare = []
        var bytes = ByteBuffer()
        core.write(into: &bytes)
        #expect(bytes.readableBytes == VCPU.size)
        #expect(bytes.getInteger(at: Int(VCPU.Offset.user) + 12, endianness: .little, as: UInt32.self) == 4)
        #expect(bytes.getInteger(at: Int(VCPU.Offset.state), as: UInt8.self) == CoreState.running.rawValue)
        #expect(try VCPU(from: &bytes).name == "a name of more t")

        var status = ByteBuffer()
        BoardStatus(converters: [], internalTemperatures: [], externalTemperatures: [], fans: [1, 2, 3, 4, 5]).write(
            into: &status)
        #expect(status.readableBytes == BoardStatus.size)
    }

    @Test func textThatACorePrints() throws {
        let console = ConsoleText(from: CoreID(1, 2, 3), through: ChipID(4, 8), text: ByteBuffer(string: "hi"))
        let image = "0000 07 00 ff 03 0804 0201 4000 0000 6869"
        #expect(written(console.writeDatagram) == image.filter { $0 != " " })
        #expect(try ConsoleText(datagram: buffer(image)) == console)
        #expect(throws: WireError.invalid(message: "console text", field: "command", value: 2)) {
            try ConsoleText(datagram: buffer("0000 07 00 ff 03 0804 0201 0200 0000 6869"))
        }
    }

    @Test func countKeepsTheRequestsLength() throws {
        let payload = buffer("25000000 0b000000 00000000")
        let count = try CoreCount(payload: payload)
        #expect(count.count == 37 && count.remainder.readableBytes == 8)
        #expect(throws: WireError.truncated(message: "core count", needed: 4, available: 0)) {
            try CoreCount(payload: ByteBuffer())
        }
        #expect(try CopyAndRunResult(payload: ByteBuffer()).computedSum == nil)
        #expect(try CopyAndRunResult(payload: buffer("78563412")).computedSum == 0x1234_5678)
        #expect(try SDRAMSpace(payload: buffer("01000000 02000000")) == SDRAMSpace(free: 1, largestBlock: 2))
    }
}
