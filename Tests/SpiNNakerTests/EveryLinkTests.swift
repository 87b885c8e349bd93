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

/// All of the transceiver over UDP and through memory; over a job's proxy in EndToEndTests.
@Suite(.serialized, .timeLimit(.minutes(3))) struct EveryLinkTests {
    private static func description() -> VirtualMachineDescription {
        var description = VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true)
        description.hasFirmwareLinkQuirks = false
        return description
    }

    /// The chips on which the tour leaves something.
    private static let detailed: Set = [ChipID(0, 0), ChipID(1, 0), ChipID(0, 1), ChipID(1, 1), ChipID(4, 8), ChipID(8, 4)]
    private static let summed = (address: TransceiverTour.memory, count: 8 << 10)

    @Test func theSameOverUDPAndThroughMemory() async throws {
        let memory = try await InMemoryHost.make(Self.description())
        let throughMemory = try await withTransceiver(
            links: memory.boardLinks(), boot: memory.link(to: .board(0), port: BootMessage.port), configuration: .quick
        ) { transceiver in
            let complaints = try await TransceiverTour.complaints(about: transceiver)
            #expect(complaints.isEmpty, "\(complaints)")
            return try await transceiver.view(summed: Self.summed, detailed: Self.detailed)
        }
        let overUDP = try await withVirtualBoards(.triads(width: 1, height: 1)) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                let complaints = try await TransceiverTour.complaints(about: transceiver)
                #expect(complaints.isEmpty, "\(complaints)")
                return try await transceiver.view(summed: Self.summed, detailed: Self.detailed)
            }
        }
        // Boards have other addresses each time; all else is the same.
        #expect(throughMemory.chips.map(\.links) == overUDP.chips.map(\.links))
        #expect(throughMemory.chips.map(\.applicationCores) == overUDP.chips.map(\.applicationCores))
        #expect(throughMemory.chips.map(\.freeSDRAM) == overUDP.chips.map(\.freeSDRAM))
        #expect(throughMemory.tags == overUDP.tags)
        #expect(throughMemory.routes == overUDP.routes)
        #expect(throughMemory.heaps == overUDP.heaps)
        #expect(throughMemory.cores == overUDP.cores)
        #expect(throughMemory.texts == overUDP.texts)
        #expect(throughMemory.sums == overUDP.sums)
        #expect(throughMemory.chips.count == 144)
        #expect(throughMemory.routes["0,1"]?.count == 21)
        #expect(throughMemory.tags.count == 3)
        #expect(throughMemory.texts["0,0,5"]?.contains("about to fail") == true)
    }

    @Test func aBMPThroughMemory() async throws {
        let memory = try await InMemoryHost.make(
            VirtualMachineDescription(.spinn5, bootTimeScale: 0, powerOnDelay: .milliseconds(1)))
        var configuration = TransceiverConfiguration.quick
        configuration.bootAttempts = 1
        configuration.bootTimeout = .milliseconds(500)
        try await withTransceiver(
            links: [.root: memory.link(to: .board(0))], boot: memory.link(to: .board(0), port: BootMessage.port),
            bmps: [memory.link(to: .bmp(frame: 0))], configuration: configuration
        ) { transceiver in
            let version = try await transceiver.ensureReady(image: .placeholder)
            #expect(version.name == "SC&MP")
            #expect(try await memory.withMachine { $0.isPowered(board: 0) })
            let bmp = transceiver.bmps[0]
            #expect(try await bmp.version().name == "BC&MP")
            #expect(try await bmp.status().hasPower)
            #expect(try await bmp.status().temperatureTop == 28)
            #expect(try await bmp.serial().hardwareVersion > 0)
            #expect(try await bmp.addresses() == bmp.addresses(board: 0))
            #expect(try await bmp.canStatus().boards.first == 1)
            // Longer than one request takes, and not a multiple of it.
            let flash = try await bmp.readSerialFlash(at: 0x1000, count: 700)
            #expect(flash.readableBytes == 700)
            #expect(try await bmp.readSerialFlash(at: 0x1000 + 256, count: 300) == flash.getSlice(at: 256, length: 300))
            await #expect(throws: TransceiverError.self) { try await bmp.readSerialFlash(at: .max, count: 4) }
            try await bmp.setLEDs(LEDActions(word: 3))
            try await bmp.writeFPGARegister(FPGARegister.ledOverride, of: 1, value: 1)
            #expect(try await bmp.readFPGARegister(FPGARegister.ledOverride, of: 1) == 1)
            try await bmp.setPower(on: false)
            #expect(try await !bmp.status().hasPower)
        }
    }
}
