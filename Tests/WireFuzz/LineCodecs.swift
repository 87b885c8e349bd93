//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// The lines of the legacy protocol, each made of a text that has the right shape more often than noise would.
let lineCodecs: [Codec] = lines.map { $0.text() }

private let lines: [Codec] = [
    line("V1JSON", write: { $0.write(into: &$1) }, read: { (line) throws(V1Error) in try V1JSON(line: line) }) {
        json(&$0, depth: 4)
    },
    line("V1Call", write: { $0.writeLine(into: &$1) }, read: { (line) throws(V1Error) in try V1Call(line: line) }) {
        call(&$0)
    },
    line("V1Request", write: { $0.writeLine(into: &$1) }, read: { (line) throws(V1Error) in try V1Request(line: line) }) {
        random in
        // Most commands take what random arguments are not.
        (try? V1Request(call(&random))) ?? .jobKeepalive(job: Int(random.word()))
    },
    line("V1Reply", write: { $0.writeLine(into: &$1) }, read: { (line) throws(V1Error) in try V1Reply(line: line) }) {
        random in
        switch random.next() % 4 {
        case 0: .returned(json(&random, depth: 3))
        case 1: .exception(random.text(upTo: 30))
        case 2: .jobsChanged((0..<Int(random.next() % 5)).map { _ in Int(random.word()) })
        default: .machinesChanged((0..<Int(random.next() % 5)).map { _ in random.text(upTo: 8) })
        }
    },
    object("V1JobState", ["state", "power", "keepalive", "reason", "start_time", "keepalivehost"], { $0.json }) {
        (json) throws(V1Error) in try V1JobState(json)
    },
    object("V1MachineInfo", ["width", "height", "connections", "machine_name", "boards"], { $0.json }) {
        (json) throws(V1Error) in try V1MachineInfo(json)
    },
    object(
        "V1Job",
        [
            "job_id", "owner", "start_time", "keepalive", "state", "power", "args", "kwargs", "allocated_machine_name",
            "boards", "keepalivehost",
        ], { $0.json }
    ) { (json) throws(V1Error) in try V1Job(json) },
    object("V1Machine", ["name", "tags", "width", "height", "dead_boards", "dead_links"], { $0.json }) {
        (json) throws(V1Error) in try V1Machine(json)
    },
    object("V1Place", ["machine", "logical", "physical", "chip", "board_chip", "job_id", "job_chip"], { $0.json }) {
        (json) throws(V1Error) in try V1Place(json)
    },
]

private func line<Message: Equatable & Sendable>(
    _ name: String, write: @escaping @Sendable (Message, inout ByteBuffer) -> Void,
    read: @escaping @Sendable (ByteBuffer) throws(V1Error) -> Message,
    random: @escaping @Sendable (inout Seeded) throws -> Message
) -> Codec {
    Codec(
        name, minimum: 1, random: random, write: write,
        read: { (buffer) throws(WireError) in
            do throws(V1Error) {
                return try read(buffer)
            } catch {
                throw .badText(message: name, field: error.description)
            }
        })
}

/// An object with those members. What is random of it are the values; few such make one, so an input that reads as none
/// stands for an empty one.
private func object<Message: Equatable & Sendable>(
    _ name: String, _ members: [String], _ json: @escaping @Sendable (Message) -> V1JSON,
    read: @escaping @Sendable (V1JSON) throws(V1Error) -> Message
) -> Codec {
    Codec(name, minimum: 1) { random in
        var values: [String: V1JSON] = [:]
        for member in members where random.next() % 16 != 0 { values[member] = likely(&random, member) }
        var bytes = ByteBuffer()
        V1JSON.object(values).write(into: &bytes)
        return bytes
    } isStable: { (bytes) throws(WireError) in
        let message: Message
        do throws(V1Error) {
            message = try read(try V1JSON(line: Codec.slice(bytes)))
        } catch {
            throw .badText(message: name, field: error.description)
        }
        var again = ByteBuffer()
        json(message).write(into: &again)
        guard let second = try? read(V1JSON(line: again)) else { return false }
        return second == message
    }
}

