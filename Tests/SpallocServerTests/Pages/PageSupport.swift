//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocServer
import Testing

extension Session {
    /// A page under `system/`.
    func page(_ path: String) async throws -> TestResponse { try await self.execute(.get, "/spalloc/system/\(path)") }

    /// Sends a form, with the session's token unless another is given.
    func submit(_ path: String, _ fields: [String: String] = [:], token: String? = nil) async throws -> TestResponse {
        var fields = fields
        fields["_csrf"] = token ?? self.csrf
        let body = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(Links.escape($0.value))" }.joined(separator: "&")
        return try await self.client.execute(
            uri: "/spalloc/system/\(path)", method: .post,
            headers: [.cookie: "JSESSIONID=\(self.cookie)", .contentType: "application/x-www-form-urlencoded"],
            body: ByteBuffer(string: body))
    }
}

/// What every user may ask for, and what each answer is for basil (BASIC), rita (READER), alice (USER), bob (USER) and root (ADMIN).
struct PageRights: Sendable {
    var path: String
    var statuses: [Int]

    static let users = ["basil", "rita", "alice", "bob", "root"]
}
