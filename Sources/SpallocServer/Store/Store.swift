//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocAllocator

/// The service's memory: one SQLite file. Every method that writes is one transaction that keeps the schema's promises.
///
/// What never changes while jobs come and go (which boards a machine has, what each job asked for) is also kept in memory, so that
/// an allocation reads only what is taken and what is broken.
package final class Store: Sendable {
    let pool: DatabasePool
    /// For what many do at once.
    let writes: WriteQueue
    let catalogueBox: NIOLockedValueBox<MachineCatalogue>
    /// What queued jobs ask for, so that their JSON is read once.
    let requests = NIOLockedValueBox<[Int: JobRequest]>([:])
    let recent = RecentRows()
    let power: PendingPower
    let rounds: AllocationRounds

    /// Opens the file, makes it if it is not there, and brings its tables up to date.
    package init(path: String) throws(SpallocServerError) {
        do {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = true
            configuration.busyMode = .timeout(5)
            configuration.maximumReaderCount = 4
            configuration.label = "spalloc"
            // In WAL mode GRDB sets synchronous = NORMAL: a killed process loses nothing; a power cut may lose the last moments but
            // never tears a transaction.
            // A checkpoint waits for the disk, and the writer for it: every 16 MiB of log rather than every 4, since most of it is the same
            // few pages over and over.
            configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA wal_autocheckpoint = 4096") }
            // Password hashes are in it. What SQLite puts beside it gets the same permissions.
            if path != ":memory:", !FileManager.default.fileExists(atPath: path) {
                _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            }
            self.pool = try DatabasePool(path: path, configuration: configuration)
            let rounds = AllocationRounds()
            self.rounds = rounds
            self.writes = WriteQueue(pool: self.pool, closing: rounds.close)
            let migrator = Schema.migrator
            if try self.pool.read(migrator.hasBeenSuperseded) {
                throw SpallocServerError(.database, "\(path) was made by a newer version of this service")
            }
            try migrator.migrate(self.pool)
            self.catalogueBox = NIOLockedValueBox(try self.pool.read { try MachineCatalogue(db: $0) })
            self.power = PendingPower()
            self.pool.add(transactionObserver: self.recent, extent: .databaseLifetime)
            self.pool.add(transactionObserver: self.power, extent: .databaseLifetime)
            try self.pool.read { try self.power.load($0) }
        } catch let error as SpallocServerError {
            throw error
        } catch let error as DatabaseError {
            throw SpallocServerError(.database, "cannot use the database \(path): \(error.message ?? "\(error.resultCode)")")
        } catch {
            throw SpallocServerError(.database, "cannot use the database \(path): \(error)")
        }
    }

    /// The machines as they are now.
    package var catalogue: MachineCatalogue { self.catalogueBox.withLockedValue { $0 } }

    /// Machines have come, or are known to be other than they were.
    func catalogueBecame(_ catalogue: MachineCatalogue) {
        self.catalogueBox.withLockedValue { $0 = catalogue }
        self.recent.forgetMachines()
    }

    package func close() throws { try self.pool.close() }

    /// Copies the database to another file while the service runs, and reads the copy once.
    ///
    /// - Throws: ``SpallocServerError`` if the copy is damaged, which says that the database is, or the disk.
    package func backUp(to path: String) throws {
        let copy = try DatabaseQueue(path: path)
        try self.pool.backup(to: copy)
        let problems = try copy.read { try String.fetchAll($0, sql: "PRAGMA integrity_check(1)") }
        try copy.close()
        guard problems == ["ok"] else {
            throw SpallocServerError(.database, "the copy of the database is damaged: \(problems.joined(separator: "; "))")
        }
    }
}

extension Database {
    /// One statement that returns nothing, compiled once.
    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try self.cachedStatement(sql: sql).execute(arguments: arguments)
    }
    func rows(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Row] {
        try Row.fetchAll(self.cachedStatement(sql: sql), arguments: arguments)
    }
    func row(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Row? {
        try Row.fetchOne(self.cachedStatement(sql: sql), arguments: arguments)
    }
    func integers(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Int64] {
        try Int64.fetchAll(self.cachedStatement(sql: sql), arguments: arguments)
    }
}
