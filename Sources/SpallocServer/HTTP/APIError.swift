//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// An answer that is not what was asked for: a status, and for the user one line of plain text.
package struct APIError: Error, Sendable {
    package var status: HTTPResponse.Status
    package var message: String
    package var headers: HTTPFields

    package init(_ status: HTTPResponse.Status, _ message: String, headers: HTTPFields = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }

    package static func badRequest(_ message: String) -> APIError { APIError(.badRequest, message) }
    package static func notFound(_ message: String) -> APIError { APIError(.notFound, message) }
    /// Says nothing about what is there.
    package static let forbidden = APIError(.forbidden, "you may not do this")
    package static let csrf = APIError(.forbidden, "the \(SpallocHTTP.csrfHeader) header is missing or wrong")
    package static let unauthorized = APIError(
        .unauthorized, "please log in", headers: [.wwwAuthenticate: Logins.basicChallenge])
    /// The same whether there is no such job or it is another's: who asks does not learn that it exists.
    package static let noJob = APIError.notFound("no such job")
    package static let gone = APIError(.gone, "the job is gone")
    /// 204, and nothing to say.
    package static let empty = APIError(.noContent, "")
}
