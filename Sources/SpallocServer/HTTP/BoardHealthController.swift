//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Hummingbird
import Logging
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// What a board's BMP says of it.
package struct BoardHealth: Hashable, Sendable {
    package var serial: BoardSerial
    package var status: BoardStatus
    package var blacklist: Blacklist

    package init(serial: BoardSerial, status: BoardStatus, blacklist: Blacklist) {
        self.serial = serial
        self.status = status
        self.blacklist = blacklist
    }
}

/// `machines/NAME/board-health?x=&y=&z=`: temperatures, voltages, fans, serial number and blacklist of one board, read from its BMP now;
/// `last-board-health` is what was said when it was last asked, serial number and temperatures.
/// For administrators. A resource of its own, for the stock Java client refuses replies with keys that it does not know.
struct BoardHealthController: Sendable {
    let core: ServiceCore
    let factory: BMPControllerFactory

    private var care: BoardCare { BoardCare(core: self.core, factory: self.factory) }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("machines/:name/board-health", use: self.read)
        router.get("machines/:name/last-board-health", use: self.last)
    }

    private struct Reply: Encodable {
        struct Chip: Encodable {
            var x: UInt8
            var y: UInt8
            var deadPhysicalCores: [Int]
            var deadLinks: [Int]

            enum CodingKeys: String, CodingKey {
                case x, y
                case deadPhysicalCores = "dead-physical-cores"
                case deadLinks = "dead-links"
            }
        }

        var machine: String
        var board: [Int]
        var serial: String
        var temperatures: [String: Double]
        var voltages: [String: Double]
        var fans: [Int]
        var warnings: UInt32
        var blacklist: [Chip]
    }

    /// What the BMP said when it was last asked.
    private struct Last: Encodable {
        var machine: String
        var board: [Int]
        var serial: String
        var temperatures: [String: Double]
        var at: WireInstant
    }

    private func board(
        _ request: Request, _ context: SpallocRequestContext
    ) throws(APIError) -> (machine: MachineCatalogue.Machine, index: Int, coordinates: BoardCoordinates) {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.administers)
        let name = try context.component("name")
        guard let machine = self.core.store.catalogue.machine(named: name) else {
            throw .notFound("no machine called \"\(name)\"")
        }
        let query = Query(request)
        let coordinates = BoardCoordinates(
            try query.number("x", in: 0...255), try query.number("y", in: 0...255), try query.number("z", in: 0...2, default: 0)
        )
        guard let index = machine.topology.index(of: coordinates) else { throw .notFound("no such board") }
        return (machine, index, coordinates)
    }

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (machine, index, coordinates) = try self.board(request, context)
        do {
            let health = try await self.read(machine, index: index)
            return try .json(Self.reply(health, machine: machine.name, board: coordinates))
        } catch let error as APIError {
            context.logger.warning("board health", metadata: ["board": "\(coordinates)", "error": "\(error.message)"])
            throw error
        }
    }

    @Sendable
    private func last(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let (machine, index, coordinates) = try self.board(request, context)
        guard let place = self.care.place(of: index, in: machine),
            let last = try await self.core.store.lastHealth(of: place.board)
        else { throw APIError.empty }
        return try .json(
            Last(
                machine: machine.name, board: [coordinates.x, coordinates.y, coordinates.z], serial: last.serial,
                temperatures: last.temperatures, at: last.at.wire))
    }

    /// Asks a board's BMP, and keeps what it says.
    ///
    /// - Throws: 502 when the BMP gives no answer.
    func read(_ machine: MachineCatalogue.Machine, index: Int) async throws -> BoardHealth {
        guard let place = self.care.place(of: index, in: machine) else { throw APIError.notFound("no such board") }
        do {
            return try await self.care.withController(place.bmp) { try await self.care.readHealth(of: place, by: $0) }
        } catch let error as BMPError {
            if error == .cancelled { throw CancellationError() }
            throw APIError(.badGateway, "board \(place.coordinates) of \(machine.name): \(error)")
        }
    }

    /// For people: what is known, with units.
    static func facts(_ health: BoardHealth) -> [(name: String, value: String)] {
        let reply = self.reply(health, machine: "", board: BoardCoordinates(0, 0, 0))
        var facts = [(name: "Serial number", value: reply.serial)]
        for (name, degrees) in reply.temperatures.sorted(by: { $0.key < $1.key }) {
            facts.append(("Temperature, \(name)", "\(degrees) °C"))
        }
        for (name, volts) in reply.voltages.sorted(by: { $0.key < $1.key }) { facts.append(("Voltage, \(name)", "\(volts) V")) }
        for (index, speed) in reply.fans.enumerated() { facts.append(("Fan \(index)", "\(speed) rpm")) }
        let blacklist = reply.blacklist.map { chip in
            let dead =
                (chip.deadPhysicalCores.isEmpty
                    ? [] : ["cores \(chip.deadPhysicalCores.map(String.init).joined(separator: ","))"])
                + (chip.deadLinks.isEmpty ? [] : ["links \(chip.deadLinks.map(String.init).joined(separator: ","))"])
            return "chip (\(chip.x), \(chip.y)): \(dead.joined(separator: ", "))"
        }
        facts.append(("Blacklist", blacklist.isEmpty ? "empty" : blacklist.joined(separator: "; ")))
        return facts
    }

    private static func reply(_ health: BoardHealth, machine: String, board: BoardCoordinates) -> Reply {
        let status = health.status
        func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
        return Reply(
            machine: machine, board: [board.x, board.y, board.z],
            serial: health.serialText, temperatures: health.temperatures,
            voltages: [
                "1.2-a": rounded(status.voltage1V2a), "1.2-b": rounded(status.voltage1V2b),
                "1.2-c": rounded(status.voltage1V2c),
                "1.8": rounded(status.voltage1V8), "3.3": rounded(status.voltage3V3), "supply": rounded(status.voltageSupply),
            ],
            fans: (0..<4).compactMap(status.fanSpeed), warnings: status.warnings,
            blacklist: health.blacklist.entries.map { entry in
                Reply.Chip(
                    x: entry.chip.x, y: entry.chip.y,
                    deadPhysicalCores: (0..<18).filter { entry.deadPhysicalCores >> UInt32($0) & 1 == 1 },
                    deadLinks: entry.deadLinks.map { Int($0.rawValue) })
            })
    }
}
