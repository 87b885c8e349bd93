//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import SpallocServer

/// A service with an issuer, and a clock that a test turns.
struct IssuerStage: Sendable {
    let harness: Harness
    let client: any TestClientProtocol
    let issuer: TestIssuer
    let clock: TurnedClock

    func token(
        _ name: String = "ada", subject: String? = nil, life: Duration = .seconds(300), teams: [String]? = nil
    ) throws -> String {
        var claims = TestIssuer.claims(name, subject: subject, at: self.clock.now(), life: life)
        if let teams { claims["roles"] = ["team": teams] }
        return try self.issuer.token(claims)
    }

    func ask(
        _ method: HTTPRequest.Method, _ path: String, token: String, body: String? = nil, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        headers[.authorization] = "Bearer \(token)"
        if body != nil { headers[.contentType] = "application/json" }
        return try await self.client.execute(
            uri: path.hasPrefix("/") ? path : Session.api + path, method: method, headers: headers,
            body: body.map { ByteBuffer(string: $0) })
    }

    func user(_ name: String) async throws -> UserRecord? { try await self.harness.store.user(named: name)?.user }
}

func withIssuer(
    _ configure: @escaping (inout SpallocServerConfiguration) -> Void = { _ in }, logger: Logger = quiet,
    _ body: @escaping @Sendable (IssuerStage) async throws -> Void
) async throws {
    let directory = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let (issuer, clock) = (try TestIssuer(), TurnedClock())
    var configuration = testConfiguration(in: directory)
    configuration.oidc = .init(issuer: TestIssuer.address, audiences: ["spalloc"])
    configure(&configuration)
    let bmp = FakeBMP()
    let application = try await SpallocApplication.build(
        configuration: configuration, logger: logger, clock: clock.now, bmps: { _ in FakeBMPController(bmp: bmp) },
        fetch: issuer.fetch)
    let harness = Harness(application: application, bmp: bmp, directory: directory)
    try await application.application().test(.router) { client in
        try await body(IssuerStage(harness: harness, client: client, issuer: issuer, clock: clock))
    }
    try harness.store.close()
}
