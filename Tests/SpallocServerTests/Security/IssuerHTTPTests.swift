//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SpallocServer
import Testing

/// The issuer by HTTP, on loopback.
@Suite(.timeLimit(.minutes(1))) struct IssuerHTTPTests {
    /// What the service has sent.
    private struct Sent: Hashable {
        var method: String
        var authorization: String?
        var type: String?
        var body: String
    }

    private struct Place: Sendable {
        let address: String
        let sent: NIOLockedValueBox<[Sent]>
    }

    private func withIssuer(tls: Bool = false, _ body: @escaping @Sendable (Place) async throws -> Void) async throws {
        let sent = NIOLockedValueBox<[Sent]>([])
        let router = Router()
        router.get("/document") { request, _ in
            sent.withLockedValue {
                $0.append(
                    Sent(method: "GET", authorization: request.headers[.authorization], type: nil, body: ""))
            }
            return #"{"a":1}"#
        }
        router.post("/token") { request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1000))
            sent.withLockedValue {
                $0.append(
                    Sent(
                        method: "POST", authorization: request.headers[.authorization],
                        type: request.headers[.contentType], body: text))
            }
            return #"{"id_token":"t"}"#
        }
        router.get("/moved") { _, _ in Response(status: .found, headers: [.location: "/document"]) }
        for (path, text) in [
            ("/refused", #"{"error":"invalid_client","error_description":"the secret hunter2"}"#),
            ("/odd", #"{"error":"<Odd>"}"#),
        ] {
            router.get(RouterPath(path)) { _, _ in
                Response(status: .badRequest, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            }
        }
        router.get("/silence") { _, _ -> Response in
            // Until the server is stopped.
            try? await gracefulShutdown()
            return Response(status: .ok)
        }
        router.get("/endless") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    let piece = ByteBuffer(repeating: 0x20, count: 1 << 16)
                    for _ in 0..<64 { try await writer.write(piece) }
                    try await writer.finish(nil)
                })
        }
        let application = Application(
            router: router,
            server: try .http1WithWebSocket(
                authoriser: { _, _ in .router }, tls: tls ? try TestCertificate.serverConfiguration() : nil),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: quiet)
        try await application.test(.live) { client in
            let port = try #require(client.port)
            try await body(Place(address: "\(tls ? "https" : "http")://localhost:\(port)", sent: sent))
        }
    }

    private func fetch(_ caPath: String? = nil, deadline: Duration = .seconds(10)) throws -> IssuerFetch {
        var configuration = SpallocServerConfiguration.OIDC(issuer: "https://localhost", audiences: ["a"])
        configuration.caPath = caPath
        return try IssuerHTTP(configuration, deadline: deadline).fetch
    }

    private func failure(_ fetch: IssuerFetch, _ address: String) async -> String {
        do {
            _ = try await fetch(IssuerRequest(address))
            return "none"
        } catch { return "\(error)" }
    }

    @Test func whatIsAskedIsSent() async throws {
        try await self.withIssuer { place in
            let fetch = try self.fetch()
            #expect(
                try await fetch(IssuerRequest(place.address + "/document", authorization: "Bearer x")) == Data(#"{"a":1}"#.utf8)
            )
            let form = ["code": "a&b=c d", "client_id": "ö"]
            #expect(try await fetch(IssuerRequest(place.address + "/token", form: form)) == Data(#"{"id_token":"t"}"#.utf8))
            #expect(
                place.sent.withLockedValue { $0 } == [
                    Sent(method: "GET", authorization: "Bearer x", type: nil, body: ""),
                    Sent(
                        method: "POST", authorization: nil, type: "application/x-www-form-urlencoded",
                        body: "client_id=%C3%B6&code=a%26b%3Dc%20d"),
                ])
        }
    }

    /// Its word for what is wrong helps the operator; the rest of its answer may have anything in it.
    @Test func aRefusalIsNamed() async throws {
        try await self.withIssuer { place in
            let fetch = try self.fetch()
            #expect(
                await self.failure(fetch, place.address + "/refused")
                    == "\(place.address)/refused answers with 400 (invalid_client)")
            #expect(await self.failure(fetch, place.address + "/odd") == "\(place.address)/odd answers with 400")
            #expect(await self.failure(fetch, place.address + "/nothing") == "\(place.address)/nothing answers with 404")
        }
    }

    @Test func noRedirectIsFollowed() async throws {
        try await self.withIssuer { place in
            let failure = await self.failure(try self.fetch(), place.address + "/moved")
            #expect(failure == "\(place.address)/moved answers with 302")
            #expect(place.sent.withLockedValue { $0 }.isEmpty)
        }
    }

    @Test func silenceHasADeadline() async throws {
        try await self.withIssuer { place in
            let start = ContinuousClock.now
            let failure = await self.failure(try self.fetch(deadline: .milliseconds(100)), place.address + "/silence")
            #expect(failure.contains("deadlineExceeded"), "\(failure)")
            #expect(ContinuousClock.now - start < .seconds(9))
        }
    }

    @Test func aReplyWithoutEndIsCutOff() async throws {
        try await self.withIssuer { place in
            let failure = await self.failure(try self.fetch(), place.address + "/endless")
            #expect(failure.contains("exceeds maximum"), "\(failure)")
        }
    }

    @Test func nobodyThereIsAnError() async throws {
        // Port 1 of an address that is nobody's.
        let failure = await self.failure(try self.fetch(), "http://127.201.7.3:1/document")
        #expect(failure.hasPrefix("http://127.201.7.3:1/document cannot be asked: "), "\(failure)")
    }

    // MARK: - The issuer's certificate

    private func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let url = directory.appendingPathComponent("ca.pem")
        try text.write(to: url, atomically: true, encoding: .utf8)
        try await body(url.path)
    }

    @Test func aPrivateAuthorityIsBelievedWhenItIsNamed() async throws {
        try await self.withIssuer(tls: true) { place in
            try await self.withFile(TestCertificate.certificate) { path in
                let reply = try await self.fetch(path)(IssuerRequest(place.address + "/document"))
                #expect(reply == Data(#"{"a":1}"#.utf8))
            }
        }
    }

    @Test func aCertificateOfAnotherAuthorityIsNotBelieved() async throws {
        try await self.withIssuer(tls: true) { place in
            // This computer's authorities do not know the test's; and another one does not stand for it.
            let failure = await self.failure(try self.fetch(), place.address + "/document")
            #expect(failure.contains("CERTIFICATE_VERIFY_FAILED"), "\(failure)")
            try await self.withFile(TestCertificate.other) { path in
                let failure = await self.failure(try self.fetch(path), place.address + "/document")
                #expect(failure.contains("CERTIFICATE_VERIFY_FAILED"), "\(failure)")
            }
            #expect(place.sent.withLockedValue { $0 }.isEmpty)
        }
    }

    @Test(arguments: ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func aFileThatIsNoneIsAnError(text: String) async throws {
        try await self.withFile(text) { path in
            #expect {
                _ = try self.fetch(path)
            } throws: {
                ($0 as? SpallocServerError)?.message == "oidc: the ca-file \(path) has no certificate in PEM"
            }
            var configuration = testConfiguration(in: URL(fileURLWithPath: path).deletingLastPathComponent())
            configuration.oidc = .init(issuer: "https://localhost", audiences: ["a"])
            try SpallocApplication.check(configuration)
            configuration.oidc?.caPath = path
            #expect(throws: SpallocServerError.self) { try SpallocApplication.check(configuration) }
            configuration.oidc?.caPath = path + ".none"
            #expect(throws: SpallocServerError.self) { try SpallocApplication.check(configuration) }
        }
    }
}
