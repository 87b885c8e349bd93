//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// A machine as a JSON file tells it: `spinnaker-sim --description machine.json`. A key that is not in the table is an error.
///
/// | key | value | without it |
/// |---|---|---|
/// | `machine` | `"WxH"` in triads, `"spinn5"` or `"spinn3"` | `"1x1"` |
/// | `base` | second octet of all addresses, 0...255 | 1 |
/// | `boot-time-scale` | 1: as on hardware, 0: at once | 1 |
/// | `power-on-delay` | seconds from power-on until the boot ROM listens | 0.1 |
/// | `powered` | whether the boards are on from the start | false |
/// | `seed` | number that all randomness comes from | 1 |
/// | `strict-addresses` | a bad address kills the monitor, as on silicon | false |
/// | `monitor-core` | physical core that the boot ROM elects | 1 |
/// | `firmware-link-quirks` | SC&MP drops three inter-board links per board | true |
/// | `hello` | un-booted boards say HELLO | false |
/// | `dead-boards`, `dead-chips`, `dead-cores`, `dead-links` | lists of places, see `Places.swift` | `[]` |
/// | `network`, `network-in`, `network-out` | object, see `NetworkWords.swift` | nothing is lost |
/// | `timeline` | list of `{"after": seconds, "state": "running"}` | runs 1 s, finishes |
/// | `timelines` | object: text in a binary, its timeline | `{}` |
package struct MachineFile: Decodable, Sendable {
    var kind: VirtualMachineDescription.Kind?
    var base: UInt8?
    var bootTimeScale: Double?
    var powerOnDelay: Double?
    var isPowered: Bool?
    var seed: UInt64?
    var hasStrictAddresses: Bool?
    var monitorCore: UInt8?
    var hasFirmwareLinkQuirks: Bool?
    var sendsHello: Bool?
    var faults: HardwareFaults
    var incoming: NetworkFaults?
    var outgoing: NetworkFaults?
    var timeline: ApplicationTimeline?
    var timelines: [String: ApplicationTimeline]

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case machine, base, powered, seed, hello, timeline, timelines
        case bootTimeScale = "boot-time-scale"
        case powerOnDelay = "power-on-delay"
        case strictAddresses = "strict-addresses"
        case monitorCore = "monitor-core"
        case firmwareLinkQuirks = "firmware-link-quirks"
        case deadBoards = "dead-boards"
        case deadChips = "dead-chips"
        case deadCores = "dead-cores"
        case deadLinks = "dead-links"
        case network
        case networkIn = "network-in"
        case networkOut = "network-out"
    }

    /// - Throws: ``SimError`` that names the file, the key and what is wrong with it.
    package static func read(path: String) throws -> MachineFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SimError("\(path) can not be read")
        }
        return try MachineFile.parse(data, name: path)
    }

    package static func parse(_ json: Data, name: String) throws -> MachineFile {
        do {
            return try JSONDecoder().decode(MachineFile.self, from: json)
        } catch let error as DecodingError {
            throw SimError("\(name): \(error.explanation)")
        }
    }

    package init(from decoder: any Decoder) throws {
        try decoder.suggestForUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func wrong(_ key: CodingKeys, _ message: String) -> DecodingError {
            DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: message)
        }
        if let text = try container.decodeIfPresent(String.self, forKey: .machine) {
            guard let kind = MachineKind(argument: text) else {
                throw wrong(.machine, "\"\(text)\" is no machine: \(MachineKind.form)")
            }
            self.kind = kind.kind
        }
        /// A whole number in a range.
        func number(_ key: CodingKeys, _ range: ClosedRange<Int>) throws -> Int? {
            let given: Int?
            do {
                given = try container.decodeIfPresent(Int.self, forKey: key)
            } catch let error as DecodingError {
                throw error
            } catch {
                // Foundation's own error for a number that no Int is, which the decoder would tell as no JSON at all.
                throw wrong(key, "this is not a whole number")
            }
            guard let number = given else { return nil }
            guard range.contains(number) else {
                throw wrong(key, "\(number) is not in \(range.lowerBound)...\(range.upperBound)")
            }
            return number
        }
        func duration(_ key: CodingKeys, most: Double) throws -> Double? {
            guard let number = try container.decodeIfPresent(Double.self, forKey: key) else { return nil }
            guard number >= 0, number <= most else { throw wrong(key, "\(number) is not in 0...\(Int(most))") }
            return number
        }
        self.base = try number(.base, 0...255).map(UInt8.init)
        self.bootTimeScale = try duration(.bootTimeScale, most: 1000)
        self.powerOnDelay = try duration(.powerOnDelay, most: 3600)
        self.isPowered = try container.decodeIfPresent(Bool.self, forKey: .powered)
        self.seed = try number(.seed, 0...Int.max).map(UInt64.init)
        self.hasStrictAddresses = try container.decodeIfPresent(Bool.self, forKey: .strictAddresses)
        self.monitorCore = try number(.monitorCore, 0...17).map(UInt8.init)
        self.hasFirmwareLinkQuirks = try container.decodeIfPresent(Bool.self, forKey: .firmwareLinkQuirks)
        self.sendsHello = try container.decodeIfPresent(Bool.self, forKey: .hello)

        func places<Place>(_ key: CodingKeys, _ form: String, _ parse: (String) -> Place?) throws -> [Place] {
            try (container.decodeIfPresent([String].self, forKey: key) ?? []).map { text in
                guard let place = parse(text) else { throw wrong(key, "\"\(text)\" is not \(form)") }
                return place
            }
        }
        self.faults = HardwareFaults(
            deadBoards: Set(try places(.deadBoards, PlaceForm.board) { BoardCoordinates(place: $0) }),
            deadChips: Set(try places(.deadChips, PlaceForm.chip) { BoardChip(place: $0) }),
            deadLinks: Set(try places(.deadLinks, PlaceForm.link) { BoardChipLink(place: $0) }))
        for core in try places(.deadCores, PlaceForm.core, { BoardCore(place: $0) }) { self.faults.add(core) }
        let network = try container.decodeIfPresent(NetworkFaultsFile.self, forKey: .network)?.faults
        self.incoming = try container.decodeIfPresent(NetworkFaultsFile.self, forKey: .networkIn)?.faults ?? network
        self.outgoing = try container.decodeIfPresent(NetworkFaultsFile.self, forKey: .networkOut)?.faults ?? network
        self.timeline = try container.decodeIfPresent([TimelineStep].self, forKey: .timeline).map(ApplicationTimeline.init)
        self.timelines = try (container.decodeIfPresent([String: [TimelineStep]].self, forKey: .timelines) ?? [:])
            .mapValues(ApplicationTimeline.init)
    }

    /// What the file says, over what is there.
    func apply(to description: inout VirtualMachineDescription) {
        if let kind { description.kind = kind }
        if let base { description.base = base }
        if let bootTimeScale { description.bootTimeScale = bootTimeScale }
        if let powerOnDelay { description.powerOnDelay = .nanoseconds(Int64(powerOnDelay * 1e9)) }
        if let isPowered { description.isPoweredAtStart = isPowered }
        if let seed { description.seed = seed }
        if let hasStrictAddresses { description.addressFaults = hasStrictAddresses ? .strict : .lenient }
        if let monitorCore { description.monitorCore = monitorCore }
        if let hasFirmwareLinkQuirks { description.hasFirmwareLinkQuirks = hasFirmwareLinkQuirks }
        if let sendsHello { description.sendsHello = sendsHello }
        if let timeline { description.timeline = timeline }
        description.timelines.merge(self.timelines) { _, new in new }
        description.faults.formUnion(self.faults)
    }
}