/// A value of the kind that a member of that name has, mostly.
private func likely(_ random: inout Seeded, _ member: String) -> V1JSON {
    func number(_ random: inout Seeded) -> V1JSON { .integer(Int(random.next() % 12)) }
    func numbers(_ random: inout Seeded, _ count: Int) -> V1JSON { .array((0..<count).map { _ in number(&random) }) }
    func lists(_ random: inout Seeded, _ count: Int) -> V1JSON {
        .array((0..<Int(random.next() % 4)).map { _ in numbers(&random, count) })
    }
    guard random.next() % 16 != 0 else { return json(&random, depth: 2) }
    switch member {
    case "state", "width", "height", "job_id": return number(&random)
    case "keepalive", "start_time": return random.next() % 2 == 0 ? .null : .number(Double(random.word()) / 8)
    case "power": return random.next() % 2 == 0 ? .null : .bool(random.next() % 2 == 0)
    case "boards", "dead_boards", "logical": return member == "logical" ? numbers(&random, 3) : lists(&random, 3)
    case "physical": return numbers(&random, 3)
    case "chip", "board_chip", "job_chip": return random.next() % 3 == 0 ? .null : numbers(&random, 2)
    case "dead_links": return lists(&random, 4)
    case "connections":
        return .array(
            (0..<Int(random.next() % 3)).map { _ in .array([numbers(&random, 2), .string(random.text(upTo: 12))]) })
    case "tags": return .array((0..<Int(random.next() % 3)).map { _ in .string(random.text(upTo: 6)) })
    case "args": return lists(&random, 1)
    case "kwargs": return .object([random.text(upTo: 4): number(&random)])
    default: return .string(random.text(upTo: 12))
    }
}

private func json(_ random: inout Seeded, depth: Int) -> V1JSON {
    switch random.next() % (depth > 0 ? 7 : 5) {
    case 0: return .null
    case 1: return .bool(random.next() % 2 == 0)
    case 2: return .integer(Int(truncatingIfNeeded: random.next()) >> Int(random.next() % 64))
    case 3: return .number(Double(Int32(bitPattern: random.integer())) / 16 + 1 / 32)
    case 4: return .string(text(&random))
    case 5: return .array((0..<Int(random.next() % 4)).map { _ in json(&random, depth: depth - 1) })
    default:
        var members: [String: V1JSON] = [:]
        for _ in 0..<random.next() % 4 { members[text(&random)] = json(&random, depth: depth - 1) }
        return .object(members)
    }
}

/// Any scalars, those that JSON has to escape among them.
private func text(_ random: inout Seeded) -> String {
    var scalars = String.UnicodeScalarView()
    for _ in 0..<random.next() % 8 {
        let limit: UInt32 = random.next() % 2 == 0 ? 0x80 : 0x11_0000
        if let scalar = Unicode.Scalar(random.integer(UInt32.self) % limit) { scalars.append(scalar) }
    }
    return String(scalars)
}

private func call(_ random: inout Seeded) -> V1Call {
    let commands: [(String, [String])] = [
        ("version", []), ("create_job", ["owner", "keepalive", "machine", "tags", "min_ratio", "max_dead_boards"]),
        ("job_keepalive", ["job_id"]), ("get_job_state", ["job_id"]), ("get_job_machine_info", ["job_id"]),
        ("power_on_job_boards", ["job_id"]), ("power_off_job_boards", ["job_id"]), ("destroy_job", ["job_id", "reason"]),
        ("notify_job", ["job_id"]), ("no_notify_job", ["job_id"]), ("notify_machine", ["machine_name"]),
        ("no_notify_machine", ["machine_name"]), ("list_jobs", []), ("list_machines", []),
        ("get_board_position", ["machine_name", "x", "y", "z"]), ("get_board_at_position", ["machine_name", "x", "y", "z"]),
        ("where_is", ["machine", "chip_x", "chip_y"]), ("where_is", ["job_id", "chip_x", "chip_y"]),
        ("where_is", ["machine", "x", "y", "z"]), ("where_is", ["machine", "cabinet", "frame", "board"]),
    ]
    let (command, names) = commands[Int(random.next() % UInt64(commands.count))]
    var call = V1Call(command: command)
    for name in names where random.next() % 16 != 0 {
        call.kwargs[name] =
            switch name {
            case "owner", "machine", "machine_name", "reason": .string(random.text(upTo: 8))
            case "tags": .array([.string(random.text(upTo: 4))])
            case "keepalive", "min_ratio": .number(Double(random.next() % 100) / 4)
            default: .integer(Int(random.next() % 20))
            }
    }
    if command == "create_job" {
        call.args = (0..<Int(random.next() % 4)).map { _ in .integer(Int(random.next() % 10)) }
    }
    return call
}
