//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The shape of a value, in the words of JSON Schema 2020-12 (those that OpenAPI 3.1 uses).
package struct JSONSchema: Hashable, Sendable {
    package var json: [String: JSONValue]

    private init(_ json: [String: JSONValue]) { self.json = json }

    static let string = JSONSchema(["type": "string"])
    static let boolean = JSONSchema(["type": "boolean"])
    static let number = JSONSchema(["type": "number"])
    static let integer = JSONSchema(["type": "integer"])
    static let null = JSONSchema(["type": "null"])
    /// `YYYY-MM-DDThh:mm:ssZ`.
    static let instant = JSONSchema(["type": "string", "format": "date-time"])
    static let uri = JSONSchema(["type": "string", "format": "uri"])

    static func integer(_ range: ClosedRange<Int>) -> JSONSchema {
        JSONSchema(["type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)])
    }

    static func integer(from lowest: Int) -> JSONSchema {
        JSONSchema(["type": "integer", "minimum": .integer(lowest)])
    }

    static func string(matching pattern: String) -> JSONSchema {
        JSONSchema(["type": "string", "pattern": .string(pattern)])
    }

    static func oneOf(_ values: [String]) -> JSONSchema {
        JSONSchema(["type": "string", "enum": .array(values.map { .string($0) })])
    }

    static func any(_ shapes: JSONSchema...) -> JSONSchema {
        JSONSchema(["anyOf": .array(shapes.map { .object($0.json) })])
    }

    static func array(of element: JSONSchema) -> JSONSchema {
        JSONSchema(["type": "array", "items": .object(element.json)])
    }

    /// An array of exactly these, one after the other.
    static func tuple(_ elements: JSONSchema...) -> JSONSchema {
        JSONSchema([
            "type": "array", "prefixItems": .array(elements.map { .object($0.json) }),
            "minItems": .integer(elements.count), "maxItems": .integer(elements.count),
        ])
    }

    /// Text to anything of one shape.
    static func dictionary(of value: JSONSchema) -> JSONSchema {
        JSONSchema(["type": "object", "additionalProperties": .object(value.json)])
    }

    /// An object with these keys and no others.
    static func object(_ required: [String: JSONSchema], optional: [String: JSONSchema] = [:]) -> JSONSchema {
        let properties = required.merging(optional) { first, _ in first }.mapValues { JSONValue.object($0.json) }
        var json: [String: JSONValue] = [
            "type": "object", "properties": .object(properties), "additionalProperties": false,
        ]
        if !required.isEmpty { json["required"] = .array(required.keys.sorted().map { .string($0) }) }
        return JSONSchema(json)
    }

    static func schema(_ name: APISchema) -> JSONSchema {
        JSONSchema(["$ref": .string("#/components/schemas/\(name.rawValue)")])
    }

    /// The same with words for its reader.
    func described(_ text: String) -> JSONSchema { self.with("description", .string(text)) }
    func withDefault(_ value: JSONValue) -> JSONSchema { self.with("default", value) }
    func withExample(_ value: JSONValue) -> JSONSchema { self.with("examples", [value]) }

    private func with(_ key: String, _ value: JSONValue) -> JSONSchema {
        var copy = self
        copy.json[key] = value
        return copy
    }
}
