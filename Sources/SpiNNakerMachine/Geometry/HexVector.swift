//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A walk between two chips along the three axes of the hexagonal mesh: `x` steps east, `y` steps north, and `z` steps
/// south-west (each of which undoes one east and one north).
///
/// The shortest walk has a zero among the three and the others of different sign: that is the form in which
/// SpiNNMachine gives it (vectors `geometry.virtual.*`).
public struct HexVector: Hashable, Sendable, CustomStringConvertible {
    public var x: Int
    public var y: Int
    public var z: Int

    @inlinable
    public init(x: Int, y: Int, z: Int) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// The shortest walk by which x grows by `dx` and y by `dy`.
    public init(dx: Int, dy: Int) {
        // (1, 1, 1) leads nowhere, so the median of the three may be taken from each: one becomes zero, and no other
        // choice is shorter.
        let median = max(min(dx, dy), min(max(dx, dy), 0))
        self.init(x: dx - median, y: dy - median, z: -median)
    }

    /// Steps, each over one link.
    public var length: Int { abs(self.x) + abs(self.y) + abs(self.z) }

    public var dx: Int { self.x - self.z }
    public var dy: Int { self.y - self.z }

    public var description: String { "[\(self.x), \(self.y), \(self.z)]" }
}
