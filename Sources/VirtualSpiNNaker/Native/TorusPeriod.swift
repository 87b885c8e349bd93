//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The steps that lead from a chip of a torus back to itself, as the lattice they span: `(width, skew)` and `(0, height)`.
/// 0 is "does not wrap".
struct TorusPeriod: Hashable, Sendable {
    private(set) var width = 0
    private(set) var skew = 0
    private(set) var height = 0

    /// A closed walk of this net step has been found.
    mutating func add(_ dx: Int, _ dy: Int) {
        guard dx != 0 || dy != 0 else { return }
        var x = dx
        var y = dy
        // Euclid on the x components leaves one vector with x = gcd and one with x = 0.
        while x != 0 {
            if self.width == 0 {
                (self.width, self.skew) = x < 0 ? (-x, -y) : (x, y)
                (x, y) = (0, 0)
            } else {
                let quotient = x / self.width
                x -= quotient * self.width
                y -= quotient * self.skew
                if x != 0 {
                    swap(&x, &self.width)
                    swap(&y, &self.skew)
                    if self.width < 0 { (self.width, self.skew) = (-self.width, -self.skew) }
                }
            }
        }
        var a = abs(y)
        while a != 0 { (self.height, a) = (a, self.height % a) }
        if self.height != 0 { self.skew = TorusPeriod.modulo(self.skew, self.height) }
    }

    /// The same chip's coordinates nearest above (0, 0).
    func reduce(_ x: Int, _ y: Int) -> (x: Int, y: Int) {
        var x = x
        var y = y
        if self.width > 0 {
            let quotient = (x - TorusPeriod.modulo(x, self.width)) / self.width
            x -= quotient * self.width
            y -= quotient * self.skew
        }
        if self.height > 0 { y = TorusPeriod.modulo(y, self.height) }
        return (x, y)
    }

    private static func modulo(_ a: Int, _ n: Int) -> Int {
        let r = a % n
        return r < 0 ? r + n : r
    }
}
