//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// The boards and chips of a machine by number, and what is wired to what. Faults and power are not its business.
///
/// Boards are numbered 0... by x, y, z; board i hangs in frame `i / 24`, slot `i % 24`; 5 frames make a cabinet. Chip
/// number: `board · chipsPerBoard + local`, local by x, then y.
package struct BoardWiring: Sendable {
    package static let slotsPerFrame = 24
    package static let framesPerCabinet = 5

    package let shape: BoardShape
    package let geometry: TriadGeometry
    package let boards: [BoardCoordinates]
    /// Relative to their board's Ethernet chip, by local number.
    package let locals: [ChipID]
    package let chipsPerBoard: Int

    /// By local number · 6 + link: 0xFFFF nothing, below 64 a chip of the same board, else `64 + side · 64 + local` there.
    private let wiring: [UInt16]
    /// By board · 6 + side.
    private let neighbours: [Int32]
    /// By local x · 8 + y; 0xFF: no such chip.
    private let localNumbers: [UInt8]

    private static let nothing: UInt16 = 0xFFFF

    package init(_ kind: VirtualMachineDescription.Kind) {
        switch kind {
        case .triads(let width, let height):
            self.shape = .spinn5
            self.geometry = TriadGeometry(width: width, height: height)
            self.boards = self.geometry.boards
        case .spinn5:
            self.shape = .spinn5
            self.geometry = TriadGeometry(width: 1, height: 1)
            self.boards = [BoardCoordinates(0, 0, 0)]
        case .spinn3:
            self.shape = .spinn3
            self.geometry = TriadGeometry(width: 1, height: 1)
            self.boards = [BoardCoordinates(0, 0, 0)]
        }
        self.locals = self.shape.chips
        self.chipsPerBoard = self.locals.count
        var numbers = [UInt8](repeating: 0xFF, count: 64)
        for (number, chip) in self.locals.enumerated() { numbers[Int(chip.x) * 8 + Int(chip.y)] = UInt8(number) }
        self.localNumbers = numbers

        var neighbours: [Int32] = []
        if case .triads = kind {
            let height = self.geometry.height
            neighbours.reserveCapacity(self.boards.count * 6)
            for board in self.boards {
                for side in Link.allCases {
                    let other = self.geometry.neighbour(of: board, side: side)
                    neighbours.append(Int32((other.x * height + other.y) * 3 + other.z))
                }
            }
        }
        self.neighbours = neighbours
        self.wiring = BoardWiring.wire(shape: self.shape, locals: self.locals, numbers: numbers)
    }

    /// The same for every board: the hexagons are all alike, and so are the sides they meet at.
    private static func wire(shape: BoardShape, locals: [ChipID], numbers: [UInt8]) -> [UInt16] {
        var wiring = [UInt16](repeating: BoardWiring.nothing, count: locals.count * 6)
        // A machine so large that the board in its middle has six different neighbours, none of them itself.
        let sample = TriadGeometry(width: 3, height: 3)
        let middle = BoardCoordinates(1, 1, 0)
        let ethernet = sample.ethernetChip(of: middle)
        for (number, chip) in locals.enumerated() {
            for link in Link.allCases {
                let x = Int(chip.x) + link.delta.dx
                let y = Int(chip.y) + link.delta.dy
                switch shape {
                case .spinn3:
                    guard !BoardWiring.isUnwiredOnSpiNN3(chip, link) else { continue }
                    wiring[number * 6 + Int(link.rawValue)] = UInt16(numbers[(x & 1) * 8 + (y & 1)])
                case .spinn5:
                    let (board, local) = sample.board(at: ChipPosition(x: ethernet.x + x, y: ethernet.y + y))
                    let there = UInt16(numbers[Int(local.x) * 8 + Int(local.y)])
                    if board == middle {
                        wiring[number * 6 + Int(link.rawValue)] = there
                    } else if let side = Link.allCases.first(where: { sample.neighbour(of: middle, side: $0) == board }) {
                        wiring[number * 6 + Int(link.rawValue)] = 64 + UInt16(side.rawValue) * 64 + there
                    }
                }
            }
        }
        return wiring
    }

    /// Links 3 and 4 of column 0 and 0 and 1 of column 1 are not wired to the board's own chips.
    private static func isUnwiredOnSpiNN3(_ chip: ChipID, _ link: Link) -> Bool {
        chip.x == 0 ? link == .west || link == .southWest : link == .east || link == .northEast
    }

    package var chipCount: Int { self.boards.count * self.chipsPerBoard }
    package var frameCount: Int { (self.boards.count + BoardWiring.slotsPerFrame - 1) / BoardWiring.slotsPerFrame }

    package func board(ofChip chip: Int) -> Int { chip / self.chipsPerBoard }
    package func local(ofChip chip: Int) -> ChipID { self.locals[chip % self.chipsPerBoard] }
    package func ethernetChip(ofBoard board: Int) -> Int { board * self.chipsPerBoard }

    /// The number of a board; nil when the machine has none there.
    package func board(at coordinates: BoardCoordinates) -> Int? {
        if self.boards.count == 1 { return coordinates == self.boards[0] ? 0 : nil }
        guard self.geometry.contains(coordinates) else { return nil }
        return (coordinates.x * self.geometry.height + coordinates.y) * 3 + coordinates.z
    }

    /// The number of a chip; nil when there is none.
    package func chip(_ local: ChipID, onBoard board: Int) -> Int? {
        guard local.x < 8, local.y < 8, board >= 0, board < self.boards.count else { return nil }
        let number = self.localNumbers[Int(local.x) * 8 + Int(local.y)]
        return number == 0xFF ? nil : board * self.chipsPerBoard + Int(number)
    }

    /// The board behind a side; nil when nothing is cabled there.
    package func neighbour(ofBoard board: Int, side: Link) -> Int? {
        self.neighbours.isEmpty ? nil : Int(self.neighbours[board * 6 + Int(side.rawValue)])
    }

    /// What a link of a chip is wired to, and by which side it leaves the board (nil: it stays on it).
    package func wire(ofChip chip: Int, _ link: Link) -> (chip: Int, side: Link?)? {
        let board = chip / self.chipsPerBoard
        let wire = self.wiring[(chip - board * self.chipsPerBoard) * 6 + Int(link.rawValue)]
        if wire < 64 { return (board * self.chipsPerBoard + Int(wire), nil) }
        guard wire != BoardWiring.nothing, !self.neighbours.isEmpty, let side = Link(rawValue: UInt8(wire / 64 - 1)) else {
            return nil
        }
        return (Int(self.neighbours[board * 6 + Int(side.rawValue)]) * self.chipsPerBoard + Int(wire % 64), side)
    }

    package func physical(ofBoard board: Int) -> PhysicalCoordinates {
        let frame = board / BoardWiring.slotsPerFrame
        return PhysicalCoordinates(
            cabinet: frame / BoardWiring.framesPerCabinet, frame: frame % BoardWiring.framesPerCabinet,
            board: board % BoardWiring.slotsPerFrame)
    }

    /// The address of a board's Ethernet chip.
    package func address(ofBoard board: Int, base: UInt8) -> IPv4Address {
        let frame = board / BoardWiring.slotsPerFrame
        let slot = board % BoardWiring.slotsPerFrame
        return IPv4Address(127, base, UInt8(truncatingIfNeeded: frame), UInt8(8 * (slot + 1) + 1))
    }

    /// The address of a frame's BMP: that of its slot 0.
    package func address(ofFrame frame: Int, base: UInt8) -> IPv4Address {
        IPv4Address(127, base, UInt8(truncatingIfNeeded: frame), 8)
    }
}
