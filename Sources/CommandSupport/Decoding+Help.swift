//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

extension DecodingError {
    /// What is wrong and where, in one line: `machines[0].width: a number was expected`.
    package var explanation: String {
        func place(_ path: [any CodingKey]) -> String {
            var text = ""
            for key in path {
                if let index = key.intValue {
                    text += "[\(index)]"
                } else {
                    text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
                }
            }
            return text.isEmpty ? "" : "\(text): "
        }
        switch self {
        case .dataCorrupted(let context):
            // Foundation's decoder says so in these words, whatever the system.
            if context.codingPath.isEmpty, context.debugDescription.hasPrefix("The given data was not valid JSON") {
                let detail = (context.underlyingError as NSError?)?.userInfo["NSDebugDescription"] as? String
                return "not JSON" + (detail.map { ": \($0)" } ?? "")
            }
            return place(context.codingPath) + context.debugDescription
        case .keyNotFound(let key, let context):
            return place(context.codingPath) + "\"\(key.stringValue)\" is missing"
        case .typeMismatch(let type, let context):
            return place(context.codingPath) + "this is not a \(DecodingError.name(of: type))"
        case .valueNotFound(let type, let context):
            return place(context.codingPath) + "a \(DecodingError.name(of: type)) is missing"
        @unknown default:
            return "\(self)"
        }
    }

    private static func name(of type: Any.Type) -> String {
        switch "\(type)" {
        case "Int", "Double", "UInt", "Int64": "number"
        case "String": "string"
        case "Bool": "true or false"
        case let name where name.hasPrefix("Array"): "list"
        case let name where name.hasPrefix("Dictionary"): "object"
        default: "proper value"
        }
    }
}

/// A key that nobody knows: so that its line can be found.
package struct UnknownKey: Error {
    package let name: String
}

/// Any key at all.
private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Decoder {
    /// - Throws: `DecodingError` that names the first key not in `known`, and the known one that it resembles most.
    package func suggestForUnknownKeys(_ known: [String]) throws {
        let keys = try self.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
        let nearest = known.min { editDistance($0, unknown) < editDistance($1, unknown) }
        let suggestion =
            nearest.map { editDistance($0, unknown) <= max(2, unknown.count / 3) ? "; did you mean \"\($0)\"?" : "" } ?? ""
        throw DecodingError.dataCorrupted(
            .init(
                codingPath: self.codingPath, debugDescription: "unknown key \"\(unknown)\"\(suggestion)",
                underlyingError: UnknownKey(name: unknown)))
    }
}

/// How many letters have to be inserted, dropped or changed to make one word into the other.
private func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.lowercased().utf8.prefix(64))
    let b = Array(b.lowercased().utf8.prefix(64))
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, other) in b.enumerated() {
            let change = diagonal + (letter == other ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
