//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1

/// What becomes of a request to make a connection a websocket.
package enum UpgradeDecision: Sendable {
    /// 101, and the proxy takes over.
    case accept(ProxySessionConfiguration)
    /// This answer, and the connection stays what it was.
    case refuse(HTTPResponseStatus, headers: HTTPHeaders = [:], body: String)
    /// Nothing of the proxy's: the router answers it as any request.
    case router
}

/// Decides on an upgrade from its head and the peer's address. It may take its time to ask a store.
package typealias UpgradeAuthoriser = @Sendable (HTTPRequestHead, SocketAddress?) async -> UpgradeDecision

extension HTTPRequestHead {
    /// Whether it asks for a websocket at all; whether it asks correctly is another matter.
    var asksForWebSocket: Bool {
        self.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" } && self.asksForUpgrade
    }

    /// NIO's HTTP decoder stops for good behind such a request, whatever the answer is.
    var asksForUpgrade: Bool {
        self.method == .CONNECT
            || self.headers.contains(name: "upgrade")
                && self.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
    }
}
