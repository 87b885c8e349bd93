//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import NIOConcurrencyHelpers
import SpiNNakerMachine

/// The power commands that wait, as the last commit left them: a BMP's worker looks here before each command, and needs no trip to the
/// database for it.
///
/// As with ``RecentRows`` no writer needs to know: SQLite tells which rows a transaction changed, and those are read at its commit, while
/// nobody else can write. Should that fail, nothing is known until it succeeds, and workers read the database.
final class PendingPower: TransactionObserver, Sendable {
    /// A row of `power_change`, with what its BMP's worker needs of its board.
    struct Command: Hashable, Sendable {
        var change: Int64
        var job: Int
        var board: Int64
        var bmp: Int64
        var slot: Int
        var on: Bool
        var offSince: Timestamp?

        static let columns = "power_change.id, job_id, board_id, board.bmp_id, board.number, wanted, board.power_off_at"
        static let tables = "power_change JOIN board ON board.id = power_change.board_id"

        init(row: Row) {
            self.change = row[0]
            self.job = row[1]
            self.board = row[2]
            self.bmp = row[3]
            self.slot = row[4]
            self.on = row[5]
            self.offSince = (row[6] as Int64?).map(Timestamp.init(milliseconds:))
        }
    }

    fileprivate struct State {
        /// By board: each has one command at most.
        var commands: [Int64: Command] = [:]
        /// The boards of each BMP that has commands.
        var boards: [Int64: Set<Int64>] = [:]
        /// The board of each command.
        var places: [Int64: Int64] = [:]
        /// The jobs that have boards to be switched on: all their boards, and how many of them wait.
        var jobs: [Int: (boards: [Int64], waiting: Int)] = [:]
        var isKnown = false
        var observer: (@Sendable (_ bmps: Set<Int64>) -> Void)?
        /// What the transaction under way has changed.
        var changed = Changes()
    }

    fileprivate struct Changes {
        /// Numbers only grow, so this is the first of those that came.
        var firstNew: Int64?
        var gone: [Int64] = []
        /// Boards that went off.
        var off: [Int64] = []

        var isEmpty: Bool { self.firstNew == nil && self.gone.isEmpty && self.off.isEmpty }
    }

    private let state = NIOLockedValueBox(State())

    // MARK: - Looking

    /// What waits for a BMP, oldest first, each with all boards of its job if it is to be switched on; nil if that is not known.
    func commands(bmp: Int64) -> [(command: Command, job: [Int64])]? {
        self.state.withLockedValue { state in
            guard state.isKnown else { return nil }
            guard let boards = state.boards[bmp] else { return [] }
            return boards.compactMap { state.commands[$0] }.sorted { $0.change < $1.change }
                .map { ($0, $0.on ? state.jobs[$0.job]?.boards ?? [] : []) }
        }
    }

    /// The BMPs for which commands wait; nil if that is not known.
    var bmps: [Int64]? { self.state.withLockedValue { $0.isKnown ? Array($0.boards.keys) : nil } }

    /// Who is to hear, on the writer's queue, for which BMPs there are new commands.
    func observe(_ observer: (@Sendable (_ bmps: Set<Int64>) -> Void)?) {
        self.state.withLockedValue { $0.observer = observer }
    }

    /// Reads everything.
    func load(_ db: Database) throws {
        let commands = try db.rows("SELECT \(Command.columns) FROM \(Command.tables)").map(Command.init(row:))
        let jobs = try PendingPower.jobs(of: commands, db)
        self.state.withLockedValue { state in
            (state.commands, state.boards, state.places) = ([:], [:], [:])
            state.jobs = jobs.mapValues { ($0, 0) }
            for command in commands { state.add(command) }
            state.isKnown = true
        }
    }

    private static func jobs(of commands: [Command], _ db: Database) throws -> [Int: [Int64]] {
        var jobs: [Int: [Int64]] = [:]
        for command in commands where command.on && jobs[command.job] == nil {
            jobs[command.job] = try db.boards(of: command.job)
        }
        return jobs
    }

    // MARK: - Being told, on the writer's queue

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        switch kind {
        case .insert(let table), .delete(let table): table == "power_change"
        case .update(tableName: "board", let columns): columns.contains("power_off_at")
        case .update(let table, _): table == "power_change"
        }
    }

    func databaseDidChange(with event: DatabaseEvent) {
        let row = event.rowID
        self.state.withLockedValue { state in
            switch (event.tableName, event.kind) {
            case ("board", _): state.changed.off.append(row)
            case (_, .delete): state.changed.gone.append(row)
            default: state.changed.firstNew = min(state.changed.firstNew ?? row, row)
            }
        }
    }

    func databaseDidCommit(_ db: Database) {
        let (changed, isKnown, waiting) = self.state.withLockedValue { state in
            defer { state.changed = Changes() }
            return (state.changed, state.isKnown, state.changed.off.filter { state.commands[$0] != nil })
        }
        guard !changed.isEmpty else { return }
        do {
            guard isKnown else {
                try self.load(db)
                return self.tell(Set(self.bmps ?? []))
            }
            var new: [Command] = []
            if let first = changed.firstNew {
                new = try db.rows(
                    "SELECT \(Command.columns) FROM \(Command.tables) WHERE power_change.id >= ? ORDER BY power_change.id",
                    [first]
                ).map(Command.init(row:))
            }
            let jobs = try PendingPower.jobs(of: new, db)
            // A board may be wanted on again while it goes off: how long it has been off is known only now.
            for board in waiting where !new.contains(where: { $0.board == board }) {
                new += try db.rows("SELECT \(Command.columns) FROM \(Command.tables) WHERE board_id = ?", [board]).map(
                    Command.init(row:))
            }
            self.state.withLockedValue { state in
                for change in changed.gone { state.remove(change) }
                for (job, boards) in jobs { state.jobs[job, default: ([], 0)].boards = boards }
                for command in new { state.add(command) }
            }
            self.tell(Set(new.map(\.bmp)))
        } catch {
            // Looked at again at the next commit; the workers read for themselves.
            let bmps = self.state.withLockedValue { state in
                state.isKnown = false
                return Set(state.boards.keys)
            }
            self.tell(bmps)
        }
    }

    func databaseDidRollback(_ db: Database) {
        self.state.withLockedValue { $0.changed = Changes() }
    }

    private func tell(_ bmps: Set<Int64>) {
        guard !bmps.isEmpty else { return }
        self.state.withLockedValue { $0.observer }?(bmps)
    }
}

extension PendingPower.State {
    /// Instead of the board's last.
    fileprivate mutating func add(_ command: PendingPower.Command) {
        let old = self.commands.updateValue(command, forKey: command.board)
        self.boards[command.bmp, default: []].insert(command.board)
        if command.on { self.jobs[command.job, default: ([], 0)].waiting += 1 }
        if let old {
            self.places[old.change] = nil
            self.waitsNoMore(old)
        }
        self.places[command.change] = command.board
    }

    fileprivate mutating func remove(_ change: Int64) {
        guard let board = self.places.removeValue(forKey: change), let command = self.commands.removeValue(forKey: board) else {
            return
        }
        self.boards[command.bmp]?.remove(board)
        if self.boards[command.bmp]?.isEmpty == true { self.boards[command.bmp] = nil }
        self.waitsNoMore(command)
    }

    private mutating func waitsNoMore(_ command: PendingPower.Command) {
        guard command.on, let waiting = self.jobs[command.job]?.waiting else { return }
        if waiting > 1 {
            self.jobs[command.job]?.waiting = waiting - 1
        } else {
            self.jobs[command.job] = nil
        }
    }
}
