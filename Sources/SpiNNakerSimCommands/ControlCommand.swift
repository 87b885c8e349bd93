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

    case help
    case boards
    case bmps
    case status
    case power(Power, Boards)
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
        default: throw SimError("there is no command \"\(verb)\"; help lists them")
        }
    }

    private static func power(_ words: [String]) throws(SimError) -> ControlCommand {
        guard let how = words.first.flatMap({ Power(rawValue: $0) }) else {
            throw SimError("power is told on, off or cycle, and then boards")
        }
        return .power(how, try ControlCommand.boards(Array(words.dropFirst())))
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

    static let helpText = """
        boards                        every board: place, address, state, datagrams in and out
        bmps                          every BMP: frame, address, boards in their slots
        status                        the whole machine in one line
        power on|off|cycle BOARD…     as a hand at the plug; BOARD is x,y,z, an address, a number, or all
        quit                          stop the simulator
        """
}
