//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Structures in the machine's memory, and addresses.
let structureFamilies: VectorFamilies = [
    "struct-decode/ADCInfo": checkBoardStatus,
    "struct-decode/CPUInfo": checkVCPU,
    "struct-decode/HeapElement": checkHeapBlock,
    "struct-decode/RouterDiagnostics": checkRouterDiagnostics,
    "struct-decode/DiagnosticFilter.read_from_int": checkFilterDecode,
    "struct-encode/DiagnosticFilter": checkFilterEncode,
    "struct-encode/Router.route_word": checkRouteWord,
    "struct-encode/SystemVariableBootValues": { vector in
        var outcome = Outcome()
        let image = SystemVariables.bootDefaults.image
        outcome.expect("hex", bytes: image.getSlice(at: image.readerIndex, length: SV.bootSize) ?? ByteBuffer(), vector.bytes)
        return outcome
    },
    "util/SystemVariableDefinition": checkLayout,
    "util/get_vcpu_address": { vector in
        var outcome = Outcome()
        let core: UInt8 = try vector.integer("p")
        outcome.expect("address", VCPU.address(of: core), vector.decoded["address"])
        outcome.expect("user", (0..<4).map { Int(VCPU.userAddress(of: core, $0)) }, vector.decoded["user"])
        return outcome
    },
    "util/P2PTable.get_n_column_bytes": { vector in
        var outcome = Outcome()
        outcome.expect("bytes", P2PTable.columnSize(height: try vector.integer("height")), vector.decoded["bytes"])
        return outcome
    },
    "util/P2PTable.get_column_offset": { vector in
        var outcome = Outcome()
        let address = P2PTable.columnAddress(try vector.integer("column"))
        outcome.expect("address", address, vector.decoded["address"])
        outcome.expect("offset", address - MemoryMap.p2pTable, vector.decoded["offset"])
        return outcome
    },
    "constants": checkConstants,
]

