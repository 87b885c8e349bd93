//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import SpiNNakerMachine
import VirtualSpiNNaker

/// `4x4`, `spinn5` or `spinn3`.
struct MachineKind: ExpressibleByArgument, Hashable, Sendable {
    static let form = "WxH (triads of three boards), spinn5 or spinn3"
    let kind: VirtualMachineDescription.Kind

    init?(argument: String) {
        switch argument.lowercased() {
        case "spinn5", "spin5": self.kind = .spinn5
        case "spinn3", "spin3": self.kind = .spinn3
        case let text:
            let parts = text.split(separator: "x", omittingEmptySubsequences: false)
            guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]), width > 0, height > 0 else {
                return nil
            }
            self.kind = .triads(width: width, height: height)
        }
    }
}

extension VirtualMachineDescription.Kind {
    /// As ``MachineKind`` reads it.
    var name: String {
        switch self {
        case .triads(let width, let height): "\(width)x\(height)"
        case .spinn5: "spinn5"
        case .spinn3: "spinn3"
        }
    }
}

/// Where the machine's addresses are: 127.base.….
enum AddressBase: ExpressibleByArgument, Hashable, Sendable {
    case fixed(UInt8)
    /// Some that nobody listens at.
    case free

    init?(argument: String) {
        if argument == "auto" {
            self = .free
        } else if let base = UInt8(argument) {
            self = .fixed(base)
        } else {
            return nil
        }
    }
}

extension BoardCoordinates: ExpressibleByArgument {
    public init?(argument: String) { self.init(place: argument) }
}

extension BoardChip: ExpressibleByArgument {
    public init?(argument: String) { self.init(place: argument) }
}

extension BoardChipLink: ExpressibleByArgument {
    public init?(argument: String) { self.init(place: argument) }
}

extension BoardCore: ExpressibleByArgument {
    init?(argument: String) { self.init(place: argument) }
}

/// The machine, on the command line. What is given here goes over what a description file says.
struct MachineOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("\(MachineKind.form). Without it: 1x1, or what the description says.", valueName: "machine"))
    var kind: MachineKind?

    @Option(name: .shortAndLong, help: ArgumentHelp("A JSON file that describes the machine.", valueName: "file"))
    var description: String?

    @Option(
        help: ArgumentHelp("The second octet of all addresses, or \"auto\" for any that are free.", valueName: "n|auto"))
    var base: AddressBase?

    @Option(help: "How long the firmware takes to boot: 1 is as on hardware, 0 at once.")
    var bootTimeScale: Double?

    @Flag(help: "The boards are on from the start.")
    var powered = false

    @Option(help: "The number that all randomness comes from.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("A board that is not in its slot; may be repeated.", valueName: "x,y,z"))
    var deadBoard: [BoardCoordinates] = []

    @Option(help: ArgumentHelp("A chip that does not work; may be repeated.", valueName: "board/x,y"))
    var deadChip: [BoardChip] = []

    @Option(help: ArgumentHelp("A physical core that does not work; may be repeated.", valueName: "board/x,y/p"))
    var deadCore: [BoardCore] = []

    @Option(help: ArgumentHelp("A link that does not work; may be repeated.", valueName: "board/x,y/link"))
    var deadLink: [BoardChipLink] = []

    func validate() throws {
        if let scale = self.bootTimeScale, !(scale >= 0 && scale <= 1000) {
            throw ValidationError("--boot-time-scale is a number in 0...1000")
        }
    }

    /// - Throws: ``SimError`` when the description file is bad.
    func machine() throws -> VirtualMachineDescription {
        var machine = VirtualMachineDescription(.triads(width: 1, height: 1))
        if let description { try MachineFile.read(path: description).apply(to: &machine) }
        if let kind { machine.kind = kind.kind }
        if case .fixed(let base) = self.base { machine.base = base }
        if let bootTimeScale { machine.bootTimeScale = bootTimeScale }
        if self.powered { machine.isPoweredAtStart = true }
        if let seed { machine.seed = seed }
        var faults = HardwareFaults(
            deadBoards: Set(self.deadBoard), deadChips: Set(self.deadChip), deadLinks: Set(self.deadLink))
        for core in self.deadCore { faults.add(core) }
        machine.faults.formUnion(faults)
        return machine
    }
}
