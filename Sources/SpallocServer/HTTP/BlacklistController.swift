//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// `admin/blacklist?machine=…&` and a board's name (`x`, `y`, `z`; `cabinet`, `frame`, `board`; or `address`): what is broken on the board, as
/// text or as JSON, as the client accepts it. GET gives what is stored, or what the board says if nothing is, or with `read=true`; PUT writes
/// to the board and stores. For administrators.
struct BlacklistController: Sendable {
    let care: BoardCare

    private var core: ServiceCore { self.care.core }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("admin/blacklist", use: self.read)
        router.put("admin/blacklist", use: self.write)
    }

    struct Document: Codable {
        struct Chip: Codable {
            var x: Int
            var y: Int
            var dead: Bool?
            var deadPhysicalCores: [Int]?
            var deadLinks: [Int]?

            enum CodingKeys: String, CodingKey {
                case x, y, dead
                case deadPhysicalCores = "dead-physical-cores"
                case deadLinks = "dead-links"
            }
        }

        var chips: [Chip]
    }

    private struct Reply: Encodable {
        var machine: String
        var board: [Int]
        var serial: String
        var at: WireInstant
        var stale: Bool
        var chips: [Document.Chip]
    }

    // MARK: - The board

    private func place(_ request: Request, _ context: SpallocRequestContext) throws(APIError) -> BoardCare.Place {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.administers)
        let query = Query(request)
        guard let name = query.text("machine") else { throw .badRequest("the parameter machine is missing") }
        guard let machine = self.core.store.catalogue.machine(named: name) else {
            throw .notFound("no machine called \"\(name)\"")
        }
        let topology = machine.topology
        let index: Int?
        if query.text("x") != nil {
            index = topology.index(
                of: BoardCoordinates(
                    try query.number("x", in: 0...255), try query.number("y", in: 0...255),
                    try query.number("z", in: 0...2, default: 0)))
        } else if query.text("cabinet") != nil {
            index = topology.index(
                of: PhysicalCoordinates(
                    cabinet: try query.number("cabinet", in: 0...255),
                    frame: try query.number("frame", in: 0...255, default: 0),
                    board: try query.number("board", in: 0...255)))
        } else if let address = query.text("address") {
            index = topology.index(ofAddress: address)
        } else {
            throw .badRequest("which board? x, y and z, cabinet, frame and board, or address")
        }
        guard let index, let place = self.care.place(of: index, in: machine) else { throw .notFound("no such board") }
        return place
    }

    private func bmp<Value: Sendable>(
        _ place: BoardCare.Place, _ body: (any BMPController) async throws -> Value
    ) async throws -> Value {
        do {
            return try await self.care.withController(place.bmp, body)
        } catch let error as BMPError {
            if error == .cancelled { throw CancellationError() }
            throw APIError(.badGateway, "board \(place.coordinates) of \(place.machine): \(error)")
        }
    }

    // MARK: - Reading

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let place = try self.place(request, context)
        var stored = try await self.core.store.blacklist(of: place.board)
        if stored == nil || Query(request).flag("read") {
            let health = try await self.bmp(place) { try await self.care.readHealth(of: place, by: $0) }
            try await self.care.keep(health.blacklist, of: place, serial: health.serialText)
            stored = try await self.core.store.blacklist(of: place.board)
        }
        guard let stored else { throw APIError.notFound("no blacklist") }
        return try self.reply(stored, of: place, to: request)
    }

    private func reply(_ stored: StoredBlacklist, of place: BoardCare.Place, to request: Request) throws -> Response {
        let accept = request.headers[.accept]?.lowercased() ?? ""
        guard accept.contains("text/plain"), !accept.contains("json") else {
            let board = place.coordinates
            return try .json(
                Reply(
                    machine: place.machine, board: [board.x, board.y, board.z], serial: stored.serial, at: stored.at.wire,
                    stale: stored.isStale, chips: stored.list.entries.map(Document.Chip.init)))
        }
        let text =
            "# \(place.machine), board \(place.coordinates), serial \(stored.serial)\(stored.isStale ? ", STALE" : "")\n"
            + stored.list.text
        return Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    // MARK: - Writing

    @Sendable
    private func write(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let place = try self.place(request, context)
        let list = try await self.list(request)
        let known = try await self.core.store.blacklist(of: place.board)?.serial
        let last = try await self.core.store.lastHealth(of: place.board)?.serial
        let serial = try await self.bmp(place) { controller in
            let health = try await self.care.readHealth(of: place, by: controller)
            // Somebody wrote this list with another board in mind.
            if let other = [known, last].compactMap(\.self).first(where: { $0 != health.serialText }) {
                throw APIError(
                    .conflict,
                    "the board was exchanged: its serial number is \(health.serialText), and was \(other); read its blacklist first "
                        + "(read=true)")
            }
            try await controller.writeBlacklist(list, slot: place.slot)
            return health.serialText
        }
        try await self.care.keep(list, of: place, serial: serial)
        context.logger.notice(
            "blacklist written",
            metadata: ["machine": "\(place.machine)", "board": "\(place.coordinates)", "chips": "\(list.entries.count)"])
        guard let stored = try await self.core.store.blacklist(of: place.board) else { throw APIError.notFound("no blacklist") }
        return try self.reply(stored, of: place, to: request)
    }

    private func list(_ request: Request) async throws -> Blacklist {
        // 63 lines are a few kilobytes.
        let limit = 1 << 16
        do throws(BlacklistTextError) {
            if request.headers[.contentType]?.lowercased().contains("text/plain") == true {
                let body: ByteBuffer
                do { body = try await request.body.collect(upTo: limit) } catch {
                    throw BlacklistTextError(reason: "it is too long")
                }
                return try Blacklist(text: String(buffer: body))
            }
        } catch {
            throw APIError.badRequest("\(error)")
        }
        let document = try await request.decodeJSON(Document.self, limit: limit)
        do throws(BlacklistTextError) {
            // By way of the text, which checks everything.
            return try Blacklist(text: document.chips.map(\.line).joined(separator: "\n"))
        } catch {
            throw APIError.badRequest("chips: \(error)")
        }
    }
}

extension BlacklistController.Document.Chip {
    init(_ entry: Blacklist.Entry) {
        self.init(x: Int(entry.chip.x), y: Int(entry.chip.y))
        guard !entry.isChipDead else {
            self.dead = true
            return
        }
        let cores = (0..<18).filter { entry.deadPhysicalCores >> UInt32($0) & 1 == 1 }
        if !cores.isEmpty { self.deadPhysicalCores = cores }
        let links = entry.deadLinks
        if !links.isEmpty { self.deadLinks = links.map { Int($0.rawValue) } }
    }

    /// As a line of the text; one that says nothing is a comment.
    fileprivate var line: String {
        if self.dead == true { return "chip \(self.x) \(self.y) dead" }
        var line = ""
        if let cores = self.deadPhysicalCores, !cores.isEmpty {
            line += " core " + cores.map(String.init).joined(separator: ",")
        }
        if let links = self.deadLinks, !links.isEmpty { line += " link " + links.map(String.init).joined(separator: ",") }
        return line.isEmpty ? "#" : "chip \(self.x) \(self.y)" + line
    }
}
