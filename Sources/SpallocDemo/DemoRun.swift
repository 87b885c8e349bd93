//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocClient
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNakerHost

/// `spalloc demo`: a virtual machine, the service before it, and then a client that does over the wire what a user does.
///
/// - Throws: ``StepFailure``, which names the step; cancellation ends it in the middle of any, with the job destroyed.
package func runDemo(_ options: DemoOptions, logger: Logger, narrator: Narrator) async throws {
    let started = ContinuousClock.now
    try await withDemoHouse(options, logger: logger, narrator: narrator) { house in
        try await visit(house, narrator: narrator)
    }
    narrator.say("\nDone in \(Narrator.text(of: .now - started)). `spalloc demo --serve` keeps it up for other clients.")
}

/// The client's part of the demonstration, in a house that is running: see ``runDemo(_:logger:narrator:)``.
package func visit(_ house: DemoHouse, narrator: Narrator) async throws {
    let run = DemoRun(house: house, narrator: narrator)
    try await run.asClient()
    try await run.checkThatBoardsAreOff()
}

private struct DemoRun: Sendable {
    let house: DemoHouse
    let narrator: Narrator

    /// Eight mebibytes, spread over the boards in pieces.
    static let transferSize = 8 << 20
    static let piece = 64 << 10

    func asClient() async throws {
        let access = self.house.access
        let client = SpallocClientConfiguration(trust: .certificateAuthorities(file: access.caFile))
        let started = ContinuousClock.now
        try await self.step("log in") {
            try await withSpallocClient(
                url: access.url, credentials: .password(user: access.user, access.password), configuration: client
            ) { client in
                let version = try await client.version()
                try await self.narrator.step("log in", since: started) {
                    ((), "\(access.user), to version \(version.majorVersion).\(version.minorVersion).\(version.revision)")
                }
                try await self.listMachines(client)
                try await self.useJob(client)
            }
        }
    }

    /// What a scope's own coming and going throws belongs to a step, too.
    private func step(_ title: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as StepFailure {
            throw failure
        } catch {
            throw StepFailure(step: title, cause: error)
        }
    }

    private func listMachines(_ client: SpallocClient) async throws {
        try await self.narrator.step("list machines") {
            let machines = try await client.machines()
            guard machines.contains(where: { $0.name == self.house.machineName }) else {
                throw DemoError("the service does not list \"\(self.house.machineName)\"")
            }
            let text = machines.map { "\($0.name), \($0.width) x \($0.height) triads, tags \($0.tags.joined(separator: " "))" }
            return ((), text.joined(separator: "; "))
        }
    }

    private func useJob(_ client: SpallocClient) async throws {
        let started = ContinuousClock.now
        var destroying = started
        try await self.step("job") {
            try await client.withJob(SpallocJobRequest(.boards(3))) { job in
                try await self.narrator.step("create a job of 3 boards", since: started) {
                    ((), "job \(job.id), kept alive from now on")
                }
                try await self.follow(job)
                try await self.useBoards(of: job)
                destroying = .now
            }
        }
        try await self.narrator.step("destroy the job", since: destroying) {
            let left = try await client.jobs().reduce(into: 0) { count, _ in count += 1 }
            guard left == 0 else { throw DemoError("the service still lists \(left) jobs") }
            return ((), "no job is left")
        }
    }

    private func follow(_ job: SpallocJob) async throws {
        try await self.narrator.step("wait for the boards") {
            let seen = NIOLockedValueBox<[String]>([])
            try await job.waitUntilReady(timeout: .seconds(60)) { state in
                seen.withLockedValue { $0.append(state.rawValue.uppercased()) }
            }
            let hosts = try await job.connections().map(\.hostname)
            let states = seen.withLockedValue { $0.joined(separator: " → ") }
            return ((), "\(states), \(hosts.joined(separator: " "))")
        }
    }

    private func useBoards(of job: SpallocJob) async throws {
        let opening = ContinuousClock.now
        var configuration = TransceiverConfiguration()
        // The virtual ROM loses nothing; a real one wants SpiNNMan's 100 ms.
        configuration.bootPause = .milliseconds(5)
        // The boards are known to be off until now: one second of silence is answer enough.
        configuration.probeRetries = 0
        try await job.withTransceiver(configuration: configuration) { transceiver in
            try await self.narrator.step("open the websocket proxy", since: opening) {
                ((), "one websocket, a channel to each board and one to the boot ROM")
            }
            try await self.narrator.step("boot the boards") {
                let version = try await transceiver.ensureReady(image: .placeholder)
                return ((), "\(version.name) \(version.versionText) on \(version.hardware), root \(version.chip)")
            }
            let machine = try await self.narrator.step("discover the machine") { () -> (Machine, String) in
                let machine = try await transceiver.discoverMachine()
                guard machine.chips.count == 144 else {
                    throw DemoError("144 chips were expected, \(machine.chips.count) found")
                }
                let cores = machine.applicationCoreCount
                return (
                    machine, "\(machine.chips.count) chips, \(cores) application cores, \(machine.width) x \(machine.height)"
                )
            }
            try await self.narrator.step("version of each board") {
                var texts: [String] = []
                for ethernet in machine.ethernetChips {
                    let version = try await transceiver[CoreID.monitor(of: ethernet.id)].version()
                    texts.append("\(version.chip) \(version.versionText)")
                }
                return ((), texts.joined(separator: ", "))
            }
            try await self.transfer(transceiver, machine)
        }
    }

