//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import SpallocAPI
import SpallocClient
import SpallocDemo
import SpallocServer
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import Testing

extension EndToEnd {
    /// Jobs between users, service and boards.
    @Suite struct JobLifeTests {
        @Test func aSecondJobWaitsUntilTheFirstEnds() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let first = try await client.createJob(.boards(3))
                    try await first.waitUntilReady { _ in }
                    #expect(try await house.powered() == [true, true, true])
                    let boards = Set(try await first.connections().map(\.hostname))
                    try await house.asClient(.other) { other in
                        try await other.withJob(.boards(3)) { second in
                            var states = second.states.makeAsyncIterator()
                            #expect(try await states.next() == .queued)
                            #expect(try await second.machine() == nil)
                            #expect(try await second.power() == nil)
                            try await first.destroy()
                            try await second.waitUntilReady { _ in }
                            #expect(Set(try await second.connections().map(\.hostname)) == boards)
                            #expect(try await house.powered() == [true, true, true])
                            #expect(try house.history(of: second.id) == ["QUEUED", "POWER", "READY"])
                        }
                    }
                    #expect(try house.history(of: first.id) == ["QUEUED", "POWER", "READY", "DESTROYED"])
                }
                try await house.waitUntilBoardsAreOff()
            }
        }

        /// Boards that go from one job to the next carry nothing over.
        @Test func theNextJobFindsNothingOfTheLast() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let secret = ByteBuffer(repeating: 0x5A, count: 1024)
                    try await client.withJob(.boards(3)) { job in
                        try await job.waitUntilReady { _ in }
                        try await job.withTransceiver(configuration: .virtual) { transceiver in
                            _ = try await transceiver.ensureReady(image: .placeholder)
                            try await transceiver[ChipID(0, 0)].write(secret, at: 0x6030_0000)
                            #expect(try await transceiver[ChipID(0, 0)].read(at: 0x6030_0000, count: 1024) == secret)
                        }
                    }
                    try await client.withJob(.boards(3)) { job in
                        try await job.waitUntilReady { _ in }
                        try await job.withTransceiver(configuration: .virtual) { transceiver in
                            _ = try await transceiver.ensureReady(image: .placeholder)
                            #expect(try await transceiver[ChipID(0, 0)].read(at: 0x6030_0000, count: 1024) != secret)
                        }
                    }
                }
            }
        }

        @Test func aJobThatNobodyKeepsAliveEnds() async throws {
            try await House.run(.quick { $0.timings.minimumKeepalive = .milliseconds(100) }) { house in
                try await RawService.with(house) { service in
                    let made = try await service.call(
                        .POST, "jobs/", body: "{\"num-boards\":1,\"keepalive-interval\":\"PT0.5S\",\"tags\":[\"default\"]}")
                    #expect(made.status == 201, "\(made)")
                }
                try await house.asClient { client in
                    let job = client.job(1)
                    var last: JobState?
                    for try await state in job.states { last = state }
                    #expect(last == .destroyed)
                    let details = try await job.details()
                    #expect(details.reason?.contains("keepalive") == true, "\(String(describing: details.reason))")
                    #expect(details.finishTime != nil)
                    let error = await #expect(throws: SpallocError.self) { try await job.waitUntilReady { _ in } }
                    #expect(error?.code == .jobDestroyed)
                }
                try await house.waitUntilBoardsAreOff()
            }
        }

        @Test func powerGoesOffAndOnAgain() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    try await client.withJob(.boards(2)) { job in
                        try await job.waitUntilReady { _ in }
                        #expect(try await house.powered().count { $0 } == 2)
                        #expect(try await job.power() == .on)
                        try await job.withTransceiver(configuration: .virtual) { transceiver in
                            _ = try await transceiver.ensureReady(image: .placeholder)
                            #expect(try await transceiver.discoverMachine().chips.count == 96)
                        }
                        try await job.setPower(.off)
                        try await job.waitUntilReady { _ in }
                        #expect(try await job.power() == .off)
                        #expect(try await house.powered() == [false, false, false])
                        // Off, but still ours.
                        #expect(try await job.connections().count == 2)

                        try await job.setPower(.on)
                        try await job.waitUntilReady { _ in }
                        #expect(try await job.power() == .on)
                        #expect(try await house.powered().count { $0 } == 2)
                        try await job.withTransceiver(configuration: .virtual) { transceiver in
                            // What was booted is gone; it boots anew.
                            let version = try await transceiver.ensureReady(image: .placeholder)
                            #expect(version.name == "SC&MP")
                            #expect(try await transceiver.discoverMachine().chips.count == 96)
                        }
                    }
                }
                try await house.waitUntilBoardsAreOff()
            }
        }

        @Test func destroyedByOneItIsOverForAllWhoHoldIt() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let job = try await client.createJob(.boards(1))
                    try await job.waitUntilReady { _ in }
                    try await house.asClient { again in
                        // The same user elsewhere.
                        try await again.job(job.id).destroy(reason: "wanted no more")
                    }
                    var last: JobState?
                    for try await state in job.states { last = state }
                    #expect(last == .destroyed)
                    #expect(try await job.details().reason == "wanted no more")
                    // A second time is no error.
                    try await job.destroy()
                }
                try await house.waitUntilBoardsAreOff()
            }
        }
    }
}
