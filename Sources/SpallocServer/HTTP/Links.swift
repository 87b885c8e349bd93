//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// Makes the addresses that replies carry, as the client that asks can reach them.
package struct Links: Sendable {
    /// `https` when the request came over TLS, here or at a trusted reverse proxy (of others ``ForwardedMiddleware`` drops the word).
    package var scheme: String
    package var authority: String
    /// Begins and ends with a slash.
    package var basePath: String

    package init(_ request: Request, listensWithTLS: Bool, basePath: String) {
        let forwarded = Forwarded.proto.flatMap { request.headers[$0] }?
            .split(separator: ",").first.map { $0.lowercased().filter { !$0.isWhitespace } }
        switch forwarded {
        case "https", "wss": self.scheme = "https"
        case "http", "ws": self.scheme = listensWithTLS ? "https" : "http"
        default: self.scheme = listensWithTLS ? "https" : "http"
        }
        self.authority = request.head.authority ?? "localhost"
        self.basePath = basePath
    }

    package func url(_ path: String) -> String { "\(self.scheme)://\(self.authority)\(self.basePath)\(path)" }
    package func machine(_ name: String) -> String { self.url("\(SpallocPath.machines)/\(Links.escape(name))") }
    package func job(_ id: Int) -> String { self.url("\(SpallocPath.jobs)/\(id)") }
    package func job(_ id: Int, _ what: String) -> String { "\(self.job(id))/\(what)" }
    /// The websocket: with TLS if the rest is.
    package func proxy(_ id: Int) -> String {
        "\(self.scheme == "https" ? "wss" : "ws")://\(self.authority)\(self.basePath)\(SpallocPath.proxy)\(id)"
    }

    /// A path component: letters, digits and `-._~` stay.
    package static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: escaped.unicodeScalars.append(.init(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (digits.count == 1 ? "0" + digits : digits)
            }
        }
        return escaped
    }
}
