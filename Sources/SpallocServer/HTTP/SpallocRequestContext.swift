//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Who a request is from.
package struct Caller: Hashable, Sendable {
    package var user: UserRecord
    /// The token that writes must carry; nil without a session (Basic authentication and no cookie).
    package var csrf: String?
    /// The cookie, to tell sessions of one user apart.
    package var session: String?
    /// Whether the request has a token of the configured issuer, and no session.
    package var hasToken: Bool { self.tokenExpiry != nil }
    /// When that token ends.
    package var tokenExpiry: Timestamp?
    /// When what lets the caller in ends, however much it is used; nil: at no set time.
    package var until: Timestamp?

    /// How long the caller may wait for something.
    func patience(_ limit: Duration, now: Timestamp) -> Duration {
        self.until.map { max(.zero, min(limit, $0 - now)) } ?? limit
    }

    /// What tells this session from others.
    package var sessionKey: String { self.session ?? "user \(self.user.id)" }

    package func require(_ allowed: Bool) throws(APIError) {
        guard allowed else { throw .forbidden }
    }
}

/// What goes with a request on its way through the service.
package struct SpallocRequestContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The peer's address, or what a trusted reverse proxy says of its own peer (``ForwardedMiddleware``).
    package var remoteAddress: String?
    package var caller: Caller?
    /// Of a page: the form that was sent, once its token was found right.
    var form: FormFields?

    package init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.remoteAddress = source.channel.remoteAddress?.ipAddress
    }

    package func requireCaller() throws(APIError) -> Caller {
        guard let caller = self.caller else { throw .unauthorized }
        return caller
    }

    /// The number of a row that a path component is.
    ///
    /// - Parameter missing: what is said, with 404, of a component that is none.
    func row(_ name: String, missing: String) throws(APIError) -> Int64 {
        guard let row = Int64(try self.component(name)) else { throw .notFound(missing) }
        return row
    }

    /// A path component, decoded.
    package func component(_ name: String) throws(APIError) -> String {
        guard let value = self.parameters.get(name), let decoded = value.removingPercentEncoding else {
            throw .notFound("nothing here")
        }
        return decoded
    }
}
