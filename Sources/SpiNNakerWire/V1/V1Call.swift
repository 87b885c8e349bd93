//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A call as the legacy protocol writes it: `{"command": text, "args": [...], "kwargs": {...}}`.
///
/// Every parameter may be given by its place or by its name, so the names are part of the protocol. ``V1Request`` gives
/// the call its meaning.
public struct V1Call: Hashable, Sendable {
    public var command: String
    public var args: [V1JSON]
    public var kwargs: [String: V1JSON]

    public init(command: String, args: [V1JSON] = [], kwargs: [String: V1JSON] = [:]) {
        self.command = command
        self.args = args
        self.kwargs = kwargs
    }

    /// Other members of the object are not looked at, and neither is a `client` among the keywords: the original server
    /// drops it too. `args` and `kwargs` may be missing or null.
    public init(line: ByteBuffer) throws(V1Error) {
        guard case .object(let members) = try V1JSON(line: line) else { throw .malformed("a call is an object") }
        guard let command = members["command"]?.stringValue else { throw .malformed("a call has a text as command") }
        self.command = command
        switch members["args"] ?? .null {
        case .null: self.args = []
        case .array(let items): self.args = items
        default: throw .malformed("args is an array")
        }
        switch members["kwargs"] ?? .null {
        case .null: self.kwargs = [:]
        case .object(var keywords):
            keywords["client"] = nil
            self.kwargs = keywords
        default: throw .malformed("kwargs is an object")
        }
    }

    public func writeLine(into buffer: inout ByteBuffer) {
        V1JSON.object(["command": .string(self.command), "args": .array(self.args), "kwargs": .object(self.kwargs)])
            .writeLine(into: &buffer)
    }
}

/// The parameters of one call, as a Python method would get them.
struct V1Arguments {
    private let command: String
    private var values: [String: V1JSON]

    /// - Throws: ``V1Error/badArguments(command:reason:)`` for too many, an unknown name, or one given twice.
    init(_ call: V1Call, names: [String]) throws(V1Error) {
        self.command = call.command
        self.values = call.kwargs
        guard call.args.count <= names.count else {
            throw .badArguments(command: call.command, reason: "\(call.args.count) arguments, of \(names.count) that it takes")
        }
        for name in call.kwargs.keys where !names.contains(name) {
            throw .badArguments(command: call.command, reason: "no parameter \(name)")
        }
        for (name, value) in zip(names, call.args) {
            guard self.values.updateValue(value, forKey: name) == nil else {
                throw .badArguments(command: call.command, reason: "\(name) is given twice")
            }
        }
    }

    func error(_ name: String, _ reason: String) -> V1Error {
        .badArguments(command: self.command, reason: "\(name) \(reason)")
    }

    /// nil when missing or null.
    subscript(name: String) -> V1JSON? {
        guard let value = self.values[name], !value.isNull else { return nil }
        return value
    }

    /// Given, though it be as null.
    func isGiven(_ name: String) -> Bool { self.values[name] != nil }

    func integer(_ name: String) throws(V1Error) -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.integerValue else { throw self.error(name, "is no whole number") }
        return number
    }

    func required(_ name: String) throws(V1Error) -> Int {
        guard let number = try self.integer(name) else { throw self.error(name, "is missing") }
        return number
    }

    func number(_ name: String) throws(V1Error) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.doubleValue else { throw self.error(name, "is no number") }
        return number
    }

    func flag(_ name: String) throws(V1Error) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.boolValue else { throw self.error(name, "is neither true nor false") }
        return flag
    }

    func text(_ name: String) throws(V1Error) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.stringValue else { throw self.error(name, "is no text") }
        return text
    }

    func requiredText(_ name: String) throws(V1Error) -> String {
        guard let text = try self.text(name) else { throw self.error(name, "is missing") }
        return text
    }
}
