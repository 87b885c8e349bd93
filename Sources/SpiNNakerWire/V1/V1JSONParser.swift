//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

extension V1JSON {
    /// Arrays and objects inside one another, at most.
    public static let maximumDepth = 64

    /// From one line. Space around the value is no harm; anything else behind it is.
    public init(line: ByteBuffer) throws(V1Error) {
        var parser = V1JSONParser(bytes: line.readableBytesView)
        self = try parser.document()
    }
}

/// RFC 8259, on bytes: strict, bounded in depth, and without Foundation, whose decoder is many times slower on the large
/// answers of `list_jobs`.
struct V1JSONParser {
    private let bytes: ByteBufferView
    private var index: Int

    init(bytes: ByteBufferView) {
        self.bytes = bytes
        self.index = bytes.startIndex
    }

    mutating func document() throws(V1Error) -> V1JSON {
        let value = try self.value(depth: 0)
        self.skipSpace()
        guard self.index == self.bytes.endIndex else { throw self.error("more behind the value") }
        return value
    }

    private func error(_ reason: String) -> V1Error {
        .notJSON(offset: self.index - self.bytes.startIndex, reason: reason)
    }

    private var current: UInt8? { self.index < self.bytes.endIndex ? self.bytes[self.index] : nil }

    private mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { self.index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.current == byte else { return false }
        self.index += 1
        return true
    }

    private mutating func value(depth: Int) throws(V1Error) -> V1JSON {
        guard depth < V1JSON.maximumDepth else { throw self.error("too deep") }
        self.skipSpace()
        switch self.current {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "n"): return try self.word("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try self.number()
        case nil: throw self.error("the end, where a value should be")
        default: throw self.error("no value starts so")
        }
    }

    private mutating func word(_ text: StaticString, _ value: V1JSON) throws(V1Error) -> V1JSON {
        let count = text.utf8CodeUnitCount
        guard self.bytes.endIndex - self.index >= count else { throw self.error("no such word") }
        let start = self.index
        let matches = text.withUTF8Buffer { word in
            (0..<count).allSatisfy { word[$0] == self.bytes[start + $0] }
        }
        guard matches else { throw self.error("no such word") }
        self.index += count
        return value
    }

    private mutating func object(depth: Int) throws(V1Error) -> V1JSON {
        self.index += 1
        var members: [String: V1JSON] = [:]
        self.skipSpace()
        if self.take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            self.skipSpace()
            guard self.current == UInt8(ascii: "\"") else { throw self.error("a key should be here") }
            let key = try self.string()
            self.skipSpace()
            guard self.take(UInt8(ascii: ":")) else { throw self.error("a colon should be here") }
            // Of a key given twice the last counts, as in Python.
            members[key] = try self.value(depth: depth + 1)
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "}")) else { throw self.error("an object is not closed") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(V1Error) -> V1JSON {
        self.index += 1
        var items: [V1JSON] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "]")) { return .array(items) }
        repeat {
            items.append(try self.value(depth: depth + 1))
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "]")) else { throw self.error("an array is not closed") }
        return .array(items)
    }

    private mutating func number() throws(V1Error) -> V1JSON {
        let start = self.index
        _ = self.take(UInt8(ascii: "-"))
        if !self.take(UInt8(ascii: "0")) { try self.digits() }
        var whole = true
        if self.take(UInt8(ascii: ".")) {
            whole = false
            try self.digits()
        }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            whole = false
            if !self.take(UInt8(ascii: "+")) { _ = self.take(UInt8(ascii: "-")) }
            try self.digits()
        }
        let text = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        if whole, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw self.error("a number out of range") }
        return .number(value)
    }

    private mutating func digits() throws(V1Error) {
        guard let byte = self.current, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else {
            throw self.error("a digit should be here")
        }
        while let byte = self.current, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { self.index += 1 }
    }

    private mutating func string() throws(V1Error) -> String {
        self.index += 1
        let start = self.index
        // Most strings have no escapes: they are one piece.
        while let byte = self.current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { self.index += 1 }
        if self.current == UInt8(ascii: "\"") {
            defer { self.index += 1 }
            return try self.text(self.bytes[start..<self.index])
        }
        var collected = Array(self.bytes[start..<self.index])
        while let byte = self.current {
            switch byte {
            case UInt8(ascii: "\""):
                self.index += 1
                return try self.text(collected)
            case UInt8(ascii: "\\"):
                self.index += 1
                try self.escape(into: &collected)
            case 0..<0x20: throw self.error("a control character in a string")
            default:
                collected.append(byte)
                self.index += 1
            }
        }
        throw self.error("a string is not closed")
    }

    private func text(_ bytes: some Collection<UInt8>) throws(V1Error) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw self.error("a string is not UTF-8") }
        return text
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(V1Error) {
        guard let byte = self.current else { throw self.error("a string is not closed") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = UInt32(try self.hex4())
            if 0xD800..<0xDC00 ~= scalar, self.current == UInt8(ascii: "\\"), self.index + 1 < self.bytes.endIndex,
                self.bytes[self.index + 1] == UInt8(ascii: "u")
            {
                let back = self.index
                self.index += 2
                let low = UInt32(try self.hex4())
                if 0xDC00..<0xE000 ~= low {
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
                } else {
                    self.index = back
                }
            }
            // Half a surrogate pair is no character; Python would keep it, and it could not be sent on.
            bytes.append(contentsOf: String(Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")).utf8)
        default: throw self.error("no such escape")
        }
    }

    private mutating func hex4() throws(V1Error) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = self.current else { throw self.error("an escape is cut short") }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw self.error("no hexadecimal digit")
            }
            value = value << 4 | UInt16(digit)
            self.index += 1
        }
        return value
    }
}
