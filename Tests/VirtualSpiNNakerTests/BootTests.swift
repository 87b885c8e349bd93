//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@Suite("Boot ROM and net initialisation", .timeLimit(.minutes(3)))
struct BootTests {
    private func powered(_ kind: VirtualMachineDescription.Kind = .spinn5) throws -> InMemoryMachine {
        try InMemoryMachine(kind, isBooted: false)
    }
    private func isAwake(_ machine: InMemoryMachine) -> Bool { machine.reply(to: GetVersion()) != nil }
    private func sendBoot(_ machine: InMemoryMachine, _ datagrams: [ByteBuffer]) {
        for datagram in datagrams { machine.send(datagram, port: 54321) }
    }
    /// Four blocks.
    private func datagrams() throws -> [ByteBuffer] {
        try InMemoryMachine.bootDatagrams(image: Array(repeating: 7, count: 4 * 1024))
    }

    @Test func aBoardWithoutPowerOrImageIsSilent() throws {
        let off = try InMemoryMachine(VirtualMachineDescription(.spinn5, bootTimeScale: 0))
        #expect(!self.isAwake(off))
        off.boot()
        #expect(!self.isAwake(off))
        let on = try self.powered()
        #expect(!self.isAwake(on))
    }

    @Test func aCompleteImageStartsAndNothingIsAcknowledged() throws {
        let machine = try self.powered()
        for datagram in try self.datagrams() {
            #expect(machine.send(datagram, port: 54321).isEmpty)
        }
        #expect(self.isAwake(machine))
    }

    @Test func aMissingBlockKeepsItSilentUntilARetryFillsTheSameMap() throws {
        let machine = try self.powered()
        let all = try self.datagrams()
        self.sendBoot(machine, all.filter { $0 != all[2] })
        #expect(!self.isAwake(machine))
        // The second START is ignored: what has come still counts.
        self.sendBoot(machine, [all[0], all[2], all[5]])
        #expect(self.isAwake(machine))
    }

    @Test func blocksMayComeTwiceAndInAnyOrder() throws {
        let machine = try self.powered()
        let all = try self.datagrams()
        self.sendBoot(machine, [all[0], all[4], all[2], all[2], all[1], all[4], all[3], all[5]])
        #expect(self.isAwake(machine))
    }

    @Test func controlWithoutExecuteAndOtherVersionsDoNothing() throws {
        let machine = try self.powered()
        var all = try self.datagrams()
        let control = all.removeLast()
        self.sendBoot(machine, all)
        var wait = control
        wait.setInteger(UInt32(0), at: 6, endianness: .big)
        self.sendBoot(machine, [wait])
        #expect(!self.isAwake(machine))
        var version2 = control
        version2.setInteger(UInt16(2), at: 0, endianness: .big)
        self.sendBoot(machine, [version2])
        #expect(!self.isAwake(machine))
        self.sendBoot(machine, [control])
        #expect(self.isAwake(machine))
    }

    @Test func truncatedBootDatagramsAreHarmless() throws {
        let machine = try self.powered()
        for datagram in try self.datagrams() {
            for length in 0..<min(datagram.readableBytes, 24) {
                if let part = datagram.getSlice(at: 0, length: length) { machine.send(part, port: 54321) }
            }
        }
        machine.boot()
        #expect(self.isAwake(machine))
    }

    @Test func aPowerCycleTakesEverything() throws {
        let machine = try InMemoryMachine(.spinn5)
        try machine.writeWord(0x1234_5678, to: 0x6000_0000)
        machine.machine.setPower(true, board: 0, now: machine.now)
        #expect(!self.isAwake(machine))
        machine.boot()
        #expect(try machine.readWord(0x6000_0000) == 0)
    }

    @Test func hostsPatchReachesSV() throws {
        let machine = try self.powered()
        var image = [UInt8](repeating: 0, count: 1024)
        image[384 + 0x0A] = 5
        image[384 + 0x2C] = 50
        image[384 + 0x1C] = 0x78
        image[384 + 0x1D] = 0x56
        // A million words below the heap, as ybug wants them.
        image[384 + 0x4C + 2] = 0x10
        image[384 + 0x56] = 0x80
        image[384 + 0x59] = 0x80
        machine.boot(image: image)
        #expect(try machine.readWord(0xF500_7F1C) == 0x5678)
        let info = try machine.ask(GetChipInfo())
        #expect(info.largestFreeSDRAM == 119_275_488)
    }

    @Test func phasesPassInRealTime() throws {
        let machine = try InMemoryMachine(VirtualMachineDescription(.spinn3, isPoweredAtStart: true))
        machine.boot()
        #expect(!self.isAwake(machine), "SC&MP needs 0.2 s to start")
        machine.advance(by: .milliseconds(300))
        let early = try machine.ask(GetVersion(), core: CoreID(255, 255, 0))
        #expect(early.chip == .root, "not ready")
        #expect(machine.reply(to: GetVersion(), core: CoreID(1, 1, 0))?.result == .noRoute)
        #expect(try machine.read(0xF500_7F2D, count: 1) == [0])
        machine.advance(by: .milliseconds(2000))
        #expect(try machine.read(0xF500_7F2D, count: 1) == [2])
        machine.advance(by: .milliseconds(1500))
        #expect(try machine.ask(GetVersion(), core: CoreID(255, 255, 0)).chip == .origin)
        #expect(try machine.ask(GetVersion(), core: CoreID(1, 1, 0)).chip == ChipID(1, 1))
        #expect(try machine.read(0xF500_7F2D, count: 1) == [0xFF])
    }

    @Test func aSpiNN5TakesAboutFourSecondsAndAHalf() throws {
        let machine = try InMemoryMachine(VirtualMachineDescription(.spinn5, isPoweredAtStart: true))
        machine.boot()
        machine.advance(by: .milliseconds(4300))
        #expect(try machine.ask(GetVersion()).chip == .root)
        machine.advance(by: .milliseconds(500))
        #expect(try machine.ask(GetVersion()).chip == .origin)
    }

    @Test func theROMSaysHelloUntilItIsBooted() throws {
        var description = VirtualMachineDescription(.spinn5, bootTimeScale: 0)
        description.sendsHello = true
        let machine = try InMemoryMachine(description)
        machine.advance(by: .seconds(10))
        #expect(machine.takeOutgoing().isEmpty)
        machine.machine.setPower(true, board: 0, now: machine.now)
        machine.advance(by: .milliseconds(4096))
        let hello = try #require(machine.takeOutgoing().first)
        #expect(hello.destination == HostAddress(ip: IPv4Address(255, 255, 255, 255), port: 54321) && hello.sourcePort == 54321)
        let message = try BootMessage(datagram: hello.bytes)
        #expect(message.opcode == .hello && message.operand1 == 0x0201_0000 && message.operand3 == 0x4350_5453)
        // The first good datagram teaches it its host.
        machine.send(try self.datagrams()[0], port: 54321)
        machine.advance(by: .milliseconds(4096))
        #expect(machine.takeOutgoing().map(\.destination) == [machine.host])
        machine.boot()
        for datagram in try self.datagrams().dropFirst() { machine.send(datagram, port: 54321) }
        #expect(self.isAwake(machine))
        machine.advance(by: .seconds(20))
        #expect(machine.takeOutgoing().isEmpty)
    }
}
