//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import SpiNNakerDatabase
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct SimulationDatabaseTests {
    private static func vector(_ id: String) throws -> [String: Any] {
        let path =
            ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "shared/vectors/golden-vectors.json").standardizedFileURL.path
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [[String: Any]] ?? []
        return try #require(all.first { $0["id"] as? String == id }, "the vectors are missing")
    }

    private static func withDirectory(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "database-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    /// What the vector's rows say, written by our writer.
    private static let secret = "0123456789ABCDEF"
    private static func write(to path: String, credentials: ProxyCredentials? = nil) async throws {
        try await SimulationDatabaseWriter.write(to: path) { writer in
            try writer.setParameters(RunParameters(machineTimeStep: 1000, runTime: 5000, application: 17))
            try writer.setMachine(
                width: 8, height: 8,
                chips: [
                    DatabaseChip(chip: ChipID(0, 0), cores: 18, nearestEthernet: ChipID(0, 0), address: "10.0.0.1"),
                    DatabaseChip(chip: ChipID(1, 0), cores: 18, nearestEthernet: ChipID(0, 0)),
                    DatabaseChip(chip: ChipID(0, 1), cores: 18, nearestEthernet: ChipID(0, 0)),
                    DatabaseChip(chip: ChipID(4, 8), cores: 18, nearestEthernet: ChipID(4, 8), address: "10.0.0.9"),
                    DatabaseChip(chip: ChipID(0, 9), cores: 18, nearestEthernet: ChipID(4, 8)),
                ])
            let pop = try writer.addPart("pop_0", of: writer.addPopulation("pop"), on: CoreID(0, 0, 3))
            let inj = try writer.addPart("inj_0", of: writer.addPopulation("inj"), on: CoreID(1, 0, 4))
            let lpg = try writer.addPart("lpg_0", of: writer.addPopulation("lpg"), on: CoreID(0, 0, 5))
            try writer.addTag(LiveOutputTag(tag: 1, board: "10.0.0.1", host: "localhost"), of: lpg)
            try writer.addEvents(of: pop, [(atom: 0, key: 4096), (atom: 1, key: 4097)])
            try writer.addEvents(of: inj, [(atom: 0, key: 458752), (atom: 1, key: 458753)])
            try writer.addLiveOutput(of: pop, by: lpg, partition: "SPIKE")
            if let credentials { try writer.setProxyCredentials(credentials) }
        }
    }

    @Test func theSchemaIsTheToolchains() async throws {
        let vector = try #require(try Self.vector("notify.schema")["decoded"] as? [String: [String: Any]])
        let kinds = vector.compactMapValues { $0["kind"] as? String }
        let columns = vector.compactMapValues { $0["columns"] as? [[String]] }
        try await Self.withDirectory { directory in
            try await Self.write(to: directory + "/db")
            try await DatabaseQueue(path: directory + "/db").read { database in
                let names = try String.fetchSet(
                    database, sql: "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
                )
                #expect(names == Set(kinds.keys))
                for (name, expected) in kinds {
                    let kind = try String.fetchOne(
                        database, sql: "SELECT type FROM sqlite_master WHERE name = ?", arguments: [name])
                    #expect(kind == expected)
                    let made = try Row.fetchAll(database, sql: "PRAGMA table_info('\(name)')").map { row in
                        [row["name"] as String? ?? "", row["type"] as String? ?? ""]
                    }
                    #expect(made == columns[name], "\(name)")
                }
            }
        }
    }

    /// The rows are the vector's too, whichever order SQLite gives them.
    @Test func theRowsAreTheToolchains() async throws {
        let rows = try #require((try Self.vector("notify.reader")["args"] as? [String: Any])?["rows"] as? [String: [[Any]]])
            .mapValues { rows in Set(rows.map { $0.map(Self.text) }) }
        try await Self.withDirectory { directory in
            try await Self.write(to: directory + "/db")
            try await DatabaseQueue(path: directory + "/db").read { database in
                for (table, expected) in rows {
                    let made = try Row.fetchAll(database, sql: "SELECT * FROM \(table)").map { row in
                        Array(row.databaseValues).map(Self.text)
                    }
                    #expect(Set(made) == expected, "\(table)")
                }
                #expect(try Row.fetchAll(database, sql: "PRAGMA foreign_key_check").isEmpty)
            }
        }
    }

    private static func text(_ value: DatabaseValue) -> String {
        switch value.storage {
        case .null: "null"
        case .int64(let number): "\(Double(number))"
        case .double(let number): "\(number)"
        case .string(let text): text
        case .blob: "blob"
        }
    }

    private static func text(_ value: Any) -> String {
        switch value {
        case let text as String: text
        case let number as NSNumber: "\(number.doubleValue)"
        default: "null"
        }
    }

    @Test func theAnswersAreTheToolchains() async throws {
        let expected = try #require(try Self.vector("notify.reader")["decoded"] as? [String: Any])
        try await Self.withDirectory { directory in
            try await Self.write(to: directory + "/db")
            let reader = try SimulationDatabaseReader(path: directory + "/db")
            #expect(try await reader.atoms(ofKeysOf: "pop") == [4096: 0, 4097: 1])
            #expect(try await reader.keys(ofAtomsOf: "inj") == [0: 458752, 1: 458753])
            #expect(try await reader.keys(ofAtomsOf: "nobody").isEmpty)
            for name in ["ip_0_9", "ip_1_0", "ip_4_8", "ip_9_9"] {
                let parts = name.split(separator: "_").compactMap { UInt8($0) }
                #expect(try await reader.boardAddress(of: ChipID(parts[0], parts[1])) == expected[name] as? String, "\(name)")
            }
            let output = try #require(try await reader.liveOutput(of: "pop", by: "lpg"))
            #expect(output.tag == LiveOutputTag(tag: 1, board: "10.0.0.1", host: "localhost", port: 0, stripsSDP: true))
            #expect(output.chip == ChipID(0, 0))
            // A label is no pattern, and no row is no crash.
            #expect(try await reader.liveOutput(of: "pop", by: "l%") == nil)
            #expect(try await reader.liveOutput(of: "inj", by: "lpg") == nil)
            #expect(try await reader.placements(of: "inj") == [CoreID(1, 0, 4)])
            #expect(try await reader.parameter("runtime") == expected["runtime"] as? Double)
            #expect(try await reader.parameter("machine_time_step") == expected["time_step"] as? Double)
            #expect(try await reader.parameter("missing") == nil)
            #expect(try await reader.parameter("infinite_run") == nil)
            #expect(
                try await reader.parameters()
                    == RunParameters(machineTimeStep: 1000, timeScaleFactor: 1, runTime: 5000, application: 17))
            #expect(try await reader.proxyCredentials() == nil)
        }
    }

    /// The views say what the joins do, for readers that use them.
    @Test func theViews() async throws {
        try await Self.withDirectory { directory in
            try await Self.write(to: directory + "/db")
            try await DatabaseQueue(path: directory + "/db").read { database in
                #expect(try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM label_event_atom_view WHERE label = 'pop'") == 2)
                let output = try Row.fetchOne(database, sql: "SELECT * FROM app_output_tag_view")
                #expect(output?["pre_vertex_label"] == "pop")
                #expect(output?["post_vertex_label"] == "lpg_0")
                let placed = try Row.fetchOne(
                    database, sql: "SELECT * FROM application_vertex_placements WHERE vertex_label = 'inj'")
                #expect(placed?["p"] == 4)
                let chip = try Row.fetchOne(database, sql: "SELECT * FROM chip_eth_info WHERE x = 0 AND y = 9")
                #expect(chip?["eth_ip_address"] == "10.0.0.9")
            }
        }
    }

    @Test(arguments: [nil, 0, 0.5, 5000] as [Double?])
    func howItRunsComesBack(_ runTime: Double?) async throws {
        try await Self.withDirectory { directory in
            let path = directory + "/db"
            let parameters = RunParameters(machineTimeStep: 125, timeScaleFactor: 7.5, runTime: runTime, application: 255)
            try await SimulationDatabaseWriter.write(to: path) { try $0.setParameters(parameters) }
            let reader = try SimulationDatabaseReader(path: path)
            #expect(try await reader.parameters() == parameters)
            // What the toolchain's own reader goes by.
            try await DatabaseQueue(path: path).read { database in
                let sql = "SELECT value FROM configuration_parameters WHERE parameter_id = ?"
                let isEndless = try String.fetchOne(database, sql: sql, arguments: ["infinite_run"])
                #expect(isEndless == (runTime == nil ? "True" : "False"))
                #expect(try Double.fetchOne(database, sql: sql, arguments: ["runtime"]) == runTime ?? -1)
            }
            // Older databases have no scale: time is not stretched.
            try await DatabaseQueue(path: path).write {
                try $0.execute(sql: "DELETE FROM configuration_parameters WHERE parameter_id = 'time_scale_factor'")
            }
            #expect(try await reader.parameters().timeScaleFactor == 1)
        }
    }

    /// Random networks: what a population has is what was given to its parts, and nothing of its neighbours'.
    @Test(arguments: [1, 2, 3]) func everyPopulationHasItsOwn(_ seed: Int) async throws {
        var state = UInt64(seed)
        func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        struct Population: Sendable {
            var label: String
            var cores: [CoreID] = []
            var keys: [UInt32: Int] = [:]
            var output: (tag: LiveOutputTag, core: CoreID)?
        }
        let chips = (0..<64).map { ChipID(UInt8($0 / 8), UInt8($0 % 8)) }
        var populations: [Population] = []
        for number in 0..<8 {
            // Labels that are patterns, or the beginnings of others.
            var population = Population(label: ["p", "p%", "p_", "pop", "pop'1", "", "Pop", "ポップ"][number])
            for part in 0..<below(4) {
                population.cores.append(CoreID(chip: chips[below(64)], p: UInt8(1 + below(17))))
                for atom in 0..<below(20) {
                    population.keys[UInt32(number) << 29 | UInt32(part) << 16 | UInt32(atom)] = part * 1000 + atom
                }
            }
            if number % 2 == 0, !population.cores.isEmpty {
                let tag = LiveOutputTag(
                    tag: UInt8(below(8)), board: "10.0.0.\(number)", host: "host\(number)", port: UInt16(below(65536)),
                    stripsSDP: below(2) == 0)
                population.output = (tag, CoreID(UInt8(number), UInt8(below(8)), 17))
            }
            populations.append(population)
        }
        let written = populations
        try await Self.withDirectory { directory in
            let path = directory + "/db"
            try await SimulationDatabaseWriter.write(to: path) { writer in
                try writer.setMachine(
                    width: 8, height: 8, chips: chips.map { DatabaseChip(chip: $0, cores: 18, nearestEthernet: .origin) })
                for population in written {
                    let id = try writer.addPopulation(population.label)
                    var first: SimulationDatabaseWriter.Part?
                    for (index, core) in population.cores.enumerated() {
                        let part = try writer.addPart("part \(index)", of: id, on: core)
                        first = first ?? part
                        let keys = population.keys.filter { $0.value / 1000 == index }
                        try writer.addEvents(of: part, keys.map { (atom: $0.value, key: $0.key) })
                    }
                    guard let output = population.output, let first else { continue }
                    let gatherer = try writer.addPart("lpg of \(population.label)", of: nil, on: output.core)
                    try writer.addTag(output.tag, of: gatherer)
                    try writer.addLiveOutput(of: first, by: gatherer, partition: "SPIKE")
                }
            }
            let reader = try SimulationDatabaseReader(path: path)
            for population in written {
                #expect(try await reader.atoms(ofKeysOf: population.label) == population.keys)
                let byAtom = Dictionary(uniqueKeysWithValues: population.keys.map { ($0.value, $0.key) })
                #expect(try await reader.keys(ofAtomsOf: population.label) == byAtom)
                #expect(try await reader.placements(of: population.label) == population.cores)
                let output = try await reader.liveOutput(of: population.label, by: "lpg")
                #expect(output?.tag == population.output?.tag && output?.chip == population.output?.core.chip)
                #expect(try await reader.liveOutput(of: population.label, by: "gpl") == nil)
            }
        }
    }

    // MARK: - Secrets

    /// Who sets them twice has the last; who never does has a file that others may read.
    @Test func credentialsReplaceOneAnother() async throws {
        try await Self.withDirectory { directory in
            let path = directory + "/db"
            var second = Self.credentials()
            second.cookies = ["A": "1", "B": "2"]
            second.headers = ["H": "3"]
            let (first, last) = (Self.credentials(), second)
            try await SimulationDatabaseWriter.write(to: path) { writer in
                try writer.setProxyCredentials(first)
                try writer.setProxyCredentials(last)
            }
            #expect(try await SimulationDatabaseReader(path: path).proxyCredentials() == last)
            #expect("\(last)" == "https://s/jobs/1/ (A, B, H: secret)")
            try await Self.write(to: path)
            // As readable as any file that is made here, whatever the process's mask.
            try Data().write(to: URL(filePath: directory + "/plain"))
            let modes = try ["/db", "/plain"].map { name in
                try FileManager.default.attributesOfItem(atPath: directory + name)[.posixPermissions] as? Int
            }
            #expect(modes[0].map { $0 & 0o044 } == modes[1].map { $0 & 0o044 })
        }
    }

    private static func credentials() -> ProxyCredentials {
        ProxyCredentials(
            serviceURL: "https://s/", jobURL: "https://s/jobs/1/", cookies: ["JSESSIONID": Self.secret],
            headers: ["X-CSRF-TOKEN": Self.secret + "2", "Authorization": "Basic " + Self.secret])
    }

    @Test func credentialsAreForTheReaderAlone() async throws {
        try await Self.withDirectory { directory in
            let path = directory + "/db"
            try await Self.write(to: path, credentials: Self.credentials())
            let reader = try SimulationDatabaseReader(path: path)
            let read = try #require(try await reader.proxyCredentials())
            #expect(read == Self.credentials())
            #expect(read.headers["Authorization"] == nil)
            let bytes = try Data(contentsOf: URL(filePath: path))
            #expect(bytes.range(of: Data("Basic ".utf8)) == nil)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)

            var dumped = ""
            dump(read, to: &dumped)
            for text in [dumped, "\(read)", String(reflecting: read), String(reflecting: [read])] {
                #expect(!text.contains(Self.secret), "\(text)")
                #expect(text.contains("https://s/jobs/1/"))
            }
        }
    }

    @Test func halfOfTheCredentialsAreNone() async throws {
        try await Self.withDirectory { directory in
            for missing in ["service uri", "job uri", "JSESSIONID", "X-CSRF-TOKEN"] {
                let path = directory + "/\(missing.count)"
                try await Self.write(to: path, credentials: Self.credentials())
                try await DatabaseQueue(path: path).write { database in
                    try database.execute(sql: "DELETE FROM proxy_configuration WHERE name = ?", arguments: [missing])
                }
                #expect(try await SimulationDatabaseReader(path: path).proxyCredentials() == nil, "\(missing)")
            }
            let path = directory + "/old"
            try await Self.write(to: path)
            try await DatabaseQueue(path: path).write { try $0.execute(sql: "DROP TABLE proxy_configuration") }
            #expect(try await SimulationDatabaseReader(path: path).proxyCredentials() == nil)
        }
    }

    // MARK: - Files

    @Test func aNewDatabaseReplacesTheOldAllAtOnce() async throws {
        try await Self.withDirectory { directory in
            let path = directory + "/db"
            try await Self.write(to: path)
            let old = try SimulationDatabaseReader(path: path)
            struct Stop: Error {}
            do throws(SimulationDatabaseError) {
                try await SimulationDatabaseWriter.write(to: path) { writer in
                    _ = try writer.addPopulation("half")
                    throw Stop()
                }
                Issue.record("no error")
            } catch {
                #expect(error.path == path)
            }
            #expect(try await old.placements(of: "pop").count == 1)
            try await SimulationDatabaseWriter.write(to: path) { writer in
                try writer.setMachine(
                    width: 2, height: 2, chips: [DatabaseChip(chip: .origin, cores: 18, nearestEthernet: .origin)])
                let pop = try writer.addPopulation("pop")
                for p in UInt8(1)...3 { _ = try writer.addPart("pop_\(p)", of: pop, on: CoreID(0, 0, p)) }
            }
            // Who has the old one open goes on with it.
            #expect(try await old.placements(of: "pop").count == 1)
            let new = try SimulationDatabaseReader(path: path)
            #expect(try await new.placements(of: "pop") == [CoreID(0, 0, 1), CoreID(0, 0, 2), CoreID(0, 0, 3)])
            #expect(try await new.boardAddress(of: .origin) == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["db"])
            await #expect(throws: SimulationDatabaseError.self) { _ = try await new.parameters() }
        }
    }

    @Test func whatCannotBeIsRefused() async throws {
        try await Self.withDirectory { directory in
            // The same key for two atoms; a part on a chip that is not there.
            for attempt in 0..<2 {
                do throws(SimulationDatabaseError) {
                    try await SimulationDatabaseWriter.write(to: directory + "/db") { writer in
                        try writer.setMachine(
                            width: 2, height: 2, chips: [DatabaseChip(chip: .origin, cores: 18, nearestEthernet: .origin)])
                        let core = attempt == 0 ? CoreID(0, 0, 1) : CoreID(7, 7, 1)
                        let part = try writer.addPart("a", of: nil, on: core)
                        if attempt == 0 { try writer.addEvents(of: part, [(atom: 0, key: 1), (atom: 1, key: 1)]) }
                    }
                    Issue.record("attempt \(attempt) was written")
                } catch {
                    #expect(error.code == .unreadable, "\(error)")
                }
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(left.isEmpty)
        }
    }

    @Test func aFileMayHoldAnything() async throws {
        try await Self.withDirectory { directory in
            #expect { try SimulationDatabaseReader(path: directory + "/none") } throws: { error in
                (error as? SimulationDatabaseError)?.code == .unavailable
            }
            try Data(repeating: 0x41, count: 9000).write(to: URL(filePath: directory + "/text"))
            await #expect(throws: SimulationDatabaseError.self) {
                _ = try await SimulationDatabaseReader(path: directory + "/text").placements(of: "pop")
            }
            let path = directory + "/db"
            try await Self.write(to: path)
            try await DatabaseQueue(path: path).writeWithoutTransaction { database in
                try database.execute(
                    sql: """
                        PRAGMA foreign_keys = OFF;
                        UPDATE Placements SET chip_x = 300;
                        UPDATE IP_tags SET tag = 'many', strip_sdp = NULL;
                        UPDATE event_to_atom_mapping SET event_id = -1 WHERE event_id = 4096;
                        UPDATE event_to_atom_mapping SET atom_id = X'00' WHERE event_id = 458752;
                        UPDATE Machine_chip SET ip_address = X'FF' WHERE chip_x = 4;
                        UPDATE configuration_parameters SET value = 300 WHERE parameter_id = 'app_id';
                        """)
            }
            let reader = try SimulationDatabaseReader(path: path)
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.placements(of: "pop") }
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.liveOutput(of: "pop", by: "lpg") }
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.atoms(ofKeysOf: "pop") }
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.keys(ofAtomsOf: "inj") }
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.boardAddress(of: ChipID(4, 8)) }
            await #expect(throws: SimulationDatabaseError.self) { _ = try await reader.parameters() }
        }
    }
}
