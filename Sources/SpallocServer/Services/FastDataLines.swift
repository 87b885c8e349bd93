//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import NIOCore
import NIOPosix
import SpiNNakerLink
import SpiNNakerMachine

/// The sockets of the fast protocols: one for each board of a job that uses them. A gatherer does one transfer at a time, so those who want
/// it wait in line.
package actor FastDataLines {
    private struct Key: Hashable {
        var job: Int
        var board: Int64
    }

    private struct Line {
        var number: Int
        var connection: FastDataConnection
        var isTaken = false
        var waiting: [(number: Int, continuation: CheckedContinuation<Bool, Never>)] = []
    }

    /// More than that many in one line are told to come later.
    private let longest: Int
    private var lines: [Key: Line] = [:]
    private var lastNumber = 0

    package init(longest: Int = 16) { self.longest = longest }

    /// Runs `body` when it is its turn with the board.
    package func with<Output: Sendable>(
        job: Int, board: JobService.Boards.Board, _ body: @Sendable (FastDataConnection) async throws -> Output
    ) async throws -> Output {
        let key = Key(job: job, board: board.id)
        let (number, connection) = try await self.take(key, board: board)
        defer { self.giveBack(key, number: number) }
        return try await body(connection)
    }

    private func take(
        _ key: Key, board: JobService.Boards.Board
    ) async throws -> (number: Int, connection: FastDataConnection) {
        if self.lines[key] == nil { try await self.open(key, board: board) }
        guard let line = self.lines[key] else { throw APIError.gone }
        guard line.isTaken else {
            self.lines[key]?.isTaken = true
            return (line.number, line.connection)
        }
        guard line.waiting.count < self.longest else {
            throw APIError(.serviceUnavailable, "too many transfers wait for board \(board.coordinates)")
        }
        self.lastNumber += 1
        let number = self.lastNumber
        let isMine = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard self.lines[key]?.number == line.number else { return continuation.resume(returning: false) }
                self.lines[key]?.waiting.append((number, continuation))
            }
        } onCancel: {
            // Unstructured: a handler cannot wait for the actor.
            Task { await self.leave(key, number: number) }
        }
        guard isMine else {
            try Task.checkCancellation()
            throw APIError.gone
        }
        return (line.number, line.connection)
    }

    private func open(_ key: Key, board: JobService.Boards.Board) async throws {
        guard let address = IPv4Address(board.address) else {
            throw APIError(.internalServerError, "board \(board.coordinates) has no address")
        }
        let link = try await UDPLink.connect(to: address, port: 17893, on: MultiThreadedEventLoopGroup.singleton.next())
        // Another request may have been quicker.
        guard self.lines[key] == nil else { return link.close() }
        let connection = FastDataConnection(link: link)
        connection.start()
        self.lastNumber += 1
        self.lines[key] = Line(number: self.lastNumber, connection: connection)
    }

    private func leave(_ key: Key, number: Int) {
        guard let index = self.lines[key]?.waiting.firstIndex(where: { $0.number == number }) else { return }
        self.lines[key]?.waiting.remove(at: index).continuation.resume(returning: false)
    }

    private func giveBack(_ key: Key, number: Int) {
        guard let line = self.lines[key], line.number == number else { return }
        guard !line.waiting.isEmpty else {
            self.lines[key]?.isTaken = false
            return
        }
        self.lines[key]?.waiting.removeFirst().continuation.resume(returning: true)
    }

    package func close(job: Int) {
        for key in self.lines.keys where key.job == job { self.close(key) }
    }

    package func closeAll() {
        for key in self.lines.keys { self.close(key) }
    }

    private func close(_ key: Key) {
        guard let line = self.lines.removeValue(forKey: key) else { return }
        line.connection.close()
        for waiter in line.waiting { waiter.continuation.resume(returning: false) }
    }
}
