//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import SpiNNakerLink
import SpiNNakerMachine
import VirtualSpiNNakerHost

/// Many jobs at once, each with a few channels of its proxy on which packets go to and fro at the pace of a simulation that is watched:
/// no packet is to be lost.
///
/// Service, clients and boards (one program in C that is all of them) share this machine, so the number of jobs grows in steps, and the
/// last step that the machine could bear is what it has shown: `PROXY_JOBS=250,500,1000`.
struct ProxiesBenchmark {
    static let channels = 3
    static let interval = TimeAmount.milliseconds(50)
    static let seconds = 4
    static let steps = [125, 250, 500, 1000]

    /// What one step showed.
    private struct Step {
        var jobs: Int
        var sent = 0
        var lost = 0
        /// Packets a second that there should be, and that there were: a client that comes late with its own says little of the service.
        var due = 0.0
        var rate = 0.0
        /// Milliseconds from a packet's write to its return.
        var p50 = 0.0
        var p99 = 0.0
        var worst = 0.0
        /// Of a core.
        var serviceCPU = 0.0
        var ownCPU = 0.0

        /// All that were due went, and all came back.
        var isBorne: Bool { self.lost == 0 && self.rate >= self.due * 0.99 }
    }

    static func run() async throws {
        let steps = try self.wantedSteps()
        // The service inherits it: for each job it has a websocket, and a socket for each channel.
        try FileDescriptorLimit.require((steps.last ?? 0) * (2 + self.channels))
        let service = try ServiceProcess()
        defer { service.end() }
        let boards = try ResponderProcess([ProxiesBenchmark.argument])
        defer { boards.end() }
        let client = try RESTClient(port: service.ports.rest)
        var crowd = Crowd()
        var figures: [Step] = []
        do {
            for jobs in steps {
                try await crowd.grow(to: jobs, client, service: service, boards: Int(boards.port))
                let step = try await self.measure(crowd, service)
                figures.append(step)
                // What is more than the machine bears says nothing but that.
                if !step.isBorne { break }
            }
        } catch {
            await crowd.disperse()
            throw error
        }
        await crowd.disperse()
        self.report(figures, wanted: steps.last ?? 0)
    }

    /// The hidden argument with which this program becomes all boards.
    static let argument = "--board-echo"

    static func respond() -> Int32 { board_echo(1, 0) }

    private static func wantedSteps() throws -> [Int] {
        guard let text = ProcessInfo.processInfo.environment["PROXY_JOBS"] else { return self.steps }
        let steps = text.split(separator: ",").compactMap { Int($0) }.filter { (1...1728).contains($0) }
        guard !steps.isEmpty else { throw BenchError("PROXY_JOBS is to be numbers of jobs, 1 to 1728, as in 250,500") }
        return steps.sorted()
    }

    private static func measure(_ crowd: Crowd, _ service: ServiceProcess) async throws -> Step {
        // Let what the opening left behind pass.
        _ = try await self.walk(crowd, for: .seconds(1))
        let before = (service: try service.cpuSeconds(), own: process_cpu_nanoseconds())
        let start = ContinuousClock.now
        let tallies = try await self.walk(crowd, for: .seconds(Int64(self.seconds)))
        let elapsed = start.duration(to: .now) / .seconds(1)
        var step = Step(jobs: crowd.count)
        step.serviceCPU = (try service.cpuSeconds() - before.service) / elapsed
        step.ownCPU = Double(process_cpu_nanoseconds() - before.own) / 1e9 / elapsed
        step.sent = tallies.reduce(0) { $0 + $1.sent }
        step.lost = step.sent - tallies.reduce(0) { $0 + $1.micros.count }
        step.due = Double(crowd.count * self.channels) * 1e9 / Double(self.interval.nanoseconds)
        step.rate = Double(step.sent) / Double(self.seconds)
        let micros = tallies.flatMap(\.micros).sorted()
        func percentile(_ p: Int) -> Double {
            micros.isEmpty ? 0 : Double(micros[min(micros.count - 1, micros.count * p / 100)]) / 1000
        }
        (step.p50, step.p99, step.worst) = (percentile(50), percentile(99), percentile(100))
        return step
    }

    /// All jobs of each event loop send in turns for so long; then what is still under way has a second to come.
    private static func walk(_ crowd: Crowd, for time: TimeAmount) async throws -> [Pacer.Tally] {
        let pacers = crowd.pacers
        for pacer in pacers { pacer.eventLoop.execute { pacer.value.start(for: time) } }
        var tallies: [Pacer.Tally] = []
        for pacer in pacers { tallies.append(try await pacer.eventLoop.flatSubmit { pacer.value.finished() }.get()) }
        return tallies
    }

