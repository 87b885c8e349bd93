//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import SpiNNakerMachine

/// The reference's machine definition file, kebab-case JSON. A key that is not in the table is an error.
///
/// | key | value |
/// |---|---|
/// | `machines` | array: `name`, `tags`, `width`, `height`, `dead-boards`, `dead-links`, `board-locations`, `bmp-ips`, `spinnaker-ips` |
/// | `port`, `ip`, `timeout-check-interval`, `max-retired-jobs`, `seconds-before-free` | heritage of version 1: read, not used |
///
/// A board is `[x:0,y:0,z:0]` as a key; as a value it may also be `[0,0,0]` or an object. A slot is `[c:0,f:0,b:0]` likewise,
/// a frame `[c:0,f:0]`. A link is `east`, `northEast`, `north`, `west`, `southWest` or `south`, SC&MP's names.
package struct MachineDefinitionFile: Decodable {
    package let machines: [MachineDefinition]

    package static func parse(_ json: Data, name: String) throws(SpallocServerError) -> [MachineDefinition] {
        do {
            let file = try JSONDecoder().decode(MachineDefinitionFile.self, from: json)
            try MachineDefinition.validate(file.machines)
            return file.machines
        } catch let error as SpallocServerError {
            throw SpallocServerError(error.code, "\(name): \(error.message)")
        } catch let error as DecodingError {
            throw SpallocServerError(.machineDefinition, "\(name): \(error.explanation)")
        } catch {
            throw SpallocServerError(.machineDefinition, "\(name): \(error)")
        }
    }

    /// - Throws: ``SpallocServerError`` with the file, the place in it, and what is wrong there.
    package static func load(_ path: String) throws(SpallocServerError) -> [MachineDefinition] {
        try self.parse(try readFile(path), name: path)
    }

    private static let heritage = ["port", "ip", "timeout-check-interval", "max-retired-jobs", "seconds-before-free"]

    private enum CodingKeys: String, CodingKey { case machines }

    package init(from decoder: any Decoder) throws {
        try decoder.suggestForUnknownKeys(["machines"] + MachineDefinitionFile.heritage)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.machines = try container.decode([Machine].self, forKey: .machines).map(\.definition)
    }

    private struct Machine: Decodable {
        let definition: MachineDefinition

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, tags, width, height
            case deadBoards = "dead-boards"
            case deadLinks = "dead-links"
            case boardLocations = "board-locations"
            case bmpIPs = "bmp-ips"
            case spinnakerIPs = "spinnaker-ips"
        }

        init(from decoder: any Decoder) throws {
            try decoder.suggestForUnknownKeys(CodingKeys.allCases.map(\.rawValue))
            let container = try decoder.container(keyedBy: CodingKeys.self)
            let name = try container.decode(String.self, forKey: .name)
            func wrong(_ message: String) -> DecodingError {
                .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "machine \"\(name)\": \(message)"))
            }
            func board(_ key: String) throws -> BoardCoordinates {
                guard let numbers = Place.parse(key, names: ["x", "y", "z"]) else { throw wrong("\"\(key)\" is not a board") }
                return BoardCoordinates(numbers[0], numbers[1], numbers[2])
            }
            let locations = try container.decode([String: Place].self, forKey: .boardLocations)
            let addresses = try container.decode([String: String].self, forKey: .spinnakerIPs)
            guard locations.count == addresses.count else {
                throw wrong("board-locations has \(locations.count) entries, spinnaker-ips \(addresses.count)")
            }
            var byBoard: [BoardCoordinates: String] = [:]
            for (key, address) in addresses { byBoard[try board(key)] = address }
            var boards: [MachineDefinition.Board] = []
            for (key, place) in locations {
                let coordinates = try board(key)
                guard let address = byBoard[coordinates] else {
                    throw wrong("board \(coordinates) has no entry in spinnaker-ips")
                }
                guard let slot = place.numbers(named: ["c", "f", "b"]) else {
                    throw wrong("board \(coordinates) has no proper slot")
                }
                boards.append(
                    .init(
                        coordinates: coordinates,
                        physical: PhysicalCoordinates(cabinet: slot[0], frame: slot[1], board: slot[2]), address: address))
            }
            let bmps = try container.decode([String: String].self, forKey: .bmpIPs).map { key, address in
                guard let frame = Place.parse(key, names: ["c", "f"]) else { throw wrong("\"\(key)\" is not a frame") }
                // Ours: a port may follow, for BMPs that are not hardware.
                let parts = address.split(separator: ":", maxSplits: 1)
                let port = parts.count == 2 ? Int(parts[1]) ?? 0 : 17893
                return MachineDefinition.BMP(cabinet: frame[0], frame: frame[1], address: String(parts.first ?? ""), port: port)
            }
            let deadBoards = try container.decodeIfPresent([Place].self, forKey: .deadBoards) ?? []
            var deadLinks: [MachineDefinition.DeadLink] = []
            for (key, names) in try container.decodeIfPresent([String: [String]].self, forKey: .deadLinks) ?? [:] {
                for link in names {
                    guard let side = Machine.links[link] else { throw wrong("\"\(link)\" is not a link") }
                    deadLinks.append(.init(board: try board(key), side: side))
                }
            }
            self.definition = MachineDefinition(
                name: name, tags: try container.decodeIfPresent([String].self, forKey: .tags) ?? [],
                width: try container.decode(Int.self, forKey: .width), height: try container.decode(Int.self, forKey: .height),
                boards: boards.sorted { $0.coordinates < $1.coordinates },
                bmps: bmps.sorted { ($0.cabinet, $0.frame) < ($1.cabinet, $1.frame) },
                deadBoards: try deadBoards.map { place in
                    guard let numbers = place.numbers(named: ["x", "y", "z"]) else {
                        throw wrong("a dead board is not a board")
                    }
                    return BoardCoordinates(numbers[0], numbers[1], numbers[2])
                }.sorted(),
                deadLinks: deadLinks.sorted { ($0.board, $0.side) < ($1.board, $1.side) })
        }

        static let links: [String: Link] = [
            "east": .east, "northEast": .northEast, "north": .north, "west": .west, "southWest": .southWest, "south": .south,
        ]
    }

    /// A board or a slot as a value: text, array or object.
    private enum Place: Decodable {
        case text(String)
        case array([Int])
        case object([String: Int])

        private static let longNames = ["cabinet": "c", "frame": "f", "board": "b"]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let array = try? container.decode([Int].self) {
                self = .array(array)
            } else {
                self = .object(try container.decode([String: Int].self))
            }
        }

        func numbers(named names: [String]) -> [Int]? {
            switch self {
            case .text(let text): return Place.parse(text, names: names)
            case .array(let array): return array.count == names.count ? array : nil
            case .object(let object):
                guard object.count == names.count else { return nil }
                var short: [String: Int] = [:]
                for (key, value) in object { short[Place.longNames[key] ?? key] = value }
                let numbers = names.compactMap { short[$0] }
                return numbers.count == names.count ? numbers : nil
            }
        }

        /// `[x:0,y:0,z:0]`, exactly.
        static func parse(_ text: String, names: [String]) -> [Int]? {
            guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
            let parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == names.count else { return nil }
            var numbers: [Int] = []
            for (part, name) in zip(parts, names) {
                guard part.hasPrefix("\(name):"), let number = Int(part.dropFirst(name.count + 1)), number >= 0 else {
                    return nil
                }
                numbers.append(number)
            }
            return numbers
        }
    }
}
