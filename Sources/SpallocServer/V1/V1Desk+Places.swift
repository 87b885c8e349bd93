//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// Where things are.
extension V1Desk {
    func position(of board: BoardCoordinates, in name: String) -> V1JSON {
        guard let topology = self.core.store.catalogue.machine(named: name)?.topology,
            let physical = topology.index(of: board).flatMap({ topology.boards[$0] })?.physical
        else { return .null }
        return V1JSON([physical.cabinet, physical.frame, physical.board])
    }

    func board(at place: PhysicalCoordinates, in name: String) -> V1JSON {
        guard let topology = self.core.store.catalogue.machine(named: name)?.topology, let index = topology.index(of: place)
        else { return .null }
        let board = topology.coordinates(of: index)
        return V1JSON([board.x, board.y, board.z])
    }

    /// nil when nothing is there. Coordinates beyond the machine wrap around it, and a z that can not be is 0, as in the original.
    func place(_ question: V1WhereIs) async throws -> V1Place? {
        let catalogue = self.core.store.catalogue
        switch question {
        case .board(let name, let board):
            guard let machine = catalogue.machine(named: name) else { return nil }
            let board = BoardCoordinates(board.x, board.y, (0...2).contains(board.z) ? board.z : 0)
            return try await self.place(of: machine.topology.geometry.ethernetChip(of: board), in: machine)
        case .physical(let name, let place):
            guard let machine = catalogue.machine(named: name), let index = machine.topology.index(of: place) else {
                return nil
            }
            let board = machine.topology.coordinates(of: index)
            return try await self.place(of: machine.topology.geometry.ethernetChip(of: board), in: machine)
        case .chip(let name, let chip):
            guard let machine = catalogue.machine(named: name) else { return nil }
            return try await self.place(of: machine.topology.geometry.wrapped(chip), in: machine)
        case .jobChip(let id, let chip):
            guard let allocation = try await self.job(id)?.record.allocation,
                let machine = catalogue.machine(id: allocation.machine), let root = catalogue.place(of: allocation.root)
            else { return nil }
            let origin = machine.topology.coordinates(of: root.index)
            let place = try await self.place(of: machine.topology.geometry.absolute(chip, from: origin), in: machine)
            // The board may be another job's, or nobody's.
            return place?.job == id ? place : nil
        }
    }

    /// - Parameter chip: inside the machine.
    private func place(of chip: ChipPosition, in machine: MachineCatalogue.Machine) async throws -> V1Place? {
        let topology = machine.topology
        let (coordinates, local) = topology.geometry.board(at: chip)
        guard let index = topology.index(of: coordinates), let board = topology.boards[index] else { return nil }
        var place = V1Place(
            machine: machine.name, logical: coordinates, physical: board.physical, chip: chip,
            boardChip: ChipPosition(x: Int(local.x), y: Int(local.y)))
        guard let holder = try await self.core.store.holder(of: machine.boardIDs[index]),
            let root = self.core.store.catalogue.place(of: holder.root)
        else { return place }
        place.job = holder.job
        let origin = topology.coordinates(of: root.index)
        let ethernet = topology.geometry.relative(topology.geometry.ethernetChip(of: coordinates), to: origin)
        var chip = ChipPosition(x: ethernet.x + Int(local.x), y: ethernet.y + Int(local.y))
        if chip.x >= topology.geometry.widthInChips || chip.y >= topology.geometry.heightInChips {
            // Over the edge of a job that is as wide or as high as the machine: it depends on whether the job wraps around.
            guard let job = try await self.core.store.job(holder.job), let boards = try await self.jobs.boards(of: job) else {
                return place
            }
            let size = boards.v1Size
            chip = ChipPosition(x: chip.x % max(1, size.width), y: chip.y % max(1, size.height))
        }
        place.jobChip = chip
        return place
    }

    /// The machines in service, in the order in which jobs are given to them.
    func machines() async throws -> V1JSON {
        let out = try await self.core.store.boardsOutOfService()
        return .array(
            self.core.store.catalogue.machines.filter(\.inService).map { machine in
                let topology = machine.topology
                let dead = topology.geometry.boards.filter { board in
                    topology.index(of: board).map { out.contains(machine.boardIDs[$0]) } ?? true
                }
                return V1Machine(
                    name: machine.name, tags: machine.tags, width: topology.width, height: topology.height, deadBoards: dead,
                    deadLinks: machine.v1DeadLinks
                ).json
            })
    }
}

extension MachineCatalogue.Machine {
    /// Both ends of each: here a link that is dead one way is dead.
    fileprivate var v1DeadLinks: [BoardLink] {
        let farEnds = self.deadLinks.map { self.topology.geometry.farEnd(of: $0) }
        return Set(self.deadLinks + farEnds).sorted()
    }
}

extension JobService.Boards {
    /// In chips. A single board is 8 × 8. Of more, a triad is 12 × 12; where the job does not wrap around the machine, its last boards
    /// stick out by 4. It wraps where two of its boards are joined over its own edge, be the link alive or dead.
    var v1Size: (width: Int, height: Int) {
        guard self.boards.count > 1 else { return (8, 8) }
        let geometry = self.machine.topology.geometry
        // From the root, so that a job which lies over the machine's edge is in one piece.
        let relative = Set(
            self.boards.map { board in
                geometry.wrapped(
                    BoardCoordinates(
                        board.coordinates.x - self.root.x, board.coordinates.y - self.root.y, board.coordinates.z))
            })
        var (width, height) = (1, 1)
        for board in relative { (width, height) = (max(width, board.x + 1), max(height, board.y + 1)) }
        var (wrapsX, wrapsY) = (false, false)
        if width == geometry.width || height == geometry.height {
            for board in relative {
                for side in Link.allCases where relative.contains(geometry.neighbour(of: board, side: side)) {
                    let crossed = geometry.edgesCrossed(from: board, over: side)
                    wrapsX = wrapsX || crossed.x
                    wrapsY = wrapsY || crossed.y
                }
            }
        }
        return (width * 12 + (wrapsX ? 0 : 4), height * 12 + (wrapsY ? 0 : 4))
    }
}