    private func transfer(_ transceiver: Transceiver, _ machine: Machine) async throws {
        let count = DemoRun.transferSize / DemoRun.piece
        var random = SystemRandomNumberGenerator()
        var data = ByteBufferAllocator().buffer(capacity: DemoRun.transferSize)
        for _ in 0..<DemoRun.transferSize / 8 { data.writeInteger(random.next()) }
        // Round the Ethernet chips, and for each round a piece further on: all boards work at once.
        let chips = machine.ethernetChips.map(\.id)
        var ranges: [Transceiver.MemoryRange] = []
        var written: [(chip: ChipID, address: UInt32, bytes: ByteBuffer)] = []
        for index in 0..<count {
            let chip = chips[index % chips.count]
            let address = 0x6024_0000 + UInt32(index / chips.count * DemoRun.piece)
            ranges.append(Transceiver.MemoryRange(chip: chip, address: address, count: DemoRun.piece))
            guard let bytes = data.readSlice(length: DemoRun.piece) else { throw DemoError("the data ended early") }
            written.append((chip, address, bytes))
        }
        let parts = written
        try await self.measure("write 8 MiB") { progress in
            try await transceiver.write(parts, progress: progress)
        }
        let read = try await self.measure("read 8 MiB back") { progress in
            try await transceiver.read(ranges, progress: progress)
        }
        try await self.narrator.step("compare every byte") {
            for (index, piece) in read.enumerated() where piece != written[index].bytes {
                throw DemoError("what was read from \(ranges[index].chip) at \(ranges[index].address) is not what was written")
            }
            return ((), "\(DemoRun.transferSize) bytes are equal")
        }
    }

    private func measure<Value>(
        _ title: String, _ body: (@escaping @Sendable (_ part: Int, _ done: Int) -> Void) async throws -> Value
    ) async throws -> Value {
        try await self.narrator.step(title) {
            let start = ContinuousClock.now
            let meter = TransferMeter(total: DemoRun.transferSize, start: start, narrator: self.narrator)
            let value = try await body { part, done in meter.note(part: part, done: done) }
            return (value, TransferMeter.rate(DemoRun.transferSize, .now - start))
        }
    }

    func checkThatBoardsAreOff() async throws {
        try await self.narrator.step("boards are off again") {
            // The BMP has been told already, or is being told: the job's end does not wait for it.
            let deadline = ContinuousClock.now + .seconds(15)
            for board in self.house.machine.boards {
                while try await self.house.machine.isPowered(board: board.number) {
                    guard ContinuousClock.now < deadline else { throw DemoError("board \(board.coordinates) is still on") }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            return ((), "all \(self.house.machine.boards.count)")
        }
    }
}

/// Adds up what the parts of a transfer have done, and draws the bar at most so often.
private final class TransferMeter: Sendable {
    private struct State {
        var done: [Int: Int] = [:]
        var sum = 0
        var nextDraw: ContinuousClock.Instant
    }
    private let total: Int
    private let start: ContinuousClock.Instant
    private let narrator: Narrator
    private let state: NIOLockedValueBox<State>

    init(total: Int, start: ContinuousClock.Instant, narrator: Narrator) {
        self.total = total
        self.start = start
        self.narrator = narrator
        self.state = NIOLockedValueBox(State(nextDraw: start))
    }

    func note(part: Int, done: Int) {
        let now = ContinuousClock.now
        let sum: Int? = self.state.withLockedValue { state in
            state.sum += done - (state.done[part] ?? 0)
            state.done[part] = done
            guard now >= state.nextDraw else { return nil }
            state.nextDraw = now + .milliseconds(50)
            return state.sum
        }
        if let sum {
            self.narrator.progress(done: sum, of: self.total, note: TransferMeter.rate(sum, now - self.start))
        }
    }

    static func rate(_ bytes: Int, _ duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        return String(format: "%.1f MiB/s", Double(bytes) / Double(1 << 20) / max(seconds, 1e-9))
    }
}
