//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Memory and routers of a job's boards, by SCP from here. Only the job's own boards can be reached.
struct MemoryController: Sendable {
    let core: ServiceCore
    let connections: BoardConnections

    /// A client gives up after 10 s; a board that is off should be known before.
    static let policy = SCPPolicy(timeout: .seconds(1), retries: 5)

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let job = router.group("jobs/:id")
        job.get("memory", use: self.read)
        job.post("memory", use: self.write)
        job.delete("router", use: self.resetRouters)
    }

    func boards(_ context: SpallocRequestContext) async throws -> (JobRecord, JobService.Boards) {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        guard let id = Int(try context.component("id")), id > 0 else { throw APIError.noJob }
        let jobs = JobService(core: self.core)
        let job = try await jobs.job(id, for: caller)
        guard let boards = try await jobs.boards(of: job) else {
            throw APIError(.conflict, "job \(id) has no boards")
        }
        return (job, boards)
    }

    private struct Place {
        var connection: SCPConnection
        var core: CoreID
        var address: UInt32
    }

    private func place(_ request: Request, _ context: SpallocRequestContext) async throws -> Place {
        let query = Query(request)
        let asked = try query.chip()
        let (job, boards) = try await self.boards(context)
        let chip = boards.chip(asked)
        guard let board = boards.board(with: chip), let id = chip.chip else {
            throw APIError.badRequest("chip \(chip) is not on a board of job \(job.id)")
        }
        // A signed 64-bit decimal cut to 32 bits, as the reference reads it.
        let address = try query.number("address", in: Int(Int64.min)...Int(Int64.max), default: 0)
        let connection = try await self.connections.connection(job: job.id, board: board)
        return Place(connection: connection, core: .monitor(of: id), address: UInt32(truncatingIfNeeded: address))
    }

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let size = try Query(request).number("size", in: 0...self.core.configuration.maximumBody, default: 0)
        let place = try await self.place(request, context)
        let bytes = try await self.scp {
            () throws(SCPError) in
            try await place.connection.read(
                address: place.address, count: size, from: place.core, policy: MemoryController.policy)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody(byteBuffer: bytes))
    }

    @Sendable
    private func write(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let place = try await self.place(request, context)
        let bytes = try await request.body.collect(upTo: self.core.configuration.maximumBody)
        try await self.scp {
            () throws(SCPError) in
            try await place.connection.write(bytes, address: place.address, to: place.core, policy: MemoryController.policy)
        }
        return Response(status: .accepted)
    }

    /// Clears the multicast routes and the diagnostic counters of every chip, and sets the filters that are given.
    @Sendable
    private func resetRouters(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        var filters: [(index: UInt32, word: UInt32)] = []
        for (name, value) in Query(request).pairs {
            guard let index = UInt32(name), index < 16, let word = Int64(value), let bits = UInt32(exactly: word & 0xFFFF_FFFF),
                word >= Int64(Int32.min), word <= Int64(UInt32.max)
            else { throw APIError.badRequest("\"\(name)=\(value)\" is no router diagnostic filter") }
            guard !filters.contains(where: { $0.index == index }) else {
                throw APIError.badRequest("router diagnostic filter \(index) is given twice")
            }
            filters.append((index, bits))
        }
        let (job, boards) = try await self.boards(context)
        let chosen = filters
        try await withThrowingTaskGroup(of: Void.self) { group in
            for board in boards.boards {
                group.addTask { try await self.resetRouters(of: board, boards: boards, job: job.id, filters: chosen) }
            }
            try await group.waitForAll()
        }
        return Response(status: .accepted)
    }

    private func resetRouters(
        of board: JobService.Boards.Board, boards: JobService.Boards, job: Int, filters: [(index: UInt32, word: UInt32)]
    ) async throws {
        let geometry = boards.machine.topology.geometry
        let chips = BoardShape.spinn5.chips.compactMap { local in
            geometry.relative(geometry.chip(local, on: board.coordinates), to: boards.root).chip
        }
        // First the chip with the Ethernet: who is silent there is silent everywhere, and the client is told before it gives up.
        guard let ethernet = board.chip.chip else { return }
        let connection = try await self.connections.connection(job: job, board: board)
        try await self.send([Self.resetCounters(of: ethernet)], by: connection)
        try await self.send(chips.map(Self.resetCounters), by: connection)
        var calls: [SCPCall] = []
        for chip in chips {
            calls.append(SCPCall(ClearRouter(), to: .monitor(of: chip)))
            for filter in filters {
                let word = ByteBuffer(integer: filter.word, endianness: .little)
                calls.append(SCPCall(WriteMemory(address: 0xE100_0200 &+ filter.index * 4, data: word), to: .monitor(of: chip)))
            }
        }
        try await self.send(calls, by: connection)
    }

    private static func resetCounters(of chip: ChipID) -> SCPCall {
        SCPCall(WriteMemory(address: 0xF100_002C, data: ByteBuffer(integer: UInt32.max)), to: .monitor(of: chip))
    }

    /// A chip that is dead refuses, and has no router to reset; one that says nothing is another matter.
    private func send(_ calls: [SCPCall], by connection: SCPConnection) async throws {
        let results = try await self.scp {
            () throws(SCPError) in
            try await connection.results(of: calls, policy: SCPPolicy(timeout: .seconds(1), retries: 2))
        }
        let silent = results.compactMap { result -> SCPError? in
            guard case .failure(let error) = result, case .timedOut = error.code else { return nil }
            return error
        }
        if let error = silent.first { throw APIError(.gatewayTimeout, "\(error)") }
    }

    func scp<Value: Sendable>(_ body: () async throws(SCPError) -> Value) async throws(APIError) -> Value {
        do throws(SCPError) {
            return try await body()
        } catch {
            switch error.code {
            case .timedOut: throw APIError(.gatewayTimeout, "\(error)")
            case .invalidRequest: throw APIError(.badRequest, "\(error)")
            case .rejected, .malformedReply: throw APIError(.badGateway, "\(error)")
            case .cancelled, .linkClosed: throw .gone
            }
        }
    }
}