    private static func report(_ steps: [Step], wanted: Int) {
        print(
            "\n\(self.channels) proxy channels a job, \(1000 / (self.interval.nanoseconds / 1_000_000)) packets a second on each, "
                + "there and back, for \(self.seconds) s a step\n")
        var table = Table(header: [
            "jobs", "packets/s", "of those due", "lost", "p50 ms", "p99 ms", "worst ms", "service's CPU", "clients' CPU",
        ])
        for step in steps {
            table.rows.append([
                "\(step.jobs)", decimals(step.rate), "\(decimals(step.rate / max(1, step.due) * 100)) %", "\(step.lost)",
                decimals(step.p50, 2), decimals(step.p99, 2), decimals(step.worst, 2), decimals(step.serviceCPU, 2),
                decimals(step.ownCPU, 2),
            ])
        }
        table.print()
        let borne = steps.last { $0.isBorne }
        if let last = steps.last, !last.isBorne {
            print(
                "\nthis machine, with all of it on \(ProcessInfo.processInfo.activeProcessorCount) cores, bears less than \(last.jobs) jobs"
            )
        }
        var targets = Targets()
        targets.atLeast(Double(wanted), Double(borne?.jobs ?? 0), "jobs without a packet lost")
        targets.report()
    }
}

/// The jobs that are open, and what sends for them.
private struct Crowd {
    private(set) var pacers: [NIOLoopBound<Pacer>] = []
    private var connections: [ProxyConnection] = []

    var count: Int { self.connections.count }

    /// Makes jobs of a board each, and opens their channels.
    mutating func grow(to count: Int, _ client: RESTClient, service: ServiceProcess, boards: Int) async throws {
        if self.pacers.isEmpty {
            for eventLoop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
                self.pacers.append(try await eventLoop.submit { NIOLoopBound(Pacer(eventLoop), eventLoop: eventLoop) }.get())
            }
        }
        let cookie = client.cookie
        let port = service.ports.rest
        while self.connections.count < count {
            let job = try client.create()
            try client.waitUntilReady(job)
            let pacer = self.pacers[self.connections.count % self.pacers.count]
            let connection = try await ProxyConnection.connect(
                label: "job \(job)", options: ProxyConnectionOptions(reconnect: nil), on: pacer.eventLoop
            ) { _ in
                WebSocketTarget(
                    host: "127.0.0.1", port: port, path: "/spalloc/proxy/\(job)", tls: nil, headers: ["Cookie": cookie])
            }
            self.connections.append(connection)
            var links: [ProxiedLink] = []
            for _ in 0..<ProxiesBenchmark.channels { links.append(try await connection.open(chip: .origin, port: boards)) }
            let opened = links
            try await pacer.eventLoop.submit { pacer.value.add(opened) }.get()
        }
    }

    /// Their jobs end with the service.
    func disperse() async {
        for connection in self.connections { try? await connection.close() }
    }
}

/// Sends for the jobs of one event loop: the jobs are spread evenly over the interval, as they would be that know nothing of each other.
/// On its event loop only.
private final class Pacer: DatagramReceiver {
    struct Tally: Sendable {
        var sent = 0
        /// Of those that came back.
        var micros: [UInt32] = []
    }

    /// Parts of the interval.
    private static let slots = 50
    private static let length = 64

    private let eventLoop: any EventLoop
    private var slots = [[[ProxiedLink]]](repeating: [], count: Pacer.slots)
    private var jobs = 0
    private var tally = Tally()
    private var next = NIODeadline.now()
    private var end = NIODeadline.now()
    private var slot = 0
    private var done: EventLoopPromise<Tally>

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.done = eventLoop.makePromise()
        self.done.succeed(Tally())
    }

    func add(_ links: [ProxiedLink]) {
        for link in links { link.setReceiver(self) }
        // Neighbours far apart.
        self.slots[self.jobs * 7 % Pacer.slots].append(links)
        self.jobs += 1
    }

    func start(for time: TimeAmount) {
        self.tally = Tally()
        self.done = self.eventLoop.makePromise()
        self.next = .now()
        self.end = self.next + time
        self.turn()
    }

    func finished() -> EventLoopFuture<Tally> { self.done.futureResult }

    /// What is due is sent, also when it is late: the pace is kept.
    private func turn() {
        let now = NIODeadline.now()
        while self.next <= now, self.next < self.end {
            for links in self.slots[self.slot] { self.send(links) }
            self.slot = (self.slot + 1) % Pacer.slots
            self.next = self.next + .nanoseconds(ProxiesBenchmark.interval.nanoseconds / Int64(Pacer.slots))
        }
        // `self` is of this event loop.
        let pacer = NIOLoopBound(self, eventLoop: self.eventLoop)
        guard self.next < self.end, now < self.end + .seconds(1) else {
            self.eventLoop.scheduleTask(in: .seconds(1)) { pacer.value.done.succeed(pacer.value.tally) }
            return
        }
        self.eventLoop.scheduleTask(deadline: self.next) { pacer.value.turn() }
    }

    private func send(_ links: [ProxiedLink]) {
        for link in links {
            var packet = ByteBufferAllocator().buffer(capacity: Pacer.length)
            packet.writeInteger(NIODeadline.now().uptimeNanoseconds)
            packet.writeRepeatingByte(0x5A, count: Pacer.length - 8)
            link.write(packet)
            self.tally.sent += 1
        }
        links.first?.flush()
    }

    func datagramReceived(_ datagram: ByteBuffer) {
        guard let sent = datagram.getInteger(at: datagram.readerIndex, as: UInt64.self) else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        self.tally.micros.append(UInt32(clamping: (now > sent ? now - sent : 0) / 1000))
    }

    func datagramReadComplete() {}
    func linkClosed(_ error: (any Error)?) {}
}
