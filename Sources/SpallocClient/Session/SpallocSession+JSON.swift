//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension SpallocSession {
    /// The service's description of itself, once a login has read it.
    var knownRoot: ServiceDescription? { self.state.withLockedValue { $0.login?.root } }

    func json<Value: Decodable>(
        _ url: SpallocURL, query: [(name: String, value: String)] = [], timeout: Duration? = nil
    ) async throws(SpallocError) -> Value {
        try SpallocSession.decode(try await self.get(url, query: query, timeout: timeout), of: url)
    }

    /// nil: 204, which is this API's "no boards yet".
    func jsonIfAny<Value: Decodable>(
        _ url: SpallocURL, query: [(name: String, value: String)] = [], timeout: Duration? = nil
    ) async throws(SpallocError) -> Value? {
        let reply = try await self.get(url, query: query, timeout: timeout)
        return reply.status == 204 ? nil : try SpallocSession.decode(reply, of: url)
    }

    static func decode<Value: Decodable>(_ reply: SpallocReply, of url: SpallocURL) throws(SpallocError) -> Value {
        do {
            let decoder = JSONDecoder()
            // A newer service may say more than we know.
            decoder.userInfo[.allowsUnknownKeys] = true
            return try decoder.decode(Value.self, from: reply.data)
        } catch {
            throw SpallocError(
                .unexpectedResponse, "the answer to \(url.path) is not what a Spalloc service says",
                serverMessage: SpallocSession.explain(error), status: reply.status, url: url, underlying: error)
        }
    }

    static func encode(_ value: some Encodable) throws(SpallocError) -> ByteBuffer {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return ByteBuffer(bytes: try encoder.encode(value))
        } catch {
            throw SpallocError(.invalidRequest, "the request cannot be written as JSON", underlying: error)
        }
    }

    private static func explain(_ error: any Error) -> String? {
        switch error {
        case DecodingError.keyNotFound(let key, _): "\"\(key.stringValue)\" is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        default: nil
        }
    }
}
