//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpiNNakerEngine
import SpiNNakerLink

/// What a client sent.
struct PeerRequest: Sendable {
    let method: HTTPMethod
    /// Without the query.
    let path: String
    let query: [String: String]
    let headers: HTTPHeaders
    let body: ByteBuffer

    var text: String { String(decoding: self.body.readableBytesView, as: UTF8.self) }
    var cookie: String? { self.headers.first(name: "cookie") }
    var call: String { "\(self.method) \(self.path)" }
}

/// What it gets, good or bad.
enum PeerAnswer: Sendable {
    case reply(status: Int, headers: [(String, String)] = [], body: String = "")
    case bytes(status: Int, [UInt8])
    /// Nothing, ever.
    case stall
    /// The head and some of the body it promises, then the end.
    case breakOff
    /// The end, without a byte.
    case close
    /// Bytes that are not HTTP.
    case garbage
    /// A websocket from here on.
    case webSocket(@Sendable (any Channel) -> any WebSocketUser)

    static func json(_ text: String, status: Int = 200) -> PeerAnswer {
        .reply(status: status, headers: [("Content-Type", "application/json")], body: text)
    }
    static func text(_ status: Int, _ text: String) -> PeerAnswer {
        .reply(status: status, headers: [("Content-Type", "text/plain")], body: text)
    }
}

/// An HTTP server on loopback that answers by script and remembers what it was asked.
final class ScriptedPeer: Sendable {
    typealias Script = @Sendable (PeerRequest) async -> PeerAnswer

    let port: Int
    private let channel: any Channel
    private let record: NIOLockedValueBox<[PeerRequest]>

    var requests: [PeerRequest] { self.record.withLockedValue { $0 } }
    var calls: [String] { self.requests.map(\.call) }
    func count(_ call: String) -> Int { self.calls.count { $0 == call } }

    private init(channel: any Channel, port: Int, record: NIOLockedValueBox<[PeerRequest]>) {
        self.channel = channel
        self.port = port
        self.record = record
    }

    /// - Parameter tls: nil: plain HTTP.
    static func run<Result>(
        tls: NIOSSLContext? = nil, _ script: @escaping Script, _ body: (ScriptedPeer) async throws -> Result
    ) async throws -> Result {
        let record = NIOLockedValueBox<[PeerRequest]>([])
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(PeerHandler(script: script, record: record))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let peer = ScriptedPeer(channel: channel, port: channel.localAddress?.port ?? 0, record: record)
        do {
            let result = try await body(peer)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// Ends the server now: what comes after is refused.
    func stop() async throws { try await self.channel.close() }
}

private final class PeerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let script: ScriptedPeer.Script
    private let record: NIOLockedValueBox<[PeerRequest]>
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(script: @escaping ScriptedPeer.Script, record: NIOLockedValueBox<[PeerRequest]>) {
        self.script = script
        self.record = record
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body = ByteBuffer()
        case .body(var part):
            self.body.writeBuffer(&part)
        case .end:
            guard let head = self.head else { return }
            let parts = head.uri.split(separator: "?", maxSplits: 1)
            var query: [String: String] = [:]
            for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                query[Self.decode(sides[0])] = sides.count > 1 ? Self.decode(sides[1]) : ""
            }
            let request = PeerRequest(
                method: head.method, path: String(parts[0]), query: query, headers: head.headers, body: self.body)
            self.record.withLockedValue { $0.append(request) }
            let script = self.script
            let channel = context.channel
            channel.eventLoop.makeFutureWithTask { await script(request) }.whenSuccess {
                Self.write($0, to: channel, key: request.headers.first(name: "sec-websocket-key") ?? "")
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private static func write(_ answer: PeerAnswer, to channel: any Channel, key: String) {
        func send(_ status: Int, _ headers: [(String, String)], _ body: ByteBuffer, length: Int) {
            var fields = HTTPHeaders(headers)
            if status != 204 { fields.add(name: "content-length", value: "\(length)") }
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            if body.readableBytes > 0 { channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil) }
        }
        switch answer {
        case .reply(let status, let headers, let body):
            send(status, headers, ByteBuffer(string: body), length: body.utf8.count)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        case .bytes(let status, let bytes):
            send(status, [("content-type", "application/octet-stream")], ByteBuffer(bytes: bytes), length: bytes.count)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        case .stall:
            break
        case .breakOff:
            send(200, [("content-type", "application/json")], ByteBuffer(string: "{\"state\":"), length: 1000)
            channel.flush()
            channel.close(promise: nil)
        case .close:
            channel.close(promise: nil)
        case .webSocket(let makeUser):
            Self.upgrade(channel, key: key, makeUser)
        case .garbage:
            // From the encoder's own place outwards: not encoded.
            guard let encoder = try? channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self) else {
                return
            }
            encoder.writeAndFlush(NIOAny(ByteBuffer(string: "220 mail.example ESMTP\r\n")), promise: nil)
        }
    }

    private static func upgrade(
        _ channel: any Channel, key: String, _ makeUser: @escaping @Sendable (any Channel) -> any WebSocketUser
    ) {
        let head = HTTPResponseHead(
            version: .http1_1, status: .switchingProtocols,
            headers: [
                "upgrade": "websocket", "connection": "upgrade", "sec-websocket-accept": WebSocketHandshake.accept(key: key),
            ])
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        let pipeline = channel.pipeline.syncOperations
        var removals: [EventLoopFuture<Void>] = []
        func remove<Handler: RemovableChannelHandler>(_ type: Handler.Type) {
            if let context = try? pipeline.context(handlerType: type) {
                removals.append(pipeline.removeHandler(context: context))
            }
        }
        remove(PeerHandler.self)
        remove(HTTPServerProtocolErrorHandler.self)
        remove(NIOHTTPResponseHeadersValidator.self)
        remove(HTTPServerPipelineHandler.self)
        remove(ByteToMessageHandler<HTTPRequestDecoder>.self)
        remove(HTTPResponseEncoder.self)
        EventLoopFuture.andAllComplete(removals, on: channel.eventLoop).whenComplete { _ in
            let handler = WebSocketHandler(role: .server, configuration: .server, user: makeUser(channel))
            try? channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    private static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
