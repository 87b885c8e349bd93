//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocServer

/// Holds replies to what the OpenAPI document says of them. Knows the words that the document uses, and refuses all others.
struct OpenAPIContract {
    let document: [String: Any]
    private let base: String

    init(_ bytes: Data) throws {
        self.document = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] ?? [:]
        let servers = self.document["servers"] as? [[String: Any]]
        self.base = servers?.first?["url"] as? String ?? ""
    }

    var paths: [String: [String: [String: Any]]] {
        self.document["paths"] as? [String: [String: [String: Any]]] ?? [:]
    }

    /// The operation that a request is of: a template with fewer parameters goes before one with more.
    func operation(_ method: HTTPRequest.Method, _ uri: String) -> (template: String, operation: [String: Any])? {
        let path = String(uri.prefix { $0 != "?" }).dropFirst(self.base.count)
        let parts = path.split(separator: "/")
        let matching = self.paths.filter { template, operations in
            let names = template.split(separator: "/")
            return operations[method.rawValue.lowercased()] != nil && names.count == parts.count
                && zip(names, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        guard let best = matching.min(by: { $0.key.count { $0 == "{" } < $1.key.count { $0 == "{" } }),
            let operation = best.value[method.rawValue.lowercased()]
        else { return nil }
        return (best.key, operation)
    }

    /// What is wrong with a reply; nothing if it is as described.
    func faults(_ method: HTTPRequest.Method, _ uri: String, _ reply: TestResponse) -> [String] {
        guard let (_, operation) = self.operation(method, uri) else { return ["\(method) \(uri) is not described"] }
        let replies = operation["responses"] as? [String: [String: Any]] ?? [:]
        guard let described = replies["\(reply.status.code)"] else { return ["status \(reply.status.code) is not described"] }
        var faults: [String] = []
        for (name, header) in described["headers"] as? [String: [String: Any]] ?? [:]
        where header["required"] as? Bool == true && HTTPField.Name(name).flatMap({ reply.headers[$0] }) == nil {
            faults.append("no \(name)")
        }
        guard let content = described["content"] as? [String: [String: Any]] else {
            return faults + (reply.body.readableBytes == 0 ? [] : ["a body that is not described"])
        }
        let type = reply.headers[.contentType].map { String($0.prefix { $0 != ";" }) } ?? ""
        guard let media = content[type] else { return faults + ["content type \"\(type)\" is not described"] }
        guard type == "application/json", let schema = media["schema"] as? [String: Any] else { return faults }
        do {
            let body = try JSONSerialization.jsonObject(with: Data(reply.body.readableBytesView))
            return faults + self.faults(of: body, schema: schema, at: "$")
        } catch {
            return faults + ["no JSON"]
        }
    }

    func faults(of value: Any, schema name: String) -> [String] {
        self.faults(of: value, schema: ["$ref": "#/components/schemas/\(name)"], at: "$")
    }

    /// The schema that a reference points to.
    func resolve(_ reference: String) -> [String: Any]? {
        var here: Any? = self.document
        for part in reference.dropFirst(2).split(separator: "/") { here = (here as? [String: Any])?[String(part)] }
        return here as? [String: Any]
    }

    private static let words: Set<String> = [
        "$ref", "type", "format", "minimum", "maximum", "pattern", "anyOf", "enum", "items", "prefixItems", "minItems",
        "maxItems",
        "properties", "required", "additionalProperties", "description", "default", "examples",
    ]

    private func faults(of value: Any, schema: [String: Any], at place: String) -> [String] {
        let unknown = Set(schema.keys).subtracting(Self.words)
        guard unknown.isEmpty else { return ["\(place): the schema has words that this does not know: \(unknown)"] }
        if let reference = schema["$ref"] as? String {
            guard let target = self.resolve(reference) else { return ["\(place): nothing at \(reference)"] }
            return self.faults(of: value, schema: target, at: place)
        }
        if let shapes = schema["anyOf"] as? [[String: Any]] {
            let all = shapes.map { self.faults(of: value, schema: $0, at: place) }
            return all.contains([]) ? [] : all.flatMap { $0 }
        }
        var faults: [String] = []
        switch schema["type"] as? String {
        case "null": if !(value is NSNull) { faults.append("\(place): not null") }
        case "boolean": if !Self.isBoolean(value) { faults.append("\(place): no boolean") }
        case "number", "integer":
            guard let number = value as? NSNumber, !Self.isBoolean(value) else { return ["\(place): no number"] }
            if schema["type"] as? String == "integer", number.doubleValue != number.doubleValue.rounded() {
                faults.append("\(place): no integer")
            }
            if let least = schema["minimum"] as? Double, number.doubleValue < least { faults.append("\(place): too small") }
            if let most = schema["maximum"] as? Double, number.doubleValue > most { faults.append("\(place): too large") }
        case "string":
            guard let text = value as? String else { return ["\(place): no text"] }
            if let values = schema["enum"] as? [String], !values.contains(text) { faults.append("\(place): \(text)") }
            if let pattern = schema["pattern"] as? String, text.range(of: pattern, options: .regularExpression) == nil {
                faults.append("\(place): \(text) does not match \(pattern)")
            }
            if schema["format"] as? String == "date-time", ISO8601DateFormatter().date(from: text) == nil {
                faults.append("\(place): \(text) is no instant")
            }
            if schema["format"] as? String == "uri", URL(string: text)?.host == nil {
                faults.append("\(place): \(text) is no absolute address")
            }
        case "array":
            guard let elements = value as? [Any] else { return ["\(place): no array"] }
            if let least = schema["minItems"] as? Int, elements.count < least { faults.append("\(place): too short") }
            if let most = schema["maxItems"] as? Int, elements.count > most { faults.append("\(place): too long") }
            let first = schema["prefixItems"] as? [[String: Any]] ?? []
            for (index, element) in elements.enumerated() {
                let shape = index < first.count ? first[index] : schema["items"] as? [String: Any] ?? [:]
                faults += self.faults(of: element, schema: shape, at: "\(place)[\(index)]")
            }
        case "object":
            guard let members = value as? [String: Any] else { return ["\(place): no object"] }
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            for name in schema["required"] as? [String] ?? [] where members[name] == nil {
                faults.append("\(place): no \(name)")
            }
            for (name, member) in members {
                if let shape = properties[name] ?? schema["additionalProperties"] as? [String: Any] {
                    faults += self.faults(of: member, schema: shape, at: "\(place).\(name)")
                } else if schema["additionalProperties"] as? Bool == false {
                    faults.append("\(place): \(name) is not described")
                }
            }
        default: break
        }
        return faults
    }

    private static func isBoolean(_ value: Any) -> Bool {
        (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false
    }
}
