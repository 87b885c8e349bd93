//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import SpallocAPI
import SpallocClient
import SpiNNakerMachine

extension Report.Cell {
    static func instant(_ instant: WireInstant?) -> Report.Cell { .text(instant?.description) }
    static func board(_ board: BoardCoordinates?) -> Report.Cell { .text(board.map { "\($0.x),\($0.y),\($0.z)" }) }
    static func slot(_ board: PhysicalCoordinates?) -> Report.Cell {
        .text(board.map { "\($0.cabinet),\($0.frame),\($0.board)" })
    }
    static func chip(_ chip: ChipPosition?) -> Report.Cell { .text(chip.map { "\($0.x),\($0.y)" }) }
    static func texts(_ texts: [String]) -> Report.Cell { .list(texts.map { .text($0) }) }
    static func boards(_ boards: [BoardCoords]) -> Report.Cell { .list(boards.map { .board($0.logical) }) }
    static func connections(_ connections: [JobMachine.Connection]) -> Report.Cell {
        .list(connections.map { .record([("chip", .chip($0.chip)), ("host", .text($0.hostname))]) })
    }
}

extension Report {
    static func machines(_ machines: [SpallocMachine]) -> Report {
        .rows(
            ["name", "width", "height", "boards", "dead", "tags"],
            machines.map { machine in
                [
                    .text(machine.name), .number(machine.width), .number(machine.height), .number(machine.boardCount),
                    .number(machine.deadBoards.count), .texts(machine.tags),
                ]
            })
    }

    static func machine(_ machine: SpallocMachine, _ detail: MachineDetail) -> Report {
        .record([
            ("name", .text(detail.name)), ("tags", .texts(detail.tags)), ("width", .number(detail.width)),
            ("height", .number(detail.height)), ("boards", .number(machine.boardCount)),
            ("dead-boards", .boards(detail.downBoards)),
            (
                "dead-links",
                .list(
                    detail.downLinks.map { link in
                        .text(
                            link.ends.map { "\($0.board.x),\($0.board.y),\($0.board.z):\($0.direction.rawValue)" }.joined(
                                separator: "-"))
                    })
            ),
        ])
    }

    static func whereIs(_ place: WhereIs) -> Report {
        .record([
            ("machine", .text(place.machine)), ("board", .board(place.logicalBoardCoordinates)),
            ("physical", .slot(place.physicalBoardCoordinates)), ("chip", .chip(place.chip)),
            ("board-chip", .chip(place.boardChip)), ("job", .number(place.jobID)), ("job-chip", .chip(place.jobChip)),
        ])
    }

    static func job(
        _ job: SpallocJob, _ details: JobDescription, _ machine: JobMachine?, power: PowerState?
    ) -> Report {
        .record([
            ("id", .number(job.id)), ("state", .text(details.state.rawValue)), ("owner", .text(details.owner)),
            ("started", .instant(details.startTime)), ("finished", .instant(details.finishTime)),
            ("reason", .text(details.reason)), ("kept-alive", .instant(details.keepaliveTime)),
            ("kept-alive-by", .text(details.keepaliveHost)), ("machine", .text(machine?.machineName)),
            ("width", .number(machine?.width)), ("height", .number(machine?.height)), ("depth", .number(machine?.depth)),
            ("power", .text(power?.rawValue)), ("boards", machine.map { .list($0.boards.map { .board($0) }) } ?? .none),
            ("connections", machine.map { .connections($0.connections) } ?? .none),
        ])
    }
}
