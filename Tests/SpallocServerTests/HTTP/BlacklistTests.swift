//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// What is broken on boards: read, written, and acted on.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BlacklistTests {
    private struct Reply: Decodable {
        struct Chip: Decodable, Equatable {
            var x: Int
            var y: Int
            var dead: Bool?
            var deadPhysicalCores: [Int]?
            var deadLinks: [Int]?

            enum CodingKeys: String, CodingKey {
                case x, y, dead
                case deadPhysicalCores = "dead-physical-cores"
                case deadLinks = "dead-links"
            }
        }
        var machine: String
        var board: [Int]
        var serial: String
        var stale: Bool
        var chips: [Chip]
    }

    private static let path = "admin/blacklist?machine=m1&x=0&y=0&z=1"

    private func put(
        _ session: Session, _ text: String, path: String = Self.path, accept: String? = nil
    ) async throws -> TestResponse {
        var headers: HTTPFields = [.contentType: "text/plain"]
        if let accept { headers[.accept] = accept }
        return try await session.execute(.put, path, body: text, headers: headers)
    }

    // MARK: - Reading and writing

    @Test func whatTheBoardSaysIsStored() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            for path in ["x=0&y=0&z=1", "cabinet=0&frame=0&board=1", "address=127.10.0.11"] {
                let reply = try await root.get(Reply.self, "admin/blacklist?machine=m1&\(path)")
                #expect(reply.machine == "m1" && reply.board == [0, 0, 1] && !reply.stale)
                #expect(reply.serial == "00000001-00000002-00000003-0000abcd")
                #expect(reply.chips == [.init(x: 2, y: 3, deadPhysicalCores: [0, 2], deadLinks: [3])])
            }
            #expect(harness.bmp.log == ["health 1"], "asked once, then known")
            let text = try await root.execute(.get, Self.path + "&read=true", headers: [.accept: "text/plain"])
            #expect(
                text.text
                    == "# m1, board \(BoardCoordinates(0, 0, 1)), serial 00000001-00000002-00000003-0000abcd\nchip 2 3 core 0,2 link 3\n",
                "\(text.text)")
            #expect(text.headers[.contentType] == "text/plain; charset=utf-8")
            #expect(harness.bmp.log == ["health 1", "health 1"])
        }
    }

    @Test func writtenToTheBoardAndStored() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let written = try await self.put(root, "chip 1 1 dead # since May\n", accept: "text/plain")
            #expect(written.status == .ok && written.text.hasSuffix("\nchip 1 1 dead\n"), "\(written.text)")
            #expect(harness.bmp.log == ["health 1", "blacklist 1"])
            let json = try await root.execute(
                .put, Self.path, body: #"{"chips":[{"x":4,"y":2,"dead-links":[1]},{"x":3,"y":3}]}"#)
            #expect(json.status == .ok, "\(json.text)")
            #expect(try await root.get(Reply.self, Self.path).chips == [.init(x: 4, y: 2, deadLinks: [1])])
            let flash = harness.bmp.state.withLockedValue { $0.blacklists[1] }
            #expect(flash == Blacklist(entries: [.init(chip: ChipID(4, 2), deadLinks: [.northEast])]))
        }
    }

    @Test func mistakesChangeNothing() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let wrong = try await self.put(root, "chip 1 1 dead\nchip 9 9 dead")
            #expect(wrong.status == .badRequest && wrong.text.contains("line 2"), "\(wrong.text)")
            for body in [#"{"chips":[{"x":9,"y":9,"dead":true}]}"#, #"{"chips":[{"x":1,"y":1,"dead-links":[-1]}]}"#, "{", "[]"]
            {
                #expect(try await root.execute(.put, Self.path, body: body).status == .badRequest, "\(body)")
            }
            for (path, status) in [
                ("admin/blacklist?x=0&y=0", HTTPResponse.Status.badRequest), ("admin/blacklist?machine=m9&x=0&y=0", .notFound),
                ("admin/blacklist?machine=m1", .badRequest), ("admin/blacklist?machine=m1&x=4&y=0", .notFound),
                ("admin/blacklist?machine=m1&cabinet=0&board=9", .notFound),
                ("admin/blacklist?machine=m1&address=1.2.3.4", .notFound),
            ] {
                #expect(try await root.execute(.get, path).status == status, "\(path)")
                #expect(try await self.put(root, "", path: path).status == status, "\(path)")
            }
            for user in ["alice", "rita"] {
                let session = try await Session.logIn(client, as: user)
                #expect(try await session.execute(.get, Self.path).status == .forbidden)
                #expect(try await self.put(session, "").status == .forbidden)
            }
            #expect(harness.bmp.log == [])
            harness.bmp.set { $0.silent = 1 }
            #expect(try await self.put(root, "chip 1 1 dead").status == .badGateway)
            let board = try #require(harness.store.catalogue.machines.first?.boardIDs[1])
            #expect(try await harness.store.blacklist(of: board) == nil, "what is not on the board is not stored")
        }
    }

    /// Another board in the slot: its predecessor's list is not for it.
    @Test func anExchangedBoardMakesTheListStale() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            #expect(try await self.put(root, "chip 0 0 dead").status == .ok)
            let board = try #require(harness.store.catalogue.machines.first?.boardIDs[1])
            #expect(try await harness.store.boardsOutOfService() == [board])
            harness.bmp.set { $0.serials[1] = 0xBEEF }
            let refused = try await self.put(root, "chip 1 1 dead")
            #expect(refused.status == .conflict && refused.text.contains("beef"), "\(refused.status) \(refused.text)")
            #expect(!harness.bmp.log.dropFirst(2).contains("blacklist 1"))
            // That it is another was noticed by the way: the list is stale, and the board may be used.
            #expect(try await root.get(Reply.self, Self.path).stale)
            #expect(try await harness.store.boardsOutOfService() == [])
            harness.bmp.set { $0.blacklists[1] = Blacklist(entries: []) }
            let own = try await root.get(Reply.self, Self.path + "&read=true")
            #expect(!own.stale && own.chips == [] && own.serial.hasSuffix("beef"))
            #expect(try await self.put(root, "chip 1 1 dead").status == .ok)
        }
    }

    // MARK: - What follows

    private func board(_ harness: Harness, _ board: BoardCoordinates) throws -> (id: Int64, index: Int) {
        let machine = try #require(harness.store.catalogue.machines.first)
        let index = try #require(machine.topology.index(of: board))
        return (machine.boardIDs[index], index)
    }

    @Test func aDeadBoardIsNotGiven() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            #expect(try await self.put(root, "chip 0 0 dead").status == .ok)
            let alice = try await Session.logIn(client, as: "alice")
            for _ in 0..<2 {
                let job = try await alice.create()
                _ = try await alice.wait(job, for: [.ready])
                #expect(try await alice.get(JobMachine.self, "jobs/\(job)/machine").boards != [BoardCoordinates(0, 0, 1)])
            }
            // A third must wait; a triad needs it, unless a board may be missing.
            let third = try await alice.create()
            #expect(try await alice.get(JobDescription.self, "jobs/\(third)").state == .queued)
            let triad = #"{"dimensions":{"width":1,"height":1},"keepalive-interval":60}"#
            let refused = try await alice.execute(.post, "jobs", body: triad)
            #expect(refused.status == .badRequest && refused.text.contains("missing"), "\(refused.text)")
            let tolerant = try await alice.execute(
                .post, "jobs", body: #"{"dimensions":{"width":1,"height":1},"max-dead-boards":1,"keepalive-interval":60}"#)
            #expect(tolerant.status == .created)
            let detail = try await alice.get(MachineDetail.self, "machines/m1")
            #expect(detail.downBoards.map { [$0.x, $0.y, $0.z] } == [[0, 0, 1]])
            // Repaired: the one that waits has it at once.
            #expect(try await self.put(root, "").status == .ok)
            _ = try await alice.wait(third, for: [.ready])
        }
    }

    /// Over a side without links no job is connected.
    @Test func deadSidesAreDeadLinks() async throws {
        try await withService(machines: [machineDefinition(2, 2)]) { harness, client in
            let (_, index) = try self.board(harness, BoardCoordinates(0, 0, 0))
            let before = try #require(harness.store.catalogue.machines.first).topology
            let north = try #require(before.neighbour(of: index, side: .north))
            let root = try await Session.logIn(client, as: "root")
            let row = BoardShape.spinn5.chips.filter { $0.y == 7 }.map { "chip \($0.x) \($0.y) dead\n" }.joined()
            let path = "admin/blacklist?machine=m1&x=0&y=0&z=0"
            #expect(try await self.put(root, row, path: path).status == .ok)
            let machine = try #require(harness.store.catalogue.machines.first)
            #expect(machine.topology.neighbour(of: index, side: .north) == nil)
            #expect(machine.topology.neighbour(of: north, side: .south) == nil, "from the other end, too")
            for side in Link.allCases where side != .north {
                #expect(machine.topology.neighbour(of: index, side: side) == before.neighbour(of: index, side: side))
            }
            #expect(try await root.get(MachineDetail.self, "machines/m1").downLinks.count == 1)
            #expect(try await harness.store.boardsOutOfService() == [], "the board itself can be used")
            #expect(try await self.put(root, "", path: path).status == .ok)
            #expect(harness.store.catalogue.machines.first?.topology.neighbour(of: index, side: .north) == north)
        }
    }

    @Test func whatIsStoredOutlivesARestart() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let first = try await buildHarness(in: directory)
        let board = try self.board(first, BoardCoordinates(0, 0, 2)).id
        let list = try Blacklist(text: "chip 0 0 dead")
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        #expect(try await first.store.recordHealth(of: board, serial: "a", temperatures: ["top": 20.5], now: now) == nil)
        #expect(try await first.store.setBlacklist(list, of: board, serial: "a", now: now))
        #expect(try await !first.store.setBlacklist(list, of: board, serial: "a", now: now), "nothing new")
        try first.store.close()
        let second = try await buildHarness(in: directory)
        #expect(
            try await second.store.blacklist(of: board) == StoredBlacklist(list: list, serial: "a", at: now, isStale: false))
        #expect(try await second.store.lastHealth(of: board) == LastHealth(serial: "a", temperatures: ["top": 20.5], at: now))
        #expect(try await second.store.boardsOutOfService() == [board])
        #expect(try await second.store.recordHealth(of: board, serial: "b", temperatures: [:], now: now) == "a")
        #expect(try await second.store.boardsOutOfService() == [])
        try second.store.close()
    }

    // MARK: - The sweep

    @Test func theSweepAsksAllBoardsOnce() async throws {
        try await withService(configure: { $0.health.firstSweep = .zero }) { harness, client in
            let boards = try #require(harness.store.catalogue.machines.first).boardIDs
            try await eventually("all boards to be known") {
                for board in boards where try await harness.store.blacklist(of: board) == nil { return false }
                return true
            }
            #expect(harness.bmp.log == ["health 0", "health 1", "health 2"])
            let root = try await Session.logIn(client, as: "root")
            let last = try await root.execute(.get, "machines/m1/last-board-health?x=0&y=0&z=2")
            #expect(
                last.status == .ok && last.text.contains(#""serial":"00000001-00000002-00000003-0000abcd""#), "\(last.text)")
            #expect(last.text.contains(#""top":25.5"#))
            #expect(harness.bmp.log.count == 3, "what is stored needs no BMP")
        }
    }

    @Test func beforeItWasAskedThereIsNoHealth() async throws {
        try await withService { _, client in
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.execute(.get, "machines/m1/last-board-health?x=0&y=0&z=2").status == .noContent)
            let alice = try await Session.logIn(client, as: "alice")
            #expect(try await alice.execute(.get, "machines/m1/last-board-health?x=0&y=0&z=2").status == .forbidden)
        }
    }

    /// A sweep keeps a list that is stored: it is the administrator's. A board that was exchanged shows.
    @Test func theSweepNoticesExchangedBoards() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let bmp = FakeBMP()
        bmp.set { $0.serials[2] = 0xBEEF }
        let harness = try await buildHarness(in: directory, bmp: bmp) { $0.health.firstSweep = .zero }
        let (same, other) = (
            try self.board(harness, BoardCoordinates(0, 0, 1)).id, try self.board(harness, BoardCoordinates(0, 0, 2)).id
        )
        let list = try Blacklist(text: "chip 0 0 dead")
        for board in [same, other] {
            let serial = "00000001-00000002-00000003-0000abcd"
            _ = try await harness.store.recordHealth(of: board, serial: serial, temperatures: [:], now: SystemClock.now())
            try await harness.store.setBlacklist(list, of: board, serial: serial, now: SystemClock.now())
        }
        try await harness.application.application().test(.router) { _ in
            try await eventually("the other board to be known") {
                try await harness.store.blacklist(of: other)?.isStale == true
            }
            #expect(try await harness.store.blacklist(of: same)?.list == list)
            #expect(try await harness.store.boardsOutOfService() == [same])
        }
        try harness.store.close()
    }

    // MARK: - A BMP of flash

    /// By SCP into a virtual BMP's two flashes; at the board's next power-on SC&MP finds the chip dead.
    @Test func aVirtualBoardObeysItsList() async throws {
        let description = VirtualMachineDescription(
            .triads(width: 1, height: 1), bootTimeScale: 0, powerOnDelay: .zero, base: 214)
        try await withVirtualMachineHost(description, logger: quiet) { host in
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let machine = MachineDefinition(of: host)
            let application = try await SpallocApplication.build(
                configuration: testConfiguration(in: directory, machines: [machine]), logger: quiet)
            try await application.application().test(.router) { client in
                let root = try await Session.logIn(client, as: "root")
                let written = try await self.put(root, "chip 3 2 dead\nchip 1 1 core 5 link 0\n", accept: "text/plain")
                #expect(written.status == .ok, "\(written.text)")
                let read = try await root.execute(.get, Self.path + "&read=true", headers: [.accept: "text/plain"])
                #expect(read.text.hasSuffix("\nchip 3 2 dead\nchip 1 1 core 5 link 0\n"), "\(read.text)")
                // Twice: the sector that was written is sealed, or it would be refused now.
                #expect(try await self.put(root, "chip 3 2 dead\nchip 1 1 core 5 link 0\n").status == .ok)

                let alice = try await Session.logIn(client, as: "alice")
                let job = try await alice.create(#"{"board":{"x":0,"y":0,"z":1},"keepalive-interval":60}"#)
                _ = try await alice.wait(job, for: [.ready])
                let address = try #require(try await alice.get(JobMachine.self, "jobs/\(job)/machine").connections.first)
                    .hostname
                try await withTransceiver(to: address, image: .placeholder) { transceiver in
                    _ = try await transceiver.ensureReady(image: .placeholder)
                    let machine = try await transceiver.discoverMachine()
                    #expect(machine.chips.count == 47 && machine[ChipID(3, 2)] == nil)
                }
            }
            try application.core.store.close()
        }
    }
}
