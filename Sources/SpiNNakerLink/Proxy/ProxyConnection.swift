//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// How a proxy connection behaves.
package struct ProxyConnectionOptions: Sendable {
    package var webSocket: WebSocketConfiguration
    /// For one attempt to open the websocket.
    package var connectDeadline: TimeAmount
    /// For the answer to an OPEN or CLOSE.
    package var callDeadline: TimeAmount
    /// nil: a lost websocket ends the connection.
    package var reconnect: ReconnectPolicy?
    /// Datagrams kept for a channel that nobody listens to yet.
    package var queueLimit: Int
    /// Failures to reconnect after which it is pointless to go on.
    package var isFinal: @Sendable (any Error) -> Bool
    /// Called on the event loop.
    package var onStateChange: @Sendable (ProxyConnectionState) -> Void

    package init(
        webSocket: WebSocketConfiguration = .client, connectDeadline: TimeAmount = .seconds(10),
        callDeadline: TimeAmount = .seconds(10),
        reconnect: ReconnectPolicy? = ReconnectPolicy(), queueLimit: Int = 1024,
        isFinal: @escaping @Sendable (any Error) -> Bool = ProxyConnectionOptions.isRefusal,
        onStateChange: @escaping @Sendable (ProxyConnectionState) -> Void = { _ in }
    ) {
        self.webSocket = webSocket
        self.connectDeadline = connectDeadline
        self.callDeadline = callDeadline
        self.reconnect = reconnect
        self.queueLimit = queueLimit
        self.isFinal = isFinal
        self.onStateChange = onStateChange
    }

    /// The job is not ours, not there, or over. A 401 is none: the target's provider can log in again.
    package static func isRefusal(_ error: any Error) -> Bool {
        if case .refused(_, let status, _) = error as? WebSocketConnectError { return [403, 404, 410].contains(status) }
        return error is CancellationError
    }
}

package enum ProxyConnectionState: Hashable, Sendable {
    case connected
    case reconnecting(attempt: Int, reason: String)
    case ended(ProxyError)
}

/// A job's proxy: many channels on one websocket, which is replaced when it is lost.
///
/// Whoever opens it closes it. Everything about its channels happens on ``eventLoop``.
package final class ProxyConnection: Sendable {
    /// Where the websocket is and what to say there; asked before each attempt, with the failure of the one before, so
    /// that a session can be renewed.
    package typealias TargetProvider = @Sendable (_ lastFailure: (any Error)?) async throws -> WebSocketTarget

    package let eventLoop: any EventLoop
    /// For errors and logs: `job 7`.
    package let label: String
    private let queueLimit: Int
    private let core: NIOLoopBound<ProxyClientCore>

    private init(label: String, queueLimit: Int, core: NIOLoopBound<ProxyClientCore>) {
        self.label = label
        self.queueLimit = queueLimit
        self.core = core
        self.eventLoop = core.eventLoop
    }

    /// - Throws: ``WebSocketConnectError``, or what the provider throws. A first attempt that fails is not repeated.
    package static func connect(
        label: String, options: ProxyConnectionOptions = ProxyConnectionOptions(), on eventLoop: any EventLoop,
        target: @escaping TargetProvider
    ) async throws -> ProxyConnection {
        let connection = try await eventLoop.submit {
            let core = ProxyClientCore(label: label, options: options, provider: target, eventLoop: eventLoop)
            return ProxyConnection(
                label: label, queueLimit: options.queueLimit, core: NIOLoopBound(core, eventLoop: eventLoop))
        }.get()
        try await withTaskCancellationHandler {
            try await eventLoop.flatSubmit { connection.core.value.connect() }.get()
        } onCancel: {
            connection.closeSoon()
        }
        guard !Task.isCancelled else {
            try? await connection.close()
            throw CancellationError()
        }
        return connection
    }

    /// Opens for the length of `body`, however it ends.
    package static func with<Result: Sendable>(
        label: String, options: ProxyConnectionOptions = ProxyConnectionOptions(), on eventLoop: any EventLoop,
        target: @escaping TargetProvider, _ body: (ProxyConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await ProxyConnection.connect(label: label, options: options, on: eventLoop, target: target)
        do {
            let result = try await body(connection)
            try? await connection.close()
            return result
        } catch {
            try? await connection.close()
            throw error
        }
    }

    /// A channel to a port of the board with this Ethernet chip (job-relative).
    ///
    /// - Throws: ``ProxyError``.
    package func open(chip: ChipID, port: Int) async throws -> ProxiedLink {
        let endpoint = ProxyEndpoint(chip: chip, port: port)
        return try await self.open(endpoint, "\(self.label) \(chip):\(port) by proxy") {
            ProxiedLink(core: $0, port: $1, endpoint: endpoint)
        }
    }

    /// A channel that hears all boards of the job.
    package func openUnconnected() async throws -> ProxiedListener {
        try await self.open(nil, "\(self.label) listener by proxy") { ProxiedListener(core: $0, port: $1) }
    }

    private func open<Link: Sendable>(
        _ target: ProxyEndpoint?, _ description: String, _ makeLink: @escaping @Sendable (ProxyClientCore, ProxyPort) -> Link
    ) async throws -> Link {
        let opening = try await self.eventLoop.submit {
            let port = ProxyPort(description: description, queueLimit: self.queueLimit)
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.core.value.open(port, target: target, promise: promise)
            return (
                done: promise.futureResult, port: NIOLoopBound(port, eventLoop: self.eventLoop),
                link: makeLink(self.core.value, port)
            )
        }.get()
        try await withTaskCancellationHandler {
            try await opening.done.get()
        } onCancel: {
            self.eventLoop.execute { self.core.value.close(opening.port.value, promise: nil) }
        }
        return opening.link
    }

    /// Frames that came for nobody.
    package func droppedFrames() async throws -> Int {
        try await self.eventLoop.submit { self.core.value.droppedFrames }.get()
    }

    /// Ends every channel, says good-bye to the service, and waits (for the close deadline at most) until it has gone.
    package func close() async throws {
        try await self.eventLoop.flatSubmit { self.core.value.close() }.get()
    }

    private func closeSoon() {
        self.eventLoop.execute { self.core.value.end(.closed) }
    }
}
