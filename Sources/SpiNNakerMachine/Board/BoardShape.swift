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
}
