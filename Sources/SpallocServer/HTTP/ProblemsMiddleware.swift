//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import GRDB
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Makes every error an answer in plain text, with the status that the reference gives it.
struct ProblemsMiddleware: RouterMiddleware {
    typealias Context = SpallocRequestContext

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            if error.status == .noContent { return Response(status: .noContent) }
            return Response.problem(error.message, status: error.status, headers: error.headers)
        } catch let error as BadRequest {
            return Response.problem(error.reason, status: .badRequest)
        } catch let error as HTTPError {
            return Response.problem(error.body ?? error.status.reasonPhrase, status: error.status)
        } catch let error as DatabaseError {
            context.logger.error("database error", metadata: ["error": "\(error)"])
            return Response.text("failed\n", status: .internalServerError)
        } catch is NIOTooManyBytesError {
            return Response.text("the body is too long\n", status: .contentTooLarge)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            context.logger.error("unexpected error", metadata: ["error": "\(error)"])
            return Response.text("unexpected server problem: \(type(of: error)): \(error)\n", status: .internalServerError)
        }
    }
}

extension Response {
    /// One line, whatever a request that is quoted in it had in it.
    static func problem(_ message: String, status: HTTPResponse.Status, headers: HTTPFields = [:]) -> Response {
        var line = ""
        for scalar in message.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: line.unicodeScalars.append("\u{FFFD}")
            default: line.unicodeScalars.append(scalar)
            }
        }
        return Response.text(line + "\n", status: status, headers: headers)
    }

    static func text(
        _ text: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], type: String = "text/plain; charset=UTF-8"
    ) -> Response {
        var headers = headers
        headers[.contentType] = type
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
