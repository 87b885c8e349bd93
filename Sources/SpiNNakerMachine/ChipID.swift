//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The coordinates of a chip: `x` and `y`, each 0...255.
///
/// On the wire and in SC&MP's tables a chip is the 16-bit *P2P address* `x << 8 | y`.
public struct ChipID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var x: UInt8
    public var y: UInt8

    @inlinable
    public init(x: UInt8, y: UInt8) {
        self.x = x
        self.y = y
    }

    @inlinable
    public init(_ x: UInt8, _ y: UInt8) {
        self.init(x: x, y: y)
    }

    /// From a P2P address, `x << 8 | y`.
    @inlinable
    public init(p2pAddress: UInt16) {
        self.init(x: UInt8(truncatingIfNeeded: p2pAddress >> 8), y: UInt8(truncatingIfNeeded: p2pAddress))
    }

    /// `x << 8 | y`.
    @inlinable
    public var p2pAddress: UInt16 { UInt16(self.x) << 8 | UInt16(self.y) }

    /// (0, 0): where a machine is booted.
    public static let origin = ChipID(x: 0, y: 0)

    /// (255, 255): "the root chip, wherever it is". SC&MP rewrites this destination to the chip that was booted.
    public static let root = ChipID(x: 255, y: 255)

    /// By x, then y: the order of a P2P table.
    @inlinable
    public static func < (a: ChipID, b: ChipID) -> Bool { a.p2pAddress < b.p2pAddress }

    public var description: String { "(\(self.x), \(self.y))" }
}
