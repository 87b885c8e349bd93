//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// Everything that a transceiver does, done once on a virtual machine of three boards (or one) that is on and not booted: what
/// each link must be able to carry.
///
/// It tells what was not as it should be, as text; nothing is a good tour. The machine is left with what the tour made on it, so
/// that two tours of two machines lead to the same ``MachineView``.
package struct TransceiverTour {
    private let transceiver: Transceiver
    package private(set) var complaints: [String] = []
    private static let application: UInt8 = 42
    /// Where it writes: well behind what it allocates, so that no heap's headers are hit.
    package static let memory = MemoryMap.userSDRAM + 1 << 20

    package init(_ transceiver: Transceiver) { self.transceiver = transceiver }

    /// - Returns: what is to be complained about.
    package static func complaints(about transceiver: Transceiver) async throws -> [String] {
        var tour = TransceiverTour(transceiver)
        try await tour.walk()
        return tour.complaints
    }

    private mutating func expect<Value: Equatable>(_ what: String, _ value: Value, _ expected: Value) {
        if value != expected { self.complaints.append("\(what): \(value), not \(expected)") }
    }

    private mutating func expectRefusal(
        _ what: String, _ code: TransceiverError.Code, _ body: (Transceiver) async throws -> Void
    ) async {
        do {
            try await body(self.transceiver)
            self.complaints.append("\(what): no error")
        } catch let error as TransceiverError {
            self.expect(what, error.code, code)
        } catch {
            self.complaints.append("\(what): \(error)")
        }
    }

    private mutating func walk() async throws {
        self.expect("software", try await self.transceiver.ensureReady(image: .placeholder).name, "SC&MP")
        let machine = try await self.transceiver.discoverMachine()
        self.expect(
            "chips by board", machine.ethernetChips.reduce(0) { $0 + machine.chips(onBoardOf: $1.id).count },
            machine.chips.count)
        self.expect("silent chips", machine.notes.filter { if case .silent = $0 { true } else { false } }.count, 0)
        try await self.memory(machine)
        try await self.heaps(machine)
        try await self.routing(machine)
        try await self.tags(machine)
        try await self.applications(machine)
        try await self.rest(machine)
    }

    // MARK: - Stops

    private mutating func memory(_ machine: Machine) async throws {
        // Odd lengths and addresses, on every board at once.
        let parts = machine.ethernetChips.enumerated().flatMap { board, ethernet in
            machine.chips(onBoardOf: ethernet.id).suffix(2).enumerated().map { index, chip in
                (
                    chip: chip.id, address: TransceiverTour.memory + UInt32(board + index),
                    bytes: ByteBuffer(bytes: (0..<(5_003 + index)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ board &+ index) })
                )
            }
        }
        try await self.transceiver.write(parts)
        let back = try await self.transceiver.read(
            parts.map { .init(chip: $0.chip, address: $0.address, count: $0.bytes.readableBytes) })
        self.expect("memory that was written", back == parts.map(\.bytes), true)

        let chip = self.transceiver[ChipID(1, 0)]
        try await chip.fill(at: TransceiverTour.memory, with: 0xDEAD_BEEF, count: 1024)
        try await chip.writeWord(7, at: TransceiverTour.memory + 8)
        self.expect("a word that was filled", try await chip.readWord(at: TransceiverTour.memory + 1020), 0xDEAD_BEEF)
        self.expect("a word that was written", try await chip.readWord(at: TransceiverTour.memory + 8), 7)
        let neighbour = self.transceiver[ChipID(0, 0)]
        let seen = try await neighbour.readNeighbour(over: .east, at: TransceiverTour.memory + 8, count: 4)
        self.expect("a neighbour's word", seen.getInteger(at: seen.readerIndex, endianness: .little, as: UInt32.self), 7)
        try await neighbour.writeNeighbour(over: .east, ByteBuffer(repeating: 1, count: 8), at: TransceiverTour.memory)
        self.expect("a word that a neighbour wrote", try await chip.readWord(at: TransceiverTour.memory), 0x0101_0101)

        let source = AsyncStream { continuation in
            for index in 0..<5 { continuation.yield(ByteBuffer(repeating: UInt8(index + 1), count: 999)) }
            continuation.finish()
        }
        let (count, sum) = try await chip.write(source, at: TransceiverTour.memory + 4097)
        self.expect("bytes of a stream", count, 4995)
        var stream = ByteBuffer()
        for try await piece in chip.pieces(at: TransceiverTour.memory + 4097, count: 4995, pieceSize: 500) {
            stream.writeImmutableBuffer(piece)
        }
        self.expect("the sum of a stream", Self.sum(of: stream), sum)

        let core = self.transceiver[CoreID(1, 1, 4)]
        for number in UInt8(0)..<4 { try await core.setUserRegister(number, to: 100 + UInt32(number)) }
        self.expect("user registers", try await core.info().vcpu.user, [100, 101, 102, 103])
        await self.expectRefusal("memory of a chip that is not there", .requestFailed) { transceiver in
            _ = try await transceiver[ChipID(200, 200)].read(at: MemoryMap.sdram, count: 4)
        }
    }

    private static func sum(of bytes: ByteBuffer) -> UInt32 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.readableBytesView.enumerated() { sum &+= UInt32(byte) << UInt32(8 * (index % 4)) }
        return sum
    }

    private mutating func heaps(_ machine: Machine) async throws {
        let chip = self.transceiver[ChipID(1, 1)]
        let before = try await chip.heap()
        let space = try await chip.sdramSpace()
        let first = try await chip.allocateSDRAM(1000, application: 17, tag: 3)
        let second = try await chip.allocateSDRAM(500, application: 17)
        self.expect("a block by its tag", try await chip.taggedSDRAM(application: 17, tag: 3), first)
        self.expect("a tag that nobody has", try await chip.taggedSDRAM(application: 17, tag: 4), nil)
        self.expect("blocks of an application", try await chip.heap().filter { $0.application == 17 }.count, 2)
        try await chip.freeSDRAM(at: second)
        self.expect("blocks that were freed", try await chip.freeSDRAM(of: 17), 1)
        self.expect("the heap afterwards", try await chip.heap(), before)
        self.expect("the space afterwards", try await chip.sdramSpace(), space)
        await self.expectRefusal("a gigabyte", .outOfSDRAM) { transceiver in
            _ = try await transceiver[ChipID(1, 1)].allocateSDRAM(.max / 2, application: 17)
        }
        let many = try await self.transceiver.allocateSDRAM(
            machine.ethernetChips.map { .init(chip: $0.id, size: 64, application: 18, tag: 1) })
        self.expect("blocks on every board", many.count, machine.ethernetChips.count)
    }

    private mutating func routing(_ machine: Machine) async throws {
        let chip = self.transceiver[ChipID(0, 1)]
        let entries = (0..<20).map { index in
            MulticastEntry(
                key: UInt32(index) << 8, mask: 0xFFFF_FF00,
                route: RouteWord(links: [.east, .north], cores: CoreMask(cores: [1, 5])))
        }
        self.expect("no routes", try await chip.loadRoutes([], application: 30), nil)
        self.expect("the first entry", try await chip.loadRoutes(entries, application: 30), 1)
        self.expect("routes that were loaded", try await chip.routes(of: 30), entries)
        self.expect("routes of another", try await chip.routes(of: 31).count, 0)
        await self.expectRefusal("too many routes", .outOfRoutingEntries) { transceiver in
            try await transceiver[ChipID(0, 1)].loadRoutes(Array(repeating: entries[0], count: 1020), application: 31)
        }
        try await chip.setFixedRoute(RouteWord(links: [.west]), application: 30)
        self.expect("the fixed route", try await chip.fixedRoute().links, [.west])
        try await chip.setDiagnosticFilter(.defaultRoutedLocal, at: 12)
        self.expect("a filter", try await chip.diagnosticFilter(at: 12), .defaultRoutedLocal)
        _ = try await chip.routerDiagnostics()
        try await chip.clearRouterCounters()
        try await self.transceiver.clearRouterCounters()
        try await self.transceiver.clearRoutes()
        self.expect("routes after all were cleared", try await chip.routes(of: 30).count, 0)
        self.expect("a filter after routes were cleared", try await chip.diagnosticFilter(at: 12), .defaultRoutedLocal)
        try await chip.loadRoutes(entries, application: 30)
        try await self.transceiver.resetRouting()
        self.expect("routes after a reset", try await chip.routes(of: 30).count, 0)
        self.expect("filter 14 after a reset", try await chip.diagnosticFilter(at: 14), .defaultRoutedExternal)
        try await chip.loadRoutes(entries, application: 30)
    }

    private mutating func tags(_ machine: Machine) async throws {
        guard let last = machine.ethernetChips.last?.id else { return }
        try await self.transceiver.setIPTag(1, address: IPv4Address(10, 0, 0, 1), port: 1234, strip: true)
        try await self.transceiver.setReverseIPTag(2, board: last, port: 12345, core: CoreID(chip: last, p: 3), sdpPort: 1)
        let tags = try await self.transceiver.tags().filter { !$0.isTransient }
        self.expect("boards with tag 1", tags.filter { $0.number == 1 }.map(\.board), machine.ethernetChips.map(\.id))
        let reverse = tags.first { $0.isReverse && $0.number == 2 }
        self.expect("the reverse tag's board", reverse?.board, last)
        self.expect("the reverse tag's port", reverse?.entry.receivePort, 12345)
        try await self.transceiver.clearIPTag(2, board: last)
        self.expect("reverse tags", try await self.transceiver.tags().filter { $0.isReverse && $0.number == 2 }.count, 0)
        await self.expectRefusal("a tag of no board", .invalidArgument) { transceiver in
            try await transceiver.setIPTag(1, board: ChipID(1, 1), address: nil, port: 1, strip: true)
        }
    }

    private mutating func applications(_ machine: Machine) async throws {
        let application = TransceiverTour.application
        var cores = CoreSubsets()
        for ethernet in machine.ethernetChips {
            for chip in machine.chips(onBoardOf: ethernet.id).prefix(2) { cores.insert(CoreID(chip: chip.id, p: 2)) }
        }
        let barrier = ByteBuffer(bytes: VirtualApplication.barrierTest(barriers: 2).image)
        let transceiver = self.transceiver
        try await transceiver.withApplication(application) { application in
            try await transceiver.load(barrier, on: cores, application: application)
            for (state, signal) in [(CoreState.sync0, Signal.sync0), (.sync1, .sync1)] {
                try await transceiver.waitForCores(cores, application: application, in: [state], timeout: .seconds(20))
                try await transceiver.signal(signal, application: application)
            }
            try await transceiver.waitForCores(cores, application: application, in: [.finished], timeout: .seconds(20))
        }
        self.expect(
            "cores after a stop", try await self.transceiver.coreInfos(of: cores).filter { $0.state != .idle }.count, 0)

        // Live input, to a core that counts it.
        let sink = CoreID(1, 0, 3)
        let image = ByteBuffer(bytes: VirtualApplication.spikeSink.image)
        try await self.transceiver.loadEach(image, on: [sink], application: application)
        try await self.transceiver.waitForCores([sink], application: application, in: [.running], timeout: .seconds(20))
        try await self.transceiver.eventSender(to: sink, pacing: .unlimited).send(keys: 0..<300)
        // It goes one way: what the core has counted is all there is to see.
        let end = ContinuousClock.now + .seconds(20)
        while try await self.transceiver[sink].userRegister(3) < 300, ContinuousClock.now < end { await Task.yield() }
        self.expect("messages of live input", try await self.transceiver[sink].userRegister(2), 5)
        self.expect("keys of live input", try await self.transceiver[sink].userRegister(3), 300)
        try await self.transceiver.stop(application: application)

        // A core that fails, and what it has to say.
        let victim = CoreID(0, 0, 5)
        let failing = ByteBuffer(bytes: VirtualApplication.runTimeError(code: 9).image)
        try await self.transceiver.loadEach(failing, on: [victim], application: application)
        await self.expectRefusal("waiting for a core that fails", .coresNotInState) { transceiver in
            try await transceiver.waitForCores([victim], application: application, in: [.finished], timeout: .seconds(20))
        }
        let info = try await self.transceiver[victim].info()
        self.expect("the error", info.vcpu.runTimeError.rawValue, 9)
        self.expect("register 3", info.vcpu.registers[3], 0xC0DE_0003)
        self.expect(
            "what it wrote", try await self.transceiver[victim].text().contains("about to fail with 9"), true)
        self.expect(
            "failed cores", try await self.transceiver.countCores(application: application, in: .runTimeException), 1)
    }

    private mutating func rest(_ machine: Machine) async throws {
        try await self.transceiver[ChipID(0, 0)].setLEDs(LEDActions(word: 3))
        try await self.transceiver.setSynchronisation(false)
        let watchdog = SV.softWatchdog.address
        try await self.transceiver.setWatchdog(afterMisses: 5)
        if let last = machine.chips.last {
            try await self.transceiver[last.id].setWatchdog(afterMisses: 7)
            let own = try await self.transceiver[last.id].read(at: watchdog, count: 1)
            self.expect("the watchdog of one chip", own, ByteBuffer(integer: UInt8(7)))
        }
        let others = try await self.transceiver.read(
            machine.chips.dropLast().map { .init(chip: $0.id, address: watchdog, count: 1) })
        self.expect("the watchdogs of all", Set(others), [ByteBuffer(integer: UInt8(5))])
        // As it was: a core that the virtual machine stops must not be found by it.
        try await self.transceiver.setWatchdog(afterMisses: 0)
        self.expect("clock drift", try await self.transceiver[ChipID(0, 0)].clockDrift(), 0)
        self.expect(
            "links to boards", self.transceiver.connectedChips.sorted(), machine.ethernetChips.map(\.id).sorted())
    }
}
