//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A ``FastDataBoard`` on port 17893 of an address of loopback.
package final class FastDataBoardHost: ChannelInboundHandler, Sendable {
    package typealias InboundIn = AddressedEnvelope<ByteBuffer>
    package typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    package typealias Board = FastDataBoard<SocketAddress>

    /// What waits to leave: a board is no faster than its Ethernet, and a socket has room for so much.
    ///
    /// Unchecked: the board, a class, is touched inside the lock only.
    private struct State: @unchecked Sendable {
        var board: Board
        var outbox = CircularBuffer<AddressedEnvelope<ByteBuffer>>()
        var isSending = false
    }
    private let state: NIOLockedValueBox<State>
    private static let burst = 16

    private init(_ board: sending Board) { self.state = NIOLockedValueBox(State(board: board)) }

    package func withBoard<Output>(_ body: (Board) throws -> Output) rethrows -> Output {
        try self.state.withLockedValue { try body($0.board) }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        self.state.withLockedValue { state in
            for output in state.board.receive(envelope.data, from: envelope.remoteAddress) {
                let address =
                    switch output.to {
                    case .sender: envelope.remoteAddress
                    case .host(let address): address
                    }
                state.outbox.append(AddressedEnvelope(remoteAddress: address, data: output.datagram))
            }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let begins = self.state.withLockedValue { state in
            defer { state.isSending = true }
            return !state.isSending
        }
        if begins { self.send(context.channel) }
    }

    private func send(_ channel: any Channel) {
        let (batch, more) = self.state.withLockedValue { state -> ([AddressedEnvelope<ByteBuffer>], Bool) in
            let batch = Array(state.outbox.prefix(Self.burst))
            state.outbox.removeFirst(batch.count)
            state.isSending = !batch.isEmpty
            return (batch, state.isSending)
        }
        for envelope in batch { channel.write(envelope, promise: nil) }
        channel.flush()
        if more { channel.eventLoop.scheduleTask(in: .milliseconds(1)) { self.send(channel) } }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    /// Runs `body` while the board listens.
    ///
    /// - Parameter make: called once.
    package static func with<Output>(
        address: String, board make: () -> sending Board, _ body: (FastDataBoardHost) async throws -> Output
    ) async throws -> Output {
        let host = FastDataBoardHost(make())
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(.socketOption(.so_rcvbuf), value: 1 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(host) }
            }
            .bind(host: address, port: 17893).get()
        let result: Result<Output, any Error>
        do { result = .success(try await body(host)) } catch { result = .failure(error) }
        try? await channel.close()
        return try result.get()
    }
}
