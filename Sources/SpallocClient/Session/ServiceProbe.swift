//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

/// The steps on the way to a service, one by one, for a person who has to find out which of them fails.
package struct ServiceProbe: Sendable {
    private let address: SpallocServiceAddress
    private let configuration: SpallocClientConfiguration

    package init(_ address: SpallocServiceAddress, configuration: SpallocClientConfiguration) {
        self.address = address
        self.configuration = configuration
    }

    /// The first address of the host's name, as `a.b.c.d:port`.
    package func resolve() async throws(SpallocError) -> String {
        let url = self.address.url
        do {
            // getaddrinfo blocks: not on a thread of Swift's.
            let address = try await NIOThreadPool.singleton.runIfActive {
                try SocketAddress.makeAddressResolvingHost(url.host, port: url.effectivePort)
            }
            return "\(address.ipAddress ?? "?"):\(address.port ?? url.effectivePort)"
        } catch {
            throw self.explain(error)
        }
    }

    /// Opens a connection, with TLS where the URL has it, and closes it. The version of TLS; nil without.
    package func connect() async throws(SpallocError) -> String? {
        let url = self.address.url
        let tls = url.scheme == .https ? try self.configuration.tlsConfiguration() : nil
        let deadline = TimeAmount(self.configuration.requestTimeout)
        do {
            let context = try tls.map { try NIOSSLContext(configuration: $0) }
            let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
            let done = eventLoop.makePromise(of: String?.self)
            let timer = eventLoop.scheduleTask(in: deadline) { done.fail(ChannelError.connectTimeout(deadline)) }
            defer { timer.cancel() }
            ClientBootstrap(group: eventLoop)
                .connectTimeout(deadline)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let context else { return }
                        let isName = (try? SocketAddress(ipAddress: url.host, port: 0)) == nil
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: isName ? url.host : nil))
                        try pipeline.addHandler(HandshakeWatcher(done: done))
                    }
                }
                .connect(host: url.host, port: url.effectivePort)
                .whenComplete { result in
                    switch result {
                    case .success(let channel):
                        if context == nil { done.succeed(nil) }
                        done.futureResult.whenComplete { _ in channel.close(promise: nil) }
                    case .failure(let error):
                        done.fail(error)
                    }
                }
            return try await done.futureResult.get()
        } catch {
            throw self.explain(error)
        }
    }

    private func explain(_ error: any Error) -> SpallocError {
        SpallocError.transport(
            error, call: HTTPCall(.GET, self.address.url), timeout: self.configuration.requestTimeout,
            cancelled: Task.isCancelled)
    }

    /// Waits for the end of the TLS handshake, good or bad.
    private final class HandshakeWatcher: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let done: EventLoopPromise<String?>
        private var lastError: (any Error)?

        init(done: EventLoopPromise<String?>) { self.done = done }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent else {
                return context.fireUserInboundEventTriggered(event)
            }
            let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            let version: String =
                switch handler?.tlsVersion {
                case .tlsv13: "TLS v1.3"
                case .tlsv12: "TLS v1.2"
                default: "old TLS"
                }
            self.done.succeed(version)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.done.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.done.fail(ChannelError.eof) }
    }
}
