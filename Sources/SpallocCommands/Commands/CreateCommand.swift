//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import SpallocAPI
import SpallocClient
import SpiNNakerMachine

struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a job and keep it until Ctrl-C, or while a command runs.",
        discussion: """
            When the job is ready its boards are printed. Then it is kept alive; at the end, however that comes, it is \
            destroyed. A command finds the job in SPALLOC_JOB, SPALLOC_JOB_URL, SPALLOC_SERVICE_URL, SPALLOC_MACHINE, \
            SPALLOC_HOST (of chip 0,0) and SPALLOC_CONNECTIONS (`x,y=host x,y=host …`); its exit code becomes ours.

            EXAMPLES
              spalloc create 3
              spalloc create 2x1 --machine M
              spalloc create --board 0,0,1
              spalloc create 2x1 --board 4,4,0           a rectangle that begins there
              spalloc create 1 --queue-timeout 0         now or not at all (exit code 3)
              spalloc create 3 --command python run.py
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("So many boards, or a rectangle of triads. Default: 1.", valueName: "n | WxH"))
    var size: JobSize?
    @OptionGroup var board: BoardOptions
    @Option(name: .long, help: "The machine to be on.") var machine: String?
    @Option(name: .long, help: "A tag the machine must have; may be repeated. Default: default.") var tag: [String] = []
    @Option(name: .long, help: "Take a rectangle with so many dead boards at most.") var maxDeadBoards: Int?
    @Option(name: .long, help: "Charge this group.") var group: String?
    @Option(name: .long, help: "Charge this EBRAINS collab.") var collab: String?
    @Option(name: .long, help: "Charge this NMPI job.") var nmpiJob: Int?
    @Option(name: .long, help: "The user of the NMPI job.") var nmpiUser: String?
    @Option(name: .long, help: "Seconds the job lives without word from us, 30 to 300.") var keepalive = 120
    @Option(name: .long, help: "Give up after so many seconds in the queue and in power-up.") var queueTimeout = 300
    @Flag(name: .long, help: "Create the job, print its number, and leave it. It ends after one keepalive interval.")
    var noWait = false
    @Option(name: .long, parsing: .remaining, help: ArgumentHelp("Run this while the job lives.", valueName: "cmd …"))
    var command: [String] = []

    /// `N` or `WxH`.
    struct JobSize: ExpressibleByArgument {
        var boards: Int?
        var rectangle: (width: Int, height: Int)?

        init?(argument: String) {
            let sides = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
            switch sides.count {
            case 1:
                guard let boards = sides[0], boards > 0 else { return nil }
                self.boards = boards
            case 2:
                guard let width = sides[0], let height = sides[1], width > 0, height > 0 else { return nil }
                self.rectangle = (width, height)
            default:
                return nil
            }
        }
    }

    func validate() throws {
        guard self.machine == nil || self.tag.isEmpty else { throw ValidationError("--machine and --tag exclude each other") }
        let accounts = [self.group != nil, self.collab != nil, self.nmpiJob != nil].count { $0 }
        guard accounts <= 1 else { throw ValidationError("only one of --group, --collab and --nmpi-job can be charged") }
        guard self.nmpiUser == nil || self.nmpiJob != nil else { throw ValidationError("--nmpi-user goes with --nmpi-job") }
        guard !self.noWait || self.command.isEmpty else { throw ValidationError("--no-wait and --command exclude each other") }
        guard (30...300).contains(self.keepalive) else { throw ValidationError("--keepalive must be from 30 to 300") }
        guard self.queueTimeout >= 0 else { throw ValidationError("--queue-timeout cannot be negative") }
        if self.size?.boards != nil, try self.board.place() != nil {
            throw ValidationError("a number of boards and a particular board exclude each other")
        }
    }

    func request() throws -> SpallocJobRequest {
        var request: SpallocJobRequest
        switch (self.size?.rectangle, try self.board.place()) {
        case (let rectangle?, let board?): request = .rectangle(width: rectangle.width, height: rectangle.height, at: board)
        case (let rectangle?, nil): request = .rectangle(width: rectangle.width, height: rectangle.height)
        case (nil, let board?): request = .board(board)
        case (nil, nil): request = .boards(self.size?.boards ?? 1)
        }
        if let machine { request.machine = .named(machine) }
        if !self.tag.isEmpty { request.machine = .tagged(self.tag) }
        if let group { request.account = .group(group) }
        if let collab { request.account = .collab(collab) }
        if let nmpiJob { request.account = .nmpiJob(nmpiJob, user: self.nmpiUser) }
        request.maxDeadBoards = self.maxDeadBoards
        request.keepaliveInterval = .seconds(self.keepalive)
        return request
    }

    func run() async throws {
        let request = try self.request()
        let err = CommandContext.current.err
        try await self.service.withClient { client in
            if self.noWait {
                let job = try await client.createJob(request)
                self.output.show(.record([("id", .number(job.id)), ("url", .text("\(job.url)"))]))
                err("job \(job.id) ends in \(self.keepalive) s unless it is kept alive: spalloc hold \(job.id)")
                return
            }
            try await client.withJob(request) { job in
                err("job \(job.id): \(request.size), destroyed when this ends")
                try await self.waitUntilReady(job)
                guard let machine = try await job.machine() else {
                    throw SpallocError(.notReady, "it is ready but has no boards", job: job.id)
                }
                if self.command.isEmpty {
                    self.output.show(self.report(job, machine))
                    err("job \(job.id) is kept until Ctrl-C")
                    try await JobHolder(job: job).watch()
                } else {
                    try await self.runCommand(job, machine, service: client.serviceURL)
                }
            }
        }
    }

    /// A queue that is not to be waited in still gets the moment the service needs to look for boards.
    private func waitUntilReady(_ job: SpallocJob) async throws {
        let err = CommandContext.current.err
        let start = ContinuousClock.now
        try await job.waitUntilReady(timeout: .seconds(max(self.queueTimeout, 2))) { state in
            let tenths = ((ContinuousClock.now - start) / .milliseconds(100)).rounded()
            err("job \(job.id): \(state) after \(tenths / 10) s")
        }
    }

    private func report(_ job: SpallocJob, _ machine: JobMachine) -> Report {
        .record([
            ("id", .number(job.id)), ("url", .text("\(job.url)")), ("machine", .text(machine.machineName)),
            ("width", .number(machine.width)), ("height", .number(machine.height)), ("depth", .number(machine.depth)),
            ("boards", .list(machine.boards.map { .board($0) })), ("connections", .connections(machine.connections)),
        ])
    }

    private func runCommand(_ job: SpallocJob, _ machine: JobMachine, service: SpallocURL) async throws {
        let connections = machine.connections.map { "\($0.chip.x),\($0.chip.y)=\($0.hostname)" }
        let root = machine.connections.first { $0.chip.x == 0 && $0.chip.y == 0 }?.hostname
        let environment = [
            "SPALLOC_JOB": "\(job.id)", "SPALLOC_JOB_URL": "\(job.url)", "SPALLOC_SERVICE_URL": "\(service)",
            "SPALLOC_MACHINE": machine.machineName, "SPALLOC_HOST": root ?? "",
            "SPALLOC_CONNECTIONS": connections.joined(separator: " "),
        ]
        let command = ChildProcess(
            arguments: self.command, environment: CommandContext.current.environment.merging(environment) { _, new in new })
        // Whichever ends first: the command, or the job under it.
        let code = try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { try await command.run() }
            group.addTask {
                try await JobHolder(job: job).watch()
                return nil
            }
            defer { group.cancelAll() }
            while let code = try await group.next() {
                if let code { return code }
            }
            return 1
        }
        if code != 0 { throw ExitCode(code) }
    }
}
