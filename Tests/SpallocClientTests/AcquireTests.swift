//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNaker
import Testing

@testable import SpallocClient

/// Getting a machine that works, where none does: a proxy behind which no board answers.
@Suite(.timeLimit(.minutes(3))) struct AcquireTests {
    private let far = ProxyPeer()

    /// Each new job is ready; its boards are behind `far`.
    private func service(jobState: String = "READY") -> FakeService {
        let far = self.far
        return FakeService(
            { $0.jobState = jobState },
            special: { request in
                switch request.call {
                case "GET /spalloc/proxy/42": .webSocket { far.makeUser($0) }
                case "GET /spalloc/srv/spalloc/jobs/42/chip": .json(#"{"machine":"M","logical-board-coordinates":[0,0,2]}"#)
                case "POST /spalloc/srv/spalloc/jobs/42/report-issue": .json(#"{"action":"report noted"}"#)
                default: nil
                }
            })
    }

    private var quick: SpallocClient.Acquisition {
        var acquisition = SpallocClient.Acquisition()
        acquisition.attempts = 3
        acquisition.readyTimeout = .seconds(30)
        acquisition.transceiver.timeout = .milliseconds(20)
        acquisition.transceiver.retries = 0
        acquisition.transceiver.probeRetries = 0
        acquisition.transceiver.bootAttempts = 1
        return acquisition
    }

    @Test func boardsThatFailAreReportedAndOthersTriedABoundedNumberOfTimes() async throws {
        let service = self.service()
        try await service.run { client, peer in
            var failures: [Int] = []
            let error = await #expect(throws: TransceiverError.self) {
                try await client.acquire(
                    .boards(1), by: self.quick,
                    onFailure: { attempt, _ in
                        failures.append(attempt)
                        service.setJob("READY")
                    }
                ) { _, _ in Issue.record("the body ran without boards") }
            }
            #expect(error?.isCancellation == false)
            #expect(failures == [1, 2])
            // Each job is dropped before the next is asked for, and its board reported once.
            let calls = peer.calls.filter { $0.hasPrefix("POST /spalloc/srv") || $0.hasPrefix("DELETE") }
            let round = [
                "POST /spalloc/srv/spalloc/jobs/", "POST /spalloc/srv/spalloc/jobs/42/report-issue",
                "DELETE /spalloc/srv/spalloc/jobs/42/",
            ]
            #expect(calls == round + round + round)
            let report = peer.requests.first { $0.path.hasSuffix("report-issue") }?.text ?? ""
            #expect(report.contains(#""boards":[{"machine":"M","x":0,"y":0,"z":2}]"#))
        }
    }

    @Test func aFullQueueIsNotTriedAgain() async throws {
        var acquisition = self.quick
        // Long enough for the first answer on a busy machine: without one it would not be known to be a queue.
        acquisition.readyTimeout = .seconds(3)
        let chosen = acquisition
        let service = self.service(jobState: "QUEUED")
        try await service.run { client, peer in
            let error = await #expect(throws: SpallocError.self) {
                try await client.acquire(.boards(1), by: chosen) { _, _ in }
            }
            #expect(error?.code == .queueTimeout)
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/") == 1)
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/42/report-issue") == 0)
            #expect(service.now.destroyReasons.count == 1)
        }
    }

    @Test func aJobThatIsDestroyedBeforeItIsReadyIsReplaced() async throws {
        var acquisition = self.quick
        acquisition.attempts = 2
        let chosen = acquisition
        let service = self.service(jobState: "DESTROYED")
        try await service.run { client, peer in
            let error = await #expect(throws: SpallocError.self) {
                try await client.acquire(.boards(1), by: chosen) { _, _ in }
            }
            #expect(error?.code == .jobDestroyed)
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/") == 2)
        }
    }
}
