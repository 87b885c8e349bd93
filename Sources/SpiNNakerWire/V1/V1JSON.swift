//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A JSON value of the legacy protocol. Whole numbers that fit are kept apart from the others, as Python does.
public enum V1JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([V1JSON])
    case object([String: V1JSON])

    public var isNull: Bool { self == .null }
    public subscript(key: String) -> V1JSON? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// Whole numbers, also as 3.0 or "3" (which the Java service takes).
    public var integerValue: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        case .string(let text): Int(text)
        default: nil
        }
    }

    /// Numbers, also as text.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }

    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var arrayValue: [V1JSON]? { if case .array(let value) = self { value } else { nil } }
    public var objectValue: [String: V1JSON]? { if case .object(let value) = self { value } else { nil } }
}

extension V1JSON {
    public init(_ value: Int?) { self = value.map { .integer($0) } ?? .null }
    public init(_ value: Double?) { self = value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }
    public init(_ value: String?) { self = value.map { .string($0) } ?? .null }
    public init(_ value: Bool?) { self = value.map { .bool($0) } ?? .null }
    public init(_ values: [Int]) { self = .array(values.map { .integer($0) }) }
}

// MARK: - Writing

extension V1JSON {
    /// One line, without its end. Members of an object are in the order of their keys, so that equal values are equal bytes.
    public func write(into buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .bool(let value): buffer.writeString(value ? "true" : "false")
        case .integer(let value): buffer.writeString(String(value))
        // Infinities and NaN are not JSON.
        case .number(let value): buffer.writeString(value.isFinite ? value.description : "null")
        case .string(let text): V1JSON.write(text, into: &buffer)
        case .array(let items):
            buffer.writeInteger(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { buffer.writeStaticString(", ") }
                item.write(into: &buffer)
            }
            buffer.writeInteger(UInt8(ascii: "]"))
        case .object(let members):
            buffer.writeInteger(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { buffer.writeStaticString(", ") }
                V1JSON.write(member.key, into: &buffer)
                buffer.writeStaticString(": ")
                member.value.write(into: &buffer)
            }
            buffer.writeInteger(UInt8(ascii: "}"))
        }
    }

    /// The value as a line of the protocol, with its LF.
    public func writeLine(into buffer: inout ByteBuffer) {
        self.write(into: &buffer)
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    private static func write(_ text: String, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
            case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
            case UInt8(ascii: "\n"): buffer.writeStaticString("\\n")
            case UInt8(ascii: "\r"): buffer.writeStaticString("\\r")
            case UInt8(ascii: "\t"): buffer.writeStaticString("\\t")
            case 0..<0x20, 0x7F:
                buffer.writeStaticString("\\u00")
                buffer.writeInteger(V1JSON.hexDigit(byte >> 4))
                buffer.writeInteger(V1JSON.hexDigit(byte & 15))
            default: buffer.writeInteger(byte)
            }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}

extension V1JSON: CustomStringConvertible {
    public var description: String {
        var buffer = ByteBuffer()
        self.write(into: &buffer)
        return String(decoding: buffer.readableBytesView, as: UTF8.self)
    }
}
