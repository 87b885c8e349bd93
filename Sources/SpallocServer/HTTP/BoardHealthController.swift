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

/// `machines/NAME/board-health?x=&y=&z=`: temperatures, voltages, fans, serial number and blacklist of one board, read from its BMP now.
/// For administrators. A resource of its own, for the stock Java client refuses replies with keys that it does not know.
struct BoardHealthController: Sendable {
    let core: ServiceCore
    let factory: BMPControllerFactory

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("machines/:name/board-health", use: self.read)
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

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.administers)
        let name = try context.component("name")
        let catalogue = self.core.store.catalogue
        guard let machine = catalogue.machine(named: name) else { throw APIError.notFound("no machine called \"\(name)\"") }
        let query = Query(request)
        let coordinates = BoardCoordinates(
            try query.number("x", in: 0...255), try query.number("y", in: 0...255), try query.number("z", in: 0...2, default: 0)
        )
        guard let index = machine.topology.index(of: coordinates) else { throw APIError.notFound("no such board") }
        do {
            return try .json(Self.reply(try await self.read(machine, index: index), machine: name, board: coordinates))
        } catch let error as APIError {
            context.logger.warning("board health", metadata: ["board": "\(coordinates)", "error": "\(error.message)"])
            throw error
        }
    }

    /// Asks a board's BMP.
    ///
    /// - Throws: 502 when the BMP gives no answer.
    func read(_ machine: MachineCatalogue.Machine, index: Int) async throws -> BoardHealth {
        guard let board = machine.topology.boards[index],
            let bmp = self.core.store.catalogue.bmps.first(where: { $0.id == machine.bmpIDs[index] })
        else { throw APIError.notFound("no such board") }
        do {
            // A connection of its own: the frame's worker may be in the middle of a power command.
            let controller = try await self.factory(bmp)
            do throws(BMPError) {
                let health = try await controller.readHealth(slot: board.physical.board)
                await controller.close()
                return health
            } catch {
                await controller.close()
                throw error
            }
        } catch let error as BMPError {
            if error == .cancelled { throw CancellationError() }
            throw APIError(.badGateway, "board \(board.coordinates) of \(machine.name): \(error)")
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
        var temperatures: [String: Double] = [:]
        temperatures["top"] = status.temperatureTop.map(rounded)
        temperatures["bottom"] = status.temperatureBottom.map(rounded)
        for sensor in 0..<4 { temperatures["external-\(sensor)"] = status.externalTemperature(sensor).map(rounded) }
        return Reply(
            machine: machine, board: [board.x, board.y, board.z],
            serial: health.serial.serial.map { word in
                let digits = String(word, radix: 16)
                return String(repeating: "0", count: 8 - digits.count) + digits
            }.joined(separator: "-"),
            temperatures: temperatures,
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
