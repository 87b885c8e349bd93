//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Whatever bytes come, the machine does not trap, and goes on answering.
@Suite("Hostile bytes", .timeLimit(.minutes(3)))
struct FuzzTests {
    private static let commands: [UInt16] = [
        0, 2, 3, 5, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 99,
    ]
    private static let bmpCommands: [UInt16] = [0, 2, 3, 5, 17, 18, 25, 26, 48, 49, 50, 51, 53, 54, 55, 56, 57, 61, 62, 99]
    /// Where an argument can hurt: the edges of fields, of memories, of integers.
    private static let edges: [UInt32] = [
        0, 1, 2, 3, 4, 7, 8, 16, 17, 18, 31, 32, 255, 256, 257, 1023, 1024, 1025, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFC,
        0xFFFF_FFFF,
        0x6000_0000, 0x6024_0000, 0x6024_0018, 0x6780_0000, 0x67FF_FFFF, 0x7FFF_FFFC, 0xE500_7000, 0xF500_7F00, 0xF500_7FFF,
        0xE101_0000, 0xE200_0000, 0xF100_002C, 0xFFFF_0000, 0x0040_0000, 0x0001_0001, 0x3F00_0000, 0x0600_0100, 0x0F00_0004,
        0x1E1E_0003, 0x1E01_FFFE, 0x00FF_00FF, 0x0002_0001,
    ]

    private func packet(_ commands: [UInt16], cores: ClosedRange<UInt8>, _ random: inout SeededGenerator) -> ByteBuffer {
        func argument() -> UInt32 {
            random.chance(0.7) ? Self.edges.randomElement(using: &random) ?? 0 : UInt32(truncatingIfNeeded: random.next())
        }
        var bytes = ByteBuffer()
        let data = (0..<Int.random(in: 0...260, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        SCPPacket(
            header: SDPHeader(
                flags: SDPFlags(rawValue: random.chance(0.8) ? 0x87 : UInt8(truncatingIfNeeded: random.next())),
                tag: random.chance(0.9) ? 0xFF : UInt8(truncatingIfNeeded: random.next()),
                destination: SDPAddress(
                    port: random.chance(0.9) ? 0 : UInt8.random(in: 0...7, using: &random),
                    cpu: UInt8.random(in: cores, using: &random)),
                destinationChip: random.chance(0.8)
                    ? ChipID(UInt8.random(in: 0...7, using: &random), UInt8.random(in: 0...7, using: &random))
                    : ChipID(p2pAddress: UInt16(truncatingIfNeeded: random.next()))),
            command: SCPCommand(rawValue: commands.randomElement(using: &random) ?? 0), sequence: 1,
            arguments: SCPArguments(argument(), argument(), argument()), data: ByteBuffer(bytes: data)
        ).writeDatagram(into: &bytes)
        if random.chance(0.1), bytes.readableBytes > 0 {
            bytes.moveWriterIndex(to: Int.random(in: 0..<bytes.readableBytes, using: &random))
        }
        return bytes
    }

    @Test(arguments: [UInt64(1), 3]) func commandsWithBadArguments(seed: UInt64) throws {
        var description = VirtualMachineDescription(
            .triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true,
            addressFaults: seed == 3 ? .strict : .lenient)
        description.timeline = .endless
        let machine = try InMemoryMachine(description)
        var random = SeededGenerator(seed: seed)
        machine.boot()
        for step in 0..<2000 {
            let board = Int.random(in: 0..<3, using: &random)
            machine.send(self.packet(Self.commands, cores: 0...19, &random), to: .board(board), from: nil)
            if step % 8 == 0 { machine.advance(by: .milliseconds(random.chance(0.1) ? 3000 : 20)) }
            if step % 50 == 0 {
                for port in machine.openPorts.values.joined() { machine.send(ByteBuffer(bytes: [1, 2, 3]), port: port) }
            }
            if step % 500 == 499 {
                // Scribbled to death it may be; a power cycle mends everything.
                for board in 0..<3 { machine.machine.setPower(true, board: board, now: machine.now) }
                machine.boot()
                #expect(machine.raw(.version)?.result == .ok)
                #expect(machine.openPorts.values.joined().isEmpty, "no port outlives its board")
            }
        }
        _ = machine.takeOutgoing()
    }

    @Test(arguments: [UInt64(4)]) func managementWithBadArguments(seed: UInt64) throws {
        let machine = try InMemoryMachine(
            VirtualMachineDescription(.triads(width: 3, height: 3), bootTimeScale: 0, isPoweredAtStart: true))
        var random = SeededGenerator(seed: seed)
        for step in 0..<2000 {
            machine.send(
                self.packet(Self.bmpCommands, cores: 0...31, &random), to: .bmp(frame: Int.random(in: 0...1, using: &random)))
            if step % 8 == 0 { machine.advance(by: .milliseconds(random.chance(0.1) ? 3000 : 20)) }
        }
        machine.advance(by: .seconds(100_000))
        #expect(machine.raw(.version, at: .bmp(frame: 0))?.result == .ok)
    }

    @Test func noiseOnEveryPort() throws {
        let machine = try InMemoryMachine(.spinn5, isBooted: false)
        var random = SeededGenerator(seed: 9)
        for step in 0..<6000 {
            let noise = ByteBuffer(
                bytes: (0..<Int.random(in: 0...1100, using: &random)).map { _ in
                    UInt8(truncatingIfNeeded: random.chance(0.5) ? random.next() & 7 : random.next())
                })
            let port: UInt16 = random.chance(0.5) ? 54321 : 17893
            machine.send(noise, to: random.chance(0.2) ? .bmp(frame: 0) : .board(0), port: port)
            if step == 3000 {
                machine.machine.setPower(true, board: 0, now: machine.now)
                machine.boot()
            }
            if step % 100 == 0 { machine.advance(by: .seconds(3)) }
        }
        machine.send(ByteBuffer(), to: .board(77))
        machine.send(ByteBuffer(), to: .bmp(frame: -1))
        machine.advance(by: .seconds(3))
        #expect(machine.raw(.version)?.result == .ok)
    }

    /// Boot images whose patch asks for impossible memories.
    @Test func impossibleBootPatches() throws {
        var random = SeededGenerator(seed: 17)
        for _ in 0..<60 {
            let machine = try InMemoryMachine(.spinn3, isBooted: false)
            var image = (0..<1024).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if random.chance(0.3) { for index in 384..<512 { image[index] = 0xFF } }
            machine.boot(image: image)
            machine.advance(by: .seconds(10))
            #expect(machine.raw(.version)?.result == .ok)
            for command in [SCPCommand.info, .allocate, .router, .led] { _ = machine.raw(command, 0, 100, 1) }
            _ = try machine.read(0xF500_7F00, count: 256)
            try machine.start(.runTimeError(code: 3), cores: [1, 2])
            _ = machine.raw(.version, to: CoreID(0, 0, 1))
            machine.signal(.stop)
        }
    }
}
