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

/// Machines: what they are made of, and what becomes of them.
@Suite(.timeLimit(.minutes(3))) struct MachineTests {
    private static let list = """
        {"machines":[{"name":"big one","tags":["default","new"],"uri":"https://x/spalloc/srv/spalloc/machines/big%20one",\
        "width":20,"height":5,"dead-boards":[{"x":1,"y":2,"z":0,"cabinet":1,"frame":2,"board":3,"address":"10.0.0.2"}],\
        "dead-links":[[{"board":{"x":0,"y":0,"z":0,"cabinet":0,"frame":0,"board":0,"address":null},"direction":"N"},\
        {"board":{"x":0,"y":0,"z":2,"cabinet":0,"frame":0,"board":1,"address":null},"direction":"S"}]]}]}
        """
    private static let path = "/spalloc/srv/spalloc/machines/big%20one"

    private func service(detail: @escaping @Sendable (PeerRequest) async -> PeerAnswer? = { _ in nil }) -> FakeService {
        FakeService(special: { request in
            switch request.path {
            case "/spalloc/srv/spalloc/machines/": .json(Self.list)
            case Self.path, Self.path + "/": await detail(request)
            default: nil
            }
        })
    }

    @Test func allFieldsOfAMachine() async throws {
        try await self.service().run { client, _ in
            let machine = try await client.machine("big one")
            #expect(machine.width == 20 && machine.height == 5 && machine.boardCount == 300)
            #expect(machine.tags == ["default", "new"])
            let dead = try #require(machine.deadBoards.first)
            #expect(dead.logical == BoardCoordinates(1, 2, 0))
            #expect(dead.cabinet == 1 && dead.frame == 2 && dead.board == 3 && dead.address == "10.0.0.2")
            let ends = try #require(machine.deadLinks.first?.ends)
            #expect(ends.map(\.board.logical) == [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 2)])
        }
    }

    /// The stock client has no such call; the service's long-poll does it.
    @Test func aChangeIsAwaitedByLongPoll() async throws {
        let gate = Gate()
        let service = self.service { request in
            guard request.query["wait"] == "true" else { return nil }
            await gate.wait()
            return .json(
                """
                {"name":"big one","tags":[],"width":20,"height":5,"down-links":[],"down-boards":\
                [{"x":0,"y":0,"z":0,"cabinet":0,"frame":0,"board":null,"address":null}]}
                """)
        }
        try await service.run { client, peer in
            let machine = try await client.machine("big one")
            async let change = machine.nextChange()
            try await eventually { peer.requests.last?.query == ["wait": "true"] }
            gate.open()
            let boards = try await change.downBoards.map(\.logical)
            #expect(boards == [BoardCoordinates(0, 0, 0)])
        }
    }

    @Test func waitingForAChangeCanBeCancelled() async throws {
        try await self.service { _ in .stall }.run { client, peer in
            let machine = try await client.machine("big one")
            let task = Task { try await machine.nextChange() }
            try await eventually { peer.requests.last?.query == ["wait": "true"] }
            task.cancel()
            let error = await #expect(throws: SpallocError.self) { try await task.value }
            #expect(error?.code == .cancelled)
        }
    }
}

/// A peer that misbehaves under calls that wait.
@Suite(.timeLimit(.minutes(3))) struct LateAnswerTests {
    /// What comes after the deadline is thrown away with its connection, and not taken for the next answer.
    @Test func anAnswerThatComesTooLateIsNobodys() async throws {
        let gate = Gate()
        let service = FakeService { $0.jobState = "READY" }
        let late = FakeService(special: { request in
            let answer = await service.answer(request)
            if request.path.hasSuffix("/machines/"), request.query.isEmpty { await gate.wait() }
            return answer
        })
        try await late.run { client, peer in
            let url = client.session.rootURL.appending("machines").asFolder
            let error = try await #require(throws: SpallocError.self) {
                try await client.session.get(url, timeout: .milliseconds(200))
            }
            #expect(error.code == .timeout)
            gate.open()
            let state = try await client.job(42).state()
            #expect(state == .ready)
            let machines = try await client.machines()
            #expect(machines.map(\.name) == ["M"])
        }
    }

    @Test func aWaitForAChangeCanBeCancelled() async throws {
        let service = FakeService { $0.jobState = "POWER" }
        try await service.run { client, _ in
            let job = client.job(42)
            let waits: [@Sendable () async throws -> Void] = [
                { _ = try await job.waitForChange(from: .power, timeout: .seconds(3600)) },
                { try await job.waitUntilReady(timeout: .seconds(3600)) },
            ]
            for wait in waits {
                let task = Task { try await wait() }
                try await eventually { !service.now.waiters.isEmpty }
                task.cancel()
                let error = await #expect(throws: SpallocError.self) { try await task.value }
                #expect(error?.code == .cancelled)
                service.setJob("POWER")
            }
        }
    }
}
