//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// EIEIO data, commands and live input.
let eieioFamilies: VectorFamilies = [
    "eieio-header": { vector in
        var outcome = Outcome()
        let header = try EIEIODataHeader(
            type: try vector.eieioType(), count: try vector.integer("count"), tag: try vector.integer("tag"))
        var buffer = ByteBuffer()
        header.write(into: &buffer)
        outcome.expect("hex", bytes: buffer, vector.bytes)
        outcome.expect("size", header.size, vector.decoded["size"])
        outcome.expect("header", try EIEIODataHeader(from: &buffer), header)
        return outcome
    },
    "eieio-data": { vector in
        var outcome = Outcome()
        let keys = try vector.integers("keys", as: UInt32.self)
        let header = try vector.eieioHeader()
        var writer = EIEIODataWriter(header)
        if let payloads = vector.args["payloads"]?.array {
            for (key, payload) in zip(keys, payloads) {
                guard let payload = payload.int.flatMap({ UInt32(exactly: $0) }) else {
                    throw VectorShapeError(vector, "payloads")
                }
                outcome.expect("room", try writer.append(key: key, payload: payload), true)
            }
        } else {
            for key in keys { outcome.expect("room", try writer.append(key: key), true) }
        }
        outcome.expect("hex", bytes: writer.finish(), vector.bytes)
        outcome.expectData(try EIEIODataMessage(datagram: try vector.image()), vector.decoded)
        return outcome
    },
    "eieio-decode": { vector in
        var outcome = Outcome()
        switch try EIEIOMessage(datagram: try vector.image()) {
        case .data(let message):
            outcome.expectData(message, vector.decoded)
            var again = ByteBuffer()
            message.write(into: &again)
            outcome.expect("hex", bytes: again, vector.bytes)
        case .command(.requestReadData(let request)):
            outcome.expectRequest(request, vector.decoded, spaceKey: "space")
            outcome.expect("hex", bytes: encoded(.requestReadData(request)), vector.bytes)
        case .command(let command):
            outcome.expect("command", command.id.rawValue, vector.decoded["command"])
            outcome.expect("hex", bytes: encoded(command), vector.bytes)
        }
        return outcome
    },
    "eieio-command": { vector in
        var outcome = Outcome()
        let decoded = try EIEIOCommand(datagram: try vector.image())
        if let number = vector.decoded["command"] { outcome.expect("command", decoded.id.rawValue, number) }
        let made: EIEIOCommand
        switch vector.class {
        case "NotificationProtocolDatabaseLocation":
            let path = vector.args["path"]?.string
            outcome.expect("raises", nil, vector.decoded["raises"]?.string)
            outcome.expect("command", decoded, .database(path: path))
            made = .database(path: path)
        case "PaddingRequest": made = .eventPadding
        case "EventStopRequest": made = .eventStop
        case "StartRequests": made = .startSendingRequests
        case "NotificationProtocolPauseStop": made = .stopPause
        case "NotificationProtocolStartResume": made = .startResume
        case "HostDataReadAck": made = .dataReadAck(sequence: try vector.integer("sequence_no"))
        case "SpinnakerRequestBuffers":
            made = .requestBuffers(
                RequestBuffers(
                    core: try vector.core(), region: try vector.integer("region_id"),
                    sequence: try vector.integer("sequence_no"), space: try vector.integer("space_available")))
            outcome.expect("fields", decoded, made)
        case "HostSendSequencedData":
            let sent = SequencedData(
                region: try vector.integer("region_id"), sequence: try vector.integer("sequence_no"),
                data: ByteBuffer(bytes: try vector.argumentBytes("inner")))
            made = .sequencedData(sent)
            outcome.expect("fields", decoded, made)
            let inner = vector.decoded["inner_header"]
            outcome.expect("inner count", try sent.message.header.count, inner?["count"])
            outcome.expect("inner type", typeNames[Int(try sent.message.header.type.rawValue)], inner?["type"])
        case "SpinnakerRequestReadData":
            guard case .requestReadData(let read) = decoded else { throw VectorShapeError(vector, "read request") }
            outcome.expectRequest(read, vector.decoded, spaceKey: "space_to_be_read")
            let channels = try vector.list("channel", as: UInt8.self)
            let regions = try vector.list("region_id", as: UInt8.self)
            let addresses = try vector.list("start_address", as: UInt32.self)
            let sizes = try vector.list("space", as: UInt32.self)
            made = .requestReadData(
                try RequestReadData(
                    core: try vector.core(), sequence: try vector.integer("sequence_no"),
                    requests: channels.indices.map {
                        .init(channel: channels[$0], region: regions[$0], address: addresses[$0], size: sizes[$0])
                    }))
        case "HostDataRead":
            let channels = try vector.list("channel", as: UInt8.self)
            let regions = try vector.list("region_id", as: UInt8.self)
            let sizes = try vector.list("space_read", as: UInt32.self)
            made = .dataRead(
                try DataRead(
                    sequence: try vector.integer("sequence_no"),
                    regions: channels.indices.map { .init(channel: channels[$0], region: regions[$0], size: sizes[$0]) }))
            outcome.expect("fields", decoded, made)
        default: throw VectorShapeError(vector, "class that is known here")
        }
        outcome.expect("hex", bytes: encoded(made), vector.bytes)
        outcome.expect("hex again", bytes: encoded(decoded), vector.bytes)
        return outcome
    },
    "eieio-classify": { vector in
        var outcome = Outcome()
        outcome.expect(
            "is_command", EIEIOMessage.isCommand(try vector.integer("first_half")), vector.decoded["is_command"])
        // The image is the first half word alone: a prefix that it announces is missing.
        guard let word = try vector.image().getInteger(at: 0, endianness: .little, as: UInt16.self) else {
            throw VectorShapeError(vector, "first half word")
        }
        outcome.expect("is_command of the bytes", EIEIOMessage.isCommand(word), vector.decoded["is_command"])
        return outcome
    },
    "eieio-error": { vector in
        var outcome = Outcome()
        var error: WireError?
        var none = false
        do throws(WireError) {
            switch vector.class {
            case "key-too-big":
                var writer = EIEIODataWriter(EIEIODataHeader(.key16))
                _ = try writer.append(key: 65536)
            case "payload-too-big":
                var writer = EIEIODataWriter(EIEIODataHeader(.keyPayload16))
                _ = try writer.append(key: 1, payload: 65536)
            case "no-payload-type":
                var writer = EIEIODataWriter(EIEIODataHeader(.key32))
                _ = try writer.append(key: 1, payload: 1)
            case "needs-payload":
                var writer = EIEIODataWriter(EIEIODataHeader(.keyPayload32))
                _ = try writer.append(key: 1)
            case "command-header":
                var buffer = ByteBuffer(bytes: [0x00, 0x40])
                _ = try EIEIODataHeader(from: &buffer)
            case "command-range": none = EIEIOCommandID(rawValue: 16384) == nil
            default: break
            }
        } catch let caught {
            error = caught
        }
        outcome.expect("refused", error != nil || none, vector.decoded["raises"] != nil)
        return outcome
    },
    "eieio-live": { vector in
        vector.id.hasPrefix("live.recv.") ? try vector.checkReceived() : try vector.checkSent()
    },
    "enum/EIEIOType": { vector in
        var outcome = Outcome()
        for type in EIEIOType.allCases {
            outcome.expect("\(type)", type.rawValue, vector.decoded[typeNames[Int(type.rawValue)]])
        }
        return outcome
    },
    "enum/EIEIOPrefix": { vector in
        var outcome = Outcome()
        // The value is bit 6 of the flags.
        outcome.expect("lower", EIEIOPrefix.lower(1).mask, vector.decoded["LOWER_HALF_WORD"]?.int == 0 ? 1 : nil)
        outcome.expect("upper", EIEIOPrefix.upper(1).mask, vector.decoded["UPPER_HALF_WORD"]?.int == 1 ? 0x10000 : nil)
        return outcome
    },
    "enum/EIEIO_COMMAND_IDS": { vector in
        var outcome = Outcome()
        let ids: [(String, EIEIOCommandID)] = [
            ("DATABASE", .database), ("EVENT_PADDING", .eventPadding), ("EVENT_STOP", .eventStop),
            ("STOP_SENDING_REQUESTS", .stopSendingRequests), ("START_SENDING_REQUESTS", .startSendingRequests),
            ("SPINNAKER_REQUEST_BUFFERS", .requestBuffers), ("HOST_SEND_SEQUENCED_DATA", .sequencedData),
            ("SPINNAKER_REQUEST_READ_DATA", .requestReadData), ("HOST_DATA_READ", .dataRead),
            ("STOP_PAUSE_NOTIFICATION", .stopPause), ("START_RESUME_NOTIFICATION", .startResume),
            ("HOST_DATA_READ_ACK", .dataReadAck),
        ]
        for (name, id) in ids { outcome.expect(name, id.rawValue, vector.decoded[name]) }
        return outcome
    },
]

