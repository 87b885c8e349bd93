//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import Yams

/// The text of a configuration, YAML or JSON, and where in it things stand.
struct ConfigurationText {
    let path: String
    let data: Data

    /// By its name: what ends in `.yaml` or `.yml` is YAML, all else JSON.
    private var isYAML: Bool { ["yaml", "yml"].contains(URL(fileURLWithPath: self.path).pathExtension.lowercased()) }

    /// A configuration is a page or two.
    private static let maximumSize = 1 << 20

    func decode<Value: Decodable>(_: Value.Type) throws(SpallocServerError) -> Value {
        guard self.data.count <= ConfigurationText.maximumSize else {
            throw self.error("the file is longer than \(ConfigurationText.maximumSize) bytes")
        }
        do {
            guard self.isYAML else { return try JSONDecoder().decode(Value.self, from: self.data) }
            guard let text = String(data: self.data, encoding: .utf8) else { throw self.error("the file is not UTF-8") }
            return try YAMLDecoder().decode(Value.self, from: text)
        } catch let error as SpallocServerError {
            throw error
        } catch let error as DecodingError {
            // Yams wraps what the parser finds.
            if case .dataCorrupted(let context) = error, let problem = context.underlyingError as? YamlError {
                throw self.error(problem)
            }
            throw self.error(error.explanation, line: self.line(of: error))
        } catch let error as YamlError {
            throw self.error(error)
        } catch {
            throw self.error("\(error)")
        }
    }

    private func error(_ message: String, line: Int? = nil) -> SpallocServerError {
        SpallocServerError(.configuration, "\(self.path): \(message)" + (line.map { " (line \($0))" } ?? ""))
    }

    private func error(_ problem: YamlError) -> SpallocServerError {
        switch problem {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return self.error("not YAML: \(problem)", line: mark.line)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            return self.error("\(keys) is given twice", line: context.mark.line)
        default:
            return self.error("not YAML: \(problem)")
        }
    }

    /// Where the thing stands that could not be decoded. JSON is YAML, too, for all that is to be known here.
    private func line(of error: DecodingError) -> Int? {
        let (path, key): ([any CodingKey], String?) =
            switch error {
            case .dataCorrupted(let context): (context.codingPath, (context.underlyingError as? UnknownKey)?.name)
            case .keyNotFound(_, let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
                (context.codingPath, nil)
            @unknown default: ([], nil)
            }
        guard let text = String(data: self.data, encoding: .utf8), var node = try? Yams.compose(yaml: text) else { return nil }
        var line = node.mark?.line
        for step in path {
            guard let (next, nextLine) = ConfigurationText.child(of: node, step.intValue, step.stringValue) else { return line }
            (node, line) = (next, nextLine ?? line)
        }
        if let key, let (_, keyLine) = ConfigurationText.child(of: node, nil, key) { line = keyLine ?? line }
        return line
    }

    /// What is at a key or an index, and the line of the key or item.
    private static func child(of node: Node, _ index: Int?, _ key: String) -> (Node, Int?)? {
        if let index, let items = node.sequence {
            return items.indices.contains(index) ? (items[index], items[index].mark?.line) : nil
        }
        guard let pair = node.mapping?.first(where: { $0.key.string == key }) else { return nil }
        return (pair.value, pair.key.mark?.line)
    }
}
