//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The commands, as the original server answers them (v1-protocol.md §1.2 to §1.7).
@Suite(.timeLimit(.minutes(3))) struct V1CommandTests {
    // MARK: - Life of a job

    @Test func fromCreationToTheEnd() async throws {
        try await withV1 { harness, _, client async throws in
            #expect(try await client.call("version") == "1.0.0")
            let job = try await client.create([], ["owner": "me", "keepalive": 30])
            let ready = try await client.wait(job, for: .ready)
            #expect(ready.power == true && ready.keepalive == 30 && ready.reason == nil && ready.keepaliveHost == "127.0.0.1")
            #expect(abs((ready.startTime ?? 0) - SystemClock.now().seconds) < 60)
            let info = try await client.info(job)
            #expect(info.width == 8 && info.height == 8 && info.machineName == "m1")
            #expect(info.boards == [BoardCoordinates(0, 0, 0)])
            #expect(info.connections == [.init(chip: ChipPosition(x: 0, y: 0), host: "127.10.0.10")])
            #expect(harness.bmp.on == [0])
            #expect(try await client.call("job_keepalive", [.integer(job)]) == nil)

            #expect(try await client.call("destroy_job", [.integer(job)], ["reason": "enough"]) == nil)
            let over = V1JobState(state: .destroyed, reason: "enough")
            #expect(try await client.state(job) == over)
            // The first reason stays.
            #expect(try await client.call("destroy_job", [.integer(job), "again"]) == nil)
            #expect(try await client.state(job) == over)
            #expect(try await client.info(job) == V1MachineInfo())
            #expect(try await client.list().isEmpty)
            try await eventually("the board to be off") { harness.bmp.on.isEmpty }
        }
    }

    @Test func powerOffAndOn() async throws {
        try await withV1 { harness, _, client async throws in
            let job = try await client.create([3])
            _ = try await client.wait(job, for: .ready)
            #expect(try await client.call("power_off_job_boards", [.integer(job)]) == nil)
            // What it will be, at once; READY means that nothing is under way, not that it is on.
            #expect(try await client.state(job).power == false)
            #expect(try await client.wait(job, for: .ready).power == false)
            #expect(harness.bmp.on.isEmpty)
            #expect(try await client.list().map(\.power) == [false])
            #expect(try await client.call("power_on_job_boards", [], ["job_id": .integer(job)]) == nil)
            #expect(try await client.state(job).power == true)
            #expect(try await client.wait(job, for: .ready).power == true)
            let commands = harness.bmp.log.count
            // On while on is a reset.
            try await client.call("power_on_job_boards", [.integer(job)])
            #expect(try await client.wait(job, for: .ready).power == true)
            #expect(harness.bmp.log.count > commands && harness.bmp.on == [0, 1, 2])
        }
    }

    /// Unknown jobs are no errors, and neither are those of others.
    @Test func whatIsNotThere() async throws {
        try await withV1 { _, http, client async throws in
            let session = try await Session.logIn(http, as: "alice")
            let other = try await session.create()
            _ = try await session.wait(other, for: [.ready])
            for job in [other, 4711, -1, Int.max] {
                #expect(try await client.state(job) == V1JobState(state: .unknown))
                #expect(try await client.info(job) == V1MachineInfo())
                for command in ["job_keepalive", "power_on_job_boards", "power_off_job_boards", "destroy_job"] {
                    #expect(try await client.call(command, [.integer(job)]) == nil)
                }
                #expect(try await client.call("where_is", [], ["job_id": .integer(job), "chip_x": 0, "chip_y": 0]) == nil)
            }
            #expect(try await session.get(JobDescription.self, "jobs/\(other)").state == .ready)
            #expect(try await session.get(PowerDescription.self, "jobs/\(other)/machine/power").power == .on)
            // It is in the list, so that the map of the machine is whole; whose it is is not said.
            let listed = try #require(try await client.list().first)
            #expect(listed.id == other && listed.owner == "<Hidden>" && listed.boards?.count == 1)
            #expect(listed.args.isEmpty && listed.kwargs.isEmpty && listed.keepaliveHost == "")
        }
    }

    @Test func aQueuedJob() async throws {
        try await withV1 { _, _, client async throws in
            let first = try await client.create([3])
            _ = try await client.wait(first, for: .ready)
            let second = try await client.create([2], ["keepalive": nil])
            let state = try await client.state(second)
            #expect(state.state == .queued && state.power == nil && state.keepalive == nil && state.startTime != nil)
            #expect(try await client.info(second) == V1MachineInfo())
            #expect(try await client.call("power_on_job_boards", [.integer(second)]) == nil)
            #expect(try await client.state(second).state == .queued)
            let third = try await client.create([1])
            try await client.call("destroy_job", [.integer(third), "no more"])
            #expect(try await client.state(third).reason == "Cancelled: no more")
            try await client.call("destroy_job", [.integer(first)])
            #expect(try await client.state(first) == V1JobState(state: .destroyed))
            #expect(try await client.wait(second, for: .ready).power == true)
        }
    }

    // MARK: - Creation

    @Test func sizesAndShapes() async throws {
        try await withV1(machines: [machineDefinition(2, 2)]) { _, _, client async throws in
            // A row across the machine wraps around in one direction only.
            let row = try await client.create([2, 1])
            _ = try await client.wait(row, for: .ready)
            let info = try await client.info(row)
            #expect(info.width == 24 && info.height == 16 && info.boards?.count == 6)
            #expect(info.connections?.first { $0.chip == ChipPosition(x: 8, y: 4) } != nil)
            let board = try await client.create([1, 1, 2])
            _ = try await client.wait(board, for: .ready)
            #expect(try await client.info(board).boards == [BoardCoordinates(1, 1, 2)])
            #expect(try await client.info(board).connections?.map(\.chip) == [ChipPosition(x: 0, y: 0)])
            for job in [row, board] { try await client.call("destroy_job", [.integer(job)]) }
            let whole = try await client.create([12], ["require_torus": true])
            _ = try await client.wait(whole, for: .ready)
            let all = try await client.info(whole)
            #expect(all.width == 24 && all.height == 24 && all.boards?.count == 12)
        }
    }

    /// One triad of three boards: within a larger machine it sticks out.
    @Test func aTriadThatDoesNotWrap() async throws {
        try await withV1(machines: [machineDefinition(3, 3)]) { _, _, client async throws in
            let job = try await client.create([3])
            _ = try await client.wait(job, for: .ready)
            let info = try await client.info(job)
            #expect(info.width == 16 && info.height == 16)
            #expect(Set(info.connections?.map(\.chip) ?? []) == [.init(x: 0, y: 0), .init(x: 8, y: 4), .init(x: 4, y: 8)])
        }
    }

    /// What no machine can ever serve has an id all the same, and says why it is over.
    @Test(
        arguments: [
            ([4], [:]), ([0], [:]), ([2, 1], [:]), ([0, 1], [:]), ([5, 0, 0], [:]), ([1], ["machine": "other"]),
            ([1], ["tags": ["default", "rare"]]), ([3], ["max_dead_boards": -1]), ([1, 1], ["max_dead_links": -1]),
        ] as [([V1JSON], [String: V1JSON])])
    func whatCanNeverBe(_ args: [V1JSON], _ kwargs: [String: V1JSON]) async throws {
        try await withV1 { _, _, client async throws in
            let job = try await client.create(args, kwargs)
            #expect(
                try await client.state(job)
                    == V1JobState(state: .destroyed, reason: "Cancelled: No suitable machines available."))
            #expect(try await client.list().isEmpty)
        }
    }

    /// What is refused leaves no job behind (v1-protocol.md §11.2 and 3).
    @Test(
        arguments: [
            ([], ["owner": nil]), ([], ["owner": "me", "machine": "m1", "tags": ["default"]]),
            ([], ["owner": "me", "colour": 3]),
            ([1], ["owner": "me", "require_torus": true]), ([1], ["owner": "me", "keepalive": "soon"]),
            (["many"], ["owner": "me"]),
            ([1], ["owner": .string(String(repeating: "x", count: 2000))]),
        ] as [([V1JSON], [String: V1JSON])])
    func whatIsRefused(_ args: [V1JSON], _ kwargs: [String: V1JSON]) async throws {
        try await withV1 { _, _, client async throws in
            await #expect(throws: V1TestClient.Exception.self) { try await client.call("create_job", args, kwargs) }
            let list = try await client.list()
            #expect(list.isEmpty)
            // The connection goes on, and the next job is the first.
            let next = try await client.create()
            #expect(next == 1)
        }
    }

    @Test func nullsAreAsIfNotGiven() async throws {
        try await withV1 { _, _, client async throws in
            // As ProtocolClient.create_job sends them.
            let job = try await client.create(
                [3],
                [
                    "machine": nil, "tags": nil, "min_ratio": nil, "max_dead_boards": nil, "max_dead_links": nil,
                    "require_torus": nil, "keepalive": 60.0,
                ])
            _ = try await client.wait(job, for: .ready)
            let listed = try #require(try await client.list().first)
            #expect(listed.args == [3])
            // As they came, nulls and all, less owner and keepalive.
            #expect(
                Set(listed.kwargs.keys) == [
                    "machine", "tags", "min_ratio", "max_dead_boards", "max_dead_links", "require_torus",
                ])
        }
    }

    @Test func tagsAndMachines() async throws {
        let machines = [machineDefinition(), machineDefinition(name: "m2", tags: ["big", "old"], network: 11)]
        try await withV1(machines: machines) { _, _, client async throws in
            for (kwargs, machine) in [
                (["tags": ["old", "big"]], "m2"), (["machine": "m2"], "m2"), ([:], "m1"), (["tags": []], "m1"),
            ] as [([String: V1JSON], String)] {
                let job = try await client.create([1], kwargs)
                _ = try await client.wait(job, for: .ready)
                #expect(try await client.info(job).machineName == machine)
            }
        }
    }

    @Test func anOwnerIsAnything() async throws {
        try await withV1 { _, _, client async throws in
            _ = try await client.create([], ["owner": 5])
            _ = try await client.create([], ["owner": "Zoë \u{1F980} \"\\\""])
            #expect(try await client.list().map(\.owner) == ["5", "Zoë \u{1F980} \"\\\""])
        }
    }

    /// The rules of counts and links, which the Java service drops.
    @Test func ratiosAndDeadLinks() async throws {
        let machine = machineDefinition(4, 4, deadLinks: [.init(board: BoardCoordinates(0, 0, 0), side: .north)])
        try await withV1(machines: [machine]) { _, _, client async throws in
            // Eight triads make a 2 x 4; a square is 3 x 3.
            let square = try await client.create([24], ["min_ratio": 1.0])
            _ = try await client.wait(square, for: .ready)
            let info = try await client.info(square)
            #expect(info.width == info.height && info.width == 40)
            try await client.call("destroy_job", [.integer(square)])
            // The dead link has two ends.
            let tooMany = try await client.create([4, 4], ["max_dead_links": 1])
            #expect(try await client.state(tooMany).reason == "Cancelled: No suitable machines available.")
            let enough = try await client.create([4, 4], ["max_dead_links": 2])
            _ = try await client.wait(enough, for: .ready)
        }
    }

    @Test func thereIsALimitToJobs() async throws {
        try await withV1(configure: { $0.v1.maximumJobs = 3 }) { _, http, client async throws in
            // Those of others do not count.
            _ = try await (try await Session.logIn(http, as: "alice")).create()
            let jobs = [try await client.create(), try await client.create(), try await client.create()]
            await #expect(throws: V1TestClient.Exception.self) { try await client.create() }
            try await client.call("destroy_job", [.integer(jobs[1])])
            _ = try await client.create()
        }
    }

    @Test func nothingIsCreatedAfterTheEmergencyStop() async throws {
        try await withV1 { harness, _, client async throws in
            harness.core.isStopped = true
            await #expect(throws: V1TestClient.Exception(text: "the emergency stop is in force")) { try await client.create() }
        }
    }

    // MARK: - Keepalive

    @Test func timeEndsJobs() async throws {
        let clock = TurnedClock()
        try await withV1(clock: clock.now) { harness, _, client async throws in
            let running = try await client.create([3], ["keepalive": 10])
            _ = try await client.wait(running, for: .ready)
            let queued = try await client.create([3], ["keepalive": 20.5])
            let eternal = try await client.create([3], ["keepalive": nil])
            clock.advance(.seconds(9))
            // The list keeps nobody alive; a look at the state does.
            #expect(try await client.list().map(\.keepalive) == [10, 20.5, nil])
            #expect(try await client.state(running).state == .ready)
            clock.advance(.seconds(9))
            harness.core.expiryNudge.signal()
            #expect(try await client.state(running).state == .ready)
            clock.advance(.seconds(11))
            harness.core.expiryNudge.signal()
            try await eventually("the jobs to expire") { try await client.list().map(\.id) == [eternal] }
            #expect(try await client.state(running).reason == "Job timed out.")
            #expect(try await client.state(queued).reason == "Cancelled: Job timed out.")
            clock.advance(.seconds(1_000_000_000))
            harness.core.expiryNudge.signal()
            try await eventually("the last job to be served") { try await client.state(eternal).state == .ready }
        }
    }

    /// Each command that counts, and two that do not.
    @Test(arguments: [
        ("job_keepalive", true), ("get_job_machine_info", true), ("power_off_job_boards", true), ("notify_job", false),
    ])
    func whatKeepsAlive(_ command: String, _ counts: Bool) async throws {
        let clock = TurnedClock()
        try await withV1(clock: clock.now) { harness, _, client async throws in
            let job = try await client.create([], ["keepalive": 10])
            let before = try #require(try await harness.store.job(job)).keepaliveAt
            clock.advance(.seconds(5))
            try await client.call(command, [.integer(job)])
            let after = try #require(try await harness.store.job(job)).keepaliveAt
            #expect((after - before == .seconds(5)) == counts)
        }
    }

    @Test func keepalivesOfAllSizes() async throws {
        let clock = TurnedClock()
        try await withV1(clock: clock.now) { harness, _, client async throws in
            let long = try await client.create([3], ["keepalive": 1e300])
            #expect(try await client.state(long).keepalive == nil)
            let short = try await client.create([3], ["keepalive": -5])
            clock.advance(.milliseconds(10))
            harness.core.expiryNudge.signal()
            // Not by get_job_state, which would keep it alive.
            try await eventually("the job to expire") { try await harness.store.job(short)?.state == .destroyed }
            let standard = try await client.create([3])
            #expect(try await client.state(standard).keepalive == 60)
        }
    }

    // MARK: - Lists

    @Test func theListOfJobs() async throws {
        try await withV1 { _, _, client async throws in
            #expect(try await client.list().isEmpty)
            let first = try await client.create([3], ["owner": "a", "keepalive": nil, "tags": ["default"]])
            _ = try await client.wait(first, for: .ready)
            let second = try await client.create([1, 1], ["owner": "b"])
            let list = try await client.list()
            #expect(list.map(\.id) == [first, second] && list.map(\.owner) == ["a", "b"])
            #expect(list.map(\.state) == [.ready, .queued] && list.map(\.power) == [true, nil])
            #expect(list.map(\.machineName) == ["m1", nil] && list[0].boards?.count == 3 && list[1].boards == nil)
            #expect(list[0].kwargs == ["tags": ["default"]] && list[1].kwargs == [:])
            #expect(list[0].args == [3] && list[1].args == [1, 1])
            #expect(list.allSatisfy { $0.startTime != nil && $0.keepaliveHost == "127.0.0.1" })
            // The same again, from what was kept; and what has changed is seen.
            #expect(try await client.list() == list)
            try await client.call("destroy_job", [.integer(first)])
            _ = try await client.wait(second, for: .ready)
            let after = try await client.list()
            #expect(after.map(\.id) == [second] && after[0].boards?.count == 3 && after[0].power == true)
        }
    }

    @Test func theListOfMachines() async throws {
        let machines = [
            machineDefinition(
                2, 1, deadBoards: [BoardCoordinates(1, 0, 2)],
                deadLinks: [.init(board: BoardCoordinates(0, 0, 0), side: .north)]),
            machineDefinition(name: "m2", tags: ["x", "a"], network: 11),
        ]
        try await withV1(machines: machines) { harness, _, client async throws in
            let list = try await client.call("list_machines").arrayValue?.map { try V1Machine($0) }
            #expect(list?.map(\.name) == ["m1", "m2"] && list?.map(\.tags) == [["default"], ["a", "x"]])
            #expect(list?.first?.width == 2 && list?.first?.height == 1)
            #expect(list?.first?.deadBoards == [BoardCoordinates(1, 0, 2)])
            // Both ends, by the numbers of the links.
            #expect(
                list?.first?.deadLinks == [
                    BoardLink(board: BoardCoordinates(0, 0, 0), side: .north),
                    BoardLink(board: BoardCoordinates(0, 0, 2), side: .south),
                ])
            _ = try await harness.store.setInService(false, machine: "m2")
            #expect(try await client.call("list_machines").arrayValue?.count == 1)
        }
    }
}

extension Timestamp {
    fileprivate var seconds: Double { Double(self.milliseconds) / 1000 }
}