/// Where SpiNNMan's EIEIO code is wrong (eieio.md §3).
let eieioExceptions: [VectorException] = [
    VectorException(
        "eieio.cmd.database.path", field: "raises", "SpiNNMan refuses to decode a path; a visualiser needs it"),
    VectorException(
        "eieio.cmd.database.utf8", field: "raises", "SpiNNMan refuses to decode a path; a visualiser needs it"),
    VectorException(
        "eieio.cmd.send-sequenced", field: "inner count", "SpiNNMan parses the message inside two bytes too early"),
    VectorException(
        "eieio.cmd.send-sequenced", field: "inner type", "SpiNNMan parses the message inside two bytes too early"),
    VectorException(
        "eieio.cmd.request-read.1", field: "hex",
        "SpiNNMan's encoder writes x before y; boards, and its decoder, have y first"),
    VectorException(
        "eieio.cmd.request-read.2", field: "hex",
        "SpiNNMan's encoder writes x before y, and the first address for every request"),
]

private let typeNames = ["KEY_16_BIT", "KEY_PAYLOAD_16_BIT", "KEY_32_BIT", "KEY_PAYLOAD_32_BIT"]

private func encoded(_ command: EIEIOCommand) -> ByteBuffer {
    var buffer = ByteBuffer()
    command.write(into: &buffer)
    return buffer
}

