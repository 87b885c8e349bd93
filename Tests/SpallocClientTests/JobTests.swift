//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocClient

private struct Mishap: Error, CustomStringConvertible {
    var description: String { "the experiment\nfailed" }
}

@Suite(.timeLimit(.minutes(3))) struct JobTests {
    static let job = "/spalloc/srv/spalloc/jobs/42"

    @Test func aScopeCreatesKeepsAliveAndDestroys() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            let answer = try await client.withJob(.boards(1)) { job in
                #expect(job.id == 42)
                // The reference by which the service knows itself leads to the service as the user named it.
                #expect(job.url.string == "http://127.0.0.1:\(peer.port)\(Self.job)/")
                try await eventually { service.now.keepalives == 1 }
                return 7
            }
            #expect(answer == 7)
            #expect(service.now.destroyReasons == ["finished"])
        }
    }

    @Test func anErrorIsTheReason() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            await #expect(throws: Mishap.self) { try await client.withJob(.boards(1)) { _ in throw Mishap() } }
            #expect(service.now.destroyReasons == ["failed: the experiment failed"])
        }
    }

    @Test func cancellationDestroysToo() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            let task = Task {
                try await client.withJob(.boards(1)) { job in try await job.waitUntilReady(timeout: .seconds(60)) }
            }
            try await eventually { service.now.keepalives == 1 }
            task.cancel()
            let error = await #expect(throws: SpallocError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(service.now.destroyReasons == ["cancelled"])
        }
    }

    /// A job whose number we never heard could not be destroyed.
    @Test func cancellationDuringCreationLosesNoJob() async throws {
        let gate = Gate()
        let service = FakeService(special: { request in
            if request.method == .POST, request.path.hasSuffix("jobs/") { await gate.wait() }
            return nil
        })
        try await service.run { client, peer in
            let task = Task { try await client.withJob(.boards(1)) { _ in Issue.record("the body ran") } }
            try await eventually { peer.count("POST /spalloc/srv/spalloc/jobs/") == 1 }
            task.cancel()
            gate.open()
            let error = await #expect(throws: SpallocError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(service.now.destroyReasons == ["cancelled"])
        }
    }

    @Test func destructionIsDoneOnce() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            try await client.withJob(.boards(1)) { job in
                try await job.destroy(reason: "enough")
                try await job.destroy(reason: "again")
            }
            #expect(service.now.destroyReasons == ["enough"])
        }
    }

    @Test func destructionIsRepeatedUntilItGetsThrough() async throws {
        let failures = NIOLockedValueBox(3)
        let service = FakeService(special: { request in
            guard request.method == .DELETE else { return nil }
            let fails = failures.withLockedValue { left in
                left -= 1
                return left >= 0
            }
            return fails ? .text(503, "busy") : nil
        })
        try await service.run { client, _ in
            try await client.withJob(.boards(1)) { _ in }
            #expect(service.now.destroyReasons == ["finished"])
        }
    }

    // MARK: - Keepalive

    @Test func keepalivesSurviveFailures() async throws {
        let failures = NIOLockedValueBox(2)
        let service = FakeService(special: { request in
            guard request.method == .PUT else { return nil }
            let fails = failures.withLockedValue { left in
                left -= 1
                return left >= 0
            }
            return fails ? .text(500, "oops") : nil
        })
        try await service.run { client, peer in
            let job = SpallocJob(
                id: 42, url: client.job(42).url, session: client.session, keepaliveInterval: .seconds(3))
            try await job.whileKeptAlive {
                // The Python client's thread would have ended at the first failure.
                try await eventually { service.now.keepalives >= 2 }
            }
            #expect(peer.count("PUT \(Self.job)/keepalive") >= 4)
        }
    }

    @Test func riskRecoveryAndLossAreEvents() async throws {
        let isDown = NIOLockedValueBox(true)
        let service = FakeService(special: { request in
            request.method == .PUT && isDown.withLockedValue { $0 } ? .text(503, "down") : nil
        })
        try await service.run { client, _ in
            let job = SpallocJob(
                id: 42, url: client.job(42).url, session: client.session, keepaliveInterval: .seconds(6))
            try await job.whileKeptAlive {
                var seen: [String] = []
                for await event in job.events {
                    switch event {
                    case .atRisk(_, let cause):
                        seen.append("atRisk")
                        // Or nothing at all came in time, on a busy machine.
                        #expect(cause.serverMessage == "down" || cause.isTransient)
                    case .presumedLost:
                        seen.append("presumedLost")
                        isDown.withLockedValue { $0 = false }
                    case .recovered:
                        seen.append("recovered")
                        service.setJob("DESTROYED", reason: "expired")
                    case .lost(let error):
                        seen.append("lost")
                        #expect("\(error)" == "job 42: the job is over: expired")
                    }
                    if seen.last == "lost" { break }
                }
                // A machine that stands still for long may add a risk before the end.
                #expect(seen.prefix(3) == ["atRisk", "presumedLost", "recovered"])
                #expect(seen.last == "lost")
                // What is lost stays lost, without asking again.
                let error = try await #require(throws: SpallocError.self) { try await job.state() }
                #expect(error.code == .jobDestroyed)
            }
        }
    }

    @Test func listingAndNamingJobsKeepsNoneAlive() async throws {
        let service = FakeService(special: { request in
            guard request.path == "/spalloc/srv/spalloc/jobs/" || request.path == "/next" else { return nil }
            return request.path == "/next"
                ? .json(#"{"jobs":["https://x/spalloc/srv/spalloc/jobs/1"]}"#)
                : .json(
                    #"{"jobs":["https://x/spalloc/srv/spalloc/jobs/3/","https://x/spalloc/srv/spalloc/jobs/2"],"next":"http://x/next"}"#
                )
        })
        try await service.run { client, peer in
            var ids: [Int] = []
            for try await job in client.jobs(includingDestroyed: true) {
                ids.append(job.id)
                // The next page is not fetched before it is wanted.
                if job.id > 1 { #expect(peer.count("GET /next") == 0) }
            }
            #expect(ids == [3, 2, 1])
            #expect(peer.requests.contains { $0.query == ["deleted": "true"] })
            _ = try await client.job(42).state()
            #expect(service.now.keepalives == 0)
        }
    }

    @Test func pagesThatGoRoundInCirclesEnd() async throws {
        let service = FakeService(special: { request in
            request.path.hasSuffix("jobs/") || request.path == "/p"
                ? .json(#"{"jobs":["https://x/jobs/1"],"next":"/p"}"#) : nil
        })
        try await service.run { client, _ in
            var count = 0
            for try await _ in client.jobs() { count += 1 }
            #expect(count == 2)
        }
    }

    // MARK: - States

    @Test func statesComeOnceEachAndEnd() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            async let mover: Void = {
                for state in ["POWER", "READY", "DESTROYED"] {
                    try await eventually { !service.now.waiters.isEmpty }
                    service.setJob(state)
                }
            }()
            var states: [JobState] = []
            for try await state in client.job(42).states { states.append(state) }
            try await mover
            #expect(states == [.queued, .power, .ready, .destroyed])
            #expect(peer.requests.compactMap { $0.query["wait"] } == ["false", "true", "true", "true"])
        }
    }

    @Test func aServiceThatDoesNotWaitIsNotAskedInATightLoop() async throws {
        let service = FakeService(special: { request in
            request.call == "GET \(Self.job)/" ? .json(#"{"state":"QUEUED"}"#) : nil
        })
        try await service.run { client, peer in
            let error = try await #require(throws: SpallocError.self) {
                try await client.job(42).waitUntilReady(timeout: .seconds(3))
            }
            #expect(error.code == .queueTimeout)
            #expect("\(error)" == "job 42: no boards came free within 3.0 seconds")
            #expect(peer.count("GET \(Self.job)/") < 15)
        }
    }

    @Test func waitingEndsAtItsDeadlineThoughTheServiceStalls() async throws {
        let service = FakeService { $0.jobState = "POWER" }
        try await service.run { client, _ in
            let start = ContinuousClock.now
            let error = try await #require(throws: SpallocError.self) {
                try await client.job(42).waitUntilReady(timeout: .seconds(3))
            }
            #expect(error.code == .timeout)
            #expect("\(error)".contains("POWER"))
            // Not that of one long-poll, which would be 120 s.
            #expect(ContinuousClock.now - start < .seconds(60))
        }
    }

    @Test func aJobThatEndsInsteadSaysWhy() async throws {
        let service = FakeService {
            $0.jobState = "DESTROYED"
            $0.reason = "quota exhausted"
        }
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) {
                try await client.job(42).waitUntilReady(timeout: .seconds(30))
            }
            #expect(error.code == .jobDestroyed)
            #expect("\(error)" == "job 42: the job is over: quota exhausted")
        }
    }

    @Test func statesBridgeAShortOutage() async throws {
        let answers = NIOLockedValueBox<[PeerAnswer]>([.close, .close, .text(502, "bad gateway"), .breakOff, .breakOff])
        let service = FakeService(
            { $0.jobState = "READY" },
            special: { request in
                guard request.call == "GET \(Self.job)/" else { return nil }
                return answers.withLockedValue { $0.isEmpty ? nil : $0.removeFirst() }
            })
        try await service.run { client, _ in
            try await client.job(42).waitUntilReady(timeout: .seconds(30))
            #expect(answers.withLockedValue { $0.isEmpty })
        }
    }

    @Test func waitingForAChangeSeesTheFirstOther() async throws {
        let service = FakeService { $0.jobState = "READY" }
        try await service.run { client, _ in
            let other = try await client.job(42).waitForChange(from: .queued, timeout: .seconds(30))
            #expect(other == .ready)
            let over = try await client.job(42).waitForChange(from: .destroyed, timeout: .seconds(30))
            #expect(over == .destroyed)
        }
    }

    // MARK: - The rest

    @Test func boardsAndRootAreKnownOnceThereAreAny() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            let job = client.job(42)
            var hosts = try await job.connections().map(\.hostname)
            var root = try await job.rootHost()
            #expect(hosts == [] && root == nil)
            service.setJob("READY")
            hosts = try await job.connections().map(\.hostname)
            root = try await job.rootHost()
            #expect(hosts == ["10.0.0.1", "10.0.0.9"])
            #expect(root == "10.0.0.1")
            let boards = try await job.machine()?.boards
            #expect(boards == [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 2)])
        }
    }

    @Test func aRefusedRequestNamesSizeAndCause() async throws {
        let service = FakeService(special: {
            $0.method == .POST && $0.path.hasSuffix("jobs/") ? .text(400, "only 3 boards") : nil
        })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.withJob(.boards(5)) { _ in } }
            #expect(error.code == .requestRefused)
            #expect("\(error)" == "the service will not make a job of 5 boards: only 3 boards")
            let board = try await #require(throws: SpallocError.self) {
                try await client.createJob(.board(.triad(BoardCoordinates(9, 9, 0))))
            }
            #expect(board.code == .boardUnavailable)
            #expect(service.now.destroyReasons == [])
        }
    }

    @Test(arguments: [
        SpallocJobRequest.boards(0), .rectangle(width: 0, height: 1), .board(.triad(BoardCoordinates(0, 0, 3))),
        .rectangle(width: 1, height: 1, at: .triad(BoardCoordinates(0, 0, 1))), .boards(1).on(.named(" ")),
        .boards(1).on(.tagged([])),
    ])
    func impossibleRequestsAreRefusedHere(request: SpallocJobRequest) async throws {
        let error = try #require(throws: SpallocError.self) { try request.validate(keepalive: .seconds(60)) }
        #expect(error.code == .invalidRequest)
    }

    @Test func keepaliveIntervalsOutOfRangeAreRefused() throws {
        #expect(throws: SpallocError.self) { try SpallocJobRequest.boards(1).validate(keepalive: .seconds(29)) }
        #expect(throws: SpallocError.self) { try SpallocJobRequest.boards(1).validate(keepalive: .seconds(301)) }
        try SpallocJobRequest.boards(1).validate(keepalive: .seconds(300))
        #expect(JobRequestBody.iso8601(.milliseconds(90_050)) == "PT90.050S")
    }

    @Test func machinesCanBeAskedAboutPlaces() async throws {
        let service = FakeService(special: { request in
            switch (request.path, request.query) {
            case ("/spalloc/srv/spalloc/machines/M/board-ip", ["address": "10.0.0.1"]),
                ("/spalloc/srv/spalloc/machines/M/logical-board", ["x": "0", "y": "0", "z": "0"]),
                ("/spalloc/srv/spalloc/machines/M/physical-board", ["cabinet": "0", "frame": "0", "board": "0"]),
                ("/spalloc/srv/spalloc/machines/M/chip", ["x": "3", "y": "4"]):
                .json(#"{"machine":"M","logical-board-coordinates":[0,0,0],"physical-board-coordinates":[0,0,0],"job-id":42}"#)
            default: nil
            }
        })
        try await service.run { client, _ in
            let machine = try await client.machine("M")
            #expect(machine.boardCount == 6)
            #expect(machine.deadBoards.first?.logical == BoardCoordinates(0, 0, 1))
            let places: [SpallocMachine.Place] = [
                .chip(ChipPosition(x: 3, y: 4)), .board(.triad(BoardCoordinates(0, 0, 0))),
                .board(.address(IPv4Address(10, 0, 0, 1))),
                .board(.physical(PhysicalCoordinates(cabinet: 0, frame: 0, board: 0))),
            ]
            for place in places {
                let found = try await machine.whereIs(place)
                #expect(found.jobID == 42)
            }
            let error = try await #require(throws: SpallocError.self) {
                try await machine.whereIs(.chip(ChipPosition(x: 99, y: 0)))
            }
            #expect("\(error)" == "machine M has no chip (99, 0): no such thing")
            let unknown = try await #require(throws: SpallocError.self) { try await client.machine("N") }
            #expect("\(unknown)" == #"there is no machine "N"; there is: M"#)
        }
    }
}

/// Opened once; whoever waits goes through then.
final class Gate: Sendable {
    private let state = NIOLockedValueBox<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = self.state.withLockedValue { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = self.state.withLockedValue { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
