//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One core of one chip, by its *virtual* number: 0 is the monitor, 1... run applications.
public struct CoreID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var chip: ChipID
    /// Virtual core number, 0...17 on SpiNNaker-1. (On a BMP: the number of a board in its frame, 0...23.)
    public var p: UInt8

    @inlinable
    public init(chip: ChipID, p: UInt8) {
        self.chip = chip
        self.p = p
    }

    @inlinable
    public init(_ x: UInt8, _ y: UInt8, _ p: UInt8) {
        self.init(chip: ChipID(x: x, y: y), p: p)
    }

    /// The monitor core of a chip.
    @inlinable
    public static func monitor(of chip: ChipID) -> CoreID { CoreID(chip: chip, p: 0) }

    @inlinable
    public static func < (a: CoreID, b: CoreID) -> Bool { (a.chip, a.p) < (b.chip, b.p) }

    public var description: String { "(\(self.chip.x), \(self.chip.y), \(self.p))" }
}
