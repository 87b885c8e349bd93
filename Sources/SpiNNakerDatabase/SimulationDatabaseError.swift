//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB

/// Why a simulation's database could not be written or read.
public struct SimulationDatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// There is no such file, or it may not be opened or replaced.
        case unavailable
        /// It is no database of this kind: SQLite says why.
        case unreadable
        /// A value can not be what it says it is.
        case invalidValue
    }

    public var code: Code
    public var path: String
    public var message: String

    public var description: String { "\(self.path): \(self.message)" }

    /// - Note: of SQLite's errors only the message is kept; the statement's values may be secret.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as SimulationDatabaseError: self = error
        case let error as InvalidValue: self.init(.invalidValue, path: path, error.message)
        case let error as DatabaseError:
            let code: Code =
                error.resultCode == .SQLITE_CANTOPEN || error.resultCode == .SQLITE_PERM ? .unavailable : .unreadable
            self.init(code, path: path, error.message ?? "SQLite error \(error.resultCode.rawValue)")
        case is CancellationError: self.init(.unavailable, path: path, "cancelled")
        default: self.init(.unavailable, path: path, "\(error)")
        }
    }

    init(_ code: Code, path: String, _ message: String) {
        self.code = code
        self.path = path
        self.message = message
    }
}

/// Of a column that does not hold what it should.
struct InvalidValue: Error {
    var message: String
}

extension Row {
    /// A column's number. GRDB's own subscript traps on a value of another kind, and a file may hold anything.
    func number<Number: FixedWidthInteger>(_ index: Int, _ name: String, as type: Number.Type = Number.self) throws -> Number {
        guard index < self.count, let value = Int64.fromDatabaseValue(self[index]), let number = Number(exactly: value) else {
            throw InvalidValue(message: "column \(name) holds no \(Number.self)")
        }
        return number
    }

    func text(_ index: Int, _ name: String) throws -> String {
        guard let text = try self.textIfAny(index, name) else {
            throw InvalidValue(message: "column \(name) is empty")
        }
        return text
    }

    func textIfAny(_ index: Int, _ name: String) throws -> String? {
        guard index < self.count else { throw InvalidValue(message: "there is no column \(name)") }
        let value: DatabaseValue = self[index]
        if value.isNull { return nil }
        guard let text = String.fromDatabaseValue(value) else { throw InvalidValue(message: "column \(name) holds no text") }
        return text
    }
}
