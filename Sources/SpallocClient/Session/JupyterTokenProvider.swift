//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The access-token service beside a JupyterHub: `GET http://host:port/services/access-token-service/access-token`.
///
/// It is the hub's own address inside its cluster, hence plain http. Each login gets a fresh token from it; the Python
/// client asks once in its life.
public struct JupyterTokenProvider: SpallocTokenProvider, CustomStringConvertible {
    let host: String
    let port: Int
    let apiToken: Secret
    var timeout: Duration = .seconds(10)

    public init(host: String, port: Int, apiToken: String) {
        self.host = host
        self.port = port
        self.apiToken = Secret(apiToken)
    }

    public var description: String { "the access-token service of \(self.host):\(self.port)" }

    private struct Answer: Decodable {
        let accessToken: String
        private enum CodingKeys: String, CodingKey { case accessToken = "access_token" }
    }

    public func token(replacing refused: String?) async throws -> String {
        let url = SpallocURL(
            scheme: .http, host: self.host, port: self.port, path: "/services/access-token-service/access-token")
        let transport = HTTPTransport(client: HTTPClient.shared, logger: nil)
        let reply = try await transport.execute(
            HTTPCall(.GET, url, headers: ["authorization": "Token \(self.apiToken.text)"]), timeout: self.timeout)
        guard reply.status == 200, let answer = try? JSONDecoder().decode(Answer.self, from: reply.data) else {
            throw SpallocError(
                .tokenUnavailable, "\(self) gave no token (status \(reply.status))", status: reply.status, url: url)
        }
        guard answer.accessToken != refused else {
            throw SpallocError(.tokenUnavailable, "\(self) gave the token again that was just refused", url: url)
        }
        return answer.accessToken
    }
}
