//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOCore
import NIOPosix

/// A Unix socket at which programs and people can tell a running simulator commands: a line in, some lines and `ok` or
/// `error: …` out. Only its owner can open it.
struct ControlSocket: Sendable {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private let channel: NIOAsyncChannel<Connection, Never>
    private let path: String
    /// Longer lines end a connection.
    static let longestLine = 4096

    /// Listens at `path` while `body` runs.
    /// - Throws: ``SimError`` when something else is there, a socket that somebody answers at included.
    static func with<Result>(
        path: String, _ body: (ControlSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await ControlSocket.open(path: path)
        do {
            let result = try await body(socket)
            await socket.close()
            return result
        } catch {
            await socket.close()
            throw error
        }
    }

    private static func open(path: String) async throws -> ControlSocket {
        var info = stat()
        if lstat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFSOCK else { throw SimError("\(path) is there already, and no socket") }
            if let other = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path).get()
            {
                try? await other.close().get()
                throw SimError("\(path) is another simulator's control socket")
            }
        }
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
                }
            _ = chmod(path, 0o600)
            return ControlSocket(channel: channel, path: path)
        } catch {
            throw SimError("can not listen at \(path): \(error)")
        }
    }

    private func close() async {
        try? await self.channel.channel.close().get()
        unlink(self.path)
    }

    /// Answers everybody who connects, until the task is cancelled.
    /// - Parameter afterReply: called once a reply has been written.
    func serve(
        _ answer: @escaping @Sendable (String) async -> ControlReply,
        afterReply: @escaping @Sendable (ControlReply) -> Void
    ) async throws {
        try await self.channel.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    // A connection that breaks is its owner's affair.
                    group.addTask { try? await ControlSocket.talk(connection, answer, afterReply) }
                }
            }
        }
    }

    private static func talk(
        _ connection: Connection, _ answer: @Sendable (String) async -> ControlReply,
        _ afterReply: @Sendable (ControlReply) -> Void
    ) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var lines = LineBuffer(longest: ControlSocket.longestLine)
            for try await bytes in inbound {
                guard lines.append(bytes) else { return }
                while let line = lines.next() {
                    let reply = await answer(line)
                    try await outbound.write(ByteBuffer(string: reply.wire))
                    afterReply(reply)
                }
            }
        }
    }

    /// Tells the simulator at `path` a command.
    static func tell(path: String, line: String) async throws -> ControlReply {
        let connection: Connection
        do {
            connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
                }
        } catch {
            throw SimError("no simulator answers at \(path): \(error)")
        }
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: line + "\n"))
            var lines = LineBuffer(longest: .max)
            var text: [String] = []
            for try await bytes in inbound {
                guard lines.append(bytes) else { break }
                while let line = lines.next() {
                    if let reply = ControlReply(text: text, end: line) { return reply }
                    text.append(line)
                }
            }
            throw SimError("the simulator at \(path) hung up")
        }
    }
}

/// Cuts a stream of bytes into lines.
struct LineBuffer {
    private var bytes = ByteBuffer()
    private let longest: Int

    init(longest: Int) { self.longest = longest }

    /// False when a line is too long.
    mutating func append(_ more: ByteBuffer) -> Bool {
        self.bytes.writeImmutableBuffer(more)
        let view = self.bytes.readableBytesView
        let unfinished = view.lastIndex(of: UInt8(ascii: "\n")).map { view.endIndex - $0 - 1 } ?? view.count
        return unfinished <= self.longest
    }

    /// The next whole line, without its end.
    mutating func next() -> String? {
        let view = self.bytes.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = String(decoding: view[..<end], as: UTF8.self)
        self.bytes.moveReaderIndex(forwardBy: end - view.startIndex + 1)
        self.bytes.discardReadBytes()
        return line.hasSuffix("\r") ? String(line.dropLast()) : line
    }

    /// What is left when the stream has ended without a line's end; nil: nothing.
    mutating func rest() -> String? {
        let line = self.bytes.readString(length: self.bytes.readableBytes) ?? ""
        return line.isEmpty ? nil : line
    }
}
