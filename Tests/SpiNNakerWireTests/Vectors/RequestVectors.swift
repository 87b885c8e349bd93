//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// SCP requests to chips and BMPs: ours from the arguments must be their bytes, and their bytes must be ours.
let requestFamilies: VectorFamilies = [
    "scp-request": checkRequest,
    "bmp-request": checkRequest,
    "scp-request-error": checkRefusal,
    "util/address_length_dtype": { vector in
        var outcome = Outcome()
        for row in vector.decoded.array ?? [] {
            guard let address = row[0]?.int, let size = row[1]?.int else { throw VectorShapeError(vector, "row") }
            let unit = TransferUnit.fitting(address: 0x6000_0000 + UInt32(address), size: 4 + size)
            outcome.expect("unit of \(address), \(size)", unit.rawValue, row[2])
        }
        return outcome
    },
]

/// What ours is, with its type forgotten: the packet, and whether the type reads its own words back.
private struct Ours {
    let packet: SCPPacket
    let readsBack: Bool

    init<Request: SCPRequest>(_ request: Request, to core: CoreID) throws {
        self.packet = SCPPacket(request, to: core, sequence: 0)
        self.readsBack = try Request(arguments: request.arguments, data: request.data) == request
    }
}

private func checkRequest(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    var packet: SCPPacket
    if vector.class == "reprogram_tag_to_listener" {
        packet = .reprogramTag(
            try vector.integer("tag"), of: ChipID(x: try vector.integer("x"), y: try vector.integer("y")),
            strip: try vector.flag("strip"))
    } else {
        let ours = try ourRequest(vector)
        outcome.expect("read back", ours.readsBack, true)
        packet = ours.packet
        packet.sequence = try vector.integer("sequence")
        if vector.args["connection_chip"] != nil { packet.header.sourceChip = try vector.chip("connection_chip") }
    }
    var written = ByteBuffer()
    packet.writeDatagram(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)

    let read = try SCPPacket(datagram: vector.image())
    outcome.expect("round trip", read, packet)
    outcome.expect(read.header, vector.decoded["sdp"])
    outcome.expect("cmd", read.command.rawValue, vector.decoded["cmd"])
    outcome.expect("seq", read.sequence, vector.decoded["seq"])
    outcome.expect("arg1", read.arguments.arg1, vector.decoded["arg1"])
    outcome.expect("arg2", read.arguments.arg2, vector.decoded["arg2"])
    outcome.expect("arg3", read.arguments.arg3, vector.decoded["arg3"])
    outcome.expect("data", Outcome.hex(read.data.readableBytesView), vector.decoded["data"])
    return outcome
}

extension GoldenVector {
    fileprivate func target() throws -> CoreID {
        CoreID(chip: ChipID(x: try self.integer("x"), y: try self.integer("y")), p: self.optional("p", default: 0))
    }
    fileprivate func board() throws -> CoreID { CoreID(0, 0, try self.integer("board")) }

    fileprivate func start() throws -> ApplicationStart {
        let cores: [UInt8] = self.args["processors"]?.isNull == false ? try self.integers("processors") : []
        return ApplicationStart(
            application: try self.integer("app_id"), cores: CoreMask(cores: cores), wait: try self.flag("wait"))
    }
    fileprivate func link() throws -> Link {
        guard let link = Link(rawValue: try self.integer("link")) else { throw VectorShapeError(self, "link") }
        return link
    }
    /// One board or several, as a mask.
    fileprivate func boards() throws -> [UInt8] {
        if let one = self.args["boards"]?.int { return [UInt8(truncatingIfNeeded: one)] }
        return try self.integers("boards")
    }
    fileprivate func data() throws -> ByteBuffer {
        let bytes = try self.argumentBytes("data")
        let offset: Int = self.args["offset"]?.int ?? 0
        let length: Int = self.args["length"]?.int ?? bytes.count - offset
        return ByteBuffer(bytes: bytes[offset..<(offset + length)])
    }
}

private let root = CoreID.monitor(of: .root)

