//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNakerMachine
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// What a program that has started a simulator wants to know, written when the machine is up: `--json FILE`.
///
/// | key | value |
/// |---|---|
/// | `pid` | of the simulator |
/// | `machine` | `4x4`, `spinn5`, `spinn3` |
/// | `base` | second octet of all addresses |
/// | `boards` | by number: `number`, `board` [x, y, z], `physical` [cabinet, frame, slot], `address` |
/// | `bmps` | `cabinet`, `frame`, `address` |
/// | `sockets` | how many UDP sockets are open |
/// | `control` | path of the control socket; null without one |
struct ReadyFile: Codable, Hashable {
    struct Board: Codable, Hashable {
        var number: Int
        var board: [Int]
        var physical: [Int]
        var address: String
    }

    struct BMP: Codable, Hashable {
        var cabinet: Int
        var frame: Int
        var address: String
    }

    var pid: Int32
    var machine: String
    var base: UInt8
    var boards: [Board]
    var bmps: [BMP]
    var sockets: Int
    var control: String?

    init(_ simulator: Simulator, control: String?) {
        let host = simulator.host
        self.pid = getpid()
        self.machine = simulator.description.kind.name
        self.base = simulator.description.base
        self.boards = host.boards.map {
            Board(
                number: $0.number, board: [$0.coordinates.x, $0.coordinates.y, $0.coordinates.z],
                physical: [$0.physical.cabinet, $0.physical.frame, $0.physical.board], address: $0.address.description)
        }
        self.bmps = host.bmps.map { BMP(cabinet: $0.cabinet, frame: $0.frame, address: $0.address.description) }
        self.sockets = host.socketCount
        self.control = control.map { URL(filePath: $0).path }
    }

    /// Whole or not at all: whoever sees the file can read it.
    func write(path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw SimError("can not write \(path): \(error.localizedDescription)")
        }
    }
}
