//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import SpallocAPI

/// Every route below `srv/`, described. To add one: a row here, and for a body of its own a case of ``APISchema``.
extension APIOperation {
    package static let all: [APIOperation] =
        Self.service + Self.machines + Self.jobs + Self.boards + Self.memory + Self.groups + Self.administration

    private static let api = SpallocPath.serviceRoot

    // MARK: - The service

    private static let service: [APIOperation] = [
        .init(
            .get, OpenAPIDocument.path, "service", "This document", access: .everybody,
            [Reply(status: 200, text: "OpenAPI 3.1", content: .anyJSON)]),
        .init(
            .get, Self.api, "service", "Where things are, and the token that changes need",
            text: "Who comes with a password and no session gets a session here.", access: .anyUser,
            [
                Reply(
                    status: 200, text: "The service", content: .json(.service),
                    optionalHeaders: ["Set-Cookie": "The new session's cookie"])
            ]),
        .init(
            .get, SpallocPath.emergencyStop, "service", "Ends all jobs, and takes no more until the service is started anew",
            [.query("commandCode", .string, required: true, "The word that the service's operator has chosen")],
            access: .anyUser,
            [.done(200, "It is done"), .text(403, "There is no emergency stop, or that is not its word")]),
        .init(
            .get, SpallocPath.proxy + "{id}", "boards", "The job's websocket, by which its boards are reached",
            text: "An upgrade, as RFC 6455 has it; its messages are described in docs/wire.md.", [.jobID],
            access: .from(.user), isRoute: false,
            [
                .done(101, "The websocket is open"), .noJob, .text(429, "The user has too many websockets"),
                .text(503, "The job has no boards"),
            ]),
    ]

    // MARK: - Machines

    private static let machine = SpallocPath.machines + "/{name}"
    private static let noMachine = Reply.text(404, "No such machine, or no such board of it")
    private static let found = Reply.ok(.whereIs, "Where it is")
    private static let machineName = Parameter.path("name", .string(matching: "^[^/]+$"))

