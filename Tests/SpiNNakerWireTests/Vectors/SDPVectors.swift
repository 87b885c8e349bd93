//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// SDP headers and messages, and the proxy frames that carry them.
let sdpFamilies: VectorFamilies = [
    "sdp-header": checkHeader,
    "sdp-decode": checkDecode,
    "sdp-message": checkMessage,
    "scp-header": checkSCPHeader,
    "spalloc-ws": checkProxyFrames,
    "util/ProxyProtocol": { vector in
        var outcome = Outcome()
        let theirs = ["OPEN", "CLOSE", "MSG", "OPEN_UNBOUND", "MSG_TO", "ERROR"].map { vector.decoded[$0]?.int }
        outcome.expect("opcodes", ProxyOpcode.allCases.map { Int($0.rawValue) }, theirs.compactMap { $0 })
        return outcome
    },
]

extension Outcome {
    mutating func expect(_ header: SDPHeader, _ theirs: JSON?) {
        self.expect("flags", header.flags.rawValue, theirs?["flags"])
        self.expect("tag", header.tag, theirs?["tag"])
        self.expect("dest_port", header.destination.port, theirs?["dest_port"])
        self.expect("dest_cpu", header.destination.cpu, theirs?["dest_cpu"])
        self.expect("src_port", header.source.port, theirs?["src_port"])
        self.expect("src_cpu", header.source.cpu, theirs?["src_cpu"])
        self.expect("dest_x", header.destinationChip.x, theirs?["dest_x"])
        self.expect("dest_y", header.destinationChip.y, theirs?["dest_y"])
        self.expect("src_x", header.sourceChip.x, theirs?["src_x"])
        self.expect("src_y", header.sourceChip.y, theirs?["src_y"])
    }
}

extension GoldenVector {
    /// Two numbers as a chip.
    func chip(_ key: String) throws -> ChipID {
        let numbers: [UInt8] = try self.integers(key)
        guard numbers.count == 2 else { throw VectorShapeError(self, key) }
        return ChipID(x: numbers[0], y: numbers[1])
    }

    /// Three numbers as a core.
    func core(_ key: String) throws -> CoreID {
        let numbers: [UInt8] = try self.integers(key)
        guard numbers.count == 3 else { throw VectorShapeError(self, key) }
        return CoreID(numbers[0], numbers[1], numbers[2])
    }

    func optional(_ key: String, default value: UInt8) -> UInt8 { self.args[key]?.int.flatMap { UInt8(exactly: $0) } ?? value }
}

