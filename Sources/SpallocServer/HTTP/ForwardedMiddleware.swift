//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird

/// Takes a trusted reverse proxy's word on who asks and whether by TLS. From everybody else the word is dropped: who connects could
/// write anything there.
struct ForwardedMiddleware: RouterMiddleware {
    typealias Context = SpallocRequestContext

    let core: ServiceCore

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard Forwarded.names.contains(where: { request.headers.contains($0) }) else { return try await next(request, context) }
        let trusted = self.core.configuration.trustedProxies
        guard let peer = context.remoteAddress, trusted.contains(where: { $0.contains(peer) }) else {
            var head = request.head
            for name in Forwarded.names { head.headerFields[name] = nil }
            return try await next(Request(head: head, body: request.body), context)
        }
        var context = context
        context.remoteAddress = Forwarded.client(
            Forwarded.for.map { request.headers[values: $0] } ?? [], peer: peer, trusted: trusted)
        return try await next(request, context)
    }
}

/// What reverse proxies say of a request.
package enum Forwarded {
    static let `for` = HTTPField.Name("X-Forwarded-For")
    static let proto = HTTPField.Name("X-Forwarded-Proto")
    static let names = [Forwarded.for, Forwarded.proto].compactMap { $0 }

    /// The one who asks: each proxy appends its own peer, so from the end backwards the first that is no proxy of ours. What stands
    /// before that one was written by strangers.
    package static func client(_ values: [String], peer: String, trusted: [AddressRange]) -> String {
        var client = peer
        for entry in values.flatMap({ $0.split(separator: ",") }).reversed() {
            let address = String(entry.filter { $0 != " " && $0 != "\t" })
            guard AddressRange.bytes(of: address) != nil else { break }
            client = address
            guard trusted.contains(where: { $0.contains(address) }) else { break }
        }
        return client
    }
}
