//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix

/// Logs in to a Spalloc service and gives the client to `body`; all connections are closed when `body` is through.
///
/// ```swift
/// try await withSpallocClient(url: "https://spinnaker.cs.man.ac.uk/spalloc", credentials: .password(user: me, secret)) { client in
///     for machine in try await client.machines() { print(machine.name) }
/// }
/// ```
///
/// - Parameters:
///   - url: the service's base, usually `https://host/spalloc/`; it may hold user and password. Plain `http` only to this machine.
///   - credentials: who logs in; by default whoever the URL names.
/// - Throws: ``SpallocError`` for a bad URL, a refused login, an unreachable service; and whatever `body` throws.
public func withSpallocClient<Result>(
    url: String, credentials: SpallocCredentials = .inURL, configuration: SpallocClientConfiguration = .init(),
    logger: Logger? = nil, _ body: (SpallocClient) async throws -> Result
) async throws -> Result {
    let address = try SpallocServiceAddress(url)
    let tls = try configuration.tlsConfiguration()
    var http = HTTPClient.Configuration(
        tlsConfiguration: tls, redirectConfiguration: .disallow,
        timeout: .init(connect: TimeAmount(configuration.requestTimeout)),
        connectionPool: .init(
            // Less than the 60 s after which reverse proxies drop idle connections.
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.maximumConnections))
    // A refused connection is an answer: said at once, and repeated where the caller wants that.
    http.connectionPool.retryConnectionEstablishment = false
    // Long-polls each hold a connection; HTTP/2 brings nothing the service speaks.
    http.httpVersion = .http1Only
    let httpClient = HTTPClient(eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: http)
    do {
        let session = try SpallocSession(
            address: address, credentials: credentials, configuration: configuration, tls: tls, httpClient: httpClient,
            logger: logger)
        defer { session.close() }
        _ = try await session.login(after: nil)
        let result = try await body(SpallocClient(session: session))
        try? await httpClient.shutdown()
        return result
    } catch {
        try? await httpClient.shutdown()
        throw error
    }
}
