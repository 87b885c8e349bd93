//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// The golden vectors of the Spalloc client: calls that the stock Python client was seen to make.
struct SpallocVectors {
    struct Vector {
        let id: String
        let kind: String
        let name: String
        let args: [String: Any]
        let decoded: Any

        func arg<Value>(_ key: String, as type: Value.Type = Value.self) -> Value? { self.args[key] as? Value }
        var result: [String: Any] { self.decoded as? [String: Any] ?? [:] }
        var calls: [Call] { (self.result["calls"] as? [[String: Any]] ?? []).map(Call.init) }
    }

    /// A call as the vectors record it.
    struct Call {
        let method: String
        let path: String
        let query: [String: String]
        let cookie: String?
        let csrf: String?
        let authorization: String?
        let contentType: String?
        let json: NSDictionary?
        let form: [String: String]?
        let text: String?

        init(_ call: [String: Any]) {
            self.method = call["method"] as? String ?? ""
            self.path = (call["url"] as? String).flatMap { URL(string: $0) }?.path(percentEncoded: true) ?? ""
            self.query = (call["params"] as? [String: Any] ?? [:]).mapValues(Call.text)
            self.cookie = (call["cookies"] as? [String: String])?["JSESSIONID"]
            let headers = call["headers"] as? [String: String] ?? [:]
            self.csrf = headers["X-CSRF-TOKEN"]
            self.authorization = headers["Authorization"]
            self.contentType = headers["Content-Type"]
            self.json = call["json"] as? NSDictionary
            self.form = call["data"] as? [String: String]
            self.text = call["data"] as? String
        }

        private static func text(_ value: Any) -> String { "\(value)" }
    }

    static let path =
        ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
        ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "../shared/vectors/golden-vectors.json").standardizedFileURL.path

    static func load(kind: String) throws -> [Vector] {
        let data = try Data(contentsOf: URL(filePath: self.path))
        let list = try JSONSerialization.jsonObject(with: data) as? [[String: Any]] ?? []
        return list.filter { $0["kind"] as? String == kind }.map { entry in
            Vector(
                id: entry["id"] as? String ?? "", kind: kind, name: entry["class"] as? String ?? "",
                args: entry["args"] as? [String: Any] ?? [:], decoded: entry["decoded"] ?? NSNull())
        }
    }

    static func vector(_ id: String, kind: String) throws -> Vector? { try self.load(kind: kind).first { $0.id == id } }
}
