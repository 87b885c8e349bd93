//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Every family that this target checks. One that two tables hold keeps the first, and ``GoldenVectorTests`` tells.
let checkedFamilies: VectorFamilies = familyTables.reduce(into: [:]) { all, some in all.merge(some) { first, _ in first } }

let familyTables: [VectorFamilies] = [
    sdpFamilies, requestFamilies, responseFamilies, structureFamilies, nameFamilies, eieioFamilies, bootFamilies,
    notificationFamilies, geometryFamilies,
]

/// Kinds (or `kind/class`) of other layers, with the test target that reads them: ``GoldenVectorTests`` looks that it does.
/// A kind in none of the tables fails.
let familiesElsewhere: [String: String] = [
    "process-trace": "SpiNNakerTests",
    "transceiver-trace": "SpiNNakerTests",
    "bmp-trace": "SpiNNakerTests",
    "pipeline-trace": "SpiNNakerEngineTests",
    "selector/MostDirectConnectionSelector": "SpiNNakerEngineTests",
    "spalloc-http": "SpallocClientTests",
    "spalloc-url": "SpallocClientTests",
    "spalloc-create-job": "SpallocClientTests",
]

/// What this package has no counterpart of, and why.
let familiesNotTaken: [String: String] = [
    "selector/RoundRobinConnectionSelector": "a connection of ours has a window; spreading over several is the scheduler's",
    "database-schema": "the toolchain's SQLite file of one run; the notification protocol only carries its path",
    "database-reader": "the same file",
    "util/work_out_bmp_from_machine_details": "a guess at a lone board's BMP; a BMP's address is given here",
    "util/_parse_bmp_details": "an entry of SpiNNMan's configuration file",
    "enum/ExecutableType": "SpiNNMan's bookkeeping of what it waits for; no byte of it travels",
]

/// Where SpiNNMan is wrong, or stricter than a robust client may be, and we differ on purpose.
///
/// An entry that excuses nothing fails the test: it is stale.
struct VectorException: Sendable {
    /// The start of the vector's id.
    let prefix: String
    /// The field of ``Outcome/Difference`` that may differ; nil: any.
    let field: String?
    let reason: String

    init(_ prefix: String, field: String? = nil, _ reason: String) {
        self.prefix = prefix
        self.field = field
        self.reason = reason
    }

    /// What makes it this entry and no other.
    var key: String { "\(self.prefix)#\(self.field ?? "*")" }

    func covers(_ vector: GoldenVector, _ difference: Outcome.Difference) -> Bool {
        vector.id.hasPrefix(self.prefix) && (self.field == nil || self.field == difference.field)
    }
}

let vectorExceptions: [VectorException] = scpExceptions + eieioExceptions + bootExceptions + notificationExceptions

private let scpExceptions: [VectorException] = [
    VectorException(
        "sdp.decode.bad-flags",
        "SC&MP looks at single bits of the flags; any byte is a header, and one odd reply must not end a batch"),
    VectorException(
        "sdp.port-trigger", field: "hex", "SpiNNMan leaves out the padding, so the board drops the message as too short"),
    VectorException(
        "scp.rsp.version.old", field: "version_string",
        "SpiNNMan gives the firmware's name where an old firmware has no version text; ours is the number, 1.34"),
    VectorException("scp.rsp.chipinfo.badstate", "an unknown core state keeps its number: one odd core must not hide a chip"),
    VectorException("struct.vcpu.badstate", "an unknown core state keeps its number"),
    VectorException("struct.vcpu.badmbox", "an unknown mailbox command keeps its number"),
    VectorException("scp.rsp.chipinfo.parent6", field: "parent_link", "6 is 'no route', not a link: SpiNNMan lets it through"),
    VectorException("scp.rsp.sdram-free.1.0", "that nothing was freed is an answer; whether it is an error, the caller knows"),
    VectorException("scp.rsp.bmp.ok", "SpiNNMan's reply class is abstract: it raises after the BMP has acted"),
]
