//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// One request to the issuer: a form is posted, anything else is asked for.
package struct IssuerRequest: Hashable, Sendable {
    package var address: String
    package var form: [String: String]?
    /// For the header of that name.
    package var authorization: String?

    package init(_ address: String, form: [String: String]? = nil, authorization: String? = nil) {
        self.address = address
        self.form = form
        self.authorization = authorization
    }

    var formText: String? {
        self.form.map { form in
            form.sorted { $0.key < $1.key }.map { "\(Links.escape($0.key))=\(Links.escape($0.value))" }.joined(separator: "&")
        }
    }
}

/// Asks the issuer.
package typealias IssuerFetch = @Sendable (_ request: IssuerRequest) async throws -> Data

/// The issuer by HTTP. No redirect is followed: it could lead to anywhere.
package struct IssuerHTTP: Sendable {
    /// Who may have signed the issuer's certificate; nil: whom this computer trusts.
    private let trustRoots: NIOSSLTrustRoots?
    private let deadline: Duration

    private static let maximumReply = 1 << 20

    /// - Throws: ``SpallocServerError`` when the configured authorities cannot be read.
    package init(
        _ configuration: SpallocServerConfiguration.OIDC?, deadline: Duration = .seconds(10)
    ) throws(SpallocServerError) {
        self.trustRoots = try configuration?.caPath.map { path throws(SpallocServerError) in
            .certificates(try IssuerHTTP.certificates(path))
        }
        self.deadline = deadline
    }

    private static func certificates(_ path: String) throws(SpallocServerError) -> [NIOSSLCertificate] {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw SpallocServerError(.tls, "oidc: cannot read the ca-file \(path)")
        }
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
            throw SpallocServerError(.tls, "oidc: the ca-file \(path) has no certificate in PEM")
        }
        return certificates
    }

    package var fetch: IssuerFetch { { try await self.reply(to: $0) } }

    private func reply(to wanted: IssuerRequest) async throws -> Data {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        if let trustRoots = self.trustRoots {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = trustRoots
            configuration.tlsConfiguration = tls
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            var request = try HTTPClient.Request(url: wanted.address, method: wanted.form == nil ? .GET : .POST)
            request.headers.add(name: "Accept", value: "application/json")
            if let authorization = wanted.authorization { request.headers.add(name: "Authorization", value: authorization) }
            if let form = wanted.formText {
                request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
                request.body = .string(form)
            }
            let task = client.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: IssuerHTTP.maximumReply),
                deadline: .now() + .milliseconds(self.deadline.milliseconds))
            let response = try await task.get()
            let body = Data((response.body ?? ByteBuffer()).readableBytesView)
            guard response.status == .ok else {
                throw IssuerError("\(wanted.address) answers with \(response.status.code)\(IssuerHTTP.reason(in: body))")
            }
            try await client.shutdown()
            return body
        } catch {
            try? await client.shutdown()
            throw error as? IssuerError ?? IssuerError("\(wanted.address) cannot be asked: \(error)")
        }
    }

    /// The word of RFC 6749 5.2 (`invalid_client` and the like), and nothing else of what may be in the reply.
    private static func reason(in body: Data) -> String {
        guard let fields = try? JSONSerialization.jsonObject(with: body) as? [String: Any],
            let word = fields["error"] as? String, word.wholeMatch(of: /[a-z_]{1,40}/) != nil
        else { return "" }
        return " (\(word))"
    }
}