/// How places are written, for whoever wrote them otherwise.
enum PlaceForm {
    static let board = "a board, like 0,0,1"
    static let chip = "a chip of a board, like 0,0,1/4,7"
    static let core = "a physical core of a chip, like 0,0,1/4,7/17"
    static let link = "a link of a chip, like 0,0,1/4,7/NE"
}

/// A step of a timeline.
private struct TimelineStep: Decodable {
    var step: ApplicationTimeline.Step

    private enum CodingKeys: String, CodingKey, CaseIterable { case after, state }

    init(from decoder: any Decoder) throws {
        try decoder.suggestForUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(String.self, forKey: .state)
        guard let state = CoreState(name: name) else {
            throw DecodingError.dataCorruptedError(
                forKey: .state, in: container, debugDescription: "\"\(name)\" is none of \(CoreState.knownNames)")
        }
        let after = try container.decodeIfPresent(Double.self, forKey: .after) ?? 0
        guard after >= 0, after <= 1e6 else {
            throw DecodingError.dataCorruptedError(
                forKey: .after, in: container, debugDescription: "\(after) is not in 0...1000000")
        }
        self.step = ApplicationTimeline.Step(after: .nanoseconds(Int64(after * 1e9)), state)
    }
}

extension ApplicationTimeline {
    fileprivate init(_ steps: [TimelineStep]) { self.init(steps.map(\.step)) }
}

extension HardwareFaults {
    mutating func add(_ core: BoardCore) { self.deadCores[core.chip, default: []].insert(core.core) }

    mutating func formUnion(_ other: HardwareFaults) {
        self.deadBoards.formUnion(other.deadBoards)
        self.deadChips.formUnion(other.deadChips)
        self.deadCores.merge(other.deadCores) { $0.union($1) }
        self.deadLinks.formUnion(other.deadLinks)
    }
}
