//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import NIOConcurrencyHelpers
import Testing

@testable import SpallocServer

/// Writes of many at once: each all or nothing, all of them kept.
@Suite(.timeLimit(.minutes(1))) struct WriteQueueTests {
    private struct Refused: Error, Equatable { var number: Int }

    /// How many transactions were committed.
    private final class Commits: TransactionObserver, Sendable {
        let count = NIOLockedValueBox(0)
        func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
        func databaseDidChange(with event: DatabaseEvent) {}
        func databaseDidCommit(_ db: Database) { self.count.withLockedValue { $0 += 1 } }
        func databaseDidRollback(_ db: Database) {}
    }

    private func withQueue(
        closing: @escaping WriteQueue.Closing = { _ in nil }, _ body: (WriteQueue, DatabasePool) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let pool = try DatabasePool(path: directory.appendingPathComponent("x.sqlite").path)
        try await pool.write { try $0.execute(sql: "CREATE TABLE n (i INTEGER PRIMARY KEY, of INTEGER)") }
        try await body(WriteQueue(pool: pool, closing: closing), pool)
        try pool.close()
    }

    private func insert(_ number: Int) -> @Sendable (Database) throws -> Int {
        { db in
            try db.execute(sql: "INSERT INTO n (i) VALUES (?)", arguments: [number])
            return number
        }
    }

    @Test func allOfManyAreKeptAndEachGetsItsOwnAnswer() async throws {
        try await self.withQueue { queue, pool in
            let answers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for number in 0..<500 { group.addTask { (number, try await queue.write(self.insert(number))) } }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(answers == Dictionary(uniqueKeysWithValues: (0..<500).map { ($0, $0) }))
            #expect(try await pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM n") } == 500)
        }
    }

    @Test func whatWaitsGoesTogether() async throws {
        try await self.withQueue { queue, pool in
            let commits = Commits()
            pool.add(transactionObserver: commits, extent: .databaseLifetime)
            // The first holds the writer until the others have come.
            let (all, come) = AsyncStream.makeStream(of: Void.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                let lock = ConditionLock(value: 0)
                group.addTask {
                    _ = try await queue.write { db in
                        come.yield()
                        if lock.lock(whenValue: 1, timeoutSeconds: 20) { lock.unlock() }
                        return try self.insert(1000)(db)
                    }
                }
                for await _ in all { break }
                for number in 0..<10 {
                    group.addTask { _ = try await queue.write(self.insert(number)) }
                }
                try await eventually("all to wait") { queue.waiting == 10 }
                lock.lock()
                lock.unlock(withValue: 1)
                try await group.waitForAll()
            }
            #expect(commits.count.withLockedValue { $0 } == 2, "one for the first, one for all others")
        }
    }

    @Test func oneThatFailsIsUndoneAndLeavesTheOthersAlone() async throws {
        try await self.withQueue { queue, pool in
            let failed = try await withThrowingTaskGroup(of: Int?.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        do {
                            _ = try await queue.write { db in
                                _ = try self.insert(number)(db)
                                if number % 3 == 0 { throw Refused(number: number) }
                                // The same row once more is the database's own refusal.
                                if number % 3 == 1 { _ = try self.insert(number)(db) }
                            }
                            return nil
                        } catch let error as Refused {
                            return error.number == number && number % 3 == 0 ? number : nil
                        } catch let error as DatabaseError {
                            return error.resultCode == .SQLITE_CONSTRAINT && number % 3 == 1 ? number : nil
                        }
                    }
                }
                return try await group.reduce(into: Set<Int>()) { if let number = $1 { $0.insert(number) } }
            }
            #expect(failed == Set((0..<100).filter { $0 % 3 != 2 }))
            let kept = try await pool.read { try Int.fetchAll($0, sql: "SELECT i FROM n ORDER BY i") }
            #expect(kept == (0..<100).filter { $0 % 3 == 2 })
        }
    }

    /// Who is told that something was written can read it.
    @Test func theAnswerComesAfterTheCommit() async throws {
        try await self.withQueue { queue, pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        _ = try await queue.write(self.insert(number))
                        let found = try await pool.read {
                            try Int.fetchOne($0, sql: "SELECT i FROM n WHERE i = ?", arguments: [number])
                        }
                        #expect(found == number)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// When the transaction itself fails, everybody is told, and nothing is kept.
    @Test func aCommitThatFailsIsToldToAll() async throws {
        try await self.withQueue { queue, pool in
            try await pool.write { db in
                try db.execute(
                    sql: "CREATE TABLE child (of INTEGER REFERENCES n (i) DEFERRABLE INITIALLY DEFERRED)")
            }
            await #expect(throws: DatabaseError.self) {
                try await queue.write { try $0.execute(sql: "INSERT INTO child VALUES (77)") }
            }
            #expect(try await pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM child") } == 0)
            #expect(try await queue.write(self.insert(1)) == 1, "and it goes on")
        }
    }

    @Test func aClosedDatabaseIsAnError() async throws {
        try await self.withQueue { queue, pool in
            try pool.close()
            await #expect(throws: DatabaseError.self) { _ = try await queue.write(self.insert(1)) }
            await #expect(throws: DatabaseError.self) { _ = try await queue.write(self.insert(2)) }
        }
    }

    // MARK: - The end of a batch

    /// What is done at the end is of the same transaction, and told when that is safe.
    @Test func theEndOfABatchIsPartOfIt() async throws {
        let told = NIOLockedValueBox<[Int]>([])
        try await self.withQueue { db in
            let count = (try? Int.fetchOne(db, sql: "SELECT count(*) FROM n")) ?? 0
            try? db.execute(sql: "INSERT INTO n (i) VALUES (?)", arguments: [10_000 + count])
            return { told.withLockedValue { $0.append(count) } }
        } _: { queue, pool async throws in
            #expect(try await queue.write(self.insert(1)) == 1)
            // The row of the first end counts.
            #expect(try await queue.write(self.insert(2)) == 2)
            try await eventually("both to be told of") { told.withLockedValue { $0 } == [1, 3] }
            #expect(try await pool.read { try Int.fetchAll($0, sql: "SELECT i FROM n") } == [1, 2, 10_001, 10_003])
        }
    }

    @Test func nothingIsToldOfWhatIsNotKept() async throws {
        let told = NIOLockedValueBox(0)
        try await self.withQueue { db in
            // Fails with the commit.
            try? db.execute(sql: "INSERT INTO child VALUES (77)")
            return { told.withLockedValue { $0 += 1 } }
        } _: { queue, pool async throws in
            try await pool.write { db in
                try db.execute(sql: "CREATE TABLE child (of INTEGER REFERENCES n (i) DEFERRABLE INITIALLY DEFERRED)")
            }
            await #expect(throws: DatabaseError.self) { _ = try await queue.write(self.insert(1)) }
            #expect(try await pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM n") } == 0)
            // With its parent there it is kept.
            #expect(try await queue.write(self.insert(77)) == 77)
            try await eventually("the one that is kept to be told of") { told.withLockedValue { $0 } == 1 }
        }
    }

    /// Alone it is the transaction, among others a savepoint: undone in both cases.
    @Test func oneThatFailsAloneIsUndone() async throws {
        let ends = NIOLockedValueBox(0)
        try await self.withQueue { _ in
            ends.withLockedValue { $0 += 1 }
            return nil
        } _: { queue, pool async throws in
            await #expect(throws: Refused.self) {
                try await queue.write { db in
                    _ = try self.insert(1)(db)
                    throw Refused(number: 1)
                }
            }
            #expect(ends.withLockedValue { $0 } == 0, "there was nothing to end")
            #expect(try await queue.write(self.insert(2)) == 2)
            #expect(try await pool.read { try Int.fetchAll($0, sql: "SELECT i FROM n") } == [2])
        }
    }

    @Test func atomicallyUndoesTheInnerAlone() async throws {
        try await self.withQueue { _, pool in
            try await pool.write { db in
                _ = try self.insert(1)(db)
                #expect(throws: Refused.self) {
                    try db.atomically {
                        _ = try self.insert(2)(db)
                        try db.atomically { _ = try self.insert(3)(db) }
                        throw Refused(number: 2)
                    }
                }
                #expect(try db.atomically { try self.insert(4)(db) } == 4)
            }
            #expect(try await pool.read { try Int.fetchAll($0, sql: "SELECT i FROM n") } == [1, 4])
        }
    }
}