extension Outcome {
    fileprivate mutating func expectData(_ message: EIEIODataMessage, _ decoded: JSON) {
        let header = message.header
        self.expect("count", header.count, decoded["count"])
        self.expect("type", typeNames[Int(header.type.rawValue)], decoded["type"])
        self.expect("tag", header.tag, decoded["tag"])
        self.expect("is_time", header.payloadsAreTimestamps, decoded["is_time"])
        self.expect("header_size", header.size, decoded["header_size"])
        self.expect("max_n_elements", header.maximumElements, decoded["max_n_elements"])
        self.expect("min_packet_length", header.minimumLength, decoded["min_packet_length"])
        self.expect("size", header.size + header.bodySize, decoded["size"])
        self.expect("payload_base", header.payloadBase.map { Int($0) }, decoded["payload_base"]?.int)
        switch header.prefix {
        case nil:
            self.expect("prefix", nil, decoded["prefix"]?.int)
        case .lower(let bits):
            self.expect("prefix", bits, decoded["prefix"])
            self.expect("prefix_type", "LOWER_HALF_WORD", decoded["prefix_type"])
        case .upper(let bits):
            self.expect("prefix", bits, decoded["prefix"])
            self.expect("prefix_type", "UPPER_HALF_WORD", decoded["prefix_type"])
        }
        guard let elements = try? message.elements else {
            self.expect("elements_error", true, decoded["elements_error"] != nil)
            self.expect("complete", message.isComplete, false)
            return
        }
        self.expect("complete", message.isComplete, true)
        let theirs = decoded["elements"]?.array?.map { element in
            EIEIOElement(
                key: UInt32(element["key"]?.int ?? -1), payload: element["payload"]?.int.map { UInt32($0) },
                isTimestamp: element["is_time"]?.bool ?? false)
        }
        self.expect("elements", Array(elements), theirs)
    }

    fileprivate mutating func expectRequest(_ request: RequestReadData, _ decoded: JSON, spaceKey: String) {
        self.expect("x", request.core.chip.x, decoded["x"])
        self.expect("y", request.core.chip.y, decoded["y"])
        self.expect("p", request.core.p, decoded["p"])
        self.expect("sequence_no", request.sequence, decoded["sequence_no"])
        self.expect("n_requests", request.requests.count, decoded["n_requests"])
        self.expect("channel", request.requests.map { Int($0.channel) }, decoded["channel"])
        self.expect("region_id", request.requests.map { Int($0.region) }, decoded["region_id"])
        self.expect("start_address", request.requests.map { Int($0.address) }, decoded["start_address"])
        self.expect(spaceKey, request.requests.map { Int($0.size) }, decoded[spaceKey])
    }
}

extension GoldenVector {
    fileprivate func eieioType() throws -> EIEIOType {
        guard let type = EIEIOType(rawValue: try self.integer("eieio_type")) else { throw VectorShapeError(self, "eieio_type") }
        return type
    }

    fileprivate func eieioHeader() throws -> EIEIODataHeader {
        var prefix: EIEIOPrefix?
        if self.args["key_prefix"] != nil {
            let bits = try self.integer("key_prefix", as: UInt16.self)
            prefix = self.args["prefix_type"]?.string == "UPPER_HALF_WORD" ? .upper(bits) : .lower(bits)
        }
        let time = self.args["timestamp"]?.int
        let base = (time ?? self.args["payload_prefix"]?.int).map { UInt32($0) }
        return try EIEIODataHeader(
            type: try self.eieioType(), prefix: prefix, payloadBase: base, payloadsAreTimestamps: time != nil)
    }

