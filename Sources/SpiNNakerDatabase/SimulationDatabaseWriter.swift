//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import SpiNNakerMachine

/// Writes the database of a simulation, for ``SimulationDatabaseReader`` or any visualiser of the toolchain.
///
/// ```swift
/// try await SimulationDatabaseWriter.write(to: path) { writer in
///     try writer.setMachine(width: 8, height: 8, chips: chips)
///     let population = try writer.addPopulation("pop")
///     let part = try writer.addPart("pop_0", of: population, on: CoreID(0, 0, 3))
///     try writer.addEvents(of: part, [(atom: 0, key: 0x1000)])
/// }
/// ```
public struct SimulationDatabaseWriter {
    /// A vertex of the application graph.
    public struct Population: Hashable, Sendable { let id: Int64 }
    /// A vertex of the machine graph: what runs on one core.
    public struct Part: Hashable, Sendable { let id: Int64 }

    private let database: Database
    private let path: String
    private static let machine: Int64 = 1

    /// Writes a database, in place of one that is there. Whoever opens the path sees the old one or the new, never a part; after
    /// an error the old one is still there.
    public static func write(
        to path: String, _ body: @escaping @Sendable (SimulationDatabaseWriter) throws -> Void
    ) async throws(SimulationDatabaseError) {
        let draft = path + ".new"
        do {
            try? FileManager.default.removeItem(atPath: draft)
            var configuration = Configuration()
            configuration.label = "simulation database"
            let queue = try DatabaseQueue(path: draft, configuration: configuration)
            try await queue.write { database in
                try database.execute(sql: SimulationSchema.statements)
                try body(SimulationDatabaseWriter(database: database, path: path))
                let secrets = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM proxy_configuration") ?? 0
                // Nobody else's eyes.
                if secrets > 0 {
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: draft)
                }
            }
            try queue.close()
            guard rename(draft, path) == 0 else {
                throw SimulationDatabaseError(.unavailable, path: path, String(cString: strerror(errno)))
            }
        } catch {
            try? FileManager.default.removeItem(atPath: draft)
            throw SimulationDatabaseError(error, path: path)
        }
    }

    private func run(_ sql: String, _ values: StatementArguments) throws {
        do {
            try self.database.execute(sql: sql, arguments: values)
        } catch {
            throw SimulationDatabaseError(error, path: self.path)
        }
    }

    /// How it runs.
    public func setParameters(_ parameters: RunParameters) throws {
        let rows: [(String, any DatabaseValueConvertible)] = [
            ("machine_time_step", parameters.machineTimeStep), ("time_scale_factor", parameters.timeScaleFactor),
            // Text in a column of numbers, as the toolchain has it.
            ("infinite_run", parameters.runTime == nil ? "True" : "False"), ("runtime", parameters.runTime ?? -1),
            ("app_id", Int(parameters.application)),
        ]
        for (name, value) in rows {
            try self.run("INSERT OR REPLACE INTO configuration_parameters VALUES(?, ?)", [name, value])
        }
    }

    /// The machine; before any part is placed on it.
    public func setMachine(width: Int, height: Int, chips: [DatabaseChip]) throws {
        try self.run("INSERT INTO Machine_layout VALUES(?, ?, ?)", [SimulationDatabaseWriter.machine, width, height])
        for chip in chips {
            try self.run(
                "INSERT INTO Machine_chip VALUES(?, ?, ?, ?, ?, ?, ?)",
                [
                    chip.cores, Int(chip.chip.x), Int(chip.chip.y), SimulationDatabaseWriter.machine, chip.address,
                    Int(chip.nearestEthernet.x), Int(chip.nearestEthernet.y),
                ])
        }
    }

    public func addPopulation(_ label: String) throws -> Population {
        try self.run("INSERT INTO Application_vertices(vertex_label) VALUES(?)", [label])
        return Population(id: self.database.lastInsertedRowID)
    }

    /// - Parameter population: nil for what is no part of any, a gatherer for example.
    public func addPart(_ label: String, of population: Population?, on core: CoreID) throws -> Part {
        try self.run("INSERT INTO Machine_vertices(label) VALUES(?)", [label])
        let part = Part(id: self.database.lastInsertedRowID)
        if let population { try self.run("INSERT INTO graph_mapper_vertex VALUES(?, ?)", [population.id, part.id]) }
        try self.run(
            "INSERT INTO Placements VALUES(?, ?, ?, ?, ?)",
            [part.id, SimulationDatabaseWriter.machine, Int(core.chip.x), Int(core.chip.y), Int(core.p)])
        return part
    }

    /// Which keys a part's atoms have.
    public func addEvents(of part: Part, _ events: some Sequence<(atom: Int, key: UInt32)>) throws {
        do {
            let statement = try self.database.makeStatement(sql: "INSERT INTO event_to_atom_mapping VALUES(?, ?, ?)")
            for event in events { try statement.execute(arguments: [part.id, event.atom, Int64(event.key)]) }
        } catch {
            throw SimulationDatabaseError(error, path: self.path)
        }
    }

    /// A part's live output goes by a gatherer.
    public func addLiveOutput(of part: Part, by gatherer: Part, partition: String) throws {
        try self.run("INSERT INTO m_vertex_to_lpg_vertex VALUES(?, ?, ?)", [part.id, partition, gatherer.id])
    }

    /// The tag of a gatherer.
    public func addTag(_ tag: LiveOutputTag, of gatherer: Part) throws {
        try self.run(
            "INSERT INTO IP_tags VALUES(?, ?, ?, ?, ?, ?)",
            [gatherer.id, Int(tag.tag), tag.board, tag.host, Int(tag.port), tag.stripsSDP])
    }

    /// Lets every reader of the file act in our session with the Spalloc service. Only then is the file for its owner alone.
    public func setProxyCredentials(_ credentials: ProxyCredentials) throws {
        try self.run("DELETE FROM proxy_configuration", [])
        for row in credentials.rows {
            try self.run("INSERT INTO proxy_configuration VALUES(?, ?, ?)", [row.kind, row.name, row.value])
        }
    }
}
