//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct PowerTests {
    @Test func oneCommandForAllBoardsThenTheFPGAs() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            let log = harness.bmp.log
            #expect(log.first == "on 0,1,2")
            #expect(Set(log.dropFirst()) == Set((0..<3).flatMap { slot in (0..<3).map { "flag \(slot) \($0)" } }))
            // The whole machine: nothing leaves the job.
            #expect(harness.bmp.stopped.isEmpty)
        }
    }

    /// allocation-service.md §3.6: N: FPGA 2 bank 0, E: 2/1, SE: 0/0, S: 0/1, W: 1/0, NW: 1/1.
    @Test func theBorderIsStopped() async throws {
        try await withService(machines: [machineDefinition(3, 3)]) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"dimensions":{"width":1,"height":1},"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            let machine = try await session.get(JobMachine.self, "jobs/\(job)/machine")
            #expect(machine.boards.count == 3)
            let geometry = TriadGeometry(width: 3, height: 3)
            var expected: Set<[Int]> = []
            let banks: [Link: (Int, Int)] = [
                .north: (2, 0), .northEast: (2, 1), .east: (0, 0), .south: (0, 1), .southWest: (1, 0), .west: (1, 1),
            ]
            for board in machine.boards {
                let slot = (board.x * 3 + board.y) * 3 + board.z
                for side in Link.allCases where !machine.boards.contains(geometry.neighbour(of: board, side: side)) {
                    let (fpga, bank) = try #require(banks[side])
                    expected.insert([slot % 24, fpga, bank])
                }
            }
            #expect(expected.count == 12)
            #expect(harness.bmp.stopped == expected)
        }
    }

    @Test func aDeadLinkWithinAJobIsStoppedAtBothEnds() async throws {
        let dead = MachineDefinition.DeadLink(board: BoardCoordinates(0, 0, 0), side: .northEast)
        try await withService(machines: [machineDefinition(deadLinks: [dead])]) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            #expect(harness.bmp.stopped == [[0, 2, 1], [1, 1, 0]])
        }
    }

    @Test func aBoardWhoseFPGAsComeUpWrongIsCycled() async throws {
        try await withService { harness, client in
            harness.bmp.set { $0.badFPGAs = [1: 2] }
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            #expect(harness.bmp.log.filter { $0.hasPrefix("on") } == ["on 0,1,2", "on 1", "on 1"])
        }
    }

    /// allocation-service.md §11, `AllocatorFailTest`: failure, queue, another board, READY.
    @Test func aFailedBoardIsSetAsideAndTheJobGetsAnother() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let probe = try await session.create()
            _ = try await session.wait(probe, for: [.ready])
            let first = try #require(try await session.get(JobMachine.self, "jobs/\(probe)/machine").boards.first)
            _ = try await session.execute(.delete, "jobs/\(probe)")
            try await eventually("the board to be off") { harness.bmp.on.isEmpty }

            harness.bmp.set { $0.badFPGAs = [first.z: 100] }
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let second = try #require(try await session.get(JobMachine.self, "jobs/\(job)/machine").boards.first)
            #expect(second != first)
            #expect(try await session.get(MachineDetail.self, "machines/m1").downBoards.map(\.logical) == [first])
            // The broken board was switched off again, and holds up nobody.
            try await eventually("only the job's board to be on") { harness.bmp.on == [second.z] }
            let revision = try #require(try await harness.store.job(job)).revision
            #expect(revision >= 5, "queued, power, queued, power, ready")
        }
    }

    @Test func aCommandThatGetsNoAnswerIsTriedAgain() async throws {
        try await withService { harness, client in
            harness.bmp.set { $0.silent = 1 }
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            #expect(harness.bmp.log.filter { $0.hasPrefix("on") }.count == 2)
            #expect(try await harness.store.boardsOutOfService().isEmpty)
        }
    }

    /// The reference tries for ever, and its job hangs in POWER until its keepalive dies.
    @Test func aSilentBMPSetsItsBoardsAsideForAWhile() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            harness.bmp.set { $0.silent = 1000 }
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":300}"#)
            try await eventually("the boards to be set aside") { try await harness.store.boardsOutOfService().count == 3 }
            #expect(try await session.get(JobDescription.self, "jobs/\(job)").state == .queued)
            harness.bmp.set { $0.silent = 0 }
            clock.advance(.seconds(299))
            _ = try await session.execute(.put, "jobs/\(job)/keepalive", body: "alive")
            clock.advance(.seconds(299))
            _ = try await session.execute(.put, "jobs/\(job)/keepalive", body: "alive")
            clock.advance(.seconds(3))
            harness.core.expiryNudge.signal()
            _ = try await session.wait(job, for: [.ready])
            #expect(try await harness.store.boardsOutOfService().isEmpty)
        }
    }

    @Test func aBoardRestsBeforeItIsSwitchedOnAgain() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now, configure: { $0.power.offWait = .seconds(30) }) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let first = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(first, for: [.ready])
            _ = try await session.execute(.delete, "jobs/\(first)")
            let second = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(second, for: [.power])
            #expect(harness.bmp.on.isEmpty)
            clock.advance(.seconds(29))
            harness.core.powerNudge.signal()
            #expect(try await session.get(JobDescription.self, "jobs/\(second)").state == .power)
            clock.advance(.seconds(1))
            harness.core.powerNudge.signal()
            _ = try await session.wait(second, for: [.ready])
            #expect(harness.bmp.log.filter { $0.hasPrefix("o") } == ["on 0,1,2", "off 0,1,2", "on 0,1,2"])
        }
    }

    /// A job that ends while its boards are being switched on does not come back when that is done.
    @Test func aJobThatEndsDuringPowerStaysEnded() async throws {
        try await withService { harness, client in
            let gate = Nudge()
            harness.bmp.set { $0.gate = gate }
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            try await eventually("the command to be under way") { harness.bmp.log.contains("on 0,1,2") }
            _ = try await session.execute(.delete, "jobs/\(job)")
            harness.bmp.set { $0.gate = nil }
            gate.signal()
            try await eventually("the boards to be off again") {
                harness.bmp.log.contains("off 0,1,2") && harness.bmp.on.isEmpty
            }
            #expect(try await session.get(JobDescription.self, "jobs/\(job)").state == .destroyed)
            let next = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(next, for: [.ready])
        }
    }

    /// A board that fails when the user switches it on again takes the work on it with it.
    @Test func aFailureAfterReadyEndsTheJob() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            harness.bmp.set { $0.badFPGAs = [0: 100] }
            _ = try await session.execute(.post, "jobs/\(job)/machine/power", body: #"{"power":"ON"}"#)
            let end = try await session.wait(job, for: [.destroyed])
            #expect(end.reason?.contains("contact the administrator") == true)
        }
    }

    @Test func jobsOverSeveralFrames() async throws {
        try await withService(machines: [machineDefinition(4, 3)]) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"dimensions":{"width":4,"height":3},"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            let commands = harness.bmp.log.filter { $0.hasPrefix("on") }
            #expect(commands.count == 2)
            #expect(try await session.get(JobMachine.self, "jobs/\(job)/machine").boards.count == 36)
        }
    }
}
