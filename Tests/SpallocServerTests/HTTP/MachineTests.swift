//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct MachineTests {
    @Test func theListHasTheSevenKeysAndTheDetailItsTen() async throws {
        let dead = MachineDefinition.DeadLink(board: BoardCoordinates(0, 0, 0), side: .north)
        let machine = machineDefinition(
            2, 1, tags: ["lab", "default"], deadBoards: [BoardCoordinates(1, 0, 1)], deadLinks: [dead])
        try await withService(machines: [machine]) { _, client in
            let session = try await Session.logIn(client, as: "rita")
            let list = try await session.execute(.get, "machines")
            let raw = try #require(try JSONSerialization.jsonObject(with: Data(list.body.readableBytesView)) as? [String: Any])
            let entry = try #require((raw["machines"] as? [[String: Any]])?.first)
            #expect(Set(entry.keys) == ["name", "tags", "uri", "width", "height", "dead-boards", "dead-links"])
            let brief = try #require(try await session.get(MachineList.self, "machines/").machines.first)
            #expect(brief.name == "m1" && brief.tags == ["default", "lab"] && brief.width == 2 && brief.height == 1)
            #expect(brief.uri == "http://localhost/spalloc/srv/spalloc/machines/m1")
            #expect(brief.deadBoards.map(\.logical) == [BoardCoordinates(1, 0, 1)])
            #expect(brief.deadBoards.first?.address == "127.10.0.14")
            #expect(brief.deadLinks.count == 1)
            #expect(brief.deadLinks.first?.ends.map(\.direction) == [.north, .south])
            #expect(brief.deadLinks.first?.ends.map(\.board.logical) == [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 2)])

            let detail = try await session.execute(.get, "machines/m1/")
            #expect(
                try detail.keys == [
                    "name", "tags", "width", "height", "down-boards", "down-links", "lookup-by-physical-board",
                    "lookup-by-logical-board", "lookup-by-chip", "lookup-by-address",
                ])
        }
    }

    /// A dead board without a slot is listed with nulls, not without the keys.
    @Test func absentBoardsHaveNulls() async throws {
        var machine = machineDefinition(1, 1)
        machine.boards.removeLast()
        machine.deadBoards = [BoardCoordinates(0, 0, 2)]
        try await withService(machines: [machine]) { _, client in
            let session = try await Session.logIn(client, as: "rita")
            let text = try await session.execute(.get, "machines").text
            #expect(text.contains(#"{"address":null,"board":null,"cabinet":0,"frame":0,"x":0,"y":0,"z":2}"#), "\(text)")
        }
    }

    @Test func whereIsInEveryForm() async throws {
        try await withService(machines: [machineDefinition(3, 2)]) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            // A job rooted away from the origin, so that relative and absolute differ.
            let job = try await session.create(
                #"{"board":{"x":2,"y":1,"z":0},"dimensions":{"width":2,"height":1},"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            // (0, 1, 1) lies across the machine's edge, at chip (8, 16).
            for path in [
                "logical-board?x=0&y=1&z=1", "physical-board?board=4", "physical-board?cabinet=0&frame=0&board=4",
                "board-ip?address=127.10.0.14",
            ] {
                let found = try await session.get(WhereIs.self, "machines/m1/\(path)")
                #expect(found.logicalBoardCoordinates == BoardCoordinates(0, 1, 1), "\(path)")
                #expect(found.physicalBoardCoordinates == PhysicalCoordinates(cabinet: 0, frame: 0, board: 4))
                #expect(found.chip == ChipPosition(x: 8, y: 16) && found.boardChip == found.chip)
                #expect(found.jobID == job && found.jobChip == ChipPosition(x: 20, y: 4))
                #expect(found.machineRef == "http://localhost/spalloc/srv/spalloc/machines/m1")
                #expect(found.jobRef == "http://localhost/spalloc/srv/spalloc/jobs/\(job)")
            }
            // A chip in the middle of that board.
            let chip = try await session.get(WhereIs.self, "machines/m1/chip?x=11&y=19")
            #expect(chip.logicalBoardCoordinates == BoardCoordinates(0, 1, 1))
            #expect(chip.chip == ChipPosition(x: 11, y: 19) && chip.boardChip == ChipPosition(x: 8, y: 16))
            #expect(chip.jobChip == ChipPosition(x: 23, y: 7))
            // A board that nobody has.
            let free = try await session.execute(.get, "machines/m1/logical-board?x=1&y=0")
            #expect(
                try free.keys == [
                    "machine", "machine-ref", "chip", "board-chip", "logical-board-coordinates", "physical-board-coordinates",
                ])
        }
    }

    @Test(arguments: [
        ("logical-board?x=9&y=0", 404), ("logical-board?x=0", 400), ("logical-board?x=a&y=0", 400),
        ("logical-board?x=0&y=0&z=3", 400),
        ("physical-board?board=23", 404), ("chip?x=500&y=0", 404), ("chip?x=-1&y=0", 400), ("board-ip?address=1.2.3.4", 404),
        ("board-ip?address=x", 400), ("nothing", 404),
    ])
    func misses(_ path: String, _ status: Int) async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "rita")
            let reply = try await session.execute(.get, "machines/m1/\(path)")
            #expect(reply.status.code == status, "\(reply.text)")
            #expect(reply.headers[.contentType] == "text/plain; charset=UTF-8")
        }
    }

    @Test func unknownAndOutOfServiceMachines() async throws {
        try await withService { harness, client in
            let reader = try await Session.logIn(client, as: "rita")
            let admin = try await Session.logIn(client, as: "root")
            #expect(try await reader.execute(.get, "machines/other").status == .notFound)
            #expect(try await harness.store.setInService(false, machine: "m1"))
            #expect(try await reader.execute(.get, "machines/m1").status == .notFound)
            #expect(try await reader.get(MachineList.self, "machines").machines.isEmpty)
            #expect(try await admin.execute(.get, "machines/m1").status == .ok)
        }
    }

    @Test func rolesOfTheReferenceTable() async throws {
        try await withService { _, client in
            let basic = try await Session.logIn(client, as: "basil")
            let root = try await basic.execute(.get, "")
            #expect(try root.keys == ["version", "csrf-header", "csrf-token"])
            #expect(try await basic.execute(.get, "machines").status == .forbidden)
            #expect(try await basic.execute(.get, "jobs").status == .forbidden)
            let reader = try await Session.logIn(client, as: "rita")
            #expect(try await reader.execute(.get, "jobs").status == .ok)
            #expect(try await reader.execute(.post, "jobs", body: #"{"keepalive-interval":60}"#).status == .forbidden)
            #expect(try await reader.execute(.get, "jobs/1").status == .forbidden)
            let nobody = try await client.execute(uri: Session.api + "machines", method: .get)
            #expect(nobody.status == .unauthorized)
        }
    }
}
