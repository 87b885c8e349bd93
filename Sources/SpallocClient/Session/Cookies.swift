//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOHTTP1

/// The cookies of one service: names and values. Paths and domains do not matter, we only talk to one.
struct Cookies: Sendable, Equatable {
    /// The session's.
    static let session = "JSESSIONID"

    private(set) var values: [String: Secret] = [:]

    init(_ values: [String: String] = [:]) {
        self.values = values.mapValues { Secret($0) }
    }

    var sessionID: Secret? { self.values[Cookies.session] }
    var isEmpty: Bool { self.values.isEmpty }

    /// What `Cookie:` says, in an order that does not change.
    var header: String {
        self.values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }.joined(separator: "; ")
    }

    /// Takes up every `Set-Cookie` of an answer. Returns whether it brought a session cookie.
    @discardableResult
    mutating func take(from headers: HTTPHeaders) -> Bool {
        var broughtSession = false
        for header in headers["set-cookie"] {
            let parts = header.split(separator: ";", omittingEmptySubsequences: false)
            guard let pair = parts.first, let equals = pair.firstIndex(of: "=") else { continue }
            let name = String(pair[..<equals]).trimmingBlanks()
            var value = String(pair[pair.index(after: equals)...]).trimmingBlanks()
            if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") { value = String(value.dropFirst().dropLast()) }
            // A cookie value goes into a header line of ours: nothing that could end the line.
            guard !name.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") }) else { continue }
            let isDeletion = value.isEmpty || parts.dropFirst().contains { Cookies.isMaxAgeZero($0) }
            if isDeletion {
                self.values[name] = nil
            } else {
                self.values[name] = Secret(value)
                if name == Cookies.session { broughtSession = true }
            }
        }
        return broughtSession
    }

    private static func isMaxAgeZero(_ attribute: Substring) -> Bool {
        let pair = attribute.split(separator: "=", maxSplits: 1)
        guard pair.count == 2, String(pair[0]).trimmingBlanks().lowercased() == "max-age" else { return false }
        return (Int(String(pair[1]).trimmingBlanks()) ?? 1) <= 0
    }
}
