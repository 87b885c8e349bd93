//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import SpiNNakerMachine
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// A machine that runs, and what one can ask of it.
struct Simulator: Sendable {
    let host: VirtualMachineHost
    let description: VirtualMachineDescription

    /// What a board is doing.
    struct BoardStatus: Hashable, Sendable {
        var isPowered: Bool
        var isBooted: Bool
        var traffic: BoardTraffic
    }

    /// The whole machine in numbers.
    struct Summary: Hashable, Sendable {
        var boards: Int
        var powered = 0
        var booted = 0
        var traffic = BoardTraffic()
    }

    /// By board, in the order of ``VirtualMachineHost/boards``, all of one moment.
    func boardStatus() async throws -> [BoardStatus] {
        let numbers = self.host.boards.map(\.number)
        return try await self.host.withMachine { machine, _ in
            numbers.map {
                BoardStatus(
                    isPowered: machine.isPowered(board: $0), isBooted: machine.isBooted(board: $0),
                    traffic: machine.traffic(ofBoard: $0))
            }
        }
    }

    func summary() async throws -> Summary {
        let status = try await self.boardStatus()
        var summary = Summary(boards: status.count)
        for board in status {
            summary.powered += board.isPowered ? 1 : 0
            summary.booted += board.isBooted ? 1 : 0
            summary.traffic.received += board.traffic.received
            summary.traffic.sent += board.traffic.sent
        }
        return summary
    }

    /// - Throws: ``SimError`` when the machine has no such board, or its slot is empty.
    func board(_ name: BoardName) throws -> VirtualMachineHost.Board {
        let board =
            switch name {
            case .coordinates(let coordinates): self.host.boards.first { $0.coordinates == coordinates }
            case .address(let address): self.host.boards.first { $0.address == address }
            case .number(let number): self.host.boards.first { $0.number == number }
            }
        guard let board else { throw SimError("the machine has no board \(name)") }
        return board
    }

    // MARK: Reports

    func boardReport() async throws -> Report {
        let status = try await self.boardStatus()
        return .rows(
            ["board", "number", "slot", "address", "state", "in", "out"],
            zip(self.host.boards, status).map { board, status in
                [
                    .text(board.coordinates.place), .number(board.number), .text(board.physical.place),
                    .text(board.address.description),
                    .text(status.isBooted ? "booted" : status.isPowered ? "on" : "off"),
                    .number(status.traffic.received), .number(status.traffic.sent),
                ]
            })
    }

    func bmpReport() -> Report {
        .rows(
            ["frame", "address", "boards"],
            self.host.bmps.map { bmp in
                let slots = self.host.boards.count { $0.physical.cabinet == bmp.cabinet && $0.physical.frame == bmp.frame }
                return [.text("\(bmp.cabinet),\(bmp.frame)"), .text(bmp.address.description), .number(slots)]
            })
    }
}

extension BoardName: CustomStringConvertible {
    var description: String {
        switch self {
        case .coordinates(let coordinates): coordinates.place
        case .address(let address): address.description
        case .number(let number): "\(number)"
        }
    }
}

extension BoardCoordinates {
    /// As it is written on a command line.
    var place: String { "\(self.x),\(self.y),\(self.z)" }
}

extension PhysicalCoordinates {
    /// Cabinet, frame, slot.
    var place: String { "\(self.cabinet),\(self.frame),\(self.board)" }
}
