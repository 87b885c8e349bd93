//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocServer
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct V1PlaceTests {
    @Test func positions() async throws {
        try await withV1(machines: [machineDefinition(2, 2)]) { _, _, client async throws in
            // By place or by name: the parameters are called x, y and z in both directions.
            #expect(try await client.call("get_board_position", ["m1", 1, 0, 2]) == [0, 0, 8])
            #expect(
                try await client.call("get_board_position", [], ["machine_name": "m1", "x": 1, "y": 0, "z": 2]) == [0, 0, 8])
            #expect(try await client.call("get_board_at_position", ["m1", 0, 0, 8]) == [1, 0, 2])
            for args in [["m1", 2, 0, 0], ["m1", 0, 0, 3], ["m1", -1, 0, 0], ["m9", 0, 0, 0]] as [[V1JSON]] {
                #expect(try await client.call("get_board_position", args) == nil)
            }
            for args in [["m1", 0, 0, 12], ["m1", 1, 0, 0], ["m9", 0, 0, 0]] as [[V1JSON]] {
                #expect(try await client.call("get_board_at_position", args) == nil)
            }
        }
    }

    private func whereIs(_ client: V1TestClient, _ kwargs: [String: V1JSON]) async throws -> V1Place? {
        let value = try await client.call("where_is", [], kwargs)
        return value.isNull ? nil : try V1Place(value)
    }

    @Test func theFourFormsOfWhereIs() async throws {
        try await withV1(machines: [machineDefinition(3, 3)]) { _, _, client async throws in
            let job = try await client.create([1, 1])
            _ = try await client.wait(job, for: .ready)
            let boards = try #require(try await client.info(job).boards)
            let root = try #require(boards.min())
            let origin = ChipPosition(x: root.x * 12, y: root.y * 12)
            // Board 2 of the job's triad: its Ethernet chip is at (4, 8) of the job.
            let expected = V1Place(
                machine: "m1", logical: BoardCoordinates(root.x, root.y, 2),
                physical: PhysicalCoordinates(
                    cabinet: 0, frame: (root.x * 9 + root.y * 3 + 2) / 24, board: (root.x * 9 + root.y * 3 + 2) % 24),
                chip: ChipPosition(x: origin.x + 4, y: origin.y + 8), boardChip: ChipPosition(x: 0, y: 0), job: job,
                jobChip: ChipPosition(x: 4, y: 8))
            let (x, y): (V1JSON, V1JSON) = (.integer(root.x), .integer(root.y))
            #expect(try await self.whereIs(client, ["machine": "m1", "x": x, "y": y, "z": 2]) == expected)
            #expect(
                try await self.whereIs(
                    client,
                    [
                        "machine": "m1", "cabinet": .integer(expected.physical.cabinet),
                        "frame": .integer(expected.physical.frame), "board": .integer(expected.physical.board),
                    ]) == expected)
            #expect(
                try await self.whereIs(
                    client, ["machine": "m1", "chip_x": .integer(expected.chip.x), "chip_y": .integer(expected.chip.y)])
                    == expected)
            #expect(try await self.whereIs(client, ["job_id": .integer(job), "chip_x": 4, "chip_y": 8]) == expected)
            // A chip inside a board, over its triad's edge.
            let inside = try #require(try await self.whereIs(client, ["job_id": .integer(job), "chip_x": 13, "chip_y": 5]))
            #expect(inside.logical.z == 1 && inside.boardChip == ChipPosition(x: 5, y: 1))
            #expect(inside.jobChip == ChipPosition(x: 13, y: 5))
            // Chips of the job's rectangle that are on boards of nobody.
            #expect(try await self.whereIs(client, ["job_id": .integer(job), "chip_x": 15, "chip_y": 0]) == nil)
        }
    }

    /// Out of range wraps around, and a z that can not be is 0: so the original.
    @Test func whatIsOutsideWraps() async throws {
        try await withV1(machines: [machineDefinition(3, 2)]) { _, _, client async throws in
            let board = try #require(try await self.whereIs(client, ["machine": "m1", "x": 10, "y": -1, "z": 7]))
            #expect(board.logical == BoardCoordinates(1, 1, 0) && board.job == nil && board.jobChip == nil)
            let chip = try #require(try await self.whereIs(client, ["machine": "m1", "chip_x": -1, "chip_y": 1_000_000]))
            #expect(chip.chip == ChipPosition(x: 35, y: 1_000_000 % 24))
            // Numbers of any size do no harm.
            for number in [Int.max, Int.min] as [Int] {
                _ = try await self.whereIs(client, ["machine": "m1", "chip_x": .integer(number), "chip_y": .integer(number)])
                _ = try await self.whereIs(
                    client, ["machine": "m1", "x": .integer(number), "y": .integer(number), "z": .integer(number)])
                _ = try await self.whereIs(
                    client, ["job_id": .integer(number), "chip_x": .integer(number), "chip_y": .integer(number)])
            }
        }
    }

    /// A job around the whole machine: its chips wrap with it. One that only reaches from edge to edge does not.
    @Test func chipsOfJobsThatWrap() async throws {
        try await withV1(machines: [machineDefinition(1, 2)]) { _, _, client async throws in
            let whole = try await client.create([1, 2])
            _ = try await client.wait(whole, for: .ready)
            #expect(try await client.info(whole).width == 12)
            // Chip (13, 5) of board 1 is over the edge.
            let place = try #require(try await self.whereIs(client, ["job_id": .integer(whole), "chip_x": 13, "chip_y": 5]))
            #expect(place.jobChip == ChipPosition(x: 1, y: 5) && place.chip == ChipPosition(x: 1, y: 5))
            #expect(place.boardChip == ChipPosition(x: 5, y: 1))
        }
    }

    @Test func whatIsNowhere() async throws {
        try await withV1(machines: [machineDefinition(2, 1, deadBoards: [BoardCoordinates(0, 0, 1)])]) {
            _, _, client async throws in
            #expect(try await self.whereIs(client, ["machine": "m9", "x": 0, "y": 0, "z": 0]) == nil)
            #expect(try await self.whereIs(client, ["machine": "m1", "cabinet": 3, "frame": 0, "board": 0]) == nil)
            // A dead board hangs somewhere, too.
            #expect(try await self.whereIs(client, ["machine": "m1", "x": 0, "y": 0, "z": 1])?.physical.board == 1)
            for kwargs in [[:], ["machine": "m1"], ["machine": "m1", "x": 0, "y": 0, "z": 0, "chip_x": 0]] as [[String: V1JSON]]
            {
                let error = await #expect(throws: V1TestClient.Exception.self) { try await client.call("where_is", [], kwargs) }
                #expect(error?.text.contains("Invalid arguments: ") == true)
            }
        }
    }
}