    fileprivate func core() throws -> CoreID {
        CoreID(try self.integer("x"), try self.integer("y"), try self.integer("p"))
    }

    /// A list, or a single number for a list of one.
    fileprivate func list<Value: FixedWidthInteger>(_ key: String, as _: Value.Type) throws -> [Value] {
        self.args[key]?.int != nil ? [try self.integer(key)] : try self.integers(key)
    }

    /// `live.send.*` and `eieio.live-input.*`: the datagrams to a core that takes live input.
    fileprivate func checkSent() throws -> Outcome {
        var outcome = Outcome()
        let core = try self.core()
        if let hex = self.bytes {
            let type: EIEIOType = self.id.hasSuffix("half") ? .key16 : .key32
            let made = try LiveInput.datagrams(keys: try self.integers("keys"), type: type, to: core)
            outcome.expect("datagrams", made.count, 1)
            for datagram in made { outcome.expect("hex", bytes: datagram, hex) }
            let message = try SDPMessage(datagram: ByteBuffer(bytes: hex))
            outcome.expect("sdp", message.header, LiveInput.header(to: core))
            outcome.expectData(try EIEIODataMessage(datagram: message.data), self.decoded["eieio"] ?? .null)
            return outcome
        }
        let made: [ByteBuffer]
        // Full keys start at 0x70000 in these vectors: the database of the trace says so.
        let full = self.args["full"]?.bool == true
        switch self.args["atoms"] {
        case .string("range(300)"): made = try LiveInput.datagrams(keys: 0..<300, type: .key16, to: core)
        case .string("range(500)"):
            made = try LiveInput.datagrams(keys: 0x70000..<(0x70000 + 500), type: .key32, to: core)
        case .string("[(i, i+7)] i<40"):
            made = try LiveInput.datagrams(
                events: (0..<40).map { (key: 0x70000 + $0, payload: $0 + 7) }, to: core)
        case .array(let atoms) where atoms.first?.array != nil:
            made = try LiveInput.datagrams(
                events: atoms.map { (key: 0x70000 + UInt32($0[0]?.int ?? 0), payload: UInt32($0[1]?.int ?? 0)) }, to: core)
        case .array(let atoms):
            made = try LiveInput.datagrams(
                keys: atoms.map { UInt32($0.int ?? 0) + (full ? 0x70000 : 0) },
                type: full ? .key32 : .key16, to: core)
        default: throw VectorShapeError(self, "atoms that are known here")
        }
        let sends = self.decoded["events"]?.array?.filter { $0["op"]?.string == "send" } ?? []
        outcome.expect("datagrams", made.map { Outcome.hex($0.readableBytesView) }, sends.compactMap { $0["hex"]?.string })
        let counts = try made.map { try EIEIODataMessage(datagram: try SDPMessage(datagram: $0).data).header.count }
        outcome.expect("n_keys", counts.map { Int($0) }, sends.compactMap { $0["n_keys"]?.int })
        return outcome
    }

    /// `live.recv.*`: what a listener is told, by the rule of eieio.md §5, of keys 0x1000 + i that belong to atom i.
    fileprivate func checkReceived() throws -> Outcome {
        var outcome = Outcome()
        guard case .data(let message) = try EIEIOMessage(datagram: try self.image()) else {
            // Commands are read and dropped.
            outcome.expect("callbacks", self.decoded["callbacks"]?.array?.count, 0)
            return outcome
        }
        var timed: [(time: UInt32, keys: [UInt32])] = []
        var callbacks: [JSON] = []
        for element in try message.elements where (0x1000..<0x1100).contains(element.key) {
            let atom = JSON.integer(Int(element.key) - 0x1000)
            if element.isTimestamp, let time = element.payload {
                if let index = timed.firstIndex(where: { $0.time == time }) {
                    timed[index].keys.append(element.key)
                } else {
                    timed.append((time, [element.key]))
                }
            } else {
                callbacks.append(
                    .array([.string("no-time"), .string("pop"), atom, element.payload.map { .integer(Int($0)) } ?? .null]))
            }
        }
        for (time, keys) in timed {
            let atoms = keys.map { JSON.integer(Int($0) - 0x1000) }
            callbacks.append(.array([.string("time"), .string("pop"), .integer(Int(time)), .array(atoms)]))
            callbacks.append(
                .array([.string("time-keys"), .string("pop"), .integer(Int(time)), .array(keys.map { .integer(Int($0)) })]))
        }
        outcome.expect("callbacks", callbacks, self.decoded["callbacks"]?.array)
        return outcome
    }
}
