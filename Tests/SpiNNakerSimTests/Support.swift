//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import SpiNNakerSimCommands

/// What a tool has written, line by line; a test can wait for a line.
final class Output: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (self.stream, self.continuation) = AsyncStream.makeStream() }

    func write(_ text: String) {
        self.lines.withLockedValue { $0.append(text) }
        self.continuation.yield(text)
    }

    var text: String { self.lines.withLockedValue { $0.joined(separator: "\n") } }

    /// One at a time. The suite's time limit ends it if the line never comes.
    func wait(for part: String) async {
        for await line in self.stream where line.contains(part) { return }
    }

    func finish() { self.continuation.finish() }
}

struct Tool {
    let out = Output()
    let err = Output()

    func run(_ arguments: [String], signals: [Int32] = []) async -> Int32 {
        let context = CommandContext(
            environment: [:], isTerminal: false, out: { self.out.write($0) }, err: { self.err.write($0) })
        let code = await CommandContext.$current.withValue(context) { await SimTool.run(arguments, signals: signals) }
        self.out.finish()
        return code
    }
}

struct Running {
    let out: Output
    let ready: ReadyFile
    let socket: String

    func tell(_ words: String...) async -> (code: Int32, out: String, err: String) {
        let tool = Tool()
        let code = await tool.run(["tell", self.socket] + words)
        return (code, tool.out.text, tool.err.text)
    }

    /// The columns of a board's line.
    func board(_ place: String) async -> [Substring] {
        await self.tell("boards").out.split(separator: "\n").map { $0.split(separator: " ") }.first {
            $0.first == place[...]
        }
            ?? []
    }
}

/// Runs simulators, and tools that talk to them.
enum Sim {
    static func tool(_ arguments: String...) async -> (code: Int32, out: String, err: String) {
        let tool = Tool()
        let code = await tool.run(arguments)
        return (code, tool.out.text, tool.err.text)
    }

    /// Short: the path of a Unix socket has 107 bytes.
    static func withDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let directory = URL(filePath: "/tmp/sim-test-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(directory)
    }

    /// Runs a simulator while `body` does, and tells it to quit.
    static func withSimulator(
        _ arguments: String..., body: (Running) async throws -> Void
    ) async throws {
        try await self.withDirectory { directory in
            let socket = directory.appending(path: "control").path
            let json = directory.appending(path: "ready.json").path
            let tool = Tool()
            async let code = tool.run(
                arguments + [
                    "--base", "auto", "--boot-time-scale", "0", "--control", socket, "--json", json, "--status", "0.1",
                ])
            // A status line comes after the ready file.
            await tool.out.wait(for: "boards on")
            guard let data = FileManager.default.contents(atPath: json) else {
                Issue.record("no ready file: \(tool.out.text) \(tool.err.text)")
                return
            }
            let running = Running(out: tool.out, ready: try JSONDecoder().decode(ReadyFile.self, from: data), socket: socket)
            do { try await body(running) } catch { Issue.record(error) }
            #expect(await running.tell("quit").code == 0)
            #expect(await code == 0)
            #expect(tool.err.text == "")
            #expect(!FileManager.default.fileExists(atPath: json) && !FileManager.default.fileExists(atPath: socket))
        }
    }
}

/// A talk over a control socket by hand.
final class Connection: Sendable {
    private let channel: any Channel
    private let lines: AsyncStream<String>

    private init(channel: any Channel, lines: AsyncStream<String>) {
        self.channel = channel
        self.lines = lines
    }

    private final class Lines: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var buffer = LineBuffer(longest: .max)
        private let continuation: AsyncStream<String>.Continuation

        init(_ continuation: AsyncStream<String>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard self.buffer.append(self.unwrapInboundIn(data)) else { return }
            while let line = self.buffer.next() { self.continuation.yield(line) }
        }

        func channelInactive(context: ChannelHandlerContext) { self.continuation.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    static func open(_ path: String) async throws -> Connection {
        let (lines, continuation) = AsyncStream<String>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Lines(continuation)) }
            }
            .connect(unixDomainSocketPath: path).get()
        return Connection(channel: channel, lines: lines)
    }

    func send(_ text: String) async throws { try await self.channel.writeAndFlush(ByteBuffer(string: text)) }
    /// nil: the other side has hung up.
    func line() async -> String? {
        for await line in self.lines { return line }
        return nil
    }
    func close() async { try? await self.channel.close().get() }
}