private func checkBoardStatus(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let status = try BoardStatus(payload: vector.image())
    var written = ByteBuffer()
    status.write(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    func expect(_ field: String, _ ours: Double?) {
        let theirs: Double? =
            switch vector.decoded[field] {
            case .number(let value)?: value
            case .integer(let value)?: Double(value)
            default: nil
            }
        outcome.expect(field, ours, theirs)
    }
    expect("voltage_1_2a", status.voltage1V2a)
    expect("voltage_1_2b", status.voltage1V2b)
    expect("voltage_1_2c", status.voltage1V2c)
    expect("voltage_1_8", status.voltage1V8)
    expect("voltage_3_3", status.voltage3V3)
    expect("voltage_supply", status.voltageSupply)
    expect("temp_top", status.temperatureTop)
    expect("temp_btm", status.temperatureBottom)
    expect("temp_ext_0", status.externalTemperature(0))
    expect("temp_ext_1", status.externalTemperature(1))
    expect("fan_0", status.fanSpeed(0).map(Double.init))
    expect("fan_1", status.fanSpeed(1).map(Double.init))
    return outcome
}

private func checkVCPU(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    var image = try vector.image()
    let core: VCPU
    do {
        core = try VCPU(from: &image)
    } catch {
        outcome.expect("decode", "refused", vector.decoded["raises"] == nil ? nil : "refused")
        return outcome
    }
    var written = ByteBuffer()
    core.write(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    if vector.decoded["raises"] != nil {
        outcome.expect("decode", "decoded", "refused")
        return outcome
    }
    let theirs = vector.decoded
    outcome.expect("registers", core.registers.map(Int.init), theirs["registers"])
    outcome.expect("processor_state_register", core.psr, theirs["processor_state_register"])
    outcome.expect("stack_pointer", core.stackPointer, theirs["stack_pointer"])
    outcome.expect("link_register", core.linkRegister, theirs["link_register"])
    outcome.expect(
        "run_time_error", name(of: core.runTimeError.rawValue, in: runTimeErrorNames) ?? "UNRECOGNISED",
        theirs["run_time_error"])
    outcome.expect("physical_cpu_id", core.physicalCore, theirs["physical_cpu_id"])
    outcome.expect(
        "state", name(of: core.state.rawValue, in: coreStateNames) ?? "CPU_STATE_\(core.state.rawValue)", theirs["state"])
    outcome.expect("application_id", core.application, theirs["application_id"])
    outcome.expect("application_mailbox_data_address", core.mailboxToCore, theirs["application_mailbox_data_address"])
    outcome.expect("monitor_mailbox_data_address", core.mailboxToMonitor, theirs["monitor_mailbox_data_address"])
    outcome.expect(
        "application_mailbox_command", name(of: core.commandToCore.rawValue, in: mailboxNames) ?? "",
        theirs["application_mailbox_command"])
    outcome.expect(
        "monitor_mailbox_command", name(of: core.commandToMonitor.rawValue, in: mailboxNames) ?? "",
        theirs["monitor_mailbox_command"])
    outcome.expect("software_error_count", core.softwareErrors, theirs["software_error_count"])
    outcome.expect("software_source_filename_address", core.sourceFile, theirs["software_source_filename_address"])
    outcome.expect("software_source_line_number", core.sourceLine, theirs["software_source_line_number"])
    outcome.expect("time", core.time, theirs["time"])
    outcome.expect("application_name", core.name, theirs["application_name"])
    outcome.expect("iobuf_address", core.iobuf, theirs["iobuf_address"])
    outcome.expect("software_version", core.softwareVersion, theirs["software_version"])
    outcome.expect("user", core.user.map(Int.init), theirs["user"])
    return outcome
}

private func checkHeapBlock(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    var image = try vector.image()
    let block = try HeapBlock(from: &image)
    var written = ByteBuffer()
    block.write(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    outcome.expect("is_free", block.isFree, vector.decoded["is_free"])
    outcome.expect("next_address", block.next, vector.decoded["next_address"])
    outcome.expect("size", block.payloadSize(at: try vector.integer("block_address")), vector.decoded["size"])
    outcome.expect("app_id", block.application.map(Int.init), vector.decoded["app_id"]?.int)
    outcome.expect("tag", block.tag.map(Int.init), vector.decoded["tag"]?.int)
    return outcome
}

private func checkRouterDiagnostics(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    var image = try vector.image()
    let diagnostics = try RouterDiagnostics(
        control: vector.integer("control_register"), errors: RouterErrors(rawValue: vector.integer("error_status")),
        from: &image)
    var written = ByteBuffer()
    diagnostics.writeCounters(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    let theirs = vector.decoded
    outcome.expect("error_count", diagnostics.errors.count, theirs["error_count"])
    let flags = errorNames.filter { diagnostics.errors.contains($0.1) }.map(\.0)
    outcome.expect("errors_set", flags, theirs["errors_set"]?.array?.compactMap(\.string))
    outcome.expect("mon", diagnostics.monitor, theirs["mon"])
    outcome.expect("wait_1", diagnostics.wait1, theirs["wait_1"])
    outcome.expect("wait_2", diagnostics.wait2, theirs["wait_2"])
    let counters: [(String, RouterCounter)] = [
        ("n_local_multicast_packets", .localMulticast), ("n_external_multicast_packets", .externalMulticast),
        ("n_local_p2p", .localP2P), ("n_external_p2p", .externalP2P), ("n_local_nn", .localNearestNeighbour),
        ("n_external_nn", .externalNearestNeighbour), ("n_local_fr", .localFixedRoute), ("n_external_fr", .externalFixedRoute),
        ("n_dropped_multicast_packets", .droppedMulticast), ("n_dropped_p2p", .droppedP2P),
        ("n_dropped_nn", .droppedNearestNeighbour), ("n_dropped_fr", .droppedFixedRoute),
    ]
    for (field, counter) in counters { outcome.expect(field, diagnostics[counter], theirs[field]) }
    let user: [RouterCounter] = [.user0, .user1, .user2, .user3]
    outcome.expect("user", user.map { Int(diagnostics[$0]) }, theirs["user"])
    return outcome
}

private let errorNames: [(String, RouterErrors)] = [
    ("ERROR", .error), ("OVERFLOW", .overflow), ("PARITY", .parity), ("FRAMING", .framing), ("TIMESTAMP", .timeStamp),
]

/// A filter's groups by their names, in the order of their bits.
private func groups(of filter: DiagnosticFilter) -> [(String, [String])] {
    func names(_ bits: some FixedWidthInteger, _ all: [String]) -> [String] {
        all.indices.filter { bits >> $0 & 1 == 1 }.map { all[$0] }
    }
    return [
        ("packet_types", names(filter.packets.rawValue, ["MULTICAST", "POINT_TO_POINT", "NEAREST_NEIGHBOUR", "FIXED_ROUTE"])),
        ("emergency", names(filter.emergency.rawValue, ["NORMAL", "FIRST_STAGE_COMBINED", "FIRST_STAGE", "SECOND_STAGE"])),
        ("default_routing", names(filter.defaulting.rawValue, ["DEFAULT_ROUTED", "NON_DEFAULT_ROUTED"])),
        ("payload", names(filter.payload.rawValue, ["WITH_PAYLOAD", "WITHOUT_PAYLOAD"])),
        ("sources", names(filter.source.rawValue, ["LOCAL", "NON_LOCAL"])),
        (
            "destinations",
            names(
                filter.destinations.rawValue,
                ["DUMP", "LOCAL", "LOCAL_MONITOR", "LINK_0", "LINK_1", "LINK_2", "LINK_3", "LINK_4", "LINK_5"])
        ),
    ]
}

private func checkFilterDecode(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let word: UInt32 = try vector.image().getInteger(at: 0, endianness: .little) ?? 0
    outcome.expect("word", word, vector.args["word"])
    let filter = DiagnosticFilter(rawValue: word)
    for (group, names) in groups(of: filter) {
        outcome.expect(group, names, vector.decoded[group]?.array?.compactMap(\.string))
    }
    outcome.expect("match_incoming", !filter.matchesOutgoing, vector.decoded["match_incoming"])
    outcome.expect("enable_interrupt", filter.interrupts, vector.decoded["enable_interrupt"])
    let again = DiagnosticFilter(
        packets: filter.packets, emergency: filter.emergency, matchOutgoing: filter.matchesOutgoing,
        defaulting: filter.defaulting, payload: filter.payload, source: filter.source, destinations: filter.destinations,
        interrupts: filter.interrupts)
    outcome.expect("hex", again.rawValue, vector.args["word"])
    return outcome
}

private func checkFilterEncode(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    func bits(_ group: String) -> UInt16? {
        guard let names = vector.args[group]?.array?.compactMap(\.string), !names.isEmpty else { return nil }
        let all = groups(of: DiagnosticFilter()).first { $0.0 == group }?.1 ?? []
        return names.reduce(UInt16(0)) { $0 | 1 << UInt16(all.firstIndex(of: $1) ?? 15) }
    }
    func byte(_ group: String) -> UInt8? { bits(group).map { UInt8(truncatingIfNeeded: $0) } }
    let filter = DiagnosticFilter(
        packets: byte("packet_types").map(DiagnosticFilter.PacketKinds.init) ?? .all,
        emergency: byte("emergency").map(DiagnosticFilter.Emergency.init) ?? .all,
        matchOutgoing: try !vector.flag("match_incoming"),
        defaulting: byte("default_routing").map(DiagnosticFilter.Defaulting.init) ?? .all,
        payload: byte("payload").map(DiagnosticFilter.Payload.init) ?? .all,
        source: byte("sources").map(DiagnosticFilter.Source.init) ?? .all,
        destinations: bits("destinations").map(DiagnosticFilter.Destinations.init) ?? .all,
        interrupts: try vector.flag("enable_interrupt"))
    outcome.expect("word", filter.rawValue, vector.decoded["word"])
    outcome.expect("hex", bytes: ByteBuffer(integer: filter.rawValue, endianness: .little), vector.bytes)
    switch vector.id {
    case "struct.diag-filter.user2": outcome.expect("constant", filter, .defaultRoutedExternal)
    case "struct.diag-filter.user3": outcome.expect("constant", filter, .defaultRoutedLocal)
    default: break
    }
    return outcome
}

private func checkRouteWord(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let links: [UInt8] = try vector.integers("links")
    let route = RouteWord(
        links: links.compactMap(Link.init(rawValue:)), cores: CoreMask(cores: try vector.integers("processors") as [UInt8]))
    outcome.expect("route", route.rawValue, vector.decoded["route"])
    outcome.expect("hex", bytes: ByteBuffer(integer: route.rawValue, endianness: .little), vector.bytes)
    let word: UInt32 = try vector.image().getInteger(at: 0, endianness: .little) ?? 0
    let read = RouteWord(rawValue: word)
    outcome.expect("links", read.links.map { Int($0.rawValue) }, vector.args["links"])
    outcome.expect("processors", read.cores.cores.map(Int.init), vector.args["processors"])
    return outcome
}

/// Every field of their list: our fields of the same bytes must have the same default, and ours must tile the 256 bytes.
private func checkLayout(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let boot = SystemVariables.bootDefaults.image
    var end = 0
    for field in vector.decoded.array ?? [] {
        guard let name = field["name"]?.string, let offset = field["offset"]?.int, let size = field["size"]?.int else {
            throw VectorShapeError(vector, "field")
        }
        outcome.expect("offset of \(name)", offset, end)
        end = offset + size
        // Theirs splits chips into y and x, each a byte of ours.
        let covering = systemVariableFields.filter { $0.offset <= offset && $0.offset + $0.size >= end }
        outcome.expect("fields for \(name)", covering.count, 1)
        if let ours = covering.first {
            let isByteOfChip = ours.size == 2 && size == 1
            outcome.expect("size of \(name)", isByteOfChip ? 1 : ours.size, size)
        }
        var bytes = boot.getBytes(at: boot.readerIndex + offset, length: size) ?? []
        if let theirs = field["default"]?.int {
            let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            outcome.expect("default of \(name)", value, .integer(theirs))
        } else {
            bytes.removeAll { $0 == 0 }
            outcome.expect("default of \(name)", bytes.count, 0)
        }
    }
    outcome.expect("size", end, SV.size)
    return outcome
}

private func checkConstants(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let theirs = vector.decoded
    outcome.expect("CPU_INFO_BYTES", VCPU.size, theirs["CPU_INFO_BYTES"])
    outcome.expect("CPU_INFO_OFFSET", MemoryMap.vcpu, theirs["CPU_INFO_OFFSET"])
    outcome.expect("CPU_IOBUF_ADDRESS_OFFSET", VCPU.Offset.iobuf, theirs["CPU_IOBUF_ADDRESS_OFFSET"])
    outcome.expect("CPU_USER_START_ADDRESS", VCPU.Offset.user, theirs["CPU_USER_START_ADDRESS"])
    outcome.expect("NO_ROUTER_DIAGNOSTIC_FILTERS", DiagnosticFilter.defaults.count, theirs["NO_ROUTER_DIAGNOSTIC_FILTERS"])
    outcome.expect("ROUTER_FILTER_CONTROLS_OFFSET", RouterRegister.filters, theirs["ROUTER_FILTER_CONTROLS_OFFSET"])
    outcome.expect("ROUTER_REGISTER_BASE_ADDRESS", MemoryMap.router, theirs["ROUTER_REGISTER_BASE_ADDRESS"])
    outcome.expect("ROUTER_REGISTER_P2P_ADDRESS", MemoryMap.p2pTable, theirs["ROUTER_REGISTER_P2P_ADDRESS"])
    outcome.expect("SCP_SCAMP_PORT", SCP.port, theirs["SCP_SCAMP_PORT"])
    outcome.expect("SYSTEM_VARIABLE_BASE_ADDRESS", SV.address, theirs["SYSTEM_VARIABLE_BASE_ADDRESS"])
    outcome.expect("SYSTEM_VARIABLE_BYTES", SV.size, theirs["SYSTEM_VARIABLE_BYTES"])
    outcome.expect("UDP_MESSAGE_MAX_SIZE", SCP.maximumData, theirs["UDP_MESSAGE_MAX_SIZE"])
    outcome.expect("UDP_BOOT_CONNECTION_DEFAULT_PORT", BootMessage.port, theirs["UDP_BOOT_CONNECTION_DEFAULT_PORT"])
    return outcome
}
