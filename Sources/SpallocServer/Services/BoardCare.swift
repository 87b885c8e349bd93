//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// Boards as hardware: what their BMPs say of them is written down, and what follows from it is done.
struct BoardCare: Sendable {
    let core: ServiceCore
    let factory: BMPControllerFactory

    /// A board, and how to reach its BMP.
    struct Place: Sendable {
        var board: Int64
        var machine: String
        var coordinates: BoardCoordinates
        var slot: Int
        var bmp: MachineCatalogue.BMP
    }

    func places(bmp: MachineCatalogue.BMP) -> [Place] {
        guard let machine = self.core.store.catalogue.machine(named: bmp.machine) else { return [] }
        return machine.topology.boards.indices.compactMap { index in
            guard machine.bmpIDs[index] == bmp.id, let board = machine.topology.boards[index] else { return nil }
            return Place(
                board: machine.boardIDs[index], machine: machine.name, coordinates: board.coordinates,
                slot: board.physical.board, bmp: bmp)
        }
    }

    func place(of index: Int, in machine: MachineCatalogue.Machine) -> Place? {
        guard machine.topology.boards.indices.contains(index), let board = machine.topology.boards[index],
            let bmp = self.core.store.catalogue.bmps.first(where: { $0.id == machine.bmpIDs[index] })
        else { return nil }
        return Place(
            board: machine.boardIDs[index], machine: machine.name, coordinates: board.coordinates,
            slot: board.physical.board, bmp: bmp)
    }

    /// A connection of its own: the frame's worker may be in the middle of a power command.
    func withController<Value: Sendable>(
        _ bmp: MachineCatalogue.BMP, _ body: (any BMPController) async throws -> Value
    ) async throws -> Value {
        let controller = try await self.factory(bmp)
        do {
            let value = try await body(controller)
            await controller.close()
            return value
        } catch {
            await controller.close()
            throw error
        }
    }

    /// Asks the board's BMP, and writes down what it says.
    ///
    /// - Throws: ``BMPError``.
    func readHealth(of place: Place, by controller: any BMPController) async throws -> BoardHealth {
        let health = try await controller.readHealth(slot: place.slot)
        let serial = health.serialText
        let before = try await self.core.store.recordHealth(
            of: place.board, serial: serial, temperatures: health.temperatures, now: self.core.clock())
        if let before {
            self.core.logger.warning(
                "a board was exchanged; its stored blacklist, if there is one, is stale",
                metadata: [
                    "machine": "\(place.machine)", "board": "\(place.coordinates)", "serial": "\(serial)",
                    "before": "\(before)",
                ])
            self.changed(place)
        }
        return health
    }

    /// Keeps a list that is the board's.
    func keep(_ list: Blacklist, of place: Place, serial: String) async throws {
        let differs = try await self.core.store.setBlacklist(list, of: place.board, serial: serial, now: self.core.clock())
        if differs { self.changed(place) }
    }

    /// What can be given to jobs may have changed.
    private func changed(_ place: Place) {
        self.core.allocatorNudge.signal()
        self.core.changes.publish(machine: place.machine)
    }
}

extension BoardHealth {
    var serialText: String {
        self.serial.serial.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined(separator: "-")
    }

    /// Degrees by sensor; those that are not there are not named.
    var temperatures: [String: Double] {
        func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
        var temperatures: [String: Double] = [:]
        temperatures["top"] = self.status.temperatureTop.map(rounded)
        temperatures["bottom"] = self.status.temperatureBottom.map(rounded)
        for sensor in 0..<4 { temperatures["external-\(sensor)"] = self.status.externalTemperature(sensor).map(rounded) }
        return temperatures
    }
}
