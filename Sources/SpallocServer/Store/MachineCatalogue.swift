//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpallocAllocator
import SpiNNakerMachine

/// The machines, with the database's numbers for their boards.
package struct MachineCatalogue: Sendable {
    package struct Machine: Sendable {
        package var id: Int64
        package var name: String
        package var tags: [String]
        package var inService: Bool
        package var topology: MachineTopology
        /// By the topology's index; 0 where there is no board.
        package var boardIDs: [Int64]
        package var bmpIDs: [Int64]
        /// Dead boards that have no slot.
        package var absent: [BoardCoordinates]
        package var deadLinks: [BoardLink]
    }

    package struct BoardPlace: Hashable, Sendable {
        /// Index in ``MachineCatalogue/machines``.
        package var machine: Int
        /// Index in the machine's topology.
        package var index: Int
    }

    package struct BMP: Hashable, Sendable {
        package var id: Int64
        package var machine: String
        package var address: String
        package var port: Int
    }

    /// By name.
    package private(set) var machines: [Machine] = []
    package private(set) var bmps: [BMP] = []
    private var places: [Int64: BoardPlace] = [:]

    package func machine(named name: String) -> Machine? { self.machines.first { $0.name == name } }
    package func machine(id: Int64) -> Machine? { self.machines.first { $0.id == id } }
    package func place(of board: Int64) -> BoardPlace? { self.places[board] }

    init(db: Database) throws {
        var tags: [Int64: [String]] = [:]
        for row in try db.rows("SELECT machine_id, tag FROM machine_tag ORDER BY machine_id, tag") {
            tags[row["machine_id"], default: []].append(row["tag"])
        }
        for row in try db.rows("SELECT * FROM machine ORDER BY name") {
            let id: Int64 = row["id"]
            let boards = try db.rows(
                """
                SELECT board.*, bmp.cabinet, bmp.frame FROM board JOIN bmp ON bmp.id = board.bmp_id WHERE board.machine_id = ?
                """, [id])
            let deadLinks = try db.rows("SELECT * FROM dead_link WHERE machine_id = ? ORDER BY x, y, z, side", [id]).map {
                row in
                BoardLink(
                    board: BoardCoordinates(row["x"], row["y"], row["z"]), side: Link(rawValue: row["side"]) ?? .east)
            }
            let blacklisted = try db.blacklistedLinks(machine: id).filter { !deadLinks.contains($0) }
            let topology = MachineTopology(
                name: row["name"], tags: Set(tags[id] ?? []), width: row["width"], height: row["height"],
                boards: boards.map { board in
                    MachineTopology.Board(
                        coordinates: BoardCoordinates(board["x"], board["y"], board["z"]),
                        physical: PhysicalCoordinates(cabinet: board["cabinet"], frame: board["frame"], board: board["number"]),
                        address: board["address"])
                },
                deadLinks: Set(deadLinks + blacklisted))
            var boardIDs = [Int64](repeating: 0, count: topology.capacity)
            var bmpIDs = [Int64](repeating: 0, count: topology.capacity)
            for board in boards {
                guard let index = topology.index(of: BoardCoordinates(board["x"], board["y"], board["z"])) else { continue }
                boardIDs[index] = board["id"]
                bmpIDs[index] = board["bmp_id"]
                self.places[board["id"]] = BoardPlace(machine: self.machines.count, index: index)
            }
            self.machines.append(
                Machine(
                    id: id, name: row["name"], tags: tags[id] ?? [], inService: row["in_service"], topology: topology,
                    boardIDs: boardIDs, bmpIDs: bmpIDs,
                    absent: try db.rows("SELECT * FROM absent_board WHERE machine_id = ? ORDER BY x, y, z", [id]).map { row in
                        BoardCoordinates(row["x"], row["y"], row["z"])
                    }, deadLinks: deadLinks + blacklisted))
        }
        self.bmps = try db.rows(
            "SELECT bmp.*, machine.name FROM bmp JOIN machine ON machine.id = bmp.machine_id ORDER BY bmp.id"
        )
        .map { row in BMP(id: row["id"], machine: row["name"], address: row["address"], port: row["port"]) }
    }

    /// What the allocator sees, given the boards that are taken and those that are out of service.
    func snapshot(taken: [Int64], out: [Int64], queue: [AllocatorSnapshot.QueuedJob]) -> AllocatorSnapshot {
        var machines = self.machines.map { machine in
            AllocatorSnapshot.Machine(
                topology: machine.topology, functioning: machine.topology.existing, usable: machine.topology.existing,
                acceptsJobs: machine.inService)
        }
        for board in out {
            guard let place = self.places[board] else { continue }
            machines[place.machine].functioning.remove(place.index)
            machines[place.machine].usable.remove(place.index)
        }
        for board in taken {
            guard let place = self.places[board] else { continue }
            machines[place.machine].usable.remove(place.index)
        }
        return AllocatorSnapshot(machines: machines, queue: queue)
    }
}
