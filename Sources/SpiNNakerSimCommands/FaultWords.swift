//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

extension InjectedFault {
    /// From the words behind `fault` in a control command.
    init(words: [String]) throws(SimError) {
        guard let form = words.first.flatMap({ word in InjectedFault.forms.first { $0.name == word } }) else {
            let names = InjectedFault.forms.map(\.name).joined(separator: ", ")
            throw SimError("which fault? One of \(names)")
        }
        self = try form.make(Arguments(words: words.dropFirst(), form: form))
    }

    /// A kind of fault as it is written.
    struct Form: Sendable {
        let name: String
        /// What follows the name.
        let parameters: String
        let meaning: String
        fileprivate let make: @Sendable (Arguments) throws(SimError) -> InjectedFault
    }

    static let forms: [Form] = [
        Form(name: "dead-chip", parameters: "CHIP", meaning: "its neighbours find nobody") { words throws(SimError) in
            .deadChip(try words.only { BoardChip(place: $0) })
        },
        Form(name: "dead-core", parameters: "CHIP/CORE", meaning: "a physical core; seen at the next boot") {
            words throws(SimError) in
            let core = try words.only { BoardCore(place: $0) }
            return .deadCore(core.chip, core: core.core)
        },
        Form(name: "dead-link", parameters: "CHIP/LINK", meaning: "both ends") { words throws(SimError) in
            .deadLink(try words.only { BoardChipLink(place: $0) })
        },
        Form(name: "monitor-crash", parameters: "CHIP", meaning: "silent until its next reset") { words throws(SimError) in
            .monitorCrash(try words.only { BoardChip(place: $0) })
        },
        Form(name: "p2p", parameters: "CHIP CODE|off", meaning: "messages end so, like RC_P2P_BUSY") {
            words throws(SimError) in
            let (chip, result) = try words.two({ BoardChip(place: $0) }, { OptionalResult($0) })
            return .p2pResult(chip, result.result)
        },
        Form(name: "stuck-core", parameters: "CHIP/CORE STATE", meaning: "an application core stays in a state") {
            words throws(SimError) in
            let (core, state) = try words.two({ BoardCore(place: $0) }, { CoreState(name: $0) })
            return .stuckCore(core.chip, core: core.core, state: state)
        },
        Form(name: "no-sdram", parameters: "CHIP on|off", meaning: "allocations of SDRAM fail") { words throws(SimError) in
            let (chip, isOn) = try words.two({ BoardChip(place: $0) }, { Switch($0) })
            return .noSDRAM(chip, isOn == .on)
        },
        Form(name: "no-router-entries", parameters: "CHIP on|off", meaning: "allocations of router entries fail") {
            words throws(SimError) in
            let (chip, isOn) = try words.two({ BoardChip(place: $0) }, { Switch($0) })
            return .noRouterEntries(chip, isOn == .on)
        },
        Form(name: "phy-down", parameters: "BOARD on|off", meaning: "no network at its next boot") {
            words throws(SimError) in
            let (board, isOn) = try words.two({ BoardCoordinates(place: $0) }, { Switch($0) })
            return .phyDown(board, isOn == .on)
        },
        Form(name: "no-tags", parameters: "BOARD", meaning: "requests are dropped for a while") {
            words throws(SimError) in
            .noTags(try words.only { BoardCoordinates(place: $0) })
        },
        Form(name: "fpga", parameters: "BOARD/FPGA on|off", meaning: "FPGA 0...2 is not configured") {
            words throws(SimError) in
            let (fpga, isOn) = try words.two({ BoardFPGA($0) }, { Switch($0) })
            return .fpgaUnconfigured(fpga.board, fpga: fpga.number, isOn == .on)
        },
        Form(name: "power-failure", parameters: "BOARD on|off", meaning: "power-on has no effect") { words throws(SimError) in
            let (board, isOn) = try words.two({ BoardCoordinates(place: $0) }, { Switch($0) })
            return .powerFailure(board, isOn == .on)
        },
        Form(name: "bmp", parameters: "BOARD CODE|off", meaning: "its BMP answers everything so") {
            words throws(SimError) in
            let (board, result) = try words.two({ BoardCoordinates(place: $0) }, { OptionalResult($0) })
            return .bmpResult(board, result.result)
        },
    ]
}

/// The words behind a fault's name, with the form they are to have.
private struct Arguments {
    let words: ArraySlice<String>
    let form: InjectedFault.Form

    private var complaint: SimError { SimError("it is: fault \(self.form.name) \(self.form.parameters)") }

    func only<First>(_ first: (String) -> First?) throws(SimError) -> First {
        guard self.words.count == 1, let value = self.words.first.flatMap(first) else { throw self.complaint }
        return value
    }

    func two<First, Second>(
        _ first: (String) -> First?, _ second: (String) -> Second?
    ) throws(SimError) -> (First, Second) {
        guard self.words.count == 2, let a = self.words.first.flatMap(first), let b = self.words.last.flatMap(second) else {
            throw self.complaint
        }
        return (a, b)
    }
}

private enum Switch: String {
    case on
    case off

    init?(_ word: String) { self.init(rawValue: word) }
}

/// A result code by its name or number, or `off`.
private struct OptionalResult {
    let result: SCPResult?

    private static let named = (UInt16(0x80)...0x8F).map { SCPResult(rawValue: $0) }

    init?(_ word: String) {
        if word == "off" {
            self.result = nil
        } else if let result = OptionalResult.named.first(where: { $0.description.prefix { $0 != " " } == word.uppercased() }) {
            self.result = result
        } else if word.hasPrefix("0x"), let number = UInt16(word.dropFirst(2), radix: 16) {
            self.result = SCPResult(rawValue: number)
        } else {
            return nil
        }
    }
}

/// One of the three FPGAs of a board: `0,0,1/2`.
private struct BoardFPGA {
    let board: BoardCoordinates
    let number: Int

    init?(_ word: String) {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let board = BoardCoordinates(place: parts[0]), let number = Int(parts[1]),
            (0...2).contains(number)
        else { return nil }
        self.board = board
        self.number = number
    }
}

extension CoreState {
    private static let names: [String: CoreState] = [
        "dead": .dead, "powered-down": .poweredDown, "run-time-exception": .runTimeException, "watchdog": .watchdog,
        "initialising": .initialising, "ready": .ready, "c-main": .cMain, "running": .running, "sync0": .sync0,
        "sync1": .sync1, "paused": .paused, "finished": .finished, "idle": .idle,
    ]
    static let knownNames = CoreState.names.keys.sorted().joined(separator: ", ")

    /// As people write it: `running`, `run-time-exception`.
    init?(name: String) {
        guard let state = CoreState.names[name] else { return nil }
        self = state
    }

    var name: String { CoreState.names.first { $0.value == self }?.key ?? "\(self.rawValue)" }
}
