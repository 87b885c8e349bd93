//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

/// Machines laid out by force on the plane: a board is the hexagon 0 ≤ x, y ≤ 7, -3 ≤ x - y ≤ 4 at each point of the lattice that
/// (12, 0), (0, 12), (8, 4) and (4, 8) make. No table of the library is used.
private struct Plane {
    let width: Int
    let height: Int
    var wrapsX: Bool { self.width % 12 == 0 }
    var wrapsY: Bool { self.height % 12 == 0 }

    static func hexagon(_ x: Int, _ y: Int) -> Bool { 0...7 ~= x && 0...7 ~= y && -3...4 ~= x - y }

    /// Chip by chip: its board's Ethernet chip, and its place on that board.
    func owners() -> [ChipPosition: (ethernet: ChipPosition, local: ChipID)] {
        var owners: [ChipPosition: (ethernet: ChipPosition, local: ChipID)] = [:]
        for x in 0..<self.width {
            for y in 0..<self.height where [[0, 0], [8, 4], [4, 8]].contains([x % 12, y % 12]) {
                let fits = (self.wrapsX || x + 8 <= self.width) && (self.wrapsY || y + 8 <= self.height)
                guard fits || (x == 0 && y == 0) else { continue }
                for dx in 0..<8 {
                    for dy in 0..<8 where Plane.hexagon(dx, dy) {
                        let at = ChipPosition(
                            x: self.wrapsX ? (x + dx) % self.width : x + dx, y: self.wrapsY ? (y + dy) % self.height : y + dy)
                        guard at.x < self.width, at.y < self.height else { continue }
                        owners[at] = (ChipPosition(x: x, y: y), ChipID(UInt8(dx), UInt8(dy)))
                    }
                }
            }
        }
        return owners
    }
}

/// Whole boards with and without wraps, and sizes that a machine with dead edges shows.
private let sizes = [(8, 8), (12, 12), (16, 16), (12, 16), (24, 16), (28, 40), (4, 4), (5, 20), (13, 17), (23, 12), (1, 1)]

@Suite struct PlaneModelTests {
    @Test(arguments: sizes)
    func chipsLieOnTheirBoards(_ width: Int, _ height: Int) throws {
        let shape = try #require(MachineShape(width: width, height: height))
        let owners = Plane(width: width, height: height).owners()
        #expect(shape.chips.map { ChipPosition($0) } == owners.keys.sorted())
        for x in UInt8(0)..<60 {
            for y in UInt8(0)..<60 {
                let chip = ChipID(x, y)
                let owner = owners[ChipPosition(chip)]
                #expect(shape.contains(chip) == (owner != nil), "\(chip)")
                #expect(shape.ethernetChip(nearest: chip) == owner?.ethernet.chip, "\(chip)")
                #expect(shape.isEthernet(chip) == (owner?.ethernet == ChipPosition(chip)), "\(chip)")
                guard let owner, let ethernet = owner.ethernet.chip else { continue }
                #expect(shape.localCoordinates(of: chip) == owner.local)
                #expect(shape.chip(owner.local, onBoardOf: ethernet) == chip)
                let triad = try #require(shape.boardCoordinates(of: chip))
                #expect([triad.x, triad.y] == [Int(ethernet.x) / 12, Int(ethernet.y) / 12])
                #expect([ChipID(0, 0), ChipID(8, 4), ChipID(4, 8)][triad.z] == ChipID(ethernet.x % 12, ethernet.y % 12))
                #expect(shape.ethernetChip(of: triad) == ethernet)
            }
        }
    }

    /// A walk never needs to leave the rectangle, so a search over its places finds the least number of links.
    @Test(arguments: [(12, 12), (12, 9), (7, 12), (13, 5)])
    func distancesAreThoseOfASearch(_ width: Int, _ height: Int) throws {
        let shape = try #require(MachineShape(width: width, height: height))
        func neighbours(_ at: ChipID) -> [ChipID] {
            [(1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)].compactMap { step in
                var (x, y) = (Int(at.x) + step.0, Int(at.y) + step.1)
                if width % 12 == 0 { x = (x + width) % width }
                if height % 12 == 0 { y = (y + height) % height }
                return 0..<width ~= x && 0..<height ~= y ? ChipPosition(x: x, y: y).chip : nil
            }
        }
        for source in [ChipID(0, 0), ChipID(6, 4), ChipID(UInt8(width - 1), UInt8(height - 1))] {
            var found = [source: 0]
            var queue = [source]
            while let at = queue.first {
                queue.removeFirst()
                for next in neighbours(at) where found[next] == nil {
                    found[next] = (found[at] ?? 0) + 1
                    queue.append(next)
                }
            }
            #expect(found.count == width * height)
            for (chip, steps) in found {
                #expect(shape.distance(from: source, to: chip) == steps, "\(source) to \(chip)")
                #expect(shape.distance(from: chip, to: source) == steps, "\(chip) to \(source)")
            }
        }
    }

    @Test func placesThatNoBoardHas() throws {
        let torus = try #require(MachineShape(width: 12, height: 12))
        // Beyond the board, though the torus has a chip there: (12, 0) is (0, 0) again.
        for local in [ChipID(12, 0), ChipID(0, 12), ChipID(8, 4), ChipID(0, 4), ChipID(5, 0), ChipID(255, 255)] {
            #expect(torus.chip(local, onBoardOf: .origin) == nil, "\(local)")
        }
        // (1, 1) is a chip, and no Ethernet chip.
        #expect(torus.chip(.origin, onBoardOf: ChipID(1, 1)) == nil)
        for board in [
            BoardCoordinates(0, 0, 3), BoardCoordinates(0, 0, -1), BoardCoordinates(1, 0, 0), BoardCoordinates(0, 1, 0),
            BoardCoordinates(-1, 0, 0), BoardCoordinates(0, 22, 0),
        ] {
            #expect(torus.ethernetChip(of: board) == nil, "\(board)")
        }
        #expect(MachineDescription(shape: torus).contains(ChipID(12, 0)) == false)
        #expect(MachineDescription(shape: torus).linkMask(of: ChipID(12, 0)) == 0)
    }

    /// On a SpiNN-5 a link that leaves the hexagon has a channel of an FPGA, and no other place has one.
    @Test func channelsAreAtTheRimOnly() {
        for x in UInt8(0)..<20 {
            for y in UInt8(0)..<20 {
                for link in Link.allCases {
                    let inside = Plane.hexagon(Int(x), Int(y))
                    let leaves = inside && !Plane.hexagon(Int(x) + link.delta.dx, Int(y) + link.delta.dy)
                    #expect((FPGALink(chip: ChipID(x, y), link: link) != nil) == leaves, "(\(x), \(y)) \(link)")
                    #expect(BoardShape.spinn5.contains(ChipID(x, y)) == inside)
                }
            }
        }
    }

    /// virtual-machine.md §1.4 names both ends of the three links that SC&MP's test of links loses.
    @Test func linksThatTheFirmwareLosesAndTheirFarEnds() {
        let ends = BoardShape.spinn5.linksClearedByFirmware.map { end in
            "\(end) - \(FPGALink(chip: end.chip, link: end.link).map { "\($0.farEnd.chip) \($0.farEnd.link)" } ?? "inside")"
        }
        #expect(ends == ["(1, 0) SW - (4, 7) NE", "(4, 7) N - (0, 0) S", "(7, 7) N - (3, 0) S"])
        #expect(BoardShape.spinn3.linksClearedByFirmware.map(\.description) == ["(1, 0) SW"])
    }
}
