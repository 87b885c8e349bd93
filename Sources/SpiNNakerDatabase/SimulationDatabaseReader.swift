//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import SpiNNakerMachine

/// Reads what a visualiser needs out of the database of a simulation, whoever wrote it.
///
/// Opened for reading only; nothing in the file is trusted to be what its column says.
public final class SimulationDatabaseReader: Sendable {
    public let path: String
    private let queue: DatabaseQueue

    /// - Throws: ``SimulationDatabaseError/Code/unavailable`` when there is no such file.
    public init(path: String) throws(SimulationDatabaseError) {
        self.path = path
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "simulation database"
        do {
            self.queue = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw SimulationDatabaseError(error, path: path)
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(SimulationDatabaseError) -> Value {
        do {
            return try await self.queue.read(body)
        } catch {
            throw SimulationDatabaseError(error, path: self.path)
        }
    }

    private static let ofLabel = """
        JOIN graph_mapper_vertex g ON g.machine_vertex_id = v.vertex_id
        JOIN Application_vertices a ON a.vertex_id = g.application_vertex_id WHERE a.vertex_label = ?
        """

    /// Which atom each key of a population stands for.
    public func atoms(ofKeysOf label: String) async throws(SimulationDatabaseError) -> [UInt32: Int] {
        try await self.read { database in
            let rows = try Row.fetchCursor(
                database, sql: "SELECT v.event_id, v.atom_id FROM event_to_atom_mapping v " + Self.ofLabel, arguments: [label])
            var atoms: [UInt32: Int] = [:]
            while let row = try rows.next() { atoms[try row.number(0, "event_id")] = try row.number(1, "atom_id") }
            return atoms
        }
    }

    /// The key of each atom of a population.
    public func keys(ofAtomsOf label: String) async throws(SimulationDatabaseError) -> [Int: UInt32] {
        var keys: [Int: UInt32] = [:]
        for (key, atom) in try await self.atoms(ofKeysOf: label) { keys[atom] = key }
        return keys
    }

    /// Where the live output of a population leaves its board.
    public struct LiveOutput: Hashable, Sendable {
        public var tag: LiveOutputTag
        /// The chip of the gatherer.
        public var chip: ChipID
        public init(tag: LiveOutputTag, chip: ChipID) {
            self.tag = tag
            self.chip = chip
        }
    }

    /// - Parameter gatherer: how the label of the live packet gatherer begins.
    /// - Returns: nil when the population has no live output by such a gatherer.
    public func liveOutput(
        of label: String, by gatherer: String
    ) async throws(SimulationDatabaseError) -> LiveOutput? {
        try await self.read { database in
            let sql = """
                SELECT t.tag, t.board_address, t.ip_address, t.port, t.strip_sdp, p.chip_x, p.chip_y
                FROM m_vertex_to_lpg_vertex m
                JOIN IP_tags t ON t.vertex_id = m.post_vertex_id
                JOIN Machine_vertices post ON post.vertex_id = m.post_vertex_id
                JOIN Placements p ON p.vertex_id = m.post_vertex_id
                JOIN graph_mapper_vertex g ON g.machine_vertex_id = m.pre_vertex_id
                JOIN Application_vertices a ON a.vertex_id = g.application_vertex_id
                WHERE a.vertex_label = ? AND substr(post.label, 1, length(?)) = ?
                """
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [label, gatherer, gatherer]) else { return nil }
            return LiveOutput(
                tag: LiveOutputTag(
                    tag: try row.number(0, "tag"), board: try row.text(1, "board_address"),
                    host: try row.text(2, "ip_address"), port: try row.number(3, "port"),
                    stripsSDP: try row.number(4, "strip_sdp", as: Int.self) != 0),
                chip: ChipID(try row.number(5, "chip_x"), try row.number(6, "chip_y")))
        }
    }

    /// The cores that a population is on.
    public func placements(of label: String) async throws(SimulationDatabaseError) -> [CoreID] {
        try await self.read { database in
            let sql =
                "SELECT v.chip_x, v.chip_y, v.chip_p FROM Placements v " + Self.ofLabel + " ORDER BY v.vertex_id"
            return try Row.fetchAll(database, sql: sql, arguments: [label]).map { row in
                CoreID(try row.number(0, "chip_x"), try row.number(1, "chip_y"), try row.number(2, "chip_p"))
            }
        }
    }

    /// The address of a chip's board; of a chip that is not known, of the board at (0, 0).
    public func boardAddress(of chip: ChipID) async throws(SimulationDatabaseError) -> String? {
        try await self.read { database in
            let sql = """
                SELECT eth.ip_address FROM Machine_chip c
                JOIN Machine_chip eth ON eth.chip_x = c.nearest_ethernet_x AND eth.chip_y = c.nearest_ethernet_y
                    AND eth.machine_id = c.machine_id
                WHERE c.chip_x = ? AND c.chip_y = ?
                """
            for chip in [chip, .origin] {
                let row = try Row.fetchOne(database, sql: sql, arguments: [Int(chip.x), Int(chip.y)])
                if let address = try row?.textIfAny(0, "ip_address") { return address }
            }
            return nil
        }
    }

    /// One number of the configuration; nil: it is not there, or no number.
    public func parameter(_ name: String) async throws(SimulationDatabaseError) -> Double? {
        try await self.read { database in
            let sql = "SELECT value FROM configuration_parameters WHERE parameter_id = ?"
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [name]) else { return nil }
            return Double.fromDatabaseValue(row[0])
        }
    }

    /// How the simulation runs.
    public func parameters() async throws(SimulationDatabaseError) -> RunParameters {
        guard let step = try await self.parameter("machine_time_step"),
            let application = try await self.parameter("app_id").flatMap({ UInt8(exactly: $0) })
        else {
            throw SimulationDatabaseError(.invalidValue, path: self.path, "it has no time step or no application")
        }
        // Whether it ends: the toolchain writes -1 too.
        let runTime = try await self.parameter("runtime").flatMap { $0 < 0 ? nil : $0 }
        return RunParameters(
            machineTimeStep: step, timeScaleFactor: try await self.parameter("time_scale_factor") ?? 1, runTime: runTime,
            application: application)
    }

    /// How to reach the boards by a job's proxy; nil: they are reached directly.
    public func proxyCredentials() async throws(SimulationDatabaseError) -> ProxyCredentials? {
        try await self.read { database in
            // Older toolchains do not have the table.
            guard try database.tableExists("proxy_configuration") else { return nil }
            let rows = try Row.fetchAll(database, sql: "SELECT kind, name, value FROM proxy_configuration").map { row in
                (kind: try row.text(0, "kind"), name: try row.text(1, "name"), value: try row.text(2, "value"))
            }
            return ProxyCredentials(rows: rows)
        }
    }
}
