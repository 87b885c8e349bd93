//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpiNNakerSimCommands

/// What words on a command line, in a description and in a control command mean.
@Suite(.timeLimit(.minutes(3))) struct OptionTests {
    // MARK: Words

    @Test(
        arguments: [
            ("spinn5", .spinn5), ("SpiNN5", .spinn5), ("spin5", .spinn5), ("spinn3", .spinn3), ("SPIN3", .spinn3),
            ("1x1", .triads(width: 1, height: 1)), ("24X3", .triads(width: 24, height: 3)),
            ("0x1", nil), ("1x0", nil), ("-1x2", nil), ("1x", nil), ("x1", nil), ("x", nil), ("1x1x1", nil), ("1", nil),
            ("", nil),
            ("1 x 1", nil), ("99999999999999999999x1", nil), ("spinn4", nil),
        ] as [(String, VirtualMachineDescription.Kind?)]) func machineKinds(text: String, kind: VirtualMachineDescription.Kind?)
    {
        #expect(MachineKind(argument: text)?.kind == kind)
        if let kind { #expect(MachineKind(argument: kind.name)?.kind == kind, "its own name is read back") }
    }

    @Test(
        arguments: [
            ("auto", .free), ("0", .fixed(0)), ("255", .fixed(255)), ("256", nil), ("-1", nil), ("", nil), ("Auto", nil),
            ("1.5", nil),
        ] as [(String, AddressBase?)]) func addressBases(text: String, base: AddressBase?)
    {
        #expect(AddressBase(argument: text) == base)
    }

    @Test(
        arguments: [
            ("2ms", 2_000_000), ("500us", 500_000), ("0.1s", 100_000_000), ("0s", 0), ("3600s", 3_600_000_000_000),
            ("1.5us", 1500),
            ("3600.1s", nil), ("-1ms", nil), ("5", nil), ("ms", nil), ("5 m", nil), ("nanms", nil), ("infs", nil),
            ("1e9s", nil), ("5ns", nil),
            ("", nil),
        ] as [(String, Int64?)]) func durations(text: String, nanoseconds: Int64?)
    {
        #expect(TimeAmount(text: text)?.nanoseconds == nanoseconds)
    }

    /// By their names, in any case, and by their numbers.
    @Test func resultCodes() throws {
        let chip = BoardChip(local: ChipID(1, 2))
        func code(_ word: String) throws -> SCPResult? {
            guard case .p2pResult(chip, let result) = try InjectedFault(words: ["p2p", "1,2", word]) else { return nil }
            return result
        }
        for (word, number) in [
            ("RC_OK", 0x80), ("RC_LEN", 0x81), ("rc_timeout", 0x86), ("RC_P2P_REJECT", 0x8C), ("RC_PKT_TX", 0x8F),
            ("0x8d", 0x8D),
            ("0xFFFF", 0xFFFF), ("0x0", 0),
        ] as [(String, UInt16)] {
            #expect(try code(word)?.rawValue == number, "\(word)")
        }
        #expect(try code("off") == nil)
        for word in ["RC_P2P", "RC", "", "0x", "0x10000", "0xg", "128", "OFF"] {
            #expect(throws: SimError("it is: fault p2p CHIP CODE|off"), "\(word)") { try code(word) }
        }
    }

    @Test func statesByTheirNames() throws {
        let named: [(String, CoreState)] = [
            ("dead", .dead), ("powered-down", .poweredDown), ("run-time-exception", .runTimeException), ("watchdog", .watchdog),
            ("initialising", .initialising), ("ready", .ready), ("c-main", .cMain), ("running", .running), ("sync0", .sync0),
            ("sync1", .sync1), ("paused", .paused), ("finished", .finished), ("idle", .idle),
        ]
        for (name, state) in named {
            #expect(CoreState(name: name) == state && state.name == name)
            #expect(CoreState.knownNames.contains(name))
        }
        #expect(CoreState(name: "Running") == nil && CoreState(rawValue: 99).name == "99")
    }

    @Test(arguments: [
        ("fault dead-core 1,2/18", "it is: fault dead-core CHIP/CORE"),
        ("fault dead-core 1,2", "it is: fault dead-core CHIP/CORE"),
        ("fault dead-link 1,2/N N", "it is: fault dead-link CHIP/LINK"),
        ("fault stuck-core 1,2/3", "it is: fault stuck-core CHIP/CORE STATE"),
        ("fault stuck-core 1,2/3 Running", "it is: fault stuck-core CHIP/CORE STATE"),
        ("fault no-sdram 1,2 yes", "it is: fault no-sdram CHIP on|off"),
        ("fault no-sdram 1,2", "it is: fault no-sdram CHIP on|off"),
        ("fault no-router-entries on", "it is: fault no-router-entries CHIP on|off"),
        ("fault phy-down 0,0 on", "it is: fault phy-down BOARD on|off"), ("fault no-tags", "it is: fault no-tags BOARD"),
        ("fault no-tags 0,0,0 on", "it is: fault no-tags BOARD"),
        ("fault fpga 0,0,0 on", "it is: fault fpga BOARD/FPGA on|off"),
        ("fault fpga 0,0,0/-1 on", "it is: fault fpga BOARD/FPGA on|off"),
        ("fault fpga 0,0,0/1/2 on", "it is: fault fpga BOARD/FPGA on|off"),
        ("fault power-failure 0,0,0", "it is: fault power-failure BOARD on|off"),
        ("fault bmp 0,0,0 RC_P2P", "it is: fault bmp BOARD CODE|off"),
        ("fault Dead-chip 1,2", "which fault? One of dead-chip"), ("power reset all", "power is told on, off or cycle"),
        ("power on all 0,0,0", #""all" is not a board"#), ("network in", "network is told none"),
        ("network in none out", #""none" is not NAME=VALUE"#),
        ("network drop=0.1 none", #""none" is not NAME=VALUE"#),
        ("network loss=1", "the network has no \"loss\": corrupt, drop, drop-every"),
        ("network drop=1.01", "drop is a probability in 0...1, not \"1.01\""), ("network drop=nan", "drop is a probability"),
        ("network drop-every=-1", "drop-every is a whole number, not \"-1\""),
        ("network jitter=5", "jitter is a duration like 2ms"),
        ("network latency==2ms", "latency is a duration"), ("status now", "status takes nothing more"),
        ("help me", "help takes nothing more"),
        ("quit quit", "quit takes nothing more"), ("POWER on all", "there is no command \"POWER\""),
    ]) func controlCommandsThatAreWrong(line: String, complaint: String) {
        #expect(performing: { try ControlCommand(line: line) }, throws: { "\($0)".hasPrefix(complaint) })
    }

    // MARK: A command line over a description

    private func setup(_ arguments: [String], file: String? = nil) throws -> SimulatorSetup {
        var arguments = arguments
        let path = "/tmp/sim-options-\(UInt32.random(in: 0 ... .max)).json"
        defer { unlink(path) }
        if let file {
            try Data(file.utf8).write(to: URL(filePath: path))
            arguments += ["--description", path]
        }
        return try MachineOptions.parse(arguments).setup()
    }

    @Test func withoutAnything() throws {
        let setup = try self.setup([])
        #expect(setup.machine == VirtualMachineDescription(.triads(width: 1, height: 1)))
        #expect(!setup.isBaseFree && setup.incoming == nil && setup.outgoing == nil)
    }

    @Test func everyOption() throws {
        let setup = try self.setup([
            "2x3", "--base", "77", "--boot-time-scale", "0.25", "--powered", "--seed", "18446744073709551615",
            "--dead-board", "1,2,0", "--dead-board", "0,0,2", "--dead-chip", "0,0,0/4,4", "--dead-core", "0,0,0/1,1/17",
            "--dead-core", "0,0,0/1,1/2", "--dead-link", "0,0,1/4,7/NE", "--network", "drop=0.5,latency=2ms jitter=1ms",
        ])
        var machine = VirtualMachineDescription(
            .triads(width: 2, height: 3), bootTimeScale: 0.25, isPoweredAtStart: true, base: 77, seed: .max)
        machine.faults = HardwareFaults(
            deadBoards: [BoardCoordinates(1, 2, 0), BoardCoordinates(0, 0, 2)], deadChips: [BoardChip(local: ChipID(4, 4))],
            deadCores: [BoardChip(local: ChipID(1, 1)): [2, 17]],
            deadLinks: [
                BoardChipLink(chip: BoardChip(board: BoardCoordinates(0, 0, 1), local: ChipID(4, 7)), link: .northEast)
            ])
        #expect(setup.machine == machine)
        let faults = NetworkFaults(drop: 0.5, latency: .milliseconds(2), jitter: .milliseconds(1))
        #expect(setup.incoming == faults && setup.outgoing == faults)
        #expect(try self.setup(["--base", "auto"]).isBaseFree)
    }

    /// What is given on the command line goes over the file, but what is broken in either is broken.
    @Test func aCommandLineGoesOverItsFile() throws {
        let file = """
            {"machine": "spinn3", "base": 40, "boot-time-scale": 0.5, "seed": 9, "monitor-core": 3, "hello": true,
             "dead-chips": ["1,1"], "dead-cores": ["1,0/4"], "network-in": {"drop": 0.25}}
            """
        let alone = try self.setup([], file: file)
        #expect(alone.machine.kind == .spinn3 && alone.machine.base == 40 && alone.machine.bootTimeScale == 0.5)
        #expect(alone.machine.seed == 9 && !alone.machine.isPoweredAtStart)
        #expect(alone.incoming == NetworkFaults(drop: 0.25, latency: .zero) && alone.outgoing == nil)
        let over = try self.setup(
            [
                "spinn5", "--base", "50", "--boot-time-scale", "0", "--seed", "8", "--powered", "--dead-chip", "1,0",
                "--dead-core", "1,0/5",
                "--network", "drop-every=2",
            ], file: file)
        #expect(over.machine.kind == .spinn5 && over.machine.base == 50 && over.machine.bootTimeScale == 0)
        #expect(over.machine.seed == 8 && over.machine.isPoweredAtStart)
        #expect(over.machine.monitorCore == 3 && over.machine.sendsHello, "what the command line can not say")
        #expect(over.machine.faults.deadChips == [BoardChip(local: ChipID(1, 1)), BoardChip(local: ChipID(1, 0))])
        #expect(over.machine.faults.deadCores == [BoardChip(local: ChipID(1, 0)): [4, 5]])
        #expect(over.incoming == NetworkFaults(dropEvery: 2, latency: .zero) && over.outgoing == over.incoming)
        // "auto" looks for addresses whatever the file has.
        #expect(try self.setup(["--base", "auto"], file: file).isBaseFree)
        // A network of nothing on the command line leaves the file's.
        #expect(try self.setup(["--network", "none"], file: file).incoming == NetworkFaults(drop: 0.25, latency: .zero))
    }

    @Test(arguments: [
        ["--boot-time-scale", "1000.5"], ["--boot-time-scale", "inf"], ["--seed", "-1"], ["--seed", "x"], ["--network", ""],
        ["--network", "drop"], ["--dead-board", "0,0"], ["--dead-chip", "0,0,0"], ["--dead-core", "0,0/99"],
        ["spinn5", "spinn3"],
        ["--base"],
    ]) func optionsThatAreWrong(arguments: [String]) {
        #expect(throws: (any Error).self) { try MachineOptions.parse(arguments) }
    }

    // MARK: Descriptions

    /// By table: a value of the wrong kind, out of range, and a key of a deeper object that is not known.
    @Test(arguments: [
        (#"{"seed": -1}"#, "seed: -1 is not in 0..."), (#"{"seed": 1.5}"#, "seed: this is not a whole number"),
        (#"{"power-on-delay": 3601}"#, "power-on-delay: 3601"),
        (#"{"monitor-core": -1}"#, "monitor-core: -1 is not in 0...17"),
        (#"{"hello": "yes"}"#, "hello: this is not a true or false"),
        (#"{"strict-addresses": 1}"#, "strict-addresses"), (#"{"dead-boards": [1]}"#, "dead-boards[0]"),
        (#"{"dead-chips": ["0,0,0"]}"#, #"dead-chips: "0,0,0" is not a chip of a board"#), (#"{"network": []}"#, "network"),
        (#"{"network": {"latency": 2}}"#, #"network: latency is a duration like 2ms, 500us or 0.1s, not "2""#),
        (#"{"network-in": {"jiter": "1ms"}}"#, #"network-in: unknown key "jiter"; did you mean "jitter"?"#),
        (#"{"timeline": {}}"#, "timeline: this is not a list"), (#"{"timeline": [{"after": 1}]}"#, "timeline[0]"),
        (#"{"timeline": [{"state": "running", "for": 3}]}"#, #"timeline[0]: unknown key "for""#),
        (#"{"timeline": [{"state": "running", "after": 1000001}]}"#, "timeline[0].after: 1000001"),
        (#"{"timelines": {"a": [{"state": "x"}]}}"#, #"timelines.a[0].state: "x" is none of"#),
        (#"{"powerd": true}"#, #"unknown key "powerd"; did you mean "powered"?"#), ("[]", ""), ("", "not JSON"),
        ("{", "not JSON"),
    ]) func descriptionsThatAreWrong(json: String, complaint: String) {
        #expect(
            performing: { try MachineFile.parse(Data(json.utf8), name: "m.json") },
            throws: { "\($0)".hasPrefix("m.json: \(complaint)") })
    }

    @Test func numbersAndTextsOfANetwork() throws {
        let file = try MachineFile.parse(
            Data(#"{"network": {"drop": 1, "corrupt": 0.125, "drop-every": 7, "jitter": "1ms", "duplicate": "0.5"}}"#.utf8),
            name: "m")
        let faults = NetworkFaults(
            drop: 1, dropEvery: 7, duplicate: 0.5, corrupt: 0.125, latency: .zero, jitter: .milliseconds(1))
        #expect(file.incoming == faults && file.outgoing == faults)
        #expect(try MachineFile.parse(Data(#"{"network": {}}"#.utf8), name: "m").incoming == nil)
    }

    // MARK: Lines

    /// However a stream is cut, its lines are the same.
    @Test(arguments: [UInt64(1), 2, 3]) func linesDoNotDependOnHowTheyCome(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let lines = (0..<50).map { _ in
            String(repeating: "aé", count: Int.random(in: 0...20, using: &random)) + (random.chance(0.1) ? " " : "")
        }
        let bytes = Array(lines.map { $0 + (random.chance(0.3) ? "\r\n" : "\n") }.joined().utf8)
        var buffer = LineBuffer(longest: 100)
        var found: [String] = []
        var at = 0
        while at < bytes.count {
            let step = min(Int.random(in: 1...30, using: &random), bytes.count - at)
            let isTaken = buffer.append(ByteBuffer(bytes: bytes[at..<(at + step)]))
            #expect(isTaken)
            while let line = buffer.next() { found.append(line) }
            at += step
        }
        let rest = buffer.rest()
        #expect(found == lines && rest == nil)
    }

    /// Only the line that is not ended yet counts.
    @Test(arguments: [
        ("12345678", true), ("123456789", false), ("123456789\n", true), ("a\n12345678", true), ("a\n123456789", false),
    ])
    func aLineHasALongestLength(text: String, isTaken: Bool) {
        var buffer = LineBuffer(longest: 8)
        let result = buffer.append(ByteBuffer(string: text))
        #expect(result == isTaken)
    }

    // MARK: What is told

    @Test func theMachineInOneLine() {
        var summary = Simulator.Summary(boards: 3)
        #expect(summary.line == "0 of 3 boards on, 0 booted; datagrams in 0, out 0; chips' memory 0 MiB")
        summary.powered = 2
        summary.booted = 1
        summary.traffic.received = 12
        summary.traffic.sent = 9
        summary.memory = 5 << 20 + 4096
        #expect(summary.line == "2 of 3 boards on, 1 booted; datagrams in 12, out 9; chips' memory 5 MiB")
    }

    @Test(arguments: [
        ("0,0,1", "0,0,1"), ("[x:1,y:2,z:0]", "1,2,0"), ("127.1.0.9", "127.1.0.9"), ("17", "17"),
    ]) func boardsAreNamedAsPeopleWriteThem(text: String, name: String) {
        #expect(BoardName(place: text)?.description == name)
    }
}
