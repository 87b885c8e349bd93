//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine

/// Machines, and where things are in them.
struct MachineController: Sendable {
    let core: ServiceCore
    let tls: Bool

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("machines", use: self.list)
        let machine = router.group("machines/:name")
        machine.get("", use: self.describe)
        machine.get("logical-board", use: self.byTriad)
        machine.get("physical-board", use: self.bySlot)
        machine.get("chip", use: self.byChip)
        machine.get("board-ip", use: self.byAddress)
    }

    private func links(_ request: Request) -> Links {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
    }

    private func reader(_ context: SpallocRequestContext) throws(APIError) -> Caller {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        return caller
    }

    private func machine(_ context: SpallocRequestContext) throws(APIError) -> MachineCatalogue.Machine {
        let caller = try self.reader(context)
        let name = try context.component("name")
        guard let machine = self.core.store.catalogue.machine(named: name),
            machine.inService || caller.user.trustLevel.administers
        else { throw .notFound("no machine called \"\(name)\"") }
        return machine
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        _ = try self.reader(context)
        let links = self.links(request)
        let out = try await self.core.store.boardsOutOfService()
        let machines = self.core.store.catalogue.machines.filter(\.inService).map { machine in
            MachineBrief(
                name: machine.name, tags: machine.tags, uri: links.machine(machine.name), width: machine.topology.width,
                height: machine.topology.height, deadBoards: machine.downBoards(out), deadLinks: machine.downLinks)
        }
        return try .json(MachineList(machines: machines))
    }

    @Sendable
    private func describe(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        var machine = try self.machine(context)
        if Query(request).flag(SpallocHTTP.wait) {
            let topic = JobChanges.Topic.machine(machine.name)
            let known = self.core.changes.current(topic)
            await self.core.next([(topic, known)], for: try context.requireCaller())
            machine = try self.machine(context)
        }
        let out = try await self.core.store.boardsOutOfService()
        let here = self.links(request).machine(machine.name)
        return try .json(
            MachineDetail(
                name: machine.name, tags: machine.tags, width: machine.topology.width, height: machine.topology.height,
                downBoards: machine.downBoards(out), downLinks: machine.downLinks,
                lookupByPhysicalBoard: "\(here)/physical-board", lookupByLogicalBoard: "\(here)/logical-board",
                lookupByChip: "\(here)/chip", lookupByAddress: "\(here)/board-ip"))
    }

    @Sendable
    private func byTriad(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let machine = try self.machine(context)
        let query = Query(request)
        let board = BoardCoordinates(
            try query.number("x", in: 0...255), try query.number("y", in: 0...255), try query.number("z", in: 0...2, default: 0)
        )
        return try await self.answer(machine, machine.topology.index(of: board), request)
    }

    @Sendable
    private func bySlot(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let machine = try self.machine(context)
        let query = Query(request)
        let slot = PhysicalCoordinates(
            cabinet: try query.number("cabinet", in: 0...255, default: 0),
            frame: try query.number("frame", in: 0...255, default: 0),
            board: try query.number("board", in: 0...255))
        return try await self.answer(machine, machine.topology.index(of: slot), request)
    }

    @Sendable
    private func byChip(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let machine = try self.machine(context)
        let query = Query(request)
        let chip = ChipPosition(x: try query.number("x", in: 0...65535), y: try query.number("y", in: 0...65535))
        let geometry = machine.topology.geometry
        guard chip.x < geometry.widthInChips, chip.y < geometry.heightInChips else { throw APIError.notFound("no such board") }
        return try await self.answer(machine, machine.topology.index(of: geometry.board(at: chip).board), request, chip: chip)
    }

    @Sendable
    private func byAddress(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let machine = try self.machine(context)
        guard let text = Query(request).text("address"), let address = IPv4Address(text) else {
            throw APIError.badRequest("address is to be an IPv4 address")
        }
        return try await self.answer(machine, machine.topology.index(ofAddress: address.description), request)
    }

    private func answer(
        _ machine: MachineCatalogue.Machine, _ index: Int?, _ request: Request, chip: ChipPosition? = nil
    ) async throws -> Response {
        guard let index, let board = machine.topology.boards[index] else { throw APIError.notFound("no such board") }
        let links = self.links(request)
        let boardChip = machine.topology.geometry.ethernetChip(of: board.coordinates)
        let asked = chip ?? boardChip
        var answer = WhereIs(
            machine: machine.name, machineRef: links.machine(machine.name), chip: asked, boardChip: boardChip,
            logicalBoardCoordinates: board.coordinates, physicalBoardCoordinates: board.physical)
        if let holder = try await self.core.store.holder(of: machine.boardIDs[index]),
            let root = self.core.store.catalogue.place(of: holder.root)
        {
            answer.jobID = holder.job
            answer.jobRef = links.job(holder.job)
            answer.jobChip = machine.topology.geometry.relative(asked, to: machine.topology.coordinates(of: root.index))
        }
        return try .json(answer)
    }
}

extension MachineCatalogue.Machine {
    func coords(of index: Int) -> BoardCoords? {
        guard let board = self.topology.boards[index] else { return nil }
        return BoardCoords(
            x: board.coordinates.x, y: board.coordinates.y, z: board.coordinates.z, cabinet: board.physical.cabinet,
            frame: board.physical.frame, board: board.physical.board, address: board.address)
    }

    /// Boards that are not to be counted on: out of service, or never there.
    func downBoards(_ out: Set<Int64>) -> [BoardCoords] {
        let broken = self.boardIDs.indices.filter { out.contains(self.boardIDs[$0]) }.compactMap(self.coords(of:))
        let absent = self.absent.map { board in
            BoardCoords(x: board.x, y: board.y, z: board.z, cabinet: 0, frame: 0, board: nil, address: nil)
        }
        return (broken + absent).sorted { $0.logical < $1.logical }
    }

    /// Each once, both of its ends, the lower board first.
    var downLinks: [DeadLink] {
        var seen: Set<[Int]> = []
        var links: [DeadLink] = []
        for link in self.deadLinks {
            let other = self.topology.geometry.neighbour(of: link.board, side: link.side)
            guard let a = self.topology.index(of: link.board), let b = self.topology.index(of: other) else { continue }
            let here = [a, Int(link.side.rawValue)]
            let there = [b, Int(link.side.opposite.rawValue)]
            let (first, second) = here.lexicographicallyPrecedes(there) ? (here, there) : (there, here)
            guard seen.insert(first).inserted, let firstBoard = self.coords(of: first[0]),
                let secondBoard = self.coords(of: second[0]),
                let firstSide = Link(rawValue: UInt8(first[1])), let secondSide = Link(rawValue: UInt8(second[1]))
            else { continue }
            links.append(
                DeadLink(
                    .init(board: firstBoard, direction: BoardSide(firstSide)),
                    .init(board: secondBoard, direction: BoardSide(secondSide))))
        }
        return links
    }
}
