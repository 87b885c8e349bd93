//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The chips of one board, relative to its Ethernet chip.
public enum BoardShape: Hashable, Sendable {
    /// 4 chips, 2 × 2, a torus of its own.
    case spinn3
    /// 48 chips in a hexagonal cut of 8 × 8; three of them tile 12 × 12.
    case spinn5

    /// SpiNN-5: the chips of row y are x in `rows[y]`.
    static let spinn5Rows: [ClosedRange<Int>] = [0...4, 0...5, 0...6, 0...7, 1...7, 2...7, 3...7, 4...7]

    /// By x, then y.
    public var chips: [ChipID] {
        switch self {
        case .spinn3: return [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0), ChipID(1, 1)]
        case .spinn5:
            var chips: [ChipID] = []
            for x in 0..<8 {
                for y in 0..<8 where BoardShape.spinn5Rows[y].contains(x) {
                    chips.append(ChipID(UInt8(x), UInt8(y)))
                }
            }
            return chips
        }
    }

    public func contains(_ chip: ChipID) -> Bool {
        switch self {
        case .spinn3: chip.x < 2 && chip.y < 2
        case .spinn5: chip.y < 8 && BoardShape.spinn5Rows[Int(chip.y)].contains(Int(chip.x))
        }
    }

    /// Cores per chip before any is found dead.
    public static let coresPerChip = 18

    /// SpiNN-5: the chips that have 17 working cores in SpiNNMachine's reference board; all others have 18.
    public static let spinn5ChipsWith17Cores: Set<ChipID> = [
        ChipID(1, 1), ChipID(1, 3), ChipID(3, 1), ChipID(3, 3), ChipID(3, 5), ChipID(5, 2), ChipID(5, 4), ChipID(5, 6),
    ]

    /// The version number that a host writes into `sv.hw_ver` at boot.
    public var version: UInt8 {
        switch self {
        case .spinn3: 3
        case .spinn5: 5
        }
    }

    /// 2 and 3 are the four-chip boards, 4 and 5 the ones of 48 chips; nil for any other number.
    public init?(version: Int) {
        switch version {
        case 2, 3: self = .spinn3
        case 4, 5: self = .spinn5
        default: return nil
        }
    }

    /// Chips along each side of the square that holds the board.
    public var side: Int {
        switch self {
        case .spinn3: 2
        case .spinn5: 8
        }
    }

    public var chipCount: Int {
        switch self {
        case .spinn3: 4
        case .spinn5: 48
        }
    }

    /// Cores of a chip of the reference board, monitor included.
    public func coreCount(of chip: ChipID) -> Int {
        switch self {
        case .spinn3: BoardShape.coresPerChip
        case .spinn5: BoardShape.spinn5ChipsWith17Cores.contains(chip) ? 17 : BoardShape.coresPerChip
        }
    }

    /// The sockets for other devices, by their number ("SpiNNaker links"). They are links of edge chips.
    public var spinnakerLinks: [ChipLink] {
        switch self {
        case .spinn3: [ChipLink(chip: ChipID(0, 0), link: .west), ChipLink(chip: ChipID(1, 0), link: .east)]
        case .spinn5: [ChipLink(chip: ChipID(0, 0), link: .southWest)]
        }
    }

    /// Links that the arithmetic of a torus gives to a SpiNN-3 and its wiring does not. (SpiNN-5: none.)
    public func isWired(_ end: ChipLink) -> Bool {
        switch self {
        case .spinn3:
            switch end.link {
            case .west, .southWest: end.chip.x != 0
            case .east, .northEast: end.chip.x != 1
            case .north, .south: true
            }
        case .spinn5: true
        }
    }

    /// Links that SC&MP 4.0.0 clears while it tests them, whatever their health; the far end then loses its own.
    /// On a SpiNN-5 all three leave the board (virtual-machine.md §1.4).
    public var linksClearedByFirmware: [ChipLink] {
        switch self {
        case .spinn3: [ChipLink(chip: ChipID(1, 0), link: .southWest)]
        case .spinn5:
            [
                ChipLink(chip: ChipID(1, 0), link: .southWest), ChipLink(chip: ChipID(4, 7), link: .north),
                ChipLink(chip: ChipID(7, 7), link: .north),
            ]
        }
    }
}
