//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// The transceiver against virtual boards, over UDP.
@Suite(.serialized, .timeLimit(.minutes(3))) struct VirtualMachineTests {
    @Test func oneAddressLeadsToATriad() async throws {
        try await withVirtualBoards(.triads(width: 1, height: 1)) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                #expect(transceiver.connectedChips == [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)])
                let machine = try await transceiver.discoverMachine()
                #expect(machine.chips.count == 144)
                #expect(machine.width == 12)
                #expect(machine.ethernetChips.map(\.id) == [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)])
                #expect(Set(machine.ethernetChips.compactMap(\.address)) == Set(host.boards.map(\.address)))
                #expect(machine.chips.allSatisfy { $0.links.count == 6 })
                #expect(machine.chips.allSatisfy { !$0.applicationCores.isEmpty && $0.physicalCores.count == $0.workingCores })
                #expect(machine.notes.isEmpty, "\(machine.notes)")
                #expect(transceiver.machine == machine)
            }
        }
    }

    @Test func memoryOverAllBoardsAtOnce() async throws {
        try await withVirtualBoards(.triads(width: 1, height: 1)) { host in
            let root = host.boards[0].address.description
            try await withTransceiver(to: root, image: .placeholder, configuration: .quick) { _ in }
            // Loopback loses nothing: what is not sent again because the test runs slowly can be counted exactly.
            var patient = TransceiverConfiguration()
            patient.timeout = .seconds(60)
            patient.resendsEarly = false
            try await withTransceiver(to: root, configuration: patient) { transceiver in
                let machine = try await transceiver.discoverMachine()
                let before = try await self.traffic(host)
                let parts = machine.chips.enumerated().map { index, chip in
                    (
                        chip: chip.id, address: MemoryMap.userSDRAM + UInt32(index),
                        bytes: ByteBuffer(bytes: (0..<10_001).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ index) })
                    )
                }
                try await transceiver.write(parts)
                let back = try await transceiver.read(
                    parts.map { .init(chip: $0.chip, address: $0.address, count: $0.bytes.readableBytes) })
                #expect(back == parts.map(\.bytes))
                // Each board carried its own third: 48 chips, there and back, in 40 pieces.
                let after = try await self.traffic(host)
                #expect(zip(before, after).map { $1 - $0 } == [48 * 2 * 40, 48 * 2 * 40, 48 * 2 * 40])
            }
        }
    }

    private func traffic(_ host: VirtualMachineHost) async throws -> [Int] {
        var counts: [Int] = []
        for board in host.boards {
            counts.append(try await host.traffic(ofBoard: board.number).received)
        }
        return counts
    }

    @Test func aBoardThatIsOffIsSwitchedOnAndBooted() async throws {
        try await withVirtualBoards(.spinn5, isPowered: false) { host in
            var configuration = TransceiverConfiguration.quick
            configuration.bootTimeout = .milliseconds(500)
            configuration.bootAttempts = 1
            configuration.timeout = .milliseconds(200)
            // Without a BMP there is no way.
            await #expect(throws: TransceiverError.self) {
                try await withTransceiver(
                    to: host.boards[0].address.description, image: .placeholder, configuration: configuration
                ) { _ in }
            }
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, bmp: host.bmps[0].address.description,
                configuration: configuration
            ) { transceiver in
                #expect(try await transceiver.version().name == "SC&MP")
                #expect(try await transceiver.bmps[0].version().name == "BC&MP")
                #expect(try await transceiver.bmps[0].readFPGARegister(FPGARegister.flag, of: 2) & 3 == 2)
                #expect(try await host.isPowered(board: 0))
                try await transceiver.bmps[0].setPower(on: false)
                #expect(try await !host.isPowered(board: 0))
            }
        }
    }

    @Test func nothingToBootWithIsSaid() async throws {
        try await withVirtualBoards(.spinn3) { host in
            do {
                try await withTransceiver(to: host.boards[0].address.description, configuration: .quick) { _ in }
                Issue.record("a board that was not booted was taken")
            } catch let error as TransceiverError {
                #expect(error.code == .notBooted)
                #expect("\(error)".contains("nothing to boot it with"))
            }
        }
    }

    @Test func deadChipsCoresAndLinksAreLeftOutAndNoted() async throws {
        let faults = HardwareFaults(
            deadChips: [BoardChip(local: ChipID(1, 1))],
            deadCores: [BoardChip(local: ChipID(2, 2)): [5]],
            deadLinks: [BoardChipLink(chip: BoardChip(local: ChipID(3, 3)), link: .east)])
        try await withVirtualBoards(.spinn5, faults: faults) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                let machine = try await transceiver.discoverMachine()
                #expect(machine.chips.count == 47)
                #expect(machine[ChipID(1, 1)] == nil)
                #expect(machine[ChipID(0, 0)]?.links.contains(.northEast) == false)
                #expect(machine[ChipID(3, 3)]?.links.contains(.east) == false)
                #expect(machine[ChipID(4, 3)]?.links.contains(.west) == false)
                #expect(machine[ChipID(2, 2)]?.workingCores == 17)
                #expect(machine.neighbour(of: ChipID(0, 0), over: .northEast) == nil)
                #expect(machine.neighbour(of: ChipID(0, 0), over: .east) == ChipID(1, 0))
            }
        }
    }

    @Test func memoryOfOneChip() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                let chip = transceiver[ChipID(1, 0)]
                try await chip.fill(at: MemoryMap.userSDRAM, with: 0xDEAD_BEEF, count: 1024)
                #expect(try await chip.readWord(at: MemoryMap.userSDRAM + 1020) == 0xDEAD_BEEF)
                try await chip.writeWord(7, at: MemoryMap.userSDRAM + 8)
                #expect(try await chip.readWord(at: MemoryMap.userSDRAM + 8) == 7)

                let neighbour = transceiver[ChipID(0, 0)]
                let seen = try await neighbour.readNeighbour(over: .east, at: MemoryMap.userSDRAM, count: 16)
                #expect(seen.getInteger(at: 8, endianness: .little, as: UInt32.self) == 7)
                try await neighbour.writeNeighbour(
                    over: .east, ByteBuffer(integer: UInt32(9), endianness: .little), at: MemoryMap.userSDRAM)
                #expect(try await chip.readWord(at: MemoryMap.userSDRAM) == 9)

                // By the piece, out and back.
                let pieces = (0..<5).map { index in ByteBuffer(repeating: UInt8(index), count: 1000 + index) }
                let stream = AsyncStream { continuation in
                    for piece in pieces { continuation.yield(piece) }
                    continuation.finish()
                }
                let (count, _) = try await chip.write(stream, at: MemoryMap.userSDRAM + 1)
                #expect(count == 5010)
                var back = ByteBuffer()
                for try await piece in chip.pieces(at: MemoryMap.userSDRAM + 1, count: 5010, pieceSize: 999) {
                    #expect(piece.readableBytes <= 999)
                    back.writeImmutableBuffer(piece)
                }
                #expect(Array(buffer: back) == pieces.flatMap { Array(buffer: $0) })
            }
        }
    }

    @Test func sdram() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                let chip = transceiver[ChipID(1, 1)]
                let empty = try await chip.heap()
                #expect(empty.count == 1)
                let space = try await chip.sdramSpace()
                let first = try await chip.allocateSDRAM(1000, application: 17, tag: 3)
                let second = try await chip.allocateSDRAM(500, application: 17)
                #expect(second > first)
                #expect(try await chip.taggedSDRAM(application: 17, tag: 3) == first)
                #expect(try await chip.taggedSDRAM(application: 17, tag: 4) == nil)
                let heap = try await chip.heap()
                #expect(heap.filter { !$0.isFree }.map(\.application) == [17, 17])
                #expect(heap.first?.tag == 3)
                #expect(heap.first.map { $0.address + 8 } == first)
                try await chip.freeSDRAM(at: second)
                #expect(try await chip.freeSDRAM(of: 17) == 1)
                #expect(try await chip.heap() == empty)
                #expect(try await chip.sdramSpace() == space)
                do {
                    _ = try await chip.allocateSDRAM(.max / 2, application: 17)
                    Issue.record("a gigabyte was given")
                } catch let error as TransceiverError {
                    #expect(error.code == .outOfSDRAM)
                }
                let many = try await transceiver.allocateSDRAM(
                    BoardShape.spinn3.chips.map { .init(chip: $0, size: 64, application: 18, tag: 1) })
                #expect(many.count == 4)
            }
        }
    }

    @Test func routes() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                try await transceiver.discoverMachine()
                let chip = transceiver[ChipID(0, 1)]
                let entries = (0..<20).map { index in
                    MulticastEntry(
                        key: UInt32(index) << 8, mask: 0xFFFF_FF00,
                        route: RouteWord(links: [.east, .north], cores: CoreMask(cores: [1, 5])))
                }
                #expect(try await chip.loadRoutes([], application: 30) == nil)
                #expect(try await chip.loadRoutes(entries, application: 30) == 1)
                #expect(try await chip.routes(of: 30) == entries)
                #expect(try await chip.routes(of: 31).isEmpty)
                do {
                    try await chip.loadRoutes(
                        Array(repeating: entries[0], count: 1020), application: 31)
                    Issue.record("more entries than there are were loaded")
                } catch let error as TransceiverError {
                    #expect(error.code == .outOfRoutingEntries)
                }
                try await chip.setFixedRoute(RouteWord(links: [.west]), application: 30)
                #expect(try await chip.fixedRoute().links == [.west])
                try await chip.setDiagnosticFilter(.defaultRoutedLocal, at: 12)
                #expect(try await chip.diagnosticFilter(at: 12) == .defaultRoutedLocal)
                await #expect(throws: TransceiverError.self) { try await chip.setDiagnosticFilter(.defaultRoutedLocal, at: 16) }
                _ = try await chip.routerDiagnostics()
                try await transceiver.clearRouterCounters()
                try await transceiver.clearRoutes()
                // What is left is the entry that SC&MP keeps for itself.
                #expect(try await chip.routes().map(\.key) == [0xFFFF_5554])
                #expect(try await chip.diagnosticFilter(at: 14) != .defaultRoutedExternal)
                try await chip.loadRoutes(entries, application: 30)
                try await transceiver.resetRouting()
                #expect(try await chip.routes().map(\.key) == [0xFFFF_5554])
                #expect(try await chip.diagnosticFilter(at: 14) == .defaultRoutedExternal)
            }
        }
    }

    @Test func tags() async throws {
        try await withVirtualBoards(.triads(width: 1, height: 1)) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                try await transceiver.setIPTag(1, address: IPv4Address(10, 0, 0, 1), port: 1234, strip: true)
                try await transceiver.setReverseIPTag(
                    2, board: ChipID(4, 8), port: 12345, core: CoreID(5, 9, 3), sdpPort: 1)
                let tags = try await transceiver.tags().filter { !$0.isTransient }
                #expect(tags.filter { $0.number == 1 }.map(\.board) == [ChipID(0, 0), ChipID(4, 8), ChipID(8, 4)])
                let reverse = try #require(tags.first { $0.isReverse })
                #expect(reverse.board == ChipID(4, 8))
                #expect(reverse.entry.receivePort == 12345)
                #expect(reverse.entry.destinationChip == ChipID(5, 9))
                try await transceiver.clearIPTag(1)
                try await transceiver.clearIPTag(2, board: ChipID(4, 8))
                #expect(try await transceiver.tags().filter { !$0.isTransient }.isEmpty)
                #expect(transceiver.board(at: host.boards[1].address) != nil)
                await #expect(throws: TransceiverError.self) {
                    try await transceiver.setIPTag(1, board: ChipID(1, 1), address: nil, port: 1, strip: true)
                }
            }
        }
    }

    @Test func aTagIsPointedAtAListener() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                try await UDPListener.with(address: .loopback) { listener in
                    try await transceiver.pointIPTag(3, of: .origin, at: listener)
                    let tag = try #require(try await transceiver.tags().first { $0.number == 3 })
                    #expect(tag.entry.address == .loopback)
                    #expect(Int(tag.entry.port) == listener.port)
                    await #expect(throws: TransceiverError.self) {
                        try await transceiver.pointIPTag(77, of: .origin, at: listener)
                    }
                    await #expect(throws: TransceiverError.self) {
                        try await transceiver.pointIPTag(3, of: ChipID(1, 1), at: listener)
                    }
                }
            }
        }
    }

    @Test func coresAndRegisters() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                let machine = try await transceiver.discoverMachine()
                let core = transceiver[CoreID(1, 1, 4)]
                for number in UInt8(0)..<4 { try await core.setUserRegister(number, to: 100 + UInt32(number)) }
                #expect(try await core.info().vcpu.user == [100, 101, 102, 103])
                #expect(try await core.userRegister(2) == 102)
                await #expect(throws: TransceiverError.self) { try await core.userRegister(4) }
                try await transceiver.setUserRegisters([(CoreID(0, 0, 2), 1, 55), (CoreID(1, 0, 2), 1, 56)])
                #expect(try await transceiver[CoreID(1, 0, 2)].userRegister(1) == 56)
                let infos = try await transceiver.coreInfos()
                #expect(infos.count == machine.chips.reduce(0) { $0 + $1.workingCores })
                #expect(infos.filter { $0.state == .idle }.count == machine.applicationCoreCount)
                #expect(try await transceiver.text(of: [CoreID(0, 0, 1)]).first?.text == "")
                #expect(try await transceiver[ChipID(0, 0)].clockDrift() == 0)
                try await transceiver[ChipID(0, 0)].setLEDs(LEDActions(word: 3))
                try await transceiver.setSynchronisation(false)
                try await transceiver.setWatchdog(afterMisses: 5)
                try await transceiver[ChipID(1, 0)].setWatchdog(afterMisses: 7)
                let watchdogs = try await transceiver.read(
                    BoardShape.spinn3.chips.map { .init(chip: $0, address: SV.softWatchdog.address, count: 1) })
                #expect(Set(watchdogs) == [ByteBuffer(bytes: [5]), ByteBuffer(bytes: [7])])
            }
        }
    }

    @Test func anErrorNamesWhoWasAskedWhat() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                do {
                    _ = try await transceiver[ChipID(9, 9)].read(at: MemoryMap.sdram, count: 4)
                    Issue.record("a chip that is not there was read")
                } catch let error as TransceiverError {
                    #expect(error.code == .requestFailed)
                    #expect(error.request?.code == .rejected(.noRoute))
                    #expect(error.chip == ChipID(9, 9))
                    #expect(error.request?.address == MemoryMap.sdram)
                    #expect("\(error)".contains(host.boards[0].address.description))
                }
            }
        }
    }
}
