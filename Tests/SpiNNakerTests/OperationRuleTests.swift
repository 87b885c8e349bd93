//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

/// The ends and the limits of operations.
extension OperationTests {
    private func error(_ body: () async throws -> Void) async -> TransceiverError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? TransceiverError
        }
    }

    // MARK: Applications

    /// The sum counts 29 bits; the chip that has it right may say so.
    @Test func theRightSumIsNoMismatchAndARootWithoutCoresRunsNothing() async throws {
        let image = words(0xFFFF_FFFF, 0x1234_5678)
        let sum = CopyAndRunApplication.checksum(of: image)
        try await self.with { packet in
            packet.command == .applicationCopyRun ? (.ok, words(sum | 0xE000_0000)) : (.ok, ByteBuffer())
        } _: { transceiver, link in
            transceiver.withState { $0.machine = Machine.tree }
            try await transceiver.load(image, on: [CoreID(1, 1, 1)], application: 30)
            let commands = try await link.allSent().map(\.command)
            #expect(commands == [.write, .applicationCopyRun, .applicationCopyRun, .applicationCopyRun])
        }
    }

    @Test func aChipWithoutAWayToTheRootIsNotLoaded() async throws {
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            var chips = Machine.tree.chips
            for index in chips.indices where chips[index].id == ChipID(1, 1) { chips[index].parentLink = nil }
            let machine = Machine(shape: MachineShape(board: .spinn3), root: .origin, chips: chips)
            transceiver.withState { $0.machine = machine }
            let error = await self.error {
                try await transceiver.load(words(1), on: [CoreID(1, 0, 1), CoreID(1, 1, 1)], application: 30)
            }
            #expect(error?.code == .unusableMachine && error?.chip == ChipID(1, 1))
            let sent = try await link.allSent()
            #expect(sent.isEmpty)
        }
    }

    /// Blocks of 256 bytes, numbered from 0; their count is a byte, so that of 64 KiB is 0.
    @Test(arguments: [(4, 1), (256, 1), (260, 2), (65_536, 256)])
    func aFloodFillIsCutIntoBlocks(_ size: Int, _ blocks: Int) async throws {
        let bytes = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ $0 >> 8) })
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            try await transceiver.floodWrite(bytes, at: 0x6000_0000)
            let sent = try await link.allSent()
            #expect(sent.count == blocks + 2)
            let start = try NearestNeighbourPacket(arguments: sent[0].arguments, data: sent[0].data)
            let id = UInt8(2)
            #expect(
                start.operation
                    == .floodFillStart(
                        id: id, blocks: UInt8(truncatingIfNeeded: blocks), region: NearestNeighbourPacket.allChips))
            var written = ByteBuffer()
            for (index, packet) in sent.dropFirst().dropLast().enumerated() {
                let data = try FloodFillData(arguments: packet.arguments, data: packet.data)
                #expect(data.id == id && Int(data.block) == index)
                #expect(data.address == 0x6000_0000 + UInt32(index) * 256)
                #expect(Int(data.lastWord) == data.data.readableBytes / 4 - 1)
                written.writeImmutableBuffer(data.data)
            }
            #expect(written == bytes)
            let end = try NearestNeighbourPacket(arguments: sent[blocks + 1].arguments, data: sent[blocks + 1].data)
            #expect(end.operation == .floodFillEnd(id: id, ApplicationStart(word: 0)))
            // The next has the next number.
            try await transceiver.floodWrite(words(1), at: 0x6000_0000)
            let next = try await link.allSent()[blocks + 2]
            #expect(next.arguments.arg1 >> 16 & 0xFF == 3)
        }
    }

    @Test func whatCannotBeFloodedIsNotSent() async throws {
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            for size in [1, 255, 65_540] {
                let error = await self.error {
                    try await transceiver.floodWrite(ByteBuffer(repeating: 0, count: size), at: 0x6000_0000)
                }
                #expect(error?.code == .invalidArgument, "\(size)")
            }
            try await transceiver.floodWrite(ByteBuffer(), at: 0x6000_0000)
            let sent = try await link.allSent()
            #expect(sent.isEmpty)
        }
    }

    // MARK: States

    @Test func aCountThatNeverEndsIsGivenUp() async throws {
        let link = AnsweringLink { _ in (.ok, ByteBuffer()) }
        var configuration = TransceiverConfiguration()
        configuration.retries = 2
        try await withTransceiver(links: [.origin: link], configuration: configuration) { transceiver in
            let error = await self.error { _ = try await transceiver.countCores(application: 30, in: .running) }
            guard case .malformedReply = error?.request?.code else {
                Issue.record("\(String(describing: error))")
                return
            }
            let asked = try await link.allSent().count
            #expect(asked == 3)
        }
    }

    /// Ten are named, and the others counted.
    @Test(arguments: [(1, ""), (10, ""), (11, "; and 1 more"), (17, "; and 7 more")])
    func aLongListOfLateCoresIsCut(_ count: Int, _ ending: String) async throws {
        try await self.with { packet in
            guard packet.command == .read else { return (.ok, words(0)) }
            var bytes = ByteBuffer()
            VCPU(state: .running, application: 30).write(into: &bytes)
            return (.ok, bytes)
        } _: { transceiver, _ in
            let error = await self.error {
                try await transceiver.waitForCores(
                    CoreSubsets(chip: .origin, cores: 1...UInt8(count)), application: 30, in: [.sync0], timeout: .zero)
            }
            #expect(error?.code == .coresNotInState && error?.cores.count == count)
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("\(count) cores did not come in time") && text.contains("(0, 0, 1) "))
            #expect(text.contains("more") == !ending.isEmpty && text.contains(ending), "\(text)")
        }
    }

    @Test func aCrashedCoreIsDescribedByItsRegistersAndOthersAreNot() {
        var vcpu = VCPU(state: .runTimeException, application: 17, physicalCore: 4, name: "spiky")
        vcpu.registers = (0..<8).map { 0xA0 + $0 }
        (vcpu.psr, vcpu.stackPointer, vcpu.linkRegister) = (0x11, 0x22, 0x33)
        let info = CoreInfo(core: CoreID(1, 2, 3), vcpu: vcpu)
        #expect(
            info.description
                == "(1, 2, 3) (physical 4): state 2, application 17 spiky, error 0, "
                + "r0-r7 0xa0 0xa1 0xa2 0xa3 0xa4 0xa5 0xa6 0xa7, psr 0x11, sp 0x22, lr 0x33")
        vcpu.state = .running
        let running = CoreInfo(core: CoreID(1, 2, 3), vcpu: vcpu).description
        #expect(running == "(1, 2, 3) (physical 4): state 7, application 17 spiky")
    }

    @Test func aCoreHasFourUserRegisters() async throws {
        try await self.with { packet in
            (.ok, packet.command == .read ? words(packet.arguments.arg1) : ByteBuffer())
        } _: { transceiver, _ in
            for p in [UInt8(0), 17] {
                // virtual-machine.md: the four are the last words of a core's 128 bytes.
                let registers = MemoryMap.vcpu + UInt32(p) * 128 + 112
                for number in UInt8(0)..<4 {
                    let word = try await transceiver[CoreID(1, 1, p)].userRegister(number)
                    #expect(word == registers + 4 * UInt32(number))
                }
            }
            for (p, number) in [(UInt8(1), UInt8(4)), (1, 255), (18, 0), (255, 0)] {
                let reading = await self.error { _ = try await transceiver[CoreID(1, 1, p)].userRegister(number) }
                let writing = await self.error { try await transceiver[CoreID(1, 1, p)].setUserRegister(number, to: 1) }
                #expect(reading?.code == .invalidArgument && writing?.code == .invalidArgument)
            }
        }
    }

    // MARK: Routes, memory, tags

    @Test func moreRoutesThanARouterHoldsAreNotWritten() async throws {
        try await self.with { _ in
            (.ok, words(1))
        } _: { transceiver, link in
            let entries = (0..<1024).map { MulticastEntry(key: UInt32($0), mask: .max, route: RouteWord(rawValue: 1)) }
            let error = await self.error { try await transceiver[.origin].loadRoutes(entries, application: 30) }
            #expect(error?.code == .outOfRoutingEntries)
            let none = try await transceiver[.origin].loadRoutes([], application: 30)
            #expect(none == nil)
            let sent = try await link.allSent()
            #expect(sent.isEmpty)
            let first = try await transceiver[.origin].loadRoutes(Array(entries.dropLast()), application: 30)
            #expect(first == 1)
        }
    }

    @Test func aHeapWithoutABlockIsEmpty() async throws {
        try await self.with { packet in
            (.ok, packet.arguments.arg1 == SV.sdramHeap.address ? words(0x6000_0000) : words(0, 0))
        } _: { transceiver, link in
            let heap = try await transceiver[.origin].heap()
            #expect(heap.isEmpty)
            let asked = try await link.allSent().map(\.arguments.arg1)
            #expect(asked == [SV.sdramHeap.address, 0x6000_0000])
        }
    }

    /// A tag is a board's: it is set where an Ethernet chip is, on the board's own ports not at all.
    @Test func tagsAreSetOnBoardsOnly() async throws {
        try await self.with { _ in
            (.ok, words(0))
        } _: { transceiver, link in
            let unconnected = await self.error {
                try await transceiver.setIPTag(1, board: ChipID(4, 8), address: nil, port: 1, strip: true)
            }
            #expect(unconnected?.code == .invalidArgument && unconnected?.chip == ChipID(4, 8))
            transceiver.withState { $0.machine = Machine.spinn3 }
            let inside = await self.error {
                try await transceiver.setIPTag(1, board: ChipID(1, 1), address: nil, port: 1, strip: true)
            }
            #expect(inside?.code == .invalidArgument && inside?.chip == ChipID(1, 1))
            for port in [UInt16(17_893), 54_321] {
                let own = await self.error {
                    try await transceiver.setReverseIPTag(1, port: port, core: CoreID(0, 0, 1), sdpPort: 1)
                }
                #expect(own?.code == .invalidArgument)
            }
            let before = try await link.allSent()
            #expect(before.isEmpty)
            try await transceiver.clearIPTag(3, board: .origin)
            let sent = try await link.allSent()
            #expect(sent.map(\.command) == [.ipTag])
        }
    }

    /// The Ethernet of a board may come up late: it is asked for three times in all.
    @Test(arguments: [(0, true), (2, true), (3, false)])
    func anEthernetThatIsDownIsAskedAgain(_ downs: Int, _ isFound: Bool) async throws {
        let asked = NIOLockedValueBox(0)
        let link = AnsweringLink { packet in
            var bytes = ByteBuffer()
            switch packet.command {
            case .version:
                VersionInfo.ofBootedMachine.write(into: &bytes)
            case .ipTag: IPTagTimeoutInfo(timeoutCode: 9).write(into: &bytes)
            default:
                let count = asked.withLockedValue {
                    $0 += 1
                    return $0
                }
                ChipInfo(
                    workingCores: 18, workingLinks: 63, largestFreeRouterBlock: 1023, isEthernetUp: count > downs,
                    largestFreeSDRAM: 1, largestFreeSystemRAM: 1, coreStates: [], nearestEthernet: .origin,
                    address: .loopback, parent: 7
                ).write(into: &bytes)
            }
            return (.ok, bytes)
        }
        var configuration = TransceiverConfiguration()
        configuration.notReadyPause = .milliseconds(1)
        try await withTransceiver(links: [.origin: link], configuration: configuration) { transceiver in
            let error = await self.error { _ = try await transceiver.ensureReady() }
            #expect(error?.code == (isFound ? nil : .unusableMachine))
            #expect(asked.withLockedValue { $0 } == min(downs + 1, 3))
            #expect(transceiver.board(at: .loopback) == (isFound ? .origin : nil))
        }
    }
}