private func ourRequest(_ vector: GoldenVector) throws -> Ours {
    switch vector.class {
    case "GetVersion": return try Ours(GetVersion(), to: vector.target())
    case "ReadMemory":
        return try Ours(ReadMemory(address: vector.integer("base_address"), size: vector.integer("size")), to: vector.target())
    case "WriteMemory":
        return try Ours(WriteMemory(address: vector.integer("base_address"), data: vector.data()), to: vector.target())
    case "ReadLink":
        return try Ours(
            ReadLink(address: vector.integer("base_address"), size: vector.integer("size"), link: vector.link()),
            to: vector.target())
    case "WriteLink":
        return try Ours(
            WriteLink(address: vector.integer("base_address"), data: vector.data(), link: vector.link()), to: vector.target())
    case "FillRequest":
        return try Ours(
            FillMemory(address: vector.integer("base_address"), word: vector.integer("data"), size: vector.integer("size")),
            to: vector.target())
    case "CountState":
        return try Ours(
            CountCores(application: vector.integer("app_id"), state: CoreState(rawValue: vector.integer("state"))),
            to: vector.target())
    case "SendSignal":
        let signal = Signal(rawValue: try vector.integer("signal"))
        guard signal.type.rawValue == (try vector.integer("signal_type")) else {
            throw VectorShapeError(vector, "our signal type")
        }
        return try Ours(SendSignal(signal, application: vector.integer("app_id")), to: root)
    case "AppStop": return try Ours(NearestNeighbourPacket.stop(application: vector.integer("app_id")), to: root)
    case "DoSync": return try Ours(SetSynchronisation(enabled: vector.flag("do_sync")), to: root)
    case "ApplicationRun": return try Ours(RunApplication(vector.start()), to: vector.target())
    case "AppCopyRun":
        return try Ours(
            CopyAndRunApplication(
                from: vector.link(), size: vector.integer("size"), checksum: vector.integer("checksum"), start: vector.start()),
            to: vector.target())
    case "FloodFillStart":
        let chip: ChipID? =
            vector.args["x"]?.isNull == false && vector.args["x"] != nil
            ? ChipID(x: try vector.integer("x"), y: try vector.integer("y")) : nil
        return try Ours(
            NearestNeighbourPacket.floodFillStart(
                id: vector.integer("nearest_neighbour_id"), blocks: vector.integer("n_blocks"),
                region: chip.map(NearestNeighbourPacket.region(of:)) ?? NearestNeighbourPacket.allChips),
            to: root)
    case "FloodFillData":
        return try Ours(
            FloodFillData(
                id: vector.integer("nearest_neighbour_id"), block: vector.integer("block_no"),
                address: vector.integer("base_address"), data: vector.data()),
            to: root)
    case "FloodFillEnd":
        let start = vector.args["app_id"] == nil ? nil : try vector.start()
        return try Ours(NearestNeighbourPacket.floodFillEnd(id: vector.integer("nearest_neighbour_id"), start), to: root)
    default: return try ourTableRequest(vector)
    }
}

/// Tags, memory and routes.
private func ourTableRequest(_ vector: GoldenVector) throws -> Ours {
    switch vector.class {
    case "IPTagSet":
        let octets: [UInt8] = try vector.integers("host")
        let address = IPv4Address(octets[0], octets[1], octets[2], octets[3])
        return try Ours(
            SetIPTag(
                tag: vector.integer("tag"), address: address, port: vector.integer("port"), strip: vector.flag("strip"),
                useSender: vector.flag("use_sender")),
            to: vector.target())
    case "ReverseIPTagSet":
        let core = CoreID(
            try vector.integer("destination_x"), try vector.integer("destination_y"), try vector.integer("destination_p"))
        return try Ours(
            SetReverseIPTag(
                tag: vector.integer("tag"), port: vector.integer("port"), core: core, sdpPort: vector.integer("sdp_port")),
            to: vector.target())
    case "IPTagClear": return try Ours(ClearIPTag(tag: vector.integer("tag")), to: vector.target())
    case "IPTagGet": return try Ours(GetIPTags(tag: vector.integer("tag")), to: vector.target())
    case "IPTagSetTTO": return try Ours(SetIPTagTimeout(code: vector.integer("timeout")), to: vector.target())
    case "IPTagGetInfo": return try Ours(SetIPTagTimeout(code: nil), to: vector.target())
    case "RouterAlloc":
        return try Ours(
            AllocateRouterEntries(count: vector.integer("n_entries"), application: vector.integer("app_id")),
            to: vector.target())
    case "RouterInit":
        return try Ours(
            LoadRouter(
                count: vector.integer("n_entries"), application: vector.integer("app_id"),
                table: vector.integer("table_address"),
                first: vector.integer("base_address")),
            to: vector.target())
    case "RouterClear": return try Ours(ClearRouter(), to: vector.target())
    case "FixedRouteInit":
        return try Ours(
            SetFixedRoute(RouteWord(rawValue: vector.integer("entry")), application: vector.integer("app_id")),
            to: vector.target())
    case "FixedRouteRead": return try Ours(GetFixedRoute(application: vector.integer("app_id")), to: vector.target())
    case "SDRAMAlloc":
        let tag: UInt8? = vector.args["tag"]?.isNull == true ? nil : try vector.integer("tag")
        return try Ours(
            AllocateSDRAM(
                size: vector.integer("size"), application: vector.integer("app_id"), tag: tag,
                mayRepeat: vector.flag("retry_tag")),
            to: vector.target())
    case "SDRAMDeAlloc":
        if vector.args["base_address"]?.isNull == false {
            return try Ours(FreeSDRAM(address: vector.integer("base_address")), to: vector.target())
        }
        return try Ours(FreeSDRAMOfApplication(application: vector.integer("app_id")), to: vector.target())
    case "GetChipInfo": return try Ours(GetChipInfo(withSize: vector.flag("with_size")), to: vector.target())
    case "SetLED":
        var actions = LEDActions()
        guard case .object(let states)? = vector.args["led_states"] else { throw VectorShapeError(vector, "led_states") }
        for (led, state) in states {
            // Their chip states: 0 off, 1 on, 2 toggle.
            guard let led = UInt8(led), let state = state.int, (0...2).contains(state) else {
                throw VectorShapeError(vector, "LED")
            }
            actions[led] = [LEDAction.off, .on, .toggle][state]
        }
        return try Ours(
            SetLEDs(actions), to: CoreID(vector.integer("x"), vector.integer("y"), vector.integer("cpu")))
    default: return try ourBMPRequest(vector)
    }
}

