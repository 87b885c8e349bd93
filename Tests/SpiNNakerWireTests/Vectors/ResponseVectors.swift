//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// SCP replies: result, sequence and the payload's fields; and the payload written again.
let responseFamilies: VectorFamilies = ["scp-response": checkResponse]

private func checkResponse(_ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    let reply = try SCPReply(datagram: vector.image())
    var written = ByteBuffer()
    reply.writeDatagram(into: &written)
    outcome.expect("hex", bytes: written, vector.bytes)
    outcome.expect("result code", reply.result.rawValue, vector.args["rc"])

    let carriesReply: Bool =
        switch vector.class {
        case "CountStateResponse": CountCores.carriesReply(reply.result)
        default: reply.result == .ok
        }
    if vector.decoded["ok"]?.bool == true {
        outcome.expect("ok", carriesReply, true)
        outcome.expect("sequence", reply.sequence, vector.decoded["sequence"])
        outcome.expect("result", String(reply.result.description.split(separator: " ")[0]), vector.decoded["result"])
        try checkFields(of: reply, vector, &outcome)
        return outcome
    }
    // Theirs raises. Ours must refuse for the same reason: the result, or the payload.
    switch vector.decoded["raises"]?.string {
    case "SpinnmanUnexpectedResponseCodeException" where reply.result != .ok:
        outcome.expect("ok", carriesReply, false)
        let name = String(reply.result.description.split(separator: " ")[0])
        outcome.expect("reason", vector.decoded["message"]?.string?.contains(name), true)
    case "ValueError" where vector.decoded["message"]?.string?.contains("SCPResult") == true:
        // A code without a name: an error of this request, that keeps its number.
        outcome.expect("ok", carriesReply, false)
        outcome.expect("name", reply.result.description, "0x" + String(reply.result.rawValue, radix: 16))
    default:
        var fields = Outcome()
        let ours: String
        if !carriesReply {
            ours = "refused"
        } else {
            do {
                try checkFields(of: reply, vector, &fields)
                ours = "decoded"
            } catch is WireError {
                ours = "refused"
            }
        }
        outcome.expect("decode", ours, "refused")
    }
    return outcome
}

