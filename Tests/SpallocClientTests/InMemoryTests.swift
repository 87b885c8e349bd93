//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocClient

/// A program of a user, written against the protocol.
private func experiment(_ client: some SpallocClientProtocol) async throws -> [String] {
    try await client.withJob(.boards(2)) { job in
        try await job.waitUntilReady(timeout: .seconds(30))
        try await job.writeMemory(chip: .origin, address: 0x6000_0000, ByteBuffer(string: "abc"))
        let read = try await job.readMemory(chip: .origin, address: 0x6000_0001, count: 3)
        #expect(Array(read.readableBytesView) == [98, 99, 0])
        return try await job.connections().map { "\($0.chip) \($0.hostname)" }
    }
}

@Suite(.timeLimit(.minutes(3))) struct InMemoryTests {
    @Test func aProgramRunsWithoutAService() async throws {
        let client = InMemorySpallocClient()
        let boards = try await experiment(client)
        #expect(boards == ["(0, 0) 192.0.2.1", "(8, 4) 192.0.2.2"])
        #expect(client.outcome(of: 1)?.state == .destroyed)
        #expect(client.outcome(of: 1)?.reason == "finished")
        let briefs = try await client.machineBriefs()
        #expect(briefs.map(\.name) == ["virtual"])
    }

    @Test func aFullMachineQueuesUntilBoardsComeBack() async throws {
        let client = InMemorySpallocClient()
        let first = try await client.createJob(.boards(3))
        let second = try await client.createJob(.boards(1))
        let queued = try await second.state()
        #expect(queued == .queued)
        let late = try await #require(throws: SpallocError.self) { try await second.waitUntilReady(timeout: .milliseconds(20)) }
        #expect(late.code == .queueTimeout)
        async let waiting: Void = second.waitUntilReady(timeout: .seconds(30))
        try await first.destroy(reason: "done")
        try await waiting
        let root = try await second.rootHost()
        #expect(root == "192.0.2.1")
    }

    @Test func theTestBringsAboutWhatLifeDoes() async throws {
        let client = InMemorySpallocClient()
        let job = try await client.createJob(.boards(1))
        client.setState(.destroyed, of: job.id, reason: "expired")
        let error = try await #require(throws: SpallocError.self) { try await job.waitUntilReady(timeout: .seconds(30)) }
        #expect("\(error)" == "job 1: the job is over: expired")
        let refused = try await #require(throws: SpallocError.self) { try await client.createJob(.boards(4)) }
        #expect(refused.code == .requestRefused && refused.serverMessage == "virtual has 3 boards")
        let none = try await #require(throws: SpallocError.self) { try await client.job(99).state() }
        #expect(none.code == .notFound)
    }

    @Test func powerKeepalivesAndIssuesAreRemembered() async throws {
        let client = InMemorySpallocClient(width: 2)
        let job = try await client.createJob(.rectangle(width: 2, height: 1))
        try await job.keepAlive()
        #expect(client.keepalives(of: job.id) == 1)
        try await job.writeMemory(chip: .origin, address: 0, ByteBuffer(bytes: [1]))
        try await job.setPower(.off)
        let power = try await job.power()
        let memory = try await job.readMemory(chip: .origin, address: 0, count: 1)
        #expect(power == .off && memory == ByteBuffer(bytes: [0]))
        _ = try await job.reportIssue("broken", boards: [.init(chip: ChipPosition(x: 8, y: 4))])
        #expect(client.issues(of: job.id).map(\.issue) == ["broken"])
        let place = try await job.whereIs(ChipPosition(x: 20, y: 4))
        #expect(place?.logicalBoardCoordinates == BoardCoordinates(1, 0, 1))
    }

    @Test func anErrorOfTheProgramIsTheReason() async throws {
        let client = InMemorySpallocClient()
        await #expect(throws: CancellationError.self) {
            try await client.withJob(.boards(1)) { _ in throw CancellationError() }
        }
        #expect(client.outcome(of: 1)?.reason == "failed: CancellationError()")
    }
}

@Suite(.timeLimit(.minutes(3))) struct ProxyConfigurationTests {
    @Test func theRowsAreThoseOfTheStockClient() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            let stored = try await client.job(42).proxyConfiguration(withSecrets: true)
            let base = "http://127.0.0.1:\(peer.port)/spalloc/"
            // Golden vector spalloc.job.credentials-for-db.
            #expect(
                stored.rows == [
                    .init(kind: "SPALLOC", name: "service uri", value: base),
                    .init(kind: "SPALLOC", name: "job uri", value: base + "srv/spalloc/jobs/42/"),
                    .init(kind: "COOKIE", name: "JSESSIONID", value: "SESSION1"),
                    .init(kind: "HEADER", name: "X-CSRF-TOKEN", value: "5b1c-01"),
                ])
            #expect(!"\(stored)".contains("SESSION1"))
            let bare = try await client.job(42).proxyConfiguration(withSecrets: false)
            #expect(bare.rows.count == 2)

            // A viewer joins, and keeps nothing alive.
            let again = try SpallocProxyConfiguration(
                rows: stored.rows + [
                    .init(kind: "HEADER", name: "Authorization", value: "Bearer x"), .init(kind: "?", name: "", value: ""),
                ])
            #expect(again.session.headers == ["X-CSRF-TOKEN": "5b1c-01"])
            let state = try await withSpallocJob(again, configuration: FakeService.patient) { try await $0.state() }
            #expect(state == .queued)
            #expect(service.now.logins == 1 && service.now.keepalives == 0)
            let renewal = SpallocCredentials.password(user: "alice", "s3cret pass&word")
            let second = try await withSpallocJob(bare, renewal: renewal, configuration: FakeService.patient) {
                try await $0.state()
            }
            #expect(second == .queued)
            await #expect(throws: SpallocError.self) { try await withSpallocJob(bare) { _ in } }
        }
    }

    @Test func aDatabaseWithoutAJobIsAnError() {
        #expect(throws: SpallocError.self) {
            try SpallocProxyConfiguration(rows: [.init(kind: "COOKIE", name: "a", value: "b")])
        }
    }
}
