//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers

/// Writes that wait for the database's one writer anyway go into it together: one trip to its thread and one commit for all, and nobody is
/// told before that commit. Each is still all or nothing, and one that fails leaves the others alone.
///
/// Who finds nobody on the way goes at once, on its own thread: to wake another costs more than what most writes do. It waits for one
/// write of somebody else's at most, which goes on without it.
final class WriteQueue: Sendable {
    private struct Write: Sendable {
        /// Does its work, and gives what is to be told once the work is safe, or is not.
        var run: @Sendable (Database, _ scope: Scope) throws -> (_ failure: (any Error)?) -> Void
        var fail: @Sendable (any Error) -> Void
    }

    /// What is undone when a write fails.
    private enum Scope {
        /// It is the only one: the transaction.
        case transaction
        /// Its own savepoint.
        case savepoint
    }

    /// What is done once for a whole batch, at the end of its transaction; and what is to be told once that is safe.
    ///
    /// The writes before it are kept whatever becomes of it: what it does, it does all or nothing (`atomically`).
    typealias Closing = @Sendable (Database) -> (@Sendable () -> Void)?

    private struct State {
        var waiting: [Write] = []
        /// Somebody is on the way to the writer.
        var isUnderWay = false
    }

    /// So that nobody waits long for others' work.
    private static let most = 64

    private let pool: DatabasePool
    private let state = NIOLockedValueBox(State())
    private let closing: Closing

    init(pool: DatabasePool, closing: @escaping Closing = { _ in nil }) {
        self.pool = pool
        self.closing = closing
    }

    /// How many wait for their turn.
    var waiting: Int { self.state.withLockedValue { $0.waiting.count } }

    /// - Throws: what `body` throws, whose changes are then undone, or why the transaction failed.
    @concurrent
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let write = Write(
                run: { db, scope in
                    let result: Result<Value, any Error>
                    switch scope {
                    case .transaction: result = .success(try body(db))
                    case .savepoint: result = Result { try db.atomically { try body(db) } }
                    }
                    return { failure in
                        if let failure, case .success = result { return continuation.resume(throwing: failure) }
                        continuation.resume(with: result)
                    }
                },
                fail: { continuation.resume(throwing: $0) })
            let goes = self.state.withLockedValue { state in
                state.waiting.append(write)
                defer { state.isUnderWay = true }
                return !state.isUnderWay
            }
            if goes { self.go() }
        }
    }

    /// So often the same thread goes on with what others have brought meanwhile; then the database's own thread does.
    private static let mostTrips = 8

    private func go() {
        for _ in 0..<WriteQueue.mostTrips {
            guard self.pool.writeWithoutTransaction({ db in self.writeSome(db) }) else { return }
        }
        self.sendOther()
    }

    private func sendOther() {
        self.pool.asyncWriteWithoutTransaction { db in
            if self.writeSome(db) { self.sendOther() }
        }
    }

    /// - Returns: whether there is more. Others than these may wait for the writer, too: it is to be asked for again.
    private func writeSome(_ db: Database) -> Bool {
        let batch = self.state.withLockedValue { state in
            let batch = Array(state.waiting.prefix(WriteQueue.most))
            state.waiting.removeFirst(batch.count)
            return batch
        }
        var told: [(_ failure: (any Error)?) -> Void] = []
        var failure: (any Error)?
        var tellMore: (@Sendable () -> Void)?
        do {
            let scope: Scope = batch.count == 1 ? .transaction : .savepoint
            try db.inTransaction(.immediate) {
                for write in batch { told.append(try write.run(db, scope)) }
                tellMore = self.closing(db)
                return .commit
            }
        } catch {
            failure = error
        }
        for tell in told { tell(failure) }
        if let failure {
            for write in batch.dropFirst(told.count) { write.fail(failure) }
        } else {
            tellMore?()
        }
        return self.state.withLockedValue { state in
            state.isUnderWay = !state.waiting.isEmpty
            return state.isUnderWay
        }
    }
}

extension Database {
    /// All or nothing, within a transaction. As GRDB's `inSavepoint`, whose statements are compiled anew each time.
    func atomically<Value>(_ body: () throws -> Value) throws -> Value {
        try self.run("SAVEPOINT write")
        do {
            let value = try body()
            try self.run("RELEASE SAVEPOINT write")
            return value
        } catch {
            // Where these fail the transaction is lost anyway, and says so itself.
            try? self.run("ROLLBACK TRANSACTION TO SAVEPOINT write")
            try? self.run("RELEASE SAVEPOINT write")
            throw error
        }
    }
}
