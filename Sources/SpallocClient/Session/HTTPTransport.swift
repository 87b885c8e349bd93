//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One HTTP request, before a session adds its cookies.
struct HTTPCall: Sendable {
    var method: HTTPMethod
    var url: SpallocURL
    var headers: HTTPHeaders
    var body: ByteBuffer?

    init(_ method: HTTPMethod, _ url: SpallocURL, headers: HTTPHeaders = [:], body: ByteBuffer? = nil) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    /// POST creates: a second one might create twice.
    var mayRepeat: Bool { self.method != .POST }
}

/// A whole answer of the service.
public struct SpallocReply: Sendable {
    public let status: Int
    let headers: HTTPHeaders
    public let body: ByteBuffer

    /// The first header of that name, in whatever case.
    public func header(_ name: String) -> String? { self.headers.first(name: name) }

    var isSuccess: Bool { (200..<300).contains(self.status) }
    var isRedirect: Bool { (300..<400).contains(self.status) }
    var data: Data { Data(self.body.readableBytesView) }

    /// The body, where it is words for people. HTML and long bodies are not.
    var words: String? {
        let type = self.headers.first(name: "content-type")?.lowercased() ?? ""
        guard !type.contains("html"), self.body.readableBytes > 0, self.body.readableBytes <= 64 * 1024 else { return nil }
        let text = String(decoding: self.body.readableBytesView, as: UTF8.self)
        if let first = text.first(where: { !$0.isWhitespace }), first == "<" { return nil }
        if let message = try? JSONDecoder().decode(SpallocReply.Message.self, from: self.data) { return message.text }
        return text
    }

    /// The fields in which services put their words.
    private struct Message: Decodable {
        let message: String?
        let detail: String?
        let error: String?
        let title: String?
        var text: String? { self.message ?? self.detail ?? self.title ?? self.error }
    }
}

/// AsyncHTTPClient, with one deadline over the whole exchange, cancellation, and our errors. Redirects are answers here.
struct HTTPTransport: Sendable {
    let client: HTTPClient
    let logger: Logger?
    /// An answer beyond this is no answer of a Spalloc service, memory blocks aside.
    var bodyLimit = 64 * 1024 * 1024

    func execute(_ call: HTTPCall, timeout: Duration) async throws(SpallocError) -> SpallocReply {
        guard !Task.isCancelled else { throw SpallocError.cancelled(call) }
        let started = NIODeadline.now()
        do {
            // The future-based interface is the one whose deadline covers the body too.
            let request = try HTTPClient.Request(
                url: call.url.string, method: call.method, headers: call.headers, body: call.body.map { .byteBuffer($0) })
            let task = self.client.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: self.bodyLimit),
                deadline: started + TimeAmount(timeout))
            let response = try await withTaskCancellationHandler {
                try await task.get()
            } onCancel: {
                task.cancel()
            }
            self.logger?.trace(
                "answered",
                metadata: [
                    "spalloc.request": "\(call.method) \(call.url)", "spalloc.status": "\(response.status.code)",
                    "spalloc.ms": "\((NIODeadline.now() - started).nanoseconds / 1_000_000)",
                ])
            return SpallocReply(
                status: Int(response.status.code), headers: response.headers, body: response.body ?? ByteBuffer())
        } catch {
            let error = SpallocError.transport(error, call: call, timeout: timeout, cancelled: Task.isCancelled)
            self.logger?.trace(
                "failed",
                metadata: ["spalloc.request": "\(call.method) \(call.url)", "spalloc.error": "\(error.code)"])
            throw error
        }
    }
}
