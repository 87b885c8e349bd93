//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpallocClient

/// The transceiver over a job's proxy, with virtual boards at its far end.
@Suite(.timeLimit(.minutes(3))) struct TransceiverTests {
    static var configuration: TransceiverConfiguration {
        var configuration = TransceiverConfiguration()
        configuration.bootPause = .zero
        configuration.probeRetries = 0
        // Large blocks go by HTTP otherwise.
        configuration.memoryRoute = .links
        return configuration
    }

    @Test func threeBoardsAreOneMachine() async throws {
        let boards = try BoardPeer(.triads(width: 1, height: 1))
        try await FakeService.withBoards([boards], boards: 3).run { client, _ in
            try await client.job(42).withTransceiver(configuration: Self.configuration) { transceiver in
                try await transceiver.ensureReady(image: .placeholder)
                let machine = try await transceiver.discoverMachine()
                #expect(machine.chips.count == 144)
                #expect(Set(machine.ethernetChips.map(\.id)) == [ChipID(0, 0), ChipID(8, 4), ChipID(4, 8)])
                // A block on each board, over as many channels of the one websocket.
                let parts = machine.ethernetChips.map { chip in
                    (
                        chip: chip.id, address: UInt32(0x6100_0000),
                        bytes: ByteBuffer(bytes: (0..<5000).map { UInt8(truncatingIfNeeded: $0) })
                    )
                }
                try await transceiver.write(parts)
                let back = try await transceiver.read(
                    parts.map { .init(chip: $0.chip, address: $0.address, count: $0.bytes.readableBytes) })
                #expect(back == parts.map(\.bytes))
            }
            #expect(boards.websocketCount == 1)
        }
    }

    /// The Python client's connection objects keep the dead websocket for ever.
    @Test func aLostWebSocketLosesNoRequest() async throws {
        let boards = try BoardPeer()
        try await FakeService.withBoards([boards]).run { client, _ in
            var configuration = Self.configuration
            configuration.timeout = .milliseconds(200)
            configuration.retries = 100
            try await client.job(42).withTransceiver(configuration: configuration) { transceiver in
                try await transceiver.ensureReady(image: .placeholder)
                let data = ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                // In the middle of the transfer, with a window of requests under way.
                boards.cut(after: 150)
                try await transceiver[ChipID(1, 1)].write(data, at: 0x6100_0000)
                boards.cut(after: 150)
                let back = try await transceiver[ChipID(1, 1)].read(at: 0x6100_0000, count: 100_000)
                #expect(back == data)
            }
            #expect(boards.websocketCount == 3)
        }
    }

    @Test func aJobWithoutBoardsHasNoTransceiver() async throws {
        let boards = try BoardPeer()
        let service = FakeService.withBoards([boards], boards: 0)
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) {
                try await client.job(42).withTransceiver { _ in Issue.record("there is no board to talk to") }
            }
            #expect("\(error)" == "job 42: it has no boards")
        }
    }
}

