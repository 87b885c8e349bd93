//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNakerEngine
import SpiNNakerMachine
import Testing

@Suite struct ConnectionSelectorTests {
    /// A vector of SpiNNMan's most direct selector: connections by their chips, and which each target was given.
    private struct Vector {
        let id: String
        let connections: [ChipID]
        let hasMachine: Bool
        let choices: [(target: ChipID, connection: ChipID)]

        init?(_ json: [String: Any]) {
            guard json["kind"] as? String == "selector", json["class"] as? String == "MostDirectConnectionSelector",
                let id = json["id"] as? String, let args = json["args"] as? [String: Any],
                let connections = args["connections"] as? [[Int]], let choices = json["decoded"] as? [[[Int]]]
            else { return nil }
            func chip(_ pair: [Int]) -> ChipID { ChipID(UInt8(clamping: pair[0]), UInt8(clamping: pair[1])) }
            self.id = id
            self.connections = connections.map(chip)
            // "selector.no-root" has the machine too, and does not say so.
            self.hasMachine = args["machine"] is String || args["machine"] == nil
            self.choices = choices.map { (chip($0[0]), chip($0[1])) }
        }

        static func loadAll() throws -> [Vector] {
            let path =
                ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
                ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "../shared/vectors/golden-vectors.json").standardizedFileURL.path
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
            return (json as? [[String: Any]] ?? []).compactMap(Vector.init)
        }
    }

    @Test func theVectors() throws {
        let shape = try #require(MachineShape(width: 16, height: 16))
        let vectors = try Vector.loadAll()
        #expect(vectors.count == 4)
        for vector in vectors {
            let selector = try #require(
                ConnectionSelector(vector.connections) { vector.hasMachine ? shape.ethernetChip(nearest: $0) : nil })
            #expect(vector.choices.count == 11)
            for (target, connection) in vector.choices {
                #expect(vector.connections[selector.connection(to: target)] == connection, "\(vector.id), \(target)")
            }
        }
    }

    @Test func withoutConnectionsThereIsNoSelector() { #expect(ConnectionSelector([]) == nil) }

    /// The last of two connections to one chip: it was given later because the first was no longer good.
    @Test func theLastConnectionToAChipIsTaken() throws {
        let selector = try #require(ConnectionSelector([ChipID(0, 0), ChipID(4, 8), ChipID(0, 0), ChipID(4, 8)]))
        #expect(selector.connection(to: ChipID(4, 8)) == 3)
        #expect(selector.connection(to: ChipID(1, 1)) == 2)
    }
}
