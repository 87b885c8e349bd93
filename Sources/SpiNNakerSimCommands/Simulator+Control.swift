//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import SpiNNakerMachine
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// What a line of a control command led to.
struct ControlReply: Hashable, Sendable {
    /// Lines to show; none for most.
    var text: String
    var error: SimError?
    /// The simulator is to stop.
    var isQuit: Bool

    /// The text, then a last line by which a program sees how it went: `ok`, or `error: ` and why.
    var wire: String {
        let end = self.error.map { "error: \($0)" } ?? "ok"
        return self.text.isEmpty ? end + "\n" : self.text + "\n" + end + "\n"
    }

    /// What ``wire`` has led to at the other side: nil while `end` is not its last line.
    init?(text: [String], end: String) {
        if end == "ok" {
            self.init(text: text.joined(separator: "\n"))
        } else if end.hasPrefix("error: ") {
            self.init(text: text.joined(separator: "\n"), error: SimError(String(end.dropFirst("error: ".count))))
        } else {
            return nil
        }
    }

    init(text: String = "", error: SimError? = nil, isQuit: Bool = false) {
        self.text = text
        self.error = error
        self.isQuit = isQuit
    }
}

extension Simulator {
    /// Does what a line says.
    func perform(line: String) async -> ControlReply {
        do {
            guard let command = try ControlCommand(line: line) else { return ControlReply() }
            return ControlReply(text: try await self.perform(command), isQuit: command == .quit)
        } catch let error as SimError {
            return ControlReply(error: error)
        } catch {
            return ControlReply(error: SimError("\(error)"))
        }
    }

    private func perform(_ command: ControlCommand) async throws -> String {
        switch command {
        case .help: return ControlCommand.helpText
        case .boards: return try await self.boardReport().render(.table)
        case .bmps: return self.bmpReport().render(.table)
        case .status: return try await self.summary().line
        case .power(let how, let boards):
            let numbers = try self.numbers(boards)
            try await self.host.withMachine { machine, now in
                for number in numbers {
                    if how != .on { machine.setPower(false, board: number, now: now) }
                    if how != .off { machine.setPower(true, board: number, now: now) }
                }
            }
            return ""
        case .quit: return ""
        }
    }

    private func numbers(_ boards: ControlCommand.Boards) throws -> [Int] {
        switch boards {
        case .all: self.host.boards.map(\.number)
        case .some(let names): try names.map { try self.board($0).number }
        }
    }
}

extension Simulator.Summary {
    var line: String {
        "\(self.powered) of \(self.boards) boards on, \(self.booted) booted; "
            + "datagrams in \(self.traffic.received), out \(self.traffic.sent)"
    }
}
