//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// The value as JSON: its own keys, in alphabetical order, and nothing more.
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}

extension Request {
    /// The body as JSON. What is wrong with it is a 400, with the place.
    func decodeJSON<Value: Decodable>(_: Value.Type, limit: Int = 1 << 20) async throws -> Value {
        if let type = self.headers[.contentType], !type.lowercased().contains("json") {
            throw APIError(.unsupportedMediaType, "the body is to be application/json, not \(type)")
        }
        let body = try await self.body.collect(upTo: limit)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(body.readableBytesView))
        } catch let error as DecodingError {
            throw APIError.badRequest(error.explanation)
        }
    }
}