    private static let machines: [APIOperation] = [
        .init(
            .get, SpallocPath.machines, "machines", "All machines in service", access: .from(.reader),
            [.ok(.machineList, "The machines")]),
        .init(
            .get, Self.machine, "machines", "One machine",
            [Self.machineName, .flag(SpallocHTTP.wait, "Answer when something changes, or when the waiting time is over.")],
            access: .from(.reader), [.ok(.machine, "The machine"), Self.noMachine]),
        .init(
            .get, Self.machine + "/logical-board", "machines", "Which board is at a triad",
            [
                Self.machineName, .query("x", .integer(0...255), required: true),
                .query("y", .integer(0...255), required: true), .query("z", JSONSchema.integer(0...2).withDefault(0)),
            ], access: .from(.reader), [Self.found, .badRequest, Self.noMachine]),
        .init(
            .get, Self.machine + "/physical-board", "machines", "Which board is in a slot",
            [
                Self.machineName, .query("cabinet", JSONSchema.integer(0...255).withDefault(0)),
                .query("frame", JSONSchema.integer(0...255).withDefault(0)),
                .query("board", .integer(0...255), required: true),
            ], access: .from(.reader), [Self.found, .badRequest, Self.noMachine]),
        .init(
            .get, Self.machine + "/chip", "machines", "Which board has a chip",
            [
                Self.machineName, .query("x", .integer(0...65535), required: true),
                .query("y", .integer(0...65535), required: true),
            ], access: .from(.reader), [Self.found, .badRequest, Self.noMachine]),
        .init(
            .get, Self.machine + "/board-ip", "machines", "Which board has an address",
            [Self.machineName, .query("address", JSONSchema.string.described("IPv4"), required: true)],
            access: .from(.reader), [Self.found, .badRequest, Self.noMachine]),
        .init(
            .get, Self.machine + "/board-health", "machines",
            "Temperatures, voltages, fans, serial number and blacklist of a board",
            text: "Read from the board's BMP now; the board may be off.",
            [
                Self.machineName, .query("x", .integer(0...255), required: true),
                .query("y", .integer(0...255), required: true), .query("z", JSONSchema.integer(0...2).withDefault(0)),
            ], access: .from(.admin), [.ok(.boardHealth, "What the BMP says"), .badRequest, Self.noMachine, .badGateway]),
        .init(
            .get, Self.api + "history", "jobs", "Jobs that have ended", text: "Also as application/x-ndjson and as text/csv.",
            [
                .query("from", .string, "A moment or a day: they ended then or later"),
                .query("to", .string, "They ended before"),
                .query("owner", .string, "Users may name themselves only"), .query("machine", .string),
                .query("limit", JSONSchema.integer(1...10_000).withDefault(1000)),
                .query("start", JSONSchema.integer(from: 0).withDefault(0)),
            ], access: .from(.user), [.ok(.history, "The jobs"), .badRequest]),
        .init(
            .get, Self.machine + "/last-board-health", "machines", "What a board's BMP said when it was last asked",
            [
                Self.machineName, .query("x", .integer(0...255), required: true),
                .query("y", .integer(0...255), required: true), .query("z", JSONSchema.integer(0...2).withDefault(0)),
            ], access: .from(.admin),
            [.ok(.lastBoardHealth, "What it said"), .done(204, "It was never asked"), .badRequest, Self.noMachine]),
        .init(
            .get, Self.api + "admin/blacklist", "machines", "What is broken on a board",
            text: "With Accept: text/plain as lines like \"chip 1 2 core 3,4 link 0\" and \"chip 5 6 dead\".",
            Self.anyBoard + [.flag("read", "Asks the board, and keeps what it says")], access: .from(.admin),
            [.ok(.blacklist, "The list"), .badRequest, Self.noMachine, .badGateway]),
        .init(
            .put, Self.api + "admin/blacklist", "machines", "Writes a list of what is broken into the board's flash",
            text: "JSON, or text/plain as it is read. It holds from the board's next power-on; the allocator knows it at once.",
            Self.anyBoard, body: .json(.blacklistChips), access: .from(.admin),
            [
                .ok(.blacklist, "The list as it is now"), .badRequest, Self.noMachine,
                .text(409, "The board was exchanged: read its own list first"), .badGateway,
            ]),
    ]

    /// A board by one of its three names.
    private static let anyBoard: [APIOperation.Parameter] = [
        .query("machine", .string, required: true), .query("x", .integer(0...255)), .query("y", .integer(0...255)),
        .query("z", JSONSchema.integer(0...2).withDefault(0)), .query("cabinet", .integer(0...255)),
        .query("frame", JSONSchema.integer(0...255).withDefault(0)), .query("board", .integer(0...255)),
        .query("address", .string),
    ]

    // MARK: - Jobs

    fileprivate static let job = SpallocPath.jobs + "/{id}"

    private static let groups: [APIOperation] = [
        .init(
            .get, "\(Self.api)groups", "groups", "The user's groups, and what they have left",
            text: "Administrators see all groups.", access: .anyUser, [.ok(.groupList, "The groups, by name")]),
        .init(
            .get, "\(Self.api)groups/{name}/account", "groups", "What a group was given and what it has used",
            [
                .path("name", .string(matching: "^[^/]+$")),
                .query("limit", JSONSchema.integer(1...1000).withDefault(100)),
                .query("start", JSONSchema.integer(0...Int(Int32.max)).withDefault(0)),
            ], access: .anyUser,
            [.ok(.groupAccount, "Its entries"), .badRequest, .text(404, "No such group, or others'")]),
    ]

