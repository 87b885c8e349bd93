//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import VirtualSpiNNaker

/// What somebody at a running simulator can tell it: one line, at its standard input or its control socket.
enum ControlCommand: Hashable, Sendable {
    enum Boards: Hashable, Sendable {
        case all
        case some([BoardName])
    }

    enum Power: String, Hashable, Sendable {
        case on
        case off
        /// Off, and on again: whatever ran is gone.
        case cycle
    }

    /// As the machine sees it.
    enum Direction: String, Hashable, Sendable {
        case incoming = "in"
        case outgoing = "out"
        case both
    }

    case help
    case boards
    case bmps
    case status
    case power(Power, Boards)
    case fault(InjectedFault)
    case network(Direction, NetworkFaults?)
    case quit

    /// - Returns: nil for an empty line, or one that begins with `#`.
    init?(line: String) throws(SimError) {
        let words = line.split(whereSeparator: { $0.isWhitespace }).map(String.init)
        guard let verb = words.first, !verb.hasPrefix("#") else { return nil }
        let rest = Array(words.dropFirst())
        func alone(_ command: ControlCommand) throws(SimError) -> ControlCommand {
            guard rest.isEmpty else { throw SimError("\(verb) takes nothing more") }
            return command
        }
        switch verb {
        case "help", "?": self = try alone(.help)
        case "boards": self = try alone(.boards)
        case "bmps": self = try alone(.bmps)
        case "status": self = try alone(.status)
        case "quit", "exit": self = try alone(.quit)
        case "power": self = try ControlCommand.power(rest)
        case "fault": self = .fault(try InjectedFault(words: rest))
        case "network": self = try ControlCommand.network(rest)
        default: throw SimError("there is no command \"\(verb)\"; help lists them")
        }
    }

    private static func power(_ words: [String]) throws(SimError) -> ControlCommand {
        guard let how = words.first.flatMap({ Power(rawValue: $0) }) else {
            throw SimError("power is told on, off or cycle, and then boards")
        }
        return .power(how, try ControlCommand.boards(Array(words.dropFirst())))
    }

    private static func network(_ words: [String]) throws(SimError) -> ControlCommand {
        if let direction = words.first.flatMap({ Direction(rawValue: $0) }) {
            return .network(direction, try NetworkFaults.parse(words: Array(words.dropFirst())))
        }
        return .network(.both, try NetworkFaults.parse(words: words))
    }

    private static func boards(_ words: [String]) throws(SimError) -> Boards {
        if words == ["all"] { return .all }
        guard !words.isEmpty else { throw SimError("which boards? all, or some, each like 0,0,1, 127.1.0.9 or 3") }
        var boards: [BoardName] = []
        for word in words {
            guard let board = BoardName(place: word) else { throw SimError("\"\(word)\" is not \(PlaceForm.board)") }
            boards.append(board)
        }
        return .some(boards)
    }

    static let helpText: String = {
        let faults = InjectedFault.forms.map { form in
            let head = "  fault \(form.name) \(form.parameters)"
            return head + String(repeating: " ", count: max(1, 36 - head.count)) + form.meaning
        }
        return """
              boards                            every board: address, state, LEDs, traffic
              bmps                              every BMP: frame, address, boards
              status                            the whole machine in one line
              power on|off|cycle BOARD…         as a hand at the plug
              network [in|out] NAME=VALUE…      see below
              network [in|out] none             nothing is lost, no time passes
            \(faults.joined(separator: "\n"))
              quit                              stop the simulator

            BOARD is x,y,z (for power also an address, a number or all), CHIP is BOARD/x,y.
            NAME is drop, duplicate, reorder or corrupt with a probability, drop-every with
            a number, latency, jitter or reorder-delay with a duration like 2ms.
            """
    }()
}
