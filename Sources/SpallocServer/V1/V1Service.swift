//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The legacy protocol's port: lines of JSON over TCP, as the original `spalloc_server` spoke it.
///
/// It has no login. All its jobs belong to one user of ours, and every client can see and end every one of them.
package struct V1Service: Service {
    private let desk: V1Desk
    private let clients: V1Clients
    private let settings: SpallocServerConfiguration.V1
    private let logger: Logger
    private let listening = Listening()

    /// Where it listens, once it does.
    private final class Listening: Sendable {
        let port = NIOLockedValueBox<Int?>(nil)
        let gate = WaitGate()
    }

    /// Finds or makes the user that the jobs belong to. Nothing listens yet.
    package init(core: ServiceCore) async throws {
        self.settings = core.configuration.v1
        self.desk = try await V1Desk(core: core)
        let clients = V1Clients(maximum: core.configuration.v1.maximumConnections)
        self.clients = clients
        self.logger = core.logger
        core.observe { change in clients.changed(job: change.job) }
        core.changes.observeMachines { name in clients.changed(machine: name) }
    }

    /// nil until it listens.
    package var port: Int? { self.listening.port.withLockedValue { $0 } }

    package var connectionCount: Int { self.clients.count }

    /// Waits until it listens, or can not. One task only.
    package func waitUntilListening() async { await self.listening.gate.wait(within: nil) }

    package func run() async throws {
        defer { self.listening.gate.open() }
        let (accepted, announce) = AsyncStream<V1Client>.makeStream()
        let server = try await self.listen(announce)
        server.closeFuture.whenComplete { _ in announce.finish() }
        self.listening.port.withLockedValue { $0 = server.localAddress?.port }
        self.listening.gate.open()
        self.logger.info("v1 listens", metadata: ["port": "\(server.localAddress?.port ?? 0)"])
        let clients = self.clients
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await client in accepted {
                    group.addTask {
                        await client.connection.serve(self.desk.answer) { client.deliver($0) }
                        clients.remove(client.connection)
                    }
                }
                // No more come; the requests under way are answered.
                clients.stop()
            }
        } onCancelOrGracefulShutdown: {
            server.close(promise: nil)
        }
    }

    private func listen(_ announce: AsyncStream<V1Client>.Continuation) async throws(SpallocServerError) -> any Channel {
        let (desk, clients, logger) = (self.desk, self.clients, self.logger)
        let limits = V1Handler.Limits(stall: .milliseconds(self.settings.stall.milliseconds))
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Replies and notifications are small: none may wait for the acknowledgement of another.
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Who does not read costs the kernel no more than this; by itself it would go to megabytes.
            .childChannelOption(.socketOption(.so_sndbuf), value: 128 * 1024)
            // A peer that is gone is found out in time.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = V1Connection(channel: channel, now: .now())
                    let handler = V1Handler(
                        connection: connection, limits: limits, answerAtOnce: desk.answerAtOnce, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    let client = V1Client(
                        connection: connection, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
                    guard clients.add(client), case .enqueued = announce.yield(client) else {
                        clients.remove(connection)
                        throw ChannelError.ioOnClosedChannel
                    }
                }
            }
        do {
            return try await bootstrap.bind(host: self.settings.host, port: self.settings.port).get()
        } catch let error as IOError {
            throw .cannotListen("\(self.settings.host):\(self.settings.port) for v1", error)
        } catch {
            throw SpallocServerError(.cannotListen, "cannot listen on \(self.settings.host) for v1: \(error)")
        }
    }
}
