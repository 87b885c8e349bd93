//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import GRDB
import Logging
import NIOConcurrencyHelpers
import SpallocClient
import SpallocDemo
import SpallocServer
import SpiNNaker
import Testing
import VirtualSpiNNakerHost

/// One after the other: each starts a machine and a service of its own, and this computer may have two cores.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EndToEnd {}

let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()

let silent = Narrator(isTerminal: false) { _ in }

extension DemoOptions {
    /// Boards that boot at once, passwords that cost nothing to check, and a second user.
    static func quick(
        width: Int = 1, stateDirectory: String? = nil, port: Int = 0,
        adjust: @escaping @Sendable (inout SpallocServerConfiguration) -> Void = { _ in }
    ) -> DemoOptions {
        var options = DemoOptions(width: width, stateDirectory: stateDirectory, port: port, bootTimeScale: 0)
        options.adjustService = { configuration in
            configuration.passwordRounds = 2
            configuration.users.append(.init(name: House.otherUser, password: House.otherPassword))
            adjust(&configuration)
        }
        return options
    }
}

extension TransceiverConfiguration {
    /// For boards that lose nothing, and of which it is known that they are not booted.
    static var virtual: TransceiverConfiguration {
        var configuration = TransceiverConfiguration()
        configuration.bootPause = .zero
        configuration.probeRetries = 0
        return configuration
    }
}

enum House {
    static let otherUser = "other"
    static let otherPassword = "the other's password"

    static func run(
        _ options: DemoOptions = .quick(), _ body: @escaping @Sendable (DemoHouse) async throws -> Void
    ) async throws {
        try await withDemoHouse(options, logger: quiet, narrator: silent, body)
    }
}

extension DemoHouse {
    enum Who { case demo, other }

    var clientConfiguration: SpallocClientConfiguration {
        var configuration = SpallocClientConfiguration(trust: .certificateAuthorities(file: self.access.caFile))
        // A busy computer is not a service out of order.
        configuration.requestTimeout = .seconds(60)
        return configuration
    }

    func credentials(of who: Who) -> SpallocCredentials {
        switch who {
        case .demo: .password(user: self.access.user, self.access.password)
        case .other: .password(user: House.otherUser, House.otherPassword)
        }
    }

    func asClient<Result>(_ who: Who = .demo, _ body: (SpallocClient) async throws -> Result) async throws -> Result {
        try await withSpallocClient(
            url: self.access.url, credentials: self.credentials(of: who), configuration: self.clientConfiguration, body)
    }

    /// Which boards really have power, in the order of their numbers.
    func powered() async throws -> [Bool] {
        var result: [Bool] = []
        for board in self.machine.boards { result.append(try await self.machine.isPowered(board: board.number)) }
        return result
    }

    func waitUntilBoardsAreOff() async throws {
        try await eventually("all boards off") { try await !self.powered().contains(true) }
    }

    /// The states that a job went through, as the service wrote them down.
    func history(of job: Int) throws -> [String] {
        try Database.read(in: self.directory) {
            try String.fetchAll($0, sql: "SELECT state FROM job_event WHERE job_id = ? ORDER BY id", arguments: [job])
        }
    }
}

/// What the service keeps in its file, read by somebody else.
enum Database {
    static func read<Value>(in directory: URL, _ body: (GRDB.Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(30)
        let queue = try DatabaseQueue(path: directory.appending(path: "spalloc.sqlite").path, configuration: configuration)
        return try queue.read(body)
    }

    static func heldBoards(in directory: URL) throws -> Int {
        try self.read(in: directory) {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM job_board WHERE released_at IS NULL") ?? -1
        }
    }

    static func liveJobs(in directory: URL) throws -> Int {
        try self.read(in: directory) {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM job WHERE state <> 'DESTROYED'") ?? -1
        }
    }
}

struct TimedOut: Error { var what: String }

/// Looks again and again until it is so, up to a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A directory that is there for the length of `body`.
func withTemporaryDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "spalloc-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// What a narrator says, and a hook in it.
final class Audience: Sendable {
    private let text = NIOLockedValueBox("")
    private let onText: @Sendable (String) -> Void

    /// - Parameter onText: hears each bit of text before the narrator goes on.
    init(onText: @escaping @Sendable (String) -> Void = { _ in }) { self.onText = onText }

    var heard: String { self.text.withLockedValue { $0 } }

    /// - Parameter isTerminal: also tells when a step begins, and how far a transfer is.
    func narrator(isTerminal: Bool) -> Narrator {
        Narrator(isTerminal: isTerminal) { text in
            self.text.withLockedValue { $0 += text }
            self.onText(text)
        }
    }
}