    private static let jobs: [APIOperation] = [
        .init(
            .get, SpallocPath.jobs, "jobs", "All jobs, the latest first",
            [
                .flag(SpallocHTTP.wait, "Answer when something changes, or when the waiting time is over."),
                .flag(SpallocHTTP.deleted, "Those that are over, too."),
                .query(SpallocHTTP.limit, JSONSchema.integer(1...200).withDefault(100)),
                .query(SpallocHTTP.start, JSONSchema.integer(0...Int(Int32.max)).withDefault(0)),
            ], access: .from(.reader),
            [
                Reply(
                    status: 200, text: "A page of them", content: .json(.jobList),
                    optionalHeaders: ["Link": "The pages before and after, as in the body"]), .badRequest,
            ]),
        .init(
            .post, SpallocPath.jobs, "jobs", "A new job", body: .json(.createJob), access: .from(.user),
            [
                Reply(
                    status: 201, text: "The job is there", content: .json(.createJobReply), headers: ["Location": "The job"]),
                .text(400, "What is wrong, or why no machine can ever serve it"), .text(503, "The emergency stop is in force"),
            ]),
        .init(
            .get, Self.job, "jobs", "One job",
            [
                .jobID,
                .flag(
                    SpallocHTTP.wait, "Answer when the job is not what this session last saw, or when the waiting time is over."
                ),
                .header("If-None-Match", .string, "With wait: the ETag of what the client knows, instead of what it last saw"),
            ], access: .from(.user),
            [.ok(.job, "The job", headers: ["ETag": "Changes with the job"]), .noJob, .gone]),
        .init(
            .delete, Self.job, "jobs", "Ends the job", [.jobID, .query(SpallocHTTP.reason, .string, "Why")],
            access: .from(.user), [.done(204, "It is over"), .noJob]),
        .init(
            .put, "\(Self.job)/\(SpallocJobPath.keepalive)", "jobs", "Keeps the job alive", [.jobID], body: .anyText,
            access: .from(.user), [.text(200, "ok"), .noJob]),
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.queue)", "jobs", "Where the job stands in the queue", [.jobID],
            access: .from(.user), [.ok(.queuePlace, "Its place"), .done(204, "It does not wait"), .noJob]),
        .init(
            .post, "\(Self.job)/\(SpallocJobPath.reportIssue)", "jobs", "Something is wrong with boards of the job", [.jobID],
            body: .json(.issueReport), access: .from(.user), [.ok(.issueReply, "What was done about it"), .noJob]),
    ]

    // MARK: - A job's boards. To ask for them keeps the job alive.

    private static let boards: [APIOperation] = [
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.machine)", "boards", "The job's boards", [.jobID], access: .from(.user),
            [.ok(.jobMachine, "The boards"), .noBoards, .noJob]),
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.power)", "boards", "Whether the boards are on", [.jobID], access: .from(.user),
            [.ok(.power), .noBoards, .noJob]),
        .init(
            .post, "\(Self.job)/\(SpallocJobPath.power)", "boards", "Switches the boards", [.jobID], body: .json(.power),
            access: .from(.user), [.done(202, "It will be done"), .noBoards, .noJob]),
        .init(
            .get, "\(Self.job)/power", "boards", "Whether the boards are on: where the Java client asks", [.jobID],
            access: .from(.user), [.ok(.power), .noBoards, .noJob]),
        .init(
            .put, "\(Self.job)/power", "boards", "Switches the boards: where the Java client does", [.jobID],
            body: .json(.power), access: .from(.user), [.ok(.power, "What is wanted now"), .noBoards, .noJob]),
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.chip)", "boards", "Which board a chip of the job is on",
            [.jobID, .chipX, .chipY], access: .from(.user), [Self.found, .noBoards, .badRequest, .noJob]),
    ]

    // MARK: - Memory and routers of a job's boards

    private static let noBoardsNow = Reply.text(409, "The job has no boards now")
    private static let address = Parameter.query(
        "address", JSONSchema.integer.withDefault(0), "Cut to 32 bits, so that a signed one will do")

    private static let memory: [APIOperation] = [
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.memory)", "memory", "Bytes of a chip's memory",
            [.jobID, .chipX, .chipY, Self.address, .query("size", JSONSchema.integer(from: 0).withDefault(0))],
            access: .from(.user),
            [
                Reply(status: 200, text: "The bytes", content: .bytes), .badRequest, .noJob, Self.noBoardsNow, .gone,
                .badGateway,
                .silent,
            ]),
        .init(
            .post, "\(Self.job)/\(SpallocJobPath.memory)", "memory", "Writes bytes into a chip's memory",
            [.jobID, .chipX, .chipY, Self.address], body: .bytes, access: .from(.user),
            [.done(202, "They are written"), .badRequest, .noJob, Self.noBoardsNow, .gone, .badGateway, .silent]),
        .init(
            .delete, "\(Self.job)/\(SpallocJobPath.router)", "memory", "Clears routes and diagnostic counters of all chips",
            [.jobID]
                + (0..<16).map {
                    .query("\($0)", .integer(Int(Int32.min)...Int(UInt32.max)), "Diagnostic filter \($0), to be set")
                },
            access: .from(.user),
            [.done(202, "It is done"), .badRequest, .noJob, Self.noBoardsNow, .gone, .badGateway, .silent]),
        .init(
            .post, "\(Self.job)/\(SpallocJobPath.fastDataWrite)", "memory", "Writes memory through a board's gatherer",
            text: "By the protocol of SpiNNFrontEndCommon, whose gatherer the client has loaded.",
            [.jobID] + Self.fastRoute + [
                .query("gather_x", JSONSchema.integer(0...255)), .query("gather_y", JSONSchema.integer(0...255)),
                .query("gather_p", JSONSchema.integer(1...17)),
                .query("x", JSONSchema.integer(0...7).withDefault(0), "On the board, relative to its Ethernet chip"),
                .query("y", JSONSchema.integer(0...7).withDefault(0)), Self.address,
            ], body: .bytes, access: .from(.user),
            [
                .done(202, "They are written"), .badRequest, .noJob, Self.noBoardsNow, .gone,
                .text(413, "The body is too long"), .badGateway, Self.busy, .silent,
            ]),
        .init(
            .get, "\(Self.job)/\(SpallocJobPath.fastDataRead)", "memory", "Bytes of memory, from a chip's extra monitor",
            text: "By the protocol of SpiNNFrontEndCommon, whose cores the client has loaded.",
            [.jobID] + Self.fastRoute + [
                .query("x", JSONSchema.integer(0...255).withDefault(0)),
                .query("y", JSONSchema.integer(0...255).withDefault(0)),
                .query("p", JSONSchema.integer(1...17)), Self.address,
                .query("size", JSONSchema.integer(from: 0).withDefault(0)),
            ], access: .from(.user),
            [
                Reply(status: 200, text: "The bytes", content: .bytes), .badRequest, .noJob, Self.noBoardsNow, .gone,
                .badGateway, Self.busy, .silent,
            ]),
    ]

    private static let busy = Reply.text(503, "Too many transfers wait for the board")
    private static let fastRoute: [Parameter] = [
        .query("eth_x", JSONSchema.integer(0...255).withDefault(0), "The board's Ethernet chip"),
        .query("eth_y", JSONSchema.integer(0...255).withDefault(0)),
        .query("eth_address", .string, "If it is given, the address of that board"),
        .query("iptag", JSONSchema.integer(0...7), "The tag by which the board answers"),
    ]
}

extension APIOperation.Parameter {
    fileprivate static let jobID = Self.path("id", .integer(from: 1))
    fileprivate static let chipX = Self.query("x", JSONSchema.integer(0...65535).withDefault(0))
    fileprivate static let chipY = Self.query("y", JSONSchema.integer(0...65535).withDefault(0))
}
