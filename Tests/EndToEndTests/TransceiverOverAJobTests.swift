//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import SpallocClient
import SpallocDemo
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// All of the transceiver over a job of a real service: the third link, beside UDP and memory (`EveryLinkTests`).
@Suite(.serialized, .timeLimit(.minutes(3))) struct TransceiverOverAJobTests {
    @Test(.timeLimit(.minutes(5))) func everythingThroughTheProxy() async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let narrator = Narrator(isTerminal: false) { _ in }
        try await withDemoHouse(DemoOptions(bootTimeScale: 0), logger: logger, narrator: narrator) { house in
            let access = house.access
            try await withSpallocClient(
                url: access.url, credentials: .password(user: access.user, access.password),
                configuration: SpallocClientConfiguration(trust: .certificateAuthorities(file: access.caFile))
            ) { client in
                try await client.withJob(SpallocJobRequest(.boards(3))) { job in
                    try await job.waitUntilReady(timeout: .seconds(120))
                    try await Self.tour(job)
                }
            }
        }
    }

    private static func tour(_ job: SpallocJob) async throws {
        var configuration = TransceiverConfiguration()
        configuration.bootPause = .zero
        try await job.withTransceiver(configuration: configuration) { transceiver in
            let complaints = try await TransceiverTour.complaints(about: transceiver)
            #expect(complaints.isEmpty, "\(complaints)")
            let machine = try #require(transceiver.machine)
            #expect(machine.chips.count == 144)

            // What goes out one way comes back the other.
            let much = ByteBuffer(bytes: (0..<200_003).map { UInt8(truncatingIfNeeded: $0 &* 5 &+ $0 >> 7) })
            #expect(transceiver.memoryRoute(forBytes: much.readableBytes) == .service)
            let chip = transceiver[ChipID(9, 5)]
            try await chip.write(much, at: MemoryMap.userSDRAM, via: .service)
            #expect(try await chip.read(at: MemoryMap.userSDRAM, count: much.readableBytes, via: .links) == much)
            try await chip.fill(at: MemoryMap.userSDRAM, with: 0, count: 200_000)
            try await chip.write(much, at: MemoryMap.userSDRAM, via: .links)
            #expect(try await chip.read(at: MemoryMap.userSDRAM, count: much.readableBytes, via: .service) == much)
            #expect(try await chip.read(at: MemoryMap.userSDRAM, count: much.readableBytes) == much)
        }
    }
}