private func checkFields(of reply: SCPReply, _ vector: GoldenVector, _ outcome: inout Outcome) throws {
    let theirs = vector.decoded["fields"]
    /// The payload read as `Response`, and whether it is written as it was.
    func read<Request: SCPRequest>(_ request: Request.Type) throws -> Request.Response {
        let response = try reply.decode(for: request)
        var again = ByteBuffer()
        response.write(into: &again)
        outcome.expect("payload", bytes: again, Array(reply.payload.readableBytesView))
        return response
    }
    switch vector.class {
    case "GetVersionResponse", "_BMPVersion":
        let info = try read(GetVersion.self)
        outcome.expect("p", info.virtualCore, theirs?["p"])
        outcome.expect("physical_cpu_id", info.physicalCore, theirs?["physical_cpu_id"])
        outcome.expect("x", info.chip.x, theirs?["x"])
        outcome.expect("y", info.chip.y, theirs?["y"])
        outcome.expect("build_date", info.buildDate, theirs?["build_date"])
        outcome.expect("name", info.name, theirs?["name"])
        outcome.expect("hardware", info.hardware, theirs?["hardware"])
        outcome.expect(
            "version_number", [info.version.major, info.version.minor, info.version.patch], theirs?["version_number"])
        outcome.expect("version_string", info.versionText, theirs?["version_string"])
    case "GetChipInfoResponse":
        let info = try read(GetChipInfo.self)
        outcome.expect("x", reply.header.sourceChip.x, theirs?["x"])
        outcome.expect("y", reply.header.sourceChip.y, theirs?["y"])
        outcome.expect("core_states", info.coreStates.map { Int($0.rawValue) }, theirs?["core_states"])
        outcome.expect("n_cores", info.workingCores, theirs?["n_cores"])
        outcome.expect(
            "working_links", Link.allCases.filter { info.workingLinks >> $0.rawValue & 1 == 1 }.map { Int($0.rawValue) },
            theirs?["working_links"])
        outcome.expect("n_free", info.largestFreeRouterBlock, theirs?["n_free_multicast_routing_entries"])
        outcome.expect("is_ethernet_available", info.isEthernetUp, theirs?["is_ethernet_available"])
        outcome.expect("largest_free_sdram_block", info.largestFreeSDRAM, theirs?["largest_free_sdram_block"])
        outcome.expect("largest_free_sram_block", info.largestFreeSystemRAM, theirs?["largest_free_sram_block"])
        outcome.expect(
            "nearest_ethernet", [Int(info.nearestEthernet.x), Int(info.nearestEthernet.y)], theirs?["nearest_ethernet"])
        outcome.expect("ethernet_ip_address", info.address?.description, theirs?["ethernet_ip_address"]?.string)
        outcome.expect("parent_link", info.parentLink.map { Int($0.rawValue) }, theirs?["parent_link"]?.int)
    case "Response":
        let bytes = try read(ReadMemory.self).bytes
        outcome.expect("data", Outcome.hex(bytes.readableBytesView), theirs?["data"])
        outcome.expect("length", bytes.readableBytes, theirs?["length"])
    case "CheckOKResponse":
        _ = try reply.decode(for: WriteMemory.self)
        if let flags = theirs?["flags"] { outcome.expect("flags", reply.header.flags.rawValue, flags) }
        outcome.expect("decodes", true, true)
    case "BMPOKResponse":
        _ = try reply.decode(for: SetBoardPower.self)
    case "CountStateResponse":
        outcome.expect("count", try read(CountCores.self).count, theirs?["count"])
    case "IPTagGetResponse":
        let entries = try read(GetIPTags.self).entries
        outcome.expect("entries", entries.count, 1)
        if let entry = entries.first { checkTag(entry, theirs, &outcome) }
    case "IPTagGetInfoResponse":
        let info = try read(SetIPTagTimeout.self)
        outcome.expect("transient_timeout", info.timeoutCode, theirs?["transient_timeout"])
        outcome.expect("pool_size", info.poolSize, theirs?["pool_size"])
        outcome.expect("fixed_size", info.fixedSize, theirs?["fixed_size"])
        outcome.expect("entry_size", info.entrySize, 32)
    case "RouterAllocResponse":
        outcome.expect("base_address", try read(AllocateRouterEntries.self).word, theirs?["base_address"])
    case "_AllocResponse":
        let word = try read(AllocateSDRAM.self).word
        outcome.expect("base_address", word, theirs?["base_address"])
    case "_SCPSDRAMDeAllocResponse":
        outcome.expect("number_of_blocks_freed", try read(FreeSDRAMOfApplication.self).word, theirs?["number_of_blocks_freed"])
    case "_FixedRouteResponse":
        let route = try read(GetFixedRoute.self).route
        outcome.expect("links", route.links.map { Int($0.rawValue) }, theirs?["links"])
        outcome.expect("processors", route.cores.cores.map(Int.init), theirs?["processors"])
    default: throw VectorShapeError(vector, "response of ours for class \(vector.class)")
    }
}

private func checkTag(_ entry: IPTagEntry, _ theirs: JSON?, _ outcome: inout Outcome) {
    let (a, b, c, d) = entry.address.octets
    outcome.expect("ip_address", Outcome.hex([a, b, c, d]), theirs?["ip_address"])
    let mac = String(entry.mac, radix: 16)
    outcome.expect("mac_address", String(repeating: "0", count: 12 - mac.count) + mac, theirs?["mac_address"])
    outcome.expect("port", entry.port, theirs?["port"])
    outcome.expect("timeout", entry.timeout, theirs?["timeout"])
    outcome.expect("flags", entry.flags.rawValue, theirs?["flags"])
    outcome.expect("in_use", entry.flags.contains(.valid), theirs?["in_use"])
    outcome.expect("is_temporary", entry.flags.contains(.transient), theirs?["is_temporary"])
    outcome.expect("is_arp", entry.flags.contains(.awaitingARP), theirs?["is_arp"])
    outcome.expect("is_reverse", entry.flags.contains(.reverse), theirs?["is_reverse"])
    outcome.expect("strip_sdp", entry.flags.contains(.strip), theirs?["strip_sdp"])
    outcome.expect("count", entry.count, theirs?["count"])
    outcome.expect("rx_port", entry.receivePort, theirs?["rx_port"])
    outcome.expect("spin_chip_x", entry.destinationChip.x, theirs?["spin_chip_x"])
    outcome.expect("spin_chip_y", entry.destinationChip.y, theirs?["spin_chip_y"])
    outcome.expect("spin_cpu", entry.destination.cpu, theirs?["spin_cpu"])
    outcome.expect("spin_port", entry.destination.port, theirs?["spin_port"])
}
