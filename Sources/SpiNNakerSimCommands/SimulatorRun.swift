//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import Logging
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// What `spinnaker-sim` does beside being a machine.
struct SimulatorOptions: Sendable {
    var readyFile: String?
    /// How often to tell what the machine does; nil: never.
    var status: Duration?
    var controlPath: String?
    var isInteractive = false
    var tellsEvents = false
    var isQuiet = false
}

/// What is simulated.
struct SimulatorSetup: Sendable {
    var machine: VirtualMachineDescription
    /// Takes any block of addresses that nobody listens at, instead of the description's.
    var isBaseFree = false
    var incoming: NetworkFaults?
    var outgoing: NetworkFaults?
}

/// Starts the machine, and is there until it is told to quit or the task is cancelled.
func runSimulator(_ setup: SimulatorSetup, options: SimulatorOptions, logger: Logger) async throws {
    let started = ContinuousClock.now
    let bases = setup.isBaseFree ? VirtualMachineHost.candidateBases : [setup.machine.base]
    try await withVirtualMachineHost(setup.machine, bases: bases, logger: logger) { host, base in
        var description = setup.machine
        description.base = base
        let simulator = Simulator(host: host, description: description)
        try await simulator.setNetwork(.incoming, setup.incoming)
        try await simulator.setNetwork(.outgoing, setup.outgoing)
        if options.tellsEvents { try await simulator.tellEvents() }
        if !options.isQuiet { simulator.introduce(after: ContinuousClock.now - started) }
        try await simulator.run(options)
    }
}

extension Simulator {
    /// Longer lists are left to `boards` and `--json`.
    private static let listedBoards = 24

    fileprivate func introduce(after duration: Duration) {
        let context = CommandContext.current
        let boards = self.host.boards.count
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        context.out(
            "\(self.description.kind.name): \(boards) board\(boards == 1 ? "" : "s"), \(self.host.bmps.count) "
                + "BMP\(self.host.bmps.count == 1 ? "" : "s"), \(self.host.socketCount) sockets in "
                + String(format: "%.2f s", seconds))
        for bmp in self.host.bmps.prefix(Simulator.listedBoards) {
            context.out("BMP    \(bmp.cabinet),\(bmp.frame)    \(bmp.address)")
        }
        for board in self.host.boards.prefix(Simulator.listedBoards) {
            context.out("board  \(board.coordinates.place)  \(board.address)")
        }
        if boards > Simulator.listedBoards, let last = self.host.boards.last {
            context.out("…      \(last.coordinates.place)  \(last.address)")
        }
    }

    private enum Ending { case quit, nothing }

    fileprivate func run(_ options: SimulatorOptions) async throws {
        try await withControlSocket(options.controlPath) { socket in
            try ReadyFile(self, control: options.controlPath).write(toPath: options.readyFile)
            defer { if let path = options.readyFile { unlink(path) } }
            let (quits, quit) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let answer: @Sendable (String) async -> ControlReply = { line in await self.perform(line: line) }
            try await withThrowingTaskGroup(of: Ending.self) { group in
                group.addTask {
                    for await _ in quits { return .quit }
                    throw CancellationError()
                }
                if let period = options.status {
                    group.addTask {
                        try await self.tellStatus(every: period)
                        return .nothing
                    }
                }
                if let socket {
                    group.addTask {
                        // Only once "ok" is on its way: quitting closes the connection.
                        try await socket.serve(answer) { reply in if reply.isQuit { quit.yield() } }
                        return .nothing
                    }
                }
                if options.isInteractive {
                    group.addTask {
                        await Simulator.converse { line in
                            let reply = await answer(line)
                            if reply.isQuit { quit.yield() }
                            return reply
                        }
                        return .nothing
                    }
                }
                while let ending = try await group.next() {
                    if ending == .quit { return group.cancelAll() }
                }
            }
        }
    }

    fileprivate func tellEvents() async throws {
        let context = CommandContext.current
        try await self.host.withMachine { machine, _ in
            let places = machine.boards.map(\.coordinates.place)
            machine.observer = { event in context.out(event.line { places.indices.contains($0) ? places[$0] : "\($0)" }) }
        }
    }

    private func tellStatus(every period: Duration) async throws {
        var last = BoardTotals()
        while true {
            try await Task.sleep(for: period)
            let summary = try await self.summary()
            let now = BoardTotals(summary, at: ContinuousClock.now)
            CommandContext.current.out(summary.line + now.rate(since: last))
            last = now
        }
    }

    /// Commands from standard input, until it ends.
    private static func converse(_ answer: @Sendable (String) async -> ControlReply) async {
        let context = CommandContext.current
        for await line in standardInputLines() {
            let reply = await answer(line)
            if !reply.text.isEmpty { context.out(reply.text) }
            if let error = reply.error { context.err("error: \(error)") }
            if reply.isQuit { return }
        }
    }
}

/// Datagrams up to a moment.
private struct BoardTotals {
    var received = 0
    var sent = 0
    var time: ContinuousClock.Instant?

    init() {}

    init(_ summary: Simulator.Summary, at time: ContinuousClock.Instant) {
        self.received = summary.traffic.received
        self.sent = summary.traffic.sent
        self.time = time
    }

    /// ` (12/s, 12/s)`; nothing when there is nothing to compare with.
    func rate(since last: BoardTotals) -> String {
        guard let time, let before = last.time else { return "" }
        let elapsed = (time - before).components
        let seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        guard seconds > 0 else { return "" }
        return String(
            format: " (%.0f/s, %.0f/s)", Double(self.received - last.received) / seconds,
            Double(self.sent - last.sent) / seconds)
    }
}

private func withControlSocket<Result>(
    _ path: String?, _ body: (ControlSocket?) async throws -> Result
) async throws -> Result {
    guard let path else { return try await body(nil) }
    return try await ControlSocket.with(path: path) { try await body($0) }
}

extension ReadyFile {
    fileprivate func write(toPath path: String?) throws {
        if let path { try self.write(path: path) }
    }
}
