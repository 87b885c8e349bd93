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

/// `fast-data-write` and `fast-data-read` of a job: its boards' memory by the fast protocols of the toolchain, whose cores the client has
/// loaded. Only the job's own boards can be reached, and of a body no more than one piece is held here.
struct FastDataController: Sendable {
    let memory: MemoryController
    /// Bytes of one transaction with a core.
    var piece = 1 << 20

    private var core: ServiceCore { self.memory.core }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let job = router.group("jobs/:id")
        job.post("fast-data-write", use: self.write)
        job.get("fast-data-read", use: self.read)
    }

    /// The way of a transfer.
    private struct Route: Sendable {
        var job: Int
        var board: JobService.Boards.Board
        /// Of the board.
        var ethernet: ChipID
        var tag: UInt8
        /// The core that speaks the protocol.
        var speaker: CoreID
        /// Whose memory it is, as the job has it.
        var chip: ChipID
        /// The same on the board.
        var local: ChipID
        var address: UInt32
    }

    // MARK: - Parameters

    private func number(_ query: Query, _ name: String, in range: ClosedRange<Int>, default value: Int? = nil) throws(APIError)
        -> UInt8
    {
        UInt8(clamping: try query.number(name, in: range, default: value))
    }

    private func board(
        _ query: Query, _ boards: JobService.Boards, job: Int
    ) throws(APIError) -> (board: JobService.Boards.Board, ethernet: ChipID) {
        let ethernet = ChipID(
            try self.number(query, "eth_x", in: 0...255, default: 0), try self.number(query, "eth_y", in: 0...255, default: 0))
        guard let board = boards.boards.first(where: { $0.chip.chip == ethernet }) else {
            throw .badRequest("(\(ethernet.x), \(ethernet.y)) is no Ethernet chip of job \(job)")
        }
        // The reference sends to whatever address it is given. Here the address only has to be right.
        if let address = query.text("eth_address"),
            IPv4Address(address) == nil || IPv4Address(address) != IPv4Address(board.address)
        {
            throw .badRequest("eth_address is not that of the job's board at (\(ethernet.x), \(ethernet.y))")
        }
        return (board, ethernet)
    }

    private func address(_ query: Query, count: Int) throws(APIError) -> UInt32 {
        // A signed 64-bit decimal cut to 32 bits, as for memory.
        let address = UInt32(truncatingIfNeeded: try query.number("address", in: Int(Int64.min)...Int(Int64.max), default: 0))
        guard UInt64(address) + UInt64(clamping: count) <= 1 << 32 else {
            throw .badRequest("\(count) bytes from \(address) are not in a chip's 4 GiB of addresses")
        }
        return address
    }

    /// A chip of the board, by its place in the job.
    private func local(_ chip: ChipID, on board: JobService.Boards.Board, of boards: JobService.Boards) -> ChipID? {
        guard boards.board(with: ChipPosition(x: Int(chip.x), y: Int(chip.y)))?.id == board.id else { return nil }
        return BoardShape.spinn5.chips.first { self.place($0, on: board, of: boards) == chip }
    }

    private func place(_ local: ChipID, on board: JobService.Boards.Board, of boards: JobService.Boards) -> ChipID? {
        let geometry = boards.machine.topology.geometry
        return geometry.relative(geometry.chip(local, on: board.coordinates), to: boards.root).chip
    }

    private func writeRoute(_ request: Request, _ context: SpallocRequestContext, count: Int) async throws -> Route {
        let query = Query(request)
        let (job, boards) = try await self.memory.boards(context)
        let (board, ethernet) = try self.board(query, boards, job: job.id)
        let gatherer = CoreID(
            chip: ChipID(try self.number(query, "gather_x", in: 0...255), try self.number(query, "gather_y", in: 0...255)),
            p: try self.number(query, "gather_p", in: 1...17))
        guard self.local(gatherer.chip, on: board, of: boards) != nil else {
            throw APIError.badRequest("the gatherer \(gatherer) is not on the board at (\(ethernet.x), \(ethernet.y))")
        }
        // The protocol's own, and therefore the client's: relative to the Ethernet chip.
        let local = ChipID(
            try self.number(query, "x", in: 0...7, default: 0), try self.number(query, "y", in: 0...7, default: 0))
        guard BoardShape.spinn5.contains(local), let chip = self.place(local, on: board, of: boards) else {
            throw APIError.badRequest("a board has no chip (\(local.x), \(local.y))")
        }
        return Route(
            job: job.id, board: board, ethernet: ethernet, tag: try self.number(query, "iptag", in: 0...7), speaker: gatherer,
            chip: chip, local: local, address: try self.address(query, count: count))
    }

    private func readRoute(_ request: Request, _ context: SpallocRequestContext, count: Int) async throws -> Route {
        let query = Query(request)
        let (job, boards) = try await self.memory.boards(context)
        let (board, ethernet) = try self.board(query, boards, job: job.id)
        let monitor = CoreID(
            chip: ChipID(
                try self.number(query, "x", in: 0...255, default: 0), try self.number(query, "y", in: 0...255, default: 0)),
            p: try self.number(query, "p", in: 1...17))
        guard let local = self.local(monitor.chip, on: board, of: boards) else {
            throw APIError.badRequest("the core \(monitor) is not on the board at (\(ethernet.x), \(ethernet.y))")
        }
        return Route(
            job: job.id, board: board, ethernet: ethernet, tag: try self.number(query, "iptag", in: 0...7), speaker: monitor,
            chip: monitor.chip, local: local, address: try self.address(query, count: count))
    }

    // MARK: - Writing

    @Sendable
    private func write(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let limit = self.core.configuration.maximumBody
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= limit else { throw APIError(.contentTooLarge, "the body has more than \(limit) bytes") }
        var route = try await self.writeRoute(request, context, count: announced)
        let start = route.address
        var pending = ByteBuffer()
        var total = 0
        for try await part in request.body {
            total += part.readableBytes
            guard total <= limit else { throw APIError(.contentTooLarge, "the body has more than \(limit) bytes") }
            guard UInt64(start) + UInt64(total) <= 1 << 32 else {
                throw APIError.badRequest("the body does not end within a chip's 4 GiB of addresses")
            }
            pending.writeImmutableBuffer(part)
            while pending.readableBytes >= self.piece + 4 { try await self.flush(&pending, &route) }
            pending.discardReadBytes()
        }
        while pending.readableBytes > 0 { try await self.flush(&pending, &route) }
        return Response(status: .accepted)
    }

    /// Writes the next part of what is there: up to a word's boundary and less than a word by SCP, all between by the fast protocol,
    /// which knows words only.
    private func flush(_ pending: inout ByteBuffer, _ route: inout Route) async throws {
        let part = self.part(pending.readableBytes, at: route.address)
        guard let data = pending.readSlice(length: part.count) else { return }
        let now = route
        if part.isFast {
            let retransmissions = try await self.transfer("to_board", now) { connection, transaction throws(FastDataFailure) in
                try await connection.write(
                    data, to: now.local, address: now.address, through: now.speaker, transaction: transaction)
            }
            self.core.metrics.fastData("to_board", bytes: data.readableBytes, retransmissions: retransmissions)
        } else {
            let connection = try await self.memory.connections.connection(job: now.job, board: now.board)
            try await self.memory.scp { () throws(SCPError) in
                try await connection.write(
                    data, address: now.address, to: .monitor(of: now.chip), policy: MemoryController.policy)
            }
        }
        route.address &+= UInt32(clamping: part.count)
    }

    private func part(_ count: Int, at address: UInt32) -> (count: Int, isFast: Bool) {
        let head = Int((0 &- address) & 3)
        if head > 0 { return (min(head, count), false) }
        return count < 4 ? (count, false) : (min(self.piece, count & ~3), true)
    }

    // MARK: - Reading

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let size = try Query(request).number("size", in: 0...self.core.configuration.maximumBody, default: 0)
        let route = try await self.readRoute(request, context, count: size)
        // What is wrong shows at the first piece, while there still is a status to say so with.
        let (first, next) = size == 0 ? (ByteBuffer(), route) : try await self.next(size, route)
        let rest = size - first.readableBytes
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(contentLength: size) { writer in
                try await writer.write(first)
                var (left, route) = (rest, next)
                while left > 0 {
                    let (bytes, following) = try await self.next(left, route)
                    try await writer.write(bytes)
                    left -= bytes.readableBytes
                    route = following
                }
                try await writer.finish(nil)
            })
    }

    /// Reads the next part.
    ///
    /// - Returns: it, and the route to what follows.
    private func next(_ count: Int, _ route: Route) async throws -> (bytes: ByteBuffer, route: Route) {
        let part = self.part(count, at: route.address)
        let bytes: ByteBuffer
        if part.isFast {
            let read = try await self.transfer("from_board", route) { connection, transaction throws(FastDataFailure) in
                try await connection.read(part.count, address: route.address, from: route.speaker, transaction: transaction)
            }
            self.core.metrics.fastData("from_board", bytes: part.count, retransmissions: read.retransmissions)
            bytes = read.data
        } else {
            let connection = try await self.memory.connections.connection(job: route.job, board: route.board)
            bytes = try await self.memory.scp { () throws(SCPError) in
                try await connection.read(
                    address: route.address, count: part.count, from: .monitor(of: route.chip), policy: MemoryController.policy)
            }
        }
        var following = route
        following.address &+= UInt32(clamping: part.count)
        return (bytes, following)
    }

    // MARK: - Transactions

    /// One transaction with the speaker, whose tag and whose number are set anew each time: the client's own tools may have used both.
    private func transfer<Output: Sendable>(
        _ direction: String, _ route: Route,
        _ body: @Sendable (FastDataConnection, UInt32) async throws(FastDataFailure) -> Output
    ) async throws -> Output {
        let scp = try await self.memory.connections.connection(job: route.job, board: route.board)
        return try await self.memory.connections.fast.with(job: route.job, board: route.board) { connection in
            do {
                try await connection.setTag(route.tag, of: route.ethernet)
                var published = try await self.memory.scp { () throws(SCPError) in
                    try await scp.read(
                        address: VCPU.userAddress(of: route.speaker.p, 1), count: 4, from: .monitor(of: route.speaker.chip),
                        policy: MemoryController.policy)
                }
                let last = published.readInteger(endianness: .little, as: UInt32.self) ?? 0
                return try await body(connection, FastData.transaction(after: last))
            } catch let failure as FastDataFailure {
                if failure != .cancelled { self.core.metrics.fastDataFailed(direction) }
                switch failure {
                case .silent, .noProgress, .late:
                    throw APIError(.gatewayTimeout, "core \(route.speaker) of job \(route.job): \(failure)")
                case .refused: throw APIError(.badGateway, "job \(route.job), tag \(route.tag): \(failure)")
                case .linkClosed: throw APIError.gone
                case .cancelled: throw CancellationError()
                }
            }
        }
    }
}
