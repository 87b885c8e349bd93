//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import WireFuzz

private func line(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

@Suite struct V1JSONTests {
    @Test func valuesAreRead() throws {
        let text = #"  {"a": [1, -2, 3.5, 1e3, true, false, null], "b": {"c": "x\"\\\/\b\f\n\r\té😀"}, "a2": 0} "#
        let value = try V1JSON(line: line(text))
        #expect(
            value["a"]?.arrayValue == [
                .integer(1), .integer(-2), .number(3.5), .number(1000), .bool(true), .bool(false), .null,
            ])
        #expect(value["b"]?["c"]?.stringValue == "x\"\\/\u{8}\u{C}\n\r\té😀")
        #expect(try V1JSON(line: line("9223372036854775807")) == .integer(.max))
        #expect(try V1JSON(line: line("9223372036854775808")) == .number(9_223_372_036_854_775_808))
        #expect(try V1JSON(line: line("-0")) == .integer(0))
        #expect(try V1JSON(line: line(#"{"k": 1, "k": 2}"#))["k"] == .integer(2))
        // Escapes as Python writes all that is not ASCII; halves of a pair are no characters.
        #expect(try V1JSON(line: line(#""é 😀""#)) == .string("é 😀"))
        #expect(try V1JSON(line: line(#""\u00e9 \uD83D\uDE00""#)) == .string("é 😀"))
        #expect(try V1JSON(line: line(#""\ud83dx\udc00\ud83d\u0041""#)) == .string("\u{FFFD}x\u{FFFD}\u{FFFD}A"))
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{1:2}", "01", "-", "1.", ".5",
        "1e",
        "+1", "tru", "nul", "NaN", "Infinity", "-Infinity", #"""#, #""\"#, #""\x""#, #""\u12""#, #""\u12G4""#, "\"\u{1}\"",
        "1 2",
        "[1}", "'a'", "1e999",
    ])
    func othersAreRefused(_ text: String) {
        #expect(throws: V1Error.self) { try V1JSON(line: line(text)) }
    }

    @Test func badBytesAndDepth() {
        #expect(throws: V1Error.self) { try V1JSON(line: ByteBuffer(bytes: [0x22, 0xC3, 0x28, 0x22])) }
        #expect(throws: V1Error.self) { try V1JSON(line: ByteBuffer(bytes: [0x22, 0x5C, 0x6E, 0xFF, 0x22])) }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: V1Error.notJSON(offset: 64, reason: "too deep")) { try V1JSON(line: line(deep)) }
        #expect(throws: Never.self) {
            try V1JSON(line: line(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)))
        }
    }

    private func value(_ random: inout Seeded, depth: Int) -> V1JSON {
        switch random.below(depth > 3 ? 5 : 7) {
        case 0: return .null
        case 1: return .bool(random.flag())
        case 2: return .integer(random.flag() ? random.value() : random.below(100))
        case 3:
            let number = Double(bitPattern: random.next())
            return number.isFinite ? .number(number) : .number(0.5)
        case 4:
            return .string(
                String(
                    String.UnicodeScalarView(
                        (0..<random.below(8)).compactMap { _ in Unicode.Scalar(random.value(UInt32.self) % 0x2000) })))
        case 5: return .array((0..<random.below(4)).map { _ in self.value(&random, depth: depth + 1) })
        default:
            var members: [String: V1JSON] = [:]
            for _ in 0..<random.below(4) { members["k\(random.below(9))\u{7}é"] = self.value(&random, depth: depth + 1) }
            return .object(members)
        }
    }

    @Test func randomValuesRoundTripOnOneLine() throws {
        var random = Seeded(41)
        for _ in 0..<500 {
            let value = self.value(&random, depth: 0)
            var buffer = ByteBuffer()
            value.write(into: &buffer)
            #expect(!buffer.readableBytesView.contains(UInt8(ascii: "\n")))
            let again = try V1JSON(line: buffer)
            // A double without a fraction, below 2^53, is written with one: 3.0 stays a number.
            #expect(again == value)
        }
        #expect(V1JSON.number(.infinity).description == "null")
        #expect(V1JSON(Double.nan).isNull)
    }

    @Test func corruptionNeverTraps() {
        let text = #"{"command": "create_job", "args": [1, 2.5e-3], "kwargs": {"owner": "é\n", "tags": [null]}}"#
        for cut in 0..<text.utf8.count { _ = try? V1JSON(line: ByteBuffer(bytes: Array(text.utf8)[..<cut])) }
        for index in 0..<text.utf8.count {
            for byte in UInt8.min...UInt8.max {
                var bytes = Array(text.utf8)
                bytes[index] = byte
                do throws(V1Error) {
                    _ = try V1Request(line: ByteBuffer(bytes: bytes))
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }
}

@Suite struct V1LineReaderTests {
    @Test func linesOfAnyCut() throws {
        let stream = "{\"a\": 1}\n\n\r\n{\"b\": 2}\r\nx\n"
        for step in 1...stream.utf8.count {
            var reader = V1LineReader(limit: 20)
            var lines: [String] = []
            var rest = ByteBuffer(string: stream)
            while let piece = rest.readSlice(length: min(step, rest.readableBytes)), piece.readableBytes > 0 {
                reader.append(piece)
                while let line = try reader.next() { lines.append(String(buffer: line)) }
            }
            #expect(lines == ["{\"a\": 1}", "{\"b\": 2}", "x"])
        }
    }

    @Test func longLinesAreRefused() throws {
        var reader = V1LineReader(limit: 4)
        reader.append(ByteBuffer(string: "abcd\r\nabcde\n"))
        #expect(try reader.next().map { String(buffer: $0) } == "abcd")
        #expect(throws: V1Error.lineTooLong(limit: 4)) { try reader.next() }
        // Without an end too: a peer that never ends its line can not fill the memory.
        var endless = V1LineReader(limit: 4)
        endless.append(ByteBuffer(string: "abcde"))
        #expect(try endless.next() == nil)
        endless.append(ByteBuffer(string: "f"))
        #expect(throws: V1Error.lineTooLong(limit: 4)) { try endless.next() }
    }
}

@Suite struct V1RequestTests {
    private static let job = V1JobRequest(
        .triads(width: 2, height: 3), owner: "me", keepalive: .never, machine: "m", tags: ["a", "b"], minRatio: 0.333,
        maxDeadBoards: 0, maxDeadLinks: 4, requireTorus: true)

    /// All seventeen, and how they are written for both kinds of server.
    static let commands: [(V1Request, String)] = [
        (.version, #"{"args": [], "command": "version", "kwargs": {}}"#),
        (.createJob(V1JobRequest(owner: "me")), #"{"args": [], "command": "create_job", "kwargs": {"owner": "me"}}"#),
        (
            .createJob(job),
            #"{"args": [2, 3], "command": "create_job", "kwargs": {"keepalive": null, "machine": "m", "#
                + #""max_dead_boards": 0, "max_dead_links": 4, "min_ratio": 0.333, "owner": "me", "require_torus": true, "#
                + #""tags": ["a", "b"]}}"#
        ),
        (.jobKeepalive(job: 3), #"{"args": [3], "command": "job_keepalive", "kwargs": {}}"#),
        (.getJobState(job: 3), #"{"args": [3], "command": "get_job_state", "kwargs": {}}"#),
        (.getJobMachineInfo(job: 3), #"{"args": [3], "command": "get_job_machine_info", "kwargs": {}}"#),
        (.powerOnJobBoards(job: 3), #"{"args": [3], "command": "power_on_job_boards", "kwargs": {}}"#),
        (.powerOffJobBoards(job: 3), #"{"args": [3], "command": "power_off_job_boards", "kwargs": {}}"#),
        (.destroyJob(job: 3, reason: "done"), #"{"args": [3], "command": "destroy_job", "kwargs": {"reason": "done"}}"#),
        (.notifyJob(job: nil), #"{"args": [], "command": "notify_job", "kwargs": {}}"#),
        (.noNotifyJob(job: 9), #"{"args": [9], "command": "no_notify_job", "kwargs": {}}"#),
        (.notifyMachine("m"), #"{"args": ["m"], "command": "notify_machine", "kwargs": {}}"#),
        (.noNotifyMachine(nil), #"{"args": [], "command": "no_notify_machine", "kwargs": {}}"#),
        (.listJobs, #"{"args": [], "command": "list_jobs", "kwargs": {}}"#),
        (.listMachines, #"{"args": [], "command": "list_machines", "kwargs": {}}"#),
        (
            .getBoardPosition(machine: "m", BoardCoordinates(1, 2, 0)),
            #"{"args": [], "command": "get_board_position", "kwargs": {"machine_name": "m", "x": 1, "y": 2, "z": 0}}"#
        ),
        (
            .getBoardAtPosition(machine: "m", PhysicalCoordinates(cabinet: 1, frame: 2, board: 23)),
            #"{"args": [], "command": "get_board_at_position", "kwargs": {"machine_name": "m", "x": 1, "y": 2, "z": 23}}"#
        ),
        (
            .whereIs(.jobChip(job: 4, ChipPosition(x: 5, y: 6))),
            #"{"args": [], "command": "where_is", "kwargs": {"chip_x": 5, "chip_y": 6, "job_id": 4}}"#
        ),
    ]

    @Test func everyCommandBothWays() throws {
        #expect(Set(Self.commands.map(\.0.call.command)).count == 17)
        for (request, text) in Self.commands {
            var buffer = ByteBuffer()
            request.writeLine(into: &buffer)
            #expect(String(buffer: buffer) == text + "\n")
            #expect(try V1Request(line: buffer) == request)
        }
    }

    @Test func placesAndNamesAreTheSame() throws {
        let pairs = [
            (#"{"command": "get_job_state", "args": [3]}"#, #"{"command": "get_job_state", "kwargs": {"job_id": 3}}"#),
            (
                #"{"command": "destroy_job", "args": [3, "r"]}"#,
                #"{"command": "destroy_job", "args": [3], "kwargs": {"reason": "r"}}"#
            ),
            (#"{"command": "notify_job", "args": [null]}"#, #"{"command": "notify_job", "kwargs": {"job_id": null}}"#),
            (
                #"{"command": "get_board_position", "args": ["m", 1, 2, 0]}"#,
                #"{"command": "get_board_position", "args": ["m"], "kwargs": {"x": 1, "y": 2, "z": 0}}"#
            ),
            // Numbers as text, a client's name, unknown members, nulls for empty.
            (
                #"{"command": "job_keepalive", "args": ["7"], "id": 5}"#,
                #"{"command": "job_keepalive", "args": null, "kwargs": {"job_id": 7.0, "client": "x"}}"#
            ),
        ]
        for (a, b) in pairs { #expect(try V1Request(line: line(a)) == V1Request(line: line(b))) }
    }

    @Test func shapesOfCreateJob() throws {
        func size(_ args: String) throws -> V1JobRequest.Size? {
            guard
                case .createJob(let job) = try V1Request(
                    line: line(#"{"command": "create_job", "args": \#(args), "kwargs": {"owner": 5}}"#))
            else { return nil }
            #expect(job.owner == "5")
            return job.size
        }
        #expect(try size("[]") == .oneBoard)
        #expect(try size("[1]") == .boards(1))
        #expect(try size("[4, 2]") == .triads(width: 4, height: 2))
        #expect(try size("[1, 2, 0]") == .board(BoardCoordinates(1, 2, 0)))
        for bad in ["[1, 2, 3, 4]", "[1.5]", "[null]", #"["x"]"#] {
            let error = #expect(throws: V1Error.self) { try size(bad) }
            #expect(error?.closesConnection == false)
        }
    }

    @Test func keywordsOfCreateJob() throws {
        func job(_ kwargs: String) throws -> V1JobRequest? {
            guard case .createJob(let job) = try V1Request(line: line(#"{"command": "create_job", "kwargs": \#(kwargs)}"#))
            else { return nil }
            return job
        }
        let plain = try #require(try job(#"{"owner": "me"}"#))
        #expect(plain == V1JobRequest(owner: "me"))
        #expect(plain.keepalive.seconds == 60)
        #expect(try job(#"{"owner": "me", "keepalive": null}"#)?.keepalive == .never)
        #expect(try job(#"{"owner": "me", "keepalive": "30"}"#)?.keepalive == .seconds(30))
        #expect(try job(#"{"owner": "me", "tags": "big"}"#)?.tags == ["big"])
        #expect(try job(#"{"owner": "me", "tags": []}"#)?.tags == [])
        // What ProtocolClient sends: null for all that it was not given.
        let nulls =
            #"{"owner": "me", "machine": null, "tags": null, "min_ratio": null, "max_dead_boards": null, "max_dead_links": null, "require_torus": null}"#
        #expect(try job(nulls) == V1JobRequest(owner: "me"))
        for bad in [
            "{}", #"{"owner": null}"#, #"{"owner": "me", "colour": 1}"#, #"{"owner": "me", "tags": [1]}"#,
            #"{"owner": "me", "keepalive": "soon"}"#, #"{"owner": "me", "require_torus": 1}"#,
            #"{"owner": "me", "machine": 3}"#,
            #"{"owner": "me", "max_dead_boards": 1.5}"#, #"{"owner": "me", "tags": {}}"#,
        ] {
            let error = #expect(throws: V1Error.self) { try job(bad) }
            #expect(error?.closesConnection == false)
        }
    }

    @Test func formsOfWhereIs() throws {
        let forms: [(V1WhereIs, String)] = [
            (.board(machine: "m", BoardCoordinates(1, 2, 0)), #"{"machine": "m", "x": 1, "y": 2, "z": 0}"#),
            (
                .physical(machine: "m", PhysicalCoordinates(cabinet: 0, frame: 1, board: 2)),
                #"{"machine": "m", "cabinet": 0, "frame": 1, "board": 2}"#
            ),
            (.chip(machine: "m", ChipPosition(x: 3, y: 4)), #"{"machine": "m", "chip_x": 3, "chip_y": 4, "x": null}"#),
            (.jobChip(job: 1, ChipPosition(x: 3, y: 4)), #"{"job_id": 1, "chip_x": 3, "chip_y": 4}"#),
        ]
        for (question, kwargs) in forms {
            let request = try V1Request(line: line(#"{"command": "where_is", "kwargs": \#(kwargs)}"#))
            #expect(request == .whereIs(question))
            #expect(try V1Request(request.call) == request)
        }
        for bad in [
            "{}", #"{"machine": "m"}"#, #"{"machine": "m", "x": 1, "y": 1, "z": 1, "job_id": 1}"#,
            #"{"job_id": 1, "x": 1, "y": 1, "z": 0}"#,
        ] {
            let error = try #require(throws: V1Error.self) {
                try V1Request(line: line(#"{"command": "where_is", "kwargs": \#(bad)}"#))
            }
            #expect(error.description.contains("Invalid arguments"))
        }
        #expect(throws: V1Error.self) { try V1Request(line: line(#"{"command": "where_is", "args": ["m", 1, 2, 0]}"#)) }
    }

    /// v1-protocol.md §1.1: these close the connection.
    @Test(arguments: [
        "not json", "[]", "3", "{}", #"{"command": 3}"#, #"{"command": "version", "args": {}}"#,
        #"{"command": "version", "kwargs": []}"#, #"{"command": "frobnicate"}"#, "",
    ])
    func malformedCalls(_ text: String) throws {
        let error = try #require(throws: V1Error.self) { try V1Request(line: line(text)) }
        #expect(error.closesConnection)
    }

    /// These are answered with an exception.
    @Test(arguments: [
        #"{"command": "version", "args": [1]}"#, #"{"command": "get_job_state"}"#,
        #"{"command": "get_job_state", "args": [1, 2]}"#,
        #"{"command": "get_job_state", "args": ["x"]}"#, #"{"command": "get_job_state", "kwargs": {"job": 1}}"#,
        #"{"command": "get_job_state", "args": [1], "kwargs": {"job_id": 1}}"#,
        #"{"command": "list_jobs", "kwargs": {"x": 1}}"#,
        #"{"command": "get_board_position", "args": ["m", 1]}"#, #"{"command": "notify_machine", "args": [3]}"#,
    ])
    func badArguments(_ text: String) throws {
        let error = try #require(throws: V1Error.self) { try V1Request(line: line(text)) }
        #expect(!error.closesConnection)
    }

    @Test func keepingAlive() {
        let alive = Self.commands.map(\.0).filter { $0.keepsAlive != nil }.map(\.call.command)
        #expect(
            alive == ["job_keepalive", "get_job_state", "get_job_machine_info", "power_on_job_boards", "power_off_job_boards"])
    }
}

@Suite struct V1ReplyTests {
    @Test func fourKindsOfLine() throws {
        let lines: [(V1Reply, String)] = [
            (.returned(.null), #"{"return": null}"#), (.returned(.integer(3)), #"{"return": 3}"#),
            (.exception(""), #"{"exception": ""}"#), (.jobsChanged([1, 2]), #"{"jobs_changed": [1, 2]}"#),
            (.machinesChanged(["m"]), #"{"machines_changed": ["m"]}"#),
        ]
        for (reply, text) in lines {
            var buffer = ByteBuffer()
            reply.writeLine(into: &buffer)
            #expect(String(buffer: buffer) == text + "\n")
            #expect(try V1Reply(line: buffer) == reply)
            #expect(reply.isNotification == text.contains("changed"))
        }
        for bad in [
            "{}", "[]", #"{"jobs_changed": 1}"#, #"{"jobs_changed": ["x"]}"#, #"{"machines_changed": [1]}"#, "nonsense",
        ] {
            #expect(throws: V1Error.self) { try V1Reply(line: line(bad)) }
        }
    }

    @Test func states() throws {
        let text =
            #"{"state": 3, "power": true, "keepalive": 60.0, "reason": null, "start_time": 1700000000.25, "keepalivehost": "127.0.0.1"}"#
        let state = try V1JobState(try V1JSON(line: line(text)))
        #expect(
            state
                == V1JobState(
                    state: .ready, power: true, keepalive: 60, startTime: 1_700_000_000.25, keepaliveHost: "127.0.0.1"))
        #expect(try V1JobState(state.json) == state)
        #expect(try V1JobState(.object(["state": .integer(77)])).state.rawValue == 77)
        #expect(throws: V1Error.badReply(object: "job state", field: "state")) { try V1JobState(.null) }
    }

    @Test func machineInfo() throws {
        let text =
            #"{"width": 16, "height": 16, "connections": [[[0, 0], "10.0.0.1"], [[8, 4], "10.0.0.2"]], "machine_name": "m", "boards": [[0, 0, 0], [0, 0, 1]]}"#
        let info = try V1MachineInfo(try V1JSON(line: line(text)))
        #expect(info.connections?.last == .init(chip: ChipPosition(x: 8, y: 4), host: "10.0.0.2"))
        #expect(info.boards == [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 1)])
        #expect(try V1MachineInfo(info.json) == info)
        let none = try V1MachineInfo(
            try V1JSON(
                line: line(#"{"width": null, "height": null, "connections": null, "machine_name": null, "boards": null}"#)))
        #expect(none == V1MachineInfo())
        #expect(try V1MachineInfo(none.json) == none)
        for bad in [
            #"{"width": "x"}"#, #"{"connections": [[1, "h"]]}"#, #"{"connections": [[[0, 0]]]}"#, #"{"boards": [[1, 2]]}"#,
            #"{"boards": 3}"#,
        ] {
            #expect(throws: V1Error.self) { try V1MachineInfo(try V1JSON(line: line(bad))) }
        }
    }

    @Test func listsAndPlaces() throws {
        let job = V1Job(
            id: 4, owner: "me", startTime: 1.5, keepalive: nil, state: .queued, power: nil, args: [.integer(3)],
            kwargs: ["tags": .array([.string("default")])], machineName: nil, boards: nil, keepaliveHost: "")
        #expect(try V1Job(job.json) == job)
        let machine = V1Machine(
            name: "m", tags: ["default"], width: 2, height: 1, deadBoards: [BoardCoordinates(0, 0, 1)],
            deadLinks: [BoardLink(board: BoardCoordinates(0, 0, 0), side: .southWest)])
        #expect(try V1Machine(machine.json) == machine)
        #expect(machine.json["dead_links"]?.description == "[[0, 0, 0, 4]]")
        for bad in [
            #"{"name": "m", "width": 1, "height": 1, "dead_links": [[0, 0, 0, 6]]}"#, #"{"name": "m", "width": 1}"#,
            #"{"name": "m", "width": 1, "height": 1, "dead_links": [[0, 0, 0, 256]]}"#,
        ] {
            #expect(throws: V1Error.self) { try V1Machine(try V1JSON(line: line(bad))) }
        }
        var place = V1Place(
            machine: "m", logical: BoardCoordinates(0, 1, 2), physical: PhysicalCoordinates(cabinet: 0, frame: 1, board: 2),
            chip: ChipPosition(x: 4, y: 20), boardChip: ChipPosition(x: 0, y: 0))
        #expect(try V1Place(place.json) == place)
        place.job = 3
        place.jobChip = ChipPosition(x: 4, y: 8)
        #expect(try V1Place(place.json) == place)
        #expect(throws: V1Error.badReply(object: "place", field: "machine")) { try V1Place(.object([:])) }
    }

    @Test func versions() {
        #expect(V1Version("1!7.0.0") == V1Version(7, 0, 0))
        #expect(V1Version("5.0.0") == .java)
        #expect(V1Version("0.4") == V1Version(0, 4, 0))
        #expect(V1Version(0, 4, 0) < .acceptedByAll)
        #expect(V1Version.acceptedByAll < V1Version(2, 0, 0))
        for bad in ["", "x", "1.2.3.4", "1!2!3", "1..2", "-1.0.0", "1!"] { #expect(V1Version(bad) == nil) }
    }
}

/// With `make fuzz` among the others; `SPINNAKER_FUZZ` says how many inputs.
@Suite struct V1FuzzTests {
    @Test func noLineTraps() throws {
        let environment = ProcessInfo.processInfo.environment
        let inputs = environment["SPINNAKER_FUZZ"].flatMap { Int($0) } ?? 20_000
        var random = Seeded(environment["SPINNAKER_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0xF1)
        let seeds = V1RequestTests.commands.map { Array($0.1.utf8) }
        let alphabet = Array(#"{}[]",:0123456789.eE+-\untrfals \u00e9"#.utf8)
        var accepted = 0
        for _ in 0..<inputs {
            var bytes = seeds[random.below(seeds.count)]
            for _ in 0..<random.below(4) {
                let position = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[position] = alphabet[random.below(alphabet.count)]
                case 1: bytes.insert(alphabet[random.below(alphabet.count)], at: position)
                default: bytes[position] = random.value()
                }
            }
            do throws(V1Error) {
                let request = try V1Request(line: ByteBuffer(bytes: bytes))
                // What was read is written so that it is read again.
                var buffer = ByteBuffer()
                request.writeLine(into: &buffer)
                let again = try V1Request(line: buffer)
                #expect(again == request)
                accepted += 1
            } catch {
                _ = error.closesConnection
            }
            _ = try? V1Reply(line: ByteBuffer(bytes: bytes))
        }
        #expect(accepted > inputs / 10 && accepted < inputs)
        print("fuzz: \(inputs) lines of the legacy protocol, \(accepted) were requests")
    }
}