/// Getting a machine that works, where there is one.
@Suite(.timeLimit(.minutes(3))) struct AcquiredMachineTests {
    private var acquisition: SpallocClient.Acquisition {
        var acquisition = SpallocClient.Acquisition()
        acquisition.image = .placeholder
        acquisition.transceiver = TransceiverTests.configuration
        return acquisition
    }

    private func posts(_ peer: ScriptedPeer) -> [String] {
        peer.calls.filter { $0.hasPrefix("POST /spalloc/srv") || $0.hasPrefix("DELETE") }.map {
            $0.replacing("/spalloc/srv/spalloc/jobs/", with: "jobs/")
        }
    }

    @Test func itIsBootedLookedAtAndHandedOver() async throws {
        let service = FakeService.withBoards([try BoardPeer(.triads(width: 1, height: 1))], boards: 3)
        try await service.run { client, peer in
            let version = try await client.acquire(
                .boards(3), by: self.acquisition, onFailure: { Issue.record("attempt \($0): \($1)") }
            ) { job, transceiver in
                #expect(job.id == 42)
                #expect(transceiver.machine?.chips.count == 144)
                return try await transceiver.version().name
            }
            #expect(version == "SC&MP")
            #expect(self.posts(peer) == ["POST jobs/", "DELETE jobs/42/"])
            #expect(service.now.destroyReasons == ["finished"])
        }
    }

    @Test func aSilentBoardIsReportedAndTheNextJobTaken() async throws {
        var acquisition = self.acquisition
        acquisition.transceiver.timeout = .milliseconds(500)
        acquisition.transceiver.bootTimeout = .milliseconds(500)
        acquisition.transceiver.bootAttempts = 1
        let chosen = acquisition
        let service = FakeService.withBoards([try BoardPeer(isSilent: true), try BoardPeer()])
        try await service.run { client, peer in
            var failures: [String] = []
            let chips = try await client.acquire(
                .boards(1), by: chosen,
                onFailure: { attempt, error in
                    failures.append("\(attempt): \(type(of: error))")
                    service.setJob("READY")
                }
            ) { _, transceiver in transceiver.machine?.chips.count }
            #expect(chips == 48)
            #expect(failures == ["1: TransceiverError"])
            #expect(
                self.posts(peer) == [
                    "POST jobs/", "POST jobs/42/report-issue", "DELETE jobs/42/", "POST jobs/", "DELETE jobs/42/",
                ])
        }
    }

    @Test func aBoardOfSeveralThatIsDeadIsReportedByItsPlace() async throws {
        var acquisition = self.acquisition
        acquisition.transceiver.timeout = .milliseconds(500)
        acquisition.transceiver.retries = 3
        let chosen = acquisition
        let faults = HardwareFaults(deadBoards: [BoardCoordinates(0, 0, 1)])
        let service = FakeService.withBoards(
            [try BoardPeer(.triads(width: 1, height: 1), faults: faults), try BoardPeer(.triads(width: 1, height: 1))],
            boards: 3)
        try await service.run { client, peer in
            var failures: [String] = []
            try await client.acquire(
                .boards(3), by: chosen,
                onFailure: { _, error in
                    failures.append("\(error)")
                    service.setJob("READY")
                }
            ) { _, transceiver in #expect(transceiver.machine?.chips.count == 144) }
            #expect(failures.count == 1 && failures.first?.contains("(8, 4)") == true, "\(failures)")
            let report = try #require(peer.requests.first { $0.path.hasSuffix("report-issue") }?.text)
            #expect(report.contains(#""boards":[{"machine":"M","x":0,"y":0,"z":1}]"#))
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/42/report-issue") == 1)
            #expect(service.now.destroyReasons.first?.contains("(8, 4)") == true)
        }
    }

    @Test func aProxyThatRefusesABoardIsReasonToTakeAnotherJob() async throws {
        let bad = try BoardPeer()
        bad.refuse(ChipID(0, 0))
        let service = FakeService.withBoards([bad, try BoardPeer()])
        try await service.run { client, peer in
            var failures: [String] = []
            try await client.acquire(
                .boards(1), by: self.acquisition,
                onFailure: { _, error in
                    failures.append("\(error)")
                    service.setJob("READY")
                }
            ) { _, _ in }
            #expect(failures.count == 1)
            #expect(failures.first?.hasSuffix("no such board") == true)
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/") == 2)
        }
    }

    /// What the user's own program throws is no fault of the machine.
    @Test func anErrorOfTheProgramIsNotTriedAgain() async throws {
        struct Mishap: Error {}
        let service = FakeService.withBoards([try BoardPeer()])
        try await service.run { client, peer in
            await #expect(throws: Mishap.self) {
                try await client.acquire(.boards(1), by: self.acquisition) { _, _ in throw Mishap() }
            }
            #expect(self.posts(peer) == ["POST jobs/", "DELETE jobs/42/"])
            #expect(service.now.destroyReasons == ["failed: Mishap()"])
        }
    }

    @Test func aCancelledAcquisitionTakesNoOtherJob() async throws {
        let service = FakeService.withBoards([try BoardPeer(isSilent: true)])
        try await service.run { client, peer in
            let task = Task { try await client.acquire(.boards(1), by: self.acquisition) { _, _ in } }
            try await eventually { peer.count("GET /spalloc/proxy/42") == 1 }
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/") == 1)
            #expect(service.now.destroyReasons.count == 1)
        }
    }
}
