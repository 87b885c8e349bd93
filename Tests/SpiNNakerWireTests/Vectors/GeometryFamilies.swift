//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// SpiNNMachine's tables of boards and machines.
let geometryFamilies: VectorFamilies = [
    "geometry/Machine.LINK_ADD_TABLE": { vector in
        var outcome = Outcome()
        outcome.expect("links", Link.allCases.map { [$0.delta.dx, $0.delta.dy] }, vector.decoded.pairs)
        return outcome
    },
    "geometry/get_potential_ethernet_chips": { vector in
        var outcome = Outcome()
        guard let shape = MachineShape(width: try vector.integer("width"), height: try vector.integer("height")) else {
            throw VectorShapeError(vector, "size of a machine")
        }
        // They go root by root; the order is of no use to us.
        outcome.expect("ethernets", Set(shape.ethernetChips.map(\.pair)), Set(vector.decoded.pairs))
        outcome.expect("count", shape.boardCount, vector.decoded.pairs.count)
        return outcome
    },
    "geometry/SpiNNakerTriadGeometry.get_local_chip_coordinate": { vector in
        var outcome = Outcome()
        let geometry = TriadGeometry(width: 1, height: 1)
        guard let torus = MachineShape(width: 12, height: 12) else { throw VectorShapeError(vector, "machine") }
        for y in 0..<12 {
            for x in 0..<12 {
                let theirs = vector.decoded[y]?[x]?.ints
                outcome.expect("(\(x), \(y))", geometry.board(at: ChipPosition(x: x, y: y)).local.pair, theirs)
                outcome.expect("(\(x), \(y))", torus.localCoordinates(of: ChipID(UInt8(x), UInt8(y))).pair, theirs)
            }
        }
        return outcome
    },
    "geometry/Version3": { vector in try checkBoard(.spinn3, vector) },
    "geometry/Version5": { vector in
        var outcome = try checkBoard(.spinn5, vector)
        let links = FPGALink.all.map { [Int($0.chip.x), Int($0.chip.y), Int($0.link.rawValue), $0.fpga, $0.channel] }
        outcome.expect("fpga_links", Set(links), vector.decoded["fpga_links"]?.array.map { Set($0.map(\.ints)) })
        for boards in [1, 2, 3, 4, 6, 9, 12, 24] {
            guard let shape = MachineShape(boards: boards) else { throw VectorShapeError(vector, "machine") }
            outcome.expect("\(boards) boards", [shape.width, shape.height], vector.decoded["sizes"]?["\(boards)"])
        }
        outcome.expect("max_cores", BoardShape.coresPerChip, vector.decoded["max_cores"])
        return outcome
    },
    "geometry/virtual_machine_by_boards": { vector in
        var outcome = Outcome()
        guard let shape = MachineShape(boards: try vector.integer("n_boards")) else {
            throw VectorShapeError(vector, "machine")
        }
        outcome.expect("width", shape.width, vector.decoded["width"])
        outcome.expect("height", shape.height, vector.decoded["height"])
        outcome.expect("n_chips", shape.chips.count, vector.decoded["n_chips"])
        outcome.expect("ethernets", shape.ethernetChips.map(\.pair), vector.decoded["ethernets"]?.pairs)
        outcome.expect("wrap", shape.wrapsX || shape.wrapsY, vector.decoded["wrap"]?.string != "NoWrap")
        for entry in vector.decoded["over_link"]?.array ?? [] {
            guard let step = entry[0]?.ints, let link = Link(dx: step[0], dy: step[1]) else {
                throw VectorShapeError(vector, "link")
            }
            let reached = shape.position(over: link, from: ChipID(7, 7))
            outcome.expect("over \(link)", [reached.x, reached.y], entry[1]?.ints)
        }
        for entry in vector.decoded["vectors"]?.array ?? [] {
            guard let from = entry[0]?.ints, let to = entry[1]?.ints else { throw VectorShapeError(vector, "vector") }
            let a = ChipID(UInt8(from[0]), UInt8(from[1]))
            let b = ChipID(UInt8(to[0]), UInt8(to[1]))
            let walk = shape.vector(from: a, to: b)
            outcome.expect("vector", [walk.x, walk.y, walk.z], entry[2]?.ints)
            outcome.expect("length", shape.distance(from: a, to: b), entry[3])
        }
        return outcome
    },
]

/// What the vectors of both boards have.
private func checkBoard(_ board: BoardShape, _ vector: GoldenVector) throws -> Outcome {
    var outcome = Outcome()
    outcome.expect("board_shape", [board.side, board.side], vector.decoded["board_shape"])
    outcome.expect(
        "chip_core_map", board.chips.map { $0.pair + [board.coreCount(of: $0)] }, vector.decoded["chip_core_map"]?.pairs)
    outcome.expect(
        "spinnaker_links", board.spinnakerLinks.map { $0.chip.pair + [Int($0.link.rawValue)] },
        vector.decoded["spinnaker_links"]?.pairs)
    return outcome
}

extension ChipID {
    fileprivate var pair: [Int] { [Int(self.x), Int(self.y)] }
}

extension JSON {
    fileprivate var ints: [Int] { self.array?.compactMap(\.int) ?? [] }
    fileprivate var pairs: [[Int]] { self.array?.map(\.ints) ?? [] }
}