private func ourBMPRequest(_ vector: GoldenVector) throws -> Ours {
    switch vector.class {
    case "BMPGetVersion", "BMPConnection.get_scp_data": return try Ours(GetVersion(), to: vector.board())
    case "ReadADC": return try Ours(GetBoardStatus(), to: vector.board())
    case "SetPower":
        let mask = try vector.boards().reduce(UInt32(0)) { $0 | 1 << UInt32($1) }
        let delay: UInt16 =
            if case .number(let seconds)? = vector.args["delay"] { UInt16(seconds * 1000) } else { 0 }
        return try Ours(
            SetBoardPower(on: vector.integer("command", as: Int.self) == 1, boards: mask, delay: delay),
            to: CoreID(0, 0, vector.optional("board_to_send_to", default: 0)))
    case "ReadFPGARegister":
        return try Ours(
            ReadFPGARegister(fpga: vector.integer("fpga_num"), register: vector.integer("register")), to: vector.board())
    case "WriteFPGARegister":
        return try Ours(
            WriteFPGARegister(
                fpga: vector.integer("fpga_num"), register: vector.integer("address"), value: vector.integer("value")),
            to: vector.board())
    case "BMPSetLed":
        let boards = try vector.boards()
        var actions = LEDActions()
        guard let action = LEDAction(rawValue: try vector.integer("action")) else { throw VectorShapeError(vector, "action") }
        let leds: [UInt8] = vector.args["led"]?.int == nil ? try vector.integers("led") : [try vector.integer("led")]
        for led in leds { actions[led] = action }
        return try Ours(
            SetBoardLEDs(actions, boards: boards.reduce(0) { $0 | 1 << UInt32($1) }), to: CoreID(0, 0, boards.min() ?? 0))
    default: throw VectorShapeError(vector, "request of ours for class \(vector.class)")
    }
}

/// Arguments that theirs refuses when it builds the request. Ours have no such value in their types, or throw.
private func checkRefusal(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let isRefused: Bool
    switch vector.class {
    case "SendSignal": isRefused = UInt8(exactly: try vector.integer("app_id", as: Int.self)) == nil
    case "SDRAMAlloc": isRefused = UInt8(exactly: try vector.integer("tag", as: Int.self)) == nil
    case "AppCopyRun":
        let start = ApplicationStart(application: 17, cores: CoreMask(cores: [1]))
        isRefused =
            (try? CopyAndRunApplication(from: .east, size: try vector.integer("size"), checksum: 0, start: start)) == nil
    case "RouterInit":
        let table: UInt32? = UInt32(exactly: try vector.integer("table_address", as: Int.self))
        let first: UInt32? = UInt32(exactly: try vector.integer("base_address", as: Int.self))
        isRefused =
            table.flatMap { table in
                first.flatMap { first in
                    try? LoadRouter(count: try vector.integer("n_entries"), application: 1, table: table, first: first)
                }
            } == nil
    default: throw VectorShapeError(vector, "refusal")
    }
    outcome.expect("refused", isRefused, vector.decoded["raises"] != nil)
    return outcome
}
