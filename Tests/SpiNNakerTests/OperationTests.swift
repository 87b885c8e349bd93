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

/// Operations whose far end must do something particular.
@Suite(.timeLimit(.minutes(3))) struct OperationTests {
    func with(
        _ answer: @escaping @Sendable (SCPPacket) -> (result: SCPResult, payload: ByteBuffer)?,
        _ body: (Transceiver, AnsweringLink) async throws -> Void
    ) async throws {
        let link = AnsweringLink(answer)
        var configuration = TransceiverConfiguration()
        configuration.retryDelay = .milliseconds(1)
        // Nothing is lost on this link, so a request that is sent twice is an error, however slow the machine is.
        configuration.timeout = .seconds(60)
        configuration.resendsEarly = false
        try await withTransceiver(links: [.origin: link], configuration: configuration) { try await body($0, link) }
    }

    // MARK: Applications

    @Test func anImageIsCopiedLevelByLevel() async throws {
        let image = ByteBuffer(bytes: (0..<1000).map { UInt8(truncatingIfNeeded: $0) })
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            transceiver.withState { $0.machine = Machine.tree }
            let told = NIOLockedValueBox<[Int]>([])
            try await transceiver.load(
                image, on: [CoreID(0, 0, 1), CoreID(0, 0, 2), CoreID(1, 1, 5)], application: 30, wait: true
            ) { done in told.withLockedValue { $0.append(done) } }
            let sent = try await link.allSent()
            #expect(sent.prefix(4).allSatisfy { $0.command == .write && $0.header.destinationChip == .origin })
            let run = try RunApplication(arguments: sent[4].arguments, data: sent[4].data)
            #expect(run.start == ApplicationStart(application: 30, cores: CoreMask(cores: [1, 2]), wait: true))
            let copies = try sent.dropFirst(5).map { packet in
                (packet.header.destinationChip, try CopyAndRunApplication(arguments: packet.arguments, data: packet.data))
            }
            // (0, 0) has three children and gives the image to one at a time.
            #expect(copies.count == 3)
            #expect(Set(copies.map(\.0)) == [ChipID(0, 1), ChipID(1, 0), ChipID(1, 1)])
            for (chip, copy) in copies {
                #expect(copy.size == 1000)
                #expect(copy.checksum == CopyAndRunApplication.checksum(of: image) & 0x1FFF_FFFF)
                #expect(copy.start.cores == (chip == ChipID(1, 1) ? CoreMask(cores: [5]) : []))
            }
            #expect(told.withLockedValue { $0 } == [1, 2, 3, 4])
        }
    }

    @Test(arguments: [SCPResult.ok, .badChecksum])
    func aWrongSumIsFound(_ result: SCPResult) async throws {
        try await self.with { packet in
            packet.command == .applicationCopyRun ? (result, words(0x1234)) : (.ok, ByteBuffer())
        } _: { transceiver, _ in
            transceiver.withState { $0.machine = Machine.tree }
            do {
                try await transceiver.load(ByteBuffer(repeating: 1, count: 8), on: [CoreID(1, 1, 1)], application: 30)
                Issue.record("a wrong copy was started")
            } catch let error as TransceiverError {
                #expect(error.code == .checksumMismatch)
            }
        }
    }

    @Test func whatCanNotBeLoadedIsNotWritten() async throws {
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            await #expect(throws: TransceiverError.self) {
                try await transceiver.load(ByteBuffer(repeating: 0, count: 8), on: [CoreID(0, 0, 1)], application: 30)
            }
            transceiver.withState { $0.machine = Machine.tree }
            await #expect(throws: TransceiverError.self) {
                try await transceiver.load(ByteBuffer(repeating: 0, count: 7), on: [CoreID(0, 0, 1)], application: 30)
            }
            await #expect(throws: TransceiverError.self) {
                try await transceiver.load(ByteBuffer(repeating: 0, count: 8), on: [CoreID(9, 9, 1)], application: 30)
            }
            let sent = try await link.allSent()
            #expect(sent.isEmpty)
        }
    }

    @Test func anApplicationStopsWhateverHappens() async throws {
        struct Oops: Error {}
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { transceiver, link in
            await #expect(throws: Oops.self) {
                try await transceiver.withApplication(30) { id in
                    try await transceiver.signal(.start, application: id)
                    throw Oops()
                }
            }
            let task = Task {
                try await transceiver.withApplication(31) { _ in try await Task.sleep(for: .seconds(1000)) }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let commands = try await link.allSent().map(\.command)
            #expect(commands == [.signal, .nearestNeighbourPacket, .nearestNeighbourPacket])
        }
    }

    @Test func aSimulationIsToldOnPortThree() async throws {
        try await self.with { packet in
            packet.header.flags.contains(.replyWanted) ? (.ok, words(77)) : nil
        } _: {
            transceiver, link in
            let core = transceiver[CoreID(1, 1, 3)]
            let time = try await core.tell(GetSimulationTime())
            #expect(time?.word == 77)
            let stopped = try await core.tell(StopSimulation())
            #expect(stopped == nil)
            await core.updateProvenanceAndExit()
            let sent = try await link.allSent()
            #expect(sent.map(\.header.destination) == Array(repeating: SDPAddress(port: 3, cpu: 3), count: 2))
            #expect(sent.map { $0.header.flags.contains(.replyWanted) } == [true, false])
            #expect(sent.map(\.command) == [RunningCommand.currentTime.command, RunningCommand.stop.command])
            let datagrams = try await link.allDatagrams()
            let message = try SDPMessage(datagram: datagrams[2])
            #expect(message.runningCommand == .updateProvenanceAndExit)
        }
    }

    // MARK: States

    @Test func countsAreAskedAgainWhileAnotherIsGoingOn() async throws {
        let asked = NIOLockedValueBox(0)
        try await self.with { _ in
            // An OK without payload is how firmware says that it is busy counting.
            let count = asked.withLockedValue {
                $0 += 1
                return $0
            }
            return count < 3 ? (.ok, ByteBuffer()) : (.ok, words(5))
        } _: { transceiver, _ in
            let count = try await transceiver.countCores(application: 30, in: .running)
            #expect(count == 5)
            #expect(asked.withLockedValue { $0 } == 3)
        }
    }

    /// Two cores; `states` says what is counted and what the cores say of themselves, poll by poll.
    private func waiting(
        _ states: [[CoreState]], timeout: Duration? = .seconds(100)
    ) async throws {
        let polls = NIOLockedValueBox(0)
        try await self.with { packet in
            let poll = polls.withLockedValue { $0 }
            let now = states[min(poll, states.count - 1)]
            switch packet.command {
            case .count:
                let state = CoreState(rawValue: UInt8(truncatingIfNeeded: packet.arguments.arg2))
                // A poll ends with the count of the last error state.
                if state == .watchdog { polls.withLockedValue { $0 += 1 } }
                return (.ok, words(UInt32(now.filter { $0 == state }.count)))
            case .read:
                let core = Int(packet.arguments.arg1 - MemoryMap.vcpu) / VCPU.size
                var bytes = ByteBuffer()
                VCPU(state: now[core - 1], application: 30).write(into: &bytes)
                return (.ok, bytes)
            default: return (.badCommand, ByteBuffer())
            }
        } _: { transceiver, _ in
            try await transceiver.waitForCores(
                [CoreID(0, 0, 1), CoreID(0, 0, 2)], application: 30, in: [.sync0], timeout: timeout,
                interval: .milliseconds(1))
        }
    }

    @Test func waitsUntilAllAreThere() async throws {
        try await self.waiting([[.running, .running], [.sync0, .running], [.sync0, .sync0]])
    }

    @Test func aCrashEndsTheWait() async throws {
        do {
            try await self.waiting([[.running, .running], [.running, .runTimeException]])
            Issue.record("the crash went unseen")
        } catch let error as TransceiverError {
            #expect(error.code == .coresNotInState)
            #expect(error.cores.map(\.core) == [CoreID(0, 0, 2)])
            #expect("\(error)".contains("r0-r7"))
        }
    }

    @Test func theEndOfTheTimeNamesTheLate() async throws {
        do {
            try await self.waiting([[.sync0, .running]], timeout: .milliseconds(20))
            Issue.record("half of them were enough")
        } catch let error as TransceiverError {
            #expect(error.code == .coresNotInState)
            #expect(error.cores.map(\.state) == [.running])
        }
    }

    // MARK: Routes and memory

    @Test func routesOfOneApplication() async throws {
        let table: UInt32 = 0x67A0_0000
        let entries = [
            RouterCopyEntry(next: 0, free: 0x8000 | 30, route: RouteWord(rawValue: 0x42), key: 1, mask: 0xFF),
            RouterCopyEntry(next: 0, free: 0x8000 | 31, route: RouteWord(rawValue: 0x43), key: 2, mask: 0xFF),
        ]
        try await self.with { packet in
            if packet.arguments.arg1 == SV.routerCopy.address { return (.ok, words(table)) }
            var bytes = ByteBuffer()
            for index in 0..<16 {
                let number = Int(packet.arguments.arg1 - table) / 16 + index
                (number < entries.count ? entries[number] : .cleared).write(into: &bytes)
            }
            return (.ok, bytes)
        } _: { transceiver, link in
            let routes = try await transceiver[ChipID(2, 2)].routes(of: 30)
            #expect(
                routes == [
                    MulticastEntry(key: 1, mask: 0xFF, route: RouteWord(rawValue: 0x42))
                ])
            // The table's address, and each piece of it once.
            let asked = try await link.allSent().map(\.arguments.arg1)
            #expect(asked.count == 65)
            #expect(Set(asked).count == 65)
            #expect(try await transceiver[ChipID(2, 2)].routes().count == 2)
        }
    }

    @Test func aFullChipSaysSo() async throws {
        try await self.with { _ in
            (.ok, words(0))
        } _: { transceiver, _ in
            do {
                _ = try await transceiver[ChipID(1, 2)].allocateSDRAM(100, application: 30, tag: 4)
                Issue.record("address 0 was taken for a block")
            } catch let error as TransceiverError {
                #expect(error.code == .outOfSDRAM)
                #expect(error.chip == ChipID(1, 2))
            }
            #expect(try await transceiver[ChipID(1, 2)].taggedSDRAM(application: 30, tag: 4) == nil)
            await #expect(throws: TransceiverError.self) {
                try await transceiver.allocateSDRAM([.init(chip: .origin, size: 1, application: 30)])
            }
        }
    }

    @Test func aHeapThatRunsBackwardsEndsTheWalk() async throws {
        try await self.with { packet in
            packet.arguments.arg1 == SV.sdramHeap.address ? (.ok, words(0x6000_0000)) : (.ok, words(0x6000_0010, 0x6000_0010))
        } _: { transceiver, _ in
            await #expect(throws: TransceiverError.self) { try await transceiver[.origin].heap() }
        }
    }

    @Test func aMachineThatLooksForItsShapeIsAskedAgain() async throws {
        let asked = NIOLockedValueBox(0)
        try await self.with { packet in
            var bytes = ByteBuffer()
            switch packet.command {
            case .version:
                let count = asked.withLockedValue {
                    $0 += 1
                    return $0
                }
                VersionInfo(
                    virtualCore: 0, physicalCore: 1, chip: count < 3 ? .root : .origin, buildDate: 1, name: "SC&MP",
                    hardware: "SpiNNaker", version: SoftwareVersion(major: 4, minor: 0, patch: 0)
                ).write(into: &bytes)
            case .ipTag: IPTagTimeoutInfo(timeoutCode: 9).write(into: &bytes)
            default:
                ChipInfo(
                    workingCores: 18, workingLinks: 63, largestFreeRouterBlock: 1023, isEthernetUp: true,
                    largestFreeSDRAM: 1, largestFreeSystemRAM: 1, coreStates: [], nearestEthernet: .origin,
                    address: .loopback, parent: 7
                ).write(into: &bytes)
            }
            return (.ok, bytes)
        } _: { transceiver, link in
            let version = try await transceiver.ensureReady()
            #expect(version.chip == .origin)
            #expect(try await link.allSent().map(\.command) == [.version, .version, .version, .ipTag, .info])
            #expect(transceiver.board(at: .loopback) == .origin)
        }
    }
}

extension Machine {
    /// Four chips, three of which are children of (0, 0).
    static var tree: Machine {
        let parents: [ChipID: Link] = [ChipID(0, 1): .south, ChipID(1, 0): .west, ChipID(1, 1): .southWest]
        return Machine(
            shape: MachineShape(board: .spinn3), root: .origin,
            chips: Machine.spinn3.chips.map { chip in
                var chip = chip
                chip.parentLink = parents[chip.id]
                return chip
            })
    }
}
