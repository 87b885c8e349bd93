//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpiNNakerEngine
import SpiNNakerLink

extension SpallocSession {
    /// Opens a websocket of the service for the length of `body`, with what proves who we are; a session that has ended is
    /// renewed first. A job's own is better opened with ``SpallocJob/withProxy(_:)``, which speaks its protocol, and comes
    /// back when the connection is lost.
    ///
    /// - Parameter url: of this service, whatever its scheme; see ``SpallocURL/following(_:)``.
    public func withWebSocket<Result>(
        _ url: SpallocURL, _ body: (SpallocWebSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await self.openWebSocket(url)
        do {
            let result = try await body(socket)
            await socket.close()
            return result
        } catch {
            await socket.close()
            throw error
        }
    }

    private func openWebSocket(_ url: SpallocURL) async throws(SpallocError) -> SpallocWebSocket {
        let tls = try self.tlsContext()
        var login = try await self.login(after: nil)
        do {
            return try await SpallocWebSocket.open(self.webSocketTarget(url, login: login, tls: tls), self.configuration)
        } catch WebSocketConnectError.refused(_, let status, _) where status == 401 || (300..<400).contains(status) {
            login = try await self.login(after: login.generation)
        } catch {
            throw SpallocError.webSocket(error)
        }
        do {
            return try await SpallocWebSocket.open(self.webSocketTarget(url, login: login, tls: tls), self.configuration)
        } catch {
            throw SpallocError.webSocket(error)
        }
    }

    /// nil for a service without TLS. Making it reads the trusted certificates: once for each websocket and its successors.
    func tlsContext() throws(SpallocError) -> NIOSSLContext? {
        guard self.serviceURL.scheme == .https else { return nil }
        do {
            return try NIOSSLContext(configuration: self.tls)
        } catch {
            throw SpallocError(.invalidConfiguration, "TLS cannot be set up", underlying: error)
        }
    }

    func webSocketTarget(_ url: SpallocURL, login: Login, tls: NIOSSLContext?) -> WebSocketTarget {
        var headers = HTTPHeaders(self.authentication(login, forWriting: true))
        headers.add(name: "origin", value: url.origin)
        return WebSocketTarget(
            host: url.host, port: url.effectivePort, path: url.query.map { "\(url.path)?\($0)" } ?? url.path, tls: tls,
            headers: headers)
    }
}

/// A websocket of the service: binary messages both ways. What nobody takes waits, up to 1024 messages; then it is dropped
/// and counted.
public final class SpallocWebSocket: Sendable {
    private let user: NIOLoopBound<User>
    private let queue: DatagramQueue
    private let channel: any Channel

    private init(user: NIOLoopBound<User>, queue: DatagramQueue, channel: any Channel) {
        self.user = user
        self.queue = queue
        self.channel = channel
    }

    /// What arrives, in order, for one reader; ends when the websocket is closed here, throws when it is lost.
    public var messages: SpallocDatagrams { SpallocDatagrams(queue: self.queue) }
    /// Those that nobody took in time.
    public var dropped: Int { self.queue.dropped }

    public func send(_ message: ByteBuffer) async throws(SpallocError) {
        let user = self.user
        do {
            try await user.eventLoop.submit { try user.value.send(message) }.get()
        } catch {
            throw error as? SpallocError ?? SpallocError(.connectionClosed, "the websocket ended", underlying: error)
        }
    }

    /// - Throws: ``SpallocError/Code/timeout``; ``SpallocError/Code/closed`` after the end.
    public func receive(timeout: Duration) async throws(SpallocError) -> ByteBuffer {
        let late = SpallocError(.timeout, "nothing came on the websocket within \(timeout)")
        guard let message = try await self.queue.next(timeout: timeout, or: late) else {
            throw SpallocError(.closed, "the websocket is closed")
        }
        return message
    }

    /// Says good-bye and waits, for 2 s at most, until the service has done so too.
    func close() async {
        self.user.eventLoop.execute { self.user.value.close() }
        // That it had ended before is no error.
        try? await self.channel.closeFuture.get()
    }

    fileprivate static func open(
        _ target: WebSocketTarget, _ configuration: SpallocClientConfiguration
    ) async throws -> SpallocWebSocket {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let queue = DatagramQueue(on: eventLoop) { error in
            error as? SpallocError ?? SpallocError(.connectionClosed, "the websocket ended", underlying: error)
        }
        let user = try await eventLoop.submit { NIOLoopBound(User(queue: queue), eventLoop: eventLoop) }.get()
        let channel = try await eventLoop.flatSubmit {
            WebSocketClient.connect(
                to: target, on: eventLoop, deadline: TimeAmount(configuration.requestTimeout),
                user: NIOLoopBound(user.value, eventLoop: eventLoop))
        }.get()
        return SpallocWebSocket(user: user, queue: queue, channel: channel)
    }

    private final class User: WebSocketUser {
        let queue: DatagramQueue
        private var socket: WebSocketHandler?
        private var isClosedHere = false

        init(queue: DatagramQueue) { self.queue = queue }

        func send(_ message: ByteBuffer) throws(SpallocError) {
            guard let socket = self.socket, socket.isOpen else {
                throw SpallocError(self.isClosedHere ? .closed : .connectionClosed, "the websocket is closed")
            }
            socket.putMessage(message)
            socket.flush()
        }

        func close() {
            self.isClosedHere = true
            self.socket?.close(.normal, reason: "")
        }

        func webSocketOpened(_ socket: WebSocketHandler) { self.socket = socket }
        func webSocketReceived(_ message: ByteBuffer) { self.queue.datagramReceived(message) }
        func webSocketReadComplete() {}
        func webSocketClosed(_ ending: WebSocketEnding) {
            self.socket = nil
            self.queue.linkClosed(
                self.isClosedHere ? nil : SpallocError(.connectionClosed, "the websocket ended", serverMessage: "\(ending)"))
        }
    }
}

extension SpallocError {
    /// Why a websocket did not open, in our terms.
    static func webSocket(_ error: any Error) -> SpallocError {
        func make(_ code: Code, _ message: String, _ serverMessage: String? = nil, status: Int? = nil) -> SpallocError {
            SpallocError(code, message, serverMessage: serverMessage, status: status, underlying: error)
        }
        switch error {
        case let error as SpallocError:
            return error
        case WebSocketConnectError.refused(let target, let status, let body):
            let code: Code =
                switch status {
                case 401: .notLoggedIn
                case 403: .forbidden
                case 404, 410: .notFound
                default: .proxyFailed
                }
            return make(code, "the websocket at \(target) is refused to us (status \(status))", body, status: status)
        case WebSocketConnectError.badHandshake(let target, let what):
            return make(.proxyFailed, "what answers at \(target) is no websocket: \(what)")
        case WebSocketConnectError.unreachable(let target, let why):
            let code: Code = why.contains("CERTIFICATE_VERIFY_FAILED") ? .untrustedServer : .unreachable
            return make(code, "the websocket at \(target) cannot be reached", why)
        case WebSocketConnectError.deadline(let target):
            return make(.timeout, "the websocket at \(target) did not answer in time")
        case is CancellationError:
            return make(.cancelled, "cancelled while opening the websocket")
        default:
            return make(.proxyFailed, "the websocket failed: \(error)")
        }
    }
}