private func checkHeader(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let isSending = vector.args["update_for_send"]?.isNull == false
    let header = SDPHeader(
        flags: SDPFlags(rawValue: try vector.integer("flags")),
        tag: vector.optional("tag", default: SDPHeader.transientTag),
        destination: SDPAddress(
            port: vector.optional("destination_port", default: 0), cpu: vector.optional("destination_cpu", default: 0)),
        source: isSending
            ? .ethernet
            : SDPAddress(port: vector.optional("source_port", default: 7), cpu: vector.optional("source_cpu", default: 31)),
        destinationChip: ChipID(
            x: vector.optional("destination_chip_x", default: 0), y: vector.optional("destination_chip_y", default: 0)),
        sourceChip: isSending
            ? try vector.chip("update_for_send")
            : ChipID(x: vector.optional("source_chip_x", default: 0), y: vector.optional("source_chip_y", default: 0)))
    var written = ByteBuffer()
    header.write(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    var image = try vector.image()
    let read = try SDPHeader(from: &image)
    outcome.expect(read, vector.decoded)
    outcome.expect("round trip", read, header)
    return outcome
}

private func checkDecode(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    if vector.class == "SDPHeader.from_bytestring" {
        var image = try vector.image()
        // Theirs refuses the flags byte.
        let ours: String? = (try? SDPHeader(from: &image)) == nil ? "refused" : nil
        outcome.expect("decode", ours, vector.decoded["raises"]?.string == nil ? nil : "refused")
        return outcome
    }
    let message = try SDPMessage(datagram: try vector.image())
    outcome.expect(message.header, vector.decoded["sdp"])
    outcome.expect("data", Outcome.hex(message.data.readableBytesView), vector.decoded["data"])
    var written = ByteBuffer()
    message.writeDatagram(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    return outcome
}

private func checkMessage(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let ours: SDPMessage
    switch vector.class {
    case "SDPMessage":
        let core = try vector.core("destination")
        ours = SDPMessage(RunningCommand(rawValue: try vector.integer("code")), to: core)
        outcome.expect(
            "code", Int((try SDPMessage(datagram: vector.image())).runningCommand?.rawValue ?? 0), vector.args["code"]?.int)
    case "send_port_trigger_message":
        ours = .portTrigger()
        outcome.expect(ours.header, vector.decoded["sdp"])
        var written = ByteBuffer()
        ours.writeDatagram(into: &written)
        outcome.expect("hex", bytes: written, vector.bytes)
        return outcome
    default:
        let flags = SDPFlags(rawValue: try vector.integer("flags"))
        ours = SDPMessage(
            header: SDPHeader(
                flags: flags,
                destination: SDPAddress(
                    port: try vector.integer("destination_port"), cpu: try vector.integer("destination_cpu")),
                destinationChip: try vector.chip("destination"),
                // Their rule: the connection's chip for exactly these flags. The board overwrites it anyway.
                sourceChip: flags == .replyExpected ? try vector.chip("connection_chip") : .origin),
            data: ByteBuffer(bytes: try vector.argumentBytes("data")))
    }
    var written = ByteBuffer()
    ours.writeDatagram(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    let read = try SDPMessage(datagram: vector.image())
    outcome.expect(read.header, vector.decoded["sdp"])
    outcome.expect("data", Outcome.hex(read.data.readableBytesView), vector.decoded["data"])
    outcome.expect("round trip", read, ours)
    return outcome
}

private func checkSCPHeader(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let packet = SCPPacket(
        header: SDPHeader(destination: SDPAddress(byte: 0), destinationChip: .origin),
        command: SCPCommand(rawValue: try vector.integer("command")), sequence: try vector.integer("sequence"),
        arguments: SCPArguments(), data: ByteBuffer())
    var written = ByteBuffer()
    packet.writeDatagram(into: &written)
    outcome.expect("hex", bytes: written.getSlice(at: 10, length: 4) ?? ByteBuffer(), vector.bytes)
    let read = try SCPPacket(
        header: packet.header, body: ByteBuffer(bytes: (vector.bytes ?? []) + [UInt8](repeating: 0, count: 12)))
    outcome.expect("command", read.command.rawValue, vector.decoded["command"])
    outcome.expect("sequence", read.sequence, vector.decoded["sequence"])
    return outcome
}

/// The frames between a job's client and the proxy: what theirs sends must decode and encode to itself, and ours must be
/// the same for the same intent.
private func checkProxyFrames(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    func frame(_ request: ProxyRequest) -> String {
        var buffer = ByteBuffer()
        request.write(into: &buffer)
        return Outcome.hex(buffer.readableBytesView)
    }
    func datagram(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(&buffer)
        return buffer
    }
    for text in vector.decoded["sent"]?.array ?? [] {
        let bytes = ByteBuffer(bytes: GoldenVector.bytes(ofHex: text.string ?? ""))
        outcome.expect("sent", frame(try ProxyRequest(frame: bytes)), text.string)
    }
    for text in vector.decoded["replies"]?.array ?? [] {
        let bytes = ByteBuffer(bytes: GoldenVector.bytes(ofHex: text.string ?? ""))
        let reply = try ProxyReply(frame: bytes)
        outcome.expect("reply", Outcome.hex(datagram { reply.write(into: &$0) }.readableBytesView), text.string)
    }
    let sent = vector.decoded["sent"]?[0]?.string
    switch vector.id {
    case "spalloc.ws.msg":
        let packet = SCPPacket(GetVersion(), to: CoreID(255, 255, 0), sequence: 9)
        var sourced = packet
        sourced.header.sourceChip = ChipID(4, 8)
        let message = ProxyRequest.message(
            channel: try vector.integer("channel"), datagram { sourced.writeDatagram(into: &$0) })
        outcome.expect("ours", frame(message), sent)
    case "spalloc.ws.msg-in":
        guard case .message(let channel, let payload) = try ProxyReply(frame: vector.image()) else {
            throw VectorShapeError(vector, "MESSAGE frame")
        }
        outcome.expect("channel", channel, vector.args["channel"])
        outcome.expect("data", Outcome.hex(payload.readableBytesView), vector.decoded["data"])
        let reply = try SCPReply(datagram: payload)
        outcome.expect("result", reply.result, .ok)
        outcome.expect("sequence", reply.sequence, vector.decoded["sequence"])
        outcome.expect("version", try reply.decode(for: GetVersion.self).versionText, "4.0.0")
        let back = ProxyReply.message(channel: channel, payload)
        outcome.expect("hex", bytes: datagram { back.write(into: &$0) }, vector.bytes)
    case "spalloc.ws.open-boot":
        let endpoint = ProxyEndpoint(
            chip: ChipID(x: try vector.integer("x"), y: try vector.integer("y")), port: try vector.integer("port"))
        outcome.expect("ours", frame(.open(correlation: 2, endpoint)), sent)
        let reply = try ProxyReply(
            frame: ByteBuffer(bytes: GoldenVector.bytes(ofHex: vector.decoded["replies"]?[0]?.string ?? "")))
        outcome.expect("reply", reply, .opened(correlation: 2, channel: 5))
    case "spalloc.ws.open-unbound":
        outcome.expect("ours", frame(.openUnconnected(correlation: 3)), sent)
        let reply = try ProxyReply(
            frame: ByteBuffer(bytes: GoldenVector.bytes(ofHex: vector.decoded["replies"]?[0]?.string ?? "")))
        let theirs = ProxyReply.openedUnconnected(
            correlation: 3, channel: 6, address: IPv4Address(10, 0, 0, 254), port: 50001)
        outcome.expect("reply", reply, theirs)
    case "spalloc.ws.msg-to", "spalloc.ws.eieio-conn.send-core":
        // An EIEIO message of one 32-bit key, in SDP to port 1 of a core: no tag, and no source at all.
        let core = try vector.core("core")
        let message = SDPMessage(
            header: SDPHeader(
                flags: .replyNotExpected, tag: 0, destination: SDPAddress(port: 1, cpu: core.p), source: SDPAddress(byte: 0),
                destinationChip: core.chip),
            data: ByteBuffer(bytes: [1, 8, 1, 0, 7, 0]))
        let payload = datagram { message.writeDatagram(into: &$0) }
        let channel: UInt32 = try vector.integer("channel")
        let isTo = vector.id == "spalloc.ws.msg-to"
        outcome.expect(
            "ours",
            frame(
                isTo
                    ? .messageTo(channel: channel, ProxyEndpoint(chip: ChipID(4, 8), port: SCP.port), payload)
                    : .message(channel: channel, payload)), sent)
    case "spalloc.ws.update-tag":
        let chip = ChipID(x: try vector.integer("x"), y: try vector.integer("y"))
        let packet = SCPPacket.reprogramTag(try vector.integer("tag"), of: chip, strip: true, flags: .replyExpectedNoRouting)
        let message = ProxyRequest.messageTo(
            channel: try vector.integer("channel"), ProxyEndpoint(chip: chip, port: SCP.port),
            datagram { packet.writeDatagram(into: &$0) })
        outcome.expect("ours", frame(message), sent)
    default:
        throw VectorShapeError(vector, "check of ours")
    }
    return outcome
}
