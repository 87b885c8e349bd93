//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpallocClient
import SpallocDemo

/// Requests that no client of ours would make, in the session of one that is logged in.
struct RawService: Sendable {
    struct Answer {
        var status: Int
        var type: String
        var text: String
    }

    private let http: HTTPClient
    private let root: String
    private let headers: [String: String]

    /// - Parameter path: below `srv/spalloc/`.
    func call(_ method: HTTPMethod, _ path: String, body: String? = nil, type: String = "application/json") async throws
        -> Answer
    {
        var request = HTTPClientRequest(url: self.root + "srv/spalloc/" + path)
        request.method = method
        for (name, value) in self.headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: type)
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await self.http.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return Answer(
            status: Int(response.status.code), type: response.headers.first(name: "content-type") ?? "",
            text: String(buffer: bytes))
    }

    /// Runs `body` with it.
    static func with(
        _ house: DemoHouse, as who: DemoHouse.Who = .demo, _ body: (RawService) async throws -> Void
    ) async throws {
        try await house.asClient(who) { client in
            let http = HTTPClient(
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                configuration: .init(tlsConfiguration: try house.clientConfiguration.tlsConfiguration()))
            let service = RawService(http: http, root: house.access.url, headers: try await client.sessionHeaders())
            do {
                try await body(service)
            } catch {
                try await http.shutdown()
                throw error
            }
            try await http.shutdown()
        }
    }
}

extension SpallocClient {
    /// What a request must carry to be of this session.
    func sessionHeaders() async throws -> [String: String] {
        let session = try await self.session.storedSession()
        var headers = session.headers
        headers["Cookie"] = session.cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
        return headers
    }
}
