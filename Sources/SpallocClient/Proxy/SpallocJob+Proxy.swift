//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SpallocAPI
import SpiNNaker
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension SpallocJob {
    /// Opens the job's proxy for the length of `body`: one websocket, on which any number of connections to its boards run.
    ///
    /// A websocket that is lost is opened again, with its connections; what was under way meanwhile is lost, as UDP may be.
    /// - Throws: ``SpallocError/Code/notReady`` while the job has no boards.
    public func withProxy<Result>(_ body: (SpallocProxy) async throws -> Result) async throws -> Result {
        let proxy = try await self.openProxy()
        do {
            let result = try await body(proxy)
            await proxy.close()
            return result
        } catch {
            await proxy.close()
            throw error
        }
    }

    /// Runs `body` with a transceiver to the job's boards, through the proxy: a link to each board, and one for booting.
    ///
    /// Nothing is sent before `body` asks for it: begin with `transceiver.ensureReady(image:)`. Memory goes by the proxy if it
    /// is little and by HTTP if it is much, unless `configuration.memoryRoute` or the call itself says which.
    public func withTransceiver<Result>(
        configuration: TransceiverConfiguration = TransceiverConfiguration(),
        _ body: (Transceiver) async throws -> Result
    ) async throws -> Result {
        try await self.withProxy { proxy in
            var links: [ChipID: any DatagramLink] = [:]
            for connection in try await self.connections() {
                guard let chip = connection.chip.chip else { continue }
                links[chip] = try await proxy.link(to: chip)
            }
            guard !links.isEmpty else { throw SpallocError(.notReady, "it has no boards", url: self.url, job: self.id) }
            let boot = try await proxy.link(to: .origin, port: BootMessage.port)
            return try await SpiNNaker.withTransceiver(
                links: links, boot: boot, memoryService: JobMemoryService(job: self), configuration: configuration, body)
        }
    }

    /// See ``withProxy(_:)``; whoever opens it closes it.
    package func openProxy(
        options: ProxyConnectionOptions = ProxyConnectionOptions(), on eventLoop: (any EventLoop)? = nil
    ) async throws(SpallocError) -> SpallocProxy {
        let tls = try self.session.tlsContext()
        var options = options
        options.isFinal = { error in
            if let error = error as? SpallocError { return !error.isTransient && error.code != .notReady }
            return ProxyConnectionOptions.isRefusal(error)
        }
        let usedLogin = NIOLockedValueBox<UInt64?>(nil)
        do {
            let connection = try await ProxyConnection.connect(
                label: "job \(self.id)", options: options, on: eventLoop ?? MultiThreadedEventLoopGroup.singleton.any()
            ) { failure in
                try await self.proxyTarget(after: failure, usedLogin: usedLogin, tls: tls)
            }
            return SpallocProxy(job: self, connection: connection)
        } catch {
            throw SpallocError.proxy(error, job: self.id)
        }
    }

    /// Where the websocket is, asked before each attempt: the job may be over by then, or the session.
    private func proxyTarget(
        after failure: (any Error)?, usedLogin: NIOLockedValueBox<UInt64?>, tls: NIOSSLContext?
    ) async throws -> WebSocketTarget {
        var login = try await self.session.login(after: nil)
        if case .refused(_, let status, _) = failure as? WebSocketConnectError, status == 401 || (300..<400).contains(status),
            let used = usedLogin.withLockedValue({ $0 })
        {
            login = try await self.session.login(after: used)
        }
        let details = try await self.details()
        if details.state == .destroyed { throw self.destroyedError(details) }
        guard let reference = details.proxyRef else {
            throw SpallocError(
                .notReady, "there is no proxy while it is \(details.state), or the service has none", url: self.url,
                job: self.id)
        }
        guard let url = self.session.serviceURL.following(reference) else {
            throw SpallocError(.unexpectedResponse, "the service's address of the proxy is none", job: self.id)
        }
        // Asking may have renewed the session.
        login = try await self.session.login(after: nil)
        usedLogin.withLockedValue { $0 = login.generation }
        return self.session.webSocketTarget(url, login: login, tls: tls)
    }
}

extension SpallocError {
    /// What failed at the proxy, in our terms.
    static func proxy(_ error: any Error, job: Int) -> SpallocError {
        func make(_ code: Code, _ message: String, _ serverMessage: String? = nil, status: Int? = nil) -> SpallocError {
            SpallocError(code, message, serverMessage: serverMessage, status: status, job: job, underlying: error)
        }
        switch error {
        case let error as ProxyError:
            switch error {
            case .refused(let call, let message): return make(.proxyFailed, "the proxy refused \(call)", message)
            case .unanswered(let call): return make(.timeout, "the proxy did not answer \(call) in time")
            case .misanswered(let call): return make(.unexpectedResponse, "the proxy's answer to \(call) is of another kind")
            case .connectionLost(let reason): return make(.connectionClosed, "the proxy's websocket ended", reason)
            case .jobEnded(let reason): return make(.jobDestroyed, "the job is over", reason)
            case .closed: return make(Task.isCancelled ? .cancelled : .closed, "the proxy connection was closed here")
            }
        default:
            return .webSocket(error).inJob(job)
        }
    }
}
