//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers
import SpiNNakerMachine

extension Store {
    /// In words, the first thing in which the machine of this name differs from a definition. nil: nothing, or there is no such machine.
    ///
    /// Tags, boards out of service and dead links are not looked at: they are changed while the machine runs.
    package func difference(from definition: MachineDefinition) async throws -> String? {
        try await self.pool.read { db in
            guard let machine = try db.row("SELECT * FROM machine WHERE name = ?", [definition.name]) else { return nil }
            let id: Int64 = machine["id"]
            let (width, height): (Int, Int) = (machine["width"], machine["height"])
            guard width == definition.width, height == definition.height else { return "\(width) x \(height) triads" }
            let boards = try db.rows(
                "SELECT board.*, cabinet, frame FROM board JOIN bmp ON bmp.id = bmp_id WHERE board.machine_id = ?", [id])
            guard boards.count == definition.boards.count else { return "\(boards.count) boards" }
            var known: [BoardCoordinates: MachineDefinition.Board] = [:]
            for row in boards {
                let coordinates = BoardCoordinates(row["x"], row["y"], row["z"])
                known[coordinates] = .init(
                    coordinates: coordinates,
                    physical: PhysicalCoordinates(cabinet: row["cabinet"], frame: row["frame"], board: row["number"]),
                    address: row["address"])
            }
            for board in definition.boards {
                guard let other = known[board.coordinates] else { return "no board \(board.coordinates)" }
                guard other == board else { return "board \(board.coordinates) in \(other.physical) at \(other.address)" }
            }
            let bmps = try db.rows("SELECT * FROM bmp WHERE machine_id = ? ORDER BY cabinet, frame", [id]).map { row in
                MachineDefinition.BMP(cabinet: row["cabinet"], frame: row["frame"], address: row["address"], port: row["port"])
            }
            guard Set(bmps) == Set(definition.bmps) else {
                let other = bmps.first { !definition.bmps.contains($0) }
                return other.map { "the BMP of cabinet \($0.cabinet), frame \($0.frame) at \($0.address):\($0.port)" }
                    ?? "\(bmps.count) BMPs"
            }
            return nil
        }
    }

    /// Reads the machines anew: another process may have added some.
    package func reloadCatalogue() async throws {
        let catalogue = try await self.pool.read { try MachineCatalogue(db: $0) }
        self.catalogueBecame(catalogue)
    }
}
